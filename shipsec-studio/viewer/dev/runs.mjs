// Made-up runs for developing the viewer without a server: each is a definition and its events.

const component = "dev.step";

/** A definition of these nodes and edges: `[id, more]`, `[source, target, more]`. */
function definition(workflowId, title, nodes, edges) {
  const all = edges.map(([sourceRef, targetRef, more = {}], at) => ({ id: `e${at + 1}`, sourceRef, targetRef, sourceHandle: "out", targetHandle: "in", kind: "success", ...more }));
  const into = (id) => all.filter((edge) => edge.targetRef === id);
  return {
    version: 1, workflowId, title, entrypoint: { ref: nodes[0][0] },
    nodes: Object.fromEntries(nodes.map(([id, more = {}]) => [id, { ref: id, label: more.label ?? id, joinStrategy: more.join ?? "all", ...(more.group && { groupId: more.group }) }])),
    edges: all,
    dependencyCounts: Object.fromEntries(nodes.map(([id]) => [id, into(id).length])),
    actions: nodes.map(([id, more = {}], at) => ({
      ref: id, componentId: more.component ?? (at === 0 ? "core.workflow.entrypoint" : component), componentVersion: "1.0.0",
      params: more.params ?? {}, dependsOn: [...new Set(into(id).map((edge) => edge.sourceRef))],
      inputMappings: Object.fromEntries(into(id).filter((edge) => edge.kind === "success").map((edge, at) => [at ? `in${at + 1}` : "in", { sourceRef: edge.sourceRef, sourceHandle: "out" }])),
    })),
    config: { failurePolicy: "finish" },
  };
}

/** A layered layout, only good enough for these graphs: the real one comes from the server. */
export function layout(definition) {
  const layer = new Map();
  for (const { ref, dependsOn } of definition.actions) layer.set(ref, Math.max(-1, ...dependsOn.map((node) => layer.get(node) ?? 0)) + 1);
  const used = [];
  const most = Math.max(...[...layer.values()].map((at) => [...layer.values()].filter((other) => other === at).length).slice(0, 400));
  const nodes = definition.actions.map(({ ref }) => {
    const at = layer.get(ref);
    const order = (used[at] = (used[at] ?? -1) + 1);
    return { node: ref, layer: at, order, x: at * 360, y: order * 120 };
  });
  for (const place of nodes) place.y += Math.round(((most - used[place.layer] - 1) * 120) / 2);
  return { nodes, layers: used.length, width: (used.length - 1) * 360 + 240, height: (most - 1) * 120 + 80 };
}

/** Writes the events of a run: `at` is in seconds after its start. */
class Log {
  constructor(runId, start) {
    Object.assign(this, { runId, start, events: [], now: 0 });
  }

  add(type, at, nodeId, payload, more = {}) {
    this.now = at;
    const sequence = this.events.length + 1;
    this.events.push({
      id: `${this.runId}:${sequence}`, runId: this.runId, sequence, type, level: "info", timestamp: new Date(this.start + at * 1000).toISOString(),
      ...(nodeId && { nodeId, attempt: 1 }), payload, ...more,
    });
    return this;
  }

  begin(definition, inputs = {}, more = {}) {
    return this.add("WORKFLOW_STATUS", 0, undefined, { status: "QUEUED", workflowId: definition.workflowId, definition, definitionHash: "d".repeat(64), inputs, trigger: { type: "manual", label: "dana" }, executor: "local", taskQueue: "default", ...more })
      .add("WORKFLOW_STATUS", 0.05, undefined, { status: "RUNNING" });
  }

  started(at, node, attempt = 1, triggeredBy) {
    return this.add("NODE_STARTED", at, node, { componentId: component, componentVersion: "1.0.0", joinStrategy: "all", triggeredBy }, { attempt });
  }

  log(at, node, message, level = "info", stream = "log", fields) {
    return this.add("NODE_LOG", at, node, { stream, ...(fields && { fields }) }, { level, message });
  }

  progress(at, node, done, total, unit) {
    return this.add("NODE_PROGRESS", at, node, { done, total, unit, source: "tool" }, { message: total ? `scanned ${done}/${total}` : `scanned ${done}` });
  }

  done(at, node, outputs = {}, more = {}, attempt = 1) {
    return this.add("NODE_COMPLETED", at, node, { outputs, durationMs: 1234.5, ...more }, { attempt });
  }

  failed(at, node, error, more = {}, attempt = 1) {
    return this.add("NODE_FAILED", at, node, { error: { retryable: true, ...error }, willRetry: false, ...more }, { attempt, level: "error" });
  }

