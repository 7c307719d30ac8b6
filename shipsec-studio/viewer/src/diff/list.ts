// The list of what differs, node by node.

import type { Change, RunDiff } from "../api.ts";
import { button, h } from "../ui/dom.ts";
import { jsonTree, leaf } from "../ui/json.ts";
import { runLink } from "../ui/panel.ts";
import { count, cut, many, oneLine, span } from "../ui/text.ts";
import { textPair } from "./texts.ts";

/** So many changes are shown at once. */
const STEP = 200;

const NAMES: Record<string, string> = {
  status: "status", added: "added", removed: "removed", rewired: "edges", "component-version": "component", parameter: "parameter",
  input: "input", output: "output", artifact: "artifact", logs: "log lines", duration: "duration",
};

/** The word for a class of changes. */
export function className(kind: string): string {
  return NAMES[kind] ?? kind;
}

/** What the list can do. */
export interface ListEvents {
  select(node: string): void;
  /** Somebody does not want to see what is at this path. */
  ignore(path: string): void;
}

/** The path that ignores a change, as the server reads it. */
export function ignorePath({ nodeId, path = [] }: Change): string {
  return [nodeId ?? "**", ...path].map((token) => token === "**" || token === "*" ? token : token.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");
}

/** The changes that are shown, by node in the order of the diff. */
export function changeList(diff: RunDiff, hidden: ReadonlySet<string>, node: string, events: ListEvents): HTMLElement {
  const changes = diff.changes.filter((change) => !hidden.has(change.class) && (!node || change.nodeId === node));
  const byNode = new Map<string, Change[]>();
  for (const change of changes) {
    const own = byNode.get(change.nodeId ?? "");
    if (own) own.push(change);
    else byNode.set(change.nodeId ?? "", [change]);
  }
  const list = h("div", { class: "diff-list", "data-testid": "diff-list", role: "region", "aria-label": "Changes" });
  if (changes.length === 0) {
    list.append(h("p", { class: "hint" }, Object.keys(diff.counts).length === 0 ? "Nothing is different between these runs." : "Nothing of what is shown is different."));
    return list;
  }
  const flat = [...byNode].flatMap(([node, changes]) => changes.map((change, at) => ({ change, head: at === 0 ? node : undefined, size: changes.length })));
  let shown = 0;
  const more = button("", () => grow(), { class: "small" });
  const label = more.appendChild(h("span"));
  const grow = () => {
    for (const { change, head, size } of flat.slice(shown, shown + STEP)) {
      if (head !== undefined) more.before(heading(head, size, diff, events));
      more.before(entry(change, events));
    }
    shown += STEP;
    if (shown >= flat.length) more.remove();
    else label.textContent = `Show more (${count(flat.length - shown)} left)`;
  };
  list.append(more);
  grow();
  if (diff.omitted) list.append(h("p", { class: "warning" }, `${many(diff.omitted, "further change")} not listed.`));
  return list;
}

function heading(node: string, size: number, diff: RunDiff, events: ListEvents): HTMLElement {
  if (!node) return h("div", { class: "diff-head" }, h("h2", null, "The run as a whole"), h("span", { class: "muted" }, many(size, "change")));
  const has = (kind: string) => diff.changes.some((change) => change.nodeId === node && change.class === kind);
  const named = (label: string, run: string) => {
    const link = runLink(run, node);
    link.textContent = label;
    link.title = `${oneLine(run)} at this node`;
    link.dataset["testid"] = `open-${label}`;
    return link;
  };
  return h("div", { class: "diff-head" },
    h("h2", null, button(cut(node, 80), () => events.select(node), { class: "link", "data-testid": `diff-node-${node}` })),
    h("span", { class: "muted" }, many(size, "change")), h("span", { class: "grow" }),
    h("span", { class: "muted" }, "open in "), !has("added") && named("first", diff.a.runId), !has("removed") && named("second", diff.b.runId));
}

function entry(change: Change, events: ListEvents): HTMLElement {
  const { class: kind, path = [], before, after } = change;
  const [left, right] = typeof before === "string" && typeof after === "string" && kind !== "status" ? textPair(before, after) : [value(before, kind), value(after, kind)];
  return h("div", { class: "change", "data-class": kind, "data-testid": "diff-change" },
    h("div", { class: "change-head" },
      h("span", { class: `tag class-${kind}` }, className(kind)),
      h("span", { class: "mono path" }, path.map((token) => cut(token, 80)).join(" / ")),
      h("span", { class: "grow" }),
      button("ignore", () => events.ignore(ignorePath(change)), { class: "quiet small", title: `Do not compare ${oneLine(ignorePath(change))}` })),
    before === undefined && after === undefined ? h("p", { class: "muted" }, "What came in differs: see the outputs of the nodes before it.")
      : h("div", { class: "sides" }, side("before", left), side("after", right)));
}

function value(value: unknown, kind: string): HTMLElement | undefined {
  return value === undefined ? undefined
    : kind === "duration" && typeof value === "number" ? h("span", null, span(value))
    : typeof value === "object" && value !== null ? jsonTree(value, 2) : leaf(value);
}

function side(which: "before" | "after", shown: HTMLElement | undefined): HTMLElement {
  return h("div", { class: `side ${which}${shown ? "" : " none"}` }, h("span", { class: "sign", "aria-label": which }, which === "before" ? "−" : "+"),
    shown ?? h("span", { class: "muted" }, "nothing"));
}
