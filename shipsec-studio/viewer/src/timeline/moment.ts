// The moment that is looked at. Everything on the page shows this moment and nothing else; to be
// live is to look at the newest one whatever it is.

import type { RunLog } from "../model.ts";
import { upTo } from "../ui/sorted.ts";
import type { Scale } from "./scale.ts";

/** How fast a run can be played. */
export const SPEEDS: readonly number[] = [0.5, 1, 2, 4, 8, 16, 32];

export class Moment {
  /** Sequence number of the last event that has happened. */
  at = 0;
  /** Whether the newest event is followed. */
  live = true;
  playing = false;
  speed = 1;
  readonly #log: RunLog;
  readonly #scale: Scale;
  readonly #changed: () => void;
  #frame = 0;
  #time = 0;

  /** `changed` is called whenever anything of it is another one. */
  constructor(log: RunLog, scale: Scale, changed: () => void) {
    this.#log = log;
    this.#scale = scale;
    this.#changed = changed;
  }

  /** Its time, in milliseconds since 1970: between two events while it plays or is dragged, and up to now while it is live. */
  get time(): number {
    return this.live ? this.#scale.end : this.#time || this.#scale.start;
  }

  /** Where on the timeline; another place for the same time, where the timeline has become another one. */
  get cursor(): number {
    return this.at ? this.#scale.length(this.time) : 0;
  }

  /** The log has grown. */
  grow(): void {
    this.#scale.grow();
    if (this.live) this.at = this.#log.last;
    this.#changed();
  }

  /** Follows the newest event. */
  goLive(): void {
    this.pause();
    this.live = true;
    this.at = this.#log.last;
    this.#changed();
  }

  /** Goes to an event. */
  go(sequence: number): void {
    this.pause();
    this.live = false;
    this.at = Math.min(Math.max(1, sequence), Math.max(1, this.#log.last));
    this.#time = this.#log.timeOf(this.at);
    this.#changed();
  }

  /** Goes to a place of the timeline. */
  seek(length: number): void {
    this.live = false;
    this.#cursor(Math.min(Math.max(0, length), this.#scale.whole));
    this.#changed();
  }

  /** Goes so many events on, or back. */
  step(by: number): void {
    this.go(this.at + by);
  }

  /** Goes to the next change of a node (of any, without one), or to the one before. */
  stepChange(by: 1 | -1, node?: string): void {
    const changes = this.#log.changesOf(node);
    const index = by > 0 ? upTo(changes, this.at) : upTo(changes, this.at - 1) - 1;
    const next = changes[index];
    if (next !== undefined) this.go(next);
  }

  /** Starts or stops to play. */
  toggle(): void {
    if (this.playing) {
      this.pause();
      this.#changed();
    } else this.play();
  }

  /** Plays from here; from the beginning where this is the end. */
  play(): void {
    if (this.#log.last === 0) return;
    this.#cursor(this.live || this.at >= this.#log.last ? 0 : this.cursor);
    this.live = false;
    this.playing = true;
    let before = performance.now();
    const tick = (now: number) => {
      // After the tab was hidden, time goes on from where it was.
      const passed = Math.min(100, Math.max(0, now - before));
      before = now;
      this.#cursor(this.cursor + passed * this.speed);
      if (this.at >= this.#log.last) return this.goLive();
      this.#frame = requestAnimationFrame(tick);
      this.#changed();
    };
    this.#frame = requestAnimationFrame(tick);
    this.#changed();
  }

  /** Stops to play. */
  pause(): void {
    cancelAnimationFrame(this.#frame);
    this.playing = false;
  }

  #cursor(length: number): void {
    this.#time = this.#scale.time(length);
    // Rounding must not leave out the event that the cursor stands on.
    this.at = Math.min(this.#log.last, Math.max(Math.min(1, this.#log.last), this.#log.sequenceAt(this.#time + 0.01)));
  }
}
