// How often each instruction was executed in a core that counts, by VM and virtual page. The values
// of its counters (decoded/execution-counters.ts) are added up here before their decoded page is
// reused.
//
// A decoded page stands for a page of RAM. At EL1 it counts for one virtual page at a time: an
// entry by another one, or in another VM, starts a new count. At EL0 it counts for the address by
// which it was entered first, as processes have libraries at different addresses.

import { COUNTER_SHIFT, COUNTERS } from "./decoded/execution-counters.ts";
import { DECODED_OWNERS, DECODED_PAGE_SIZE, DECODED_PAGES, INSTRUCTIONS_PER_PAGE } from "./state/layout.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

/** Instructions after which counters are emptied: all of them may be in one counter. */
const EMPTIED_AFTER = 2 ** 30;

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
interface Entry {
  /** Index of its decoded page. */
  readonly index: number;
  readonly stage2: number;
  readonly address: bigint;
  readonly privileged: boolean;
}

export class ExecutionCounts {
  readonly #words: Int32Array;
  readonly #pages = new Map<string, CountedPage>();
  /** By index of the decoded page. */
  readonly #owners = new Map<number, CountedPage>();
  #since = 0;

  constructor(memory: WebAssembly.Memory, readonly counting: ExecutionCounting) {
    this.#words = new Int32Array(memory.buffer);
  }

  /** Execution enters a page. True if TLBs have to forget it: it had another owner. */
  entered({ index, stage2, address, privileged }: Entry): boolean {
    const vm = this.counting.vmOf(stage2), owner = this.#owners.get(index), page = address - address % BigInt(PAGE_SIZE);
    if (owner?.vm === vm && (owner.address === page || !privileged)) return false;
    this.left(index);
    const key = `${vm} ${page}`;
    let fresh = this.#pages.get(key);
    if (!fresh) this.#pages.set(key, fresh = emptyPage(vm, page));
    this.#owners.set(index, fresh);
    return owner !== undefined;
  }

  /** A decoded page stands for something else from now on. */
  left(index: number): void {
    this.#empty(index);
    this.#owners.delete(index);
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

  #emptyAll(): void {
    this.#since = 0;
    for (const index of this.#owners.keys()) this.#empty(index);
  }

  #empty(index: number): void {
    const owner = this.#owners.get(index), words = this.#words;
    if (!owner) return;
    const { counts, departures, conditional } = owner;
    const code = (words[DECODED_OWNERS / 4 + index] >>> 0) / 4;
    const first = (COUNTERS + (DECODED_PAGES.base + index * DECODED_PAGE_SIZE >> COUNTER_SHIFT)) / 4;
    let executed = 0;
    for (let at = 0; at < INSTRUCTIONS_PER_PAGE; at++) {
      const departed = words[first + 2 * at + 1];
      executed += words[first + 2 * at];
      if (executed !== 0 && isConditional(words[code + at])) conditional[at] = 1;
      counts[at] += executed >>> 0;
      departures[at] += departed >>> 0;
      executed -= departed;
    }
    words.fill(0, first, first + 2 * (INSTRUCTIONS_PER_PAGE + 1));
  }
}

function emptyPage(vm: string, address: bigint): CountedPage {
  const numbers = () => new Float64Array(INSTRUCTIONS_PER_PAGE);
  return { vm, address, counts: numbers(), departures: numbers(), conditional: new Uint8Array(INSTRUCTIONS_PER_PAGE) };
}

/** B.cond and BC.cond; CBZ, CBNZ, TBZ and TBNZ. Arm ARM C4.1.66. */
function isConditional(word: number): boolean {
  return word >>> 24 === 0x54 || (word & 0x7c00_0000) === 0x3400_0000;
}