  artifact(at, node, name, mediaType, content) {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const artifactId = `a${this.events.length}`;
    (this.artifacts ??= new Map()).set(artifactId, { bytes, mediaType });
    return this.add("NODE_ARTIFACT", at, node, { artifactId, name, mediaType, size: bytes.length, sha256: "0123456789abcdef".repeat(4), location: `runs/${this.runId}/${name}` });
  }
}

const RECON = definition("recon", "Nightly recon", [
  ["start", { label: "Targets" }], ["split", { label: "Split domains" }], ["dns", { label: "Resolve names", group: "scan", component: "dev.dns" }],
  ["probe", { label: "Probe hosts", group: "scan", component: "dev.probe", params: { ports: [80, 443, 8443], rate: 200 } }],
  ["crawl", { label: "Crawl pages", group: "scan" }], ["triage", { label: "Triage findings" }], ["approve", { label: "Approve tickets", component: "core.approval" }],
  ["ticket", { label: "Open tickets" }], ["rejected", { label: "Note the rejection" }], ["alert", { label: "Alert on failure" }], ["clean", { label: "Clean up", join: "settled" }], ["report", { label: "Write report" }],
], [
  ["start", "split"], ["split", "dns"], ["split", "probe"], ["dns", "crawl"], ["probe", "triage"], ["crawl", "triage"], ["triage", "approve"], ["triage", "report"],
  ["approve", "ticket", { sourceHandle: "approved" }], ["approve", "rejected", { sourceHandle: "rejected" }],
  ["probe", "alert", { kind: "error", sourceHandle: undefined, targetHandle: undefined }], ["probe", "clean", { kind: "finally", sourceHandle: undefined, targetHandle: undefined }], ["crawl", "clean", { kind: "finally", sourceHandle: undefined, targetHandle: undefined }],
]);
export const QUESTION = { requestId: "q1", kind: "approval", title: "Open 3 tickets for these findings?", schema: { type: "object", properties: { approved: { type: "boolean", title: "Yes or no" }, comment: { type: "string", title: "Why" } }, required: ["approved"], additionalProperties: false } };
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAYAAADED76LAAAAHElEQVQYV2NkYPj/n4GBgZGBgYEJRCADRsIKACz0BQVrl0w0AAAAAElFTkSuQmCC", "base64");

