// The page that compares two runs: both on one canvas, and the list of what differs.

import { Problem, type RunDetails, type RunDiff, type RunReport } from "../api.ts";
import { Canvas } from "../canvas/canvas.ts";
import { graphOf, sideBySide, type Box } from "../canvas/graph.ts";
import { RunLooks } from "../canvas/looks.ts";
import type { RunState } from "../model.ts";
import { api, told } from "../ui/api.ts";
import { button, h, put, say } from "../ui/dom.ts";
import { fit } from "../ui/fit.ts";
import { runLink } from "../ui/panel.ts";
import { sorry, type Page } from "../ui/run.ts";
import { icon, isFinal, runLook, statusWord } from "../ui/states.ts";
import { count, cut, day, many, oneLine, text, visible } from "../ui/text.ts";
import { go, note, place } from "../ui/url.ts";
import { changeList, className } from "./list.ts";
import { DiffLooks, differences } from "./looks.ts";

/** A run that goes on is asked for again after so many milliseconds. */
const AGAIN = 2000;

interface Side { readonly details: RunDetails; readonly state: RunState }

export class DiffPage implements Page {
  readonly element: HTMLElement;
  readonly #pair: readonly [string, string];
  readonly #canvas: Canvas;
  readonly #head = h("div", { class: "diff-sides" });
  readonly #same = h("span", { class: "muted", "data-testid": "diff-unchanged" });
  readonly #classes = h("div", { class: "joined wrap", role: "group", "aria-label": "Kinds of changes" });
  readonly #rules = h("div", { class: "rules" });
  readonly #list = h("div", { class: "diff-body" });
  readonly #only = h("input", { type: "checkbox", id: "only-differences", "data-testid": "only-differences" });
  readonly #path = h("input", { type: "text", placeholder: "node/port/…  (* one token, ** any)", "aria-label": "Path that is not compared", class: "mono", spellcheck: "false", "data-testid": "ignore-path" });
  readonly #problem = h("div", { class: "problem", role: "alert" });
  #hidden = new Set<string>();
  #diff: RunDiff | undefined;
  #sides: readonly [Side, Side] | undefined;
  #node = "";
  /** In which run it is selected: `a`, `b`, or nothing where that is all the same. */
  #side = "";
  /** The keys of all boxes. */
  #keys = new Set<string>();
  /** The graph and the list as they are shown: where they are the same they stay, with what is unfolded and focused in them. */
  #drawn = "";
  #listed = "";
  #loading: AbortController | undefined;
  #closed = false;

