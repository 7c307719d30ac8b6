// The bar between two parts of a page, which somebody can drag, or move with the arrows.

import { h, set } from "./dom.ts";

const LEAST = 90;

/** A bar above an element that changes its height. */
export function splitter(below: HTMLElement): HTMLElement {
  const bar = h("div", { class: "splitter", role: "separator", tabindex: 0, "aria-orientation": "horizontal", "aria-label": "Height of the console" });
  const most = () => Math.max(LEAST, innerHeight - 280);
  const resize = (height: number) => {
    below.style.height = `${Math.round(Math.max(LEAST, Math.min(most(), height)))}px`;
  };
  const tell = () => {
    set(bar, "aria-valuemin", LEAST);
    set(bar, "aria-valuemax", most());
    set(bar, "aria-valuenow", below.clientHeight);
  };
  tell();
  new ResizeObserver(tell).observe(below);
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
