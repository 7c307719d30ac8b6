// The page of one run: one moment, shown by header, canvas, timeline, console and panel alike.

import { Problem, type RunDetails } from "../api.ts";
import { Canvas } from "../canvas/canvas.ts";
import { graphOf, type Box } from "../canvas/graph.ts";
import { RunLooks } from "../canvas/looks.ts";
import { Console } from "../console/console.ts";
import type { Attempt, RunLog, RunState } from "../model.ts";
import { Moment } from "../timeline/moment.ts";
import { Scale } from "../timeline/scale.ts";
import { Timeline } from "../timeline/timeline.ts";
import { compare, rerun, resume, stop } from "./actions.ts";
import { api, told } from "./api.ts";
import { Artifacts } from "./artifacts.ts";
import { notice } from "./dialog.ts";
import { button, frame, h, put, say } from "./dom.ts";
import { Header } from "./header.ts";
import { Panel } from "./panel.ts";
import { splitter } from "./splitter.ts";
import { isFinal, statusWord } from "./states.ts";
import { field, oneLine, text, visible } from "./text.ts";
import { note, place } from "./url.ts";

/** A page of the viewer. */
export interface Page {
  readonly element: HTMLElement;
  /** Takes the address again, after back or forward to the same page. */
  restore(): void;
  key(event: KeyboardEvent): boolean;
  close(): void;
}

/** The plan is in the first event, and the picture of it comes from the server: so often it is asked for, once a second. */
const TRIES = 20;
/** Milliseconds after which a run that goes on is asked for again: that its executor died is in no log. */
const QUIET = 10_000;

export class RunPage implements Page {
  readonly element: HTMLElement;
  readonly #run: string;
  readonly #log: RunLog;
  readonly #moment: Moment;
  readonly #header: Header;
  readonly #canvas: Canvas;
  readonly #timeline: Timeline;
  readonly #console: Console;
  readonly #artifacts: Artifacts;
  readonly #panel: Panel;
  readonly #stopLog: () => void;
  readonly #clock: ReturnType<typeof setInterval>;
  readonly #draw = frame(() => this.#show());
  readonly #tabs: Record<"log" | "artifacts", { tab: HTMLButtonElement; text: HTMLElement; body: HTMLElement }>;
  readonly #labels = new Map<string, string>();
  #details: RunDetails | undefined;
  #asking = false;
  #askedAt = 0;
  #tries = 0;
  /** Whether the server does not have it, or will not give it. */
  #refused = false;
  #lost = false;
  #node = "";
  #grown = false;
  #known = 0;
  #attempts = new Map<string, Attempt[]>();
  #attemptsAt = -1;
  #goTo: number | undefined;
  #closed = false;
  #ended = false;

