// Everything can be reached and done with keys, and has a name.

import assert from "node:assert/strict";
import { by, chain, picture, scene, showsStatus, watch } from "./harness.mjs";

/** Whatever can be pressed, filled in or chosen, and has no name. */
const nameless = () => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=button], [role=slider], [role=tab], [role=progressbar], [role=region], svg[role], img")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    const labels = (one.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
    const own = one.matches("input, select, textarea") ? [...(one.labels ?? [])].map((label) => label.textContent).join("") : one.textContent;
    return ![one.getAttribute("aria-label"), labels, own, one.getAttribute("alt")].some((name) => name?.trim());
  })
  .map((one) => one.outerHTML.slice(0, 200));

scene("keyboard", "keys do what they say", async (own) => {
  const server = await own.serve();
  const run = await server.run(chain("keys", [["one", "dev.sleep", { ms: 900 }], ["two", "dev.emit", { logs: 5 }], ["three", "dev.sleep", { ms: 900 }]]));
  await server.ended(run);
  const context = await own.context(server);
  await watch(context);
  const page = await own.open(server, "", { context });
  await page.waitForSelector(by(`run-${run}`));
  assert.deepEqual(await page.evaluate(nameless), [], "on the first page");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "run-filter");
  await page.locator(`${by(`run-${run}`)} a`).focus();
  await page.keyboard.press("Enter");
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(by("node-three"));
  const { last } = await picture(page);
  const at = (sequence) => page.waitForSelector(`${by("scrubber")}[aria-valuenow="${sequence}"]`);
  await at(last);

  // Arrows go by events, with shift by changes; f goes to the end.
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await at(last - 2);
  await page.keyboard.press("ArrowRight");
  await at(last - 1);
  await page.keyboard.press("f");
  await at(last);
  await page.waitForSelector(`${by("live-button")}[aria-pressed=true]`);
  const changes = (await server.events(run)).filter((event) => event.nodeId && event.type !== "NODE_LOG").map((event) => event.sequence);
  await page.keyboard.press("Shift+ArrowLeft");
  await at(changes.at(-1));
  await page.keyboard.press("p");
  await at(changes.at(-2));
  await page.keyboard.press("n");
  await at(changes.at(-1));

  // Space plays from the beginning once the end is reached, and stops.
  await page.keyboard.press("f");
  await page.keyboard.press(" ");
  await page.waitForSelector(`${by("play")}[aria-label=Pause]`);
  await page.waitForFunction(() => Number(document.querySelector("[data-testid=scrubber]").getAttribute("aria-valuenow")) > 4);
  await page.keyboard.press(" ");
  await page.waitForSelector(`${by("play")}[aria-label=Play]`);
  const stopped = (await picture(page)).at;
  assert.ok(stopped < last, "it stopped before the end");

  // After the mouse, the keys are those of the page again; who presses a button with keys stays on it.
  const space = async (label) => {
    await page.keyboard.press(" ");
    await page.waitForSelector(`${by("play")}[aria-label=${label}]`);
  };
  await page.focus(by("scrubber"));
  await page.keyboard.press("Home");
  await page.click(by("next-event"));
  await at(2);
  await space("Pause");
  await space("Play");
  await page.click(by("compress"));
  await page.waitForSelector(`${by("compress")}[aria-pressed=true]`);
  await page.click(by("speed"));
  await page.selectOption(by("speed"), "0.5");
  await page.keyboard.press("f");
  await at(last);
  await page.keyboard.press("ArrowLeft");
  await at(last - 1);
  assert.equal(await page.inputValue(by("speed")), "0.5");
  await page.focus(by("prev-event"));
  await page.keyboard.press(" ");
  await at(last - 2);
  await page.keyboard.press("Enter");
  await at(last - 3);
  await page.focus(by("speed"));
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "speed");
  await page.focus(by("scrubber"));

  // / finds a node, Escape lets it go.
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "node-search");
  await page.keyboard.type("thr");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`${by("node-three")}[data-selected]`);
  await page.waitForSelector(by("node-panel"));
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("Escape");
  await page.waitForSelector(by("node-panel"), { state: "hidden" });

  // l searches the log, ? tells the keys.
  await page.keyboard.press("l");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "console-search");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  assert.deepEqual(await page.evaluate(nameless), [], "in a dialog");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog[open]", { state: "detached" });

  // Tab reaches the nodes; arrows go on from one to the next, and Enter selects.
  await page.evaluate(() => {
    document.activeElement.blur();
    getSelection().removeAllRanges();
  });
  const reached = [];
  for (let press = 0; press < 40; press += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => document.activeElement?.dataset?.key ?? document.activeElement?.dataset?.testid ?? document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
    reached.push(now);
    if (now === "start") break;
  }
  assert.equal(reached.at(-1), "start", reached.join(" → "));
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(() => document.activeElement?.dataset?.key === "one");
  await own.shot("focus");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`${by("node-one")}[data-selected]`);
  assert.deepEqual(await page.evaluate(nameless), [], "on the page of a run");
  // The focus can be seen.
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement.querySelector(".card")).strokeDasharray);
  assert.notEqual(outline, "none");
});
