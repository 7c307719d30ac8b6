// Between two events time goes on: what runs grows, wherever the clock of whoever looks stands.

import assert from "node:assert/strict";
import { by, chain, scene } from "./harness.mjs";

const HOUR = 3_600_000;
const RUN = chain("silent", [["quick", "dev.sleep", { ms: 300 }], ["slow", "dev.sleep", { ms: 60_000 }]]);
/** Where the bars of both nodes begin and how long they are, in pixels, and where the axis has its ticks. */
const bars = () => {
  const [quick, slow] = ["quick", "slow"].map((node) => {
    const bar = document.querySelector(`[data-lane=${node}] .attempt`);
    return bar && { class: bar.getAttribute("class"), x: Number(bar.getAttribute("x")), width: Number(bar.getAttribute("width")) };
  });
  return { quick, slow, ticks: [...document.querySelectorAll(".axis text")].map((tick) => `${tick.textContent} at ${tick.getAttribute("x")}`) };
};
/** Waits until the bar that runs is so many times as long as the one that ended, though no event comes. */
const grows = (page, times) => page.waitForFunction((times) => {
  const width = (node) => Number(document.querySelector(`[data-lane=${node}] .attempt`)?.getAttribute("width"));
  return width("quick") > 0 && width("slow") > times * width("quick");
}, times);

/** The time since the start that stands beside the knob. */
const seconds = (where) => {
  const [, number, unit] = / · ([\d.]+) (ms|s) · /.exec(where);
  return Number(number) / (unit === "ms" ? 1000 : 1);
};

scene("clock", "what runs grows while it is followed, and while one looks back", async (own) => {
  const server = await own.serve();
  const run = await server.run(RUN);
  const page = await own.open(server, `?run=${run}`);
  await page.waitForSelector(`${by("node-slow")}[data-state=running]`);
  await grows(page, 3);
  const before = await page.evaluate(bars);
  // A bar that is about to be pressed is not taken away under the pointer.
  await page.evaluate(() => (window.bar = document.querySelector("[data-lane=slow] .attempt")));
  await grows(page, 6);
  const after = await page.evaluate(bars);
  assert.ok(await page.evaluate(() => window.bar.isConnected), "it is the same element");
  assert.equal(after.slow.class, "attempt running");
  assert.notDeepEqual(after.ticks, before.ticks, "the axis is another one");
  // Both end where the knob stands: now.
  const beside = (node) => page.evaluate((node) => {
    const [knob, bar] = [".knob", `[data-lane=${node}] .attempt`].map((part) => document.querySelector(part).getBoundingClientRect());
    return Math.abs(knob.left + knob.width / 2 - bar.right);
  }, node);
  const end = await beside("slow");
  assert.ok(end < 2, `the knob is ${end} pixels away from now`);
  await own.shot("growing");

  // Idle time is pressed together: then it stands, and the bar is as long as a gap.
  await page.click(by("compress"));
  await page.waitForFunction(() => document.querySelector(".axis .gap"));
  await own.shot("pressed");
  await page.click(by("compress"));
  await page.waitForFunction(() => !document.querySelector(".axis .gap"));

  // Whoever looks back sees it go on too, while the moment stays where it is: at its time.
  await page.keyboard.press("ArrowLeft");
  await page.waitForSelector(`${by("live-button")}[aria-pressed=false]`);
  const frames = (millis) => page.evaluate((millis) => new Promise((resume) => {
    const until = performance.now() + millis;
    const next = () => performance.now() > until ? resume() : requestAnimationFrame(next);
    next();
  }), millis);
  await frames(50);
  const back = await page.evaluate(bars);
  const where = await page.textContent(by("moment"));
  await grows(page, 1.2 * (back.slow.width / back.quick.width));
  assert.equal(await page.textContent(by("moment")), where);
  const quick = await beside("quick");
  assert.ok(quick < 2, `the knob is ${quick} pixels away from the end of what it stands at`);
  await own.shot("back");

  // Between two events it has a time of its own, also where idle time is pressed together.
  const rail = await page.evaluate(() => document.querySelector(".axis .rail").getBoundingClientRect().toJSON());
  await page.mouse.click(rail.x + rail.width * 0.9, rail.y + rail.height / 2);
  await frames(50);
  const between = await page.textContent(by("moment"));
  assert.ok(seconds(between) > seconds(where), `${between} is after ${where}`);
  await frames(400);
  await page.click(by("compress"));
  await page.waitForFunction(() => document.querySelector(".axis .gap"));
  assert.equal(await page.textContent(by("moment")), between);
  await page.click(by("compress"));

  // Live, it is now, though the last event was long ago.
  await page.keyboard.press("f");
  await page.waitForFunction((before) => Number(/Live · event .* · ([\d.]+) s/.exec(document.querySelector("[data-testid=moment]").textContent)?.[1]) > before, seconds(between) + 0.5);
  await server.ask("POST", `/workflows/runs/${run}/terminate`, {});
  await page.waitForSelector(`${by("live-button")}:has-text("End")`);
});

