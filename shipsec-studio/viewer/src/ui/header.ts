// The head of a run's page: what it is, how it is at the moment that is looked at, and what can be
// done to it.

import type { RunDetails } from "../api.ts";
import type { RunLog, RunState } from "../model.ts";
import { api } from "./api.ts";
import { copy } from "./dialog.ts";
import { button, h, put, say, set } from "./dom.ts";
import { sentence } from "./message.ts";
import { runLink } from "./panel.ts";
import { Sections } from "./sections.ts";
import { icon, isFinal, runLook, statusWord } from "./states.ts";
import { count, cut, field, millis, oneLine, span, text, visible } from "./text.ts";

/** What is counted besides the nodes that have ended. */
const COUNTED = { running: "running", retrying: "retrying", awaitingInput: "awaiting input", failed: "failed", skipped: "skipped", cancelled: "cancelled" };
type Counts = typeof COUNTED;

/** What the buttons do. */
export interface HeaderEvents {
  select(node: string): void;
  stop(): void;
  rerun(): void;
  resume(): void;
  compare(): void;
  /** Selects the next node that is in this state. */
  next(state: string): void;
  /** The name of a node. */
  name(node: string): string;
}

export class Header {
  readonly element: HTMLElement;
  readonly #log: RunLog;
  readonly #events: HeaderEvents;
  readonly #parts: Sections;
  readonly #elapsed = h("span", { class: "elapsed", title: "Time since the start, at this moment", "data-testid": "elapsed" });
  readonly #now = h("span", { class: "now", "data-testid": "now" });
  readonly #bar = h("div", { class: "fill" });
  readonly #ended = h("span");
  readonly #counts: ReadonlyMap<keyof Counts, HTMLButtonElement>;
  readonly #track: HTMLElement;

