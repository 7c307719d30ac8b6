// The reducer's twin: what a run's log says up to some event. Its states are, but for the order of
// keys, the JSON that `RunView` of shipsec-core writes after the same events; test/golden holds both
// to it. Whatever looks odd here is a rule of `shipsec-core/src/run`.

import type { ArtifactView, EdgeView, Event, LogCounts, NodeCounts, NodeView, RunState, RunStatus } from "./model.ts";
import { isWritten, microsOf, normalTime, readPayload } from "./payload.ts";
import type { Definition, EdgeDefinition, Fields, Known, Outputs, Status } from "./payload.ts";

/** How far ahead of the others an item may begin. */
const AHEAD = 64 * 1024;

/** Nodes and runs in these states have ended. */
const FINAL = new Set(["COMPLETED", "FAILED", "SKIPPED", "CANCELLED", "TIMED_OUT", "TERMINATED"]);

export const isFinal = (state: string): boolean => FINAL.has(state);

const COUNT = {
  PENDING: "pending",
  RUNNING: "running",
  RETRYING: "retrying",
  AWAITING_INPUT: "awaitingInput",
  COMPLETED: "completed",
  FAILED: "failed",
  SKIPPED: "skipped",
  CANCELLED: "cancelled",
} as const;

const NO_NODES: NodeCounts = {
  pending: 0, running: 0, retrying: 0, awaitingInput: 0, completed: 0, failed: 0, skipped: 0, cancelled: 0,
};
const NO_LINES: LogCounts = { debug: 0, info: 0, warn: 0, error: 0 };

const counted = (counts: NodeCounts, state: string, by: number): NodeCounts => {
  const key = COUNT[state as keyof typeof COUNT];
  return { ...counts, [key]: counts[key] + by };
};

/** A level that is not known counts as `info`. */
const counting = (counts: LogCounts | undefined, level: string): LogCounts => {
  const { debug, info, warn, error } = counts ?? NO_LINES;
  return {
    debug: debug + Number(level === "debug"),
    info: info + Number(level !== "debug" && level !== "warn" && level !== "error"),
    warn: warn + Number(level === "warn"),
    error: error + Number(level === "error"),
  };
};

/**
 * A list that copies share until one of them writes: a key frame costs what changes after it, and a
 * state can give its list away.
 */
class Shared<T> {
  private lent = false;
  constructor(public list: readonly T[] = []) {}

  lend(): this {
    this.lent = true;
    return this;
  }

  /** This list, or its copy: what may be written to. */
  own(): Shared<T> {
    return this.lent ? new Shared(this.list.slice()) : this;
  }

  set(at: number, item: T): void {
    (this.list as T[])[at] = item;
  }
}

/** The items of a node that runs once for each, by index. */
interface Items {
  nodes: Shared<NodeView>;
  counts: NodeCounts;
}

/** The planned nodes and edges; never changes. */
interface Plan {
  readonly definition: Definition;
  readonly places: ReadonlyMap<string, number>;
  /** The edges that leave each place. */
  readonly leaving: readonly (readonly number[])[];
}

/** Told of each change of a node's state or attempt; `item` where it is an item of a node. */
export type Changed = (before: NodeView, after: NodeView, item: boolean) => void;

export class Fold {
  sequence = 0;
  private status: RunStatus = "STALE";
  private workflowId: string | undefined;
  private workflowVersion: string | undefined;
  private inputs: Fields<unknown> | undefined;
  private trigger: Status["trigger"];
  private parent: Status["parent"];
  private stopping: Status["stopping"];
  private executor: string | undefined;
  private taskQueue: string | undefined;
  private startedAt: string | undefined;
  private updatedAt: string | undefined;
  private completedAt: string | undefined;
  private failure: Status["failure"];
  private counts = NO_NODES;
  private logCounts = NO_LINES;
  private lateEvents = 0;
  private unknownEvents = 0;
  private plan: Plan | undefined;
  private nodes = new Shared<NodeView>();
  private edges = new Shared<EdgeView>();
  private artifacts = new Shared<ArtifactView>();
  private items = new Map<number, Items>();
  private unplanned = new Map<string, number>();
  private unplannedLent = false;
  private current: RunState | undefined;

