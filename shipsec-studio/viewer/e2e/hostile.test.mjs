// What components write is text of strangers: shown, never obeyed.

import assert from "node:assert/strict";
import { by, graph, picture, scene, showsStatus, watch } from "./harness.mjs";

const OWN = "window.owned=1";
const MARKUP = [
  `<img src=x onerror="${OWN}">`, `<script>${OWN}</script>`, `<svg onload="${OWN}"><a href="javascript:${OWN}">x</a>`,
  `"><iframe srcdoc="<script>parent.${OWN.slice(7)}</script>"></iframe>`, `<link rel=stylesheet href=http://203.0.113.9/x.css><img src=http://203.0.113.9/x.png>`,
].join(" ");
const ESCAPES = "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u001b[2J bell\u0007";
const BIDI = "safe\u202egnp.exe \u2066hidden\u2069 zero\u200bwidth \u{e0041}tag";
const HOSTILE = `${MARKUP} ${ESCAPES} ${BIDI}`;
const MARKDOWN = `# ${MARKUP}\n\n[click](javascript:${OWN}) ![x](http://203.0.113.9/pixel.png) <b onmouseover=${OWN}>b</b>\n\n| a | b |\n|---|---|\n| ${MARKUP.replaceAll("|", "")} | ${BIDI} |\n\n${"*_[".repeat(2000)}`;
const SARIF = { version: "2.1.0", runs: [{ tool: { driver: { name: HOSTILE } }, results: [{ ruleId: HOSTILE, level: MARKUP, message: { text: HOSTILE }, locations: [{ physicalLocation: { artifactLocation: { uri: `javascript:${OWN}` } } }] }] }] };
/** What takes long to read, unless somebody has thought of it. */
const SLOW_MARKDOWN = `${"![](a".repeat(300)}\n\n`.repeat(120);
const many = (what) => Array.from({ length: 30_000 }, (_, at) => what(at));
const SLOW_SARIF = { version: "2.1.0", runs: [{ tool: { driver: { name: "slow", rules: many((at) => ({ id: `r${at}` })) } }, results: many((at) => ({ ruleId: `r${at}` })) }] };
const files = [
  ["slow.md", "text/markdown", SLOW_MARKDOWN], ["slow.sarif", "application/sarif+json", JSON.stringify(SLOW_SARIF)],
  ["page.html", "text/html", `<body onload=${OWN}>${MARKUP}`], ["shape.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" onload="${OWN}"><script>${OWN}</script></svg>`],
  ["run.js", "text/javascript", OWN], ["pixel.png", "image/png", MARKUP], ["notes.md", "text/markdown", MARKDOWN], ["results.sarif", "application/sarif+json", JSON.stringify(SARIF)],
  [MARKUP.replaceAll(/[\/\\:]/g, "_").slice(0, 120), "application/x-evil+json", JSON.stringify({ [MARKUP]: HOSTILE, ["__proto__"]: { polluted: true } })], [`${BIDI}.txt`.replaceAll("\u200b", ""), 'text/plain"; onclick="x', HOSTILE],
];

scene("hostile", "nothing that a component writes is obeyed", async (own) => {
  const server = await own.serve();
  const nodes = {
    say: ["core.approval", { title: HOSTILE, description: HOSTILE, timeoutSeconds: 0.2 }, {}, HOSTILE],
    echo: ["dev.echo", {}, { inputOverrides: { value: { [MARKUP]: HOSTILE, list: [ESCAPES, BIDI] } } }],
    form: ["core.form", { title: MARKUP, description: BIDI, fields: [{ id: MARKUP, label: HOSTILE, type: "select", options: [MARKUP, BIDI] }], timeoutSeconds: 600 }],
    fail: ["dev.fail", { kind: "ValidationError", message: HOSTILE }, {}, MARKUP],
    joined: ["core.text.joiner", { separator: HOSTILE }, { inputOverrides: { items: [MARKUP, ESCAPES, BIDI] } }],
  };
  files.forEach(([name, mediaType, content], at) => (nodes[`file${at}`] = ["core.artifact.write", { name, mediaType }, { inputOverrides: { content } }]));
  const run = await server.run(graph("hostile", nodes, Object.keys(nodes).map((node) => `start > ${node}`), HOSTILE));
  const context = await own.context(server);
  await watch(context);
  const page = await own.open(server, `?run=${run}`, { context });
  await page.waitForSelector(`${by("node-fail")}[data-state=failed]`);
  const calm = async (where) => {
    assert.equal(await page.evaluate(() => window.owned), undefined, `a script ran: ${where}`);
    assert.equal(await page.evaluate(() => ({}).polluted), undefined, where);
    assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll("script, iframe, object, embed, link, style, [onerror], [onload], [onclick], [srcdoc], a[href^='javascript:']")].filter((one) => !one.matches("head > :is(script[src^='assets/'], link[href^='assets/'], link[href='data:,'])")).map((one) => one.outerHTML)), [], where);
    const bare = await page.evaluate(() => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069]|[\u{e0000}-\u{e0fff}]/u.exec(`${document.body.innerText} ${document.title} ${[...document.querySelectorAll("svg text, title, [title], [aria-label]")].map((one) => `${one.textContent} ${one.getAttribute("title")} ${one.getAttribute("aria-label")}`).join(" ")}`)?.[0]);
    assert.equal(bare, undefined, `a hidden character is shown as it is: U+${bare?.codePointAt(0).toString(16)} ${where}`);
  };
  await calm("the page of the run");
  await own.shot("run");
  for (const node of ["say", "echo", "form", "fail", "joined"]) {
    await page.locator(by(`node-${node}`)).evaluate((one) => one.dispatchEvent(new MouseEvent("click", { bubbles: true })));
    await page.waitForSelector(`${by(`node-${node}`)}[data-selected]`);
    await page.waitForFunction((node) => document.querySelector("[data-testid=node-panel]").dataset.node === node, node);
    // Folds are filled when they are opened, and hold further folds.
    await page.evaluate(async () => {
      for (let turn = 0; turn < 20; turn += 1) {
        const folds = document.querySelectorAll("[data-testid=node-panel] details:not([open])");
        for (const fold of folds) fold.open = true;
        await new Promise((resume) => requestAnimationFrame(() => requestAnimationFrame(resume)));
        if (folds.length === 0) return;
      }
    });
    await calm(`the panel of ${node}`);
    await own.shot(`panel-${node}`);
  }
  // The console's lines, each opened.
  const logged = (await server.events(run)).filter((event) => event.message?.includes("onerror")).map((event) => event.sequence);
  assert.ok(logged.length >= 2, "hostile lines are in the log");
  await page.fill(by("console-search"), "onerror");
  await page.waitForFunction(() => /^\d+ of /.test(document.querySelector("[data-testid=console-count]").textContent));
  for (const row of await page.locator(`${by("console-line")} .message`).all()) {
    await row.click();
    await page.waitForSelector(by("event-details"));
    await calm("the details of an event");
  }
  await own.shot("console");
  // Artifacts, each looked into.
  await page.click(by("tab-artifacts"));
  const { artifacts } = await server.get(`/workflows/runs/${run}/artifacts`);
  assert.equal(artifacts.length, files.length);
  for (const { artifactId, name } of artifacts) {
    await page.locator(`[data-artifact="${artifactId}"]`).click();
    await page.waitForFunction(() => !document.querySelector("[data-testid=artifact-preview]").textContent.endsWith("Loading…"));
    await calm(`the preview of ${name}`);
    await own.shot(`artifact-${artifacts.findIndex((one) => one.artifactId === artifactId)}`);
    // Nor where somebody opens the bytes themselves.
    const response = await fetch(`${server.origin}/workflows/runs/${run}/artifacts/${artifactId}?inline=true`);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.match(response.headers.get("content-security-policy"), /sandbox/);
    if (/html|svg|script/.test(response.headers.get("content-type") ?? "")) assert.match(response.headers.get("content-disposition"), /^attachment/);
  }
  // The question is asked and answered like any other.
  await page.goto(`${server.origin}/?run=${run}&node=form`);
  await page.waitForSelector(by("answer-form"));
  await calm("the form");
  // The list of runs, and the comparison of two.
  const other = await server.again("hostile");
  await page.goto(`${server.origin}/`);
  await page.waitForSelector(by(`run-${other}`));
  await calm("the list of runs");
  await own.shot("home");
  await page.goto(`${server.origin}/?diff=${run},${other}`);
  await page.waitForSelector(by("diff-list"));
  await calm("the comparison");
  // Hostile addresses.
  await page.goto(`${server.origin}/?run=${encodeURIComponent(MARKUP)}&node=${encodeURIComponent(HOSTILE)}&text=${encodeURIComponent(MARKUP)}`);
  await page.waitForSelector("text=This run cannot be shown");
  await calm("a hostile address");
});

scene("hostile", "a line of ten megabytes stops nobody", async (own) => {
  const server = await own.serve();
  const line = (size) => `begin${"<b>x\u202e".repeat(size / 5)}end`;
  const run = await server.run(graph("long", { say: ["core.approval", { title: "?", description: line(1_000_000), timeoutSeconds: 0.01 }], big: ["dev.emit", { outputBytes: 10_000_000, artifactBytes: 10_000_000 }] }, ["start > say", "start > big"]));
  assert.equal((await server.ended(run)).status, "COMPLETED");
  // The log itself cuts such a line. What another writer might leave there is put into its answer.
  const { message } = (await server.events(run)).find((event) => event.message?.startsWith("begin"));
  assert.ok(message.length < 100_000, `the log holds ${message.length} characters of it`);
  const context = await own.context(server);
  await context.route("**/trace?*", async (route) => {
    const response = await route.fetch();
    const trace = await response.json();
    for (const event of trace.events) if (event.message === message) event.message = line(10_000_000);
    await route.fulfill({ response, json: trace });
  });
  const page = await own.open(server, `?run=${run}`, { context });
  await showsStatus(page, "COMPLETED");
  await page.waitForSelector(by("console-line"));
  // Responsive: a frame comes soon, also while the line is searched and opened.
  const frame = () => page.evaluate(() => new Promise((resume) => {
    const began = performance.now();
    requestAnimationFrame(() => setTimeout(() => resume(performance.now() - began)));
  }));
  await page.fill(by("console-search"), "begin<b>x");
  await page.waitForFunction(() => document.querySelector("[data-testid=console-count]").textContent.startsWith("1 of "));
  await page.locator(`${by("console-line")} .message`).click();
  await page.waitForSelector(by("event-details"));
  await own.shot("long");
  const text = await page.evaluate(() => document.body.innerText.length);
  assert.ok(text < 100_000, `${text} characters are on the page`);
  assert.ok(await frame() < 2000, "the page draws");
  await page.click(`${by("event-details")} button:has-text("10,000,008 characters")`);
  await page.waitForSelector("dialog[open] .whole");
  await page.click("dialog[open] button:has-text('Next part')");
  await page.waitForSelector("dialog[open] :has-text('Part 2 of')");
  await own.shot("whole");
  await page.keyboard.press("Escape");
  await page.click(by("node-big"));
  await page.waitForSelector(by("node-panel"));
  await page.click(by("tab-artifacts"));
  await page.locator("[data-artifact]").first().click();
  await page.waitForFunction(() => !document.querySelector("[data-testid=artifact-preview]").textContent.endsWith("Loading…"));
  assert.ok(await frame() < 2000, "the page still draws");
  assert.equal(await page.evaluate(() => window.owned), undefined);
});
