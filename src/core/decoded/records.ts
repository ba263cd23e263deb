// Decoded records, the TypeScript half: the pool of record pages and the decoder that fills them.
// The Wasm half is record-functions.ts. docs/design/decisions.md §8 (record pages come from a
// capped pool with eviction).

import { decode } from "../../isa/decode.ts";
import {
  CODE_PAGES,
  FIRST_HANDLERS,
  HANDLER_NUMBERS,
  LANDINGS,
  RECORD_OWNERS,
  RECORD_PAGE_SIZE,
  RECORD_PAGES,
  RECORD_STORES,
  RECORDS_PER_PAGE,
  STORES_BEFORE_RELEASE,
} from "../state/layout.ts";
import { PAGE_SIZE } from "../state/page.ts";
import type { FusedHandlers } from "./fused-handlers.ts";
import { Handler } from "./handlers.ts";
import { FIRST_OPERAND, RECORD_SIZE, RecordWriter } from "./operands.ts";
import type { Decoding, Dispatch, Filling, Variant } from "./variants.ts";

/**
 * How much more than before a page may be written to after each time that its records were given
 * up, and how often that grows.
 */
const PATIENCE_FACTOR = 4, PATIENCE_STEPS = 6;
/** Pages for which that is remembered. */
const RELEASES_KEPT = 4096;

/** What the pool asks of the core's Wasm module. */
export interface RecordCallbacks {
  /** Fetch entries that point to a record page go from all TLB sets. */
  forgetRecordPage(page: number): void;
  /**
   * Instructions [first, end) of the record page with this index change: regions of the translator
   * with any of them go.
   */
  regionsWritten(index: number, first: number, end: number): void;
  /** A record with the OUTLINED handler names the function with this index in the core's table. */
  provideOutlined(index: number): void;
}

/** Index of the record page at an address, or of the one that holds this record. */
export const recordPageIndex = (ip: number): number => Math.floor((ip - RECORD_PAGES.base) / RECORD_PAGE_SIZE);

/** The record pages of one core. */
export class RecordPool {
  readonly #decodings: readonly Decoding[];
  readonly #fused: FusedHandlers;
  readonly #writer: RecordWriter;
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #free: number[] = [];
  /** Index of the page that was used last when none is free: eviction goes round. */
  #hand = -1;
  #used = 0;
  /**
   * How often records were given up, by the host address of their code page: where code and data
   * stand side by side, stores go on.
   */
  readonly #releases = new Map<number, number>();
  /**
   * Host addresses of instructions with a breakpoint, and of the one that is executed all the same.
   */
  readonly #marks = new Set<number>();
  #passed = 0;

  /** @param capacity pages that may be in use at once, `RECORD_PAGES.count` at most. */
  constructor(
    memory: WebAssembly.Memory,
    { decodings, fused }: Dispatch,
    readonly callbacks: RecordCallbacks,
    readonly capacity: number = RECORD_PAGES.count,
  ) {
    this.#decodings = decodings;
    this.#fused = fused;
    this.#writer = new RecordWriter(memory);
    this.#halves = new Uint16Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    const first = this.#halves.subarray(FIRST_HANDLERS / 2, FIRST_HANDLERS / 2 + HANDLER_NUMBERS);
    // Most are their own first ones, and there are many.
    for (let handler = 0; handler < HANDLER_NUMBERS; handler++) first[handler] = handler;
    for (const [handler, , both] of fused.pairs) first[both] = handler;
  }

