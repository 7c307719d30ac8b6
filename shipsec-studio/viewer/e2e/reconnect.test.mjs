// The server dies in the middle of a run, and comes back: the browser goes on where it was.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { by, chain, picture, scene, showsStatus, watch } from "./harness.mjs";

scene("reconnect", "a killed server leaves no gap and doubles nothing", async (own) => {
  const server = await own.serve();
  const context = await own.context(server);
  await watch(context);
  const run = await server.run(chain("nap", [
    ["before", "dev.emit", { logs: 300 }],
    ["nap", "dev.sleep", { ms: 2500 }],
    ["after", "dev.emit", { logs: 300 }],
  ]));
  const page = await own.open(server, `?run=${run}`, { context });
  await page.waitForSelector(`${by("node-nap")}[data-state=running]`);
  const before = await picture(page);
  const { port } = server;
  await server.stop("SIGKILL");
  await page.waitForSelector(".banner:has-text('connection is lost')");
  await own.shot("lost");
  assert.deepEqual((await picture(page)).states, before.states, "what was shown stays");

  await server.start({ port, args: ["--resume"] });
  await page.waitForSelector(".banner:has-text('connection is lost')", { state: "detached" });
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(`${by("live-button")}:has-text("End")`);
  await own.shot("end");
  const events = await server.events(run);
  assert.ok(events.some((event) => event.message?.startsWith("resumed")), "another process went on with it");
  const end = await picture(page);
  assert.equal(end.last, events.length);
  assert.equal(new Set(Object.values(end.states)).size, 1, "every node succeeded");

  // The browser's own log, as it exports it, is the server's.
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("button:has-text('.jsonl')")]);
  const kept = readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(kept, events);

  // And so is the list, from its first row to its last.
  const console_ = page.locator(by("console"));
  await console_.focus();
  await page.keyboard.press("Home");
  const shown = [];
  for (;;) {
    const rows = await console_.evaluate(async (list) => {
      await new Promise((resume) => requestAnimationFrame(() => requestAnimationFrame(resume)));
      return [...list.querySelectorAll("[data-testid=console-line]")].map((row) => Number(row.dataset.sequence));
    });
    for (const sequence of rows) if (sequence > (shown.at(-1) ?? 0)) shown.push(sequence);
    assert.equal(new Set(rows).size, rows.length, "no line is there twice");
    if (shown.at(-1) === events.length) break;
    await page.keyboard.press("PageDown");
  }
  assert.deepEqual(shown, events.map((event) => event.sequence));
});
