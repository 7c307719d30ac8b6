// Many shapes drawn as few: of those that stand near one another, all that look alike are one path.
// An element for each would have to be styled and painted for each.

import { s, set } from "../ui/dom.ts";

/** So many shapes, as a power of two, can share a path: one that changes costs its neighbours. */
const LOT = 6;

export class Batch {
  readonly element = s("g");
  readonly #shape: (place: number, look: string) => string;
  readonly #below: (look: string) => boolean;
  /** The class of each shape by its place; empty where it is not drawn. */
  readonly #looks: string[] = [];
  /** The paths of each lot by their class. */
  readonly #paths: Map<string, SVGPathElement>[] = [];
  readonly #stale = new Set<number>();

  /**
   * `shape` gives the outline of a shape; places that are near one another are best near in the picture
   * too. `below` says which classes lie below the others.
   */
  constructor(shape: (place: number, look: string) => string, below: (look: string) => boolean = () => false) {
    this.#shape = shape;
    this.#below = below;
  }

  /** Gives a shape its class; without one it is gone. */
  show(place: number, look: string): void {
    if ((this.#looks[place] ?? "") === look) return;
    this.#looks[place] = look;
    this.#stale.add(place >> LOT);
  }

  /** Takes all shapes away. */
  clear(): void {
    this.element.replaceChildren();
    this.#looks.length = 0;
    this.#paths.length = 0;
    this.#stale.clear();
  }

  /** Draws what has changed. */
  flush(): void {
    for (const lot of this.#stale) {
      const drawn = new Map<string, string>();
      for (let place = lot << LOT; place < (lot + 1) << LOT; place += 1) {
        const look = this.#looks[place];
        if (look) drawn.set(look, (drawn.get(look) ?? "") + this.#shape(place, look));
      }
      const paths = (this.#paths[lot] ??= new Map());
      for (const [look, path] of paths) if (!drawn.has(look)) set(path, "d", "");
      for (const [look, d] of drawn) {
        let path = paths.get(look);
        if (!path) {
          paths.set(look, (path = s("path", { class: look })));
          if (this.#below(look)) this.element.prepend(path);
          else this.element.append(path);
        }
        set(path, "d", d);
      }
    }
    this.#stale.clear();
  }
}