  constructor(readonly runId: string, private readonly changed?: Changed) {}

  /** A copy that goes its own way, and tells nobody of changes. */
  clone(): Fold {
    for (const list of [this.nodes, this.edges, this.artifacts]) list.lend();
    for (const items of this.items.values()) items.nodes.lend();
    this.unplannedLent = true;
    const items = new Map([...this.items].map(([place, items]) => [place, { ...items }]));
    return Object.assign(new Fold(this.runId), this, { changed: undefined, items });
  }

  /** The definition, once the log tells it. */
  get planned(): Definition | undefined {
    return this.plan?.definition;
  }

  /** How many places of lists it does not share with `before`, from which it has grown. */
  cellsBeside(before: Fold): number {
    let cells = 64;
    for (const list of ["nodes", "edges", "artifacts"] as const) {
      if (this[list].list !== before[list].list) cells += this[list].list.length;
    }
    for (const [place, { nodes }] of this.items) {
      if (nodes.list !== before.items.get(place)?.nodes.list) cells += nodes.list.length;
    }
    return this.unplanned === before.unplanned ? cells : cells + 4 * this.unplanned.size;
  }

  /** The items of a node that runs once for each, as far as they have begun. */
  itemsOf(node: string): readonly NodeView[] {
    const place = this.find(node);
    return (place !== undefined && this.items.get(place)?.nodes.lend().list) || [];
  }

  /** The state now: the same object until the next event. */
  state(): RunState {
    return (this.current ??= Object.freeze({
      sequence: this.sequence,
      runId: this.runId,
      workflowId: this.workflowId ?? null,
      workflowVersion: this.workflowVersion ?? null,
      status: this.status,
      startedAt: this.startedAt ?? null,
      updatedAt: this.updatedAt ?? null,
      completedAt: this.completedAt,
      progress: { completedActions: this.finished(), totalActions: this.nodes.list.length },
      failure: this.failure,
      trigger: this.trigger ?? { type: "manual", label: undefined },
      parent: this.parent,
      executor: this.executor ?? null,
      taskQueue: this.taskQueue,
      stopping: this.stopping,
      inputs: this.inputs,
      counts: this.counts,
      items: this.items.size > 0 ? this.itemCounts() : undefined,
      logCounts: this.logCounts,
      lateEvents: this.lateEvents,
      unknownEvents: this.unknownEvents,
      nodes: Object.freeze(this.nodes.lend().list),
      edges: Object.freeze(this.edges.lend().list),
      artifacts: Object.freeze(this.artifacts.lend().list),
    }));
  }

  /** Takes the next event. What is not the next one changes nothing, and gives `false`. */
  apply(event: Event): boolean {
    if (event.runId !== this.runId || event.sequence !== this.sequence + 1) return false;
    this.current = undefined;
    this.sequence = event.sequence;
    const at = isWritten(event.timestamp) ? event.timestamp : normalTime(event.timestamp) ?? event.timestamp;
    this.startedAt ??= at;
    this.updatedAt = at;
    const known = readPayload(event.type, event.payload);
    if (known?.type === "NODE_LOG") this.logCounts = counting(this.logCounts, event.level);
    let inTime: boolean;
    if (known === undefined) {
      this.unknownEvents++;
      inTime = true;
    } else if (known.type === "WORKFLOW_STATUS") {
      inTime = this.applyStatus(known.payload, at);
    } else if (typeof event.nodeId === "string") {
      inTime = this.applyNode(event.nodeId, event, known, at);
    } else {
      // A line of the run's own log; nothing else can be without a node.
      inTime = known.type === "NODE_LOG";
    }
    if (!inTime) this.lateEvents++;
    return true;
  }

