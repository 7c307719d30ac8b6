// What a node gave, also where the log only says where it is.

import assert from "node:assert/strict";
import { by, graph, scene } from "./harness.mjs";

scene("outputs", "what is kept elsewhere is fetched for whoever asks", async (own) => {
  const server = await own.serve();
  const run = await server.run(graph("large", { say: ["dev.emit", { logs: 0, outputBytes: 100_000, artifactBytes: 300 }], next: ["dev.echo"] }, ["start > say", "say.text > next.value"]));
  await server.ended(run);
  const page = await own.open(server, `?run=${run}&node=say`);
  await page.waitForSelector(`${by("node-panel")} :text("kept in artifact storage")`);
  await page.click(by("show-text"));
  await page.waitForSelector(`${by("node-panel")} .part-outputs button:has-text("all 100,000 characters")`);
  await own.shot("shown");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    // As an input of another node it is the same value.
    page.click(by("node-next")).then(() => page.click(`${by("node-panel")} .part-inputs button[aria-label="Download say.text.json"]`)),
  ]);
  assert.equal(download.suggestedFilename(), "say.text.json");
  // A file among the outputs leads to its artifact.
  await page.click(by("node-say"));
  const { artifacts } = await server.get(`/workflows/runs/${run}/artifacts`);
  await page.click(`${by("node-panel")} .part-outputs button:has-text("${artifacts[0].name}")`);
  await page.waitForSelector(`${by("artifact-preview")} :text("sha256")`);
  await own.shot("artifact");
});
