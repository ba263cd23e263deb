// Leaves out turns of loops that wait for the counter (counter-loop.ts). A loop is looked for where
// a slice ends that has read the counter often, and is known by its address from then on.

import { CPU } from "../state/cpu-state.ts";
import type { CodeMemory } from "../translator/code-view.ts";
import { type CounterLoop, findCounterLoop, isAtLoop, isUndisturbed, spareTurns } from "./counter-loop.ts";

/** One read of the counter in so many instructions is often. */
const OFTEN = 64;
/** Addresses that are known at most. */
const KEPT = 512;
/** Slices without a search after one in vain, at most. */
const MOST_PATIENCE = 256;

/** The waits of the vCPUs of one core. */
export class CounterWaits {
  /** Instructions that were counted, and not executed. */
  spared = 0;
  /** By the low half of the address where a turn begins. */
  readonly #loops = new Map<number, CounterLoop>();
  /** By the same of their other instructions: how many there are before the next turn begins. */
  readonly #leads = new Map<number, number>();
  /** Slices without a search; and how many after the next one in vain. */
  #pause = 0;
  #patience = 1;
  /** Instructions of a loop at which no turn can begin, one after the other. */
  #shifts = 0;
  #slice = Infinity;

  constructor(readonly memory: CodeMemory) {}

  /**
   * Instructions that the resident vCPU need not execute, of `left`, at `time` (ns): its state is
   * the same without them once it has executed the others. The counter is never below that of
   * `floor`.
   */
  spare(time: number, floor: number, left: number): number {
    if (!this.#loops.size) return 0;
    const address = this.memory.words[CPU.PC >> 2], loop = this.#loops.get(address);
    if (!loop) {
      const lead = this.#leads.get(address);
      if (lead !== undefined && lead < left) this.#slice = lead;
      return 0;
    }
    if (!isUndisturbed(this.memory) || !isAtLoop(this.memory, loop)) return 0;
    const count = loop.length * spareTurns(loop, time, floor, left);
    this.spared += count;
    return count;
  }

  /** Whether the next slice only leads to where a turn may begin. */
  get leads(): boolean {
    return this.#slice !== Infinity;
  }

  /** Instructions after which the next slice ends at the latest. */
  takeSlice(): number {
    const slice = this.#slice;
    this.#slice = Infinity;
    return slice;
  }

  /**
   * A slice has executed so many instructions; it is `time` (ns) now.
   * @param led whether it was one that led here
   */
  look(executed: number, time: number, led: boolean): void {
    const { words } = this.memory, reads = words[CPU.COUNTER_READS >> 2];
    if (!reads && !led) return;
    words[CPU.COUNTER_READS >> 2] = 0;
    if (reads * OFTEN < executed && !led || this.#pause-- > 0 || !isUndisturbed(this.memory)) return;
    const address = words[CPU.PC >> 2], known = this.#loops.get(address);
    if (known ? this.#waitsOn(known, time) : this.#leads.has(address)) return;
    const loop = findCounterLoop(this.memory, time);
    if (loop && loop.until >= 0n) this.#keep(address, loop);
    else if (loop && this.#shifts < loop.length) {
      this.#shifts++;
      this.#slice = 1;
      this.#pause = 0;
    } else this.#giveUp();
  }

  #waitsOn(loop: CounterLoop, time: number): boolean {
    return spareTurns(loop, time, time, loop.length * 3) > 1 && isAtLoop(this.memory, loop);
  }

  #keep(address: number, loop: CounterLoop): void {
    if (this.#leads.size >= KEPT) {
      this.#loops.clear();
      this.#leads.clear();
    }
    this.#loops.set(address, loop);
    loop.code.forEach(({ low, at }, i) => {
      const of = low + 4 * at | 0;
      if (i && !this.#loops.has(of)) this.#leads.set(of, loop.length - i);
    });
    this.#leads.delete(address);
    this.#patience = 1;
    this.#shifts = this.#pause = 0;
  }

  #giveUp(): void {
    this.#shifts = 0;
    this.#pause = this.#patience;
    this.#patience = Math.min(2 * this.#patience, MOST_PATIENCE);
  }
}