  private finished(): number {
    const { completed, failed, skipped, cancelled } = this.counts;
    return completed + failed + skipped + cancelled;
  }

  private itemCounts(): Fields<NodeCounts> {
    const counts: Record<string, NodeCounts> = Object.create(null);
    for (const [place, items] of this.items) counts[this.nodes.list[place]!.nodeId] = items.counts;
    return counts;
  }

  private applyNode(id: string, event: Event, known: Known, at: string): boolean {
    const attempt = event.attempt ?? 0;
    if (known.type === "NODE_ARTIFACT") {
      this.artifacts = this.artifacts.own();
      this.artifacts.set(this.artifacts.list.length, { nodeId: id, attempt, storedAt: at, ...known.payload });
    }
    const item = this.item(id);
    if (item !== undefined) {
      const [place, index] = item;
      const closed = isFinal(this.status) || isFinal(this.nodes.list[place]!.state);
      let items = this.items.get(place);
      if (items === undefined) this.items.set(place, (items = { nodes: new Shared(), counts: NO_NODES }));
      // An item of a node that has ended is late whatever it says.
      if (closed && items.nodes.list[index] === undefined) return false;
      if (index <= items.nodes.list.length + AHEAD) {
        items.nodes = items.nodes.own();
        const node = id.slice(0, id.lastIndexOf("["));
        while (items.nodes.list.length <= index) {
          items.counts = counted(items.counts, "PENDING", 1);
          items.nodes.set(items.nodes.list.length, emptyNode(`${node}[${items.nodes.list.length}]`));
        }
        return this.changeItem(items, index, (item) => step(item, event, known, at)) && !closed;
      }
    }
    return this.change(this.place(id, at), (node) => step(node, event, known, at));
  }

  /** The place of the node and the index, where it is an item of a planned node. */
  private item(id: string): [number, number] | undefined {
    if (this.plan === undefined || !id.endsWith("]") || this.plan.places.has(id)) return undefined;
    // As it is written: without a sign, and without zeros before it.
    const [, node, index] = /^(.*)\[(0|[1-9]\d{0,9})\]$/s.exec(id) ?? [];
    const place = node === undefined ? undefined : this.plan.places.get(node);
    if (place === undefined || Number(index) >= 2 ** 32) return undefined;
    return this.plan.definition.actions[place]?.forEach === undefined ? undefined : [place, Number(index)];
  }

  private changeItem(items: Items, index: number, change: (item: NodeView) => Step): boolean {
    const before = items.nodes.list[index]!;
    const [after, inTime] = change(before);
    items.nodes.set(index, after);
    if (before.state !== after.state) {
      items.counts = counted(counted(items.counts, before.state, -1), after.state, 1);
    }
    this.tell(before, after, true);
    return inTime;
  }

  private tell(before: NodeView, after: NodeView, item: boolean): void {
    if (this.changed && (before.state !== after.state || before.attempt !== after.attempt)) {
      this.changed(before, after, item);
    }
  }

  private applyStatus(payload: Status, at: string): boolean {
    const { status } = payload;
    // A final status is final, nothing goes back into the queue, and only readers say stale.
    if (isFinal(this.status) || status === "STALE" || (status === "QUEUED" && this.status !== "STALE")) return false;
    if (this.plan === undefined && payload.definition !== undefined) this.take(payload.definition);
    this.workflowId ??= payload.workflowId;
    this.workflowVersion ??= payload.definitionHash;
    this.inputs ??= payload.inputs;
    this.trigger ??= payload.trigger;
    this.parent ??= payload.parent;
    // Another executor may take a run over.
    this.executor = payload.executor ?? this.executor;
    this.taskQueue = payload.taskQueue ?? this.taskQueue;
    this.stopping = isFinal(status) ? undefined : payload.stopping ?? this.stopping;
    this.status = status;
    if (isFinal(status)) this.end(payload, at);
    return true;
  }

