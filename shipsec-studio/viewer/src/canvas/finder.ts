// Finds nodes by name, id or component.

import { h, put } from "../ui/dom.ts";
import { cut } from "../ui/text.ts";
import type { Box } from "./graph.ts";

/** So many are offered. */
const MOST = 12;

export interface Finder {
  readonly element: HTMLElement;
  set(boxes: readonly Box[]): void;
  focus(): void;
}

/** A search field which offers what fits; `found` is given the key of what was chosen. */
export function finder(found: (key: string) => void): Finder {
  let boxes: readonly Box[] = [];
  let offered: readonly Box[] = [];
  let chosen = 0;
  const id = `found-${Math.random().toString(36).slice(2)}`;
  const offers = h("ul", { role: "listbox", id, hidden: true, "aria-label": "Nodes" });
  const input = h("input", { type: "search", placeholder: "Find a node", role: "combobox", "aria-controls": id, "aria-expanded": "false", "aria-label": "Find a node", title: "Find a node (/)", autocomplete: "off", spellcheck: "false", "data-testid": "node-search" });
  const shut = () => {
    offers.hidden = true;
    input.setAttribute("aria-expanded", "false");
  };
  const choose = (box: Box | undefined) => {
    if (!box) return;
    shut();
    input.value = "";
    found(box.key);
  };
  const show = () => {
    const wanted = input.value.trim().toLowerCase();
    const rank = (box: Box) => {
      const names = [box.node.toLowerCase(), box.label.toLowerCase()];
      if (names.some((name) => name === wanted)) return 0;
      if (names.some((name) => name.startsWith(wanted))) return 1;
      if (names.some((name) => name.includes(wanted))) return 2;
      return box.component.toLowerCase().includes(wanted) ? 3 : 4;
    };
    const ranked = wanted ? boxes.map((box) => [rank(box), box] as const).filter(([rank]) => rank < 4) : [];
    offered = ranked.sort((a, b) => a[0] - b[0]).slice(0, MOST).map(([, box]) => box);
    chosen = Math.min(chosen, Math.max(0, offered.length - 1));
    put(offers, ...offered.map((box, at) => h("li", {
      role: "option", id: `${id}-${at}`, "aria-selected": String(at === chosen),
      onpointerdown: (event: Event) => {
        event.preventDefault();
        choose(box);
      },
    }, h("b", null, cut(box.label, 60)), h("small", null, cut(`${box.side ? `${box.side}: ` : ""}${box.node}`, 60)))));
    if (wanted && offered.length === 0) put(offers, h("li", { class: "muted" }, "No node has this name"));
    offers.hidden = !wanted;
    input.setAttribute("aria-expanded", String(!offers.hidden));
    input.setAttribute("aria-activedescendant", offered.length ? `${id}-${chosen}` : "");
  };
  input.addEventListener("input", () => {
    chosen = 0;
    show();
  });
  input.addEventListener("blur", shut);
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") choose(offered[chosen]);
    else if (event.key === "ArrowDown") chosen = Math.min(offered.length - 1, chosen + 1);
    else if (event.key === "ArrowUp") chosen = Math.max(0, chosen - 1);
    else if (event.key === "Escape") {
      input.value = "";
      input.blur();
      return;
    } else return;
    event.preventDefault();
    if (event.key !== "Enter") show();
  });
  return {
    element: h("div", { class: "finder" }, input, offers),
    set: (all) => {
      boxes = all;
    },
    focus: () => {
      input.focus();
      input.select();
    },
  };
}
