// The translator: finds where the guest spends its time, compiles regions there, several in a Wasm
// module, and takes them back when their code changes. docs/design/core.md §T4 and §T7.
//
// The decoded instruction of a region's head has a handler number from `FIRST_REGION_HANDLER` on,
// which is how the interpreter recognizes a region. Where time is spent is sampled at the ends
// of slices, which costs the interpreter nothing and depends on instruction counts alone.

import { decodedPageIndex } from "../decoded/decoded-pages.ts";
import { Handler } from "../decoded/handlers.ts";
import { DECODED_SIZE } from "../decoded/operands.ts";
import type { Dispatch } from "../decoded/variants.ts";
import { FIRST_REGION_SLOT } from "../interpreter/interpreter.ts";
import type { Link } from "../interpreter/outlined.ts";
import { CPU } from "../state/cpu-state.ts";
import {
  DECODED_AWAITED,
  DECODED_OWNERS,
  DECODED_PAGES,
  DECODED_REGIONS,
  FIRST_REGION_HANDLER,
  INSTRUCTIONS_PER_PAGE,
  REGION_CAPACITY,
} from "../state/layout.ts";
import type { Callees } from "../wasm/library.ts";
import type { ImportedMemory } from "../wasm/module.ts";
import { ChangedRegions, MOST_CHANGED } from "./changed-regions.ts";
import { type CodeMemory, CodeView, decodedPageAddress } from "./code-view.ts";
import type { TranslatorCounters } from "./counters.ts";
import { instructionsOf } from "./instruction.ts";
import { type Draft, fillIn, firstName, generateModule, partsOf, regionName, signatureOf } from "./region-module.ts";
import type { RegionStore } from "./region-store.ts";
import { type Block, discover, type Extent } from "./region.ts";

/** When regions are compiled. */
export interface Hotness {
  /** Samples of a place that make it hot, whatever its size. */
  readonly samples: number;
  /**
   * Additional samples per instruction of the region: the time that the interpreter has spent at
   * the place must pay for translating it. 0 by default.
   */
  readonly price?: number;
  /** How often the interpreter has to land at a place (decoded/landings.ts). */
  readonly landings: number;
}

/** A region that is in use, or was until its code changed. */
export interface Region {
  /** Number of its handler, counted from FIRST_REGION_HANDLER. */
  readonly number: number;
  /** Address of the head's decoded instruction, and the handler that it had. */
  readonly head: number;
  readonly headHandler: number;
  /** Numbers of its instructions in each page, by the index of its decoded page. */
  readonly covers: ReadonlyMap<number, ReadonlySet<number>>;
  /** Addresses of all its decoded instructions, and their words. */
  readonly decoded: Int32Array;
  readonly words: Int32Array;
  /** Of its code. */
  readonly bytes: number;
  /** It has all of the loop around its head, or that is too large for one region. */
  readonly isLoop: boolean;
}

/** An instruction in execution, as its page sees it. */
interface Instant {
  readonly code: CodeView;
  readonly at: number;
}

/** How hot a place is where a region would begin. */
interface Heat {
  samples: number;
  /** When the first was taken, in samples of the translator. */
  since: number;
  /** The region's instructions that are known so far. */
  size: number;
  /** Of `Hotness.landings` each. */
  landings: number;
}

const COLD: Readonly<Heat> = { samples: 0, since: 0, size: 0, landings: 0 };

/** A place where a region would begin, for an instruction that was sampled. */
interface Place {
  readonly head: number;
  /** Address of the head's decoded instruction. */
  readonly decoded: number;
  readonly isLoop: boolean;
  readonly heat: Heat;
}

/** How much hotter a place can have to be because its page changes. */
const MOST_REWRITTEN = 64;

/** Places that are remembered. */
const PLACES_KEPT = 4096;

/**
 * A function that a hot region calls is compiled with it if it has this part of the samples that it
 * would need by itself, or no more instructions than this.
 */
const CALLEE_PART = 0.05, SMALL_CALLEE = 24;

/** Instructions of a region for which the interpreter must have landed there once more. */
const LANDING_PAYS = 100;

