// How often what changes by itself is drawn anew (docs/design/look.md §6, §7): figures that change
// faster than anybody reads them only cost a link bytes.

import { stateMark } from "../../look/chip.ts";
import type { MachineSample, VmSample } from "../../../../model/protocol/protocol.ts";

/** Wall time (ms) between two states of figures. */
const FIGURES = 500;
/** Wall time (ms) between two states of a stream, and in wide terminals, whose streams are long. */
const STREAM = 250;
const WIDE_STREAM = 500;
const WIDE = 160;

/** Wall time (ms) over which bytes are counted. */
const COUNTED = 5000;
/** Bytes a frame in the mean: above the first the pace is halved, below the second it returns. */
const MANY_BYTES = 1600;
const FEW_BYTES = 800;
/** The slowest write (ms) that still counts as a fast link. */
const SLOW_WRITE = 50;
/** Counts below `FEW_BYTES` until pictures come more often again. */
const CALM_COUNTS = 2;
const SLOWEST = 8;

/** The pace of one screen. */
export class Pace {
  #figuresAt = -Infinity;
  #shape = "";
  /** How many times longer than usual streams and histories stay as they are. */
  #slowness = 1;
  #counted: { since: number; bytes: number; frames: number; slow: boolean } | undefined;
  #calm = 0;

  get slowness(): number {
    return this.#slowness;
  }

  /** Wall time (ms) for which a stream is not redrawn, in a terminal of this width. */
  streams(columns: number): number {
    return (columns >= WIDE ? WIDE_STREAM : STREAM) * this.#slowness;
  }

  /**
   * Whether the figures of a sample are shown, at a wall time (ms). Important changes are never
   * held back: a VM that comes, goes or changes its state, a vCPU that fails, a refusal.
   * @param moves the machine runs by itself; steps and places in the past are shown at once
   */
  takes(now: number, sample: MachineSample, moves: boolean): boolean {
    const shape = `${sample.reasons} ${sample.vms.map(shapeOf).join()}`;
    if (moves && shape === this.#shape && now - this.#figuresAt < FIGURES) return false;
    this.#shape = shape;
    this.#figuresAt = now;
    return true;
  }

  /** Notes that a frame was written, and how long (ms) the terminal took to take it. */
  wrote(now: number, bytes: number, took: number): void {
    const counted = this.#counted ??= { since: now, bytes: 0, frames: 0, slow: false };
    counted.bytes += bytes;
    counted.frames++;
    counted.slow ||= took > SLOW_WRITE;
    if (now - counted.since < COUNTED) return;
    this.#counted = undefined;
    const mean = counted.bytes / counted.frames;
    this.#calm = mean < FEW_BYTES && !counted.slow ? this.#calm + 1 : 0;
    if (mean > MANY_BYTES || counted.slow) this.#slowness = Math.min(this.#slowness * 2, SLOWEST);
    else if (this.#calm >= CALM_COUNTS) {
      this.#slowness = Math.max(this.#slowness / 2, 1);
      this.#calm = 0;
    }
  }
}

/** The fields of a VM that are shown at once when they change. */
function shapeOf({ name, state, vcpus }: VmSample): string {
  return `${name} ${state} ${vcpus.map((vcpu) => stateMark(vcpu.state).ink === "bad" ? vcpu.state : "").join()}`;
}