  /**
   * A fresh record page for the code page at a host address. When the pool is used up, the oldest
   * page goes.
   */
  allocate(host: number): number {
    let index = this.#free.pop();
    if (index === undefined) {
      if (this.#used < this.capacity) index = this.#used++;
      else {
        index = this.#hand = (this.#hand + 1) % this.capacity;
        this.#forget(index);
      }
    }
    const page = RECORD_PAGES.base + index * RECORD_PAGE_SIZE;
    this.#bytes.fill(0, page, page + RECORD_PAGE_SIZE);
    this.#halves[(page + RECORDS_PER_PAGE * RECORD_SIZE) >> 1] = Handler.PageEnd;
    // Landings on what was there before say nothing of this.
    for (let record = 0; record < RECORDS_PER_PAGE; record++) {
      this.#halves[(LANDINGS.base >> 1) + (page / RECORD_SIZE + record & LANDINGS.count - 1)] = 0;
    }
    this.#words[RECORD_OWNERS / 4 + index] = host;
    this.#words[RECORD_STORES / 4 + index] = -STORES_BEFORE_RELEASE * PATIENCE_FACTOR ** (this.#releases.get(host) ?? 0);
    this.#words[CODE_PAGES / 4 + (host >>> 12)] = page;
    return page;
  }

  /**
   * Gives a record page up, as its code page is written to more than is executed. Nothing may be
   * executing in it.
   */
  release(page: number): void {
    const index = (page - RECORD_PAGES.base) / RECORD_PAGE_SIZE;
    const host = this.#words[RECORD_OWNERS / 4 + index] >>> 0;
    if (this.#releases.size >= RELEASES_KEPT) this.#releases.clear();
    this.#releases.set(host, Math.min((this.#releases.get(host) ?? 0) + 1, PATIENCE_STEPS));
    this.#forget(index);
    this.#free.push(index);
  }

  /** Fills the record at `ip`, and those behind it as far as pairs may begin there. */
  decode(ip: number): void {
    const index = recordPageIndex(ip);
    const page = RECORD_PAGES.base + index * RECORD_PAGE_SIZE;
    const host = this.#words[RECORD_OWNERS / 4 + index] >>> 0;
    let record = (ip - page) / RECORD_SIZE;
    let handler = this.#fillRecord(page, record, host);
    while (handler !== undefined && this.#fused.startsPair(handler) && record + 1 < RECORDS_PER_PAGE) {
      const next: number = this.#halves[(page + (record + 1) * RECORD_SIZE) >> 1];
      const fresh = next === Handler.Decode;
      const second = fresh ? this.#fillRecord(page, record + 1, host) : this.#fused.firstOf(next);
      const pair = second === undefined ? undefined : this.#fused.get(handler, second);
      if (pair !== undefined) this.#halves[(page + record * RECORD_SIZE) >> 1] = pair;
      if (!fresh) return;
      record++;
      handler = second;
    }
  }

  /**
   * Fills one record; the number of its handler, or undefined when nothing can be known of the
   * instruction behind it.
   */
  #fillRecord(page: number, record: number, host: number): number | undefined {
    const ip = page + record * RECORD_SIZE;
    if (this.#marks.size && this.#marks.has(host + 4 * record) && host + 4 * record !== this.#passed) {
      this.#halves[ip >> 1] = Handler.Breakpoint;
      return undefined;
    }
    const word = this.#words[(host + 4 * record) / 4];
    const encoding = decode(word);
    if (!encoding) {
      this.#halves[ip >> 1] = Handler.Undefined;
      return undefined;
    }
    const { filling, branch } = variantOf(this.#decodings[encoding.index], word);
    if (!branch) return this.#fill(ip, filling, word);
    const target = record + branch.offset(word) / 4;
    return this.#fill(ip, target >= 0 && target < RECORDS_PER_PAGE ? branch.near : filling, word);
  }

  /**
   * The record of the instruction at a host address becomes the BREAKPOINT handler, whenever it is
   * decoded.
   */
  mark(host: number): void {
    if (this.#marks.has(host)) return;
    this.#marks.add(host);
    this.written(host, 4);
  }

  unmark(host: number): void {
    if (this.#marks.delete(host)) this.written(host, 4);
  }

  /** Does `work` with the mark of one instruction off. */
  pass<T>(host: number, work: () => T): T {
    this.#passed = host;
    this.written(host, 4);
    try {
      return work();
    } finally {
      this.#passed = 0;
      this.written(host, 4);
    }
  }

  /** Host address of the instruction of a record. */
  hostOf(ip: number): number {
    const index = recordPageIndex(ip);
    const record = (ip - RECORD_PAGES.base - index * RECORD_PAGE_SIZE) / RECORD_SIZE;
    return (this.#words[RECORD_OWNERS / 4 + index] >>> 0) + 4 * record;
  }

  /** RAM in [host, host + size) changed from outside: its records go. */
  written(host: number, size: number): void {
    for (let page = host - host % PAGE_SIZE; page < host + size; page += PAGE_SIZE) {
      const records = this.#words[CODE_PAGES / 4 + page / PAGE_SIZE];
      if (!records) continue;
      const first = Math.max(host - page, 0) >> 2, end = Math.min(host + size - page + 3, PAGE_SIZE) >> 2;
      this.callbacks.regionsWritten(recordPageIndex(records), first, end);
      if (first > 0) {
        const before = (records + (first - 1) * RECORD_SIZE) >> 1;
        this.#halves[before] = this.#fused.firstOf(this.#halves[before]);
      }
      for (let record = first; record < end; record++) this.#halves[(records + record * RECORD_SIZE) >> 1] = Handler.Decode;
    }
  }

  /** Gives all record pages up. */
  clear(): void {
    for (let index = 0; index < this.#used; index++) if (this.#words[RECORD_OWNERS / 4 + index]) this.#forget(index);
    this.#used = 0;
    this.#free.length = 0;
    this.#hand = -1;
  }

  #fill(ip: number, { handler, operands }: Filling, word: number): number {
    for (let i = 0; i < operands.length; i++) this.#writer.store(ip, operands[i], word);
    this.#halves[ip >> 1] = handler;
    if (handler === Handler.Outlined) this.callbacks.provideOutlined(this.#halves[(ip + FIRST_OPERAND) >> 1]);
    return handler;
  }

  #forget(index: number): void {
    const host = this.#words[RECORD_OWNERS / 4 + index] >>> 0;
    this.callbacks.regionsWritten(index, 0, RECORDS_PER_PAGE);
    this.#words[CODE_PAGES / 4 + (host >>> 12)] = 0;
    this.#words[RECORD_OWNERS / 4 + index] = 0;
    this.callbacks.forgetRecordPage(RECORD_PAGES.base + index * RECORD_PAGE_SIZE);
  }
}

function variantOf(decoding: Decoding, word: number): Variant {
  for (const { mask, value, variant } of decoding.specials) if ((word & mask) === value) return variant;
  return decoding;
}
