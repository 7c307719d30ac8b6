// The small parts of the canvas: outlines, and the look of a line.

import { set } from "../ui/dom.ts";
import { iconPath, type Look } from "../ui/states.ts";
import type { Box, Line } from "./graph.ts";
import type { BoxLook, LineLook } from "./looks.ts";

/** All that a box shows, as one text to compare. */
export function keyOf(look: BoxLook): string {
  return `${look.look}|${look.note}|${look.done}|${look.total}|${look.badge}|${look.mark}|${look.dim}`;
}

/** The outline around a box, as an SVG path. */
export function around({ x, y, w, h: height }: Box): string {
  return `M${x - 4} ${y + 10}a14 14 0 0 1 14-14h${w - 20}a14 14 0 0 1 14 14v${height - 20}a14 14 0 0 1-14 14h${20 - w}a14 14 0 0 1-14-14z`;
}

/** A box from afar: its card. */
export function card({ x, y, w, h: height }: Box): string {
  return `M${x + 10} ${y}h${w - 20}a10 10 0 0 1 10 10v${height - 20}a10 10 0 0 1-10 10h${20 - w}a10 10 0 0 1-10-10v${20 - height}a10 10 0 0 1 10-10z`;
}

/** What a box from afar looks like, as classes of its card. */
export function farClass(look: BoxLook): string {
  return `far is-${look.look}${look.dim ? " dim" : ""}${look.mark && look.badge ? ` mark-${look.mark}` : ""}`;
}

/** The steps of an icon's path: letters, and numbers with how they move with it (-1: not at all). */
type Step = string | readonly [number: number, axis: number];

/** For each letter, along which axis its numbers go; those of an arc that are flags go along none. */
const AXES: Record<string, readonly number[]> = { M: [0, 1], L: [0, 1], H: [0], V: [1], C: [0, 1, 0, 1, 0, 1], A: [0, 0, -1, -1, -1, 0, 1] };
const steps = new Map<Look, Step[]>();

/** The icon of a state, so many times as large, at a place. */
export function iconAt(look: Look, x: number, y: number, scale: number): string {
  let known = steps.get(look);
  if (!known) {
    known = [];
    let [letter, at] = ["M", 0];
    for (const [part] of iconPath(look).matchAll(/[a-z]|-?(?:\d*\.\d+|\d+)/gi)) {
      if (/[a-z]/i.test(part)) {
        [letter, at] = [part, 0];
        known.push(part);
        continue;
      }
      const axes = AXES[letter.toUpperCase()] ?? [];
      const axis = axes[at % axes.length] ?? -1;
      // Radii, and what goes on from where it was, grow without being moved.
      known.push([Number(part), axis < 0 ? -1 : letter === letter.toLowerCase() || (axes.length === 7 && at % 7 < 2) ? 2 : axis]);
      at += 1;
    }
    steps.set(look, known);
  }
  return known.map((step) => typeof step === "string" ? step : ` ${step[1] < 0 ? step[0] : Math.round((step[0] * scale + (step[1] === 0 ? x : step[1] === 1 ? y : 0)) * 10) / 10}`).join("");
}

/** What a line looks like, as classes. */
export function lineClass(line: Line, look: LineLook): string {
  return `edge ${look.state} ${line.kind}${look.dim ? " dim" : ""}`;
}

/** Gives the element of a line its look. */
export function showLine(element: SVGPathElement, line: Line, look: LineLook): void {
  set(element, "class", lineClass(line, look));
  set(element, "data-state", look.state);
  set(element, "data-passing", String(look.passing));
}
