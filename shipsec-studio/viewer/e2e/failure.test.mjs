// A run that failed says why and where.

import assert from "node:assert/strict";
import { by, chain, graph, painted, scene, showsStatus } from "./harness.mjs";

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
  await page.click(`${by("node-panel")} .note-box button:has-text("The last straw")`);
  await page.waitForSelector(`${by("node-boom")}[data-selected]`);
});

scene("failure", "a long name keeps nothing from its place", async (own) => {
  const server = await own.serve();
  const name = "a workflow with a name that somebody has made of very many words ".repeat(4).trim();
  const label = "a node with a long label too";
  const run = await server.run(graph("long", { first: ["dev.sleep", { ms: 1 }, {}, label] }, ["start > first"], name));
  await server.ended(run);
  const page = await own.open(server, `?run=${run}&node=first`);
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(by("node-panel"));
  await own.shot("long");
  const inside = (selector) => page.locator(selector).evaluate((one) => {
    const { left, right, top, bottom } = one.getBoundingClientRect();
    const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return right <= innerWidth && one.contains(seen);
  });
  assert.ok(await inside(by("rerun")), "the button is in sight");
  assert.ok(await inside("button:has-text('.jsonl')"), "and so is the last one of the console");
  const height = await page.locator(".run-top").evaluate((one) => one.clientHeight);
  assert.ok(height < 44, `the head is one row, not ${height} pixels high`);
});

scene("failure", "a long row begins where it can be read, and all of it is shown to whoever asks", async (own) => {
  const server = await own.serve();
  const run = await server.run(chain("row", Array.from({ length: 20 }, (_, at) => [`n${at}`, "dev.sleep", { ms: 1 }])));
  await server.ended(run);
  const context = await own.context(server);
  // The log comes in small pieces, so that the page is drawn while it knows a part of it.
  await context.route(/\/trace\?/, (route) => {
    const url = new URL(route.request().url());
    url.searchParams.set("limit", "5");
    return route.continue({ url: url.href });
  });
  const page = await own.open(server, `?run=${run}`, { context });
  await showsStatus(page, "COMPLETED");
  const box = () => page.locator(by("node-start")).boundingBox();
  await page.waitForSelector(by("node-start"));
  await own.shot("row");
  const near = await box();
  assert.ok(near.x >= 0 && near.x < 60 && near.width > 100, JSON.stringify(near));
  await page.keyboard.press("0");
  await page.waitForSelector(by("node-n19"));
  const far = await box();
  assert.ok(far.width < 0.6 * near.width, JSON.stringify(far));
  await own.shot("thread");
  // What goes on is in sight, as long as nobody looks elsewhere; also where the window gets another size.
  const live = await server.run(chain("goes-on", Array.from({ length: 20 }, (_, at) => [`n${at}`, "dev.sleep", { ms: at === 15 ? 60_000 : 1 }])));
  await page.goto(`${server.origin}/?run=${live}`);
  for (const width of [1440, 1200]) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForFunction((width) => document.querySelector("[data-testid=canvas]")?.clientWidth === width, width);
    await page.waitForSelector(`${by("node-n15")}[data-state=running]`);
    await painted(page);
    const there = await page.locator(by("node-n15")).boundingBox();
    assert.ok(there.x >= 0 && there.x + there.width <= width, JSON.stringify(there));
  }
  await own.shot("goes-on");
});
