// The console: the log of a run up to the moment that is looked at, filtered.

import type { Filter, Level, RunLog } from "../model.ts";
import { copy, notice, reason, save } from "../ui/dialog.ts";
import { button, h, later, say } from "../ui/dom.ts";
import { upTo } from "../ui/sorted.ts";
import { icon } from "../ui/states.ts";
import { count, cut, fileName, many, oneLine, size } from "../ui/text.ts";
import { note, place } from "../ui/url.ts";
import { lines, type Format } from "./export.ts";
import { details, fillRow, saidBy, type LineEvents } from "./line.ts";
import { List } from "./list.ts";

/** More than so many bytes are better kept as a file. */
const CLIPBOARD = 32 * 1024 * 1024;
const STREAMS = ["event", "log", "stdout", "stderr"];
const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

export class Console {
  readonly element: HTMLElement;
  readonly #log: RunLog;
  readonly #name: (node: string) => string;
  readonly #events: LineEvents;
  readonly #list: List;
  readonly #text = h("input", { type: "search", placeholder: "Search the whole log", "aria-label": "Search the whole log", "data-testid": "console-search", spellcheck: "false", autocomplete: "off" });
  readonly #level = h("select", { "aria-label": "Least level", "data-testid": "console-level" }, ...LEVELS.map((level, at) => h("option", { value: level }, at === 0 ? "all levels" : `${level}${at < 3 ? " and up" : ""}`)));
  readonly #streams: HTMLButtonElement[];
  readonly #only: HTMLButtonElement;
  readonly #onlyText: HTMLElement;
  readonly #followButton: HTMLButtonElement;
  readonly #count = h("span", { class: "muted count", "data-testid": "console-count" });
  readonly #body = h("div", { class: "console-body" });
  readonly #shown = new Set<string>();
  #node = "";
  #at = 0;
  #active = 0;
  /** Sequence numbers that the filters leave, over the whole log; none where there is no filter. */
  #found: Int32Array | undefined;
  #foundTo = 0;
  #searching: AbortController | undefined;
  #took = 0;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(log: RunLog, name: (node: string) => string, events: LineEvents) {
    this.#log = log;
    this.#name = name;
    this.#events = {
      ...events,
      open: (sequence) => this.#open(sequence),
    };
    this.#list = new List("Console", (row, index) => this.#row(row, index), (following) => this.#showFollow(following));
    this.#list.element.setAttribute("data-testid", "console");
    const now = place();
    this.#text.value = now.text ?? "";
    this.#level.value = LEVELS.includes(now.level as Level) ? (now.level ?? "debug") : "debug";
    for (const stream of now.stream?.split(",") ?? []) if (STREAMS.includes(stream)) this.#shown.add(stream);
    const changed = later(() => this.#filter(), 150);
    this.#text.addEventListener("input", changed);
    this.#text.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") this.#text.blur();
    });
    this.#level.addEventListener("change", () => this.#filter());
    this.#streams = STREAMS.map((stream) => button(stream, () => {
      if (!this.#shown.delete(stream)) this.#shown.add(stream);
      this.#filter();
    }, { class: "toggle", title: stream === "event" ? "Only what happened to nodes and to the run" : `Only lines of ${stream}`, "data-testid": `stream-${stream}` }));
    this.#onlyText = h("span", null, "selected node");
    this.#only = h("button", { type: "button", class: "toggle", title: "Only lines of the selected node", "data-testid": "console-only", onclick: () => {
      note({ only: !place().only || undefined });
      this.#filter();
    } }, this.#onlyText);
    this.#followButton = button("Follow", () => {
      this.#list.follow(!this.#list.following);
      this.#showFollow(this.#list.following);
    }, { class: "toggle", title: "Keep the end in sight", "data-testid": "console-follow", "aria-pressed": "true" });
    const get = (format: Format) => () => void this.#export(format);
    this.element = h("div", { class: "console" },
      h("div", { class: "filters", role: "toolbar", "aria-label": "Filters of the console" },
        h("label", { class: "search" }, icon("search"), this.#text), this.#level,
        h("div", { class: "joined", role: "group", "aria-label": "Streams" }, ...this.#streams), this.#only,
        this.#count, h("span", { class: "grow" }), this.#followButton,
        button("", () => void this.#copy(), { "aria-label": "Copy these lines", title: "Copy these lines" }, icon("copy")),
        button(".txt", get("txt"), { title: "Keep these lines as text" }, icon("download")),
        button(".jsonl", get("jsonl"), { title: "Keep these events as JSON" }, icon("download"))),
      this.#body);
    this.#body.append(this.#list.element);
    this.#list.element.addEventListener("click", (event) => this.#click(event));
    this.#list.element.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.dismiss()) return;
      this.#list.element.focus();
      event.stopPropagation();
    });
    this.#filter();
  }

  /** Shows the log up to a moment. */
  show(at: number): void {
    const before = this.#at;
    this.#at = at;
    // What is to come is not told.
    if (this.#active > at) this.dismiss();
    this.#fill(false);
    if (before > at && this.#list.following) this.#list.follow(true);
    if (this.#found && this.#foundTo < this.#log.last) this.#soon();
  }

  /** The node that is selected. */
  select(node: string): void {
    if (node === this.#node) return;
    this.#node = node;
    say(this.#onlyText, node ? `only ${cut(this.#name(node), 24)}` : "selected node");
    if (place().only) this.#filter();
    this.#only.disabled = !node;
  }

  /** Nodes have got other names. */
  rename(): void {
    const node = this.#node;
    this.#node = "";
    this.select(node);
    this.#list.refresh();
  }

  /** Puts the cursor into the search field. */
  search(): void {
    this.#text.focus();
    this.#text.select();
  }

  /** Takes the filters from the address again. */
  restore(): void {
    const now = place();
    this.#text.value = now.text ?? "";
    this.#level.value = now.level ?? "debug";
    this.#shown.clear();
    for (const stream of now.stream?.split(",") ?? []) this.#shown.add(stream);
    this.#filter();
  }

  /** Closes what is open of an event; tells whether anything was. */
  dismiss(): boolean {
    const open = this.#body.childElementCount > 1;
    this.#active = 0;
    this.#list.refresh();
    if (open) this.#body.lastElementChild?.remove();
    return open;
  }

  /** Stops whatever it does. */
  close(): void {
    this.#searching?.abort();
    clearTimeout(this.#again);
  }

  #filters(): Filter | undefined {
    const level = this.#level.value as Level;
    const filter = {
      text: this.#text.value || undefined,
      level: level === "debug" ? undefined : level,
      streams: this.#shown.size ? this.#shown : undefined,
      nodes: place().only && this.#node ? new Set([this.#node]) : undefined,
    };
    return Object.values(filter).some((value) => value !== undefined) ? { ...filter, says: (event) => saidBy(event, this.#name) } : undefined;
  }

  #filter(): void {
    const level = this.#level.value;
    note({ text: this.#text.value || undefined, level: level === "debug" ? undefined : level, stream: [...this.#shown].join(",") || undefined });
    for (const [at, toggle] of this.#streams.entries()) toggle.setAttribute("aria-pressed", String(this.#shown.has(STREAMS[at] ?? "")));
    this.#only.setAttribute("aria-pressed", String(Boolean(place().only && this.#node)));
    this.#only.disabled = !this.#node;
    void this.#search(true);
  }

  async #search(fresh: boolean): Promise<void> {
    clearTimeout(this.#again);
    this.#again = undefined;
    this.#searching?.abort();
    const filter = this.#filters();
    if (!filter) {
      this.#searching = undefined;
      this.#found = undefined;
      return this.#fill(fresh);
    }
    const searching = (this.#searching = new AbortController());
    const [began, to] = [performance.now(), this.#log.last];
    try {
      const found = await this.#log.search(filter, searching.signal);
      if (searching.signal.aborted) return;
      this.#took = performance.now() - began;
      this.#found = found;
      this.#foundTo = to;
      this.#searching = undefined;
      this.#fill(fresh);
      if (this.#foundTo < this.#log.last) this.#soon();
    } catch (error) {
      if (!searching.signal.aborted) notice(reason(error), "error");
    }
  }

  /** Searches again once the log has grown, without doing nothing else. */
  #soon(): void {
    if (this.#searching) return;
    this.#again ??= setTimeout(() => void this.#search(false), Math.max(200, this.#took * 4));
  }

  #fill(fresh: boolean): void {
    const found = this.#found;
    const length = found ? upTo(found, this.#at) : this.#at;
    this.#list.set(length, fresh);
    say(this.#count, found ? `${count(length)} of ${many(this.#at, "event")}` : many(length, "event"));
  }

  #sequence(index: number): number {
    return this.#found ? (this.#found[index] ?? 0) : index + 1;
  }

  #row(row: HTMLElement, index: number): void {
    const sequence = this.#sequence(index);
    const event = this.#log.event(sequence);
    fillRow(row, event, this.#log.timeOf(sequence), this.#name, this.#text.value.toLowerCase(), sequence === this.#active);
  }

  #click(event: MouseEvent): void {
    if (!(event.target instanceof Element) || String(getSelection() ?? "")) return;
    const sequence = Number(event.target.closest("[data-sequence]")?.getAttribute("data-sequence"));
    if (!sequence) return;
    const node = event.target.closest("[data-node]")?.getAttribute("data-node");
    if (event.target.closest("[data-go]")) this.#events.go(sequence);
    else if (node) this.#events.select(node);
    else this.#open(sequence);
  }

  #key(event: KeyboardEvent): void {
    if (event.target !== this.#list.element) return;
    if (event.key === "Enter" && this.#active) this.#open(this.#active);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const length = this.#list.length;
      if (!length) return;
      const now = this.#active ? (this.#found ? upTo(this.#found, this.#active) : this.#active) - 1 : length;
      const next = Math.min(length - 1, Math.max(0, now + (event.key === "ArrowDown" ? 1 : -1)));
      this.#active = this.#sequence(next);
      this.#list.following = next === length - 1;
      this.#showFollow(this.#list.following);
      this.#list.reveal(next);
      this.#list.refresh();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #open(sequence: number): void {
    const event = this.#log.event(sequence);
    if (!event) return;
    // The list stays where it is, and with it the focus and the keys.
    this.dismiss();
    this.#active = sequence;
    this.#body.append(details(event, this.#log.timeOf(sequence), this.#events, () => {
      this.dismiss();
      this.#list.element.focus();
    }));
  }

  #showFollow(following: boolean): void {
    this.#followButton.setAttribute("aria-pressed", String(following));
  }

  async #blob(format: Format): Promise<Blob> {
    const found = this.#found;
    return lines(this.#log, this.#list.length, (index) => (found ? (found[index] ?? 0) : index + 1), format);
  }

  async #export(format: Format): Promise<void> {
    save(await this.#blob(format), `${fileName(this.#log.runId)}.${format}`);
  }

  async #copy(): Promise<void> {
    const blob = await this.#blob("txt");
    if (blob.size > CLIPBOARD) notice(`These are ${oneLine(size(blob.size))}: keep them as a file instead`, "error");
    else await copy(await blob.text(), `${count(this.#list.length)} lines`);
  }
}
