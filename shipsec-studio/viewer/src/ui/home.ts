// The first page: the runs, and the workflows that can be started.

import type { RunSummary, WorkflowSummary } from "../api.ts";
import { api, told } from "./api.ts";
import { notice } from "./dialog.ts";
import { button, h, later, put, say } from "./dom.ts";
import type { Page } from "./run.ts";
import { start } from "./start.ts";
import { icon, isFinal, runLook, statusWord } from "./states.ts";
import { cut, day, many, millis, oneLine, span, visible } from "./text.ts";
import { address, go, isPlain, note, place } from "./url.ts";

/** So many runs are asked for at once. */
const PAGE = 100;
/** How often the list is asked for again, in milliseconds. */
const AGAIN = 3000;
const STATUSES = ["QUEUED", "RUNNING", "AWAITING_INPUT", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT", "TERMINATED", "STALE"];

export class HomePage implements Page {
  readonly element: HTMLElement;
  readonly #rows = h("tbody", { "data-testid": "run-list" });
  readonly #text = h("input", { type: "search", placeholder: "Filter by run or workflow", "aria-label": "Filter the runs", "data-testid": "run-filter" });
  readonly #status = h("select", { "aria-label": "Status", "data-testid": "status-filter" }, h("option", { value: "" }, "any status"), ...STATUSES.map((status) => h("option", { value: status }, statusWord(status))));
  readonly #compare: HTMLButtonElement;
  readonly #compareText = h("span", null, "Compare");
  readonly #more: HTMLButtonElement;
  readonly #hint = h("p", { class: "hint", role: "status" }, "Loading…");
  readonly #downText = h("span");
  readonly #down = h("div", { class: "banner error", role: "alert", "data-testid": "list-problem", hidden: true }, icon("failed"), this.#downText);
  readonly #workflows = h("ul", { class: "workflows", "data-testid": "workflow-list" });
  readonly #names = new Map<string, string>();
  readonly #picked = new Set<string>();
  readonly #timer: ReturnType<typeof setInterval>;
  #runs: readonly RunSummary[] = [];
  #shown = "";
  #cursor: string | undefined;
  /** How many pages are shown: so many are asked for again. */
  #pages = 1;
  #asking: AbortController | undefined;
  /** The workflow whose runs were asked for. */
  #asked: string | undefined;
  /** The times of the runs that go on. */
  #clocks: (() => void)[] = [];

  constructor() {
    const now = place();
    this.#text.value = now.q ?? "";
    this.#status.value = now.status ?? "";
    this.#text.addEventListener("input", () => {
      note({ q: this.#text.value || undefined });
      this.#show();
      searched();
    });
    const asked = later(() => void this.#load(), 0);
    // Only where it names a workflow is there something else to ask the server for.
    const searched = later(() => {
      if (this.#workflow() !== this.#asked) void this.#load();
    }, 200);
    this.#status.addEventListener("change", () => {
      note({ status: this.#status.value || undefined });
      this.#pages = 1;
      asked();
    });
    this.#compare = h("button", { type: "button", disabled: true, title: "Select two runs to compare them", "data-testid": "compare-runs", onclick: () => {
      // The older one comes first: what is told is what has changed since.
      const [a, b] = this.#runs.filter((run) => this.#picked.has(run.runId)).sort((a, b) => (a.startedAt ?? "") < (b.startedAt ?? "") ? -1 : 1);
      if (a && b) go({ diff: [a.runId, b.runId] });
    } }, icon("compare"), this.#compareText);
    this.#more = button("Show older runs", () => {
      this.#pages += 1;
      void this.#load();
    }, { hidden: true });
    this.element = h("main", { class: "home" },
      h("section", { class: "runs", "aria-label": "Runs" },
        h("div", { class: "home-head" }, h("h1", null, "Runs"), h("label", { class: "search" }, icon("search"), this.#text), this.#status, h("span", { class: "grow" }), this.#compare),
        this.#down,
        h("div", { class: "scroll" }, h("table", { class: "run-table" },
          h("thead", null, h("tr", null, ...["", "Status", "Workflow", "Run", "Started", "Time", "Events"].map((name) => h("th", { scope: "col" }, name || h("span", { class: "offscreen" }, "Compare"))))),
          this.#rows), this.#hint, this.#more)),
      h("aside", { class: "start", "aria-label": "Workflows" }, h("h2", null, "Workflows"), this.#workflows));
    this.#timer = setInterval(() => {
      if (!document.hidden) void this.#load(true);
    }, AGAIN);
    void this.#load();
    void this.#loadWorkflows();
  }

  restore(): void {
    this.#text.value = place().q ?? "";
    this.#status.value = place().status ?? "";
    void this.#load();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key !== "/") return false;
    this.#text.focus();
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#asking?.abort();
  }

  async #load(again = false): Promise<void> {
    if (again && this.#asking) return;
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    try {
      const runs: RunSummary[] = [];
      const workflow = (this.#asked = this.#workflow());
      let cursor: string | undefined;
      for (let page = 0; page < this.#pages && (page === 0 || cursor); page += 1) {
        const found = await api.runs({ workflow, status: this.#status.value || undefined, limit: PAGE, cursor }, asking.signal);
        runs.push(...found.runs);
        cursor = found.nextCursor;
      }
      if (asking.signal.aborted) return;
      this.#down.hidden = true;
      this.#runs = runs;
      this.#cursor = cursor;
      this.#show();
    } catch (error) {
      if (asking.signal.aborted) return;
      // Below the table nobody would see it.
      this.#down.hidden = false;
      say(this.#downText, `No news: ${visible(told(error))}. What is shown may be old; it is tried again.`);
    } finally {
      if (this.#asking === asking) this.#asking = undefined;
    }
  }

  async #loadWorkflows(): Promise<void> {
    try {
      let cursor: string | undefined;
      const all: WorkflowSummary[] = [];
      do {
        const found = await api.workflows({ limit: 200, cursor });
        all.push(...found.workflows);
        cursor = found.nextCursor;
      } while (cursor && all.length < 2000);
      for (const { id, name } of all) this.#names.set(id, name);
      put(this.#workflows, ...all.map(({ id, name, version }) => h("li", null,
        h("div", null, h("b", null, cut(name, 80)), h("small", { class: "muted mono" }, `${cut(id, 60)} · v${version}`)),
        button("Start", () => void start(id, name), { class: "small", "data-testid": `start-${id}`, "aria-label": `Start ${oneLine(name)}` }, icon("play")))));
      if (all.length === 0) put(this.#workflows, h("li", { class: "hint" }, "No workflow is stored yet."));
      this.#shown = "";
      this.#show();
      if (this.#workflow() !== this.#asked) void this.#load();
    } catch (error) {
      put(this.#workflows, h("li", { class: "hint" }, visible(told(error))));
      notice(told(error), "error");
    }
  }

  /** The workflow that the filter names in full: the server looks through all of its runs. */
  #workflow(): string | undefined {
    const wanted = this.#text.value.trim().toLowerCase();
    const [one, ...more] = [...this.#names].filter((names) => names.some((name) => name.toLowerCase() === wanted));
    return more.length === 0 ? one?.[0] : undefined;
  }

  #show(): void {
    const wanted = this.#text.value.trim().toLowerCase();
    const name = (run: RunSummary) => this.#names.get(run.workflowId ?? "") ?? run.workflowId ?? "unknown";
    const runs = this.#runs.filter((run) => !wanted || run.runId.toLowerCase().includes(wanted) || name(run).toLowerCase().includes(wanted) || run.workflowId?.toLowerCase().includes(wanted));
    this.#more.hidden = !this.#cursor;
    say(this.#hint, runs.length > 0 ? "" : this.#cursor ? `None of the newest ${many(this.#runs.length, "run")} fits.` : this.#runs.length > 0 || wanted || this.#status.value ? "No run fits this filter." : "No run yet. Start a workflow to see one.");
    // Rows are made anew only where something differs, so that neither focus nor selection is lost.
    const key = JSON.stringify([runs, this.#names.size]);
    if (key !== this.#shown) {
      this.#shown = key;
      const focused = document.activeElement?.getAttribute("data-focus");
      this.#clocks = [];
      put(this.#rows, ...runs.map((run) => this.#row(run, name(run))));
      if (focused) this.#rows.querySelector<HTMLElement>(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    }
    for (const tick of this.#clocks) tick();
    this.#pick();
  }

  #row(run: RunSummary, name: string): HTMLElement {
    const id = run.runId;
    const to = { run: id };
    const look = runLook(run.status);
    const open = (event: MouseEvent) => {
      if (!isPlain(event)) return;
      event.preventDefault();
      event.stopPropagation();
      go(to);
    };
    const box = h("input", { type: "checkbox", "aria-label": `Compare run ${oneLine(id)}`, "data-focus": `pick ${id}`, "data-testid": `pick-${id}` });
    box.checked = this.#picked.has(id);
    box.addEventListener("change", () => {
      if (box.checked) this.#picked.add(id);
      else this.#picked.delete(id);
      this.#pick();
    });
    const time = h("td", { class: "number" });
    const goesOn = !isFinal(run.status) && !run.interrupted;
    const tick = () => say(time, span(Math.max(millis(run.updatedAt), goesOn ? api.now() : 0) - millis(run.startedAt)));
    if (goesOn) this.#clocks.push(tick);
    tick();
    return h("tr", { "data-testid": `run-${id}`, "data-status": run.status, onclick: (event: MouseEvent) => {
      if (!(event.target as Element).closest("input, a, .pick")) open(event);
    } },
      h("td", { class: "pick" }, box),
      h("td", null, h("span", { class: `chip is-${look}` }, icon(look), statusWord(run.status)), run.interrupted && !isFinal(run.status) && h("span", { class: "chip is-failed" }, icon("warn"), "Interrupted")),
      h("td", null, cut(name, 60)),
      h("td", null, h("a", { href: address(to), class: "mono", "data-focus": `open ${id}`, onclick: open }, cut(id, 48))),
      h("td", { class: "number" }, day(run.startedAt)),
      time,
      h("td", { class: "number" }, run.lastSequence.toLocaleString("en-GB")));
  }

  #pick(): void {
    for (const id of this.#picked) if (!this.#runs.some((run) => run.runId === id)) this.#picked.delete(id);
    this.#compare.disabled = this.#picked.size !== 2;
    say(this.#compareText, this.#picked.size ? `Compare (${many(this.#picked.size, "run")})` : "Compare");
  }
}
