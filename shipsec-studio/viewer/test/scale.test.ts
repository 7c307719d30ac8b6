import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunLog } from "../src/model.ts";
import { Moment } from "../src/timeline/moment.ts";
import { Scale } from "../src/timeline/scale.ts";

const T = Date.UTC(2025, 9, 16, 9, 12, 3);

/** A scale of events at these milliseconds, and what brings one more. */
function scaled(pressed: boolean, ...times: number[]): [Scale, (time: number) => void, RunLog] {
  const log = {
    get last() { return times.length; },
    timeOf: (at: number) => T + (times[at - 1] ?? 0),
    sequenceAt: (time: number) => times.filter((one) => T + one <= time).length,
  };
  const scale = new Scale(log as unknown as RunLog, pressed);
  scale.grow();
  return [scale, (time) => {
    times.push(time);
    scale.grow();
  }, log as unknown as RunLog];
}

test("a run that goes on reaches up to now, and no less far than its last event", () => {
  const [scale, add] = scaled(false, 0, 1000);
  assert.equal(scale.whole, 1000);
  scale.reach(T + 5000);
  assert.deepEqual([scale.end, scale.whole], [T + 5000, 5000]);
  assert.equal(scale.pace(500), 10);
  assert.equal(scale.time(3000), T + 3000);
  // What has just come may be younger than this clock.
  add(5200);
  assert.deepEqual([scale.end, scale.whole], [T + 5200, 5200]);
  scale.reach(T + 4000);
  assert.equal(scale.whole, 5200);
  scale.reach(0);
  assert.equal(scale.end, T + 5200);
});

test("idle time up to now is pressed together as any other, and never makes the timeline shorter", () => {
  const [scale, add] = scaled(true, 0, 1000, 6000, 7000);
  assert.equal(scale.whole, 2400);
  let before = scale.whole;
  for (let idle = 0; idle <= 4000; idle += 50) {
    scale.reach(T + 7000 + idle);
    assert.ok(scale.whole >= before, `after ${idle} ms`);
    before = scale.whole;
  }
  assert.equal(before, 2800);
  assert.equal(scale.pace(100), Infinity);
  assert.deepEqual(scale.gaps(), [{ at: 1000, to: 1400, millis: 5000 }, { at: 2400, to: 2800, millis: 4000 }]);
  assert.equal(scale.time(2600), T + 9000);
  // The next event finds the gap as wide as it was, and none that is not one.
  add(11_000);
  assert.equal(scale.whole, 2800);
  assert.equal(scale.gaps().length, 2);
  scale.reach(T + 12_000);
  assert.equal(scale.gaps().length, 2);
  add(12_000);
  assert.equal(scale.whole, 3800);
  scale.pressed = false;
  assert.equal(scale.whole, 12_000);
});

test("a moment between two events keeps its time, whatever becomes of the scale", () => {
  const [scale, add, log] = scaled(false, 0, 1000);
  const moment = new Moment(log, scale, () => undefined);
  moment.grow();
  scale.reach(T + 5000);
  assert.deepEqual([moment.at, moment.time, moment.cursor], [2, T + 5000, 5000]);
  moment.seek(3000);
  scale.reach(T + 9000);
  assert.deepEqual([moment.at, moment.time, moment.cursor], [2, T + 3000, 3000]);
  scale.pressed = true;
  assert.deepEqual([moment.time, moment.cursor], [T + 3000, 1100]);
  add(10_000);
  moment.grow();
  assert.deepEqual([moment.at, moment.time], [2, T + 3000]);
});
