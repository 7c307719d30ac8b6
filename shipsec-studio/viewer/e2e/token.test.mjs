// A server with a token gives nothing without it, and the viewer asks for it.

import assert from "node:assert/strict";
import { by, chain, scene, showsStatus } from "./harness.mjs";

scene("token", "a wrong token is refused, and the right one works", async (own) => {
  const token = ["correct", "horse", "battery", "staple"].join("-");
  const server = await own.serve({ env: { SHIPSEC_TOKEN: token } });
  assert.equal((await fetch(`${server.origin}/workflows/runs`)).status, 401);
  const run = await server.run(chain("short", [["nap", "dev.sleep", { ms: 5000 }]]));
  const page = await own.open(server, `?run=${run}`);
  await page.waitForSelector(by("token"));
  await own.shot("asked");
  assert.equal(await page.locator(`${by("rerun")}, ${by("compare")}, .part-facts .fact`).count(), 0, "nothing is said of a run that was not read");
  assert.equal(await page.locator("dialog").count(), 1, "it asks once");
  const enter = async (text) => {
    await page.fill(by("token"), text);
    await page.keyboard.press("Enter");
  };
  await enter("incorrect-horse-battery");
  await page.waitForSelector("dialog:has-text('did not take that one')");
  assert.equal(await page.locator(by("node-nap")).count(), 0);
  await own.shot("refused");
  await enter(token);
  await page.waitForSelector(`${by("node-nap")}[data-state=running]`);
  // The stream of events brings it too, and it lasts as long as the tab does.
  await showsStatus(page, "COMPLETED");
  await page.reload();
  await showsStatus(page, "COMPLETED");
  assert.equal(await page.locator("dialog").count(), 0);
  assert.ok(!page.url().includes(token));
  assert.equal(await page.evaluate((token) => JSON.stringify(localStorage).includes(token) || document.cookie.includes(token), token), false);
});
