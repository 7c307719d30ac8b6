// The canvas: draws a graph, only what is in sight, and changes only what looks another way than
// before. Three layers: edges, motion, nodes; what moves repaints neither of the others.

import { button, h, put, s, set } from "../ui/dom.ts";
import { icon } from "../ui/states.ts";
import { oneLine } from "../ui/text.ts";
import { farBox, nearBox, type BoxElement } from "./box.ts";
import { Camera, type Area } from "./camera.ts";
import { fold, path, type Box, type Graph, type Line } from "./graph.ts";
import type { BoxLook, LineLook, Looks } from "./looks.ts";
import { around, keyOf, showLine } from "./shapes.ts";
import { finder } from "./finder.ts";

/** Below this zoom a box is a rectangle; below the second one its name is all that can be read. */
const FAR = 0.24;
const MIDDLE = 0.66;
/** So many lines far away are drawn as one path for each state. */
const MERGE = 2500;
/** From this zoom on a rectangle has an icon, unless there are more than so many of them. */
const ICON = 0.11;
const ICONS = 1500;
/** How often that is done while they change, in milliseconds. */
const MERGE_EVERY = 250;

interface Shown<T, V, L> { readonly of: T; readonly view: V; look: string; seen?: L }
interface LineElement { readonly element: SVGPathElement; readonly d: string }

const EMPTY: Graph = { boxes: [], lines: [], groups: [], headings: [], width: 0, height: 0 };

/** Tells what the canvas cannot decide by itself. */
export interface CanvasEvents {
  /** Somebody selected a box, or nothing. */
  select(box: Box | undefined): void;
}

export class Canvas {
  readonly element: HTMLElement;
  readonly #events: CanvasEvents;
  readonly #port = h("div", { class: "view" });
  readonly #camera: Camera;
  readonly #finder = finder((key) => this.#found(key));
  readonly #worlds: SVGGElement[] = [];
  readonly #back = s("g");
  readonly #merged = { open: s("path"), fired: s("path"), dead: s("path") };
  readonly #lines = s("g");
  readonly #front = s("g");
  readonly #flow = s("path", { class: "flow" });
  readonly #halo = s("path", { class: "halo" });
  readonly #empty = h("p", { class: "hint" });
  #whole: Graph = EMPTY;
  #graph: Graph = EMPTY;
  #looks: Looks | undefined;
  #byKey = new Map<string, Box>();
  #order: Box[] = [];
  readonly #folded = new Set<string>();
  #boxes = new Map<string, Shown<Box, BoxElement, BoxLook>>();
  #edges = new Map<string, Shown<Line, LineElement, LineLook>>();
  #paths = new Map<string, string>();
  #detail = "";
  /** Which elements boxes have now. */
  #kind = "";
  #drawn: Area = { x: 0, y: 0, w: 0, h: 0 };
  #selected = "";
  #focus = "";
  #merging = false;
  #mergedAt = 0;
  #mergeLater: ReturnType<typeof setTimeout> | undefined;

