// The regions of one core: those in use, those that wait for their code to come back, and which of
// them go. The decoded instruction of a region's head has a handler number from
// `FIRST_REGION_HANDLER` on, which is how the interpreter recognizes a region.

import { decodedPageIndex } from "../decoded/decoded-pages.ts";
import { Handler } from "../decoded/handlers.ts";
import { DECODED_SIZE } from "../decoded/operands.ts";
import type { Dispatch } from "../decoded/variants.ts";
import { FIRST_REGION_SLOT } from "../interpreter/interpreter.ts";
import type { Link } from "../interpreter/outlined.ts";
import type { CpuFields } from "../state/cpu-fields.ts";
import {
  DECODED_AWAITED,
  DECODED_OWNERS,
  DECODED_REGIONS,
  FIRST_REGION_HANDLER,
  INSTRUCTIONS_PER_PAGE,
  REGION_CAPACITY,
} from "../state/layout.ts";
import { ChangedRegions, MOST_CHANGED, type Region } from "./changed-regions.ts";
import { type CodeMemory, decodedPageAddress } from "./code/code-view.ts";
import type { TranslatorCounters } from "./counters.ts";
import type { Draft } from "./emission/region-module.ts";

/**
 * Limit on the bytes of Wasm in regions; the machine code takes about five times that. When regions
 * or bytes run out, the other is wasted.
 */
export const CODE_BYTES = 0x200_0000;
const KEPT = 0.75;

/** The functions of a region, and how many bytes of Wasm it has. */
interface RegionCode {
  readonly region: WebAssembly.ExportValue;
  /** Of its first instruction alone. */
  readonly first: WebAssembly.ExportValue;
  readonly bytes: number;
}

/** Instructions of a decoded page that change. */
interface Change {
  readonly page: number;
  readonly first: number;
  readonly end: number;
}

/** The parts of a core that the regions are in. */
interface RegionHome {
  readonly memory: CodeMemory;
  readonly cpu: CpuFields;
  readonly link: Link;
  readonly dispatch: Dispatch;
  readonly counters: TranslatorCounters;
}

