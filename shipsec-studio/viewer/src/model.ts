// What the data layer (fold.ts, log.ts, api.ts) gives the views, and nothing else of it.

/** An event as the wire has it: semantics.md, section 2. */
export interface Event {
  readonly id: string;
  readonly runId: string;
  readonly sequence: number;
  /** Also types that this viewer does not know. */
  readonly type: string;
  readonly level: Level;
  readonly timestamp: string;
  readonly nodeId?: string;
  readonly attempt?: number;
  readonly message?: string;
  readonly payload?: Readonly<Record<string, unknown>>;
}

export type Level = "debug" | "info" | "warn" | "error";

export type RunStatus =
  | "QUEUED" | "RUNNING" | "AWAITING_INPUT" | "COMPLETED" | "FAILED"
  | "CANCELLED" | "TIMED_OUT" | "TERMINATED" | "STALE";

/** A state of a node, by the names that the reducer's JSON has. */
export type NodeStateName = string;

/** The reducer's state after an event: the JSON of `GET …/state?at=N`, so that both can be compared. */
export interface RunState {
  readonly sequence: number;
  readonly status: RunStatus;
  readonly nodes: readonly NodeView[];
  readonly edges: readonly EdgeView[];
  readonly artifacts: readonly ArtifactView[];
  readonly counts: NodeCounts;
  readonly logCounts: LogCounts;
  readonly progress: { readonly completedActions: number; readonly totalActions: number };
  /** Of nodes that run once for each, how many items are in which state. */
  readonly items?: Readonly<Record<string, NodeCounts>> | undefined;
  /** Everything else, as the reducer names it. */
  readonly [field: string]: unknown;
}

/** A node, or an item of one (`probe[3]`). What its JSON leaves out is undefined. */
export interface NodeView {
  readonly nodeId: string;
  readonly state: NodeStateName;
  /** The newest attempt, from 1; 0 where none began. */
  readonly attempt: number;
  readonly componentId: string | undefined;
  readonly componentVersion: string | undefined;
  readonly startedAt: string | undefined;
  readonly endedAt: string | undefined;
  readonly durationMs: number | undefined;
  readonly triggeredBy: string | undefined;
  readonly progress: ProgressView | undefined;
  readonly logCounts: LogCounts | undefined;
  /** How many it has stored. */
  readonly artifacts: number;
  /** By port; `kind` is `value`, `reference` or `secret`. */
  readonly outputs: Readonly<Record<string, { readonly kind: string; readonly [field: string]: unknown }>> | undefined;
  readonly activePorts: readonly string[] | undefined;
  readonly reusedFrom: string | undefined;
  readonly error: ErrorView | undefined;
  readonly retryAt: string | undefined;
  readonly handledBy: string | undefined;
  readonly skipReason: string | undefined;
  readonly skipCause: string | undefined;
  readonly cancelReason: string | undefined;
  readonly childRuns: readonly string[] | undefined;
  readonly awaiting: QuestionView | undefined;
  readonly [field: string]: unknown;
}

export interface ProgressView {
  readonly done: number | undefined;
  readonly total: number | undefined;
  readonly unit: string | undefined;
  readonly source: "component" | "tool" | "derived";
  readonly message: string | undefined;
}

export interface ErrorView {
  readonly kind: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly fieldErrors?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly details?: unknown;
}

export interface QuestionView {
  readonly requestId: string;
  readonly kind: string;
  readonly title: string;
  /** JSON Schema of the answer. */
  readonly schema?: unknown;
  readonly timeoutAt?: string | undefined;
}

export interface LogCounts { readonly debug: number; readonly info: number; readonly warn: number; readonly error: number }

export interface NodeCounts {
  readonly pending: number; readonly running: number; readonly retrying: number; readonly awaitingInput: number;
  readonly completed: number; readonly failed: number; readonly skipped: number; readonly cancelled: number;
}

export interface EdgeView { readonly id: string; readonly state: string; readonly [field: string]: unknown }
export interface ArtifactView {
  readonly nodeId: string; readonly attempt: number; readonly storedAt: string; readonly artifactId: string;
  readonly name: string; readonly mediaType: string; readonly size: number; readonly sha256: string; readonly location: string;
}

/** One attempt of a node, for the timeline. Times are milliseconds since 1970. */
export interface Attempt {
  readonly nodeId: string;
  readonly attempt: number;
  readonly started: number;
  readonly startedAt: number; // sequence
  readonly ended?: number;
  readonly endedAt?: number; // sequence
  readonly outcome?: "completed" | "failed" | "cancelled";
}

/** What the console shows of the whole log. */
export interface Filter {
  /** Their items count too. */
  readonly nodes?: ReadonlySet<string>;
  readonly level?: Level;
  /** Of NODE_LOG; whatever is no log line is of the stream `event`. */
  readonly streams?: ReadonlySet<string>;
  /** Part of what an event says, or of a failure's message. Case does not matter. */
  readonly text?: string;
  /** What an event says; its message, where this is not given. */
  readonly says?: (event: Event) => string;
  /** Only events up to this one. */
  readonly upTo?: number;
}

export type Connection = "loading" | "live" | "lost" | "ended";

/** The log of one run in the browser: grows while the run goes on, and knows every moment of it. */
export interface RunLog {
  readonly runId: string;
  readonly connection: Connection;
  /** Why it is lost, for people. */
  readonly trouble: string | undefined;
  /** Sequence number of the last event; 0 before the first. */
  readonly last: number;
  /** The state after event `sequence`: frozen, cheap (key frames), and the same object for the same sequence while it is current. */
  stateAt(sequence: number): RunState;
  event(sequence: number): Event | undefined;
  /** The items of a node that runs once for each, as far as they have begun, after event `sequence`. */
  itemsAt(sequence: number, node: string): readonly NodeView[];
  /** Milliseconds since 1970 of an event: the latest time that any event so far has told. */
  timeOf(sequence: number): number;
  /** The last event at or before a time; 0 before the first. */
  sequenceAt(time: number): number;
  /** Sequence numbers of the events that change a node's state, ascending; of all nodes without one. */
  changesOf(node?: string): readonly number[];
  attempts(): readonly Attempt[];
  /** Sequence numbers of what fits, ascending. Never blocks the page for more than a few milliseconds: resolves when done. */
  search(filter: Filter, signal: AbortSignal): Promise<Int32Array>;
  /** Called at most once per animation frame after the log has grown or the connection changed. Returns how to stop. */
  onChange(listener: () => void): () => void;
  close(): void;
}
