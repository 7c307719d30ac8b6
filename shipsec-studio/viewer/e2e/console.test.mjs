// A log of a hundred thousand lines.

import assert from "node:assert/strict";
import { by, chain, scene, showsStatus } from "./harness.mjs";

// Each node says a little more than the one before, so that a line says whose it is.
const NODES = 20;
const lines = (at) => 5000 + at - NODES / 2;

scene("console", "a hundred thousand lines are searched and followed with few rows", async (own) => {
  const server = await own.serve();
  await server.store(chain("flood", Array.from({ length: NODES }, (_, at) => [`emit${at}`, "dev.emit", { logs: lines(at) }])));
  const context = await own.context(server);
  await context.addInitScript(() => {
    window.most = 0;
    new MutationObserver(() => {
      window.most = Math.max(window.most, document.querySelectorAll("[data-testid=console-line]").length);
    }).observe(document, { subtree: true, childList: true });
  });
  const page = await own.open(server, "", { context });
  await page.click(by("start-flood"));
  await page.click(by("start-run"));
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(`${by("live-button")}:has-text("End")`);
  const run = new URL(page.url()).searchParams.get("run");
  const { lastSequence: last } = await server.get(`/workflows/runs/${run}`);
  assert.ok(last > 99_000, `the log has ${last} events`);

  // While it ran, the end stayed in sight.
  const shows = (sequence) => page.waitForSelector(`${by("console-line")}[data-sequence="${sequence}"]`);
  const following = (yes) => page.waitForSelector(`${by("console-follow")}[aria-pressed="${yes}"]`);
  await shows(last);
  await following(true);
  await own.shot("end");

  // Scrolling away ends that; its button brings it back.
  const list = page.locator(by("console"));
  await list.hover();
  await page.mouse.wheel(0, -5000);
  await following(false);
  await page.waitForFunction((last) => !document.querySelector(`[data-testid=console-line][data-sequence="${last}"]`), last);
  await page.click(by("console-follow"));
  await shows(last);
  await list.focus();
  await page.keyboard.press("Home");
  await shows(1);
  await following(false);
  await page.keyboard.press("End");
  await shows(last);
  await following(true);

  // A line far away.
  const wanted = `line 4321 of ${lines(3)}`;
  const { events: [event] } = await server.get(`/workflows/runs/${run}/trace?text=${encodeURIComponent(wanted)}&after=0&limit=10000`).then(async (page) => (
    page.events.length ? page : server.get(`/workflows/runs/${run}/trace?text=${encodeURIComponent(wanted)}&after=${page.cursor}&limit=10000`)));
  assert.equal(event.message, wanted);
  await page.fill(by("console-search"), wanted.toUpperCase());
  await page.waitForFunction((sequence) => [...document.querySelectorAll("[data-testid=console-line]")].map((row) => row.dataset.sequence).join() === String(sequence), event.sequence);
  assert.match(await page.textContent(by("console-count")), /^1 of /);
  assert.equal(await page.textContent(`${by("console-line")} mark`), wanted);
  await own.shot("found");
  await page.click(`${by("console-line")} .message`);
  await page.waitForSelector(by("event-details"));
  assert.ok((await page.textContent(by("event-details"))).includes(wanted));
  await page.click(`${by("event-details")} button:has-text("Go to this moment")`);
  await page.waitForSelector(`${by("scrubber")}[aria-valuenow="${event.sequence}"]`);
  await page.waitForSelector(`${by("node-emit3")}[data-state=running]`);

  // What a line says without having a message is found as well: each node has such a line, also the entry point.
  await page.click(by("live-button"));
  await page.fill(by("console-search"), "completed in");
  await page.waitForFunction((nodes) => document.querySelector("[data-testid=console-count]").textContent.startsWith(`${nodes} of `), NODES + 1);

  // Many hits, of which few are rows.
  await page.fill(by("console-search"), "line 7");
  await page.waitForFunction(() => /^\d+,\d+ of /.test(document.querySelector("[data-testid=console-count]").textContent));
  const most = await page.evaluate(() => window.most);
  assert.ok(most > 5 && most < 400, `${most} rows at once`);
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(elements < 4000, `${elements} elements on the page`);
});
