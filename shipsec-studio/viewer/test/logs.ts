// Large logs for the tests.
import type { Event } from "../src/model.ts";

const START = Date.UTC(2025, 9, 16, 9, 12, 3) * 1000;

const timeText = (micros: number): string =>
  `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, "0")}Z`;

/** A run of so many nodes in a chain of fans, each with a share of log lines and progress. */
export function largeLog(nodes: number, events: number, runId = "large"): Event[] {
  const log: Event[] = [];
  const add = (type: string, more: object) => {
    const sequence = log.length + 1;
    const timestamp = timeText(START + sequence * 700);
    log.push({ id: `${runId}:${sequence}`, runId, sequence, type, level: "info", timestamp, ...more });
  };
  const id = (node: number) => `node-${node}`;
  const all = Array.from({ length: nodes }, (_, node) => node);
  const definition = {
    version: 1, workflowId: "w", title: "Large", entrypoint: { ref: id(0) }, nodes: {}, dependencyCounts: {}, config: {},
    actions: all.map((node) => ({ ref: id(node), componentId: "dev.echo", componentVersion: "1.0.0", params: {}, dependsOn: [] })),
    edges: all.slice(1).flatMap((node) => [Math.floor(node / 2), Math.floor(node / 3)].map((source, n) =>
      ({ id: `${node}/${n}`, sourceRef: id(source), targetRef: id(node), kind: n === 0 ? "success" : "finally" }))),
  };
  add("WORKFLOW_STATUS", { payload: { status: "RUNNING", workflowId: "w", definition, definitionHash: "h" } });
  const each = Math.max(1, Math.floor((events - 2) / nodes) - 2);
  for (const node of all) {
    const of = { nodeId: id(node), attempt: 1 };
    add("NODE_STARTED", { ...of, payload: { componentId: "dev.echo", componentVersion: "1.0.0", joinStrategy: "all" } });
    for (let line = 0; line < each && log.length < events - 2; line++) {
      if (line % 5 === 4) add("NODE_PROGRESS", { ...of, payload: { done: line, total: each, unit: "lines" }, message: `line ${line}` });
      else add("NODE_LOG", { ...of, level: line % 7 === 0 ? "warn" : "info", message: `line ${line} of ${id(node)}, grüße`, payload: { stream: line % 2 ? "stdout" : "stderr", fields: { line } } });
    }
    add("NODE_COMPLETED", { ...of, payload: { outputs: { value: { node, list: [1, 2, 3] } }, durationMs: 1.5 } });
  }
  while (log.length < events - 1) add("NODE_LOG", { message: "the run's own line", payload: { stream: "log", fields: {} } });
  add("WORKFLOW_STATUS", { payload: { status: "COMPLETED" } });
  return log;
}
