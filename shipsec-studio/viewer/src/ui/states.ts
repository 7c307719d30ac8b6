// The visual language: each state has an icon, a word and a colour, wherever it is shown. Colours
// are set in style.css by the class `is-<state>`.

import type { RunStatus } from "../model.ts";
import { s } from "./dom.ts";

/** The states that a node is shown in; also the values of `data-state` on a node. */
export type Look =
  | "idle" | "queued" | "running" | "retrying" | "awaiting-input"
  | "success" | "failed" | "skipped" | "cancelled";

const OF_NODE: Record<string, Look> = {
  PENDING: "idle",
  RUNNING: "running",
  RETRYING: "retrying",
  AWAITING_INPUT: "awaiting-input",
  COMPLETED: "success",
  FAILED: "failed",
  SKIPPED: "skipped",
  CANCELLED: "cancelled",
};

const OF_RUN: Record<RunStatus, Look> = {
  QUEUED: "queued",
  RUNNING: "running",
  AWAITING_INPUT: "awaiting-input",
  COMPLETED: "success",
  FAILED: "failed",
  CANCELLED: "cancelled",
  TIMED_OUT: "failed",
  TERMINATED: "cancelled",
  STALE: "idle",
};

const FINAL = new Set(["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "TERMINATED"]);

/** How a node's state is shown; one that this viewer does not know, as idle. */
export function nodeLook(state: string): Look {
  return OF_NODE[state] ?? "idle";
}

/** How a run's status is shown. */
export function runLook(status: string): Look {
  return OF_RUN[status as RunStatus] ?? "idle";
}

/** Whether nothing follows this status. */
export function isFinal(status: string): boolean {
  return FINAL.has(status);
}

const WORDS: Record<Look, string> = {
  idle: "Idle",
  queued: "Queued",
  running: "Running",
  retrying: "Retrying",
  "awaiting-input": "Awaiting input",
  success: "Success",
  failed: "Failed",
  skipped: "Skipped",
  cancelled: "Cancelled",
};

/** The word for a state. */
export function word(look: Look): string {
  return WORDS[look];
}

/** The word for a run's status: `TIMED_OUT` is `Timed out`. */
export function statusWord(status: string): string {
  const lower = status.toLowerCase().replaceAll("_", " ");
  return lower.charAt(0).toUpperCase() + lower.slice(1);
}

// Drawn on 16 × 16, as strokes.
const PATHS = {
  idle: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11",
  queued: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3l2 1.5",
  running: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M6.8 5.8l3.6 2.2l-3.6 2.2z",
  retrying: "M13 8a5 5 0 1 1-1.5-3.6L13 6M13 2.8V6H9.8",
  "awaiting-input": "M2.5 3.5h11v7.5h-6L4.6 13.5V11H2.5zM6.6 6a1.5 1.5 0 1 1 1.6 1.6v.4M8.2 9.4v.1",
  success: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M5.6 8.2l1.7 1.7l3.2-3.6",
  failed: "M5.7 2.5h4.6l3.2 3.2v4.6l-3.2 3.2H5.7l-3.2-3.2V5.7zM6 6l4 4M10 6l-4 4",
  skipped: "M3 4l4 4l-4 4M7 4l4 4l-4 4M13 4v8",
  cancelled: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 4.2l7.6 7.6",
  play: "M5 3.2l7.5 4.8L5 12.8z",
  pause: "M5 3.5v9M11 3.5v9",
  back: "M10 3.5L5.5 8l4.5 4.5M4 3.5v9",
  forward: "M6 3.5L10.5 8L6 12.5M12 3.5v9",
  prev: "M12.5 3.5L8 8l4.5 4.5M7.5 3.5L3 8l4.5 4.5",
  next: "M3.5 3.5L8 8l-4.5 4.5M8.5 3.5L13 8l-4.5 4.5",
  live: "M8 7a1 1 0 1 0 0 2a1 1 0 1 0 0-2M5 5a4.2 4.2 0 0 0 0 6M11 5a4.2 4.2 0 0 1 0 6M3 3a7 7 0 0 0 0 10M13 3a7 7 0 0 1 0 10",
  search: "M7 2.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4M10.2 10.2l3.3 3.3",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9",
  copy: "M5.5 5.5h7.5v7.5H5.5zM3 10.5V3h7.5",
  download: "M8 2.5v7.5M5 7.2L8 10.2l3-3M3 13h10",
  close: "M4 4l8 8M12 4l-8 8",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6M8 1.5v1.5M8 13v1.5M1.5 8h1.5M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  rerun: "M3 8a5 5 0 1 0 1.5-3.6L3 6M3 2.8V6h3.2",
  compare: "M5 3v8.5M2.8 9.5L5 11.8l2.2-2.3M11 13V4.5M8.8 6.5L11 4.2l2.2 2.3",
  gap: "M2.5 8h3M10.5 8h3M7 5l-1.5 6M10.5 5L9 11",
  warn: "M8 2.8l5.8 10.4H2.2zM8 6.6v3M8 11.3v.1",
  home: "M2.5 7.5L8 3l5.5 4.5M4.2 6.5v6.5h7.6V6.5",
} as const;

/** The name of an icon: a state, or one of the viewer's own. */
export type IconName = keyof typeof PATHS;

/** The path of an icon on 16 × 16. */
export function iconPath(name: IconName): string {
  return PATHS[name];
}

/** An icon; it is decoration, so a text tells the same beside it or in a label. */
export function icon(name: IconName): SVGSVGElement {
  return s("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
}
