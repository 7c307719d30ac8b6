// The panel of the selected node: everything that the log tells of it up to the moment.

import type { ArtifactView, NodeCounts, NodeView, RunState } from "../model.ts";
import type { BoxLook } from "../canvas/looks.ts";
import { answerForm } from "./answer.ts";
import { api, told } from "./api.ts";
import { button, h, put, type Child } from "./dom.ts";
import { notice, save } from "./dialog.ts";
import { Items } from "./items.ts";
import { jsonTree } from "./json.ts";
import { longText } from "./long.ts";
import { Sections } from "./sections.ts";
import { icon, word } from "./states.ts";
import { count, cut, day, field, fileName, millis, oneLine, size, span, text, visible } from "./text.ts";
import { address, go, isPlain } from "./url.ts";

/** Larger values are useless on a page. */
const SHOWN = 16 * 1024 * 1024;

/** What the panel can do. */
export interface PanelEvents {
  close(): void;
  select(node: string): void;
  rerun(node: string): void;
  open(artifact: ArtifactView): void;
  /** A question was answered. */
  answered(): void;
  /** The name of a node. */
  name(node: string): string;
}

/** What the panel is made of besides the state. */
export interface PanelContext {
  readonly run: string;
  readonly definition: unknown;
  /** Whether the newest moment is looked at: only then can a question be answered. */
  readonly newest: boolean;
  readonly look: BoxLook;
  /** The items of a node that runs once for each. */
  readonly items: readonly NodeView[];
  readonly attempts: readonly { attempt: number; started: number; ended?: number | undefined; outcome?: string | undefined }[];
}

interface Input {
  readonly port: string;
  readonly from?: { readonly node: string; readonly shown: string };
  readonly value: unknown;
  /** A port's output, all outputs of a node, or a value as it is. */
  readonly as: "port" | "ports" | "plain";
  readonly handle?: string;
}

/** Where outputs come from, and how to look into what they only refer to. */
interface Source {
  readonly run: string;
  readonly node: string;
  readonly artifacts: readonly ArtifactView[];
  open(artifact: ArtifactView): void;
}

export class Panel {
  readonly element = h("aside", { class: "panel", "aria-label": "Node", "data-testid": "node-panel", hidden: true });
  readonly #events: PanelEvents;
  #sections: Sections | undefined;
  #items: Items | undefined;
  #node = "";

  constructor(events: PanelEvents) {
    this.#events = events;
  }