/**
 * Samples after which a place must have the full price of its region: a place that gets hot sooner
 * will most likely be hot for longer.
 */
const HORIZON = 8000;

/**
 * Where samples are in regions there is nothing to find. Each slice then costs more than it is
 * worth: no region is left or entered in the middle of a path. After `SETTLED` such samples slices
 * are `STRETCH` times as long. A sample elsewhere counts for `STRAY` of them, up to
 * `SETTLED_MOST`, and after a slice that waited for the counter there must be `WAITED` more:
 * instructions of waits are spared where a slice ends.
 */
const STRETCH = 20, SETTLED = 32, SETTLED_MOST = 64, STRAY = 8, WAITED = 1000;

/** Instructions of regions until the compiler is warm. */
const COLD_INSTRUCTIONS = 5000;

/** Regions of a module at most: a hot one and those that it calls. */
const MODULE_SIZE = 16;

/**
 * Limit on the bytes of Wasm in regions; the machine code takes about five times that. When regions
 * or bytes run out, the other is wasted.
 */
export const CODE_BYTES = 0x200_0000;
const KEPT = 0.75;

/**
 * Samples of a place inside an existing region make it hot only when there are this many times
 * more.
 */
const COVERED_FACTOR = 8;

/** Instructions after a sample that are searched for the end of the loop around it. */
const LOOP_REACH = 256;

/** The parts of a generated core that the translator uses (core-module.ts). */
export interface TranslatedCore {
  readonly dispatch: Dispatch;
  readonly library: Callees;
  readonly importedMemory: ImportedMemory;
  /** Modules by what they were made from. */
  readonly regions: RegionStore;
}

