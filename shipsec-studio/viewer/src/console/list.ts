// A list of any length, of which only the rows in sight exist. Browsers cannot make an element
// higher than some millions of pixels: beyond that the scroll bar stands for a part of the list, and
// wheel and keys move by rows all the same.

import { frame, h } from "../ui/dom.ts";

/** Pixels of a row; style.css knows it too. */
export const ROW = 20;
/** No browser makes less. */
const HIGHEST = 8_000_000;

/** Fills a row that is in sight with what stands at an index. */
export type Render = (row: HTMLElement, index: number) => void;

export class List {
  readonly element: HTMLElement;
  /** Whether the end stays in sight while the list grows. */
  following = true;
  readonly #spacer = h("div", { class: "spacer" });
  readonly #rows = h("div", { class: "rows", role: "list" });
  readonly #render: Render;
  readonly #follow: (following: boolean) => void;
  readonly #draw = frame(() => this.#show());
  #length = 0;
  /** The row at the upper edge, with its fraction. */
  #first = 0;
  #expected = 0;
  #fresh = false;

  /** `follow` is told when scrolling by hand starts or ends following. */
  constructor(label: string, render: Render, follow: (following: boolean) => void) {
    this.#render = render;
    this.#follow = follow;
    this.#spacer.append(this.#rows);
    this.element = h("div", { class: "list", tabindex: 0, role: "region", "aria-label": label }, this.#spacer);
    this.element.addEventListener("scroll", () => this.#scrolled());
    this.element.addEventListener("wheel", (event) => {
      if (this.#ratio() === 1 || event.ctrlKey) return;
      event.preventDefault();
      this.#by((event.deltaY * (event.deltaMode === 1 ? ROW : 1)) / ROW);
    }, { passive: false });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#follows()).observe(this.element);
  }

  /** How many rows there are. */
  get length(): number {
    return this.#length;
  }

  /** Shows so many rows; `fresh` where they are others than before. */
  set(length: number, fresh: boolean): void {
    if (length === this.#length && !fresh) return;
    this.#length = length;
    this.#fresh ||= fresh;
    this.#spacer.style.height = `${Math.min(HIGHEST, length * ROW)}px`;
    this.#follows();
  }

  /** Draws the rows in sight anew. */
  refresh(): void {
    this.#fresh = true;
    this.#draw();
  }

  /** Follows the end, or stops to. */
  follow(following: boolean): void {
    this.following = following;
    this.#follows();
  }

  /** Brings a row into sight. */
  reveal(index: number): void {
    const [first, fit] = [this.#first, this.element.clientHeight / ROW];
    if (index < first) this.#go(index);
    else if (index + 1 > first + fit) this.#go(index + 1 - fit);
  }

  #ratio(): number {
    const real = this.#length * ROW - this.element.clientHeight;
    return Math.max(1, real / Math.max(1, Math.min(HIGHEST, this.#length * ROW) - this.element.clientHeight));
  }

  #last(): number {
    return Math.max(0, this.#length - this.element.clientHeight / ROW);
  }

  #follows(): void {
    this.#go(this.following ? this.#last() : Math.min(this.#first, this.#last()));
  }

  #go(first: number): void {
    this.#first = Math.min(this.#last(), Math.max(0, first));
    const top = Math.round((this.#first * ROW) / this.#ratio());
    if (Math.abs(this.element.scrollTop - top) >= 1) this.element.scrollTop = top;
    this.#expected = this.element.scrollTop;
    this.#draw();
  }

  #by(rows: number): void {
    this.#go(this.#first + rows);
    this.#moved();
  }

  #scrolled(): void {
    const top = this.element.scrollTop;
    // What this list did itself is told as well, and says less than it knows.
    if (Math.abs(top - this.#expected) < 2) return;
    this.#expected = top;
    this.#first = Math.min(this.#last(), (top * this.#ratio()) / ROW);
    this.#moved();
    this.#draw();
  }

  #moved(): void {
    const end = this.#first >= this.#last() - 0.6;
    if (end === this.following) return;
    this.following = end;
    this.#follow(end);
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 1);
    const by = { PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.#by(Number.isFinite(by) ? by : by > 0 ? this.#length : -this.#length);
  }

  #show(): void {
    const start = Math.floor(this.#first);
    const end = Math.min(this.#length, Math.ceil(this.#first + this.element.clientHeight / ROW) + 1);
    this.#rows.style.transform = `translateY(${-Math.round((this.#first - start) * ROW)}px)`;
    const rows = this.#rows.children;
    while (rows.length > end - start) rows[rows.length - 1]?.remove();
    while (rows.length < end - start) this.#rows.append(h("div", { class: "row", role: "listitem" }));
    for (let index = start; index < end; index += 1) {
      const row = rows[index - start] as HTMLElement;
      if (!this.#fresh && row.dataset["index"] === String(index)) continue;
      row.dataset["index"] = String(index);
      row.setAttribute("aria-posinset", String(index + 1));
      row.setAttribute("aria-setsize", String(this.#length));
      this.#render(row, index);
    }
    this.#fresh = false;
  }
}
