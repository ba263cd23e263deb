// How often each instruction was executed in a core that counts, by VM and virtual page. The values
// of its counters (decoded/execution-counters.ts) are added up here before their decoded page is
// reused.
//
// A decoded page stands for a page of RAM. At EL1 it counts for one virtual page at a time: an
// entry by another one, or in another VM, starts a new count. At EL0 it counts for the address by
// which it was entered first, as processes have libraries at different addresses.

import {
  COUNTED_ENTRIES,
  COUNTED_WORD_SHIFT,
  COUNTED_WORDS,
  CountedEntry,
  COUNTER_SHIFT,
  COUNTERS,
  countsBranch,
  departsAlways,
  impliedTarget,
  isConditional,
} from "./decoded/execution-counters.ts";
import { DECODED_PAGE_SIZE, DECODED_PAGES, INSTRUCTIONS_PER_PAGE } from "./state/layout.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Instructions after which counters are emptied: all of them may be in one counter. */
const EMPTIED_AFTER = 2 ** 30;

const INSTRUCTION_SIZE = 4;

/** The code that a virtual page had. */
export interface CountedPage {
  /** The VM, as `ExecutionCounting.vmOf` names it. */
  readonly vm: string;
  /** Virtual address. */
  readonly address: bigint;
  /** By instruction: executions, which include those that an exception ended. */
  readonly counts: Float64Array;
  /** By instruction: executions after which control went elsewhere than to the next one. */
  readonly departures: Float64Array;
  /** By instruction: 1 if it was executed and is a conditional branch. */
  readonly conditional: Uint8Array;
}

/** How a core counts. */
export interface ExecutionCounting {
  /** The VM that has these tables of stage 2 now. */
  vmOf(stage2: number): string;
}

/** A page that is entered for execution. */
interface EnteredPage {
  /** Index of its decoded page. */
  readonly index: number;
  readonly stage2: number;
  readonly address: bigint;
  readonly privileged: boolean;
}

export class ExecutionCounts {
  readonly #words: Int32Array;
  readonly #pool = new Pool();
  readonly #pages = new Map<string, CountedPage>();
  /** By index of the decoded page. */
  readonly #owners = new Map<number, CountedPage>();
  /** By instruction: arrivals that follow from branches of the page. */
  readonly #implied = new Int32Array(INSTRUCTIONS_PER_PAGE);
  #since = 0;

  constructor(memory: WebAssembly.Memory, readonly counting: ExecutionCounting) {
    this.#words = new Int32Array(memory.buffer);
  }

  /** Execution enters a page. True if TLBs have to forget it: it had another owner. */
  entered({ index, stage2, address, privileged }: EnteredPage): boolean {
    const vm = this.counting.vmOf(stage2), owner = this.#owners.get(index), page = address - address % BigInt(PAGE_SIZE);
    if (owner?.vm === vm && (owner.address === page || !privileged)) {
      this.#note(index, owner, stage2);
      return false;
    }
    this.#empty(index);
    const key = `${vm} ${page}`;
    let fresh = this.#pages.get(key);
    if (!fresh) this.#pages.set(key, fresh = this.#pool.page(vm, page));
    this.#owners.set(index, fresh);
    this.#note(index, fresh, stage2);
    return owner !== undefined;
  }

