// The timeline: one scrubber over the attempts of all nodes, and what moves it.

import type { RunLog } from "../model.ts";
import { api } from "../ui/api.ts";
import { button, frame, h, put, s, say, set } from "../ui/dom.ts";
import { icon } from "../ui/states.ts";
import { clock, count, span } from "../ui/text.ts";
import { EDGE, Gantt, NAMES } from "./gantt.ts";
import { type Moment, SPEEDS } from "./moment.ts";
import type { Scale } from "./scale.ts";

/** What goes on grows no more often than the first, in milliseconds, and the clock beside it no less often than the second, which is for both where nothing shall move. */
const PACE = [40, 1000] as const;
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Timeline {
  readonly element: HTMLElement;
  readonly #log: RunLog;
  readonly #scale: Scale;
  readonly #moment: Moment;
  readonly #gantt: Gantt;
  readonly #pick: (node: string) => void;
  readonly #play: HTMLButtonElement;
  readonly #live: HTMLButtonElement;
  readonly #liveText = h("span", null, "Live");
  readonly #speed = h("select", { "aria-label": "Speed", "data-testid": "speed" }, ...SPEEDS.map((speed) => h("option", { value: speed }, `${speed}×`)));
  readonly #press: HTMLButtonElement;
  readonly #where = h("span", { class: "where", "data-testid": "moment" });
  readonly #axis = s("svg", { class: "axis", "aria-hidden": "true" });
  readonly #knob = h("div", { class: "knob" });
  readonly #future = h("div", { class: "future" });
  readonly #hair = h("div", { class: "hair" });
  readonly #scrubber: HTMLElement;
  readonly #drawAxis = frame(() => this.#ticks());
  /** In a page that nobody sees no frame comes, and so none is asked for again. */
  readonly #again = frame(() => this.show(false));
  #timer: ReturnType<typeof setTimeout> | undefined;
  #goesOn = false;
  #node = "";
  #mode = "";

  constructor(log: RunLog, scale: Scale, moment: Moment, name: (node: string) => string, select: (node: string) => void) {
    this.#log = log;
    this.#scale = scale;
    this.#moment = moment;
    this.#pick = select;
    this.#gantt = new Gantt(log, scale, name, select);
    this.#speed.value = String(moment.speed);
    // After the mouse the keys are the timeline's again; who came with keys stays.
    const back = () => this.#scrubber.focus({ preventScroll: true });
    let pointed = false;
    for (const by of ["pointerdown", "keydown"]) this.#speed.addEventListener(by, () => (pointed = by === "pointerdown"));
    this.#speed.addEventListener("change", () => {
      moment.speed = Number(this.#speed.value);
      if (pointed) back();
    });
    const tool = (icon_: Parameters<typeof icon>[0], label: string, key: string, run: () => void, props = {}) =>
      button("", run, { "aria-label": label, title: `${label} (${key})`, ...props }, icon(icon_));
    this.#play = tool("play", "Play", "Space", () => moment.toggle(), { class: "primary round", "data-testid": "play" });
    this.#live = h("button", { type: "button", class: "toggle live", title: "Follow the newest event (f)", "data-testid": "live-button", onclick: () => moment.goLive() }, icon("live"), this.#liveText);
    this.#press = button("Skip idle time", () => this.press(!scale.pressed), { class: "toggle", title: "Press together the times in which nothing happened (g)", "aria-pressed": String(scale.pressed), "data-testid": "compress" }, icon("gap"));
    this.#scrubber = h("div", { class: "scrubber", role: "slider", tabindex: 0, "aria-label": "Moment", "aria-valuemin": 1, "data-testid": "scrubber" }, this.#axis, this.#knob);
    const body = h("div", { class: "timeline-body" }, this.#scrubber, this.#gantt.element, this.#future, this.#hair);
    this.element = h("section", { class: "timeline", "aria-label": "Timeline" },
      h("div", { class: "controls", role: "toolbar", "aria-label": "Replay", onclick: (event: MouseEvent) => event.detail > 0 && (event.target as Element).closest("button") && back() },
        tool("prev", "Previous change", "p, shift+←", () => this.change(-1), { "data-testid": "prev-change" }),
        tool("back", "Previous event", "←", () => moment.step(-1), { "data-testid": "prev-event" }),
        this.#play,
        tool("forward", "Next event", "→", () => moment.step(1), { "data-testid": "next-event" }),
        tool("next", "Next change", "n, shift+→", () => this.change(1), { "data-testid": "next-change" }),
        this.#speed, this.#live, this.#where, h("span", { class: "grow" }), this.#press),
      body);
    for (const part of [this.#scrubber, this.#gantt.element]) part.addEventListener("pointerdown", (event) => this.#drag(event, part));
    this.#scrubber.addEventListener("keydown", (event) => {
      const by = { Home: -Infinity, End: Infinity, PageUp: -Math.ceil(log.last / 20), PageDown: Math.ceil(log.last / 20), ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      if (by === Infinity) moment.goLive();
      else moment.go(by === -Infinity ? 1 : moment.at + by);
    });
    new ResizeObserver(() => this.show(true)).observe(body);
  }

  /** Selects a node: its changes are what is stepped through. */
  select(node: string): void {
    this.#node = node;
    this.#gantt.select(node);
  }

  /** Goes to the next change of the selected node, of any where none is selected, or to the one before. */
  change(by: 1 | -1): void {
    this.#moment.stepChange(by, this.#node || undefined);
  }

  /** Whether idle time is pressed together. */
  get pressed(): boolean {
    return this.#scale.pressed;
  }

  /** Presses idle time together, or shows it as long as it was. */
  press(pressed: boolean): void {
    this.#scale.pressed = pressed;
    this.#press.setAttribute("aria-pressed", String(pressed));
    this.#moment.grow();
    this.show(true);
  }

  /** Shows the moment; with `grown` what the log has got as well. A run that goes on takes until now. */
  show(grown: boolean, goesOn = this.#goesOn): void {
    const [moment, log, scale] = [this.#moment, this.#log, this.#scale];
    const width = Math.max(0, this.#scrubber.clientWidth - NAMES - EDGE);
    const before = scale.end;
    this.#goesOn = goesOn;
    if (!goesOn) scale.reach(0);
    else if (log.connection === "live" && (grown || !this.#timer)) {
      // Whoever looks back sees it go on as well: only the moment stays.
      scale.reach(api.now());
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#again();
      }, Math.max(PACE[still.matches ? 1 : 0], Math.min(PACE[1], scale.pace(width))));
    }
    if (grown || scale.end !== before) {
      this.#gantt.grow();
      this.#drawAxis();
    }
    const playing = String(moment.playing);
    const mode = `${moment.live} ${playing}`;
    const moves = moment.live || moment.playing;
    this.#gantt.follow(log.last ? log.timeOf(moment.at) : 0, moves, moves && mode !== this.#mode);
    this.#gantt.show(moment.at);
    this.#mode = mode;
    const x = NAMES + Math.min(1, moment.cursor / scale.whole) * width;
    this.#knob.style.transform = this.#hair.style.transform = `translateX(${x.toFixed(1)}px)`;
    this.#future.style.left = `${x.toFixed(1)}px`;
    if (this.#play.dataset["playing"] !== playing) {
      this.#play.dataset["playing"] = playing;
      put(this.#play, icon(moment.playing ? "pause" : "play"));
      this.#play.setAttribute("aria-label", moment.playing ? "Pause" : "Play");
    }
    const ended = log.connection === "ended";
    this.#live.setAttribute("aria-pressed", String(moment.live));
    set(this.#live, "class", `toggle live${moment.live && !ended ? " on" : ""}`);
    say(this.#liveText, ended ? "End" : "Live");
    say(this.#where, log.last ? `${moment.live ? (ended ? "At the end" : "Live") : "Event"} ${moment.live ? "· event " : ""}${count(moment.at)} of ${count(log.last)} · ${span(moment.time - scale.start)} · ${clock(moment.time)}` : "No event yet");
    // What is said aloud is the event's time: it does not change all the while.
    set(this.#scrubber, "aria-valuemax", Math.max(1, log.last));
    set(this.#scrubber, "aria-valuenow", moment.at);
    set(this.#scrubber, "aria-valuetext", `event ${moment.at} of ${log.last}, ${span(log.timeOf(moment.at) - scale.start)}${moment.live ? ", live" : ""}`);
  }

  /** Stops whatever it does. */
  close(): void {
    this.#goesOn = false;
    clearTimeout(this.#timer);
  }

  #drag(event: PointerEvent, on: HTMLElement): void {
    const left = on.getBoundingClientRect().left;
    const inside = event.clientX - left;
    // To the left stand the names, to the right a scroll bar.
    if (event.button !== 0 || inside < NAMES - 6 || inside > on.clientWidth) return;
    const width = Math.max(1, this.#scrubber.clientWidth - NAMES - EDGE);
    let newest = false;
    const to = (x: number) => {
      const part = (x - left - NAMES) / width;
      newest = part >= 1;
      this.#moment.seek(part * this.#scale.whole);
    };
    this.#moment.pause();
    to(event.clientX);
    // What captures the pointer gets the click as well, so a press is told from a drag here.
    let lane = (event.target as Element).closest("[data-lane]")?.getAttribute("data-lane");
    const over = new AbortController();
    const { signal } = over;
    on.setPointerCapture(event.pointerId);
    on.addEventListener("pointermove", ({ clientX }) => {
      if (lane && Math.abs(clientX - event.clientX) < 3) return;
      lane = null;
      to(clientX);
    }, { signal });
    on.addEventListener("pointerup", () => lane && this.#pick(lane), { signal });
    on.addEventListener("lostpointercapture", () => {
      over.abort();
      // At the newest event one stays there, whatever comes.
      if (newest) this.#moment.goLive();
    }, { signal });
    event.preventDefault();
    this.#scrubber.focus({ preventScroll: true });
  }

  #ticks(): void {
    const wide = this.#scrubber.clientWidth - NAMES - EDGE;
    put(this.#axis);
    if (wide < 50 || this.#log.last === 0) return;
    const scale = this.#scale;
    const per = wide / scale.whole;
    const x = (length: number) => (NAMES + length * per).toFixed(1);
    this.#axis.append(s("rect", { class: "rail", x: NAMES, y: 20, width: wide, height: 4, rx: 2 }));
    for (const gap of scale.gaps()) {
      this.#axis.append(s("rect", { class: "gap", x: x(gap.at), y: 18, width: Math.max(2, (gap.to - gap.at) * per).toFixed(1), height: 8 }, s("title", null, `nothing for ${span(gap.millis)}`)));
    }
    const step = nice(scale.whole / Math.max(2, Math.floor(wide / 110)));
    for (let at = 0; at <= scale.whole; at += step) {
      this.#axis.append(s("path", { class: "tick", d: `M${x(at)} 15v4` }), s("text", { x: x(at), y: 12, class: wide - at * per < 24 ? "last" : null }, at === 0 ? "0" : span(scale.time(at) - scale.start)));
    }
    let ticks = 0;
    for (const attempt of this.#log.attempts()) {
      if (attempt.outcome !== "failed" || attempt.ended === undefined || (ticks += 1) > 300) continue;
      this.#axis.append(s("path", { class: "fault", d: `M${x(scale.length(attempt.ended))} 17v10` }));
    }
  }
}

/** A step of the axis that people can count in: 1, 2 or 5 of a power of ten; 1, 2, 5, 10, 15, 30 of minutes and hours. */
function nice(least: number): number {
  const steps = [15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000];
  if (least > 10_000) return steps.find((step) => step >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}
