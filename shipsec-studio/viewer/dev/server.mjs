// Serves ../dist with made-up runs, for developing the viewer without a server: `npm run dev`.
// It speaks as much of the HTTP contract as the viewer needs. TOKEN=… makes it ask for that token.

import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { layout, QUESTION, runs } from "./runs.mjs";

const port = Number(process.env.PORT ?? 7070);
const token = process.env.TOKEN;
const dist = new URL("../../dist/", import.meta.url);
const bundled = await build({ entryPoints: [new URL("../src/fold.ts", import.meta.url).pathname], bundle: true, format: "esm", write: false });
const { Fold } = await import(`data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString("base64")}`);

const all = runs();
const began = Date.now();
const layouts = new Map();

/** How much of a run has happened: a live one goes on while one looks. */
function length({ log, live }) {
  if (!live) return log.events.length;
  const now = Date.now();
  return log.events.findLastIndex((event) => Date.parse(event.timestamp) <= now) + 1;
}

function stateAt(run, at) {
  if (run.state?.sequence === at) return run.state;
  const fold = new Fold(run.log.runId);
  for (const event of run.log.events.slice(0, at)) fold.apply(event);
  return (run.state = fold.state());
}

function definitionOf(run) {
  return run.log.events[0].payload.definition;
}

function details(run) {
  const last = length(run);
  const definition = last > 0 ? definitionOf(run) : null;
  const id = run.log.runId;
  if (definition && !layouts.has(id)) layouts.set(id, layout(definition));
  const { nodes: _, edges: __, artifacts: ___, ...status } = stateAt(run, last);
  return { run: { ...status, interrupted: false }, lastSequence: last, definition, layout: definition && layouts.get(id), inputs: status.inputs ?? null, lineage: {} };
}

function summary(run) {
  const last = length(run);
  const { status, workflowId, startedAt, updatedAt } = stateAt(run, last);
  return { runId: run.log.runId, workflowId, status, startedAt, updatedAt, lastSequence: last, interrupted: false };
}

