// How each box and line looks at one moment of a run: nothing but a function of the state, so that
// live and replay cannot differ.

import type { EdgeView, NodeView, RunState } from "../model.ts";
import { nodeLook, word, type Look } from "../ui/states.ts";
import { count, field, span, text } from "../ui/text.ts";
import type { Box, Line } from "./graph.ts";

export interface BoxLook {
  readonly look: Look;
  /** The state in words, with what is worth telling of it. */
  readonly note: string;
  /** How much is done, where somebody counts. */
  readonly done?: number;
  readonly total?: number;
  readonly unit?: string;
  /** Marks it: an attempt, a difference. */
  readonly badge?: string;
  readonly mark?: "added" | "removed" | "changed" | "attempt";
  readonly dim?: boolean;
}

export interface LineLook {
  readonly state: "open" | "fired" | "dead";
  /** It has fired, and its target has not yet started or been resolved. */
  readonly passing: boolean;
  readonly dim?: boolean;
}

/** How everything looks. */
export interface Looks {
  box(box: Box): BoxLook;
  line(line: Line): LineLook;
}

const IDLE: BoxLook = { look: "idle", note: word("idle") };
const OPEN: LineLook = { state: "open", passing: false };

/** A run at one moment. */
export class RunLooks implements Looks {
  readonly #state: RunState;
  readonly #nodes = new Map<string, NodeView>();
  readonly #entering = new Map<string, EdgeView[]>();
  readonly #edges = new Map<string, EdgeView>();
  readonly #definition: unknown;

  constructor(state: RunState, definition: unknown) {
    this.#state = state;
    this.#definition = definition;
    for (const node of state.nodes) this.#nodes.set(node.nodeId, node);
    for (const edge of state.edges) {
      this.#edges.set(edge.id, edge);
      const target = text(edge["targetRef"]);
      const entering = this.#entering.get(target);
      if (entering) entering.push(edge);
      else this.#entering.set(target, [edge]);
    }
  }

  /** The node of this id. */
  node(id: string): NodeView | undefined {
    return this.#nodes.get(id);
  }

  box(box: Box): BoxLook {
    if (box.members) return this.#group(box.members);
    const node = this.#nodes.get(box.node);
    return node ? this.look(node) : IDLE;
  }

  /** How a node looks. */
  look(node: NodeView): BoxLook {
    const look = node.state === "PENDING" && this.#isQueued(node.nodeId) ? "queued" : nodeLook(node.state);
    const attempt = Number(node["attempt"]) || 0;
    const progress = node["progress"];
    const [done, total] = [field(progress, "done"), field(progress, "total")];
    const counted = typeof done === "number" && (look === "running" || look === "retrying" || look === "awaiting-input" || typeof total === "number");
    return {
      look,
      note: detail(node, look),
      done: counted ? done : undefined,
      total: counted && typeof total === "number" ? total : undefined,
      unit: text(field(progress, "unit")) || undefined,
      badge: attempt > 1 || look === "retrying" ? `attempt ${look === "retrying" ? attempt + 1 : attempt}` : undefined,
      mark: "attempt",
    };
  }

  line(line: Line): LineLook {
    if (!line.members) return this.#edge(line.id);
    const all = line.members.map((member) => this.#edge(member.id));
    return {
      state: all.some((edge) => edge.state === "fired") ? "fired" : all.every((edge) => edge.state === "dead") ? "dead" : "open",
      passing: all.some((edge) => edge.passing),
    };
  }

  #edge(id: string): LineLook {
    const edge = this.#edges.get(id);
    if (!edge) return OPEN;
    const state = edge.state === "fired" || edge.state === "dead" ? edge.state : "open";
    return { state, passing: state === "fired" && this.#nodes.get(text(edge["targetRef"]))?.state === "PENDING" };
  }

  /** Whether a node that has not started has everything that its join waits for. */
  #isQueued(id: string): boolean {
    if (!["QUEUED", "RUNNING", "AWAITING_INPUT"].includes(this.#state.status)) return false;
    const entering = this.#entering.get(id) ?? [];
    if (entering.length === 0) return true;
    const fired = entering.filter((edge) => edge.state === "fired").length;
    const join = text(field(field(field(this.#definition, "nodes"), id), "joinStrategy")) || "all";
    if (join === "any" || join === "first") return fired > 0;
    if (join === "settled") return entering.every((edge) => edge.state === "fired" || edge.state === "dead");
    if (join.startsWith("quorum:")) return fired >= Number(join.slice(7));
    return fired === entering.length;
  }

  #group(members: readonly Box[]): BoxLook {
    const looks = members.map((member) => this.box(member).look);
    const order: readonly Look[] = ["failed", "awaiting-input", "retrying", "running", "queued"];
    const ended = looks.filter((look) => look === "success" || look === "failed" || look === "skipped" || look === "cancelled").length;
    let look = order.find((look) => looks.includes(look));
    if (!look) {
      look = ended < looks.length ? (ended > 0 ? "queued" : "idle")
        : looks.includes("success") ? "success" : looks.includes("cancelled") ? "cancelled" : "skipped";
    }
    return { look, note: word(look), done: ended, total: looks.length, unit: "nodes" };
  }
}

function detail(node: NodeView, look: Look): string {
  const duration = typeof node["durationMs"] === "number" ? ` · ${span(node["durationMs"])}` : "";
  const reason = (name: string) => {
    const said = text(node[name]);
    return said && ` · ${said.replaceAll("-", " ")}`;
  };
  const rest = look === "success" ? (node["reusedFrom"] ? " · taken over" : duration)
    : look === "failed" ? ` · ${text(field(node["error"], "kind")) || "error"}`
    : look === "skipped" ? reason("skipReason")
    : look === "cancelled" ? reason("cancelReason")
    : "";
  return word(look) + rest;
}

/** `89/127`, or `89` where nobody knows how many there are. */
export function progressText(look: BoxLook): string {
  if (look.done === undefined) return "";
  return look.total === undefined ? count(look.done) : `${count(look.done)}/${count(look.total)}`;
}
