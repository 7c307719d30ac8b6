import assert from "node:assert/strict";
import { test } from "node:test";
import { Fold } from "../src/fold.ts";
import { microsOf, normalTime } from "../src/payload.ts";
import { canonical, digest, golden } from "./golden.ts";

test("there are golden logs", () => assert.ok(golden.length > 10));

for (const [name, { events, digests, states }] of golden) {
  test(`the states of ${name} are those of the reducer`, () => {
    const fold = new Fold(events[0]!.runId);
    for (let n = 0; n <= events.length; n++) {
      if (n > 0) assert.ok(fold.apply(events[n - 1]!));
      const text = canonical(fold.state());
      if (states[n] !== undefined) assert.equal(text, canonical(states[n]), `after event ${n}`);
      assert.equal(digest(text), digests[n], `after event ${n}: ${JSON.stringify(events[n - 1])}`);
    }
  });

  test(`a copy of ${name} keeps its moment and goes its own way`, () => {
    const fold = new Fold(events[0]!.runId);
    const kept = [fold.clone()];
    const texts = [canonical(fold.state())];
    for (const event of events) {
      fold.apply(event);
      kept.push(fold.clone());
      texts.push(canonical(fold.state()));
    }
    kept.forEach((copy, n) => {
      assert.equal(canonical(copy.state()), texts[n]);
      // What goes on from a copy is what goes on from the start.
      for (const event of events.slice(n)) assert.ok(copy.apply(event));
      assert.equal(canonical(copy.state()), texts.at(-1));
      assert.equal(canonical(kept[n + 1]?.state()), texts[n + 1]);
    });
  });
}

test("what is not the next event changes nothing", () => {
  const [, { events }] = golden[0]!;
  const [first, second, third] = events;
  const fold = new Fold(first!.runId);
  assert.equal(fold.apply(second!), false);
  assert.equal(fold.apply({ ...first!, runId: "other" }), false);
  assert.ok(fold.apply(first!));
  const state = fold.state();
  assert.equal(fold.apply(first!), false);
  assert.equal(fold.apply(third!), false);
  assert.equal(fold.state(), state);
  assert.ok(Object.isFrozen(state) && Object.isFrozen(state.nodes));
});

test("what did not change is shared", () => {
  const [, { events }] = golden.find(([name]) => name === "executed")!;
  const fold = new Fold(events[0]!.runId);
  for (const event of events) {
    const before = fold.state();
    fold.apply(event);
    fold.state().nodes.forEach((node, at) => {
      const same = node === before.nodes[at];
      assert.ok(same || event.nodeId?.startsWith(node.nodeId) || event.type === "WORKFLOW_STATUS");
    });
  }
});

test("times have microseconds and an offset", () => {
  assert.equal(microsOf("1970-01-01T00:00:01.000002Z"), 1_000_002);
  assert.equal(normalTime("2025-10-16T11:12:03.1234567+02:00"), "2025-10-16T09:12:03.123456Z");
  assert.equal(normalTime("2025-10-16 09:12:03z"), "2025-10-16T09:12:03.000000Z");
  assert.equal(normalTime("1969-12-31T23:59:59.999999Z"), "1969-12-31T23:59:59.999999Z");
  for (const bad of ["", "x", "2025-10-16", "2025-13-16T00:00:00Z", "123"]) assert.equal(normalTime(bad), undefined);
});
