// The translator: finds where the guest spends its time, compiles regions there, several in a Wasm module, and takes them back when their code
// changes. spec/core-jit.md sections 4 and 7.
//
// The record of a region's head has an arm number from `FIRST_REGION_ARM` on, which is all that tells the interpreter of a region. Where time
// is spent is sampled at the ends of slices, which costs the interpreter nothing and depends on instruction counts alone.

import { CPU } from "../cpu-record.ts";
import type { GeneratedCore } from "../core-module.ts";
import { Arm } from "../interpreter/arms.ts";
import { FIRST_REGION_SLOT, TABLE_NAME, TABLE_SIZE } from "../interpreter/interpreter.ts";
import { evaluateNumber, RECORD_SIZE } from "../interpreter/operands.ts";
import { ImportedFunctions, type Link } from "../interpreter/outlined.ts";
import {
  FIRST_REGION_ARM,
  RECORD_OWNERS,
  RECORD_PAGE_SIZE,
  RECORD_PAGES,
  RECORD_REGIONS,
  RECORDS_PER_PAGE,
  REGION_CAPACITY,
} from "../layout.ts";
import { FunctionBuilder, WasmModule } from "../wasm/module.ts";
import { emitHead } from "./head-function.ts";
import { type Block, branchOf, type CodePage, discover, translatable } from "./region.ts";
import { emitRegion } from "./region-function.ts";

/** When regions are compiled. */
export interface Hotness {
  /** Samples of a place that make it hot. */
  readonly samples: number;
  /** Hot places that are compiled together. */
  readonly batch: number;
}

/** What the translator has done so far. */
export interface TranslatorCounters {
  regions: number;
  modules: number;
  instructions: number;
  wasmBytes: number;
  /** Regions that were taken back. */
  dropped: number;
  /** Milliseconds of host time in compilation. */
  milliseconds: number;
}

/** A region that is in use. */
interface Region {
  /** Number of its arm, counted from FIRST_REGION_ARM. */
  readonly number: number;
  /** Address of the head's record, and the arm that it had. */
  readonly head: number;
  readonly headArm: number;
  /** Numbers of its instructions in the page. */
  readonly covers: ReadonlySet<number>;
}

/** Instructions behind a sample in which the end of the loop around it is looked for. */
const LOOP_REACH = 256;

/** The regions of one core. */
export class Translator {
  readonly counters: TranslatorCounters = { regions: 0, modules: 0, instructions: 0, wasmBytes: 0, dropped: 0, milliseconds: 0 };
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  /** By index of the record page. */
  readonly #regions = new Map<number, Region[]>();
  readonly #samples = new Map<number, number>();
  readonly #hot = new Set<number>();
  /** By instruction word. */
  readonly #flows = new Map<number, Flow>();
  readonly #free: number[] = [];
  #next = 0;

  constructor(
    readonly core: GeneratedCore,
    readonly link: Link,
    readonly hotness: Hotness,
  ) {
    this.#words = new Int32Array(link.memory.buffer);
    this.#halves = new Uint16Array(link.memory.buffer);
  }

