// The bar between two parts of a page, which somebody can drag, or move with the arrows.

import { h, set } from "./dom.ts";

const LEAST = 90;
/** Pixels that the canvas keeps; style.css knows it too. */
const CANVAS = 110;

/** A bar above an element that changes its height. */
export function splitter(below: HTMLElement): HTMLElement {
  const bar = h("div", { class: "splitter", role: "separator", tabindex: 0, "aria-orientation": "horizontal", "aria-label": "Height of the console" });
  // The canvas above gives what it has over its own least; style.css keeps both within the window.
  const most = () => Math.max(LEAST, below.clientHeight + (below.parentElement?.firstElementChild?.clientHeight ?? 0) - CANVAS);
  const resize = (height: number) => {
    below.style.height = `${Math.round(Math.max(LEAST, Math.min(most(), height)))}px`;
  };
  const tell = () => {
    set(bar, "aria-valuemin", LEAST);
    set(bar, "aria-valuemax", most());
    set(bar, "aria-valuenow", below.clientHeight);
  };
  tell();
  const observer = new ResizeObserver(tell);
  observer.observe(below);
  observer.observe(document.body);
  bar.addEventListener("pointerdown", (event) => {
    const from = below.clientHeight + event.clientY;
    const move = (event: PointerEvent) => resize(from - event.clientY);
    bar.setPointerCapture(event.pointerId);
    bar.addEventListener("pointermove", move);
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), { once: true });
    event.preventDefault();
  });
  bar.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    resize(below.clientHeight + (event.key === "ArrowUp" ? 24 : -24));
  });
  return bar;
}
