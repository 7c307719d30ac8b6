// The canvas: draws a graph, only what is in sight, and changes only what looks another way than
// before. Three layers: edges, motion, nodes; what moves repaints neither of the others. The layers
// are larger than what is seen of them, and follow the camera as the pictures that they are: they are
// drawn anew where that is too little, or too coarse, or as soon as the camera rests.

import { button, h, later, put, s, set } from "../ui/dom.ts";
import { icon, type Look } from "../ui/states.ts";
import { oneLine } from "../ui/text.ts";
import { Batch } from "./batch.ts";
import { farBox, nearBox, type BoxElement } from "./box.ts";
import { Camera, type Area } from "./camera.ts";
import { fold, path, type Box, type Graph, type Line } from "./graph.ts";
import type { BoxLook, LineLook, Looks } from "./looks.ts";
import { around, card, farClass, iconAt, keyOf, lineClass, showLine } from "./shapes.ts";
import { finder } from "./finder.ts";

/** Below this zoom a box is a rectangle; below the second one its name is all that can be read. */
const FAR = 0.24;
const MIDDLE = 0.66;
/** More lines far away than this are drawn together. */
const MERGE = 300;
/** From this zoom on a rectangle has an icon, unless there are more than so many of them. */
const ICON = 0.11;
const ICONS = 1500;
/** So much is drawn beyond each side, as a part of what is seen. */
const MARGIN = 0.3;
/** A picture is shown so much larger than it was drawn, and so much smaller. */
const COARSEST = 1.8;
const FINEST = 0.55;
/** The camera rests once it has not moved for so many milliseconds. */
const REST = 120;
/** So few boxes are drawn anew whenever the camera moves. */
const FEW = 40;

interface Shown<T, V, L> { readonly of: T; readonly place: number; readonly view: V; look: string; seen?: L }
/** A line with the area that it goes through. */
interface Way { readonly line: Line; readonly area: Area; d?: string }

const NOWHERE: Area = { x: 0, y: 0, w: 0, h: 0 };
const EMPTY: Graph = { boxes: [], lines: [], groups: [], headings: [], width: 0, height: 0 };

/** Tells what the canvas cannot decide by itself. */
export interface CanvasEvents {
  /** Somebody selected a box, or nothing. */
  select(box: Box | undefined): void;
}