  constructor(run: string) {
    this.#run = run;
    this.#log = api.log(run);
    const scale = new Scale(this.#log, false);
    this.#moment = new Moment(this.#log, scale, this.#draw);
    const name = (node: string) => this.#labels.get(node) ?? node.replace(/^(.+)(\[\d+\])$/s, (_, of: string, item: string) => (this.#labels.get(of) ?? of) + item);
    const select = (node: string) => this.#select(node, true);
    this.#header = new Header(this.#log, {
      select,
      stop: () => void stop(run, this.#log.stateAt(this.#log.last)),
      rerun: () => void rerun(run),
      resume: () => void this.#resume(),
      next: (state) => this.#next(state),
      name,
      compare: () => void compare(run, text(this.#details?.run.workflowId) || undefined),
    });
    this.#canvas = new Canvas("Workflow", { select: (box: Box | undefined) => this.#select(box?.node ?? "", false) });
    this.#timeline = new Timeline(this.#log, scale, this.#moment, name, select);
    this.#console = new Console(this.#log, name, { open: () => undefined, go: (sequence) => this.#moment.go(sequence), select });
    this.#artifacts = new Artifacts(run, name, select);
    this.#panel = new Panel({
      close: () => this.#select("", false), select,
      rerun: (node) => void rerun(run, { id: node, label: name(node) }),
      name,
      // Nobody would take the answer up.
      answered: () => void (this.#interrupted && this.#resume()),
      open: (artifact) => {
        this.#tab("artifacts");
        void this.#artifacts.open(artifact);
      },
    });
    const tab = (id: "log" | "artifacts", label: string, body: HTMLElement) => {
      const said = h("span", null, label);
      const tab = h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `pane-${id}`, "data-testid": `tab-${id}`, onclick: () => this.#tab(id) }, said);
      return { tab, text: said, body: h("div", { class: "pane", role: "tabpanel", id: `pane-${id}`, "aria-labelledby": `tab-${id}` }, body) };
    };
    this.#tabs = { log: tab("log", "Console", this.#console.element), artifacts: tab("artifacts", "Artifacts", this.#artifacts.element) };
    const { log, artifacts } = this.#tabs;
    const lower = h("section", { class: "lower", "aria-label": "Console and artifacts" },
      h("div", { class: "tabs", role: "tablist", onkeydown: (event: KeyboardEvent) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        event.stopPropagation();
        const to = log.body.hidden ? "log" : "artifacts";
        this.#tab(to);
        this.#tabs[to].tab.focus();
      } }, log.tab, artifacts.tab), log.body, artifacts.body);
    this.element = h("main", { class: "run-page" }, this.#header.element,
      h("div", { class: "below" },
        h("div", { class: "column" }, h("div", { class: "stage" }, this.#canvas.element), this.#timeline.element, splitter(lower), lower),
        this.#panel.element));
    this.#tab("log");
    this.#goTo = place().at;
    this.#node = place().node ?? "";
    this.#stopLog = this.#log.onChange(() => this.#grow());
    this.#clock = setInterval(() => {
      if (this.#wanted) void this.#load();
      else if (!this.#ended && performance.now() - this.#askedAt > QUIET) void this.#refresh();
      if (this.#moment.live && !this.#ended && !this.#interrupted) this.#header.tick(this.#log.stateAt(this.#log.last), true);
    }, 1000);
    void this.#load();
    this.#draw();
  }

  restore(): void {
    const { at, node } = place();
    if (at === undefined) this.#moment.goLive();
    else this.#moment.go(at);
    this.#console.restore();
    this.#select(node ?? "", true);
  }

  key(event: KeyboardEvent): boolean {
    const moment = this.#moment;
    const { key, shiftKey: shift } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (key === " ") moment.toggle();
    else if (key === "ArrowRight" && !shift) moment.step(1);
    else if (key === "ArrowLeft" && !shift) moment.step(-1);
    else if (key === "n" || key === "ArrowRight") this.#timeline.change(1);
    else if (key === "p" || key === "ArrowLeft") this.#timeline.change(-1);
    else if (key === "f") moment.goLive();
    else if (key === "g") this.#timeline.press(this.#timeline.pressed === false);
    else if (key === "l") this.#console.search();
    else if (key === "Escape" && this.#console.dismiss()) return true;
    else if (key === "Escape" && this.#node) this.#select("", false);
    else return this.#canvas.key(event);
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#moment.pause();
    this.#stopLog();
    clearInterval(this.#clock);
    this.#timeline.close();
    this.#console.close();
    this.#artifacts.close();
    this.#log.close();
  }

  #tab(wanted: "log" | "artifacts"): void {
    for (const [id, { tab, body }] of Object.entries(this.#tabs)) {
      tab.setAttribute("aria-selected", String(id === wanted));
      tab.tabIndex = id === wanted ? 0 : -1;
      body.hidden = id !== wanted;
    }
  }

  /** Whether what the log does not tell of the run, its picture above all, is still to come. */
  get #wanted(): boolean {
    const details = this.#details;
    return !this.#refused && (!details || (!details.layout && this.#log.last > 0 && this.#tries < TRIES));
  }

  /** Whether no executor works on a run that has not ended. */
  get #interrupted(): boolean {
    return this.#details?.run.interrupted === true && !this.#ended;
  }

  async #load(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    this.#askedAt = performance.now();
    this.#tries += 1;
    try {
      const details = await api.runDetails(this.#run);
      if (this.#closed) return;
      this.#details = details;
      for (const [id, of] of Object.entries(details.definition?.nodes ?? {})) this.#labels.set(id, text(field(of, "label")) || id);
      this.#known = -1;
      this.#grown = true;
      this.#console.rename();
      this.#artifacts.rename();
      this.#draw();
    } catch (error) {
      if (this.#closed) return;
      const status = error instanceof Problem ? error.status : 0;
      // What the server does not have, it is not asked for again and again; what it has may come later.
      this.#refused = status >= 400 && status < 500 && status !== 429;
      if (this.#refused && this.#log.last === 0) {
        this.#log.close();
        put(this.element, ...sorry("This run cannot be shown", told(error)).childNodes);
      } else if (this.#refused || this.#tries === 1) notice(told(error), "error");
    } finally {
      this.#asking = false;
    }
  }

  /** Asks how the run is: whether somebody works on it is known to the server alone. */
  async #refresh(): Promise<void> {
    if (this.#asking || !this.#details) return;
    this.#asking = true;
    this.#askedAt = performance.now();
    try {
      const run = await api.status(this.#run);
      if (this.#closed) return;
      this.#details = { ...this.#details, run };
      this.#draw();
    } catch {
      // The log is followed all the same, and says when the server is not there.
    } finally {
      this.#asking = false;
    }
  }

  async #resume(): Promise<void> {
    await resume(this.#run);
    await this.#refresh();
  }

  /** Selects the next node that is in this state. */
  #next(state: string): void {
    const { nodes } = this.#log.stateAt(this.#moment.at);
    const from = nodes.findIndex((node) => node.nodeId === this.#node) + 1;
    const next = [...nodes.slice(from), ...nodes].find((node) => node.state === state);
    if (next) this.#select(next.nodeId, true);
  }

  #grow(): void {
    this.#grown = true;
    if (this.#goTo !== undefined && this.#log.last >= this.#goTo) {
      this.#moment.go(this.#goTo);
      this.#goTo = undefined;
    } else if (this.#goTo !== undefined && this.#log.connection === "ended") {
      // The address names a moment that this run never had.
      this.#goTo = undefined;
    }
    this.#moment.grow();
    // Another process may have come, or gone.
    const { connection } = this.#log;
    if (connection === "lost") this.#lost = true;
    else if (this.#lost || this.#interrupted) {
      this.#lost = false;
      void this.#refresh();
    }
    this.#draw();
  }

  #select(node: string, reveal: boolean): void {
    const other = node !== this.#node;
    this.#node = node;
    if (other) note({ node: node || undefined });
    this.#canvas.select(node, reveal);
    this.#timeline.select(node);
    this.#console.select(node);
    this.#draw();
  }

  #show(): void {
    if (this.#closed) return;
    const [log, moment] = [this.#log, this.#moment];
    const state = log.stateAt(moment.at);
    const newest = log.stateAt(log.last);
    const ended = isFinal(newest.status);
    if (ended !== this.#ended) {
      this.#ended = ended;
      if (this.#details && this.#details.run.status !== newest.status) void this.#refresh();
    }
    this.#picture(newest);
    const definition = this.#details?.definition;
    const looks = new RunLooks(state, definition);
    this.#header.show(this.#details, state, newest, moment.live);
    // While the log is loading, what goes on in it is over already.
    this.element.classList.toggle("interrupted", this.#interrupted && moment.live);
    this.#canvas.update(looks, log.connection !== "loading");
    this.#timeline.show(this.#grown, this.#details !== undefined && !this.#details.run.interrupted && !ended && log.last > 0);
    this.#console.show(moment.at);
    this.#artifacts.show(state.artifacts);
    say(this.#tabs.artifacts.text, `Artifacts (${state.artifacts.length})`);
    this.#grown = false;
    const node = looks.node(this.#node);
    const box = { key: this.#node, node: this.#node } as Box;
    this.#panel.show(this.#node, node, state, {
      run: this.#run, definition, newest: moment.at === log.last, look: looks.box(box), items: this.#node ? log.itemsAt(moment.at, this.#node) : [], attempts: this.#attemptsOf(this.#node, moment.at),
    });
    if (this.#goTo === undefined) note({ at: moment.live ? undefined : moment.at });
    const title = `${oneLine(text(definition?.title) || this.#run)} · ${statusWord(newest.status)} · ShipSec Studio`;
    if (document.title !== title) document.title = title;
  }

  /** Draws the plan, and what turned up without being planned. */
  #picture(newest: RunState): void {
    if (newest.nodes.length === this.#known) return;
    this.#known = newest.nodes.length;
    const { definition = null, layout = null } = this.#details ?? {};
    const graph = graphOf(definition, layout, this.#details ? newest.nodes.map((node) => node.nodeId) : []);
    this.#canvas.setGraph(graph, this.#details ? "The plan is not known yet: the log has not begun." : "Loading…");
    if (this.#node) this.#select(this.#node, graph.boxes.length > 60);
  }

  #attemptsOf(node: string, at: number): Attempt[] {
    if (this.#attemptsAt !== this.#log.last) {
      this.#attemptsAt = this.#log.last;
      this.#attempts = new Map();
      for (const attempt of this.#log.attempts()) {
        const all = this.#attempts.get(attempt.nodeId);
        if (all) all.push(attempt);
        else this.#attempts.set(attempt.nodeId, [attempt]);
      }
    }
    const begun = (this.#attempts.get(node) ?? []).filter((attempt) => attempt.startedAt <= at);
    return begun.map((attempt) => (attempt.endedAt ?? 0) <= at ? attempt : { ...attempt, ended: undefined, endedAt: undefined, outcome: undefined }) as Attempt[];
  }
}

/** A page that says why there is nothing. */
export function sorry(title: string, why: string): HTMLElement {
  return h("main", { class: "hint whole-page" }, h("h2", null, title), h("p", null, visible(why)), button("Reload", () => location.reload()));
}
