// Begins: shows the page that the address names, and gives it the keys.

import { DiffPage } from "./diff/page.ts";
import { ask } from "./ui/dialog.ts";
import { button, h, put } from "./ui/dom.ts";
import { HomePage } from "./ui/home.ts";
import { RunPage, sorry, type Page } from "./ui/run.ts";
import { icon } from "./ui/states.ts";
import { themeButton } from "./ui/theme.ts";
import { address, go, isPlain, onGo, place, type Place } from "./ui/url.ts";

const KEYS: readonly (readonly [string, string])[] = [
  ["Space", "play or pause"], ["← →", "previous or next event"], ["Shift ← →, p n", "previous or next change of the selected node"],
  ["f", "follow the newest event"], ["g", "skip idle time, or show it"], ["/", "find a node"], ["l", "search the log"],
  ["0", "show the whole picture"], ["+ −", "zoom"], ["Shift and arrows on the canvas", "move the picture"],
  ["↑ ↓ on a node", "previous or next node"], ["Enter", "select; open a line"], ["Esc", "close"], ["?", "these keys"],
];

function help(): void {
  void ask("Keys", (close) => [
    h("dl", { class: "keys" }, ...KEYS.flatMap(([key, what]) => [h("dt", null, h("kbd", null, key)), h("dd", null, what)])),
    h("div", { class: "buttons" }, button("Close", () => close(""), { class: "primary" })),
  ]);
}

const home = h("a", { class: "brand", href: address({}), onclick: (event: MouseEvent) => {
  if (!isPlain(event)) return;
  event.preventDefault();
  go({});
} }, icon("home"), h("b", null, "ShipSec"), " Studio");
const host = h("div", { class: "host" });
document.body.append(
  h("nav", { class: "topbar", "aria-label": "Studio" }, home, h("span", { class: "grow" }),
    button("?", help, { class: "quiet", title: "Keys (?)", "aria-label": "Keys" }), themeButton()),
  host);

let page: Page | undefined;

function open({ run, diff }: Place): void {
  page?.close();
  document.title = "ShipSec Studio";
  try {
    page = diff ? new DiffPage(diff) : run ? new RunPage(run) : new HomePage();
    put(host, page.element);
  } catch (error) {
    page = undefined;
    put(host, sorry("This page cannot be shown", String(error)));
  }
}

onGo((to, before) => {
  if (page && to.run === before.run && String(to.diff) === String(before.diff)) page.restore();
  else open(to);
});

/** Whether a key is for what has the focus. */
function isTaken(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof Element) || event.defaultPrevented) return event.defaultPrevented;
  if (target.closest("input, textarea, select, [contenteditable], dialog")) return target.getAttribute("type") !== "checkbox" || event.key === " ";
  // Space presses buttons and opens what is folded.
  if (event.key === " " && target.matches(".node[data-selected]")) return false;
  return (event.key === " " || event.key === "Enter") && target.closest("button, summary, a, [role=button]") !== null;
}

addEventListener("keydown", (event) => {
  if (isTaken(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") help();
  else if (!page?.key(event)) return;
  event.preventDefault();
});

open(place());
