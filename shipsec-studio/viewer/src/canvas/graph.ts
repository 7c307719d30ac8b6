// What the canvas draws: boxes and lines with places that came from the server. Groups can be
// folded into one box each; the places of everything else stay.

import { field, text } from "../ui/text.ts";

export interface Point { readonly x: number; readonly y: number }

/** A node, or a folded group of nodes. */
export interface Box extends Point {
  /** Unique on this canvas. */
  readonly key: string;
  /** The node's id. */
  readonly node: string;
  /** Which of two runs, where two are shown. */
  readonly side?: "a" | "b";
  readonly label: string;
  readonly component: string;
  readonly w: number;
  readonly h: number;
  readonly group?: string;
  /** The nodes that are folded into it. */
  readonly members?: readonly Box[];
}

/** An edge, or the edges between the same two boxes once something is folded. */
export interface Line {
  readonly key: string;
  readonly id: string;
  readonly side?: "a" | "b";
  readonly source: string;
  readonly target: string;
  readonly kind: string;
  readonly bends: readonly Point[];
  readonly members?: readonly Line[];
}

/** A group with room around its nodes. */
export interface Group extends Point {
  readonly key: string;
  readonly label: string;
  readonly w: number;
  readonly h: number;
  readonly folded: boolean;
  readonly size: number;
  /** Frames around each of its nodes, from its own corner, where nodes of others stand between them. */
  readonly apart?: readonly { readonly x: number; readonly y: number; readonly w: number; readonly h: number }[];
}

/** Everything on a canvas. */
export interface Graph {
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
  readonly groups: readonly Group[];
  readonly headings: readonly (Point & { readonly text: string })[];
  readonly width: number;
  readonly height: number;
}

/** Sizes that the layout of the server assumes by default. */
const W = 240;
const H = 80;
/** Room inside a group around its nodes, and for its name above them. */
const PAD = 18;
const NAME = 26;

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The graph of a run. Nodes that the layout does not have stand below the others. */
export function graphOf(definition: unknown, layout: unknown, others: readonly string[] = [], side?: "a" | "b"): Graph {
  const prefix = side ? `${side}:` : "";
  const components = new Map<string, string>();
  for (const action of list(field(definition, "actions"))) components.set(text(field(action, "ref")), text(field(action, "componentId")));
  const metadata = field(definition, "nodes");
  const boxes: Box[] = [];
  const add = (node: string, x: number, y: number) => {
    const of = Object.hasOwn(metadata ?? {}, node) ? field(metadata, node) : undefined;
    boxes.push({
      key: prefix + node, node, side, x, y, w: W, h: H,
      label: text(field(of, "label")) || node,
      component: components.get(node) ?? "",
      group: text(field(of, "groupId")) || undefined,
    });
  };
  const known = new Set<string>();
  for (const place of list(field(layout, "nodes"))) {
    const node = text(field(place, "node"));
    known.add(node);
    add(node, Number(field(place, "x")) || 0, Number(field(place, "y")) || 0);
  }
  let height = Number(field(layout, "height")) || 0;
  let width = Number(field(layout, "width")) || 0;
  const left = others.filter((node) => !known.has(node));
  left.forEach((node, at) => add(node, (at % 8) * (W + 40), height + (height ? 60 : 0) + Math.floor(at / 8) * (H + 40)));
  for (const box of boxes.slice(boxes.length - left.length)) {
    width = Math.max(width, box.x + W);
    height = Math.max(height, box.y + H);
  }
  const bends = new Map<string, Point[]>();
  for (const of of list(field(layout, "bends"))) {
    const points = list(field(of, "points")).map((point) => ({ x: Number(field(point, "x")), y: Number(field(point, "y")) }));
    bends.set(JSON.stringify([field(of, "source"), field(of, "target")]), points);
  }
  const lines: Line[] = list(field(definition, "edges")).map((edge) => {
    const [id, source, target] = [text(field(edge, "id")), text(field(edge, "sourceRef")), text(field(edge, "targetRef"))];
    return {
      key: prefix + id, id, side, source: prefix + source, target: prefix + target,
      kind: text(field(edge, "kind")) || "success",
      bends: bends.get(JSON.stringify([source, target])) ?? [],
    };
  });
  return { boxes, lines, groups: [], headings: [], width, height };
}