export class RegionSet {
  /** By index of the decoded page. */
  readonly #byPage = new Map<number, Set<Region>>();
  /** All regions, the oldest first, and the bytes of their code. */
  readonly #live = new Set<Region>();
  #bytes = 0;
  readonly #free: number[] = [];
  #next = 0;
  /** Regions whose code may come back. */
  readonly #changed = new ChangedRegions(
    (region) => this.#release(region),
    (decoded, change) => this.home.memory.words[(DECODED_AWAITED >> 2) + decodedPageIndex(decoded)] += change,
  );

  constructor(readonly home: RegionHome, readonly codeBytes: number) {}

  /** Bytes of Wasm in the regions that exist. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Numbers for this many regions, for which there is room. */
  takeNumbers(count: number): number[] {
    return Array.from({ length: count }, () => this.#free.pop() ?? this.#next++);
  }

  /** Takes numbers back that were not used. */
  returnNumbers(numbers: readonly number[]): void {
    this.#free.push(...numbers);
  }

  /** @param byLoop only regions count that have all of a loop */
  covers(page: number, at: number, byLoop = false): boolean {
    for (const { covers, isLoop } of this.#byPage.get(page) ?? []) if ((isLoop || !byLoop) && covers.get(page)?.has(at)) return true;
    return false;
  }

  /** The words of some instructions change: regions with any of them go. Whether there were any. */
  written(change: Change): boolean {
    const { page, first, end } = change;
    // The decoded page is released, and its slot gets instructions of another one.
    const goes = end - first === INSTRUCTIONS_PER_PAGE;
    if (goes) this.#changed.forget(page);
    const regions = this.#byPage.get(page), before = regions?.size;
    for (const region of [...regions ?? []]) {
      const covered = region.covers.get(page);
      let overlaps = false;
      for (let at = first; at < end && !overlaps; at++) overlaps = covered?.has(at) ?? false;
      if (overlaps) this.#drop(region, goes ? undefined : change);
    }
    return this.#byPage.get(page)?.size !== before;
  }

  /** A region that begins to be right again as an instruction was decoded anew. */
  restore(ip: number): Region | undefined {
    const region = this.#changed.find(ip, (region) => this.#isWhole(region));
    if (!region) return undefined;
    const { memory: { halves }, cpu, counters } = this.home, { head, number } = region;
    this.#changed.remove(region);
    if (halves[head >> 1] === Handler.Stop) cpu.STOP_HANDLER = FIRST_REGION_HANDLER + number;
    else halves[head >> 1] = FIRST_REGION_HANDLER + number;
    this.#use(region);
    counters.restored++;
    return region;
  }

  /** Whether all instructions of a region are what they were, and no other region begins there. */
  #isWhole({ head, headHandler, decoded, words }: Region): boolean {
    const { memory: { halves, words: memory }, cpu, dispatch: { fused } } = this.home;
    const stopped = halves[head >> 1] === Handler.Stop;
    if (stopped && cpu.STOP !== head) return false;
    const handler = stopped ? cpu.STOP_HANDLER : halves[head >> 1];
    if (handler >= FIRST_REGION_HANDLER || fused.firstOf(handler) !== headHandler) return false;
    for (let i = 0; i < decoded.length; i++) {
      const at = decoded[i], now = halves[at >> 1];
      if (now === Handler.Decode || now === Handler.Breakpoint || now === Handler.Stop && at !== head) return false;
      const page = decodedPageIndex(at);
      const owner = memory[(DECODED_OWNERS >> 2) + page] >>> 0;
      if (memory[(owner >>> 2) + (at - decodedPageAddress(page)) / DECODED_SIZE] !== words[i]) return false;
    }
    return true;
  }

  /** Drops the oldest regions where there is no room for `count` more; those that went. */
  makeRoom(count: number): readonly Region[] {
    const went: Region[] = [];
    if (this.#live.size + MOST_CHANGED + count <= REGION_CAPACITY && this.#bytes < this.codeBytes) return went;
    const [regions, bytes] = [this.#live.size * KEPT, this.#bytes * KEPT];
    for (const region of this.#live) {
      if (this.#live.size <= regions && this.#bytes <= bytes) break;
      this.#drop(region);
      went.push(region);
    }
    this.home.counters.evicted += went.length;
    return went;
  }

  /** Puts a region that was compiled into use. */
  install({ code, head, blocks }: Draft, number: number, { region, first, bytes }: RegionCode, isLoop: boolean): void {
    if (typeof region !== "function" || typeof first !== "function") throw new TypeError("a region is not a function");
    const { memory: { halves }, link, dispatch, counters } = this.home, slot = FIRST_REGION_SLOT + 2 * number;
    link.table.set(slot, region);
    link.table.set(slot + 1, first);
    const covers = new Map<number, Set<number>>();
    const count = blocks.reduce((sum, { instructions }) => sum + instructions.length, 0);
    const decoded = new Int32Array(count), words = new Int32Array(count);
    let next = 0;
    for (const { first, instructions } of blocks) {
      for (let i = 0; i < instructions.length; i++) {
        const at = first + i, page = code.pageIndex(at);
        let covered = covers.get(page);
        if (!covered) covers.set(page, covered = new Set());
        covered.add(at & INSTRUCTIONS_PER_PAGE - 1);
        decoded[next] = code.decodedAt(at);
        words[next++] = instructions[i].word;
      }
    }
    const address = code.decodedAt(head), headHandler = dispatch.fused.firstOf(halves[address >> 1]);
    this.#use({ number, head: address, headHandler, covers, decoded, words, bytes, isLoop });
    halves[address >> 1] = FIRST_REGION_HANDLER + number;
    counters.regions++;
    counters.instructions += count;
  }

  /** Counts a region as one that is in use. */
  #use(region: Region): void {
    this.#live.add(region);
    this.#bytes += region.bytes;
    for (const page of region.covers.keys()) {
      let list = this.#byPage.get(page);
      if (!list) this.#byPage.set(page, list = new Set());
      list.add(region);
      this.home.memory.words[(DECODED_REGIONS >> 2) + page] = list.size;
    }
  }

  /** @param change of its code, which may come back as it was */
  #drop(region: Region, change?: Change): void {
    const { memory: { halves, words }, cpu, counters } = this.home;
    const handler = FIRST_REGION_HANDLER + region.number;
    for (const page of region.covers.keys()) {
      const list = this.#byPage.get(page);
      list?.delete(region);
      words[(DECODED_REGIONS >> 2) + page] = list?.size ?? 0;
      if (!list?.size) this.#byPage.delete(page);
    }
    if (halves[region.head >> 1] === handler) halves[region.head >> 1] = region.headHandler;
    else if (cpu.STOP === region.head && cpu.STOP_HANDLER === handler) {
      cpu.STOP_HANDLER = region.headHandler;
    }
    this.#live.delete(region);
    this.#bytes -= region.bytes;
    counters.dropped++;
    if (!change) return this.#release(region);
    const at: number[] = [], covered = region.covers.get(change.page);
    for (let i = change.first; i < change.end; i++) if (covered?.has(i)) at.push(decodedPageAddress(change.page) + i * DECODED_SIZE);
    this.#changed.add(region, at);
  }

  /** Its number is free. */
  #release({ number }: Region): void {
    const { table } = this.home.link;
    table.set(FIRST_REGION_SLOT + 2 * number, null);
    table.set(FIRST_REGION_SLOT + 2 * number + 1, null);
    this.#free.push(number);
  }
}
