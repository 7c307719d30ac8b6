// What every test needs: a server of its own in a folder of its own, a browser that lets nothing
// leave the origin, and ways to ask both.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { chromium } from "playwright-core";

const SHIPSEC = process.env.E2E_SHIPSEC ?? "shipsec";
const SHOTS = process.env.E2E_SHOTS;
const DIST = process.env.E2E_DIST;
/** Longer than any condition takes on a slow machine, and shorter than a test may take. */
export const PATIENCE = 12_000;

/** A new folder, which somebody else removes. */
export function temporary() {
  return mkdtempSync(join(tmpdir(), "shipsec-e2e-"));
}

/** `shipsec serve` in a folder. */
export class Server {
  constructor(folder) {
    this.folder = folder;
    this.said = "";
  }

  /** Starts it; gives it once it listens. `port` 0 takes a free one. */
  async start({ port = 0, args = [], env = {} } = {}) {
    const child = spawn(SHIPSEC, ["serve", "--bind", `127.0.0.1:${port}`, ...args], {
      cwd: this.folder, env: { PATH: process.env.PATH, HOME: this.folder, ...env }, stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    this.token = env.SHIPSEC_TOKEN;
    child.stderr.on("data", (data) => (this.said += data));
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([once(lines, "line").then(([line]) => line), once(child, "exit").then(() => "")]);
    this.origin = /http:\/\/[\d.]+:\d+/.exec(line)?.[0];
    if (!this.origin) throw new Error(`shipsec serve did not start: ${this.said}`);
    this.port = Number(new URL(this.origin).port);
    return this;
  }

  /** Ends it: politely, or as a crash would. */
  async stop(signal = "SIGTERM") {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), 4000);
    await gone;
    clearTimeout(late);
  }

