// The items of a node that runs once for each.

import assert from "node:assert/strict";
import { by, graph, scene, showsStatus } from "./harness.mjs";

scene("items", "failed items are found among many, and each can be looked into", async (own) => {
  const server = await own.serve();
  const values = Array.from({ length: 250 }, (_, at) => at);
  const run = await server.run(graph("many", {
    probe: ["dev.fail", { message: "refused" }, { forEach: { input: "value", onFailure: "collect" }, retry: { maxAttempts: 1 }, inputOverrides: { value: values } }],
    pass: ["dev.sleep", { ms: 1 }, { forEach: { input: "value" }, inputOverrides: { value: [1, 2, 3] } }],
  }, ["start > probe", "start > pass"]));
  await server.ended(run);
  const page = await own.open(server, `?run=${run}&node=probe`);
  await page.waitForSelector(`${by("items-failed")}:has-text("250")`);
  const rows = page.locator(`${by("items")} details`);
  assert.equal(await rows.count(), 100, "as many as one looks at");
  await page.click(`${by("items")} button:has-text("150 left")`);
  assert.equal(await rows.count(), 200);
  await page.click(`${by("item-3")} summary`);
  await page.waitForSelector(`${by("item-3")} ${by("node-error")}:has-text("refused")`);
  await own.shot("failed");
  await page.click(by("node-pass"));
  await page.waitForSelector(`${by("items-success")}:has-text("3")`);
  // Back to where only the first had begun.
  await page.focus(by("scrubber"));
  await page.keyboard.press("Home");
  await page.waitForSelector(by("items"), { state: "detached" });
});

scene("items", "what is unfolded stays while others go on", async (own) => {
  const server = await own.serve();
  const run = await server.run(graph("each", { slow: ["dev.sleep", { ms: 300 }, { forEach: { input: "value", concurrency: 1 }, inputOverrides: { value: [..."abcdefgh"] } }] }, ["start > slow"]));
  const page = await own.open(server, `?run=${run}&node=slow`);
  // A row that changes under the pointer may miss the click, as a reader would see; this one has changed for the last time.
  await page.waitForSelector(`${by("item-0")}[data-state=success]`);
  await page.click(`${by("item-0")} summary`);
  await page.waitForSelector(`${by("item-0")}[open]`);
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(`${by("items-success")}:has-text("8")`);
  await page.waitForSelector(`${by("item-0")}[open][data-state=success]`);
  await own.shot("done");
});