/** Two graphs on one canvas, side by side: beside each other where they are tall, else one above the other. */
export function sideBySide(a: Graph, b: Graph, titles: readonly [string, string]): Graph {
  const beside = Math.max(a.height, b.height) > Math.max(a.width, b.width) * 1.2;
  const [dx, dy] = beside ? [a.width + 240, 0] : [0, a.height + 150];
  const move = <T extends Point>(point: T): T => ({ ...point, x: point.x + dx, y: point.y + dy });
  return {
    boxes: [...a.boxes, ...b.boxes.map(move)],
    lines: [...a.lines, ...b.lines.map((line) => ({ ...line, bends: line.bends.map(move) }))],
    groups: [],
    headings: [{ x: 0, y: -28, text: titles[0] }, { x: dx, y: dy - 28, text: titles[1] }],
    width: beside ? dx + b.width : Math.max(a.width, b.width),
    height: beside ? Math.max(a.height, b.height) : dy + b.height,
  };
}

/** The graph with some groups folded into one box each. */
export function fold(graph: Graph, folded: ReadonlySet<string>): Graph {
  const byGroup = new Map<string, Box[]>();
  for (const box of graph.boxes) {
    if (box.group === undefined) continue;
    const key = `${box.side ?? ""}group:${box.group}`;
    const members = byGroup.get(key);
    if (members) members.push(box);
    else byGroup.set(key, [box]);
  }
  const groups: Group[] = [];
  const into = new Map<string, Box>();
  for (const [key, members] of byGroup) {
    if (members.length < 2) continue;
    const x = Math.min(...members.map((box) => box.x));
    const y = Math.min(...members.map((box) => box.y));
    const right = Math.max(...members.map((box) => box.x + box.w));
    const bottom = Math.max(...members.map((box) => box.y + box.h));
    const label = members[0]?.group ?? "";
    const is = folded.has(key);
    const own = new Set(members);
    const among = graph.boxes.some((box) => !own.has(box) && box.x < right && box.x + box.w > x && box.y < bottom && box.y + box.h > y);
    const apart = among ? members.map((box) => ({ x: box.x - x, y: box.y - y + NAME - PAD, w: box.w + 2 * PAD, h: box.h + 2 * PAD })) : undefined;
    // Folded, it stands where the node nearest to its middle stood: nothing else stands there.
    const off = (box: Box) => Math.hypot(box.x + box.w / 2 - (x + right) / 2, box.y + box.h / 2 - (y + bottom) / 2);
    const middle = members.reduce((best, box) => (off(box) < off(best) ? box : best));
    groups.push(is
      ? { key, label, size: members.length, folded: true, x: middle.x - PAD, y: middle.y - NAME, w: W + 2 * PAD, h: H + NAME + PAD }
      : { key, label, size: members.length, folded: false, apart, x: x - PAD, y: y - NAME, w: right - x + 2 * PAD, h: bottom - y + NAME + PAD });
    if (!is) continue;
    const box: Box = {
      key, node: key, side: members[0]?.side, label, component: `${members.length} nodes`,
      x: middle.x, y: middle.y, w: W, h: H, members,
    };
    for (const member of members) into.set(member.key, box);
  }
  if (into.size === 0) return { ...graph, groups };
  const boxes = graph.boxes.filter((box) => !into.has(box.key));
  boxes.push(...new Set(into.values()));
  const lines: Line[] = [];
  const merged = new Map<string, Line[]>();
  for (const line of graph.lines) {
    const source = into.get(line.source)?.key ?? line.source;
    const target = into.get(line.target)?.key ?? line.target;
    if (source === line.source && target === line.target) lines.push(line);
    else if (source !== target) {
      const key = JSON.stringify([source, target, line.kind]);
      const members = merged.get(key);
      if (members) members.push(line);
      else merged.set(key, [line]);
    }
  }
  for (const [key, members] of merged) {
    const [source, target, kind] = JSON.parse(key) as [string, string, string];
    lines.push({ key, id: members.map((line) => line.id).join(" "), side: members[0]?.side, source, target, kind, bends: [], members });
  }
  return { ...graph, boxes, lines, groups };
}

/** The way of a line as an SVG path: through its bends, level at each. */
export function path(line: Line, source: Box, target: Box): string {
  let x = source.x + source.w;
  let y = source.y + source.h / 2;
  let d = `M${x} ${y}`;
  const to = (nx: number, ny: number) => {
    const reach = Math.max(30, Math.abs(nx - x) / 2);
    d += ny === y && nx > x ? `H${nx}` : `C${x + reach} ${y} ${nx - reach} ${ny} ${nx} ${ny}`;
    [x, y] = [nx, ny];
  };
  for (const bend of line.bends) {
    to(bend.x - W / 2, bend.y);
    to(bend.x + W / 2, bend.y);
  }
  to(target.x, target.y + target.h / 2);
  return d;
}
