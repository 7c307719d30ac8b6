// Nothing moves for whoever wants nothing to move.

import assert from "node:assert/strict";
import { by, graph, picture, scene, watch } from "./harness.mjs";

const moving = () => document.getAnimations().filter((one) => one.playState === "running" || one.playState === "paused").map((one) => one.animationName ?? one.transitionProperty ?? "?");

scene("motion", "nothing is animated with prefers-reduced-motion", async (own) => {
  const server = await own.serve();
  // One node runs, one waits for an answer, and an edge passes data to a node that waits for another.
  const run = await server.run(graph("still", { slow: ["dev.sleep", { ms: 60_000 }], quick: ["dev.sleep"], ask: ["core.approval", { title: "?" }], join: ["dev.sleep"] },
    ["start > slow", "start > quick", "start > ask", "quick > join", "slow > join"]));
  for (const [reducedMotion, wanted] of [["no-preference", true], ["reduce", false]]) {
    const context = await own.context(server, { reducedMotion });
    await watch(context);
    const page = await own.open(server, `?run=${run}`, { context });
    await page.waitForSelector(`${by("node-slow")}[data-state=running]`);
    await page.waitForSelector(`${by("node-ask")}[data-state=awaiting-input]`);
    await page.waitForFunction(() => document.querySelector("path.flow")?.getAttribute("d"));
    assert.equal((await picture(page)).flow.length, 1);
    if (wanted) await page.waitForFunction(() => document.getAnimations().length > 0);
    const names = await page.evaluate(moving);
    assert.equal(names.length > 0, wanted, `${reducedMotion}: ${names.join(", ")}`);
    if (wanted) continue;
    // Nor while one does something: selects, moves, opens and plays.
    await page.click(by("node-slow"));
    await page.keyboard.press("ArrowLeft");
    await page.click("button[aria-label='Keys']");
    assert.deepEqual(await page.evaluate(moving), []);
    await page.keyboard.press("Escape");
    await page.click(by("live-button"));
    assert.deepEqual(await page.evaluate(moving), []);
    await own.shot("still");
  }
});
