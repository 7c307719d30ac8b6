// One line of the console, and everything about one event.

import type { Event } from "../model.ts";
import { copy } from "../ui/dialog.ts";
import { button, h, put, type Child } from "../ui/dom.ts";
import { jsonTree } from "../ui/json.ts";
import { longText } from "../ui/long.ts";
import { sentence } from "../ui/message.ts";
import { icon } from "../ui/states.ts";
import { clock, count, cut, field, oneLine, size, text, visible } from "../ui/text.ts";

/** So many characters of a message are on the screen. */
const MOST = 1200;
/** So many characters of its fields. */
const FIELDS = 300;

const LEVELS = ["debug", "info", "warn", "error"];

/** What a line can do. */
export interface LineEvents {
  /** Somebody wants to see all of an event. */
  open(sequence: number): void;
  /** Somebody wants to go to the moment of an event. */
  go(sequence: number): void;
  /** Somebody selected the node of an event. */
  select(node: string): void;
}

/** The stream of a log line. */
export function streamOf(event: Event): string {
  return event.type === "NODE_LOG" ? text(field(event.payload, "stream")) || "log" : "";
}

/** A text with what was searched for marked. */
function marked(shown: string, wanted: string): Child[] {
  if (!wanted) return [shown];
  const parts: Child[] = [];
  const lower = shown.toLowerCase();
  // Where lower case is of another length, places would not agree.
  if (lower.length !== shown.length) return [shown];
  let at = 0;
  for (let found = lower.indexOf(wanted); found >= 0; found = lower.indexOf(wanted, at)) {
    parts.push(shown.slice(at, found), h("mark", null, shown.slice(found, found + wanted.length)));
    at = found + wanted.length;
  }
  return [...parts, shown.slice(at)];
}

/** What a line says besides its message: the fields of a log line. */
function extraOf(event: Event): string {
  const inside = event.type === "NODE_LOG" ? field(event.payload, "fields") : undefined;
  return typeof inside === "object" && inside !== null
    ? Object.entries(inside).map(([key, value]) => `${key}=${text(value).slice(0, FIELDS)}`).join(" ") : "";
}

/** Everything that a line says, for searching it. */
export function saidBy(event: Event, name: (node: string) => string): string {
  const node = event.nodeId === undefined ? "run" : name(event.nodeId);
  return `${node} ${sentence(event, name)} ${extraOf(event)}`;
}

/** Fills a row. `name` gives nodes their names; `wanted` is what was searched for, in lower case. */
export function fillRow(row: HTMLElement, event: Event | undefined, time: number, name: (node: string) => string, wanted: string, active: boolean): void {
  row.className = `row level-${event && LEVELS.includes(event.level) ? event.level : "info"}${active ? " active" : ""}${event?.type === "NODE_LOG" ? "" : " fact"}`;
  row.dataset["testid"] = "console-line";
  row.dataset["sequence"] = String(event?.sequence ?? "");
  if (!event) return put(row, "…");
  const said = sentence(event, name);
  const stream = streamOf(event);
  const extra = extraOf(event);
  put(row,
    h("span", { class: "time", title: `Event ${event.sequence}: go to this moment`, "data-go": "" }, clock(time)),
    h("span", { class: "level" }, cut(event.level, 8)),
    h("span", { class: "node-name", title: event.nodeId ? oneLine(event.nodeId) : "the run", "data-node": event.nodeId ?? "" }, event.nodeId ? cut(name(event.nodeId), 40) : "run"),
    h("span", { class: "stream" }, stream && stream !== "log" ? cut(stream, 8) : ""),
    h("span", { class: "message" }, said.length > MOST && h("span", { class: "tag" }, `${count(said.length)} characters`), ...marked(cut(said, MOST), wanted),
      extra && h("span", { class: "extra" }, " ", ...marked(cut(extra, FIELDS), wanted))));
}

/** Everything about an event. */
export function details(event: Event, time: number, events: LineEvents, close: () => void): HTMLElement {
  const said = sentence(event);
  const row = (name: string, ...value: Child[]) => [h("dt", null, name), h("dd", null, ...value)];
  return h("aside", { class: "details", "aria-label": `Event ${event.sequence}`, "data-testid": "event-details" },
    h("header", null, h("h3", null, `Event ${count(event.sequence)}`),
      button("Go to this moment", () => events.go(event.sequence), { class: "small" }),
      button("Copy", () => void copy(JSON.stringify(event, null, 2), "the event as JSON"), { class: "small" }),
      button("", close, { class: "quiet", "aria-label": "Close" }, icon("close"))),
    h("dl", null,
      ...row("Type", cut(event.type, 100)),
      ...row("Time", `${clock(time)} `, h("span", { class: "muted" }, visible(event.timestamp))),
      ...row("Level", visible(event.level)),
      ...(event.nodeId === undefined ? [] : row("Node", button(cut(event.nodeId, 100), () => events.select(event.nodeId ?? ""), { class: "link" }), event.attempt ? ` attempt ${event.attempt}` : ""))),
    h("pre", { class: "said" }, longText(said, 4000, true)),
    said.length > 4000 && h("p", { class: "muted" }, `${size(new Blob([said]).size)} in all`),
    event.payload && h("h4", null, "Payload"), event.payload && jsonTree(event.payload, 2));
}