  private end(payload: Status, at: string): void {
    this.completedAt = at;
    this.failure = payload.failure;
    for (const items of this.items.values()) {
      items.nodes = items.nodes.own();
      items.nodes.list.forEach(({ state }, index) => {
        if (!isFinal(state) && state !== "PENDING") this.changeItem(items, index, (item) => [endedWithRun(item, at), true]);
      });
    }
    for (let place = 0; this.finished() < this.nodes.list.length && place < this.nodes.list.length; place++) {
      if (!isFinal(this.nodes.list[place]!.state)) this.change(place, (node) => [endedWithRun(node, at), true]);
    }
  }

  /** Lets `change` change a node, and draws the consequences. */
  private change(place: number, change: (node: NodeView) => Step): boolean {
    const before = this.nodes.list[place]!;
    const [after, inTime] = change(before);
    if (after === before) return inTime;
    this.nodes = this.nodes.own();
    this.nodes.set(place, after);
    if (before.state !== after.state) {
      this.counts = counted(counted(this.counts, before.state, -1), after.state, 1);
      if (isFinal(after.state)) this.resolve(place);
    }
    this.tell(before, after, false);
    return inTime;
  }

  /** Resolves the edges that leave a node which has ended. */
  private resolve(place: number): void {
    const leaving = this.plan?.leaving[place] ?? [];
    const node = this.nodes.list[place]!;
    if (leaving.length > 0) this.edges = this.edges.own();
    for (const at of leaving) {
      const edge = this.plan!.definition.edges[at]!;
      this.edges.set(at, { ...edge, state: fires(edge, node) ? "fired" : "dead" });
    }
  }

  /** Takes the definition: each of its nodes is there from now on, in its order. */
  private take(definition: Definition): void {
    const places = new Map<string, number>();
    const ids = [...definition.actions.map((action) => action.ref), ...Object.keys(definition.nodes).sort(byBytes)];
    for (const id of ids) if (!places.has(id)) places.set(id, places.size);
    const leaving: number[][] = Array.from(places, () => []);
    definition.edges.forEach((edge, at) => leaving[places.get(edge.sourceRef) ?? -1]?.push(at));

    const seen = this.nodes.list;
    const nodes = Array.from(places.keys(), (id, at) => {
      const node = seen[this.unplanned.get(id) ?? -1] ?? emptyNode(id);
      const action = definition.actions[at];
      if (action?.ref !== id || node.componentId !== undefined) return node;
      return { ...node, componentId: action.componentId, componentVersion: action.componentVersion };
    });
    this.unplanned = new Map();
    this.unplannedLent = false;
    for (const node of seen.filter((node) => !places.has(node.nodeId))) {
      this.unplanned.set(node.nodeId, nodes.length);
      nodes.push(node);
    }
    this.nodes = new Shared(nodes);
    this.edges = new Shared(definition.edges.map((edge) => ({ ...edge, state: "open" })));
    this.plan = { definition, places, leaving };
    this.counts = NO_NODES;
    nodes.forEach(({ state }, place) => {
      this.counts = counted(this.counts, state, 1);
      if (isFinal(state)) this.resolve(place);
    });
  }

  private find(id: string): number | undefined {
    return this.plan?.places.get(id) ?? this.unplanned.get(id);
  }

  /** The place of a node, which it gets now if it has none. */
  private place(id: string, at: string): number {
    const known = this.find(id);
    if (known !== undefined) return known;
    const place = this.nodes.list.length;
    const before = emptyNode(id);
    const node = isFinal(this.status) ? endedWithRun(before, at) : before;
    this.nodes = this.nodes.own();
    this.nodes.set(place, node);
    this.counts = counted(this.counts, node.state, 1);
    if (this.unplannedLent) this.unplanned = new Map(this.unplanned);
    this.unplannedLent = false;
    this.unplanned.set(id, place);
    this.tell(before, node, false);
    return place;
  }
}

