// Decoded instructions, the TypeScript half: the pool of decoded pages, and the decoder for what
// the one in Wasm (decoder.ts) does not know. The Wasm half of the rest is decoded-functions.ts.
// docs/design/decisions.md §8 (decoded pages come from a capped pool with eviction).

import type { InstructionSet } from "../../isa/instruction-set.ts";
import {
  CODE_PAGES,
  COMPUTED_OPERANDS,
  DECODED_OWNERS,
  DECODED_PAGE_SIZE,
  DECODED_PAGES,
  DECODED_STORES,
  DECODER_MARKS,
  INSTRUCTIONS_PER_PAGE,
  LANDINGS,
  STORES_BEFORE_RELEASE,
} from "../state/layout.ts";
import type { FusedHandlers } from "./fused-handlers.ts";
import { Handler } from "./handlers.ts";
import { type KeptOperand, keptOperands } from "./operand-fills.ts";
import { DECODED_SIZE, FIRST_OPERAND, OperandWriter } from "./operands.ts";
import type { Decoding, Decodings, Dispatch, Filling, Variant } from "./variants.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/**
 * How much more than before a page may be written to after each time that its decoded instructions
 * were given up, and how often that grows.
 */
const PATIENCE_FACTOR = 4, PATIENCE_STEPS = 6;
/** Pages for which that is remembered. */
const RELEASES_KEPT = 4096;

/** A property of an instruction word, 32 bits, signed. */
export type WordTest = (word: number) => boolean;

/** The services of the core's Wasm module that the pool uses. */
interface DecodedCallbacks {
  /** Fetch entries that point to a decoded page go from all TLB sets. */
  forgetDecodedPage(page: number): void;
  /**
   * Instructions [first, end) of the decoded page with this index change: regions of the translator
   * with any of them go.
   */
  regionsWritten(index: number, first: number, end: number): void;
  /**
   * A decoded instruction with the OUTLINED handler names the function with this index in the
   * core's table.
   */
  provideOutlined(index: number): void;
  /** The decoded page with this index no longer stands for its code page. */
  pageLeft(index: number): void;
}

/** Index of the decoded page at an address, or of the one that holds this decoded instruction. */
export const decodedPageIndex = (ip: number): number => Math.floor((ip - DECODED_PAGES.base) / DECODED_PAGE_SIZE);

/** The decoded pages of one core. */
export class DecodedPages {
  readonly #instructions: InstructionSet;
  readonly #decodings: Decodings;
  readonly #fused: FusedHandlers;
  readonly #computed: ReadonlyMap<string, number>;
  readonly #keptOperands = new Map<Filling, readonly KeptOperand[]>();
  readonly #writer: OperandWriter;
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  readonly #doublewords: BigInt64Array;
  readonly #bytes: Uint8Array;
  readonly #landings: Uint16Array;
  readonly #free: number[] = [];
  /** Index of the page that was used last when none is free: eviction goes round. */
  #hand = -1;
  #used = 0;
  /** Pages from this index on have never been used: they are zero, and take no RAM yet. */
  #untouched = 0;
  /**
   * How often decoded instructions were given up, by the Wasm address of their code page: where
   * code and data are side by side, stores continue.
   */
  readonly #releases = new Map<number, number>();
  /**
   * Wasm addresses of instructions with a breakpoint, and of the one that is executed all the same.
   */
  readonly #marks = new Set<number>();
  #markedWords: WordTest | undefined;
  #passed = 0;
  /** Marked instructions that were executed, by Wasm address: they still have their operands. */
  readonly #known = new Map<number, { readonly ip: number; readonly word: number; readonly handler: number }>();

  /** @param capacity pages that may be in use at once, `DECODED_PAGES.count` at most. */
  constructor(
    memory: WebAssembly.Memory,
    { instructions, decodings, fused, computed }: Dispatch,
    readonly callbacks: DecodedCallbacks,
    readonly capacity: number = DECODED_PAGES.count,
  ) {
    this.#instructions = instructions;
    this.#decodings = decodings;
    this.#fused = fused;
    this.#computed = computed;
    this.#writer = new OperandWriter(memory);
    this.#halves = new Uint16Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#doublewords = new BigInt64Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#landings = this.#halves.subarray(LANDINGS.base / 2, LANDINGS.base / 2 + LANDINGS.count);
    fused.write(memory);
  }