export class Canvas {
  readonly element: HTMLElement;
  readonly #events: CanvasEvents;
  readonly #world = h("div", { class: "world" });
  readonly #port = h("div", { class: "view" }, this.#world);
  readonly #camera: Camera;
  readonly #finder = finder((key) => this.#found(key));
  readonly #worlds: SVGGElement[] = [];
  readonly #back = s("g");
  readonly #farLines = new Batch((place) => this.#way(place), (look) => look.includes(" dead "));
  readonly #nearLine = s("path", { class: "edge", "data-near": true });
  readonly #lines = s("g");
  readonly #farBoxes = new Batch((place) => card(this.#order[place]!));
  readonly #farIcons = new Batch((place, look) => {
    const { x, y, w, h } = this.#order[place]!;
    return iconAt(look.slice(look.indexOf("is-") + 3) as Look, x + w / 2 - 34, y + h / 2 - 34, 4.25);
  });
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
  /** By their places among the ways; without an element where they are drawn together. */
  #edges = new Map<number, Shown<Line, SVGPathElement | undefined, LineLook>>();
  #ways: Way[] = [];
  #detail = "";
  /** Which elements boxes have now. */
  #kind = "";
  #merged = false;
  /** Whether there is room for icons, and whether there are some. */
  #roomy = false;
  #icons = false;
  /** Where the camera was when the layers were drawn, and how far they go beyond what is seen. */
  #base = { x: 0, y: 0, zoom: 1, left: 0, top: 0 };
  /** What the layers show, and what there are elements for. */
  #shown: Area = NOWHERE;
  #drawn: Area = NOWHERE;
  /** Whether somebody wants to see everything, however small. */
  #all = false;
  /** Whether what goes on stays in sight. */
  #follows = false;
  #selected = "";
  #focus = "";
  readonly #rest = later(() => this.#rested(), REST);

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
    const edges = layer("edges", this.#back, this.#farLines.element, this.#nearLine, this.#lines);
    edges.prepend(defs);
    const nodes = layer("nodes", this.#farBoxes.element, this.#farIcons.element, this.#front);
    set(this.#front, "role", "group");
    set(this.#front, "aria-label", label);
    this.#world.append(edges, layer("motion", this.#halo, this.#flow), nodes);
    this.#camera = new Camera(this.#port, () => this.#moved());
    const tools = h("div", { class: "tools", role: "toolbar", "aria-label": "Canvas" },
      this.#finder.element,
      button("", () => this.#camera.zoomBy(0.8), { "aria-label": "Zoom out", title: "Zoom out (-)" }, icon("minus")),
      button("", () => this.#camera.zoomBy(1.25), { "aria-label": "Zoom in", title: "Zoom in (+)" }, icon("plus")),
      button("", () => this.fit(), { "aria-label": "Fit", title: "Show all (0)" }, icon("fit")));
    this.element = h("section", { class: "canvas", "aria-label": label, "data-testid": "canvas" }, this.#port, tools, this.#empty);
    this.#front.addEventListener("click", (event) => this.#click(event));
    this.#back.addEventListener("click", (event) => this.#click(event));
    this.#port.addEventListener("click", (event) => {
      if ((event.target === nodes || event.target === this.#port) && !this.#camera.dragged) events.select(undefined);
    });
    this.#front.addEventListener("focusin", (event) => this.#focused(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => {
      if (this.#camera.moved) this.#draw();
      else this.#fit();
    }).observe(this.#port);
  }

  /** Shows a graph; `hint` stands in the middle where it is empty. */
  setGraph(graph: Graph, hint = ""): void {
    const first = this.#whole.boxes.length === 0;
    this.#whole = graph;
    this.#empty.textContent = graph.boxes.length === 0 ? hint : "";
    this.#refold();
    if (first || !this.#camera.moved) this.#fit();
  }

  /** Shows a moment; with `follow`, what goes on in it stays in sight. */
  update(looks: Looks, follow = false): void {
    this.#looks = looks;
    this.#follows = follow;
    if (this.#keepInSight()) this.#draw();
    else this.#paint();
  }

  /** Of a long row, keeps what goes on in sight; where nothing does, what failed. Tells whether the camera moved. */
  #keepInSight(): boolean {
    const looks = this.#looks;
    if (!looks || !this.#follows || !this.#camera.follows) return false;
    const first = (...wanted: Look[]) => this.#order.find((box) => wanted.includes(looks.box(box).look));
    const box = first("running", "retrying", "awaiting-input") ?? first("failed");
    return box !== undefined && this.#camera.follow(box);
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
    this.#all = true;
    this.#fit();
  }

  #fit(): void {
    const area = [...this.#graph.groups, { x: 0, y: this.#graph.headings.length ? -60 : 0, w: this.#graph.width, h: this.#graph.height + (this.#graph.headings.length ? 60 : 0) }];
    const x = Math.min(...area.map((one) => one.x));
    const y = Math.min(...area.map((one) => one.y));
    this.#camera.fit({ x, y, w: Math.max(...area.map((one) => one.x + one.w)) - x, h: Math.max(...area.map((one) => one.y + one.h)) - y }, !this.#all);
    this.#keepInSight();
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
    this.#ways = [];
    for (const line of this.#graph.lines) {
      const [a, b] = [this.#byKey.get(line.source), this.#byKey.get(line.target)];
      if (!a || !b) continue;
      let [x, y, right, bottom] = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x) + a.w, Math.max(a.y, b.y) + a.h];
      for (const bend of line.bends) [x, y, right, bottom] = [Math.min(x, bend.x), Math.min(y, bend.y), Math.max(right, bend.x), Math.max(bottom, bend.y)];
      this.#ways.push({ line, area: { x, y, w: right - x, h: bottom - y } });
    }
    this.#finder.set(this.#whole.boxes);
    this.#clear();
    this.#draw();
  }

  #clear(): void {
    this.#boxes.clear();
    this.#front.replaceChildren();
    this.#farBoxes.clear();
    this.#farIcons.clear();
    this.#clearLines();
  }

  #clearLines(): void {
    this.#edges.clear();
    this.#lines.replaceChildren();
    this.#farLines.clear();
  }

  /** The box that holds a node: itself, or the folded group that it is in. */
  #holder(key: string): string {
    if (this.#byKey.has(key)) return key;
    return this.#graph.boxes.find((box) => box.members?.some((member) => member.key === key))?.key ?? "";
  }

  #moved(): void {
    const grown = this.#camera.zoom / this.#base.zoom;
    const enough = inside(this.#inPicture(0), this.#shown);
    if (!enough || grown > COARSEST || grown < FINEST || !this.#camera.moved) return this.#draw();
    if (grown !== 1 && this.#boxes.size <= FEW) return this.#rested();
    this.#follow();
    this.#rest();
  }

  /** What is seen, with a margin, of where there is anything to see. */
  #inPicture(margin: number): Area {
    const { x, y, w, h: height } = this.#camera.seen(margin);
    const { width, height: bottom } = this.#graph;
    // Names of groups, headings and the ends of lines stand beyond the boxes.
    const edge = 400;
    const [left, top] = [Math.max(x, -edge), Math.max(y, -edge)];
    return { x: left, y: top, w: Math.max(0, Math.min(x + w, width + edge) - left), h: Math.max(0, Math.min(y + height, bottom + edge) - top) };
  }

  /** Moves the layers as they are. */
  #follow(): void {
    const { x, y, zoom } = this.#camera;
    const base = this.#base;
    const grown = zoom / base.zoom;
    // Between two pixels all of it would be blurred.
    const exact = (place: number) => grown === 1 ? Math.round(place) : place;
    const [right, down] = [exact(x + base.left - grown * (base.x + base.left)), exact(y + base.top - grown * (base.y + base.top))];
    this.#world.style.transform = `translate(${right}px, ${down}px) scale(${grown})`;
  }

  /** The camera rests: what is shown becomes as fine as it can be, and has its margins again. */
  #rested(): void {
    const { zoom } = this.#camera;
    if (this.#detailAt(zoom) !== this.#detail || zoom > ICON !== this.#roomy || !inside(this.#inPicture(MARGIN), this.#drawn)) this.#draw();
    else if (zoom !== this.#base.zoom) this.#redraw();
  }

  /** Draws the layers for where the camera is. */
  #redraw(): void {
    const { x, y, zoom } = this.#camera;
    const { clientWidth, clientHeight } = this.#port;
    const [left, top] = [Math.ceil(clientWidth * MARGIN), Math.ceil(clientHeight * MARGIN)];
    this.#base = { x, y, zoom, left, top };
    this.#world.style.inset = `${-top}px ${-left}px`;
    for (const world of this.#worlds) set(world, "transform", `translate(${(x + left).toFixed(2)} ${(y + top).toFixed(2)}) scale(${zoom.toFixed(5)})`);
    this.#shown = this.#camera.seen(MARGIN);
    this.#follow();
  }

  #detailAt(zoom: number): string {
    return zoom < FAR ? "far" : zoom < MIDDLE ? "middle" : "near";
  }

  /** Makes what has come into sight, and takes away what has left it. */
  #draw(): void {
    this.#redraw();
    const { zoom } = this.#camera;
    const detail = (this.#detail = this.#detailAt(zoom));
    const far = detail === "far";
    const kind = far ? "far" : "card";
    if (kind !== this.#kind) this.#clear();
    this.#kind = kind;
    set(this.#port, "data-detail", detail);
    const area = (this.#drawn = this.#shown);

    const keep = new Set<string>();
    const near = this.#holder(this.#selected);
    let first = "";
    let number = 0;
    for (const [place, box] of this.#order.entries()) {
      if (!touches(box, area)) {
        if (box.key === this.#focus) keep.add(box.key);
        continue;
      }
      first ||= box.key;
      number += 1;
      keep.add(box.key);
      if (this.#boxes.has(box.key)) continue;
      const view = far ? farBox(box) : nearBox(box);
      this.#boxes.set(box.key, { of: box, place, view, look: "" });
      if (near === box.key) view.select(true);
      this.#front.append(view.element);
    }
    for (const [key, { view, place }] of this.#boxes) {
      if (keep.has(key)) continue;
      view.element.remove();
      this.#boxes.delete(key);
      this.#farBoxes.show(place, "");
      this.#farIcons.show(place, "");
    }
    this.#roomy = zoom > ICON;
    const icons = far && this.#roomy && number <= ICONS;
    if (icons !== this.#icons) {
      this.#icons = icons;
      this.#farIcons.clear();
      for (const shown of this.#boxes.values()) shown.seen = undefined;
    }
    // One box takes part in the order of tabs; the arrows go on from there.
    const tab = this.#boxes.get(this.#focus) ?? this.#boxes.get(first);
    if (tab) set(tab.view.element, "tabindex", 0);

    const places = new Set<number>();
    for (const [place, way] of this.#ways.entries()) if (touches(way.area, area)) places.add(place);
    const merged = far && places.size > MERGE;
    if (merged !== this.#merged) this.#clearLines();
    this.#merged = merged;
    for (const [place, { view }] of this.#edges) {
      if (places.has(place)) continue;
      view?.remove();
      this.#edges.delete(place);
      this.#farLines.show(place, "");
    }
    for (const place of places) {
      if (this.#edges.has(place)) continue;
      const { line } = this.#ways[place]!;
      let view: SVGPathElement | undefined;
      if (!merged) {
        view = s("path", { d: this.#way(place), "data-testid": `edge-${line.key}` },
          s("title", null, oneLine(`${line.id}: ${line.source} to ${line.target}${line.kind === "success" ? "" : `, ${line.kind}`}`)));
        this.#lines.append(view);
      }
      this.#edges.set(place, { of: line, place, view, look: "" });
    }
    this.#drawGroups();
    this.#near();
    this.#paint();
  }

  /** The way of a line, as an SVG path. */
  #way(place: number): string {
    const way = this.#ways[place]!;
    return (way.d ??= path(way.line, this.#byKey.get(way.line.source)!, this.#byKey.get(way.line.target)!));
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
    const far = this.#kind === "far";
    let halo = "";
    for (const shown of this.#boxes.values()) {
      const look = looks.box(shown.of);
      if (look.look === "running") halo += around(shown.of);
      if (shown.seen === look) continue;
      shown.seen = look;
      if (far) this.#farBoxes.show(shown.place, farClass(look));
      if (this.#icons) this.#farIcons.show(shown.place, look.look === "idle" ? "" : `far-icon${look.dim ? " dim" : ""} is-${look.look}`);
      const key = keyOf(look);
      if (shown.look === key) continue;
      shown.look = key;
      shown.view.show(look);
    }
    set(this.#halo, "d", halo);
    let flow = "";
    for (const shown of this.#edges.values()) {
      const look = looks.line(shown.of);
      if (look.passing) flow += this.#way(shown.place);
      if (shown.seen === look) continue;
      shown.seen = look;
      if (!shown.view) {
        this.#farLines.show(shown.place, lineClass(shown.of, look));
        continue;
      }
      const key = `${look.state}${look.passing}${look.dim}`;
      if (shown.look === key) continue;
      shown.look = key;
      // What nothing goes through lies below what something does.
      if ((look.state === "dead") !== (shown.view.dataset["state"] === "dead")) {
        if (look.state === "dead") this.#lines.prepend(shown.view);
        else this.#lines.append(shown.view);
      }
      showLine(shown.view, shown.of, look);
    }
    set(this.#flow, "d", flow);
    for (const batch of [this.#farBoxes, this.#farIcons, this.#farLines]) batch.flush();
  }

  /** Marks the edges of what is selected. */
  #near(): void {
    const key = this.#holder(this.#selected);
    let near = "";
    for (const { of, place, view } of this.#edges.values()) {
      const is = key !== "" && (of.source === key || of.target === key);
      if (view) view.toggleAttribute("data-near", is);
      else if (is) near += this.#way(place);
    }
    set(this.#nearLine, "d", near);
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
    // Keys are for the page again, not for the field.
    this.#toFocus(key);
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
    this.#toFocus(next.key);
  }

  #toFocus(key: string): void {
    this.#moved();
    this.#boxes.get(key)?.view.element.focus({ preventScroll: true });
  }
}

/** Whether two areas have anything in common. */
function touches(a: Area, b: Area): boolean {
  return a.x < b.x + b.w && a.x + a.w > b.x && a.y < b.y + b.h && a.y + a.h > b.y;
}

/** Whether all of an area, where it is one, is in another one. */
function inside(a: Area, b: Area): boolean {
  return a.w <= 0 || a.h <= 0 || a.x >= b.x && a.y >= b.y && a.x + a.w <= b.x + b.w && a.y + a.h <= b.y + b.h;
}
