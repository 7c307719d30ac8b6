// The items of a node that runs once for each: what asks for somebody first, then by index.

import type { NodeView } from "../model.ts";
import { answerForm } from "./answer.ts";
import { button, h, put, type Child } from "./dom.ts";
import { icon, type Look, nodeLook, word } from "./states.ts";
import { count, oneLine, span } from "./text.ts";

/** So many items are shown at once. */
const STEP = 100;
/** What comes first. */
const FIRST: readonly Look[] = ["awaiting-input", "failed", "retrying", "running"];

/** What is shown of one item, unfolded. */
export type Inside = (item: NodeView) => readonly Child[];

/** The list; it keeps what is unfolded and which states are shown while the items change. */
export class Items {
  readonly element = h("div", { class: "items", "data-testid": "items" });
  readonly #filters = h("div", { class: "joined wrap", role: "group", "aria-label": "States" });
  readonly #list = h("ul", { class: "plain" });
  readonly #run: string;
  readonly #inside: Inside;
  readonly #answered: () => void;
  readonly #only = new Set<Look>();
  readonly #open = new Set<string>();
  /** Rows by item, made anew where the item is another. */
  #rows = new Map<string, { item: NodeView; newest: boolean; row: HTMLElement }>();
  #most = STEP;
  #items: readonly NodeView[] = [];
  #newest = false;

  constructor(run: string, inside: Inside, answered: () => void) {
    this.#run = run;
    this.#inside = inside;
    this.#answered = answered;
    put(this.element, this.#filters, this.#list);
  }

  /** Shows items; `newest` where the newest moment is looked at, which alone takes answers. */
  show(items: readonly NodeView[], newest: boolean): void {
    if (items === this.#items && newest === this.#newest) return;
    this.#items = items;
    this.#newest = newest;
    this.#draw();
  }

  #draw(): void {
    const byLook = new Map<Look, NodeView[]>();
    for (const item of this.#items) {
      const look = nodeLook(item.state);
      const own = byLook.get(look);
      if (own) own.push(item);
      else byLook.set(look, [item]);
    }
    const looks = [...byLook.keys()];
    put(this.#filters, ...looks.map((look) => button(`${word(look)} ${count(byLook.get(look)?.length ?? 0)}`, () => {
      if (!this.#only.delete(look)) this.#only.add(look);
      this.#most = STEP;
      this.#draw();
    }, { class: `toggle is-${look}`, "aria-pressed": String(this.#only.has(look)), "data-testid": `items-${look}` }, icon(look))));
    const wanted = this.#only.size > 0 ? this.#items.filter((item) => this.#only.has(nodeLook(item.state))) : [
      ...FIRST.flatMap((look) => byLook.get(look) ?? []),
      ...this.#items.filter((item) => !FIRST.includes(nodeLook(item.state))),
    ];
    const rows = new Map<string, { item: NodeView; newest: boolean; row: HTMLElement }>();
    for (const item of wanted.slice(0, this.#most)) {
      const before = this.#rows.get(item.nodeId);
      const same = before?.item === item && before.newest === this.#newest;
      // That it was just unfolded is told later, perhaps once another row has taken its place.
      if (before && !same) this.#note(item.nodeId, before.row.firstElementChild as HTMLDetailsElement);
      rows.set(item.nodeId, same ? before : { item, newest: this.#newest, row: this.#row(item) });
    }
    this.#rows = rows;
    const left = wanted.length - rows.size;
    const children = [...rows.values()].map(({ row }) => row);
    if (left > 0) children.push(h("li", null, button(`Show more (${count(left)} left)`, () => {
      this.#most += STEP;
      this.#draw();
    }, { class: "quiet small" })));
    // Whoever types into a row stays in it: what stays is not moved.
    for (const child of [...this.#list.children]) if (!children.includes(child as HTMLElement)) child.remove();
    children.forEach((child, at) => {
      const there = this.#list.children[at] ?? null;
      if (there !== child) this.#list.insertBefore(child, there);
    });
  }

  #note(item: string, { open }: HTMLDetailsElement): void {
    if (open) this.#open.add(item);
    else this.#open.delete(item);
  }

  #row(item: NodeView): HTMLElement {
    const look = nodeLook(item.state);
    const index = item.nodeId.slice(item.nodeId.lastIndexOf("[") + 1, -1);
    const said = item.error?.message ?? item.awaiting?.title ?? (item.durationMs === undefined ? "" : span(item.durationMs));
    const details = h("details", { "data-testid": `item-${index}`, "data-state": look },
      h("summary", { class: `is-${look}` }, h("span", { class: "mono" }, index), icon(look), h("span", { class: "state" }, word(look)), h("span", { class: "item-text" }, oneLine(said))));
    let made = false;
    const make = () => {
      this.#note(item.nodeId, details);
      if (made || !details.open) return;
      made = true;
      if (item.awaiting && this.#newest) details.append(answerForm(this.#run, item, this.#answered));
      details.append(h("div", { class: "inside" }, ...this.#inside(item)));
    };
    details.open = this.#open.has(item.nodeId);
    make();
    // A row that another one has taken the place of has no say any more.
    details.addEventListener("toggle", () => details.isConnected && make());
    return h("li", null, details);
  }
}
