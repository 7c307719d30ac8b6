// The first page: the list of runs tells what it knows, and no more.

import assert from "node:assert/strict";
import { by, chain, painted, scene } from "./harness.mjs";

const long = "A workflow whose name goes on and on, as names do which somebody wrote for a report that nobody reads";

scene("home", "a filter that names a workflow finds its runs behind the newest hundred", async (own) => {
  const server = await own.serve();
  const old = await server.run(chain("old-one", [["a", "dev.sleep", { ms: 1 }]]));
  await server.ended(old);
  await server.store(chain("busy", [["a", "dev.sleep", { ms: 1 }]]));
  for (let at = 0; at < 101; at += 1) await server.again("busy");
  const page = await own.open(server, "");
  await page.waitForSelector(`${by("run-list")} tr`);
  await page.fill(by("run-filter"), "old-o");
  await page.getByText("None of the newest 100 runs fits.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Show older runs" }).isVisible());
  await own.shot("none");
  await page.fill(by("run-filter"), "old-one");
  await page.waitForSelector(by(`run-${old}`));
});

scene("home", "a server that does not answer is told of above the list", async (own) => {
  const server = await own.serve();
  await server.ended(await server.run(chain("one", [["a", "dev.sleep", { ms: 1 }]])));
  const page = await own.open(server, "");
  await page.waitForSelector(`${by("run-list")} tr`);
  const { port } = server;
  await server.stop();
  await page.waitForSelector(by("list-problem"), { state: "visible" });
  await own.shot("down");
  const [banner, table] = await page.evaluate(() => ["[data-testid=list-problem]", ".run-table"].map((one) => document.querySelector(one).getBoundingClientRect().top));
  assert.ok(banner < table, `${banner} ${table}`);
  await server.start({ port });
  await page.waitForSelector(by("list-problem"), { state: "hidden" });
});

scene("home", "the time of a run that goes on goes on, and a long title leaves the facts", async (own) => {
  const server = await own.serve();
  const run = await server.run({ ...chain("long", [["nap", "dev.sleep", { ms: 20_000 }]]), name: long });
  const page = await own.open(server, "");
  const time = page.locator(`${by(`run-${run}`)} td:nth-child(6)`);
  const first = await time.textContent();
  await page.waitForFunction(([row, first]) => document.querySelector(`${row} td:nth-child(6)`).textContent !== first, [by(`run-${run}`), first]);
  await page.goto(`${server.origin}/?run=${run}`);
  await page.waitForSelector(".fact");
  await painted(page);
  await own.shot("title");
  const cutOff = await page.evaluate(() => {
    const facts = document.querySelector(".part-facts");
    return [...facts.querySelectorAll(".fact")].filter((fact) => fact.getBoundingClientRect().right > facts.getBoundingClientRect().right + 1).length;
  });
  assert.equal(cutOff, 0);
});