  /** Takes a sample where the interpreter stopped, and compiles what is hot. Between slices only: no STOP arm is in the records. */
  sample(): void {
    const low = (address: number) => this.#words[address >> 2];
    const record = ((low(CPU.PC) - low(CPU.PC_DELTA)) << 2) >>> 0;
    const index = Math.floor((record - RECORD_PAGES.base) / RECORD_PAGE_SIZE);
    if (record < RECORD_PAGES.base || index >= RECORD_PAGES.count || !this.#words[(RECORD_OWNERS >> 2) + index]) return;
    const page = pageAddress(index);
    const at = (record - page) / RECORD_SIZE;
    if (!Number.isInteger(at) || at >= RECORDS_PER_PAGE || (at << 2 & 0xffc) !== (low(CPU.PC) & 0xffc)) return;
    const head = this.#headFor(index, at);
    if (head === undefined) return;
    const key = page + head * RECORD_SIZE;
    const samples = (this.#samples.get(key) ?? 0) + 1;
    this.#samples.set(key, samples);
    if (samples < this.hotness.samples) return;
    this.#samples.delete(key);
    this.#hot.add(key);
    if (this.#hot.size >= this.hotness.batch) this.#compile();
  }

  /** The words of instructions [first, end) of a page change: regions with any of them go. */
  written(index: number, first: number, end: number): void {
    for (const region of [...this.#regions.get(index) ?? []]) {
      let overlaps = false;
      for (let at = first; at < end && !overlaps; at++) overlaps = region.covers.has(at);
      if (overlaps) this.#drop(index, region);
    }
  }

  /** The instruction of a page that a region for this one would begin with; undefined when it has one. */
  #headFor(index: number, at: number): number | undefined {
    const code = this.#codePage(index), loops = new Set<number>();
    for (let from = at; from < RECORDS_PER_PAGE && from < at + LOOP_REACH && code.isKnown(from); from++) {
      const { offset } = this.#flowOf(code.word(from));
      if (offset !== undefined && from + offset <= at) loops.add(from + offset);
    }
    let head = at;
    while (!loops.has(head) && head > 0 && code.isKnown(head - 1) && !this.#flowOf(code.word(head - 1)).ends) head--;
    return this.#halves[(pageAddress(index) + head * RECORD_SIZE) >> 1] >= FIRST_REGION_ARM ? undefined : head;
  }

  #flowOf(word: number): Flow {
    let flow = this.#flows.get(word);
    if (!flow) this.#flows.set(word, flow = flowOf(word));
    return flow;
  }

  #codePage(index: number): CodePage {
    const host = this.#words[(RECORD_OWNERS >> 2) + index] >>> 0, page = pageAddress(index);
    return {
      word: (at) => this.#words[(host >>> 2) + at],
      isKnown: (at) => {
        const arm = this.#halves[(page + at * RECORD_SIZE) >> 1];
        return arm !== Arm.Decode && arm !== Arm.Breakpoint;
      },
    };
  }

  #compile(): void {
    const start = performance.now();
    const module = new WasmModule().importMemory(this.core.importedMemory).importTable("core", TABLE_NAME, TABLE_SIZE);
    const library = new ImportedFunctions(this.core.library, module);
    const found: { index: number; head: number; blocks: Block[] }[] = [];
    for (const key of this.#hot) {
      const index = Math.floor((key - RECORD_PAGES.base) / RECORD_PAGE_SIZE), page = pageAddress(index);
      if (!this.#words[(RECORD_OWNERS >> 2) + index]) continue;
      const blocks = discover(this.#codePage(index), (key - page) / RECORD_SIZE);
      if (blocks.length) found.push({ index, head: key, blocks });
    }
    this.#hot.clear();
    if (!found.length) return;
    const regions = found.map(({ index, blocks }) => {
      const region = new FunctionBuilder(-1, "region", ["i32"], ["i32"]), head = new FunctionBuilder(-1, "head", ["i32"], []);
      emitRegion(region, library, pageAddress(index), blocks);
      emitHead(head, library, blocks[0].instructions[0]);
      return { region, head };
    });
    // Imports precede functions: only now is known what the code calls.
    regions.forEach(({ region, head }, i) => {
      module.place(region, `region${i}`);
      module.place(head, `head${i}`);
    });
    const bytes = module.encode();
    const imports = { env: { memory: this.link.memory }, core: this.link.exports as WebAssembly.ModuleImports };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
    found.forEach(({ index, head, blocks }, i) => this.#install(index, head, blocks, exports[`region${i}`], exports[`head${i}`]));
    this.counters.modules++;
    this.counters.wasmBytes += bytes.length;
    this.counters.milliseconds += performance.now() - start;
  }

  #install(index: number, head: number, blocks: readonly Block[], region: WebAssembly.ExportValue, first: WebAssembly.ExportValue): void {
    if (typeof region !== "function" || typeof first !== "function") throw new TypeError("a region is no function");
    const number = this.#free.pop() ?? (this.#next < REGION_CAPACITY ? this.#next++ : undefined);
    if (number === undefined) return;
    const slot = FIRST_REGION_SLOT + 2 * number;
    this.link.table.set(slot, region);
    this.link.table.set(slot + 1, first);
    const covers = new Set(blocks.flatMap((block) => block.instructions.map((_, i) => block.first + i)));
    const headArm = this.core.dispatch.fused.firstOf(this.#halves[head >> 1]);
    let list = this.#regions.get(index);
    if (!list) this.#regions.set(index, list = []);
    list.push({ number, head, headArm, covers });
    this.#words[(RECORD_REGIONS >> 2) + index] = list.length;
    this.#halves[head >> 1] = FIRST_REGION_ARM + number;
    this.counters.regions++;
    this.counters.instructions += covers.size;
  }

  #drop(index: number, region: Region): void {
    const arm = FIRST_REGION_ARM + region.number, list = this.#regions.get(index)!;
    list.splice(list.indexOf(region), 1);
    this.#words[(RECORD_REGIONS >> 2) + index] = list.length;
    if (!list.length) this.#regions.delete(index);
    if (this.#halves[region.head >> 1] === arm) this.#halves[region.head >> 1] = region.headArm;
    else if (this.#words[CPU.STOP >> 2] === region.head && this.#words[CPU.STOP_ARM >> 2] === arm) {
      this.#words[CPU.STOP_ARM >> 2] = region.headArm;
    }
    this.link.table.set(FIRST_REGION_SLOT + 2 * region.number, null);
    this.link.table.set(FIRST_REGION_SLOT + 2 * region.number + 1, null);
    this.#free.push(region.number);
    this.counters.dropped++;
  }
}

const pageAddress = (index: number) => RECORD_PAGES.base + index * RECORD_PAGE_SIZE;

/** What an instruction means for the flow of control. */
interface Flow {
  /** Where a direct branch leads, in instructions. */
  readonly offset?: number;
  /** What follows is reached from elsewhere, or by way of the interpreter. */
  readonly ends: boolean;
}

function flowOf(word: number): Flow {
  const instruction = translatable(word);
  const branch = instruction && branchOf(instruction);
  if (!branch) return { ends: !instruction };
  if (branch.kind === "branchTo") return { ends: true };
  return { ends: !branch.condition, offset: evaluateNumber(branch.offset)(0) / 4 };
}
