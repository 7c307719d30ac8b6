// What is looked at stands in the address.

import assert from "node:assert/strict";
import { by, chain, picture, scene, showsStatus, watch } from "./harness.mjs";

scene("address", "run, moment, node and filters survive a reload, and back leads back", async (own) => {
  const server = await own.serve();
  const run = await server.run(chain("steps", [["one", "dev.emit", { logs: 8 }], ["two", "dev.sleep", { ms: 20 }], ["three", "dev.emit", { logs: 4 }]]));
  await server.ended(run);
  const context = await own.context(server);
  await watch(context);
  const page = await own.open(server, "", { context });
  await page.click(`${by(`run-${run}`)} a`);
  await showsStatus(page, "COMPLETED");
  await page.click(by("node-two"));
  await page.click(by("node-one"));
  await page.selectOption(by("console-level"), "info");
  await page.click(by("stream-log"));
  await page.click(by("console-only"));
  await page.fill(by("console-search"), "line");
  await page.locator(by("scrubber")).focus();
  await page.keyboard.press("Home");
  for (let at = 1; at < 9; at += 1) await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => ["at", "text"].every((name) => new URL(location.href).searchParams.has(name)));
  await page.waitForFunction(() => document.querySelector("[data-testid=console-count]").textContent.startsWith("5 of "));
  const tell = async () => ({
    ...await picture(page),
    selected: await page.locator("[data-key][data-selected]").getAttribute("data-key"),
    count: await page.textContent(by("console-count")),
    filters: [await page.inputValue(by("console-search")), await page.inputValue(by("console-level")), await page.getAttribute(by("stream-log"), "aria-pressed"), await page.getAttribute(by("console-only"), "aria-pressed")],
  });
  const before = await tell();
  assert.deepEqual(before.filters, ["line", "info", "true", "true"]);
  assert.equal(before.selected, "one");
  const url = page.url();
  for (const [name, value] of [["run", run], ["at", "9"], ["node", "one"], ["level", "info"], ["stream", "log"], ["text", "line"], ["only", "1"]]) {
    assert.equal(new URL(url).searchParams.get(name), value, name);
  }
  await page.reload();
  await page.waitForSelector(`${by("scrubber")}[aria-valuenow="9"]`);
  await page.waitForFunction(() => document.querySelector("[data-testid=console-count]").textContent.startsWith("5 of "));
  assert.deepEqual(await tell(), before);
  assert.equal(page.url(), url);

  // Somebody else opens the same address.
  const other = await context.newPage();
  await other.goto(url);
  await other.waitForSelector(`${by("scrubber")}[aria-valuenow="9"]`);
  await other.waitForSelector(`${by("node-one")}[data-selected]`);
  await other.close();

  await page.goBack();
  await page.waitForSelector(by("run-list"));
  assert.equal(new URL(page.url()).searchParams.get("run"), null);
  await page.goForward();
  await page.waitForSelector(`${by("scrubber")}[aria-valuenow="9"]`);
  await page.waitForSelector(`${by("node-one")}[data-selected]`);
  await page.waitForFunction(() => document.querySelector("[data-testid=console-count]").textContent.startsWith("5 of "));
  assert.deepEqual(await tell(), before);
  // Names that no run has are said, not shown as an empty page.
  await page.goto(`${server.origin}/?run=no-such-run`);
  await page.waitForSelector("text=This run cannot be shown");
});
