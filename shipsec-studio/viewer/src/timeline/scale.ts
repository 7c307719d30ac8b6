// Time along the timeline. Where nothing happened for long, time can be pressed together, so that
// what did happen has room.

import type { RunLog } from "../model.ts";
import { upTo } from "../ui/sorted.ts";

/** A longer time without any event is a gap, in milliseconds. */
const GAP = 2_000;
/** A gap that is pressed together takes as long as this. */
const PRESSED = 400;

/** Turns times (milliseconds since 1970) into lengths along the timeline and back. */
export class Scale {
  readonly #log: RunLog;
  #pressed: boolean;
  #seen = 0;
  /** Where the scale changes: times, and lengths at these times, both ascending. */
  #times: number[] = [];
  #lengths: number[] = [];
  #last = 0;
  #now = 0;
  /** Whether the time since the last event is pressed together as well. */
  #tail = false;

  constructor(log: RunLog, pressed: boolean) {
    this.#log = log;
    this.#pressed = pressed;
  }

  /** Whether gaps are pressed together. */
  get pressed(): boolean {
    return this.#pressed;
  }

  set pressed(pressed: boolean) {
    this.#pressed = pressed;
    this.#seen = 0;
    this.grow();
  }

  /** Takes in what the log has got since. Tells whether the scale is another one. */
  grow(): boolean {
    const { last } = this.#log;
    if (last === this.#seen || last === 0) return false;
    const now = this.#now;
    this.reach(0);
    if (this.#seen === 0) {
      this.#last = this.#log.timeOf(1);
      this.#times = [this.#last];
      this.#lengths = [0];
    }
    if (this.#pressed) {
      for (let at = this.#seen + 1; at <= last; at += 1) {
        const time = this.#log.timeOf(at);
        if (time - this.#last > GAP) {
          const before = this.length(this.#last);
          this.#times.push(this.#last, time);
          this.#lengths.push(before, before + PRESSED);
        }
        this.#last = time;
      }
    } else this.#last = this.#log.timeOf(last);
    this.#seen = last;
    this.reach(now);
    return true;
  }

  /** Goes on until this time although nothing happens, where it is later than the last event. */
  reach(now: number): void {
    if (this.#tail) {
      this.#times.length -= 2;
      this.#lengths.length -= 2;
    }
    this.#now = now;
    // Sooner than after a gap: else it would grow, and shrink again once it has become one.
    this.#tail = this.#pressed && this.#seen > 0 && now - this.#last > PRESSED;
    if (this.#tail) {
      const before = this.length(this.#last);
      this.#times.push(this.#last, now);
      this.#lengths.push(before, before + PRESSED);
    }
  }

  /** Milliseconds until what goes on has moved by a pixel, where the timeline is so many wide; infinite while it stands. */
  pace(pixels: number): number {
    const idle = this.#now - this.#last;
    if (!this.#tail) return this.whole / Math.max(1, pixels);
    return idle > GAP ? Infinity : GAP - idle + 1;
  }

  /** Time of the first event. */
  get start(): number {
    return this.#times[0] ?? 0;
  }

  /** Time of the last event, or up to which it goes on. */
  get end(): number {
    return Math.max(this.#last, this.#now);
  }

  /** How long the timeline is; never 0. */
  get whole(): number {
    return Math.max(1, this.length(this.end));
  }

  /** Where a time is on the timeline. */
  length(time: number): number {
    const at = Math.max(0, upTo(this.#times, time) - 1);
    const from = this.#times[at] ?? 0;
    const to = this.#times[at + 1];
    const length = this.#lengths[at] ?? 0;
    if (to === undefined || to === from) return length + Math.max(0, time - from);
    return length + ((time - from) / (to - from)) * ((this.#lengths[at + 1] ?? length) - length);
  }

  /** Which time is at a place of the timeline. */
  time(length: number): number {
    const at = Math.max(0, upTo(this.#lengths, length) - 1);
    const from = this.#lengths[at] ?? 0;
    const to = this.#lengths[at + 1];
    const time = this.#times[at] ?? 0;
    if (to === undefined || to === from) return time + Math.max(0, length - from);
    return time + ((length - from) / (to - from)) * ((this.#times[at + 1] ?? time) - time);
  }

  /** The gaps that are pressed together: where they are and how long they were. */
  gaps(): { at: number; to: number; millis: number }[] {
    const gaps = [];
    for (let at = 1; at + 1 < this.#times.length; at += 2) {
      const millis = (this.#times[at + 1] ?? 0) - (this.#times[at] ?? 0);
      if (millis > GAP) gaps.push({ at: this.#lengths[at] ?? 0, to: this.#lengths[at + 1] ?? 0, millis });
    }
    return gaps;
  }
}