  /**
   * A fresh decoded page for the code page at a Wasm address. When the pool is full, the oldest
   * page is evicted.
   */
  allocate(wasmAddress: number): number {
    this.#known.clear();
    let index = this.#free.pop();
    if (index === undefined) {
      if (this.#used < this.capacity) index = this.#used++;
      else {
        index = this.#hand = (this.#hand + 1) % this.capacity;
        this.#forget(index);
      }
    }
    const page = DECODED_PAGES.base + index * DECODED_PAGE_SIZE;
    if (index < this.#untouched) this.#bytes.fill(0, page, page + DECODED_PAGE_SIZE);
    else this.#untouched = index + 1;
    this.#halves[(page + INSTRUCTIONS_PER_PAGE * DECODED_SIZE) >> 1] = Handler.PageEnd;
    // Landings on what was there before say nothing of this. Their ring may end within the page.
    const landing = page / DECODED_SIZE & LANDINGS.count - 1, beyond = landing + INSTRUCTIONS_PER_PAGE - LANDINGS.count;
    this.#landings.fill(0, landing, landing + INSTRUCTIONS_PER_PAGE);
    if (beyond > 0) this.#landings.fill(0, 0, beyond);
    this.#words[DECODED_OWNERS / 4 + index] = wasmAddress;
    this.#words[DECODED_STORES / 4 + index] = -STORES_BEFORE_RELEASE * PATIENCE_FACTOR ** (this.#releases.get(wasmAddress) ?? 0);
    this.#words[CODE_PAGES / 4 + (wasmAddress >>> 12)] = page;
    return page;
  }

  /**
   * Gives a decoded page up, as its code page is written to more than is executed. Nothing may be
   * executing in it.
   */
  release(page: number): void {
    const index = (page - DECODED_PAGES.base) / DECODED_PAGE_SIZE;
    const wasmAddress = this.#words[DECODED_OWNERS / 4 + index] >>> 0;
    if (this.#releases.size >= RELEASES_KEPT) this.#releases.clear();
    this.#releases.set(wasmAddress, Math.min((this.#releases.get(wasmAddress) ?? 0) + 1, PATIENCE_STEPS));
    this.#forget(index);
    this.#free.push(index);
  }

  /**
   * Fills the decoded instruction at `ip`; the number of its handler, or 0 when the instruction
   * after it cannot be known.
   */
  fill(ip: number): number {
    const index = decodedPageIndex(ip), at = (ip - DECODED_PAGES.base - index * DECODED_PAGE_SIZE) / DECODED_SIZE;
    const wasmAddress = (this.#words[DECODED_OWNERS / 4 + index] >>> 0) + 4 * at;
    const word = this.#words[wasmAddress / 4];
    if ((this.#marks.has(wasmAddress) || this.#markedWords?.(word)) && wasmAddress !== this.#passed) {
      return this.#end(ip, Handler.Breakpoint);
    }
    const encoding = this.#instructions.decode(word);
    if (!encoding) return this.#end(ip, Handler.Undefined);
    const { filling, branch } = variantOf(this.#decodings.of(encoding), word);
    if (branch) {
      // Which handler a branch has is a question of where it is.
      const target = at + branch.offset(word) / 4;
      return this.#fill(ip, target >= 0 && target < INSTRUCTIONS_PER_PAGE ? branch.near : filling, word);
    }
    const handler = this.#fill(ip, filling, word);
    if (handler === Handler.Outlined) this.callbacks.provideOutlined(this.#halves[(ip + FIRST_OPERAND) >> 1]);
    else this.#keepComputed(filling, word);
    return handler;
  }

  /** Keeps what TypeScript computes for an instruction, so that Wasm fills the next one like it. */
  #keepComputed(filling: Filling, word: number): void {
    let kept = this.#keptOperands.get(filling);
    if (!kept) this.#keptOperands.set(filling, kept = keptOperands(filling.operands, this.#computed));
    for (const { place, value } of kept) this.#doublewords[COMPUTED_OPERANDS.base / 8 + place(word)] = value(word);
  }

  #end(ip: number, handler: number): 0 {
    this.#halves[ip >> 1] = handler;
    return 0;
  }

  /**
   * The instruction at a Wasm address gets the BREAKPOINT handler, whenever it is decoded.
   */
  mark(wasmAddress: number): void {
    if (this.#marks.has(wasmAddress)) return;
    this.#marks.add(wasmAddress);
    this.#marked(wasmAddress);
  }

  unmark(wasmAddress: number): void {
    if (this.#marks.delete(wasmAddress)) this.#marked(wasmAddress);
  }

  /** No instruction is marked any more. */
  unmarkAll(): void {
    this.#marks.clear();
    this.#markedWords = undefined;
    this.#countMarks();
    this.#known.clear();
    for (let index = 0; index < this.#used; index++) {
      const owner = this.#words[DECODED_OWNERS / 4 + index] >>> 0, page = DECODED_PAGES.base + index * DECODED_PAGE_SIZE;
      for (let at = 0; owner && at < INSTRUCTIONS_PER_PAGE; at++) {
        if (this.#halves[(page + at * DECODED_SIZE) >> 1] === Handler.Breakpoint) this.written(owner + 4 * at, 4);
      }
    }
  }

  /** Instructions with such words get it wherever they are; those marked before no longer do. */
  markWords(isMarked: WordTest | undefined): void {
    this.#markedWords = isMarked;
    this.#countMarks();
    // Pages stay, and with them the fetches in TLBs that lead to them.
    for (let index = 0; index < this.#used; index++) {
      const owner = this.#words[DECODED_OWNERS / 4 + index] >>> 0;
      if (owner) this.written(owner, PAGE_SIZE);
    }
  }

  /** A mark has come or gone. */
  #marked(wasmAddress: number): void {
    this.#countMarks();
    this.written(wasmAddress, 4);
  }

  #countMarks(): void {
    this.#words[DECODER_MARKS >> 2] = this.#marks.size + (this.#markedWords ? 1 : 0);
  }

  /** Does `work` with the mark of the decoded instruction at `ip` off. */
  pass<T>(ip: number, work: () => T): T {
    const wasmAddress = this.wasmAddressOf(ip), word = this.#words[wasmAddress / 4], known = this.#known.get(wasmAddress);
    if (known?.ip === ip && known.word === word && this.#halves[ip >> 1] === Handler.Breakpoint) {
      this.#halves[ip >> 1] = known.handler;
      try {
        return work();
      } finally {
        // The instruction may have changed itself, or given up its page.
        if (this.#halves[ip >> 1] === known.handler && this.wasmAddressOf(ip) === wasmAddress) this.#halves[ip >> 1] = Handler.Breakpoint;
      }
    }
    this.#passed = wasmAddress;
    this.written(wasmAddress, 4);
    try {
      return work();
    } finally {
      this.#passed = 0;
      const handler = this.#fused.firstOf(this.#halves[ip >> 1]);
      const stays = this.wasmAddressOf(ip) === wasmAddress && this.#words[wasmAddress / 4] === word;
      if (stays && handler !== Handler.Decode && handler !== Handler.Undefined) this.#known.set(wasmAddress, { ip, word, handler });
      this.written(wasmAddress, 4);
    }
  }

  /** Address of the decoded page of a code page at a Wasm address. */
  pageOf(wasmAddress: number): number {
    return this.#words[CODE_PAGES / 4 + (wasmAddress >>> 12)];
  }

  /** Wasm address of the word of a decoded instruction. */
  wasmAddressOf(ip: number): number {
    const index = decodedPageIndex(ip);
    const at = (ip - DECODED_PAGES.base - index * DECODED_PAGE_SIZE) / DECODED_SIZE;
    return (this.#words[DECODED_OWNERS / 4 + index] >>> 0) + 4 * at;
  }

  /**
   * RAM in [wasmAddress, wasmAddress + size) changed from outside: instructions that were decoded
   * from there go.
   */
  written(wasmAddress: number, size: number): void {
    for (let page = wasmAddress - wasmAddress % PAGE_SIZE; page < wasmAddress + size; page += PAGE_SIZE) {
      const decoded = this.#words[CODE_PAGES / 4 + page / PAGE_SIZE];
      if (!decoded) continue;
      const first = Math.max(wasmAddress - page, 0) >> 2, end = Math.min(wasmAddress + size - page + 3, PAGE_SIZE) >> 2;
      this.callbacks.regionsWritten(decodedPageIndex(decoded), first, end);
      if (first > 0) {
        const before = (decoded + (first - 1) * DECODED_SIZE) >> 1;
        this.#halves[before] = this.#fused.firstOf(this.#halves[before]);
      }
      for (let at = first; at < end; at++) this.#halves[(decoded + at * DECODED_SIZE) >> 1] = Handler.Decode;
    }
  }

  /** Gives all decoded pages up. */
  clear(): void {
    for (let index = 0; index < this.#used; index++) if (this.#words[DECODED_OWNERS / 4 + index]) this.#forget(index);
    this.#used = 0;
    this.#free.length = 0;
    this.#hand = -1;
  }

  #fill(ip: number, { handler, operands }: Filling, word: number): number {
    for (let i = 0; i < operands.length; i++) this.#writer.store(ip, operands[i], word);
    this.#halves[ip >> 1] = handler;
    return handler;
  }

  #forget(index: number): void {
    const wasmAddress = this.#words[DECODED_OWNERS / 4 + index] >>> 0;
    this.callbacks.regionsWritten(index, 0, INSTRUCTIONS_PER_PAGE);
    this.callbacks.pageLeft(index);
    this.#words[CODE_PAGES / 4 + (wasmAddress >>> 12)] = 0;
    this.#words[DECODED_OWNERS / 4 + index] = 0;
    this.callbacks.forgetDecodedPage(DECODED_PAGES.base + index * DECODED_PAGE_SIZE);
  }
}

function variantOf(decoding: Decoding, word: number): Variant {
  for (const { mask, value, variant } of decoding.specials) if ((word & mask) === value) return variant;
  return decoding;
}
