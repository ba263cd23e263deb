// Code as the guest sees it around an instruction in execution: the pages that the fetch TLB of the
// current regime has, by virtual address, with their decoded instructions.

import { Handler } from "../../decoded/handlers.ts";
import { DECODED_SIZE } from "../../decoded/operands.ts";
import { CPU, FetchEntry, TlbSet } from "../../state/cpu-state.ts";
import {
  DECODED_OWNERS,
  DECODED_PAGE_SIZE,
  DECODED_PAGES,
  FIRST_REGION_HANDLER,
  INSTRUCTIONS_PER_PAGE,
  INSTRUCTIONS_SHIFT,
} from "../../state/layout.ts";
import { type Instructions, mayBranchBack } from "./instruction.ts";
import type { CodePages } from "./code.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";

/** Address of the decoded page with this index. */
export const decodedPageAddress = (index: number): number => DECODED_PAGES.base + index * DECODED_PAGE_SIZE;

/** Memory as the translator reads it. */
export interface CodeMemory {
  readonly words: Int32Array;
  readonly halves: Uint16Array;
  readonly instructions: Instructions;
}

/** Pages around one of them; instructions are counted from its first. */
export class CodeView implements CodePages {
  /**
   * Index of the decoded page by page number, counted from the first page; -1 where there is none.
   * Most views are of one page.
   */
  #pages: Map<number, number> | undefined;

  /**
   * @param page index of the decoded page that instruction 0 is in.
   * @param low, high its virtual address.
   */
  constructor(readonly memory: CodeMemory, readonly page: number, readonly low: number, readonly high: number) {}

  /** The view of the page at a virtual address; undefined if it is not known. */
  static at(memory: CodeMemory, low: number, high: number): CodeView | undefined {
    const page = lookUp(memory, low, high);
    return page < 0 ? undefined : new CodeView(memory, page, low, high);
  }

  /** The view around another instruction; undefined if its page is not known. */
  around(index: number): CodeView | undefined {
    const offset = index >> INSTRUCTIONS_SHIFT, page = this.#pageOf(offset);
    return page < 0 ? undefined : new CodeView(this.memory, page, this.low + offset * PAGE_SIZE >>> 0, this.high);
  }

  get instructions(): Instructions {
    return this.memory.instructions;
  }

  has(index: number): boolean {
    return this.#pageOf(index >> INSTRUCTIONS_SHIFT) >= 0;
  }

  word(index: number): number {
    const owner = this.memory.words[(DECODED_OWNERS >> 2) + this.#pageOf(index >> INSTRUCTIONS_SHIFT)] >>> 0;
    return this.memory.words[(owner >>> 2) + (index & INSTRUCTIONS_PER_PAGE - 1)];
  }

  isKnown(index: number): boolean {
    const handler = this.handler(index);
    return handler !== Handler.Decode && handler !== Handler.Breakpoint;
  }

  /**
   * The first instruction in [index, end) that may be a direct branch back; `end` if there is none
   * before one that is not known. Most samples ask for hundreds of instructions.
   */
  nextBranchBack(index: number, end: number): number {
    const { words, halves } = this.memory;
    while (index < end) {
      const page = this.pageIndex(index), first = index & INSTRUCTIONS_PER_PAGE - 1;
      if (page < 0) return end;
      const count = Math.min(INSTRUCTIONS_PER_PAGE - first, end - index);
      const word = (words[(DECODED_OWNERS >> 2) + page] >>> 2) + first, half = decodedPageAddress(page) + first * DECODED_SIZE >> 1;
      for (let i = 0; i < count; i++) {
        const handler = halves[half + i * (DECODED_SIZE >> 1)];
        if (handler === Handler.Decode || handler === Handler.Breakpoint) return end;
        if (mayBranchBack(words[word + i])) return index + i;
      }
      index += count;
    }
    return end;
  }

  isHead(index: number): boolean {
    return this.handler(index) >= FIRST_REGION_HANDLER;
  }

  /** Whether the page of instruction 0 is mapped there now, in the current regime. */
  get isCurrent(): boolean {
    return this.#look(this.low) === this.page;
  }

  /** The handler of a decoded instruction. */
  handler(index: number): number {
    return this.memory.halves[this.decodedAt(index) >> 1];
  }

  /** Address of a decoded instruction. */
  decodedAt(index: number): number {
    return decodedPageAddress(this.pageIndex(index)) + (index & INSTRUCTIONS_PER_PAGE - 1) * DECODED_SIZE;
  }

  /** Index of the decoded page that an instruction is in. */
  pageIndex(index: number): number {
    return this.#pageOf(index >> INSTRUCTIONS_SHIFT);
  }

  #pageOf(offset: number): number {
    if (offset === 0) return this.page;
    const pages = this.#pages ??= new Map();
    let page = pages.get(offset);
    if (page === undefined) pages.set(offset, page = this.#look(this.low + offset * PAGE_SIZE));
    return page;
  }

  /** The page at a virtual address of the same 4 GiB. */
  #look(low: number): number {
    return low < 0 || low > 0xffff_ffff ? -1 : lookUp(this.memory, low, this.high);
  }
}

/** Index of the decoded page at a virtual address, or -1. */
function lookUp({ words }: CodeMemory, low: number, high: number): number {
  const entry = words[CPU.TLB >> 2] + TlbSet.Fetch + (low >>> 8 & (TlbSet.FetchEntries - 1) * FetchEntry.Size);
  const tag = entry + FetchEntry.Tag >> 2;
  if (words[tag] !== (low | 0) || words[tag + 1] !== (high | 0)) return -1;
  return (words[entry + FetchEntry.Decoded >> 2] - DECODED_PAGES.base) / DECODED_PAGE_SIZE;
}
