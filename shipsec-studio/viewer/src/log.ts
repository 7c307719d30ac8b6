// A run's log as one can move in it, while it grows. The state after any event is the nearest key
// frame before it and the few events between them, through the same fold as everywhere.

import { Fold, isFinal } from "./fold.ts";
import { follow, type Sink, type Source } from "./follow.ts";
import type { Attempt, Connection, Event, Filter, NodeView, RunLog, RunState } from "./model.ts";
import { microsOf } from "./payload.ts";

/** Events between two key frames. */
const SPACING = 1000;
/** Places of lists that all frames may hold beside one another; some 32 MB. */
const BUDGET = 4 << 20;
/** Frames that are kept whatever they hold. */
const FEWEST = 8;
/** Milliseconds of work after which the page has its turn; with what a collection of garbage adds, less than 8. */
const SLICE = 4;
/** States that are kept by their sequence number. */
const RECENT = 16;

const LEVELS = ["debug", "info", "warn", "error"];

/** How an attempt ended after which its node is in this state. */
const OUTCOMES: Readonly<Record<string, NonNullable<Attempt["outcome"]>>> = {
  COMPLETED: "completed", FAILED: "failed", RETRYING: "failed", CANCELLED: "cancelled",
};

interface Frame {
  readonly fold: Fold;
  /** Whether it stays when frames are left out: what comes before it is dear to read. */
  readonly stays: boolean;
}

/** Opens the log of a run, and follows it until the run ends or the log is closed. */
export function openLog(source: (runId: string) => Source, runId: string): RunLog {
  const log = new Log(runId);
  void follow(source(runId), log, log.signal);
  return log;
}

export class Log implements RunLog, Sink {
  connection: Connection = "loading";
  trouble: string | undefined;
  private readonly events: Event[] = [];
  /** Milliseconds since 1970, none before the one before it. */
  private times = new Float64Array(1024);
  private readonly head: Fold;
  private frames: Frame[];
  private spacing = SPACING;
  private cells = 0;
  private lastFrame = 0;
  /** Where somebody looked last: looking further from there is cheapest. */
  private cursor: Fold;
  private readonly recent = new Map<number, RunState>();
  private readonly changes = new Map<string, number[]>();
  private readonly allChanges: number[] = [];
  private readonly bars: Attempt[] = [];
  private readonly openBars = new Map<string, number>();
  private shownBars: readonly Attempt[] | undefined;
  private readonly listeners = new Set<() => void>();
  private telling = false;
  private readonly stop = new AbortController();
  /** Text that many events share. */
  private readonly texts = new Map<string, string>();

  constructor(readonly runId: string) {
    this.head = new Fold(runId, (before, after, item) => this.note(before, after, item));
    this.cursor = new Fold(runId);
    this.frames = [{ fold: new Fold(runId), stays: true }];
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  get last(): number {
    return this.head.sequence;
  }

  /** Takes the next events, and lets the page have its turn in between. */
  async take(events: readonly Event[]): Promise<void> {
    let until = performance.now() + SLICE;
    for (let at = 0; at < events.length && !this.signal.aborted; at++) {
      this.push(events[at]!);
      if (at % 32 === 31 && performance.now() > until) {
        this.tell();
        await breathe();
        until = performance.now() + SLICE;
      }
    }
    if (events.length > 0) this.tell();
  }

  connect(connection: Connection, trouble?: string): void {
    this.connection = connection;
    this.trouble = trouble;
    this.tell();
  }

  stateAt(sequence: number): RunState {
    const at = this.clamp(sequence);
    let state = this.recent.get(at);
    if (state === undefined) {
      state = this.foldAt(at).state();
      for (const oldest of this.recent.keys()) {
        if (this.recent.size < RECENT) break;
        this.recent.delete(oldest);
      }
      this.recent.set(at, state);
    }
    return state;
  }

  itemsAt(sequence: number, node: string): readonly NodeView[] {
    return this.foldAt(this.clamp(sequence)).itemsOf(node);
  }

  event(sequence: number): Event | undefined {
    return this.events[sequence - 1];
  }

  timeOf(sequence: number): number {
    return this.last === 0 ? 0 : this.times[Math.max(this.clamp(sequence), 1) - 1]!;
  }

  sequenceAt(time: number): number {
    let [from, to] = [0, this.last];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.times[middle]! <= time) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  changesOf(node?: string): readonly number[] {
    return node === undefined ? this.allChanges : this.changes.get(node) ?? [];
  }

  attempts(): readonly Attempt[] {
    return (this.shownBars ??= this.bars.slice());
  }

  async search(filter: Filter, signal: AbortSignal): Promise<Int32Array> {
    const fits = matcher(filter);
    const last = Math.min(filter.upTo ?? Infinity, this.last);
    const found: number[] = [];
    let until = performance.now() + SLICE;
    // A long message takes as long as several short ones.
    let work = 0;
    for (let at = 0; at < last; at++) {
      const event = this.events[at]!;
      if (fits(event)) found.push(at + 1);
      work += 1 + (event.message?.length ?? 0) / 256;
      if (work < 64) continue;
      work = 0;
      if (performance.now() > until) {
        await breathe();
        signal.throwIfAborted();
        until = performance.now() + SLICE;
      }
    }
    signal.throwIfAborted();
    return Int32Array.from(found);
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  close(): void {
    this.listeners.clear();
    this.stop.abort(new DOMException("the log is closed", "AbortError"));
  }

  /** How many key frames there are. */
  get frameCount(): number {
    return this.frames.length;
  }

  private clamp(sequence: number): number {
    return Math.max(0, Math.min(Math.trunc(sequence) || 0, this.last));
  }

  private push(given: Event): void {
    const at = this.last;
    if (given.sequence !== at + 1) return;
    const event = this.lean(given);
    if (at === this.times.length) {
      const times = new Float64Array(2 * at);
      times.set(this.times);
      this.times = times;
    }
    this.times[at] = Math.max(microsOf(event.timestamp) / 1000, this.times[at - 1] ?? -Infinity);
    this.events.push(event);
    const planned = this.head.planned;
    this.head.apply(event);
    const stays = planned !== this.head.planned;
    if (stays || this.last - this.lastFrame >= this.spacing) this.keep(stays);
  }

  /** The event with text that it shares with others, as most of its text is the same in many. */
  private lean(event: Event): Event {
    const type = this.shared(event.type);
    return event.nodeId == null
      ? Object.assign(event, { runId: this.runId, type })
      : Object.assign(event, { runId: this.runId, type, nodeId: this.shared(event.nodeId) });
  }

  private shared(text: string): string {
    const known = this.texts.get(text);
    if (known === undefined) this.texts.set(text, text);
    return known ?? text;
  }

  private keep(stays: boolean): void {
    this.lastFrame = this.last;
    const fold = this.head.clone();
    this.cells += fold.cellsBeside(this.frames.at(-1)!.fold);
    this.frames.push({ fold, stays });
    while (this.cells > BUDGET && this.frames.length > FEWEST) {
      const before = this.frames.length;
      this.frames = this.frames.filter((frame, at) => frame.stays || at % 2 === 0);
      this.spacing *= 2;
      this.cells = 0;
      this.frames.forEach(({ fold }, at) => {
        if (at > 0) this.cells += fold.cellsBeside(this.frames[at - 1]!.fold);
      });
      if (this.frames.length === before) break;
    }
  }

  private foldAt(sequence: number): Fold {
    if (sequence === this.last) return this.head;
    let [from, to] = [0, this.frames.length - 1];
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.frames[middle]!.fold.sequence <= sequence) from = middle;
      else to = middle - 1;
    }
    const { fold } = this.frames[from]!;
    if (this.cursor.sequence > sequence || this.cursor.sequence < fold.sequence) this.cursor = fold.clone();
    while (this.cursor.sequence < sequence) this.cursor.apply(this.events[this.cursor.sequence]!);
    return this.cursor;
  }

