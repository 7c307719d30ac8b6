// Brings a run's log here: what there is by pages, which is fastest, and then whatever comes. Each
// event is given on once and in its order, whatever the connection does.

import type { Connection, Event } from "./model.ts";
import { microsOf } from "./payload.ts";
import { messages } from "./sse.ts";

export interface Source {
  /** Events after this one. */
  trace(after: number, limit: number, signal: AbortSignal): Promise<{ readonly events: readonly unknown[]; readonly done: boolean }>;
  /** The stream of events after this one. */
  stream(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

export interface Sink {
  readonly runId: string;
  /** Sequence number of the last event that it has. */
  readonly last: number;
  /** Takes the next events: they follow one another, and the last one that it has. */
  take(events: readonly Event[]): Promise<void>;
  connect(connection: Connection, trouble?: string): void;
}

/** Times in milliseconds. */
export interface Timing {
  readonly firstWait: number;
  readonly longestWait: number;
  /** A stream that says nothing for so long, not even that it is alive, is given up. */
  readonly silence: number;
}

const PAGE = 10_000;
const TIMING: Timing = { firstWait: 250, longestWait: 15_000, silence: 60_000 };

/** Goes on until the run has ended, the server refuses, or the signal says stop; never throws. */
export async function follow(source: Source, sink: Sink, signal: AbortSignal, timing = TIMING): Promise<void> {
  for (let failures = 0; ; failures++) {
    const [before, since] = [sink.last, Date.now()];
    let trouble = "the server closed the connection";
    let refused = false;
    try {
      await catchUp(source, sink, signal);
      if (await live(source, sink, signal, timing)) return sink.connect("ended");
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
      const { status } = error as { status?: unknown };
      refused = status === 401 || status === 403;
    }
    if (signal.aborted) return;
    sink.connect("lost", trouble);
    // Asking again would ask somebody for a token again, who has just given none.
    if (refused) return;
    // A stream that lasted, or brought something, was no failure.
    if (sink.last > before || Date.now() - since > timing.silence / 2) failures = 0;
    const most = Math.min(timing.firstWait * 2 ** failures, timing.longestWait);
    // Viewers that have lost one server do not all come back at once.
    await pause(most * (0.5 + Math.random() / 2), signal);
    if (signal.aborted) return;
  }
}

/** Reads by pages until there is no more. */
async function catchUp(source: Source, sink: Sink, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { events, done } = await source.trace(sink.last, PAGE, signal);
    const next: Event[] = [];
    let fits = true;
    for (const event of events) {
      const expected = sink.last + next.length + 1;
      if (isEvent(event, sink.runId) && event.sequence === expected) next.push(event);
      else if (!(isEvent(event, sink.runId) && event.sequence < expected)) {
        fits = false;
        break;
      }
    }
    await sink.take(next);
    signal.throwIfAborted();
    if (!fits) throw new Error(`the server did not give event ${sink.last + 1}`);
    if (done || next.length === 0) return;
  }
}

/** Reads the stream until it ends; whether the run has. */
async function live(source: Source, sink: Sink, signal: AbortSignal, timing: Timing): Promise<boolean> {
  const stop = new AbortController();
  const abort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", abort);
  let watch: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(watch);
    watch = setTimeout(() => stop.abort(new Error("the server has fallen silent")), timing.silence);
  };
  try {
    heard();
    const body = await source.stream(sink.last, stop.signal);
    sink.connect("live");
    for await (const batch of messages(body)) {
      heard();
      const next: Event[] = [];
      let missing = false;
      let end: number | undefined;
      for (const { event: name, data } of batch) {
        const message = parse(data);
        if (name === "end") {
          const { sequence } = (message ?? {}) as { sequence?: unknown };
          end = typeof sequence === "number" ? sequence : sink.last + next.length;
          break;
        }
        const expected = sink.last + next.length + 1;
        if (!isEvent(message, sink.runId) || message.sequence > expected) missing = true;
        else if (message.sequence === expected) next.push(message);
      }
      await sink.take(next);
      // What came broken, or not at all, is read again.
      if (missing || (end !== undefined && end > sink.last)) await catchUp(source, sink, stop.signal);
      stop.signal.throwIfAborted();
      if (end !== undefined) return true;
    }
    return false;
  } finally {
    clearTimeout(watch);
    signal.removeEventListener("abort", abort);
    stop.abort();
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** Whether it is an event of this run that the fold can take. */
function isEvent(event: unknown, runId: string): event is Event {
  if (typeof event !== "object" || event === null) return false;
  const { sequence, type, timestamp, level, runId: run } = event as Partial<Record<string, unknown>>;
  return run === runId && typeof type === "string" && typeof level === "string" && Number.isInteger(sequence)
    && typeof timestamp === "string" && !Number.isNaN(microsOf(timestamp));
}

function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", go);
      resolve();
    };
    const timer = setTimeout(go, millis);
    signal.addEventListener("abort", go);
  });
}
