// How two runs look beside each other: their last states, with what differs marked.

import type { Change } from "../api.ts";
import type { Box, Line } from "../canvas/graph.ts";
import type { BoxLook, LineLook, Looks, RunLooks } from "../canvas/looks.ts";

/** What is different about a node. */
export interface Difference { readonly mark: "added" | "removed" | "changed"; readonly badge: string }

/** The differences by node. */
export function differences(changes: readonly Change[]): Map<string, Difference> {
  const found = new Map<string, Difference & { count: number }>();
  for (const { class: kind, nodeId } of changes) {
    if (nodeId === undefined) continue;
    const before = found.get(nodeId);
    const count = (before?.count ?? 0) + 1;
    if (kind === "added" || kind === "removed") found.set(nodeId, { mark: kind, badge: kind, count });
    else if (!before || before.mark === "changed") found.set(nodeId, { mark: "changed", badge: count === 1 ? "1 change" : `${count} changes`, count });
  }
  return found;
}

export class DiffLooks implements Looks {
  readonly #a: RunLooks;
  readonly #b: RunLooks;
  readonly #found: ReadonlyMap<string, Difference>;
  readonly #only: boolean;

  /** With `only`, what is the same in both runs stands back. */
  constructor(a: RunLooks, b: RunLooks, found: ReadonlyMap<string, Difference>, only: boolean) {
    this.#a = a;
    this.#b = b;
    this.#found = found;
    this.#only = only;
  }

  box(box: Box): BoxLook {
    const look = (box.side === "a" ? this.#a : this.#b).box(box);
    const nodes = box.members?.map((member) => member.node) ?? [box.node];
    const found = nodes.map((node) => this.#found.get(node)).filter((one) => one !== undefined);
    if (found.length === 0) return { ...look, badge: undefined, mark: undefined, dim: this.#only };
    if (box.members) return { ...look, mark: "changed", badge: `${found.length} differ` };
    return { ...look, mark: found[0]?.mark, badge: found[0]?.badge };
  }

  line(line: Line): LineLook {
    const look = (line.side === "a" ? this.#a : this.#b).line(line);
    return { ...look, passing: false, dim: this.#only };
  }
}
