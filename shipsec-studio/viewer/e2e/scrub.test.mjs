// Any moment of a run looks as it did while it ran, and as the server's own fold of the log says.

import assert from "node:assert/strict";
import { by, goTo, graph, isLike, picture, scene, seen, showsStatus, watch } from "./harness.mjs";

const naps = Array.from({ length: 10 }, (_, at) => `nap${at}`);
const RUN = graph("mixed", {
  ...Object.fromEntries(naps.map((nap) => [nap, ["dev.sleep", { ms: 120 }]])),
  a1: ["dev.sleep", { ms: 200 }], a2: ["dev.sleep", { ms: 250 }], a3: ["dev.emit", { logs: 5, progress: 4 }],
  b1: ["dev.fail", { times: 1, kind: "ServiceError" }, { retry: { maxAttempts: 3, initialIntervalSeconds: 0.3 } }], b2: ["dev.sleep", { ms: 450 }],
  fork: ["dev.branch", { port: "left" }], left: ["dev.sleep", { ms: 350 }], right: ["dev.sleep", { ms: 1 }],
  broken: ["dev.fail", { kind: "ValidationError", message: "it does not fit" }], rescue: ["dev.sleep", { ms: 600 }],
  last: ["dev.sleep", { ms: 300 }],
}, [
  "start > a1", "a1 > a2", "a2 > a3", "start > b1", "b1 > b2", "start > fork", "fork.left > left.value", "fork.right > right.value",
  "a1 > broken", "broken > rescue : error", "a3 > last", "b2 > last", "left > last", "rescue > last",
  ...naps.map((nap, at) => `${naps[at - 1] ?? "start"} > ${nap}`),
]);

/** What the attempts of some nodes look like. */
const attempts = (nodes) => Object.fromEntries(nodes.map((node) => [node, [...document.querySelectorAll(`[data-lane=${node}] .attempt`)].map((bar) => bar.getAttribute("class").slice("attempt ".length))]));

scene("scrub", "no part of the page tells what comes after the moment", async (own) => {
  const server = await own.serve();
  const run = await server.run(graph("later", {
    say: ["dev.emit", { logs: 3, artifactBytes: 20 }], flaky: ["dev.fail", { times: 1, kind: "ServiceError" }, { retry: { maxAttempts: 2, initialIntervalSeconds: 0.1 } }],
    gate: ["core.approval", { title: "?" }], slow: ["dev.sleep", { ms: 60_000 }],
  }, ["start > say", "say > flaky", "flaky > gate", "start > slow"]));
  const page = await own.open(server, `?run=${run}`);
  await page.waitForSelector("[data-lane=gate] .attempt.awaiting");
  const nodes = ["say", "flaky", "gate", "slow"];
  const looks = (sequence) => goTo(page, sequence).then(() => page.evaluate(attempts, nodes));
  const at = (node, type) => events.find((event) => event.nodeId === node && event.type === type).sequence;
  const events = await server.events(run);
  assert.deepEqual(await page.evaluate(attempts, nodes), { say: ["completed"], flaky: ["failed", "completed"], gate: ["awaiting"], slow: ["running"] });
  await own.shot("awaiting");

  // The details of an event and the inside of an artifact are gone before they are there.
  await page.click(`${by("console-line")}[data-sequence="${at("say", "NODE_COMPLETED")}"] .message`);
  await page.waitForSelector(by("event-details"));
  await page.keyboard.press("Escape");
  await page.waitForSelector(by("event-details"), { state: "detached" });
  await page.click(`${by("console-line")}[data-sequence="${at("say", "NODE_COMPLETED")}"] .message`);
  await page.waitForSelector(by("event-details"));
  await page.click(by("tab-artifacts"));
  await page.click("[data-artifact]");
  await page.waitForSelector(`${by("artifact-preview")} h3`);
  await looks(at("say", "NODE_COMPLETED"));
  await page.waitForSelector(by("artifact-preview"));
  assert.equal(await page.locator(by("event-details")).count(), 1);

  assert.deepEqual(await looks(at("flaky", "NODE_FAILED")), { say: ["completed"], flaky: ["failed", "later"], gate: ["later"], slow: ["running"] });
  await own.shot("failed-once");
  assert.deepEqual(await looks(at("flaky", "NODE_STARTED")), { say: ["completed"], flaky: ["running", "later"], gate: ["later"], slow: ["running"] });
  assert.deepEqual(await looks(at("say", "NODE_STARTED")), { say: ["running"], flaky: ["later", "later"], gate: ["later"], slow: [at("slow", "NODE_STARTED") < at("say", "NODE_STARTED") ? "running" : "later"] });
  await page.waitForSelector(by("artifact-preview"), { state: "hidden" });
  assert.equal(await page.locator(by("event-details")).count(), 0);
  await own.shot("before");
  await page.keyboard.press("f");
  await page.waitForSelector(by("artifact-preview"));
});

scene("scrub", "every moment is the server's state of it, and replay is what was live", async (own) => {
  const server = await own.serve();
  await server.store(RUN);
  const context = await own.context(server);
  await watch(context);
  const page = await own.open(server, "", { context });
  await page.waitForSelector(by("start-mixed"));
  await page.click(by("start-mixed"));
  await page.click(by("start-run"));
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(`${by("live-button")}:has-text("End")`);
  const run = new URL(page.url()).searchParams.get("run");
  const live = await seen(page);
  assert.ok(live.length >= 10, `only ${live.length} moments were seen while it ran`);
  for (const shown of live) isLike(shown, await server.state(run, shown.at));

  // The same moments again, with the keys.
  const looks = ({ states, flow, status }) => ({ states, flow, status });
  for (const shown of live) {
    await goTo(page, shown.at);
    assert.deepEqual(looks(await picture(page)), looks(shown), `event ${shown.at} looks as it did`);
  }

  // And dragged to, there and back.
  const rail = await page.locator(".axis .rail").boundingBox();
  const y = rail.y + rail.height / 2;
  await page.mouse.move(rail.x + 1, y);
  await page.mouse.down();
  const dragged = new Set();
  for (let step = 0; step <= 60; step += 1) {
    const part = step <= 40 ? step / 40 : 1 - (step - 40) / 20.5;
    await page.mouse.move(rail.x + rail.width * part, y);
    const shown = await page.evaluate(() => new Promise((resume) => requestAnimationFrame(() => requestAnimationFrame(() => resume(window.e2ePicture())))));
    if (dragged.has(shown.at)) continue;
    dragged.add(shown.at);
    isLike(shown, await server.state(run, shown.at));
    if (dragged.size === 8) await own.shot("dragged");
  }
  await page.mouse.up();
  assert.ok(dragged.size >= 10, `only ${dragged.size} moments were dragged to`);

  // Live again, by its button.
  await page.click(by("live-button"));
  const { length: last } = await server.events(run);
  await page.waitForSelector(`${by("scrubber")}[aria-valuenow="${last}"]`);

  // A bar that is dragged over moves the moment, one that is pressed selects its node as well.
  const bar = page.locator("[data-lane=last] .attempt");
  const box = await bar.boundingBox();
  await bar.hover();
  await page.mouse.down();
  await page.mouse.move(box.x - 20, box.y, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction((last) => Number(document.querySelector("[data-testid=scrubber]").getAttribute("aria-valuenow")) < last, last);
  assert.equal(await page.locator(".lane.selected").count(), 0, "a drag selects nothing");
  // The rows follow the moment.
  await page.keyboard.press("f");
  await bar.click();
  await page.waitForSelector(`${by("node-last")}[data-selected]`);
  await page.waitForSelector("[data-lane=last].selected");
});
