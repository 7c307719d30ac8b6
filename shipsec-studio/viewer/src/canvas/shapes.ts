// The small parts of the canvas: outlines, and the look of a line.

import { set } from "../ui/dom.ts";
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

/** Gives the element of a line its look. */
export function showLine(element: SVGPathElement, line: Line, look: LineLook): void {
  set(element, "class", `edge ${look.state} ${line.kind}${look.dim ? " dim" : ""}`);
  set(element, "data-state", look.state);
  set(element, "data-passing", String(look.passing));
}