/** A node after an event, and whether the event came in time. */
type Step = readonly [NodeView, boolean];

/** A node to which nothing has happened. All nodes have the same fields, which keeps copies fast. */
function emptyNode(nodeId: string): NodeView {
  return {
    nodeId,
    state: "PENDING",
    attempt: 0,
    componentId: undefined,
    componentVersion: undefined,
    startedAt: undefined,
    endedAt: undefined,
    durationMs: undefined,
    triggeredBy: undefined,
    progress: undefined,
    logCounts: undefined,
    artifacts: 0,
    outputs: undefined,
    activePorts: undefined,
    reusedFrom: undefined,
    error: undefined,
    retryAt: undefined,
    handledBy: undefined,
    skipReason: undefined,
    skipCause: undefined,
    cancelReason: undefined,
    childRuns: undefined,
    awaiting: undefined,
  };
}

/** What an event makes of its node. */
function step(node: NodeView, event: Event, known: Known, at: string): Step {
  // Attempt 0 is the node as a whole.
  const attempt = event.attempt || node.attempt;
  const inTime = !isFinal(node.state) && attempt >= node.attempt;
  const runs = (node.state === "RUNNING" || node.state === "AWAITING_INPUT") && attempt === node.attempt;
  const late: Step = [node, false];
  if (known.type === "NODE_LOG") return [{ ...node, logCounts: counting(node.logCounts, event.level) }, inTime];
  if (known.type === "NODE_ARTIFACT") return [{ ...node, artifacts: Math.min(node.artifacts + 1, 2 ** 32 - 1) }, inTime];
  if (known.type === "NODE_PROGRESS") {
    const { done, total, unit, source } = known.payload;
    // A warning about the node's inputs, not about how far it is.
    if ((event.level === "warn" || event.level === "error") && done === undefined && total === undefined) {
      return [{ ...node, logCounts: counting(node.logCounts, event.level) }, inTime];
    }
    if (!inTime || !runs) return late;
    // Who goes on working waits no longer.
    const progress = { done, total, unit, source, message: event.message ?? undefined };
    return [{ ...node, state: "RUNNING", awaiting: undefined, progress }, true];
  }
  if (!inTime) return late;
  switch (known.type) {
    case "NODE_STARTED": {
      const { componentId, componentVersion, triggeredBy = node.triggeredBy } = known.payload;
      const started = Math.max(attempt, 1);
      if (started === node.attempt) return late;
      return [{
        ...node,
        attempt: started,
        state: "RUNNING",
        componentId,
        componentVersion,
        triggeredBy,
        startedAt: at,
        durationMs: undefined,
        progress: undefined,
        retryAt: undefined,
        awaiting: undefined,
      }, true];
    }
    case "NODE_AWAITING_INPUT":
      return runs ? [{ ...node, state: "AWAITING_INPUT", awaiting: known.payload }, true] : late;
    case "NODE_INPUT_RECEIVED":
      if (node.state !== "AWAITING_INPUT" || node.awaiting?.requestId !== known.payload.requestId) return late;
      return [{ ...node, state: "RUNNING", awaiting: undefined }, true];
    case "NODE_CHILD_STARTED": {
      // A later attempt may go on with the same run.
      const others = (node.childRuns ?? []).filter((run) => run !== known.payload.runId);
      return [{ ...node, childRuns: [...others, known.payload.runId] }, true];
    }
    case "NODE_COMPLETED": {
      // The attempt has ended; only another one goes on.
      if (node.state === "RETRYING" && attempt === node.attempt) return late;
      const { durationMs, activePorts, reusedFrom } = known.payload;
      return [{
        ...ended(node, "COMPLETED", attempt, at),
        durationMs: took(node, durationMs, at),
        outputs: ports(known.payload),
        activePorts,
        reusedFrom,
        error: undefined,
      }, true];
    }
    case "NODE_FAILED": {
      if (node.state === "RETRYING" && attempt === node.attempt) return late;
      const { willRetry, retryAt, handledBy, error } = known.payload;
      const durationMs = took(node, known.payload.durationMs, at);
      if (willRetry) return [{ ...node, state: "RETRYING", attempt, retryAt, awaiting: undefined, durationMs, error }, true];
      return [{ ...ended(node, "FAILED", attempt, at), handledBy, durationMs, error }, true];
    }
    case "NODE_SKIPPED": {
      if (node.state !== "PENDING") return late;
      const { reason, cause } = known.payload;
      return [{ ...ended(node, "SKIPPED", attempt, at), skipReason: reason, skipCause: cause }, true];
    }
    case "NODE_CANCELLED":
      return [cancelled(node, attempt, known.payload.reason, at), true];
    case "WORKFLOW_STATUS":
      return [node, true];
  }
}