  constructor(log: RunLog, events: HeaderEvents) {
    this.#log = log;
    this.#events = events;
    this.#track = h("div", { class: "progress", role: "progressbar", "aria-label": "Nodes that have ended", "aria-valuemin": 0 }, this.#bar);
    this.#counts = new Map(Object.entries(COUNTED).map(([of, name]) => [of as keyof Counts, h("button", {
      type: "button", class: "link", hidden: true, title: `Go to the next one that is ${name}`, onclick: () => events.next(name.toUpperCase().replace(" ", "_")),
    })]));
    const top = h("div", { class: "run-top" });
    this.#parts = new Sections(top, ["title", "status", "facts", "buttons"]);
    const failure = h("div");
    this.element = h("header", { class: "run-header" }, top,
      h("div", { class: "run-line" }, this.#elapsed, this.#track, h("span", { "data-testid": "run-progress" }, this.#ended, ...this.#counts.values()), this.#now), failure);
    this.#failure = new Sections(failure, ["failure", "connection"]);
  }

  readonly #failure: Sections;

  /** Shows a moment. `newest` is the state after the last event, `live` whether that is looked at. */
  show(details: RunDetails | undefined, state: RunState, newest: RunState, live: boolean): void {
    const report = details?.run;
    const title = text(field(details?.definition, "title")) || text(state["workflowId"]) || text(report?.workflowId) || "Run";
    const run = this.#log.runId;
    this.#parts.show("title", [title], () => [
      h("h1", { title: oneLine(title) }, cut(title, 100)),
      button(cut(run, 48), () => void copy(run, "the run's id"), { class: "link mono", title: `${oneLine(run)}: copy` }),
    ]);
    const interrupted = report?.interrupted === true && !isFinal(newest.status);
    const stopping = state["stopping"];
    // Before anything has come, nothing is known: also not that the run is stale.
    const known = newest.sequence > 0 || details !== undefined;
    this.#parts.show("status", [state.status, stopping, interrupted, known], () => {
      if (!known) return [];
      const look = runLook(state.status);
      return [
        h("span", { class: `chip is-${look}`, role: "status", "data-testid": "run-status", "data-status": state.status }, icon(look), statusWord(state.status)),
        stopping !== undefined && h("span", { class: "chip is-cancelled" }, `Stopping: ${oneLine(text(stopping).replaceAll("-", " "))}`),
        interrupted && h("span", { class: "chip is-failed", title: "No executor works on this run" }, icon("warn"), "Interrupted"),
      ];
    });
    const [queue, trigger, parent] = [text(state["taskQueue"]), state["trigger"] ?? report?.trigger, state["parent"] ?? report?.parent];
    const kind = text(field(trigger, "type"));
    this.#parts.show("facts", [known, queue, kind, field(trigger, "label"), field(parent, "runId"), state["executor"]], () => {
      if (!known) return [];
      const fact = (name: string, ...value: (Node | string)[]) => h("span", { class: "fact" }, h("small", null, name), ...value);
      const label = text(field(trigger, "label"));
      return [
        queue && fact("Queue", cut(queue, 40)),
        kind && fact("Trigger", cut(label ? `${kind} · ${label}` : kind, 60)),
        text(state["executor"]) && fact("Executor", cut(text(state["executor"]), 30)),
        text(field(parent, "runId")) && fact(field(parent, "relation") === "call" ? "Called by" : "Rerun of", runLink(text(field(parent, "runId")), text(field(parent, "nodeId")) || undefined)),
      ];
    });
    const ended = isFinal(newest.status);
    this.#parts.show("buttons", [ended, newest["stopping"], interrupted, newest.sequence > 0, known], () => !known ? [] : [
      interrupted && button("Resume", () => this.#events.resume(), { class: "primary", "data-testid": "resume" }),
      button("Compare…", () => this.#events.compare(), { "data-testid": "compare" }, icon("compare")),
      button("Rerun", () => this.#events.rerun(), { "data-testid": "rerun" }, icon("rerun")),
      // Nobody would hear it of an interrupted run.
      !ended && !interrupted && newest.sequence > 0 && button(newest["stopping"] === undefined ? "Cancel" : "Terminate", () => this.#events.stop(), { class: "danger", "data-testid": "cancel" }, icon("cancelled")),
    ]);
    this.tick(state, live && !ended && !interrupted);
    const { completedActions: done, totalActions: total } = state.progress;
    set(this.#track, "aria-valuemax", Math.max(1, total));
    set(this.#track, "aria-valuenow", done);
    this.#bar.style.width = `${total ? (100 * done) / total : 0}%`;
    set(this.#bar, "class", `fill is-${runLook(state.status)}`);
    say(this.#ended, known ? `${count(done)}/${count(total)} nodes` : "");
    for (const [of, one] of this.#counts) {
      const number = state.counts[of];
      one.hidden = !number;
      say(one, number ? ` · ${count(number)} ${COUNTED[of]}` : "");
    }
    const failure = state["failure"];
    const event = this.#log.event(state.sequence);
    // What failed stands below it.
    say(this.#now, event && !failure ? `${event.nodeId === undefined ? "" : `${cut(this.#events.name(event.nodeId), 40)}: `}${cut(sentence(event, (node) => this.#events.name(node)), 160)}` : "");
    this.#failure.show("failure", [failure, details !== undefined], () => this.#failed(failure));
    this.#failure.show("connection", [this.#log.connection === "lost"], () => this.#log.connection === "lost" ? [
      h("div", { class: "banner warn", role: "alert" }, icon("warn"), "The connection is lost. What is shown may be old; it is tried again."),
    ] : []);
  }

  /** Shows how much time has passed: at a moment of the past up to it, else up to now. */
  tick(state: RunState, runs: boolean): void {
    const start = millis(state["startedAt"]);
    const then = state.sequence ? this.#log.timeOf(state.sequence) : NaN;
    // The server's clock is known to a second only, and must not take time away.
    const to = runs ? Math.max(then, api.now()) : then;
    say(this.#elapsed, Number.isFinite(to - start) ? span(to - start) : "–");
  }

  #failed(failure: unknown): (Node | false)[] {
    if (failure === undefined || failure === null) return [];
    const node = text(field(failure, "nodeId"));
    const error = field(failure, "error");
    const banner = h("div", { class: "banner error", role: "alert", "data-testid": "run-failure" }, icon("failed"));
    const reason = visible(text(field(failure, "reason"))).slice(0, 600);
    const message = visible(text(field(error, "message"))).slice(0, 600);
    const said = h("span", null, h("b", null, reason));
    if (error && !reason.includes(message)) said.append(` ${oneLine(text(field(error, "kind")))}: ${message}`);
    banner.append(said);
    if (node) banner.append(button(`Show ${cut(this.#events.name(node), 40)}`, () => this.#events.select(node), { class: "small", "data-testid": "failed-node" }));
    const box = h("div");
    put(box, banner);
    return [box];
  }
}
