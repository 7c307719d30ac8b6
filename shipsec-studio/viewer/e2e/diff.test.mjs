// Two runs beside each other.

import assert from "node:assert/strict";
import { by, graph, scene } from "./harness.mjs";

const LONG = "A pair of runs whose workflow has a name that is longer than there is room for on the canvas, and goes on";
const before = graph("pair", { wait: ["dev.sleep", { ms: 20 }], say: ["dev.emit", { outputBytes: 10 }] }, ["start > wait", "wait > say"], LONG);
const after = graph("pair", { wait: ["dev.sleep", { ms: 30 }], say: ["dev.emit", { outputBytes: 20 }], extra: ["dev.sleep", { ms: 1 }] }, ["start > wait", "wait > say", "say > extra"], LONG);

scene("diff", "what changed is marked and listed, and can be ignored", async (own) => {
  const server = await own.serve();
  const first = await server.run(before);
  await server.ended(first);
  const second = await server.run(after);
  await server.ended(second);
  const page = await own.open(server);
  await page.check(by(`pick-${first}`));
  await page.check(by(`pick-${second}`));
  await page.click(by("compare-runs"));
  await page.waitForSelector(by("diff-list"));
  assert.match(page.url(), new RegExp(`diff=${first},${second}`));
  await page.waitForSelector(`${by("node-b:extra")}.mark-added`);
  await page.waitForSelector(`${by("node-a:wait")}.mark-changed`);
  await page.waitForSelector(`${by("node-b:wait")}.mark-changed`);
  assert.equal(await page.locator(by("node-a:extra")).count(), 0);
  assert.equal(await page.locator(`${by("node-a:start")}[class*="mark-"]`).count(), 0);
  const { left, right, top, bottom } = await page.evaluate(() => {
    const [canvas, ...headings] = [".canvas", ".heading"].flatMap((name) => [...document.querySelectorAll(name)]).map((one) => one.getBoundingClientRect());
    const [same, only] = ["diff-unchanged", "only-differences"].map((id) => document.querySelector(`[data-testid=${id}]`).getBoundingClientRect());
    return {
      left: headings.map((heading) => heading.left - canvas.left), right: headings.map((heading) => canvas.right - heading.right),
      top: only.top - same.top, bottom: same.bottom - only.bottom,
    };
  });
  assert.ok(left.length === 2 && [...left, ...right].every((room) => room >= 0), `headings stand on the canvas: ${left} ${right}`);
  assert.ok(top >= 0 && bottom >= 0, "how many nodes are the same stands in the row of the other tools");
  await own.shot("marks");

  const entries = async (kind) => page.locator(`${by("diff-change")}[data-class="${kind}"]`).allTextContents();
  const parameters = await entries("parameter");
  assert.ok(parameters.some((text) => text.includes("ms") && text.includes("20") && text.includes("30")), parameters.join("\n"));
  assert.equal((await entries("added")).length, 1);
  const outputs = (await entries("output")).length;
  assert.ok(outputs > 0, "another output is a change");

  // By its own button, and by a path that is typed.
  await page.locator(`${by("diff-change")}[data-class="parameter"]:has-text("ms") button:has-text("ignore")`).click();
  await page.waitForFunction((before) => document.querySelectorAll("[data-testid=diff-change][data-class=parameter]").length === before, parameters.length - 1);
  await page.fill(by("ignore-path"), "say/**");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=diff-change][data-class=output]").length === 0);
  await own.shot("ignored");
  await page.waitForFunction(() => new URL(location.href).searchParams.getAll("ignore").length === 2);
  const url = page.url();
  await page.reload();
  await page.waitForSelector(by("diff-list"));
  assert.equal(page.url(), url);
  assert.equal((await entries("output")).length, 0, "what is ignored stands in the address");
  // And compared again.
  await page.click("button[aria-label='Compare say/** again']");
  await page.waitForFunction((outputs) => document.querySelectorAll("[data-testid=diff-change][data-class=output]").length === outputs, outputs);

  // What is shown of it stands in the address too.
  await page.click(by("class-output"));
  await page.click(by("class-added"));
  await page.uncheck(by("only-differences"));
  await page.waitForFunction(() => /hide=output,added&same=1/.test(location.search));
  await page.reload();
  await page.waitForSelector(by("diff-list"));
  assert.equal(await page.isChecked(by("only-differences")), false);
  assert.equal(await page.locator(".same").count(), 1);
  assert.deepEqual([await entries("output"), await entries("added")], [[], []]);
  assert.equal(await page.getAttribute(by("class-output"), "aria-pressed"), "false");
  await page.click(by("class-output"));
  await page.click(by("class-added"));
  await page.check(by("only-differences"));
  await page.waitForFunction(() => !/hide|same/.test(location.search));

  // A node leads to its changes, a change to its runs.
  await page.click(by("node-b:say"));
  await page.waitForFunction(() => [...document.querySelectorAll("[data-testid^=diff-node-]")].map((one) => one.textContent).join() === "say");
  await page.click(by("open-second"));
  await page.waitForSelector(`${by("node-say")}[data-selected]`);
  assert.equal(new URL(page.url()).searchParams.get("run"), second);
  await page.goBack();
  await page.waitForSelector(by("diff-list"));

  // In which of the runs it is selected survives a reload, and so does what only the first run has.
  await page.click(by("node-a:say"));
  await page.waitForFunction(() => /side=a/.test(location.search));
  await page.reload();
  await page.waitForSelector(`${by("node-a:say")}[data-selected]`);
  const edge = (node) => page.locator(`${by(node)} .card`).evaluate((card) => [getComputedStyle(card).stroke, getComputedStyle(card).strokeWidth].join());
  assert.notEqual(await edge("node-a:say"), await edge("node-b:say"), "what is selected looks so");
  assert.equal(await page.locator("[data-selected]").count(), 1);
  await page.click("button:has-text('Swap')");
  await page.waitForSelector(`${by("node-b:say")}[data-selected]`);
  await page.click("button:has-text('Show all')");
  await page.click(by("diff-node-extra"));
  await page.waitForSelector(`${by("node-a:extra")}.mark-removed[data-selected]`);
  await page.waitForFunction(() => /node=extra/.test(location.search));
  await page.reload();
  await page.waitForSelector(`${by("node-a:extra")}[data-selected]`);
  await own.shot("removed");
});

