// The attempts of every node as bars over time, one row for each node, in the order in which they
// began. Only the rows in sight exist.

import type { Attempt, RunLog } from "../model.ts";
import { frame, h, s, say, set } from "../ui/dom.ts";
import { fit } from "../ui/fit.ts";
import { upTo } from "../ui/sorted.ts";
import { oneLine, span } from "../ui/text.ts";
import type { Scale } from "./scale.ts";

/** Pixels to the left of the bars, where the names stand. */
export const NAMES = 172;
/** Pixels to the right of them. */
export const EDGE = 16;
const ROW = 18;

interface Lane { readonly at: number; readonly node: string; readonly attempts: Attempt[] }

export class Gantt {
  readonly element: HTMLElement;
  readonly #log: RunLog;
  readonly #scale: Scale;
  readonly #name: (node: string) => string;
  readonly #rows = s("g");
  readonly #svg = s("svg", { class: "bars", role: "list", "aria-label": "Attempts" }, this.#rows);
  readonly #spacer = h("div");
  readonly #draw = frame(() => this.show());
  #lanes: Lane[] = [];
  #of = new Map<string, Lane>();
  #starts: number[] = [];
  #seen = -1;
  #selected = "";
  /** Whether what began last stays in sight. */
  #following = true;
  /** Whether the row of what is selected stays in sight instead. */
  #pinned = false;
  /** Which bars there are, row by row. */
  #bars: SVGRectElement[] = [];
  #drawn = "";
  /** The event that is looked at. */
  #moment = 0;

  constructor(log: RunLog, scale: Scale, name: (node: string) => string, select: (node: string) => void) {
    this.#log = log;
    this.#scale = scale;
    this.#name = name;
    this.#spacer.append(this.#svg);
    this.element = h("div", { class: "gantt", tabindex: 0, role: "region", "aria-label": "Attempts over time", "data-testid": "gantt" }, this.#spacer);
    this.element.addEventListener("scroll", this.#draw);
    for (const by of ["wheel", "touchmove"]) this.element.addEventListener(by, () => (this.#following = false), { passive: true });
    new ResizeObserver(this.#draw).observe(this.element);
    this.#svg.addEventListener("click", (event) => {
      const node = (event.target as Element).closest("[data-lane]")?.getAttribute("data-lane");
      if (node) select(node);
    });
  }

  /** Takes in what the log has got. */
  grow(): void {
    if (this.#seen !== this.#log.last) {
      this.#seen = this.#log.last;
      const lanes = new Map<string, Lane>();
      for (const attempt of this.#log.attempts()) {
        const lane = lanes.get(attempt.nodeId);
        if (lane) lane.attempts.push(attempt);
        else lanes.set(attempt.nodeId, { at: lanes.size, node: attempt.nodeId, attempts: [attempt] });
      }
      this.#of = lanes;
      this.#lanes = [...lanes.values()];
      this.#starts = this.#lanes.map((lane) => lane.attempts[0]?.started ?? 0);
      this.#spacer.style.height = `${this.#lanes.length * ROW + 4}px`;
    }
  }

  /** Brings what began last before a time into sight, unless somebody scrolls; `again` after that too. `moves` where the time goes on. */
  follow(time: number, moves: boolean, again: boolean): void {
    this.#following ||= again;
    const begun = upTo(this.#starts, time);
    const at = this.#of.get(this.#selected)?.at;
    // What is selected has no row before it begins, or none that is worth to wait at.
    const pinned = at !== undefined && (!moves || at < begun);
    if (pinned && !this.#pinned) this.#reveal(at);
    this.#pinned = pinned;
    if (!this.#following || pinned) return;
    const top = Math.max(0, begun * ROW + 4 - this.element.clientHeight);
    if (Math.abs(this.element.scrollTop - top) > 1) this.element.scrollTop = top;
  }

  /** Marks a node; its row comes into sight when it follows next. */
  select(node: string): void {
    if (node === this.#selected) return;
    this.#selected = node;
    this.#pinned = false;
  }

  #reveal(at: number): void {
    const { scrollTop, clientHeight } = this.element;
    if (at * ROW < scrollTop || (at + 1) * ROW > scrollTop + clientHeight) this.element.scrollTop = Math.max(0, at * ROW - clientHeight / 2);
  }

  /** Draws the rows in sight after an event, at once: those that came into sight would else be blank for a frame. */
  show(moment = this.#moment): void {
    this.#moment = moment;
    const { counts, nodes } = this.#log.stateAt(moment);
    const awaiting = new Set(counts.awaitingInput ? nodes.map((node) => node.state === "AWAITING_INPUT" && node.nodeId) : []);
    const { clientWidth, clientHeight, scrollTop } = this.element;
    const wide = Math.max(1, clientWidth - NAMES - EDGE);
    const per = wide / this.#scale.whole;
    const first = Math.max(0, Math.floor(scrollTop / ROW));
    const lanes = this.#lanes.slice(first, Math.ceil((scrollTop + clientHeight) / ROW) + 1);
    set(this.#svg, "width", clientWidth);
    set(this.#svg, "height", lanes.length * ROW);
    this.#svg.style.transform = `translateY(${first * ROW}px)`;
    const names = lanes.map((lane) => this.#name(lane.node));
    // The bars of a running attempt grow all the time: a row that is pointed at, or pressed, stays.
    const drawn = JSON.stringify([first, clientWidth, this.#selected, names, lanes.map((lane) => [lane.node, lane.attempts.length])]);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#bars = [];
      this.#rows.replaceChildren(...lanes.map((lane, at) => {
        const chosen = lane.node === this.#selected;
        const bars = lane.attempts.map(() => s("rect", { y: 4, height: ROW - 8, rx: 2 }, s("title")));
        this.#bars.push(...bars);
        return s("g", { class: `lane${chosen ? " selected" : ""}`, "data-lane": lane.node, role: "listitem", transform: `translate(0 ${at * ROW})` },
          s("rect", { class: "ground", width: clientWidth, height: ROW }),
          s("text", { x: NAMES - 10, y: 13 }, fit(names[at] ?? "", NAMES - 20, chosen ? "600 11px" : "400 11px")),
          ...bars);
      }));
    }
    let at = 0;
    for (const [row, lane] of lanes.entries()) {
      for (const attempt of lane.attempts) {
        const bar = this.#bars[at++];
        if (!bar) continue;
        const from = this.#scale.length(attempt.started) * per;
        const to = this.#scale.length(attempt.ended ?? this.#scale.end) * per;
        // Where it goes is drawn beyond the moment, what becomes of it is not told.
        const ended = attempt.endedAt !== undefined && attempt.endedAt <= moment;
        const state = ended ? attempt.outcome ?? "ended" : attempt.startedAt > moment ? "later" : awaiting.has(attempt.nodeId) ? "awaiting" : "running";
        set(bar, "class", `attempt ${state}`);
        set(bar, "x", (NAMES + from).toFixed(1));
        set(bar, "width", Math.max(2, to - from).toFixed(1));
        say(bar.firstElementChild as Element, oneLine(`${names[row]}, attempt ${attempt.attempt}: ${state}${ended ? `, ${span((attempt.ended ?? 0) - attempt.started)}` : ""}`));
      }
    }
  }
}