export class Translator {
  readonly counters: TranslatorCounters = {
    samples: 0,
    regions: 0,
    modules: 0,
    instructions: 0,
    wasmBytes: 0,
    dropped: 0,
    evicted: 0,
    rewrites: 0,
    returned: 0,
    cached: 0,
    restored: 0,
    milliseconds: 0,
    coldInstructions: 0,
    coldMilliseconds: 0,
  };
  readonly #memory: CodeMemory;
  /** By index of the decoded page. */
  readonly #regions = new Map<number, Set<Region>>();
  /** By the decoded instruction where a region would begin. */
  readonly #heats = new Map<number, Heat>();
  /**
   * How often regions went because their code changed, by the address of the page: its next ones
   * have to be that much hotter.
   */
  readonly #rewritten = new Map<number, number>();
  /**
   * By the address of the decoded instruction where a sample was taken; forgotten now and then, as
   * code changes.
   */
  readonly #places = new Map<number, Place>();
  readonly #free: number[] = [];
  #next = 0;
  /** Samples that were taken, in slices of `Hotness`. */
  #taken = 0;
  /** Samples in regions, less `STRAY` for each of the others. */
  #settled = 0;
  /** All regions, the oldest first, and the bytes of their code. */
  readonly #live = new Set<Region>();
  /** Regions whose code may come back. */
  readonly #changed = new ChangedRegions(
    (region) => this.#release(region),
    (decoded, change) => this.#memory.words[(DECODED_AWAITED >> 2) + decodedPageIndex(decoded)] += change,
  );
  #liveBytes = 0;

  constructor(
    readonly core: TranslatedCore,
    readonly link: Link,
    readonly hotness: Hotness,
    readonly codeBytes: number = CODE_BYTES,
    readonly regions: RegionStore = core.regions,
  ) {
    const { buffer } = link.memory;
    this.#memory = {
      words: new Int32Array(buffer),
      halves: new Uint16Array(buffer),
      instructions: instructionsOf(core.dispatch.instructions),
    };
    this.#memory.words[CPU.LANDING_LIMIT >> 2] = hotness.landings;
  }

  /** The length of the next slice, in slices of `Hotness`. */
  get stretch(): number {
    return this.#settled < SETTLED ? 1 : STRETCH;
  }

  /** The guest waits for the counter: slices are short for a while. */
  waited(): void {
    this.#settled = -WAITED;
  }

  /**
   * Compiles what is hot, by where the interpreter stopped and has landed. Between slices only: no
   * STOP handler is in a decoded page.
   * @param weight length of the last slice, in slices of `Hotness`
   */
  sample(weight: number): void {
    const { words } = this.#memory, low = (address: number) => words[address >> 2];
    this.#taken += weight;
    this.counters.samples++;
    if (low(CPU.LANDING)) {
      this.#countLanding(this.#placeAt(low(CPU.LANDING), CPU.LANDING_PC));
      words[CPU.LANDING >> 2] = 0;
    }
    const ip = ((low(CPU.PC) - low(CPU.PC_DELTA)) << 2) >>> 0, known = this.#places.get(ip);
    if (known && this.#isRegion(known)) return this.#settle();
    const place = this.#placeAt(ip, CPU.PC);
    // Most slices end in the middle of a region, which the interpreter then leads to their end.
    if (place && this.#isCovered(place.code.page, place.at)) this.#settle();
    else if (this.#settled > 0) this.#settled = Math.max(0, this.#settled - STRAY);
    if (place) this.#count(place, known, weight);
  }

  /** A sample was in a region. */
  #settle(): void {
    this.#settled = Math.min(this.#settled + 1, SETTLED_MOST);
  }

  /**
   * An instruction by the address of its decoded form, and by where its virtual address is.
   * Undefined when code has changed there.
   */
  #placeAt(decoded: number, address: number): Instant | undefined {
    const { words } = this.#memory, pc = words[address >> 2] >>> 0;
    const page = decodedPageIndex(decoded);
    if (decoded < DECODED_PAGES.base || page >= DECODED_PAGES.count || !words[(DECODED_OWNERS >> 2) + page]) return undefined;
    const at = (decoded - decodedPageAddress(page)) / DECODED_SIZE;
    if (!Number.isInteger(at) || at >= INSTRUCTIONS_PER_PAGE || (at << 2) !== (pc & 0xfff)) return undefined;
    const code = new CodeView(this.#memory, page, (pc & ~0xfff) >>> 0, words[(address >> 2) + 1]);
    return code.handler(at) >= FIRST_REGION_HANDLER ? undefined : { code, at };
  }

  /** How much hotter a page has to be than others. */
  #patience(page: number): number {
    return 1 + (this.#rewritten.get(this.#memory.words[(DECODED_OWNERS >> 2) + page]) ?? 0);
  }

  #heatAt(decoded: number): Heat {
    let heat = this.#heats.get(decoded);
    if (!heat) {
      if (this.#heats.size >= PLACES_KEPT) {
        this.#heats.clear();
        this.#places.clear();
      }
      this.#heats.set(decoded, heat = { ...COLD });
    }
    return heat;
  }

  /**
   * Whether the time spent at a place pays for a region of this many instructions, if other places
   * have to be hotter by `factor`.
   */
  #pays(heat: Heat, instructions: number, factor: number): boolean {
    return heat.samples >= factor * this.#price(instructions, heat.since);
  }

  /** Samples that a region of this many instructions costs if the first was taken at `since`. */
  #price(instructions: number, since: number): number {
    const { samples, price = 0 } = this.hotness;
    return samples + price * instructions * Math.min(1, (this.#taken - since) / HORIZON);
  }

  /**
   * Begins a region where the interpreter lands, or after what it has to execute there. It ends
   * where others begin.
   */
  #countLanding(place: Instant | undefined): void {
    if (!place?.code.isCurrent) return;
    const { code } = place, page = code.page;
    let { at } = place;
    while (at < INSTRUCTIONS_PER_PAGE && code.isKnown(at) && !code.instructions.translatable(code.word(at))) at++;
    if (at === INSTRUCTIONS_PER_PAGE || !code.isKnown(at) || code.isHead(at)) return;
    const heat = this.#heatAt(code.decodedAt(at));
    if (++heat.landings < this.#patience(page)) return;
    const pays = (instructions: number) => {
      const more = this.hotness.price ? Math.floor(instructions / LANDING_PAYS) : 0;
      return heat.landings >= this.#patience(page) * (1 + more);
    };
    this.#compile(code, at, "gap", pays);
  }

  /** Whether a region begins where one would for a place. */
  #isRegion({ decoded }: Place): boolean {
    return this.#memory.halves[decoded >> 1] >= FIRST_REGION_HANDLER;
  }

  #count({ code, at }: Instant, known: Place | undefined, weight: number): void {
    const place = known ?? this.#newPlace(code, at), { page } = code, { head, isLoop, heat } = place;
    if (this.#isRegion(place)) return;
    if (heat.samples === 0) heat.since = this.#taken;
    heat.samples += weight;
    const patience = this.#patience(page);
    if (!this.#pays(heat, heat.size, patience)) return;
    // The interpreter soon finds its way from inside of a region to one of its loops.
    const factor = !isLoop && this.#isCovered(page, at) ? COVERED_FACTOR * patience : patience;
    if (!this.#pays(heat, heat.size, factor)) return;
    // Each loop inside of another would have all of that once more.
    const extent = isLoop && !this.#isCovered(page, at, true) ? "loop" : "usual";
    this.#compile(code, head, extent, (instructions) => this.#pays(heat, heat.size = instructions, factor));
    // No region can begin there: its price was never asked.
    if (!heat.size) heat.samples = 0;
  }

  #newPlace(code: CodeView, at: number): Place {
    if (this.#places.size >= PLACES_KEPT) this.#places.clear();
    const { head, isLoop } = headFor(code, at), decoded = code.decodedAt(head);
    const place = { head, decoded, isLoop, heat: this.#heatAt(decoded) };
    // Of an instruction that was never executed it is not known yet whether it is in a loop.
    if (code.isKnown(at)) this.#places.set(code.decodedAt(at), place);
    return place;
  }

  /** @param byLoop only regions count that have all of a loop */
  #isCovered(page: number, at: number, byLoop = false): boolean {
    for (const { covers, isLoop } of this.#regions.get(page) ?? []) if ((isLoop || !byLoop) && covers.get(page)!.has(at)) return true;
    return false;
  }

  /** The words of instructions [first, end) of a page change: regions with any of them go. */
  written(index: number, first: number, end: number): void {
    this.counters.rewrites++;
    // The decoded page is released, and its slot gets instructions of another one.
    const goes = end - first === INSTRUCTIONS_PER_PAGE;
    if (goes) this.#changed.forget(index);
    const before = this.#regions.get(index)?.size;
    for (const region of [...this.#regions.get(index) ?? []]) {
      const covered = region.covers.get(index)!;
      let overlaps = false;
      for (let at = first; at < end && !overlaps; at++) overlaps = covered.has(at);
      if (overlaps) this.#drop(region, goes ? undefined : { page: index, first, end });
    }
    if (this.#regions.get(index)?.size === before) return;
    const page = this.#memory.words[(DECODED_OWNERS >> 2) + index], count = this.#rewritten.get(page) ?? 0;
    if (this.#rewritten.size >= PLACES_KEPT) this.#rewritten.clear();
    this.#rewritten.set(page, Math.min(count + 1, MOST_REWRITTEN));
  }

  /**
   * The instruction at an address was decoded anew: a region that had the same there before comes
   * back. In the middle of a run: the STOP handler may be anywhere.
   */
  decoded(ip: number): void {
    const region = this.#changed.find(ip, (region) => this.#isWhole(region));
    if (!region) return;
    const { halves, words } = this.#memory, { head, number, covers } = region;
    this.#changed.remove(region);
    if (halves[head >> 1] === Handler.Stop) words[CPU.STOP_HANDLER >> 2] = FIRST_REGION_HANDLER + number;
    else halves[head >> 1] = FIRST_REGION_HANDLER + number;
    this.#use(region);
    this.counters.restored++;
    // Code that alternates is worth translating.
    for (const page of covers.keys()) this.#rewritten.delete(words[(DECODED_OWNERS >> 2) + page]);
  }

  /** Whether all instructions of a region are what they were, and no other region begins there. */
  #isWhole({ head, headHandler, decoded, words }: Region): boolean {
    const { halves, words: memory } = this.#memory, { fused } = this.core.dispatch;
    const stopped = halves[head >> 1] === Handler.Stop;
    if (stopped && memory[CPU.STOP >> 2] !== head) return false;
    const handler = stopped ? memory[CPU.STOP_HANDLER >> 2] : halves[head >> 1];
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

  /**
   * The region at a hot place, and those that it calls and that are hot as well. None if the region
   * is not worth it.
   */
  #draftRegions(code: CodeView, head: number, extent: Extent, pays: (instructions: number) => boolean): Draft[] {
    const drafts: Draft[] = [], heads = new Set([code.decodedAt(head)]), since = this.#heats.get(code.decodedAt(head))?.since ?? 0;
    const pending = [{ code, head }];
    for (let next = pending.shift(); next && drafts.length < MODULE_SIZE; next = pending.shift()) {
      const { code, head } = next;
      const blocks = discover(code, head, drafts.length ? "usual" : extent);
      if (!blocks.length) continue;
      const instructions = blocks.reduce((sum, block) => sum + block.instructions.length, 0);
      if (drafts.length ? !this.#isWarm(code, blocks, instructions, since) : !pays(instructions)) continue;
      drafts.push({ code, head, blocks });
      for (const { ending } of blocks) {
        if (ending.kind !== "call" || ending.to === undefined) continue;
        const callee = code.around(ending.to), at = ending.to & INSTRUCTIONS_PER_PAGE - 1;
        if (!callee?.isKnown(at) || callee.isHead(at) || heads.has(callee.decodedAt(at))) continue;
        heads.add(callee.decodedAt(at));
        pending.push({ code: callee, head: at });
      }
    }
    return drafts;
  }

  /**
   * Whether a function that a hot region calls is small, or has been seen often enough by itself
   * since the first sample of that region.
   */
  #isWarm(code: CodeView, blocks: readonly Block[], count: number, since: number): boolean {
    if (!this.hotness.price || count <= SMALL_CALLEE) return true;
    const needed = CALLEE_PART * this.#price(count, since);
    let samples = 0;
    for (const { first, instructions } of blocks) {
      for (let at = first; at < first + instructions.length; at++) {
        const heat = this.#heats.get(code.decodedAt(at));
        if (heat && (samples += heat.samples) >= needed) return true;
      }
    }
    return false;
  }

  /** @param pays whether it has been hot enough for this many instructions */
  #compile(code: CodeView, head: number, extent: Extent, pays: (instructions: number) => boolean): void {
    const start = performance.now();
    const drafts = this.#draftRegions(code, head, extent, pays);
    if (!drafts.length) return;
    for (const { code, head } of drafts) {
      const heat = this.#heats.get(code.decodedAt(head));
      if (heat) Object.assign(heat, COLD);
    }
    this.#makeRoom(drafts.length);
    const numbers = drafts.map(() => this.#free.pop() ?? this.#next++);
    const { library, importedMemory } = this.core, parts = partsOf(drafts);
    const generate = () => generateModule(library, importedMemory, parts);
    const { module, origin } = this.regions.find(signatureOf(importedMemory, parts), generate);
    fillIn(module, drafts, numbers);
    const imports = { env: { memory: this.link.memory }, core: this.link.exports as WebAssembly.ModuleImports };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), imports);
    drafts.forEach((draft, i) => {
      const isLoop = i === 0 && extent === "loop";
      this.#install(draft, numbers[i], module.sizes[i], isLoop, exports[regionName(i)], exports[firstName(i)]);
    });
    const milliseconds = performance.now() - start, { counters } = this;
    counters.modules++;
    counters.wasmBytes += module.bytes.length;
    counters.milliseconds += milliseconds;
    if (origin === "memory") counters.returned++;
    else if (origin === "cache") counters.cached++;
    if (counters.instructions > COLD_INSTRUCTIONS) return;
    counters.coldInstructions = counters.instructions;
    counters.coldMilliseconds += milliseconds;
  }

  /** Bytes of Wasm in the regions that exist. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Drops the oldest regions where there is no room for `count` more. */
  #makeRoom(count: number): void {
    if (this.#live.size + MOST_CHANGED + count <= REGION_CAPACITY && this.#liveBytes < this.codeBytes) return;
    const [regions, bytes] = [this.#live.size * KEPT, this.#liveBytes * KEPT];
    for (const region of this.#live) {
      if (this.#live.size <= regions && this.#liveBytes <= bytes) return;
      this.#drop(region);
      this.counters.evicted++;
    }
  }

  #install(
    { code, head, blocks }: Draft,
    number: number,
    bytes: number,
    isLoop: boolean,
    region: WebAssembly.ExportValue,
    first: WebAssembly.ExportValue,
  ): void {
    if (typeof region !== "function" || typeof first !== "function") throw new TypeError("a region is not a function");
    const { halves } = this.#memory;
    const slot = FIRST_REGION_SLOT + 2 * number;
    this.link.table.set(slot, region);
    this.link.table.set(slot + 1, first);
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
    const address = code.decodedAt(head), headHandler = this.core.dispatch.fused.firstOf(halves[address >> 1]);
    this.#use({ number, head: address, headHandler, covers, decoded, words, bytes, isLoop });
    halves[address >> 1] = FIRST_REGION_HANDLER + number;
    this.counters.regions++;
    this.counters.instructions += count;
  }

  /** Counts a region as one that is in use. */
  #use(region: Region): void {
    this.#live.add(region);
    this.#liveBytes += region.bytes;
    for (const page of region.covers.keys()) {
      let list = this.#regions.get(page);
      if (!list) this.#regions.set(page, list = new Set());
      list.add(region);
      this.#memory.words[(DECODED_REGIONS >> 2) + page] = list.size;
    }
  }

  /** @param change of its code, which may come back as it was */
  #drop(region: Region, change?: { readonly page: number; readonly first: number; readonly end: number }): void {
    const { halves, words } = this.#memory;
    const handler = FIRST_REGION_HANDLER + region.number;
    for (const page of region.covers.keys()) {
      const list = this.#regions.get(page)!;
      list.delete(region);
      words[(DECODED_REGIONS >> 2) + page] = list.size;
      if (!list.size) this.#regions.delete(page);
    }
    if (halves[region.head >> 1] === handler) halves[region.head >> 1] = region.headHandler;
    else if (words[CPU.STOP >> 2] === region.head && words[CPU.STOP_HANDLER >> 2] === handler) {
      words[CPU.STOP_HANDLER >> 2] = region.headHandler;
    }
    this.#live.delete(region);
    this.#liveBytes -= region.bytes;
    this.counters.dropped++;
    if (!change) return this.#release(region);
    const at: number[] = [], covered = region.covers.get(change.page)!;
    for (let i = change.first; i < change.end; i++) if (covered.has(i)) at.push(decodedPageAddress(change.page) + i * DECODED_SIZE);
    this.#changed.add(region, at);
  }

  /** Its number is free. */
  #release({ number }: Region): void {
    this.link.table.set(FIRST_REGION_SLOT + 2 * number, null);
    this.link.table.set(FIRST_REGION_SLOT + 2 * number + 1, null);
    this.#free.push(number);
  }
}

/**
 * Where a region for an instruction would begin: the head of the innermost loop, or of straight
 * code.
 */
function headFor(code: CodeView, at: number): Pick<Place, "head" | "isLoop"> {
  let loop = -Infinity;
  const end = at + LOOP_REACH;
  for (let from = code.nextBranchBack(at, end); from < end; from = code.nextBranchBack(from + 1, end)) {
    const { offset } = code.instructions.flowOf(code.word(from));
    if (offset !== undefined && from + offset <= at) loop = Math.max(loop, from + offset);
  }
  const isLoop = loop > at - LOOP_REACH && code.has(loop) && code.isKnown(loop);
  let head = at;
  if (isLoop) head = loop;
  else while (code.has(head - 1) && code.isKnown(head - 1) && !code.instructions.flowOf(code.word(head - 1)).ends) head--;
  return { head, isLoop };
}