function ended(node: NodeView, state: string, attempt: number, at: string): NodeView {
  return { ...node, state, attempt, endedAt: at, retryAt: undefined, awaiting: undefined };
}

function cancelled(node: NodeView, attempt: number, reason: string, at: string): NodeView {
  // Between two attempts the failed one has told already.
  const durationMs = node.state === "RETRYING" ? node.durationMs : took(node, undefined, at);
  return { ...ended(node, "CANCELLED", attempt, at), durationMs, cancelReason: reason };
}

/** The run has ended, and the log does not tell how this node did. */
function endedWithRun(node: NodeView, at: string): NodeView {
  return cancelled(node, node.attempt, "run-ended", at);
}

/** How long the attempt took: what its event says, else the time between its events. */
function took(node: NodeView, said: number | undefined, at: string): number | undefined {
  let millis = said;
  if (millis === undefined) {
    if (node.startedAt === undefined) return undefined;
    const micros = Math.max(microsOf(at) - microsOf(node.startedAt), 0);
    // In the steps in which Rust computes it, for the same last digit.
    millis = (Math.floor(micros / 1e6) + ((micros % 1e6) * 1000) / 1e9) * 1e3;
  }
  // Half a microsecond goes away from zero.
  return (Math.sign(millis) * Math.round(Math.abs(millis) * 1e3)) / 1e3;
}

/** What an edge resolves to once its source has ended. */
function fires(edge: EdgeDefinition, { state, activePorts }: NodeView): boolean {
  if (edge.kind === "finally") return true;
  if (edge.kind === "error") return state === "FAILED";
  return state === "COMPLETED"
    && (edge.sourceHandle === undefined || activePorts === undefined || activePorts.includes(edge.sourceHandle));
}

/** Outputs with values, references and secrets told apart. */
function ports({ outputs, outputRefs, secretOutputs, masked }: Outputs): NonNullable<NodeView["outputs"]> {
  const ports: Record<string, { kind: string; [field: string]: unknown }> = Object.create(null);
  const notes = (port: string) => {
    const notes = masked.filter((note) => note.port === port);
    return notes.length > 0 ? notes : undefined;
  };
  for (const port of Object.keys(outputs)) ports[port] = { kind: "value", value: outputs[port], masked: notes(port) };
  // What a note says goes before what stands in its place.
  for (const port of Object.keys(outputRefs)) ports[port] = { kind: "reference", ...outputRefs[port], masked: notes(port) };
  for (const port of Object.keys(secretOutputs)) ports[port] = { kind: "secret", name: secretOutputs[port] ?? undefined };
  return ports;
}

/** The order of UTF-8: that of JavaScript, but for what lies beyond U+FFFF. */
function byBytes(a: string, b: string): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right) continue;
    const wide = Number((left & 0xf800) === 0xd800) - Number((right & 0xf800) === 0xd800);
    return wide || left - right;
  }
  return a.length - b.length;
}
