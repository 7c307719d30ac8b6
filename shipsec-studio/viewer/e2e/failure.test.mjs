// A run that failed says why and where.

import assert from "node:assert/strict";
import { by, graph, scene, showsStatus } from "./harness.mjs";

scene("failure", "the header says why and where, and leads there", async (own) => {
  const server = await own.serve();
  const steps = Array.from({ length: 12 }, (_, at) => `step${at}`);
  const run = await server.run(graph("broken",
    { ...Object.fromEntries(steps.map((step) => [step, ["dev.sleep", { ms: 1 }]])), boom: ["dev.fail", { kind: "ValidationError", message: "the disc is full of eels" }, {}, "The last straw"], never: ["dev.sleep"] },
    [...["start", ...steps].slice(0, -1).map((step, at) => `${step} > ${steps[at]}`), "step11 > boom", "boom > never"]));
  const status = await server.ended(run);
  assert.equal(status.status, "FAILED");
  const page = await own.open(server, `?run=${run}`);
  await showsStatus(page, "FAILED");
  const said = await page.textContent(by("run-failure"));
  assert.ok(said.includes("the disc is full of eels") && said.includes("boom"), said);
  await own.shot("header");

  // Far away from it, the button brings it into sight, and its panel tells more.
  await page.locator(by("canvas")).hover({ position: { x: 60, y: 200 } });
  for (let turn = 0; turn < 6; turn += 1) await page.mouse.wheel(0, -600);
  const inSight = () => page.evaluate(() => {
    const [box, view] = ["[data-testid=node-boom]", "[data-testid=canvas]"].map((one) => document.querySelector(one)?.getBoundingClientRect());
    return Boolean(box) && box.left >= view.left && box.right <= view.right && box.top >= view.top && box.bottom <= view.bottom;
  });
  await page.waitForFunction(() => document.querySelector("[data-testid=canvas] .view").dataset.detail === "near");
  assert.equal(await inSight(), false);
  await page.click(by("failed-node"));
  await page.waitForSelector(`${by("node-boom")}[data-selected]`);
  await page.waitForFunction(() => {
    const [box, view] = ["[data-testid=node-boom]", "[data-testid=canvas]"].map((one) => document.querySelector(one)?.getBoundingClientRect());
    return Boolean(box) && box.left >= view.left && box.right <= view.right && box.top >= view.top && box.bottom <= view.bottom;
  });
  await page.waitForSelector(`${by("node-state")}[data-state=failed]`);
  const error = await page.textContent(by("node-error"));
  assert.ok(error.includes("ValidationError") && error.includes("the disc is full of eels"), error);
  await own.shot("node");

  // What did not run says because of whom.
  await page.fill(by("node-search"), "never");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`${by("node-state")}[data-state=skipped]`);
  await page.click(`${by("node-panel")} .note-box button:has-text("boom")`);
  await page.waitForSelector(`${by("node-boom")}[data-selected]`);
});
