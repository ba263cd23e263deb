// Skips turns of loops that wait for the counter (counter-loop.ts). A slice that reads the counter
// often starts a search at its end; a loop that was found is known by its address.

import { CPU } from "../state/cpu-state.ts";
import type { CodeMemory } from "../translator/code/code-view.ts";
import { type CounterLoop, findCounterLoop, isAtLoop, isUndisturbed, spareTurns } from "./counter-loop.ts";

/** Instructions per read of the counter, at most, for which a search is worthwhile. */
const OFTEN = 64;
/** Limit on known addresses. */
const KEPT = 512;
/** Limit on the slices without a search after one that found nothing. */
const MOST_PATIENCE = 256;

/** The waits of the vCPUs of one core. */
export class CounterWaits {
  /** Instructions counted without executing them. */
  spared = 0;
  /** By the low half of the address where a turn starts. */
  readonly #loops = new Map<number, CounterLoop>();
  /** For the loops' other instructions: instructions until the next turn starts. */
  readonly #leads = new Map<number, number>();
  /** Remaining slices without a search, and their number after the next fruitless one. */
  #pause = 0;
  #patience = 1;
  /** Consecutive instructions of a loop at which no skippable turn starts. */
  #shifts = 0;
  /** Limit on the instructions of the next slice; 0 without one. */
  #slice = 0;

  constructor(readonly memory: CodeMemory) {}

  /**
   * The number of instructions to count without executing them, out of `left`, at `time` (ns). The
   * resident vCPU reaches the same state by executing the rest. The counter never shows less than
   * at `floor`.
   */
  spare(time: number, floor: number, left: number): number {
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

  /** Whether a loop is known. */
  get hasLoops(): boolean {
    return this.#loops.size > 0;
  }

  /** Whether the next slice only leads to the start of a turn. */
  get leads(): boolean {
    return this.#slice !== 0;
  }

  /** Whether the counter was read since the last search: only then is there a loop to look for. */
  get wereRead(): boolean {
    return this.memory.words[CPU.COUNTER_READS >> 2] !== 0;
  }

  /** Instructions of the next slice at most, where it leads to the start of a turn. */
  takeSlice(): number {
    const slice = this.#slice;
    this.#slice = 0;
    return slice;
  }

  /**
   * Looks for a loop after a slice that led to one, or read the counter.
   * @param executed instructions of the slice
   * @param time now (ns)
   * @param led whether the slice only led to this instruction
   * @returns whether the slice read the counter often
   */
  look(executed: number, time: number, led: boolean): boolean {
    const { words } = this.memory, often = words[CPU.COUNTER_READS >> 2] * OFTEN >= executed;
    words[CPU.COUNTER_READS >> 2] = 0;
    if (often || led) this.#search(time);
    return often;
  }

  #search(time: number): void {
    if (this.#pause-- > 0 || !isUndisturbed(this.memory)) return;
    const address = this.memory.words[CPU.PC >> 2], known = this.#loops.get(address);
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
