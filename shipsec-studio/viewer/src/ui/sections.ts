// Parts of a page that are made anew only when what they show is another thing, so that what
// somebody has unfolded, selected or typed stays.

import { h, put, type Child } from "./dom.ts";

export class Sections {
  readonly #host: HTMLElement;
  readonly #made = new Map<string, { element: HTMLElement; of: readonly unknown[] }>();

  constructor(host: HTMLElement, names: readonly string[]) {
    this.#host = host;
    for (const name of names) {
      const element = this.#host.appendChild(h("section", { class: `part-${name}` }));
      this.#made.set(name, { element, of: [{}] });
    }
  }

  /** Shows a part, made of these things; nothing happens where they are the same as before. */
  show(name: string, of: readonly unknown[], build: () => readonly Child[]): void {
    const made = this.#made.get(name);
    if (!made || (made.of.length === of.length && made.of.every((one, at) => Object.is(one, of[at])))) return;
    made.of = of;
    const children = build().filter((child) => child !== null && child !== undefined && child !== false);
    put(made.element, ...children);
    made.element.hidden = children.length === 0;
  }
}
