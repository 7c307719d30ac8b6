import assert from "node:assert/strict";
import { test } from "node:test";
import { Fold } from "../src/fold.ts";
import { Log } from "../src/log.ts";
import type { Event } from "../src/model.ts";
import { canonical, dice, digest, golden } from "./golden.ts";
import { largeLog } from "./logs.ts";

const copy = (events: readonly Event[]): Event[] => structuredClone(events) as Event[];
const never = new AbortController().signal;

async function logOf(events: readonly Event[]): Promise<Log> {
  const log = new Log(events[0]?.runId ?? "r");
  await log.take(copy(events));
  return log;
}

for (const [name, { events, digests }] of golden) {
  test(`every moment of ${name} can be looked at, in any order`, async () => {
    const log = await logOf(events);
    const random = dice(1);
    for (let round = 0; round < 3 * events.length; round++) {
      const n = Math.floor(random() * (events.length + 1));
      assert.equal(digest(canonical(log.stateAt(n))), digests[n], `at ${n}`);
    }
  });

  test(`changes and attempts of ${name} are those that its states show`, async () => {
    const log = await logOf(events);
    const changes = new Map<string, number[]>();
    const all = new Set<number>();
    for (let n = 1; n <= events.length; n++) {
      const before = new Map(log.stateAt(n - 1).nodes.map((node) => [node.nodeId, node]));
      for (const { nodeId, state, attempt } of log.stateAt(n).nodes) {
        const was = before.get(nodeId) ?? { state: "PENDING", attempt: 0 };
        if (was.state === state && was.attempt === attempt) continue;
        changes.set(nodeId, [...(changes.get(nodeId) ?? []), n]);
        all.add(n);
      }
    }
    for (const { nodeId } of log.stateAt(events.length).nodes) {
      // Before the plan is known it may be a node, and an item afterwards.
      if (nodeId.endsWith("]")) continue;
      assert.deepEqual(log.changesOf(nodeId), changes.get(nodeId) ?? [], nodeId);
    }
    assert.ok([...all].every((n) => log.changesOf().includes(n)));
    for (const bar of log.attempts()) {
      const node = log.stateAt(bar.startedAt).nodes.find(({ nodeId }) => nodeId === bar.nodeId);
      assert.ok(node?.attempt === bar.attempt && bar.attempt > 0);
      assert.equal(bar.started, log.timeOf(bar.startedAt));
      assert.equal(bar.ended, bar.endedAt && log.timeOf(bar.endedAt));
    }
  });
}

test("it grows while somebody looks back, and says so once a frame", async () => {
  const [, { events, digests }] = golden.find(([name]) => name === "executed")!;
  const log = new Log(events[0]!.runId);
  let told = 0;
  const stop = log.onChange(() => told++);
  for (const [at, event] of copy(events).entries()) {
    await log.take([event]);
    const looked = Math.floor(at / 2);
    assert.equal(digest(canonical(log.stateAt(looked))), digests[looked]);
    const state = log.stateAt(at + 1);
    assert.equal(digest(canonical(state)), digests[at + 1]);
    assert.equal(log.stateAt(at + 1), state);
  }
  assert.equal(told, 0);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(told, 1);
  stop();
  log.connect("ended");
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(told, 1);
  assert.equal(log.stateAt(1e9).sequence, events.length);
  assert.equal(log.stateAt(-1).sequence, 0);
});

test("what is there already, or not next, is not taken", async () => {
  const [, { events }] = golden[0]!;
  const log = await logOf(events.slice(0, 5));
  await log.take(copy([...events.slice(2, 5), ...events.slice(7, 9)]));
  assert.equal(log.last, 5);
});

test("time never runs backwards", async () => {
  const at = (sequence: number, second: number) =>
    ({ id: `r:${sequence}`, runId: "r", sequence, type: "NODE_LOG", level: "info", timestamp: `2025-10-16T09:12:0${second}.000500Z`, payload: {} }) as const;
  const log = await logOf([at(1, 3), at(2, 1), at(3, 5), at(4, 5)]);
  const start = Date.UTC(2025, 9, 16, 9, 12, 3) + 0.5;
  assert.deepEqual([0, 1, 2, 3, 4, 9].map((n) => log.timeOf(n) - start), [0, 0, 0, 2000, 2000, 2000]);
  assert.deepEqual([-1, 0, 1999, 2000, 1e9].map((t) => log.sequenceAt(start + t)), [0, 2, 2, 4, 4]);
  assert.equal(new Log("r").timeOf(0), 0);
  assert.equal(new Log("r").sequenceAt(1), 0);
});

test("items are shown at their moment", async () => {
  const [, { events }] = golden.find(([name]) => name === "items")!;
  const log = await logOf(events);
  assert.deepEqual(log.itemsAt(3, "each").map(({ nodeId, state }) => [nodeId, state]), [
    ["each[0]", "PENDING"], ["each[1]", "PENDING"], ["each[2]", "RUNNING"],
  ]);
  assert.deepEqual(log.itemsAt(2, "each"), []);
  assert.deepEqual(log.itemsAt(9, "nobody"), []);
  assert.ok(log.itemsAt(1e9, "each").every(({ state }) => state !== "RUNNING"));
});

test("a search finds what a look at every event finds", async () => {
  const events = largeLog(40, 4000);
  const log = await logOf(events);
  const find = async (filter: Parameters<Log["search"]>[0]) => Array.from(await log.search(filter, never));
  const look = (fits: (event: Event) => boolean) => events.filter(fits).map(({ sequence }) => sequence);
  assert.deepEqual(await find({}), look(() => true));
  assert.deepEqual(await find({ text: "GRÜSSE" }), []);
  assert.deepEqual(await find({ text: "GRÜ" }), look(({ message }) => message?.includes("grü") ?? false));
  assert.deepEqual(await find({ level: "warn", upTo: 1000 }), look(({ level, sequence }) => level === "warn" && sequence <= 1000));
  assert.deepEqual(await find({ nodes: new Set(["node-7"]) }), look(({ nodeId }) => nodeId === "node-7"));
  assert.deepEqual(await find({ streams: new Set(["event"]) }), look(({ type }) => type !== "NODE_LOG"));
  assert.deepEqual(await find({ streams: new Set(["stderr"]) }), look(({ payload }) => payload?.["stream"] === "stderr"));
  await assert.rejects(log.search({}, AbortSignal.abort()), { name: "AbortError" });
});

test("a search finds failures and items", async () => {
  const [, { events }] = golden.find(([name]) => name === "items")!;
  const log = await logOf(events);
  const failed = await log.search({ text: "No Route", nodes: new Set(["each"]) }, never);
  assert.deepEqual(Array.from(failed, (n) => log.event(n)!.nodeId), ["each[0]"]);
});

test("key frames are thinned, and states stay what they are", async () => {
  const events = largeLog(30_000, 130_000);
  const log = await logOf(events);
  assert.ok(log.frameCount < 100, `${log.frameCount} frames`);
  const fold = new Fold("large");
  const moments = new Set([1, 2, 999, 70_001, 123_456, 129_999]);
  for (const event of events) {
    fold.apply(event);
    if (!moments.has(event.sequence)) continue;
    assert.deepEqual(log.stateAt(event.sequence), fold.state());
  }
});
