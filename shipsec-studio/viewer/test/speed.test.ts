// Measures and prints; a busy machine is not a bug.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Log } from "../src/log.ts";
import type { Event } from "../src/model.ts";
import { dice } from "./golden.ts";
import { largeLog } from "./logs.ts";

const NODES = 1000;
const EVENTS = 100_000;

/** The longest that anything has blocked the thread while `work` went on, in milliseconds. */
async function longestBlock(work: Promise<unknown>): Promise<number> {
  let longest = 0;
  let going = true;
  void work.finally(() => (going = false));
  for (let before = performance.now(); going; ) {
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, performance.now() - before);
    before = performance.now();
  }
  return longest;
}

test(`${EVENTS} events of ${NODES} nodes`, async (t) => {
  const texts = largeLog(NODES, EVENTS).map((event) => JSON.stringify(event));
  const pages = Array.from({ length: EVENTS / 10_000 }, (_, at) => `[${texts.slice(at * 10_000, (at + 1) * 10_000).join()}]`);
  const log = new Log("large");
  let [parsing, taking, block] = [0, 0, 0];
  const memory = process.memoryUsage().heapUsed;
  for (const page of pages) {
    let start = performance.now();
    const events = JSON.parse(page) as Event[];
    parsing += performance.now() - start;
    start = performance.now();
    block = Math.max(block, await longestBlock(log.take(events)));
    taking += performance.now() - start;
  }
  const ms = (millis: number) => `${millis.toFixed(2)} ms`;
  t.diagnostic(`open: ${ms(parsing)} to parse, ${ms(taking)} to fold; longest block ${ms(block)}; ${log.frameCount} key frames`);
  t.diagnostic(`heap: ${((process.memoryUsage().heapUsed - memory) / 2 ** 20).toFixed(0)} MB, not collected`);

  const random = dice(3);
  const seeks = Array.from({ length: 1000 }, () => {
    const to = Math.floor(random() * EVENTS);
    const start = performance.now();
    assert.equal(log.stateAt(to).sequence, to);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  t.diagnostic(`seek: median ${ms(seeks[500]!)}, p95 ${ms(seeks[950]!)}, longest ${ms(seeks[999]!)}`);

  let start = performance.now();
  for (let n = 50_000; n < 51_000; n++) log.stateAt(n);
  t.diagnostic(`playing 1,000 events one by one: ${ms((performance.now() - start) / 1000)} each`);

  start = performance.now();
  const search = log.search({ text: "LINE 77 of", level: "info" }, new AbortController().signal);
  const blocked = await longestBlock(search);
  t.diagnostic(`search: ${(await search).length} found in ${ms(performance.now() - start)}, longest block ${ms(blocked)}`);
});
