// What a page says while its server, or the executor of its run, comes and goes.

import assert from "node:assert/strict";
import { by, chain, graph, scene, showsStatus } from "./harness.mjs";

const slow = chain("slow", [["one", "dev.sleep", { ms: 1 }], ["two", "dev.sleep", { ms: 60_000 }]]);

scene("trouble", "a run that nobody works on any more says so, and goes on with whoever resumes it", async (own) => {
  const server = await own.serve();
  const run = await server.run(slow);
  const page = await own.open(server, `?run=${run}&node=two`);
  await page.waitForSelector(`${by("node-two")}[data-state=running]`);
  await server.stop("SIGKILL");
  await page.waitForSelector("text=The connection is lost");
  await server.start({ port: server.port });
  // Nobody has loaded the page again.
  await page.waitForSelector(by("resume"));
  await page.waitForSelector("main.interrupted");
  assert.equal(await page.locator(by("cancel")).count(), 0, "it cannot be cancelled");
  await own.shot("interrupted");
  await server.ask("POST", `/workflows/runs/${run}/resume`, {});
  await page.waitForSelector(by("resume"), { state: "detached" });
  await page.waitForSelector(by("cancel"));
  await page.waitForSelector("main.interrupted", { state: "detached" });
});

scene("trouble", "an answer lets an interrupted run go on", async (own) => {
  const server = await own.serve();
  const run = await server.run(graph("asks", { gate: ["core.approval", { title: "Open?", description: "The gate leads\nto the garden." }], after: ["dev.sleep", { ms: 1 }] }, ["start > gate", "gate.approved > after"]));
  const page = await own.open(server, `?run=${run}&node=gate`);
  await page.waitForSelector(by("answer-form"));
  assert.match(await page.textContent(by("answer-form")), /The gate leads\s+to the garden\./);
  await server.stop("SIGKILL");
  await page.waitForSelector("text=The connection is lost");
  await server.start({ port: server.port });
  await page.waitForSelector(by("resume"));
  await own.shot("asks");
  await page.click(by("approve"));
  await showsStatus(page, "COMPLETED");
});

scene("trouble", "a run can be opened before its server is there", async (own) => {
  const server = await own.serve();
  const run = await server.run(slow);
  const context = await own.context(server);
  // All but the page itself fails at first.
  let away = true;
  await context.route(/\/workflows\/runs\//, (route) => away ? route.abort() : route.continue());
  const page = await own.open(server, `?run=${run}`, { context });
  await page.waitForSelector("text=The connection is lost");
  away = false;
  await page.waitForSelector(`${by("node-two")}[data-state=running]`);
  await page.waitForSelector("text=The connection is lost", { state: "detached" });
});

scene("trouble", "what the log does not tell is asked for again", async (own) => {
  const server = await own.serve();
  const run = await server.run(slow);
  const context = await own.context(server);
  let refused = 0;
  await context.route((url) => url.pathname.endsWith(`/workflows/runs/${run}`), (route) => {
    refused += 1;
    return refused < 3 ? route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"title":"Not now"}' }) : route.continue();
  });
  const page = await own.open(server, `?run=${run}`, { context });
  await page.waitForSelector(`${by("node-two")}[data-state=running]`);
  assert.equal(refused, 3);
});

scene("trouble", "counts lead to the nodes that they count, and nothing is covered", async (own) => {
  const server = await own.serve();
  const rows = 7;
  const nodes = Object.fromEntries(Array.from({ length: rows * rows }, (_, at) => [`n${at}`, at % rows === rows - 1 && at > rows ? ["dev.fail", { message: "no" }, { retry: { maxAttempts: 1 } }] : ["dev.sleep", { ms: 1 }]]));
  const edges = Array.from({ length: rows * rows }, (_, at) => `${at % rows ? `n${at - 1}` : "start"} > n${at}`);
  const run = await server.run(graph("grid", nodes, edges));
  await server.ended(run);
  const page = await own.open(server, `?run=${run}`);
  await showsStatus(page, "FAILED");
  await page.waitForSelector(by("node-n6"));
  await own.shot("grid");
  const tops = await page.evaluate(() => {
    const tools = document.querySelector(".tools").getBoundingClientRect();
    return [...document.querySelectorAll("[data-testid^=node-n]")].map((node) => node.getBoundingClientRect())
      .filter((box) => box.right > tools.left && box.top < tools.bottom).length;
  });
  assert.equal(tops, 0, "no node is below the tools");
  const selected = () => page.locator(by("node-panel")).getAttribute("data-node");
  await page.click(`${by("run-progress")} >> text=6 failed`);
  await page.waitForSelector(`${by("node-panel")}:visible`);
  const first = await selected();
  await page.click(`${by("run-progress")} >> text=6 failed`);
  await page.waitForFunction((first) => document.querySelector("[data-testid=node-panel]").dataset.node !== first, first);
  assert.notEqual(await selected(), first);
});