  /** Shows a node; nothing without one. */
  show(id: string, node: NodeView | undefined, state: RunState, context: PanelContext): void {
    this.element.hidden = !id;
    if (!id) {
      this.#node = "";
      return;
    }
    if (id !== this.#node || !this.#sections) {
      this.#node = this.element.dataset["node"] = id;
      put(this.element);
      this.#sections = new Sections(this.element, ["head", "answer", "error", "facts", "attempts", "items", "outputs", "inputs", "params", "artifacts"]);
      this.#items = undefined;
      this.element.scrollTop = 0;
    }
    const parts = this.#sections;
    const { definition, look, newest } = context;
    const action = list(field(definition, "actions")).find((action) => field(action, "ref") === id);
    const label = text(field(own(field(definition, "nodes"), id), "label")) || id;
    parts.show("head", [label, look.look, look.note, node !== undefined], () => [
      h("header", null,
        h("div", null, h("h2", null, cut(label, 120)), label !== id && h("div", { class: "mono muted" }, cut(id, 120))),
        button("", () => this.#events.close(), { class: "quiet", "aria-label": "Close the panel", title: "Close (Esc)" }, icon("close"))),
      h("div", { class: "row-between" },
        h("span", { class: `chip is-${look.look}`, "data-testid": "node-state", "data-state": look.look }, icon(look.look), word(look.look)),
        button("Rerun from here", () => this.#events.rerun(id), { class: "small", "data-testid": "rerun-from" }, icon("rerun"))),
    ]);
    const asks = node?.awaiting;
    parts.show("answer", [asks?.requestId, newest], () => !node || !asks ? [] : newest ? [answerForm(context.run, node, () => this.#events.answered())] : [
      h("p", { class: "hint" }, `Here it waits for an answer: ${visible(asks.title)}. Go to the newest moment to give one.`),
    ]);
    parts.show("error", [node?.error, node?.skipReason, node?.cancelReason, node?.handledBy], () => this.#error(node));
    parts.show("facts", [node, look.note, look.done, action], () => [h("dl", { class: "facts" }, ...this.#facts(node, action, look, state.items?.[id]))]);
    parts.show("attempts", [context.attempts.length, context.attempts.at(-1)?.ended], () => context.attempts.length < 2 ? [] : [
      h("h3", null, "Attempts"),
      h("ol", { class: "attempts" }, ...context.attempts.map((one) => h("li", { value: one.attempt }, h("span", { class: `dot ${one.outcome ?? "running"}` }), ` ${one.outcome ?? "running"}`,
        one.ended !== undefined && h("span", { class: "muted" }, ` after ${span(one.ended - one.started)}`)))),
    ]);
    const { items } = context;
    parts.show("items", [items.length > 0], () => items.length === 0 ? [] : [
      h("h3", null, "Items"),
      (this.#items = new Items(context.run, (item) => [...this.#error(item), h("dl", { class: "facts" }, ...this.#facts(item, undefined)), item.outputs && ports(item.outputs, source(item.nodeId), item.activePorts)], () => this.#events.answered())).element,
    ]);
    this.#items?.show(items, newest);
    const source = (node: string): Source => ({ run: context.run, node, artifacts: state.artifacts, open: (artifact) => this.#events.open(artifact) });
    parts.show("outputs", [node?.outputs, node?.activePorts], () => node?.outputs && Object.keys(node.outputs).length > 0 ? [
      h("h3", null, "Outputs"), ports(node.outputs, source(id), node.activePorts),
    ] : []);
    const inputs = this.#inputs(action, state, definition);
    parts.show("inputs", [action, ...inputs.map((input) => input.value)], () => inputs.length === 0 ? [] : [
      h("h3", null, "Inputs"),
      ...inputs.map(({ port, from, value, as, handle = "" }) => h("div", { class: "port" },
        h("div", { class: "port-name" }, h("b", null, cut(port, 80)), from && button(`from ${cut(from.shown, 80)}`, () => this.#events.select(from.node), { class: "link" })),
        value === undefined ? h("span", { class: "muted" }, "nothing yet") : as === "plain" ? jsonTree(value) : as === "port" ? portValue(value, handle, source(from?.node ?? "")) : ports(value as object, source(from?.node ?? "")))),
    ]);
    const params = field(action, "params");
    parts.show("params", [params], () => typeof params === "object" && params && Object.keys(params).length > 0 ? [h("h3", null, "Parameters"), jsonTree(params)] : []);
    const artifacts = state.artifacts.filter((artifact) => artifact.nodeId === id);
    parts.show("artifacts", [artifacts.length], () => artifacts.length === 0 ? [] : [
      h("h3", null, `Artifacts (${artifacts.length})`),
      h("ul", { class: "plain" }, ...artifacts.slice(0, 200).map((one) => h("li", null, button(cut(one.name, 80), () => this.#events.open(one), { class: "link" }), h("span", { class: "muted" }, ` ${size(one.size)}`)))),
    ]);
  }

  #error(node: NodeView | undefined): Child[] {
    const parts: Child[] = [];
    const error = node?.error;
    if (error) {
      const byField = Object.entries((field(error, "fieldErrors") as Record<string, string[]> | undefined) ?? {});
      const details = field(error, "details");
      parts.push(h("div", { class: "error-box", "data-testid": "node-error" },
        h("h3", null, icon("failed"), cut(error.kind, 80), h("span", { class: "muted" }, error.retryable ? " another attempt may succeed" : " another attempt would not help")),
        h("div", { class: "prewrap" }, longText(error.message, 2000, true)),
        byField.length > 0 && h("table", null, ...byField.map(([name, said]) => h("tr", null, h("th", { scope: "row" }, cut(name, 100)), h("td", null, visible(said.join("; ")))))),
        details !== undefined && details !== null && jsonTree(details, 1)));
    }
    if (node?.handledBy) parts.push(h("p", null, "Handled by ", this.#link(node.handledBy)));
    if (node?.skipReason) parts.push(h("p", { class: "note-box" }, icon("skipped"), `Skipped: ${oneLine(node.skipReason.replaceAll("-", " "))}`, node.skipCause && ", because of ", node.skipCause && this.#link(node.skipCause)));
    if (node?.cancelReason) parts.push(h("p", { class: "note-box" }, icon("cancelled"), `Cancelled: ${visible(node.cancelReason)}`));
    return parts;
  }

  #link(node: string): HTMLElement {
    return button(cut(this.#events.name(node), 60), () => this.#events.select(node), { class: "link" });
  }

  #facts(node: NodeView | undefined, action: unknown, look?: BoxLook, items?: NodeCounts): Child[] {
    const rows: Child[] = [];
    const add = (name: string, ...value: Child[]) => rows.push(h("dt", null, name), h("dd", null, ...value));
    const component = node?.componentId ?? text(field(action, "componentId"));
    if (component) add("Component", h("span", { class: "mono" }, cut(`${component} ${node?.componentVersion ?? text(field(action, "componentVersion"))}`, 120)));
    if (node?.attempt) add("Attempt", count(node.attempt));
    if (look?.done !== undefined) add("Progress", `${count(look.done)}${look.total === undefined ? "" : ` of ${count(look.total)}`} ${oneLine(look.unit ?? "")}`);
    if (node?.progress?.message) add("Says", longText(node.progress.message, 300));
    if (node?.startedAt) add("Started", day(node.startedAt));
    if (node?.endedAt) add("Ended", day(node.endedAt));
    if (node?.durationMs !== undefined) add("Took", span(node.durationMs));
    if (node?.retryAt) add("Next attempt", `${day(node.retryAt)}${node.endedAt ? "" : ` (${span(millis(node.retryAt) - millis(node.startedAt))} after this one began)`}`);
    if (node?.triggeredBy) add("Started by", this.#link(node.triggeredBy));
    if (node?.reusedFrom) add("Taken over from", runLink(node.reusedFrom));
    for (const child of node?.childRuns ?? []) add("Called", runLink(child));
    const lines = node?.logCounts;
    if (lines) add("Log", (["error", "warn", "info", "debug"] as const).filter((level) => lines[level] > 0).map((level) => `${count(lines[level])} ${level}`).join(", ") || "nothing");
    if (items) add("Items", Object.entries(items).filter(([, number]) => number > 0).map(([name, number]) => `${count(number)} ${oneLine(name)}`).join(", ") || "none");
    const each = field(action, "forEach");
    if (each !== undefined) add("For each", cut(text(each), 120));
    return rows;
  }

  /** What the node gets: what its connections bring at this moment, and what was set by hand. */
  #inputs(action: unknown, state: RunState, definition: unknown): Input[] {
    const inputs: Input[] = [];
    const entry = text(field(field(definition, "entrypoint"), "ref"));
    if (entry && entry === field(action, "ref")) {
      for (const [port, value] of Object.entries(state["inputs"] ?? {})) inputs.push({ port, value, as: "plain" });
    }
    for (const [port, mapping] of Object.entries((field(action, "inputMappings") as object | undefined) ?? {})) {
      const node = text(field(mapping, "sourceRef"));
      const handle = text(field(mapping, "sourceHandle"));
      const outputs = state.nodes.find((other) => other.nodeId === node)?.outputs;
      inputs.push({ port, from: { node, shown: handle ? `${node}.${handle}` : node }, value: handle ? own(outputs, handle) : outputs, as: handle ? "port" : "ports", handle });
    }
    for (const [port, value] of Object.entries((field(action, "inputOverrides") as object | undefined) ?? {})) inputs.push({ port: `${port} (set by hand)`, value, as: "plain" });
    return inputs;
  }
}

/** A link to another run. */
export function runLink(run: string, node?: string): HTMLElement {
  const to = { run, node };
  return h("a", {
    href: address(to), class: "mono", onclick: (event: MouseEvent) => {
      if (!isPlain(event)) return;
      event.preventDefault();
      go(to);
    },
  }, cut(run, 60));
}

/** The outputs of a node, port by port. */
function ports(outputs: object, source: Source, active?: readonly string[]): HTMLElement {
  return h("div", null, ...Object.entries(outputs).map(([port, value]) => h("div", { class: "port" },
    h("div", { class: "port-name" }, h("b", null, cut(port, 80)), active?.includes(port) && h("span", { class: "tag" }, "active")), portValue(value, port, source))));
}

function portValue(value: unknown, port: string, source: Source): Node {
  const kind = field(value, "kind");
  if (kind === "secret") return h("span", { class: "tag" }, "secret ", text(field(value, "name")) && h("b", null, cut(text(field(value, "name")), 80)));
  if (kind === "reference") {
    return kept(value, port, source);
  }
  if (kind === "unreadable") return h("span", { class: "warning" }, visible(text(field(value, "message"))));
  if (kind !== "value") return jsonTree(value);
  const masked = list(field(value, "masked"));
  const inside = field(value, "value");
  const file = source.artifacts.find((one) => one.sha256 === field(inside, "sha256") && one.location === field(inside, "location"));
  return h("div", null, file && button(cut(file.name, 80), () => source.open(file), { class: "link", title: "Look into it" }, icon("file")), jsonTree(inside, file ? 0 : 1), masked.length > 0 && h("small", { class: "muted" }, `${masked.length} secret${masked.length > 1 ? "s" : ""} masked`));
}

/** A value that is too large for the log: fetched for whoever asks. */
function kept(value: unknown, port: string, { run, node }: Source): HTMLElement {
  const bytes = Number(field(value, "size"));
  const name = fileName(`${node}.${port}.json`);
  const body = h("div", { class: "kept" });
  const fetched = (use: (blob: Blob) => unknown) => async () => {
    try {
      await use(await api.output(run, node, port));
    } catch (error) {
      notice(told(error), "error");
    }
  };
  put(body,
    h("span", { class: "tag" }, `kept in artifact storage, ${size(bytes)}`), h("span", { class: "mono muted" }, ` sha256 ${cut(text(field(value, "sha256")), 12)} `),
    bytes <= SHOWN && button("Show", fetched(async (blob) => {
      const json: unknown = JSON.parse(await blob.text());
      put(body, jsonTree(json));
    }), { class: "small", "data-testid": `show-${port}` }),
    button("", fetched((blob) => save(blob, name)), { class: "quiet", "aria-label": `Download ${name}`, title: "Download" }, icon("download")));
  return body;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A field of its own: names come from others, and may be those of an object's inherited ones. */
function own(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null && Object.hasOwn(object, name) ? field(object, name) : undefined;
}
