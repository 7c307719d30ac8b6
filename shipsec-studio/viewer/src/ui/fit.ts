// Cuts text to a width, for SVG, which does not do that by itself.

import { cut } from "./text.ts";

let context: CanvasRenderingContext2D | null | undefined;
let family = "";

/** A text on one line, no wider than so many pixels in this font; `font` is weight and size. */
export function fit(text: string, width: number, font: string): string {
  if (context === undefined) {
    context = document.createElement("canvas").getContext("2d");
    family = getComputedStyle(document.documentElement).fontFamily || "sans-serif";
  }
  // No letter is much narrower than a quarter of its height.
  const most = Math.max(1, Math.ceil(width / 3));
  let shown = cut(text, most);
  if (!context) return shown;
  context.font = `${font} ${family}`;
  if (context.measureText(shown).width <= width) return shown;
  let [low, high] = [0, Math.min(most, text.length)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${cut(text.slice(0, middle), middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  shown = cut(text, low);
  return shown.endsWith("…") ? shown : `${shown}…`;
}
