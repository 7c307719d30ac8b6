// Texts that may be very long: cut on the screen, whole for whoever asks.

import { button, h } from "./dom.ts";
import { ask, copy, save } from "./dialog.ts";
import { count, cut, size, visible } from "./text.ts";

/** How much of a text one screen of the dialog shows. */
const PAGE = 64 * 1024;

/** A text, cut after `most` characters with a way to see all of it. Lines are kept where `lines`. */
export function longText(text: string, most: number, lines = false): Node {
  if (text.length <= most) return document.createTextNode(lines ? visible(text) : cut(text, most));
  const start = lines ? `${visible(text.slice(0, most))}…` : cut(text, most);
  return h("span", null, start, " ", wholeText(text));
}

/** A button that shows all of a text. */
export function wholeText(text: string): HTMLElement {
  return button(`all ${count(text.length)} characters`, (event) => {
    event.stopPropagation();
    void showText("Whole text", text);
  }, { class: "quiet small" });
}

/** Shows a text page by page, so that ten megabytes do not stop the browser. */
export function showText(title: string, text: string): Promise<string> {
  return ask(title, (close) => {
    let page = 0;
    const pages = Math.max(1, Math.ceil(text.length / PAGE));
    const area = h("pre", { class: "whole", tabindex: 0 });
    const where = h("span", { class: "muted" });
    const show = (to: number) => {
      page = Math.min(pages - 1, Math.max(0, to));
      area.textContent = visible(text.slice(page * PAGE, (page + 1) * PAGE));
      area.scrollTop = 0;
      where.textContent = pages > 1 ? `Part ${page + 1} of ${pages}, ${count(text.length)} characters in all` : `${count(text.length)} characters`;
    };
    show(0);
    return [
      area,
      h("div", { class: "buttons" },
        where,
        pages > 1 && button("Previous part", () => show(page - 1)),
        pages > 1 && button("Next part", () => show(page + 1)),
        button("Copy whole", () => void copy(text, size(text.length))),
        button("Download", () => save(new Blob([text], { type: "text/plain" }), "text.txt")),
        button("Close", () => close(""), { class: "primary" })),
    ];
  });
}