  constructor(pair: readonly [string, string]) {
    this.#pair = pair;
    this.#read();
    this.#canvas = new Canvas("Both runs", { select: (box: Box | undefined) => this.#select(box?.node ?? "", box) });
    this.#only.addEventListener("change", () => {
      note({ same: !this.#only.checked });
      this.#show();
    });
    const add = (event: Event) => {
      event.preventDefault();
      if (this.#path.value.trim()) this.#ignore([...(place().ignore ?? []), this.#path.value.trim()]);
      this.#path.value = "";
    };
    this.element = h("main", { class: "diff-page" },
      h("header", { class: "run-header" }, this.#head,
        h("div", { class: "diff-tools" }, this.#classes, this.#same,
          h("label", { class: "check" }, this.#only, "Only differences"),
          button("Swap", () => go({ ...place(), diff: [pair[1], pair[0]], side: this.#side === "a" ? "b" : this.#node && "a" }), { title: "Swap the runs" }, icon("compare")))),
      h("div", { class: "stage" }, this.#canvas.element,
        h("section", { class: "changes", "aria-label": "What differs" },
          h("form", { class: "ignore", onsubmit: add }, this.#path, h("button", { type: "submit" }, "Ignore")), this.#problem, this.#rules, this.#list)));
    this.#canvas.setGraph(graphOf(null, null), "Loading…");
    void this.#load();
  }

  /** Takes from the address what is looked at. */
  #read(): void {
    const { node = "", side = "", hide = "", same = false } = place();
    this.#node = node;
    this.#side = side;
    this.#hidden = new Set(hide.match(/[^,]+/g));
    this.#only.checked = !same;
  }

  restore(): void {
    this.#read();
    void this.#compare();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key === "Escape" && this.#node) {
      this.#select("", undefined);
      return true;
    }
    return !event.ctrlKey && !event.metaKey && !event.altKey && this.#canvas.key(event);
  }

  close(): void {
    this.#closed = true;
    this.#loading?.abort();
  }

  async #load(): Promise<void> {
    let which = "";
    try {
      this.#sides = await Promise.all(this.#pair.map(async (run) => {
        try {
          const details = await api.runDetails(run);
          return { details, state: await api.state(run, details.lastSequence) };
        } catch (error) {
          which ||= cut(run, 80);
          throw error;
        }
      })) as [Side, Side];
      if (this.#closed) return;
      const [a, b] = this.#sides;
      const draw = (name: string, side: "a" | "b", { details: { definition, layout, run }, state }: Side) => {
        const graph = graphOf(definition, layout, state.nodes.map((node) => node.nodeId), side);
        // No wider than what it stands above, or than there is room beside that; the header has the whole ids.
        return [graph, fit(`${name}: ${text(definition?.title)} · ${run.runId}`, Math.min(900, Math.max(360, graph.width)), "600 22px")] as const;
      };
      const [[left, first], [right, second]] = [draw("First", "a", a), draw("Second", "b", b)];
      const both = sideBySide(left, right, [first, second]);
      this.#keys = new Set(both.boxes.map((box) => box.key));
      const drawn = JSON.stringify(both);
      if (drawn !== this.#drawn) this.#canvas.setGraph(both, "Neither run has a plan.");
      this.#drawn = drawn;
      await this.#compare();
      void this.#watch();
    } catch (error) {
      if (this.#sides) return this.#failed(error);
      this.element.replaceWith(sorry(`The run ${which} cannot be shown`, told(error)));
    }
  }

  /** Asks for the runs that go on, and loads both again where one has changed. */
  async #watch(failed = false): Promise<void> {
    const live = this.#sides?.map((side) => side.details.run).filter((run) => !isFinal(run.status)) ?? [];
    if (live.length === 0) return;
    await new Promise((resume) => setTimeout(resume, AGAIN));
    if (this.#closed) return;
    try {
      const now = await Promise.all(live.map((run) => api.status(run.runId)));
      const stamp = (runs: readonly RunReport[]) => runs.map((run) => run.status + run.updatedAt).join();
      void (failed || stamp(now) !== stamp(live) ? this.#load() : this.#watch());
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    say(this.#problem, visible(told(error)));
    // What the server refuses, it is not asked for again and again.
    if (!(error instanceof Problem && error.status >= 400 && error.status < 500)) void this.#watch(true);
  }

  async #compare(): Promise<void> {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    say(this.#problem, "");
    this.#showRules();
    try {
      const diff = await api.diff(this.#pair[0], this.#pair[1], place().ignore ?? [], loading.signal);
      if (loading.signal.aborted) return;
      this.#diff = diff;
    } catch (error) {
      if (loading.signal.aborted) return;
      say(this.#problem, visible(told(error)));
    }
    this.#show();
  }

  #ignore(paths: readonly string[]): void {
    note({ ignore: [...new Set(paths)] });
    void this.#compare();
  }

  #showRules(): void {
    const paths = place().ignore ?? [];
    put(this.#rules, paths.length > 0 && h("span", { class: "muted" }, "Ignored:"), ...paths.map((path) => h("span", { class: "tag mono" }, cut(path, 60),
      button("", () => this.#ignore(paths.filter((other) => other !== path)), { class: "quiet", "aria-label": `Compare ${oneLine(path)} again` }, icon("close")))));
  }

  #select(node: string, box: Box | undefined): void {
    this.#node = node;
    this.#side = box?.side ?? "";
    note({ node, side: this.#side });
    this.#canvas.select(this.#key(), !box);
    this.#showList();
  }

  /** The box of the selected node: where it was selected, or in the only run that has it. */
  #key(): string {
    return [`${this.#side}:${this.#node}`, `b:${this.#node}`, `a:${this.#node}`].find((key) => this.#keys.has(key)) ?? "";
  }

  #show(): void {
    const [diff, sides] = [this.#diff, this.#sides];
    if (!sides) return;
    const [a, b] = sides;
    document.title = "Two runs · ShipSec Studio";
    put(this.#head, h("h1", null, "Two runs"), sideHead("First", a.details.run), icon("next"), sideHead("Second", b.details.run));
    say(this.#same, diff ? `${many(diff.unchangedNodes, "node is", "nodes are")} the same` : "");
    put(this.#classes, ...Object.entries(diff?.counts ?? {}).map(([kind, number]) => button(`${className(kind)} ${count(number)}`, () => {
      if (!this.#hidden.delete(kind)) this.#hidden.add(kind);
      note({ hide: [...this.#hidden].join() });
      this.#show();
    }, { class: "toggle", "aria-pressed": String(!this.#hidden.has(kind)), "data-testid": `class-${kind}` })));
    const found = differences(diff?.changes.filter((change) => !this.#hidden.has(change.class)) ?? []);
    this.#canvas.update(new DiffLooks(new RunLooks(a.state, a.details.definition), new RunLooks(b.state, b.details.definition), found, this.#only.checked));
    this.#canvas.select(this.#key());
    this.#showList();
  }

  #showList(): void {
    const [diff, sides] = [this.#diff, this.#sides];
    if (!diff || !sides) return;
    const listed = JSON.stringify([diff, this.#node, [...this.#hidden], this.#only.checked]);
    if (listed === this.#listed) return;
    this.#listed = listed;
    put(this.#list,
      this.#node && h("div", { class: "row-between" }, h("span", null, "Only ", h("b", null, cut(this.#node, 60))), button("Show all", () => this.#select("", undefined), { class: "small" })),
      changeList(diff, this.#hidden, this.#node, { select: (node) => this.#select(node, undefined), ignore: (path) => this.#ignore([...(place().ignore ?? []), path]) }));
    if (this.#only.checked || this.#node) return;
    const changed = new Set(diff.changes.map((change) => change.nodeId));
    const same = sides[1].state.nodes.filter((node) => !changed.has(node.nodeId));
    this.#list.append(h("h2", null, `The same in both (${same.length})`), h("ul", { class: "plain same" }, ...same.slice(0, 1000).map((node) => h("li", null, cut(node.nodeId, 80)))));
  }
}

function sideHead(name: string, side: RunReport): HTMLElement {
  const look = runLook(side.status);
  return h("div", { class: "diff-side" }, h("small", { class: "muted" }, name), runLink(side.runId), h("span", { class: `chip is-${look}` }, icon(look), statusWord(side.status)), h("span", { class: "muted" }, day(side.startedAt)));
}