for (const hours of [1, -1]) {
  scene("clock", `a clock that is ${Math.abs(hours)} hour ${hours > 0 ? "ahead" : "behind"} changes nothing`, async (own) => {
    const server = await own.serve();
    const run = await server.run(RUN);
    const context = await own.context(server);
    await context.addInitScript((by) => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + by;
    }, hours * HOUR);
    const page = await own.open(server, `?run=${run}`, { context });
    await page.waitForSelector(`${by("node-slow")}[data-state=running]`);
    await grows(page, 3);
    const { slow } = await page.evaluate(bars);
    // Ahead by an hour, all that happened would be nothing beside it.
    assert.ok(slow.x > 173, `the bar begins at ${slow.x}`);
    await page.waitForFunction(() => / s$/.test(document.querySelector("[data-testid=elapsed]").textContent));
    assert.doesNotMatch(await page.textContent(by("elapsed")), /h|min/);
  });
}

scene("clock", "where nothing shall move, it moves once a second", async (own) => {
  const server = await own.serve();
  const run = await server.run(RUN);
  const page = await own.open(server, `?run=${run}`, { reducedMotion: "reduce" });
  // By then the page has read all that there is.
  await grows(page, 3);
  // How long the timeline was at each change, from how small a part of it the first 300 ms are.
  await page.evaluate(() => {
    window.changes = [];
    new MutationObserver(() => {
      const bar = document.querySelector("[data-lane=slow] .attempt");
      if (bar) window.changes.push({ x: Number(bar.getAttribute("x")), width: Number(bar.getAttribute("width")) });
    }).observe(document.querySelector("[data-testid=gantt]"), { subtree: true, childList: true, attributes: true, attributeFilter: ["width"] });
  });
  await page.waitForFunction(() => window.changes.length >= 3);
  const changes = await page.evaluate(() => window.changes);
  const started = (await server.events(run)).find((event) => event.nodeId === "slow");
  const [first] = await server.events(run);
  const before = Date.parse(started.timestamp) - Date.parse(first.timestamp);
  const whole = changes.map(({ x, width }) => before * (x + width - 172) / (x - 172));
  for (let at = 1; at < whole.length; at += 1) assert.ok(whole[at] - whole[at - 1] > 900, `${whole[at] - whole[at - 1]} ms after the one before`);
});

scene("clock", "the newest attempts are in sight in every frame, also while a node is selected that has not begun", async (own) => {
  const server = await own.serve();
  const naps = Array.from({ length: 14 }, (_, at) => [`nap${at}`, "dev.sleep", { ms: 150 }]);
  const run = await server.run(chain("many", [...naps, ["late", "dev.sleep", { ms: 60_000 }]]));
  const context = await own.context(server);
  await context.addInitScript(() => {
    window.blanks = [];
    window.lanes = new Set();
    const { port1, port2 } = new MessageChannel();
    // After the frame: what is there now is what was painted.
    port1.onmessage = () => {
      const [gantt, bars] = ["gantt", "bars"].map((part) => document.querySelector(`.${part}`)?.getBoundingClientRect());
      if (!gantt) return;
      const rows = gantt.top - document.querySelector(".gantt").scrollTop + document.querySelector(".gantt > div").offsetHeight;
      const blank = Math.min(gantt.bottom, rows - 4) - bars.bottom;
      if (blank > 2) window.blanks.push(blank);
      if (!document.querySelector("[data-lane=late]")) for (const lane of document.querySelectorAll("[data-lane]")) window.lanes.add(lane.dataset.lane);
    };
    const next = () => {
      port2.postMessage(0);
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  const page = await own.open(server, `?run=${run}&node=late`, { context });
  await page.waitForSelector("[data-lane=late].selected .attempt.running");
  const { blanks, lanes } = await page.evaluate(() => ({ blanks: window.blanks, lanes: [...window.lanes] }));
  assert.deepEqual(blanks, []);
  assert.ok(lanes.includes("nap12"), `in sight before it began: ${lanes.join(", ")}`);
});
