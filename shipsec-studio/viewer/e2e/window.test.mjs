// Nothing of a run's page is lost below the window's edge, however small the window is.

import assert from "node:assert/strict";
import { by, chain, painted, scene, showsStatus } from "./harness.mjs";

const failing = (id, name) => ({ ...chain(id, [["first", "dev.sleep", { ms: 1 }], ["boom", "dev.fail", { kind: "ValidationError", message: "the disc is full of eels" }]]), name });

/** Where the parts of the page end, in pixels. */
const measure = (page) => page.evaluate(() => {
  const box = (selector) => document.querySelector(selector).getBoundingClientRect();
  return {
    height: document.documentElement.scrollHeight, list: box("[data-testid=console]").bottom, listTop: box("[data-testid=console]").top,
    row: box("[data-testid=console-line]:last-child").bottom, canvas: box("[data-testid=canvas]").height,
  };
});

function fits(shown, height, what) {
  assert.ok(shown.height <= height && shown.list <= height && shown.row <= height + 1 && shown.row <= shown.list + 1, `${what}: ${JSON.stringify(shown)}`);
  assert.ok(shown.list - shown.listTop >= 20, `${what}: no line of the console is left: ${JSON.stringify(shown)}`);
  assert.ok(shown.canvas >= 100, `${what}: the canvas is gone: ${JSON.stringify(shown)}`);
}

scene("window", "the end of the console is in sight at each size, also with the splitter at its most", async (own) => {
  const server = await own.serve();
  const run = await server.run(failing("eels", "Eels"));
  await server.ended(run);
  const page = await own.open(server, `?run=${run}`);
  await showsStatus(page, "FAILED");
  await page.click(by("failed-node"));
  for (const [width, height] of [[1440, 900], [1280, 600], [1024, 700]]) {
    await page.setViewportSize({ width, height });
    await painted(page);
    fits(await measure(page), height, `${width} × ${height}`);
    await own.shot(`${width}x${height}`);
    const bar = page.getByRole("separator");
    await bar.focus();
    for (let press = 0; press < 40; press += 1) await page.keyboard.press("ArrowUp");
    await painted(page);
    fits(await measure(page), height, `${width} × ${height}, the splitter at its most`);
    await own.shot(`${width}x${height}-most`);
  }
});

scene("window", "on a phone, head, controls and console are no wider than it", async (own) => {
  const server = await own.serve();
  const run = await server.run(failing("eels", "Eels in a telephone"));
  await server.ended(run);
  const page = await own.open(server, `?run=${run}`, { viewport: { width: 390, height: 844 } });
  await showsStatus(page, "FAILED");
  await painted(page);
  await own.shot("phone");
  const wide = await page.evaluate(() => [".run-header", ".run-top", ".run-line", ".controls", ".console"].filter((one) => {
    const element = document.querySelector(one);
    return element.scrollWidth > element.clientWidth || element.getBoundingClientRect().right > innerWidth;
  }));
  assert.deepEqual(wide, []);
});