  /** Entries like this one are not reported again. */
  #note(index: number, { address }: CountedPage, stage2: number): void {
    const entry = entryOf(index), page = entry + CountedEntry.Page >> 2;
    this.#words[page] = Number(BigInt.asIntN(32, address));
    this.#words[page + 1] = Number(BigInt.asIntN(32, address >> 32n));
    this.#words[entry + CountedEntry.Tables >> 2] = stage2 + 1;
  }

  /** Other instructions replace some of a decoded page. */
  changes(index: number): void {
    this.#empty(index);
  }

  /** A decoded page stands for something else from now on. */
  left(index: number): void {
    this.#empty(index);
    this.#owners.delete(index);
    const first = this.#wordsOf(index);
    this.#words.fill(0, first, first + INSTRUCTIONS_PER_PAGE);
    this.#words[entryOf(index) + CountedEntry.Tables >> 2] = 0;
  }

  /** A slice of this many instructions is over. */
  ran(instructions: number): void {
    this.#since += instructions;
    if (this.#since >= EMPTIED_AFTER) this.#emptyAll();
  }

  /** All code so far. Nothing may be executing. */
  pages(): readonly CountedPage[] {
    this.#emptyAll();
    return [...this.#pages.values()];
  }

  /**
   * Takes the counts of a VM's code from `start` to before `end`: the next code there counts from
   * 0. Pages have the counts of those addresses alone.
   */
  take(vm: string, start: bigint, end: bigint): CountedPage[] {
    this.#emptyAll();
    const taken: CountedPage[] = [], size = BigInt(PAGE_SIZE);
    for (let address = start - start % size; address < end; address += size) {
      const page = this.#pages.get(`${vm} ${address}`);
      if (!page) continue;
      const of = (from: number, to: number) => ({
        counts: page.counts.slice(from, to),
        departures: page.departures.slice(from, to),
        conditional: page.conditional.slice(from, to),
      });
      const first = address < start ? Number(start - address) / INSTRUCTION_SIZE : 0;
      const last = end - address < size ? Number(end - address) / INSTRUCTION_SIZE : INSTRUCTIONS_PER_PAGE;
      taken.push({ vm, address: address + BigInt(first * INSTRUCTION_SIZE), ...of(first, last) });
      for (const numbers of [page.counts, page.departures, page.conditional]) numbers.fill(0, first, last);
    }
    return taken;
  }

  #emptyAll(): void {
    this.#since = 0;
    for (const index of this.#owners.keys()) this.#empty(index);
  }

  /** Index of the kept word of a decoded page's first instruction. */
  #wordsOf(index: number): number {
    return (COUNTED_WORDS + (DECODED_PAGES.base + index * DECODED_PAGE_SIZE >> COUNTED_WORD_SHIFT)) / 4;
  }

  #empty(index: number): void {
    const owner = this.#owners.get(index), words = this.#words, code = this.#wordsOf(index);
    if (!owner) return;
    const { counts, departures, conditional } = owner, implied = this.#implied.fill(0);
    const first = (COUNTERS + (DECODED_PAGES.base + index * DECODED_PAGE_SIZE >> COUNTER_SHIFT)) / 4;
    for (let at = 0; at < INSTRUCTIONS_PER_PAGE; at++) {
      const departed = words[first + 2 * at + 1];
      if (departed === 0) continue;
      const word = ~words[code + at], target = impliedTarget(word, at);
      if (target !== undefined && countsBranch(word, at, target)) implied[target] += departed;
    }
    let executed = 0;
    for (let at = 0; at < INSTRUCTIONS_PER_PAGE; at++) {
      executed = executed + words[first + 2 * at] + implied[at] | 0;
      if (executed === 0) continue;
      const word = ~words[code + at], departed = departsAlways(word) ? executed : words[first + 2 * at + 1];
      if (isConditional(word)) conditional[at] = 1;
      counts[at] += executed >>> 0;
      departures[at] += departed >>> 0;
      const target = impliedTarget(word, at);
      if (target !== undefined && !countsBranch(word, at, target)) implied[target] += executed;
      executed = executed - departed | 0;
    }
    words.fill(0, first, first + 2 * (INSTRUCTIONS_PER_PAGE + 1));
  }
}

/** Address of the entry of a decoded page. */
const entryOf = (index: number): number => COUNTED_ENTRIES + index * CountedEntry.Size;

/** Pages whose numbers are allocated together: one by one takes longer than to count in them. */
const POOLED = 64;

/** Numbers for pages, all 0. */
class Pool {
  #numbers = new Float64Array();
  #bytes = new Uint8Array();
  #next = POOLED;

  page(vm: string, address: bigint): CountedPage {
    if (this.#next === POOLED) {
      this.#numbers = new Float64Array(2 * POOLED * INSTRUCTIONS_PER_PAGE);
      this.#bytes = new Uint8Array(POOLED * INSTRUCTIONS_PER_PAGE);
      this.#next = 0;
    }
    const first = this.#next++ * INSTRUCTIONS_PER_PAGE, end = first + INSTRUCTIONS_PER_PAGE;
    const half = POOLED * INSTRUCTIONS_PER_PAGE;
    return {
      vm,
      address,
      counts: this.#numbers.subarray(first, end),
      departures: this.#numbers.subarray(half + first, half + end),
      conditional: this.#bytes.subarray(first, end),
    };
  }
}