  async ask(method, path, body) {
    const headers = { ...(body !== undefined && { "Content-Type": "application/json" }), ...(this.token && { Authorization: `Bearer ${this.token}` }) };
    const response = await fetch(new URL(path, this.origin), { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  get = (path) => this.ask("GET", path);

  /** Stores a graph and runs it; gives the id of the run. */
  async run(graph, inputs = {}) {
    await this.store(graph);
    return this.again(graph.id, inputs);
  }

  store = (graph) => this.ask("PUT", `/workflows/${graph.id}`, graph).catch(() => this.ask("POST", `/workflows?id=${graph.id}`, graph));
  again = async (id, inputs = {}) => (await this.ask("POST", `/workflows/${id}/run`, { inputs })).runId;
  status = (run) => this.get(`/workflows/runs/${run}/status`);
  state = (run, at) => this.get(`/workflows/runs/${run}/state?at=${at}`);

  /** Waits for a run's end; gives its status. */
  async ended(run) {
    return until("the run's end", async () => {
      const status = await this.status(run);
      return FINAL.includes(status.status) && status;
    });
  }

  /** The whole log of a run. */
  async events(run) {
    const events = [];
    for (let done = false, after = 0; !done; ) {
      const page = await this.get(`/workflows/runs/${run}/trace?after=${after}&limit=10000`);
      events.push(...page.events);
      ({ done, cursor: after } = page);
    }
    return events;
  }
}

export const FINAL = ["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "TERMINATED"];

/** Asks again until the answer is true; gives it. */
export async function until(what, ask, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${patience} ms in vain for ${what}`);
    await new Promise((resume) => setTimeout(resume, 25));
  }
}

/** A graph. Nodes by id: `[component, params, more of the config, label]`; edges as `"a.out > b.in"`, `"a > b"`. */
export function graph(id, nodes, edges, name = id) {
  const end = (text) => {
    const dot = text.indexOf(".");
    return dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
  };
  return {
    id, name,
    nodes: Object.entries({ start: ["core.workflow.entrypoint", { runtimeInputs: [] }], ...nodes }).map(([id, [type, params = {}, config = {}, label = id]]) => (
      { id, type, position: { x: 0, y: 0 }, data: { label, config: { params, ...config } } })),
    edges: edges.map((edge, at) => {
      const [way, kind = "success"] = edge.split(" : ");
      const [[source, sourceHandle], [target, targetHandle]] = way.split(" > ").map(end);
      return { id: `e${at + 1}`, source, target, sourceHandle, targetHandle, kind };
    }),
    viewport: { x: 0, y: 0, zoom: 1 },
  };
}

/** Nodes one after the other: `[id, component, params, config]`. */
export function chain(id, nodes) {
  const names = ["start", ...nodes.map(([name]) => name)];
  return graph(id, Object.fromEntries(nodes.map(([name, ...node]) => [name, node])), names.slice(1).map((name, at) => `${names[at]} > ${name}`));
}

/** One scene of a test: its server, its browser, and what went wrong in it. */
export class Scene {
  faults = [];
  #closers = [];

  constructor(name) {
    this.name = name;
    this.folder = temporary();
    this.#closers.push(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  onClose(close) {
    this.#closers.push(close);
  }

  async serve(options) {
    const server = new Server(this.folder);
    this.onClose(() => server.stop("SIGKILL"));
    return server.start(options);
  }

  /** A browser of its own, with nothing stored. */
  async context(server, options = {}) {
    const browser = (this.browser ??= await launch());
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", ...options });
    context.setDefaultTimeout(PATIENCE);
    const own = new URL(server.origin).host;
    await context.route((url) => /^(https?|wss?|ftp):$/.test(url.protocol) && url.host !== own, (route) => {
      this.faults.push(`a request left the origin: ${route.request().url()}`);
      return route.abort();
    });
    if (DIST) await context.route((url) => url.host === own && (url.pathname === "/" || url.pathname.startsWith("/assets/")), fromDist);
    await context.exposeBinding("e2eViolation", (_, what) => this.faults.push(`the content security policy was violated: ${what}`));
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        window.e2eViolation(`${event.violatedDirective} by ${event.blockedURI || event.sourceFile} ${event.sample}`);
      });
    });
    return context;
  }

  /** A page of the viewer. */
  async open(server, address = "", options = {}) {
    const context = options.context ?? await this.context(server, options);
    const page = await context.newPage();
    this.page = page;
    page.on("pageerror", (error) => this.faults.push(`an error on the page: ${error.stack ?? error}`));
    page.on("crash", () => this.faults.push("the page crashed"));
    page.on("dialog", (dialog) => {
      this.faults.push(`a dialog of the browser: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.faults.push(`the console says: ${message.text()}`);
    });
    await page.goto(`${server.origin}/${address}`);
    return page;
  }

  /** Keeps a picture, where pictures are wanted. */
  async shot(name, page = this.page) {
    if (!SHOTS || !page) return;
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `${this.name}-${name}.png`) });
  }

  async close() {
    await this.browser?.close();
    for (const close of this.#closers.reverse()) await close();
  }
}

function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

function fromDist(route) {
  const { pathname } = new URL(route.request().url());
  const name = pathname === "/" ? "/index.html" : pathname;
  const contentType = { html: "text/html", js: "text/javascript", css: "text/css" }[name.split(".").at(-1)];
  const policy = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return route.fulfill({ contentType, headers: { "Content-Security-Policy": policy }, body: readFileSync(join(DIST, name)) });
}

/** A test. It fails too where the page met an error, violated its policy or asked another origin. */
export function scene(name, what, body) {
  test(`${name}: ${what}`, { timeout: 60_000 }, async (t) => {
    const own = new Scene(name.replaceAll(" ", "-"));
    try {
      await body(own, t);
      if (own.faults.length > 0) throw new Error(own.faults.join("\n"));
    } catch (error) {
      await own.shot("failed").catch(() => {});
      if (own.faults.length > 0) error.message += `\nbesides: ${own.faults.join("\n")}`;
      throw error;
    } finally {
      await own.close();
    }
  });
}

/** An element by its `data-testid`. */
export const by = (id) => `[data-testid="${id}"]`;

/** Waits until a run's page shows this status, live or at the end of its log. */
export async function showsStatus(page, ...statuses) {
  await page.waitForSelector(statuses.map((status) => `${by("run-status")}[data-status="${status}"]`).join(", "));
}