function recon(runId, start, end, seed = 0) {
  const log = new Log(runId, start).begin(RECON, { domains: "example.org,example.net" });
  log.started(0.1, "start").done(0.2, "start", { out: ["example.org", "example.net"] });
  log.started(0.3, "split", 1, "start").log(0.5, "split", "2 domains").done(0.9, "split", { out: ["example.org", "example.net"] });
  log.started(1, "dns", 1, "split").started(1.1, "probe", 1, "split").log(1.2, "dns", "asking 9.9.9.9", "debug");
  for (let at = 0; at < 12; at += 1) log.progress(1.5 + at * 0.4, "probe", Math.round((127 * (at + 1)) / 20), 127, "hosts").log(1.6 + at * 0.4, "probe", `GET https://host-${at}.example.org 200`, "info", "stdout", { status: 200, ms: 40 + at + seed });
  log.failed(6.3, "dns", { kind: "TimeoutError", message: "no answer within 5 s" }, { willRetry: true, retryAt: new Date(start + 8300).toISOString() });
  log.log(7, "probe", "connection reset by peer", "warn", "stderr").started(8.3, "dns", 2);
  log.log(8.4, "dns", "asking 1.1.1.1").done(10, "dns", { out: { "example.org": ["192.0.2.7"], "example.net": ["192.0.2.9"] } }, {}, 2);
  log.started(10.1, "crawl", 1, "dns").log(10.4, "crawl", "robots.txt allows everything").progress(11, "crawl", 40, undefined, "pages").done(14, "crawl", { out: { pages: 40 + seed } });
  for (let at = 12; at < 20; at += 1) log.progress(14 + at * 0.4, "probe", Math.round((127 * (at + 1)) / 20), 127, "hosts");
  if (end === "failed") {
    log.failed(24, "probe", { kind: "ValidationError", retryable: false, message: "the tool's output does not fit its schema\ncaused by: missing field `port` in line 12", fieldErrors: { "hosts/3/port": ["is missing"], "hosts/9/ip": ["is no address"] }, details: { exitCode: 2, command: ["probe", "-json"] } }, { handledBy: undefined });
    for (const node of ["triage", "approve", "ticket", "rejected", "report"]) log.add("NODE_SKIPPED", 24.1, node, { reason: node === "triage" ? "upstream-failed" : "upstream-skipped", cause: "probe" }, { attempt: 0 });
    log.started(24.2, "alert", 1, "probe").started(24.2, "clean", 1, "crawl").done(24.6, "clean").failed(25, "alert", { kind: "AuthenticationError", retryable: false, message: "the pager does not take the token" });
    return log.add("WORKFLOW_STATUS", 25.1, undefined, { status: "FAILED", failure: { reason: "node alert failed, and nothing handles that", nodeId: "alert", error: { kind: "AuthenticationError", message: "the pager does not take the token", retryable: false } } });
  }
  const findings = [1, 2, 3].map((at) => ({ fingerprint: `f${at}`, title: `Open port ${8000 + at}`, severity: at === 1 && seed ? "high" : "low", seenAt: new Date(start).toISOString() }));
  log.done(24, "probe", { out: findings }).add("NODE_SKIPPED", 24.1, "alert", { reason: "no-failure-to-handle", cause: "probe" }, { attempt: 0 });
  log.started(24.2, "clean", 1, "crawl").done(24.4, "clean").started(24.2, "triage", 1, "probe").artifact(25, "triage", "findings.sarif", "application/sarif+json", JSON.stringify({ version: "2.1.0", runs: [{ tool: { driver: { name: "probe", rules: [] } }, results: findings.map((one, at) => ({ ruleId: "open-port", level: at ? "note" : "error", message: { text: one.title }, locations: [{ physicalLocation: { artifactLocation: { uri: "hosts.txt" }, region: { startLine: at + 1 } } }] })) }] }))
    .artifact(25.1, "triage", "summary.md", "text/markdown", "# Findings\n\nThree **open** ports, see `hosts.txt`:\n\n- 8001 <script>alert(1)</script>\n- 8002\n  - with _details_\n\n| Host | Port |\n|---|---|\n| example.org | 8001 |\n\n> [a link](https://example.org) and [a bad one](javascript:alert(1))\n")
    .artifact(25.2, "triage", "shot.png", "image/png", PNG).artifact(25.3, "triage", "raw.json", "application/json", JSON.stringify({ findings, nested: { deep: [1, 2, { a: null }] } }));
  log.done(26, "triage", { out: findings, token: "x" }, { activePorts: ["out"] });
  log.started(26.1, "report", 1, "triage").started(26.1, "approve", 1, "triage").done(28, "report", { out: { pages: 3 + seed } });
  if (end === "live") return log.add("NODE_AWAITING_INPUT", 28.5, "approve", QUESTION).add("WORKFLOW_STATUS", 28.6, undefined, { status: "AWAITING_INPUT" });
  return log.add("NODE_AWAITING_INPUT", 28.5, "approve", QUESTION).add("NODE_INPUT_RECEIVED", 58, "approve", { requestId: "q1", answer: { approved: true }, by: "dana" }, { attempt: 0 })
    .done(58.1, "approve", { out: findings }, { activePorts: ["approved"] }).add("NODE_SKIPPED", 58.1, "rejected", { reason: "branch-not-taken", cause: "approve" }, { attempt: 0 })
    .started(58.2, "ticket", 1, "approve").done(60, "ticket", { out: ["SEC-1", "SEC-2", "SEC-3"] }).add("WORKFLOW_STATUS", 60.1, undefined, { status: "COMPLETED" });
}

/** A wide graph: `layers` of `width` nodes, a part of which has run. */
function big(runId, start, layers, width, part) {
  const nodes = [["start"]];
  const edges = [];
  for (let layer = 0; layer < layers; layer += 1) {
    for (let at = 0; at < width; at += 1) {
      const id = `n${layer}-${at}`;
      nodes.push([id, { label: `Step ${layer}.${at}`, group: layer === 1 && at < 4 ? "few" : undefined }]);
      if (layer === 0) edges.push(["start", id]);
      else for (const from of new Set([at, (at * 7 + layer) % width])) edges.push([`n${layer - 1}-${from}`, id]);
    }
  }
  const of = definition(runId, `${nodes.length} nodes`, nodes, edges);
  const log = new Log(runId, start).begin(of);
  const until = Math.floor(nodes.length * part);
  nodes.slice(0, until).forEach(([id], at) => {
    log.started(0.1 + at * 0.01, id);
    if (at % 97 === 96) log.failed(0.15 + at * 0.01, id, { kind: "ServiceError", message: "503" });
    else log.done(0.15 + at * 0.01, id, { out: at });
  });
  nodes.slice(until, until + 40).forEach(([id], at) => log.started(1 + until * 0.01 + at * 0.01, id).progress(2 + until * 0.01 + at * 0.01, id, at, 40, "items"));
  return log;
}