  /** The head is at the event that changes this node. */
  private note(before: NodeView, after: NodeView, item: boolean): void {
    const sequence = this.head.sequence;
    const id = after.nodeId;
    const changes = this.changes.get(id);
    if (changes === undefined) this.changes.set(id, [sequence]);
    else if (changes.at(-1) !== sequence) changes.push(sequence);
    if (this.allChanges.at(-1) !== sequence) this.allChanges.push(sequence);
    if (item) return;

    const time = this.times[sequence - 1]!;
    const ends = isFinal(after.state) || after.state === "RETRYING";
    const open = this.openBars.get(id);
    if (open !== undefined && (ends || after.attempt !== before.attempt)) {
      const ended = { ...this.bars[open]!, ended: time, endedAt: sequence };
      const outcome = OUTCOMES[after.state];
      // Where the next attempt begins at once, the log does not tell how this one ended.
      this.bars[open] = outcome === undefined ? ended : { ...ended, outcome };
      this.openBars.delete(id);
    }
    if (!ends && after.attempt > before.attempt) {
      this.openBars.set(id, this.bars.length);
      this.bars.push({ nodeId: id, attempt: after.attempt, started: time, startedAt: sequence });
    }
    this.shownBars = undefined;
  }

  private tell(): void {
    if (this.telling) return;
    this.telling = true;
    nextFrame(() => {
      this.telling = false;
      for (const listener of [...this.listeners]) {
        try {
          listener();
        } catch (error) {
          // One listener's fault is not the others'.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    });
  }
}

function matcher({ nodes, level, streams, text, says = ({ message = "" }) => message }: Filter): (event: Event) => boolean {
  const least = level === undefined ? 0 : LEVELS.indexOf(level);
  const part = text?.toLowerCase() ?? "";
  const of = (id: string | undefined) => id !== undefined && (nodes!.has(id) || nodes!.has(id.slice(0, Math.max(id.lastIndexOf("["), 0))));
  const has = (words: unknown) => typeof words === "string" && words.toLowerCase().includes(part);
  return (event) => {
    if (nodes !== undefined && !of(event.nodeId)) return false;
    // A level that is not known counts as `info`.
    if (least > 0 && (LEVELS.indexOf(event.level) + 1 || 2) <= least) return false;
    if (streams !== undefined && !streams.has(streamOf(event))) return false;
    return part === "" || has(says(event)) || (event.type !== "NODE_LOG" && has(failureOf(event)));
  };
}

/** `event` for whatever is no log line. */
export function streamOf({ type, payload }: Event): string {
  if (type !== "NODE_LOG") return "event";
  const stream = payload?.["stream"];
  return typeof stream === "string" ? stream : "log";
}

/** What went wrong, in the words of a failed attempt or run. */
export function failureOf({ payload }: Event): string | undefined {
  const { error, failure } = (payload ?? {}) as { error?: { message?: unknown }; failure?: { reason?: unknown } };
  const words = error?.message ?? failure?.reason;
  return typeof words === "string" ? words : undefined;
}

/** Lets the page have its turn. A timer would wait for milliseconds. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

function nextFrame(go: () => void): void {
  if (typeof requestAnimationFrame === "function") requestAnimationFrame(go);
  else setTimeout(go, 16);
}