/** Waits until the page has shown what it was to show when this was called. */
export function painted(page) {
  return page.evaluate(() => new Promise((resume) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => resume())))));
}

/** What a run's page shows, all from one frame. */
export function picture(page) {
  return page.evaluate(() => window.e2ePicture());
}

/** Gives a page `e2ePicture`, and records what it shows at each event while it is live. */
export async function watch(context) {
  await context.addInitScript(() => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    window.e2ePicture = () => {
      const scrubber = document.querySelector("[data-testid=scrubber]");
      const flow = document.querySelector("path.flow")?.getAttribute("d") ?? "";
      return {
        at: Number(scrubber?.getAttribute("aria-valuenow")),
        last: Number(scrubber?.getAttribute("aria-valuemax")),
        status: document.querySelector("[data-testid=run-status]")?.getAttribute("data-status"),
        states: Object.fromEntries(all("[data-key][data-state]").map((node) => [node.dataset.key, node.dataset.state])),
        // Two edges between the same nodes take the same way, so ways are compared, not edges.
        flow: flow.split("M").filter(Boolean).sort(),
        ways: Object.fromEntries(all(".edges path[data-testid]").map((edge) => [edge.dataset.testid.slice("edge-".length), edge.getAttribute("d").slice(1)])),
      };
    };
    window.e2eSeen = new Map();
    window.e2eFirst = undefined;
    new MutationObserver(() => {
      const shown = window.e2ePicture();
      const nodes = Object.keys(shown.states);
      if (nodes.length > 0) window.e2eFirst ??= nodes;
      if (shown.at > 0 && nodes.length > 0) window.e2eSeen.set(shown.at, shown);
    }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state", "aria-valuenow", "d"] });
  });
}

/** What the page showed at each event that it stopped at, in the order of the events. */
export async function seen(page) {
  return (await page.evaluate(() => [...window.e2eSeen.values()])).sort((a, b) => a.at - b.at);
}

const LOOKS = { RUNNING: "running", RETRYING: "retrying", AWAITING_INPUT: "awaiting-input", COMPLETED: "success", FAILED: "failed", SKIPPED: "skipped", CANCELLED: "cancelled" };

/** What a canvas has to show of the server's own state; joins are all `all`, or those given by node. */
export function expected(state, joins = {}) {
  const goesOn = ["QUEUED", "RUNNING", "AWAITING_INPUT"].includes(state.status);
  const states = {};
  for (const { nodeId, state: name } of state.nodes) {
    const entering = state.edges.filter((edge) => edge.targetRef === nodeId);
    const ready = joins[nodeId] === "settled" ? entering.every((edge) => edge.state === "fired" || edge.state === "dead") : entering.every((edge) => edge.state === "fired");
    states[nodeId] = name === "PENDING" ? (goesOn && ready ? "queued" : "idle") : LOOKS[name];
  }
  const pending = new Set(state.nodes.filter((node) => node.state === "PENDING").map((node) => node.nodeId));
  const passing = state.edges.filter((edge) => edge.state === "fired" && pending.has(edge.targetRef)).map((edge) => edge.id).sort();
  return { states, passing };
}

/** Asserts that a picture is what the server's own state of that event looks like. */
export function isLike(shown, state, joins) {
  const wanted = expected(state, joins);
  assert.deepEqual(shown.states, wanted.states, `the nodes at event ${shown.at}`);
  assert.deepEqual(shown.flow, wanted.passing.map((edge) => shown.ways[edge]).sort(), `the edges that pass data at event ${shown.at}`);
}

/** Goes to an event with the keys of the scrubber. */
export async function goTo(page, at) {
  const scrubber = page.locator(by("scrubber"));
  await scrubber.focus();
  const now = Number(await scrubber.getAttribute("aria-valuenow"));
  for (let step = 0; step < Math.abs(at - now); step += 1) await page.keyboard.press(at > now ? "ArrowRight" : "ArrowLeft");
  await page.waitForSelector(`${by("scrubber")}[aria-valuenow="${at}"]`);
}