  constructor(label: string, events: CanvasEvents) {
    this.#events = events;
    const layer = (name: string, ...children: SVGElement[]) => {
      const world = s("g", null, ...children);
      this.#worlds.push(world);
      return s("svg", { class: name, "aria-hidden": name === "nodes" ? null : "true" }, world);
    };
    const defs = s("defs");
    for (const kind of ["open", "fired", "dead", "error"]) {
      defs.append(s("marker", { id: `arrow-${kind}`, class: `arrow ${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }, s("path", { d: "M1 1L7 4L1 7z" })));
    }
    const edges = layer("edges", this.#back, ...Object.values(this.#merged), this.#lines);
    edges.prepend(defs);
    for (const [state, element] of Object.entries(this.#merged)) set(element, "class", `edge ${state} merged`);
    const nodes = layer("nodes", this.#front);
    set(this.#front, "role", "group");
    set(this.#front, "aria-label", label);
    this.#port.append(edges, layer("motion", this.#halo, this.#flow), nodes);
    this.#camera = new Camera(this.#port, () => this.#moved());
    const tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Canvas" },
      this.#finder.element,
      button("", () => this.#camera.zoomBy(0.8), { "aria-label": "Zoom out", title: "Zoom out (-)" }, icon("minus")),
      button("", () => this.#camera.zoomBy(1.25), { "aria-label": "Zoom in", title: "Zoom in (+)" }, icon("plus")),
      button("", () => this.fit(), { "aria-label": "Fit", title: "Show all (0)" }, icon("fit")));
    this.element = h("section", { class: "canvas", "aria-label": label, "data-testid": "canvas" }, this.#port, tools, this.#empty);
    this.#front.addEventListener("click", (event) => this.#click(event));
    this.#back.addEventListener("click", (event) => this.#click(event));
    nodes.addEventListener("click", (event) => {
      if (event.target === nodes && !this.#camera.dragged) events.select(undefined);
    });
    this.#front.addEventListener("focusin", (event) => this.#focused(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#camera.moved ? this.#moved() : this.fit()).observe(this.#port);
  }

  /** Shows a graph; `hint` stands in the middle where it is empty. */
  setGraph(graph: Graph, hint = ""): void {
    const first = this.#whole.boxes.length === 0;
    this.#whole = graph;
    this.#empty.textContent = graph.boxes.length === 0 ? hint : "";
    this.#refold();
    if (first || !this.#camera.moved) this.fit();
  }

  /** Shows a moment. */
  update(looks: Looks): void {
    this.#looks = looks;
    this.#paint();
  }

  /** Selects a box by its key; with `reveal` brings it into sight. */
  select(key: string, reveal = false): void {
    const shown = this.#holder(key);
    if (this.#selected !== key) {
      this.#boxes.get(this.#holder(this.#selected))?.view.select(false);
      this.#selected = key;
      this.#boxes.get(shown)?.view.select(true);
      this.#near();
    }
    const box = this.#byKey.get(shown);
    if (reveal && box) this.#camera.reveal(box);
  }

  /** Shows everything. */
  fit(): void {
    const area = [...this.#graph.groups, { x: 0, y: this.#graph.headings.length ? -60 : 0, w: this.#graph.width, h: this.#graph.height + (this.#graph.headings.length ? 60 : 0) }];
    const x = Math.min(...area.map((one) => one.x));
    const y = Math.min(...area.map((one) => one.y));
    this.#camera.fit({ x, y, w: Math.max(...area.map((one) => one.x + one.w)) - x, h: Math.max(...area.map((one) => one.y + one.h)) - y });
  }

  /** Puts the cursor into the search field. */
  search(): void {
    this.#finder.focus();
  }

  /** Takes a key that was pressed anywhere on the page; tells whether it was one of the canvas. */
  key(event: KeyboardEvent): boolean {
    if (event.key === "0" && !event.ctrlKey && !event.metaKey) this.fit();
    else if (event.key === "/") this.search();
    else return !event.shiftKey || event.key === "+" || event.key === "_" ? this.#camera.key(event) : false;
    return true;
  }

  #refold(): void {
    this.#graph = fold(this.#whole, this.#folded);
    this.#byKey = new Map(this.#graph.boxes.map((box) => [box.key, box]));
    this.#order = [...this.#graph.boxes].sort((a, b) => a.x - b.x || a.y - b.y);
    this.#paths = new Map();
    this.#finder.set(this.#whole.boxes);
    this.#clear();
    this.#draw();
  }

  #clear(): void {
    this.#boxes.clear();
    this.#edges.clear();
    this.#front.replaceChildren();
    this.#lines.replaceChildren();
    this.#detail = "";
  }

  /** The box that holds a node: itself, or the folded group that it is in. */
  #holder(key: string): string {
    if (this.#byKey.has(key)) return key;
    return this.#graph.boxes.find((box) => box.members?.some((member) => member.key === key))?.key ?? "";
  }

  #moved(): void {
    const { x, y, zoom } = this.#camera;
    for (const world of this.#worlds) set(world, "transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${zoom.toFixed(5)})`);
    const seen = this.#camera.seen(0);
    const drawn = this.#drawn;
    const inside = seen.x >= drawn.x && seen.y >= drawn.y && seen.x + seen.w <= drawn.x + drawn.w && seen.y + seen.h <= drawn.y + drawn.h;
    const detail = zoom < FAR ? "far" : zoom < MIDDLE ? "middle" : "near";
    // Far more is drawn than is seen after zooming in; that costs, and is drawn anew too.
    const room = detail !== "far" || (zoom > ICON) === (this.#kind === "icon") || this.#order.length > ICONS;
    if (!inside || detail !== this.#detail || !room || drawn.w > seen.w * 4) this.#draw();
  }

  /** Makes what has come into sight, and takes away what has left it. */
  #draw(): void {
    const { zoom } = this.#camera;
    const detail = zoom < FAR ? "far" : zoom < MIDDLE ? "middle" : "near";
    const far = detail === "far";
    const room = zoom > ICON && this.#order.length <= ICONS;
    const kind = far ? (room ? "icon" : "plain") : "card";
    if (kind !== this.#kind) this.#clear();
    this.#kind = kind;
    this.#detail = detail;
    set(this.#port, "data-detail", detail);
    const area = (this.#drawn = this.#camera.seen(0.3));
    const sees = (x: number, y: number, w: number, height: number) => x < area.x + area.w && x + w > area.x && y < area.y + area.h && y + height > area.y;

    const inSight = this.#order.filter((box) => sees(box.x, box.y, box.w, box.h));
    const keep = new Set(inSight.map((box) => box.key));
    if (this.#focus) keep.add(this.#focus);
    for (const [key, { view }] of this.#boxes) {
      if (keep.has(key)) continue;
      view.element.remove();
      this.#boxes.delete(key);
    }
    for (const box of inSight) {
      if (this.#boxes.has(box.key)) continue;
      const view = far ? farBox(box, room) : nearBox(box);
      this.#boxes.set(box.key, { of: box, view, look: "" });
      if (this.#holder(this.#selected) === box.key) view.select(true);
      this.#front.append(view.element);
    }
    // One box takes part in the order of tabs; the arrows go on from there.
    const first = this.#boxes.get(this.#focus) ?? this.#boxes.get(inSight[0]?.key ?? "");
    if (first) set(first.view.element, "tabindex", 0);

    const lines = this.#graph.lines.filter((line) => {
      const [a, b] = [this.#byKey.get(line.source), this.#byKey.get(line.target)];
      if (!a || !b) return false;
      let [x, y, right, bottom] = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x) + a.w, Math.max(a.y, b.y) + a.h];
      for (const bend of line.bends) [x, y, right, bottom] = [Math.min(x, bend.x), Math.min(y, bend.y), Math.max(right, bend.x), Math.max(bottom, bend.y)];
      return sees(x, y, right - x, bottom - y);
    });
    const merge = far && lines.length > MERGE;
    const wanted = new Map(lines.map((line) => [line.key, line]));
    for (const [key, { view }] of this.#edges) {
      if (wanted.has(key) && !merge === view.element.isConnected) continue;
      view.element.remove();
      this.#edges.delete(key);
    }
    for (const [key, line] of wanted) {
      if (this.#edges.has(key)) continue;
      const d = this.#path(line);
      const element = s("path", { d, "data-testid": `edge-${line.key}` });
      element.append(s("title", null, oneLine(`${line.id}: ${line.source} to ${line.target}${line.kind === "success" ? "" : `, ${line.kind}`}`)));
      if (!merge) this.#lines.append(element);
      this.#edges.set(key, { of: line, view: { element, d }, look: "" });
    }
    this.#drawGroups();
    this.#near();
    this.#paint();
  }

  #path(line: Line): string {
    let d = this.#paths.get(line.key);
    if (d === undefined) {
      const [source, target] = [this.#byKey.get(line.source), this.#byKey.get(line.target)];
      d = source && target ? path(line, source, target) : "";
      this.#paths.set(line.key, d);
    }
    return d;
  }

  #drawGroups(): void {
    put(this.#back);
    for (const group of this.#graph.groups) {
      const label = oneLine(group.label);
      this.#back.append(s("g", { class: `group${group.folded ? " folded" : ""}`, transform: `translate(${group.x} ${group.y})` },
        // Where others stand among its nodes, a frame around all would claim them as well.
        ...(group.apart ?? [{ x: 0, y: 0, w: group.w, h: group.h }]).map((area) => s("rect", { x: area.x, y: area.y, width: area.w, height: area.h, rx: 14 }))));
      // The name is a button, and stands above the nodes.
      const old = this.#front.querySelector(`[data-fold="${CSS.escape(group.key)}"]`);
      if (old) continue;
      const text = `${group.folded ? "+" : "–"} ${label} (${group.size})`;
      this.#front.append(s("g", { class: "group-name", role: "button", tabindex: 0, "data-fold": group.key, "data-testid": `fold-${group.label}`, "aria-expanded": String(!group.folded), "aria-label": `Group ${label}, ${group.size} nodes`, transform: `translate(${group.x + 12} ${group.y + 5})` },
        s("rect", { width: text.length * 6.6 + 14, height: 18, rx: 9 }), s("text", { x: 7, y: 13 }, text)));
    }
    for (const heading of this.#graph.headings) {
      this.#back.append(s("text", { class: "heading", x: heading.x, y: heading.y }, oneLine(heading.text)));
    }
  }

  /** Brings what is drawn to the looks of the moment. */
  #paint(): void {
    const looks = this.#looks;
    if (!looks) return;
    let halo = "";
    for (const shown of this.#boxes.values()) {
      const look = looks.box(shown.of);
      if (look.look === "running") halo += around(shown.of);
      if (shown.seen === look) continue;
      shown.seen = look;
      const key = keyOf(look);
      if (shown.look === key) continue;
      shown.look = key;
      shown.view.show(look);
    }
    set(this.#halo, "d", halo);
    let flow = "";
    const merged = { open: "", fired: "", dead: "" };
    for (const shown of this.#edges.values()) {
      const look = looks.line(shown.of);
      if (look.passing) flow += shown.view.d;
      if (!shown.view.element.isConnected) {
        merged[look.state] += shown.view.d;
        continue;
      }
      if (shown.seen === look) continue;
      shown.seen = look;
      const key = `${look.state}${look.passing}${look.dim}`;
      if (shown.look === key) continue;
      shown.look = key;
      showLine(shown.view.element, shown.of, look);
    }
    set(this.#flow, "d", flow);
    // Thousands of lines as one path are costly to draw, so that is done some times a second.
    const wait = this.#mergedAt + MERGE_EVERY - performance.now();
    if (this.#merging && wait > 0 && (merged.open || merged.fired || merged.dead)) {
      this.#mergeLater ??= setTimeout(() => {
        this.#mergeLater = undefined;
        this.#paint();
      }, wait);
      return;
    }
    this.#merging = Boolean(merged.open || merged.fired || merged.dead);
    this.#mergedAt = performance.now();
    for (const [state, d] of Object.entries(merged)) set(this.#merged[state as "open"], "d", d);
  }

  /** Marks the edges of what is selected. */
  #near(): void {
    const key = this.#holder(this.#selected);
    for (const { of, view } of this.#edges.values()) view.element.toggleAttribute("data-near", key !== "" && (of.source === key || of.target === key));
  }

  #toggle(group: string): void {
    if (!this.#folded.delete(group)) this.#folded.add(group);
    this.#refold();
    this.#front.querySelector<SVGElement>(`[data-fold="${CSS.escape(group)}"]`)?.focus();
  }

  #found(key: string): void {
    const holder = this.#holder(key);
    const box = this.#byKey.get(holder);
    // What is searched is wanted itself, not the group around it.
    if (box?.members) this.#toggle(holder);
    const own = this.#byKey.get(key);
    if (own) this.#events.select(own);
    this.select(key, true);
  }

  #click(event: Event): void {
    if (this.#camera.dragged) return;
    const target = event.target instanceof Element ? event.target : null;
    const group = target?.closest("[data-fold]")?.getAttribute("data-fold");
    if (group) return this.#toggle(group);
    const box = this.#byKey.get(target?.closest("[data-key]")?.getAttribute("data-key") ?? "");
    if (box?.members) this.#toggle(box.key);
    else if (box) this.#events.select(box);
  }

  #focused(event: FocusEvent): void {
    const key = (event.target as Element).closest("[data-key]")?.getAttribute("data-key");
    if (!key || key === this.#focus) return;
    const before = this.#boxes.get(this.#focus)?.view.element;
    if (before) set(before, "tabindex", -1);
    this.#focus = key;
    const now = this.#boxes.get(key)?.view.element;
    if (now) set(now, "tabindex", 0);
  }

  #key(event: KeyboardEvent): void {
    if (event.target instanceof HTMLInputElement) return;
    const on = event.target instanceof SVGElement;
    // With a node selected, shift and these arrows go through its changes, and space plays.
    if (this.#selected && event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) return;
    if (this.#selected && event.key === " " && this.#focus === this.#selected) return;
    if (on && (event.key === "Enter" || event.key === " ")) this.#click(event);
    else if (on && !event.shiftKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) this.#step(event.key === "ArrowDown" ? 1 : -1);
    else if (!this.#camera.key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step(by: number): void {
    const at = this.#order.findIndex((box) => box.key === this.#focus);
    const next = this.#order[Math.min(this.#order.length - 1, Math.max(0, at + by))];
    if (!next) return;
    this.#camera.reveal(next);
    this.#moved();
    this.#boxes.get(next.key)?.view.element.focus({ preventScroll: true });
  }
}
