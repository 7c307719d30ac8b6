// JSON as a tree: what is folded is not made, so that a large value costs only what is looked at.

import { button, h, type Child } from "./dom.ts";
import { longText } from "./long.ts";
import { oneLine, many } from "./text.ts";

/** How many entries of a list or an object are shown at once. */
const STEP = 100;
/** How deep the tree is open by itself. */
const OPEN = 1;

/** A JSON value as a tree. `open` is how many levels are unfolded at first. */
export function jsonTree(value: unknown, open = OPEN): HTMLElement {
  return h("div", { class: "json" }, node(value, open));
}

function node(value: unknown, open: number): Child {
  if (Array.isArray(value)) return branch("[", "]", value.length, () => value.map((item, at) => [String(at), item] as const), open, true);
  if (typeof value === "object" && value !== null) {
    return branch("{", "}", Object.keys(value).length, () => Object.entries(value), open, false);
  }
  return leaf(value);
}

/** A value that has nothing inside. */
export function leaf(value: unknown): HTMLElement {
  if (typeof value === "string") {
    return h("span", { class: "json-text" }, '"', longText(value, 400), '"');
  }
  return h("span", { class: `json-${value === null ? "null" : typeof value}` }, value === undefined ? "nothing" : String(value));
}

function branch(
  left: string, right: string, size: number, entries: () => (readonly [string, unknown])[], open: number, list: boolean,
): HTMLElement {
  if (size === 0) return h("span", { class: "json-empty" }, left + right);
  const summary = h("summary", null, h("span", { class: "json-mark" }, left), h("span", { class: "json-size" }, ` ${many(size, list ? "item" : "field")} `), h("span", { class: "json-mark" }, right));
  const details = h("details", null, summary);
  let made = false;
  const make = () => {
    if (made || !details.open) return;
    made = true;
    details.append(rows(entries(), list, open - 1));
  };
  details.addEventListener("toggle", make);
  if (open > 0) {
    details.open = true;
    make();
  }
  return details;
}

function rows(entries: (readonly [string, unknown])[], list: boolean, open: number): HTMLElement {
  const box = h("div", { class: "json-rows" });
  let shown = 0;
  const more = button("", () => grow(), { class: "quiet small" });
  const label = more.appendChild(h("span"));
  const grow = () => {
    for (const [key, value] of entries.slice(shown, shown + STEP)) {
      more.before(h("div", { class: "json-row" }, h("span", { class: list ? "json-index" : "json-key" }, oneLine(key), ": "), node(value, open)));
    }
    shown += STEP;
    if (shown >= entries.length) more.remove();
    else label.textContent = `Show more (${entries.length - shown} left)`;
  };
  box.append(more);
  grow();
  return box;
}