scene("diff texts", "where two long texts differ is shown and marked, as text", async (own) => {
  const server = await own.serve();
  const long = (word) => `${"the same words before ".repeat(70)}<b>${word}</b> and after${" more".repeat(10)}`;
  const lines = (word) => `first line\nsecond ${word}\nthird line`;
  // Of these, one shares the first half of a character and one the second.
  const signs = { "left\u202e": "x\u{1f600}y\u{1f600}z", right: "x\u{1f601}y\u{1fa00}z" };
  const told = (word) => graph("texts", { join: ["core.text.joiner", { separator: long(word) }, { inputOverrides: { items: [signs[word], lines(word)] } }] }, ["start > join"]);
  const runs = [];
  for (const word of ["left\u202e", "right"]) {
    runs.push(await server.run(told(word)));
    await server.ended(runs.at(-1));
  }
  const page = await own.open(server, `?diff=${runs}`);
  const sides = page.locator(`${by("diff-change")}:has(.path:text-is("separator")) .side`);
  await sides.first().waitFor();
  assert.deepEqual(await sides.locator("mark").allTextContents(), ["left\\u202e", "right"]);
  const [before, after] = await sides.allTextContents();
  assert.match(before, /"….{100,}<b>left\\u202e<\/b> and after/);
  assert.match(after, /"….{100,}<b>right<\/b> and after/);
  assert.equal(await page.locator(".side b").count(), 0);
  assert.match(await sides.locator("mark").first().evaluate((mark) => getComputedStyle(mark).textDecorationLine), /underline/);
  await sides.first().locator("button").click();
  assert.equal(await page.locator("dialog .whole").textContent(), long("left\\u202e"));
  await page.keyboard.press("Escape");
  assert.deepEqual(await page.locator(`${by("diff-change")}:has(.path:text-is("items / 0")) mark`).allTextContents(), ["\u{1f600}y\u{1f600}", "\u{1f601}y\u{1fa00}"]);
  // Lines stay lines.
  const second = page.locator(`${by("diff-change")} .side:has(mark:text-is("right")) .json-text:has-text("third line")`).first();
  assert.match(await second.innerText(), /^"?first line\nsecond right\nthird line/m);
  await own.shot("texts");
});

scene("diff live", "a run that goes on is read again until it has ended", async (own) => {
  const server = await own.serve();
  const nodes = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`say${at}`, ["dev.emit", { outputBytes: 1 }]]));
  const edges = Object.keys(nodes).map((node) => `start > ${node}`);
  const first = await server.run(graph("live", nodes, edges));
  await server.ended(first);
  const gate = { ...Object.fromEntries(Object.keys(nodes).map((node) => [node, ["dev.emit", { outputBytes: 2 }]])), gate: ["core.approval", { title: "Open the gate?" }] };
  const second = await server.run(graph("live", gate, [...edges, "start > gate"]));
  const page = await own.open(server, `?diff=${first},${second}`);
  await page.waitForSelector(`${by("node-b:gate")}[data-state="awaiting-input"]`);
  await page.waitForSelector(`${by("node-b:say1")}[data-state="success"]`);
  await page.waitForSelector(by("diff-list"));
  await page.evaluate(() => (document.querySelector(".changes").scrollTop = 300));
  await page.focus(by("node-b:say1"));
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await server.ask("POST", `/workflows/runs/${second}/answer`, { node: "gate", answer: { approved: true } });
  await server.ended(second);
  await page.waitForSelector(`${by("node-b:gate")}[data-state="success"]`);
  await page.waitForSelector(`.diff-side:has-text("${second}") .is-success`);
  assert.equal(await page.evaluate(() => document.querySelector(".changes").scrollTop), 300);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "node-b:say1");
  assert.ok(!asked.some((path) => path.includes(first) && path.endsWith("/status")), "what has ended is not asked for");
});

scene("diff lost", "a run that cannot be read is named, and so are both where they cannot be compared", async (own) => {
  const server = await own.serve();
  const run = await server.run(before);
  await server.ended(run);
  const page = await own.open(server, `?diff=${run},nowhere`);
  await page.waitForSelector("h2:has-text('The run nowhere cannot be shown')");
  assert.match(await page.textContent(".whole-page p"), /nowhere/);
  await own.shot("run");
  await page.click("button:has-text('Reload')");
  await page.waitForSelector("h2:has-text('The run nowhere cannot be shown')");
  await page.click(".brand");
  await page.waitForSelector(by(`pick-${run}`));

  await page.route("**/runs/diff?*", (route) => route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify({ title: "No path", detail: "say/ is no path" }) }));
  await page.goto(`${server.origin}/?diff=${run},${run}&ignore=say/`);
  await page.waitForSelector(".diff-side");
  assert.equal(await page.locator(".diff-side").count(), 2);
  assert.equal(await page.textContent(".problem"), "say/ is no path");
  await page.waitForSelector(`${by("node-b:say")}[data-state="success"]`);
  await page.unroute("**/runs/diff?*");
  await page.click("button[aria-label='Compare say/ again']");
  await page.waitForSelector(by("diff-list"));
  assert.equal(await page.textContent(".problem"), "");
});
