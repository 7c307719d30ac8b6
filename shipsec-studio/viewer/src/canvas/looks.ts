// How each box and line looks at one moment of a run: nothing but a function of the state, so that
// live and replay cannot differ.

import type { NodeCounts, NodeView, RunState } from "../model.ts";
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
const QUEUED: BoxLook = { look: "queued", note: word("queued") };
const OPEN: LineLook = { state: "open", passing: false };
const FIRED: LineLook = { state: "fired", passing: false };
const PASSING: LineLook = { state: "fired", passing: true };
const DEAD: LineLook = { state: "dead", passing: false };

/** The same object for the same node, so that what has not changed is seen at once. */
const looked = new WeakMap<NodeView, BoxLook>();

/** Where things stand in the lists of a state: the same at every moment of a run. */
interface Places {
  readonly nodes: ReadonlyMap<string, number>;
  readonly edges: ReadonlyMap<string, number>;
  readonly entering: ReadonlyMap<string, readonly number[]>;
}

/** By the definition and the lengths of the lists: while a run is played, it is asked for in every frame. */
const known = new WeakMap<object, { of: string; places: Places }>();

function placesOf(state: RunState, definition: unknown): Places {
  const of = `${state.nodes.length} ${state.edges.length}`;
  const key = typeof definition === "object" && definition !== null ? definition : state;
  const before = known.get(key);
  if (before?.of === of) return before.places;
  const entering = new Map<string, number[]>();
  state.edges.forEach((edge, at) => {
    const target = text(edge["targetRef"]);
    const own = entering.get(target);
    if (own) own.push(at);
    else entering.set(target, [at]);
  });
  const places = {
    nodes: new Map(state.nodes.map((node, at) => [node.nodeId, at])),
    edges: new Map(state.edges.map((edge, at) => [edge.id, at])),
    entering,
  };
  known.set(key, { of, places });
  return places;
}

/** A run at one moment. */
export class RunLooks implements Looks {
  readonly #state: RunState;
  readonly #places: Places;
  readonly #definition: unknown;

  constructor(state: RunState, definition: unknown) {
    this.#state = state;
    this.#definition = definition;
    this.#places = placesOf(state, definition);
  }

  /** The node of this id. */
  node(id: string): NodeView | undefined {
    return this.#state.nodes[this.#places.nodes.get(id) ?? -1];
  }

  box(box: Box): BoxLook {
    if (box.members) return this.#group(box.members);
    const node = this.node(box.node);
    return node ? this.look(node) : IDLE;
  }

  /** How a node looks. */
  look(node: NodeView): BoxLook {
    if (node.state === "PENDING") return this.#isQueued(node.nodeId) ? QUEUED : IDLE;
    const items = this.#state.items?.[node.nodeId];
    if (items) return this.#look(node, items);
    let look = looked.get(node);
    if (!look) looked.set(node, (look = this.#look(node)));
    return look;
  }

  #look(node: NodeView, items?: NodeCounts): BoxLook {
    const look = nodeLook(node.state);
    const attempt = Number(node["attempt"]) || 0;
    const progress = node.progress ?? (items && { done: items.completed + items.failed + items.skipped + items.cancelled, unit: "items" });
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
    const edge = this.#state.edges[this.#places.edges.get(id) ?? -1];
    if (!edge) return OPEN;
    if (edge.state === "dead") return DEAD;
    if (edge.state !== "fired") return OPEN;
    return this.node(text(edge["targetRef"]))?.state === "PENDING" ? PASSING : FIRED;
  }

  /** Whether a node that has not started has everything that its join waits for. */
  #isQueued(id: string): boolean {
    if (!["QUEUED", "RUNNING", "AWAITING_INPUT"].includes(this.#state.status)) return false;
    const entering = this.#places.entering.get(id) ?? [];
    let [fired, open] = [0, 0];
    for (const at of entering) {
      const state = this.#state.edges[at]?.state;
      if (state === "fired") fired += 1;
      else if (state !== "dead") open += 1;
    }
    if (entering.length === 0) return true;
    if (fired === 0 && open > 0) return false;
    const join = text(field(field(field(this.#definition, "nodes"), id), "joinStrategy")) || "all";
    if (join === "any" || join === "first") return fired > 0;
    if (join === "settled") return open === 0;
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