/** Edges that all pass at once, all over the picture: each target waits for a second source, which goes on. */
function flowing(runId, start, count) {
  const nodes = [["start"], ["slow"]];
  const edges = [["start", "slow"]];
  for (let at = 0; at < count; at += 1) {
    nodes.push([`s${at}`], [`t${at}`]);
    edges.push([at < 20 ? "start" : `s${at - 20}`, `s${at}`], [`s${at}`, `t${at}`], ["slow", `t${at}`]);
  }
  const rank = (id) => (id === "start" ? -2 : id === "slow" ? -1 : Number(id.slice(1)) + (id[0] === "t" ? 20 : 0));
  nodes.sort((a, b) => rank(a[0]) - rank(b[0]));
  const log = new Log(runId, start).begin(definition(runId, `${count} active edges`, nodes, edges));
  log.started(0.1, "start").done(0.2, "start").started(0.3, "slow");
  for (let at = 0; at < count; at += 1) log.started(0.4 + at * 0.01, `s${at}`).done(0.5 + at * 0.01, `s${at}`, { out: at });
  return log;
}

function flood(runId, start, count) {
  const log = new Log(runId, start).begin(definition(runId, "Flood", [["start"], ["scan"]], [["start", "scan"]]));
  log.started(0.1, "start").done(0.2, "start").started(0.3, "scan");
  const words = ["open", "closed", "filtered", "timeout", "needle"];
  for (let at = 0; at < count; at += 1) log.log(0.4 + at * 0.001, "scan", `host ${at} port ${at % 65536} ${words[at % 4]}${at % 9973 === 0 ? " needle" : ""}`, at % 500 === 0 ? "warn" : "info", at % 3 ? "stdout" : "stderr");
  return log.done(count / 1000 + 1, "scan").add("WORKFLOW_STATUS", count / 1000 + 2, undefined, { status: "COMPLETED" });
}

function nasty(runId, start) {
  const node = "<img src=x onerror=alert(1)>";
  const log = new Log(runId, start).begin(definition(runId, "</title><script>alert(1)</script>", [["start"], ["evil", { label: node }]], [["start", "evil"]]));
  log.started(0.1, "start").done(0.2, "start", { out: "<b>bold</b>", ["__proto__x"]: 1 }).started(0.3, "evil");
  log.log(0.4, "evil", "<script>document.title='owned'</script>", "error").log(0.5, "evil", "red \u001b[31mtext\u001b[0m and \u0007bell", "warn").log(0.6, "evil", "user\u202egnp.exe \u2066hidden\u2069 zero\u200bwidth");
  log.log(0.7, "evil", "lone \ud800 half, tab\there, line\nend").log(0.8, "evil", "x".repeat(10_000_000)).add("SOMETHING_NEW", 0.9, "evil", { what: "<i>unknown</i>" });
  log.artifact(1, "evil", "page.html", "text/html", "<script>alert(1)</script>").artifact(1.1, "evil", "report.md", "text/markdown", "<iframe src=javascript:alert(1)></iframe>\n\n**bold** \u202edleh\n");
  return log.done(2, "evil", { out: { "<b>key</b>": "\u202e", token: null }, long: "y".repeat(100_000) }, {}).add("WORKFLOW_STATUS", 3, undefined, { status: "COMPLETED" });
}

/** All made-up runs, by id. `rate` is how many events a second a live one gets. */
export function runs() {
  const now = Date.now();
  const live = recon("recon-live", now - 2000, "live");
  return new Map([
    ["recon-live", { log: live, live: true }],
    ["recon-failed", { log: recon("recon-failed", now - 3_600_000, "failed") }],
    ["recon-ok", { log: recon("recon-ok", now - 7_200_000, "ok") }],
    ["recon-again", { log: recon("recon-again", now - 1_800_000, "ok", 5) }],
    ["big-1000", { log: big("big-1000", now - 60_000, 20, 50, 0.6) }],
    ["big-5000", { log: big("big-5000", now - 60_000, 50, 100, 0.5) }],
    ["flow-200", { log: flowing("flow-200", now - 5_000, 200) }],
    ["flood", { log: flood("flood", now - 600_000, 150_000) }],
    ["nasty", { log: nasty("nasty", now - 400_000) }],
  ]);
}

