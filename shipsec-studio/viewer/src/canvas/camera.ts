// Where one looks from: pan by dragging or shift with the arrows, zoom by wheel, pinch or keys.

import { frame } from "../ui/dom.ts";

/** A rectangle of the picture. */
export interface Area { readonly x: number; readonly y: number; readonly w: number; readonly h: number }

/** From this zoom on names can be read. */
const READABLE = 0.45;
const LEAST = 0.02;
const MOST = 2.5;
/** Pixels at the top that the tools take. */
const TOP = 44;
/** Pixels at the other sides of what is fitted. */
const EDGE = 24;
/** How far a pointer moves before it drags and no longer clicks. */
const SLACK = 4;

/** Moves a picture inside an element. A place of the picture is at `place * zoom + (x, y)` on the screen. */
export class Camera {
  x = 0;
  y = 0;
  zoom = 1;
  /** Whether somebody moved it by hand since it was last fitted. */
  moved = false;
  /** Whether the last press was a drag, so that its click selects nothing. */
  dragged = false;
  /** What is shown in part. */
  #row: Area | undefined;
  readonly #element: HTMLElement;
  readonly #changed: () => void;
  readonly #pointers = new Map<number, { x: number; y: number }>();

  constructor(element: HTMLElement, changed: () => void) {
    this.#element = element;
    this.#changed = frame(changed);
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(end, (event) => {
        this.#pointers.delete(event.pointerId);
        element.classList.remove("dragging");
      });
    }
  }

  /** The part of the picture that is seen, and `margin` times its size around it. */
  seen(margin: number): Area {
    const { clientWidth: width, clientHeight: height } = this.#element;
    const [w, h] = [width / this.zoom, height / this.zoom];
    return { x: -this.x / this.zoom - w * margin, y: -this.y / this.zoom - h * margin, w: w * (1 + 2 * margin), h: h * (1 + 2 * margin) };
  }

  /** Zooms by a factor around a place on the screen, by default the middle. */
  zoomBy(factor: number, at?: { x: number; y: number }): void {
    const around = at ?? { x: this.#element.clientWidth / 2, y: this.#element.clientHeight / 2 };
    const zoom = Math.min(MOST, Math.max(LEAST, this.zoom * factor));
    this.x = around.x - ((around.x - this.x) * zoom) / this.zoom;
    this.y = around.y - ((around.y - this.y) * zoom) / this.zoom;
    this.zoom = zoom;
    this.#touched();
  }

  /** Moves the picture by pixels of the screen. */
  pan(x: number, y: number): void {
    this.x += x;
    this.y += y;
    this.#touched();
  }

  /** Shows all of an area, no larger than it is; with `readable`, of a long row its beginning instead of a thread. */
  fit(area: Area, readable = false): void {
    const { clientWidth: width, clientHeight: height } = this.#element;
    if (!width || !height || !area.w || !area.h) return;
    const [across, down] = [(width - 2 * EDGE) / area.w, (height - TOP - EDGE) / area.h];
    const row = readable && across < READABLE && down >= READABLE;
    this.#row = row ? area : undefined;
    this.zoom = row ? READABLE : Math.max(LEAST, Math.min(1, across, down));
    this.x = (row ? EDGE : (width - area.w * this.zoom) / 2) - area.x * this.zoom;
    this.y = (height + TOP - EDGE - area.h * this.zoom) / 2 - area.y * this.zoom;
    this.#changed();
    this.moved = false;
  }

  /** Whether a long row is shown in part, and nobody has moved it by hand. */
  get follows(): boolean {
    return this.#row !== undefined && !this.moved;
  }

  /** Brings a part of a long row into the middle, as far as the row goes; tells whether it moved. Whoever asks draws. */
  follow({ x, w }: Area): boolean {
    if (!this.#row || this.moved) return false;
    const { clientWidth: width } = this.#element;
    const [first, last] = [EDGE - this.#row.x * this.zoom, width - EDGE - (this.#row.x + this.#row.w) * this.zoom];
    const to = Math.min(first, Math.max(last, width / 2 - (x + w / 2) * this.zoom));
    if (Math.abs(to - this.x) < 1) return false;
    this.x = to;
    return true;
  }

  /** Brings an area into the middle, near enough to read, unless it is well in sight already. */
  reveal(area: Area): void {
    const seen = this.seen(-0.04);
    const inside = area.x >= seen.x && area.y >= (TOP - this.y) / this.zoom && area.x + area.w <= seen.x + seen.w && area.y + area.h <= seen.y + seen.h;
    if (inside && this.zoom >= 0.4) return;
    if (this.zoom < 0.4) this.zoom = 0.8;
    this.x = this.#element.clientWidth / 2 - (area.x + area.w / 2) * this.zoom;
    this.y = (this.#element.clientHeight + TOP - EDGE) / 2 - (area.y + area.h / 2) * this.zoom;
    this.#touched();
  }

  /** Takes a key; tells whether it was one of the camera's. */
  key(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "+" || event.key === "=") this.zoomBy(1.25);
    else if (event.key === "-" || event.key === "_") this.zoomBy(0.8);
    else if (event.shiftKey && event.key === "ArrowLeft") this.pan(80, 0);
    else if (event.shiftKey && event.key === "ArrowRight") this.pan(-80, 0);
    else if (event.shiftKey && event.key === "ArrowUp") this.pan(0, 80);
    else if (event.shiftKey && event.key === "ArrowDown") this.pan(0, -80);
    else return false;
    return true;
  }

  #touched(): void {
    this.moved = true;
    this.#changed();
  }

  #local(event: MouseEvent): { x: number; y: number } {
    const box = this.#element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 20 : 1;
    // A pinch on a touchpad comes as a wheel with ctrl, in small steps.
    const speed = event.ctrlKey ? 0.01 : 0.0015;
    this.zoomBy(Math.exp(-event.deltaY * lines * speed), this.#local(event));
  }

  #down(event: PointerEvent): void {
    if (event.button > 1) return;
    this.dragged = false;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    if (!this.dragged) {
      if (Math.hypot(dx, dy) < SLACK) return;
      this.dragged = true;
      this.#element.setPointerCapture(event.pointerId);
      this.#element.classList.add("dragging");
    }
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = Math.hypot(before.x - other.x, before.y - other.y);
      const now = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const box = this.#element.getBoundingClientRect();
      if (apart > 0) this.zoomBy(now / apart, { x: other.x - box.left, y: other.y - box.top });
    } else this.pan(dx, dy);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }
}