function diff(a, b, ignore) {
  const [left, right] = [a, b].map((run) => stateAt(run, length(run)));
  const changes = [];
  const ignored = (nodeId, path) => ignore.some((rule) => [nodeId ?? "", ...path].join("/").startsWith(rule.replace(/^\*\*\//, `${nodeId}/`)));
  const tell = (kind, nodeId, path, before, after) => ignored(nodeId, path) || changes.push({ class: kind, ...(nodeId && { nodeId }), path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) });
  const deep = (kind, node, path, x, y) => {
    if (JSON.stringify(x) === JSON.stringify(y)) return;
    if (x && y && typeof x === "object" && typeof y === "object") for (const key of new Set([...Object.keys(x), ...Object.keys(y)])) deep(kind, node, [...path, key], x[key], y[key]);
    else tell(kind, node, path, x, y);
  };
  if (left.status !== right.status) tell("status", undefined, [], { status: left.status }, { status: right.status });
  let same = 0;
  for (const node of right.nodes) {
    const before = left.nodes.find((other) => other.nodeId === node.nodeId);
    const count = changes.length;
    if (!before) tell("added", node.nodeId, [], undefined, { state: node.state });
    else {
      if (before.state !== node.state) tell("status", node.nodeId, [], { state: before.state, error: before.error }, { state: node.state, error: node.error });
      for (const port of Object.keys({ ...before.outputs, ...node.outputs })) deep("output", node.nodeId, [port], before.outputs?.[port]?.value, node.outputs?.[port]?.value);
    }
    if (count === changes.length) same += 1;
  }
  for (const node of left.nodes) if (!right.nodes.some((other) => other.nodeId === node.nodeId)) tell("removed", node.nodeId, [], { state: node.state });
  const counts = {};
  for (const change of changes) counts[change.class] = (counts[change.class] ?? 0) + 1;
  const side = ({ runId, workflowId, status, startedAt }) => ({ runId, workflowId, workflowVersion: null, status, startedAt });
  return { a: side(left), b: side(right), counts, changes, unchangedNodes: same };
}

function answer(run, { node, answer }) {
  const wrong = typeof answer?.approved !== "boolean" ? "\"approved\" is a required property" : answer.comment === "" || answer.comment?.length > 20 ? `/comment: ${JSON.stringify(answer.comment)} is longer than 20 characters` : undefined;
  if (wrong) return wrong;
  run.live = false;
  const at = (Date.now() - run.log.start) / 1000;
  run.log.add("NODE_INPUT_RECEIVED", at, node, { requestId: QUESTION.requestId, answer }, { attempt: 0 }).done(at, node, {}, { activePorts: [answer.approved ? "approved" : "rejected"] });
  const [way, other] = answer.approved ? ["ticket", "rejected"] : ["rejected", "ticket"];
  run.log.add("NODE_SKIPPED", at, other, { reason: "branch-not-taken", cause: node }, { attempt: 0 }).started(at, way).done(at + 0.1, way).add("WORKFLOW_STATUS", at + 0.2, undefined, { status: "COMPLETED" });
  return undefined;
}

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : {};
}

function stream(request, response, run, after) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  let sent = after;
  const send = () => {
    const last = length(run);
    for (; sent < last; sent += 1) {
      const event = run.log.events[sent];
      response.write(`id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    const { type, payload } = run.log.events[last - 1] ?? {};
    if (type === "WORKFLOW_STATUS" && ["COMPLETED", "FAILED", "CANCELLED"].includes(payload.status)) {
      clearInterval(timer);
      response.end(`event: end\ndata: {"sequence":${last}}\n\n`);
    }
  };
  const timer = setInterval(send, 100);
  request.on("close", () => clearInterval(timer));
  send();
}

createServer(async (request, response) => {
  const url = new URL(request.url, "http://viewer");
  const path = url.pathname.split("/").slice(1).map(decodeURIComponent);
  const json = (value, status = 200) => {
    response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
    response.end(JSON.stringify(value));
  };
  const problem = (status, detail) => json({ type: "about:blank", title: String(status), status, detail }, status);
  try {
    if (path[0] === "" || path[0] === "assets") {
      const name = path[0] === "" ? "index.html" : path.join("/");
      const type = { html: "text/html", js: "text/javascript", css: "text/css" }[name.split(".").at(-1)];
      const bytes = await readFile(new URL(name, dist));
      response.writeHead(200, {
        "Content-Type": `${type}; charset=utf-8`,
        "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
      });
      return response.end(bytes);
    }
    if (token && request.headers.authorization !== `Bearer ${token}`) return problem(401, "a token is needed");
    if (path[0] === "workflows" && path.length === 1) return json({ workflows: [{ id: "recon", name: "Nightly recon", version: 3, updatedAt: new Date(began).toISOString() }] });
    if (path[0] === "runs" && path[1] === "diff") return json(diff(all.get(url.searchParams.get("a")), all.get(url.searchParams.get("b")), url.searchParams.getAll("ignore")));
    if (path[0] === "workflows" && path[1] !== "runs") {
      if (path[2] === "run") return (await body(request)).inputs?.domains === "bad" ? json({ title: "Invalid", status: 422, detail: "/domains: \"bad\" is no list of domains" }, 422) : json({ runId: "recon-live", workflowId: "recon", status: "QUEUED" }, 202);
      const definition = structuredClone(definitionOf(all.get("recon-ok")));
      definition.actions[0].params = { runtimeInputs: [{ id: "domains", label: "Domains", type: "text", required: true }, { id: "depth", label: "Depth", type: "number", default: 2 }, { id: "deep", label: "Deep scan", type: "boolean" }, { id: "options", label: "Options", type: "json" }] };
      return json({ id: "recon", name: "Nightly recon", version: 3, definition });
    }
    if (path.length === 2) {
      const wanted = url.searchParams.get("status");
      return json({ runs: [...all.values()].map(summary).filter((run) => !wanted || run.status === wanted) });
    }
    const run = all.get(path[2]);
    if (!run) return problem(404, `there is no run ${path[2]}`);
    const after = Number(url.searchParams.get("after") ?? 0);
    switch (path[3]) {
      case undefined: return json(details(run));
      case "state": return json(stateAt(run, Number(url.searchParams.get("at") ?? length(run))));
      case "events": return stream(request, response, run, after);
      case "trace": {
        const last = length(run);
        const events = run.log.events.slice(after, Math.min(last, after + Math.min(10_000, Number(url.searchParams.get("limit") ?? 1000))));
        const cursor = after + events.length;
        return json({ events, cursor, lastSequence: last, done: cursor >= last });
      }
      case "artifacts": {
        const artifact = run.log.artifacts?.get(path[4]);
        if (!artifact) return problem(404, "there is no such artifact");
        response.writeHead(200, { "Content-Type": artifact.mediaType, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox" });
        return response.end(artifact.bytes);
      }
      case "answer": {
        const wrong = answer(run, await body(request));
        if (wrong) return problem(422, `the answer does not fit the question of node approve: ${wrong}`);
        response.writeHead(204);
        return response.end();
      }
      case "rerun": return json({ runId: "recon-again" }, 202);
      default: return json({}, 202);
    }
  } catch (error) {
    problem(500, String(error?.stack ?? error));
  }
}).listen(port, () => console.log(`http://localhost:${port}/`));
