// The translator: finds where the guest spends its time, compiles regions there, several in a Wasm
// module, and takes them back when their code changes. docs/design/core.md §T4 and §T7.
//
// Where time is spent is sampled at the ends of slices, which costs the interpreter nothing and
// depends on instruction counts alone.

import { decodedPageIndex } from "../decoded/decoded-pages.ts";
import { DECODED_SIZE } from "../decoded/operands.ts";
import type { Dispatch } from "../decoded/variants.ts";
import type { Link } from "../interpreter/outlined.ts";
import { type CpuFields, cpuFields } from "../state/cpu-fields.ts";
import { CPU } from "../state/cpu-state.ts";
import { DECODED_OWNERS, DECODED_PAGES, FIRST_REGION_HANDLER, INSTRUCTIONS_PER_PAGE } from "../state/layout.ts";
import type { Callees } from "../wasm/library.ts";
import type { ImportedMemory } from "../wasm/module.ts";
import { type CodeMemory, CodeView, decodedPageAddress } from "./code/code-view.ts";
import type { TranslatorCounters } from "./counters.ts";
import { Heats, type Hotness, type RegionPlace } from "./heat.ts";
import { instructionsOf } from "./code/instruction.ts";
import type { Compiler } from "./compiler/compiler.ts";
import { type CodeSignature, type RegionPart, signatureOf } from "./emission/code-signature.ts";
import {
  type Draft,
  fillIn,
  firstName,
  generateModule,
  partPlaces,
  partsOf,
  type RegionModule,
  regionName,
} from "./emission/region-module.ts";
import { CODE_BYTES, RegionSet } from "./region-set.ts";
import type { RegionStore } from "./region-store.ts";
import { discover, type Extent } from "./regions/region.ts";
import { SliceLength } from "./slice-length.ts";

/** An instruction in execution, as its page sees it. */
interface Instant {
  readonly code: CodeView;
  readonly at: number;
}

/** Regions of a module that is to be made. */
interface DraftModule {
  readonly drafts: readonly Draft[];
  readonly parts: readonly RegionPart[];
  readonly signature: CodeSignature;
  /** Numbers of the regions. */
  readonly numbers: readonly number[];
  /** The first has all of a loop. */
  readonly isLoop: boolean;
}

/** A module that another thread made, or did not make. */
interface MadeModule {
  readonly wanted: DraftModule;
  readonly module: RegionModule | undefined;
}

/** Instructions of a region for which the interpreter must have landed there once more. */
const LANDING_PAYS = 100;

/** Instructions of regions until the compiler is warm. */
const COLD_INSTRUCTIONS = 5000;

/** Regions of a module at most: a hot one and those that it calls. */
const MODULE_SIZE = 16;

/**
 * Samples of a place inside an existing region make it hot only when there are this many times
 * more.
 */
const COVERED_FACTOR = 8;

/** The parts of a generated core that the translator uses (core-module.ts). */
interface TranslatedCore {
  readonly dispatch: Dispatch;
  readonly library: Callees;
  readonly importedMemory: ImportedMemory;
  /** Modules by what they were made from. */
  readonly regions: RegionStore;
  /** Makes modules beside the guest's thread, where that has one. */
  readonly compiler: Compiler | undefined;
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
    elsewhere: 0,
    late: 0,
    restored: 0,
    searched: 0,
    milliseconds: 0,
    discoveryMilliseconds: 0,
    emissionMilliseconds: 0,
    modulesMilliseconds: 0,
    coldInstructions: 0,
    coldMilliseconds: 0,
  };
  readonly slices = new SliceLength();
  readonly #memory: CodeMemory;
  readonly #cpu: CpuFields;
  readonly #heats: Heats;
  readonly #set: RegionSet;
  /** Heads of regions that are made elsewhere, by address; what was made, and is not in use yet. */
  readonly #awaited = new Set<number>();
  readonly #made: MadeModule[] = [];

  constructor(
    readonly core: TranslatedCore,
    readonly link: Link,
    readonly hotness: Hotness,
    codeBytes: number = CODE_BYTES,
    readonly regions: RegionStore = core.regions,
    readonly compiler: Compiler | undefined = core.compiler,
  ) {
    const { memory, memory: { buffer } } = link, { dispatch } = core;
    this.#memory = { words: new Int32Array(buffer), halves: new Uint16Array(buffer), instructions: instructionsOf(dispatch.instructions) };
    this.#cpu = cpuFields(memory);
    this.#heats = new Heats(this.#memory, hotness);
    this.#set = new RegionSet({ memory: this.#memory, cpu: this.#cpu, link, dispatch, counters: this.counters }, codeBytes);
  }

  /** A core with a CPU state of its own begins. */
  begin(): void {
    this.#cpu.LANDING_LIMIT = this.hotness.landings;
  }

  /** Bytes of Wasm in the regions that exist. */
  get liveBytes(): number {
    return this.#set.bytes;
  }

  /**
   * Compiles what is hot, by where the interpreter stopped and has landed. Between slices only: no
   * STOP handler is in a decoded page.
   * @param weight length of the last slice, in slices of `Hotness`
   */
  sample(weight: number): void {
    const cpu = this.#cpu;
    this.#heats.taken += weight;
    this.counters.samples++;
    if (this.compiler) this.#takeMade(this.compiler);
    if (cpu.LANDING) {
      this.#countLanding(this.#placeAt(cpu.LANDING, CPU.LANDING_PC));
      cpu.LANDING = 0;
    }
    const ip = ((cpu.PC - cpu.PC_DELTA) << 2) >>> 0, known = this.#heats.known(ip);
    if (known && this.#isRegion(known)) return this.slices.count(true);
    const place = this.#placeAt(ip, CPU.PC);
    // Most slices end in the middle of a region, which the interpreter then leads to their end.
    this.slices.count(place !== undefined && this.#set.covers(place.code.page, place.at));
    if (place) this.#count(place, known, weight);
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
    const heat = this.#heats.at(code.decodedAt(at));
    if (++heat.landings < this.#heats.patience(page)) return;
    const pays = (instructions: number) => {
      const more = this.hotness.price ? Math.floor(instructions / LANDING_PAYS) : 0;
      return heat.landings >= this.#heats.patience(page) * (1 + more);
    };
    this.#compile(code, at, "gap", pays);
  }

  /** Whether a region begins where one would for a place. */
  #isRegion({ decoded }: RegionPlace): boolean {
    return this.#memory.halves[decoded >> 1] >= FIRST_REGION_HANDLER;
  }

  #count({ code, at }: Instant, known: RegionPlace | undefined, weight: number): void {
    const place = known ?? this.#heats.place(code, at), { page } = code, { head, isLoop, heat } = place;
    if (this.#isRegion(place)) return;
    if (heat.samples === 0) heat.since = this.#heats.taken;
    heat.samples += weight;
    const patience = this.#heats.patience(page);
    if (!this.#heats.pays(heat, heat.size, patience)) return;
    // The interpreter soon finds its way from inside of a region to one of its loops.
    const factor = !isLoop && this.#set.covers(page, at) ? COVERED_FACTOR * patience : patience;
    if (!this.#heats.pays(heat, heat.size, factor)) return;
    // Each loop inside of another would have all of that once more.
    const extent = isLoop && !this.#set.covers(page, at, true) ? "loop" : "usual";
    this.#compile(code, head, extent, (instructions) => this.#heats.pays(heat, heat.size = instructions, factor));
    // No region can begin there: its price was never asked.
    if (!heat.size) heat.samples = 0;
  }

  /** The words of instructions [first, end) of a page change: regions with any of them go. */
  written(page: number, first: number, end: number): void {
    this.counters.rewrites++;
    if (this.#set.written({ page, first, end })) this.#heats.rewritten(page);
  }

  /**
   * The instruction at an address was decoded anew: a region that had the same there before comes
   * back. In the middle of a run: the STOP handler may be anywhere.
   */
  decoded(ip: number): void {
    const region = this.#set.restore(ip);
    if (region) this.#heats.restored(region.covers.keys());
  }

  /**
   * The region at a hot place, and those that it calls and that are hot as well. None if the region
   * is not worth it.
   */
  #draftRegions(code: CodeView, head: number, extent: Extent, pays: (instructions: number) => boolean): Draft[] {
    const drafts: Draft[] = [], heads = new Set([code.decodedAt(head)]), since = this.#heats.since(code.decodedAt(head));
    const pending = [{ code, head }];
    for (let next = pending.shift(); next && drafts.length < MODULE_SIZE; next = pending.shift()) {
      const { code, head } = next;
      const blocks = discover(code, head, drafts.length ? "usual" : extent);
      if (!blocks.length) continue;
      const instructions = blocks.reduce((sum, block) => sum + block.instructions.length, 0);
      if (drafts.length ? !this.#heats.isWarm(code, blocks, instructions, since) : !pays(instructions)) continue;
      drafts.push({ code, head, blocks });
      for (const { ending } of blocks) {
        if (ending.kind !== "call" || ending.to === undefined) continue;
        const callee = code.around(ending.to), at = ending.to & INSTRUCTIONS_PER_PAGE - 1;
        if (!callee?.isKnown(at) || callee.isHead(at) || heads.has(callee.decodedAt(at)) || this.#awaited.has(callee.decodedAt(at))) {
          continue;
        }
        heads.add(callee.decodedAt(at));
        pending.push({ code: callee, head: at });
      }
    }
    return drafts;
  }

  /** @param pays whether it has been hot enough for this many instructions */
  #compile(code: CodeView, head: number, extent: Extent, pays: (instructions: number) => boolean): void {
    if (this.#awaited.has(code.decodedAt(head))) return;
    const { counters } = this, started = performance.now();
    const drafts = this.#draftRegions(code, head, extent, pays), found = performance.now();
    counters.discoveryMilliseconds += found - started;
    if (!drafts.length) {
      counters.searched++;
      counters.milliseconds += found - started;
      return;
    }
    for (const { code, head } of drafts) {
      const at = code.decodedAt(head);
      this.#heats.cool(at);
      this.#heats.made(at);
    }
    const went = this.#set.makeRoom(this.#awaited.size + drafts.length);
    if (went.length) this.#heats.roomMade(went);
    const numbers = this.#set.takeNumbers(drafts.length), parts = partsOf(drafts);
    const wanted = { drafts, parts, signature: signatureOf(this.core.importedMemory, parts), numbers, isLoop: extent === "loop" };
    const known = this.regions.find(wanted.signature);
    if (known) {
      if (known.origin === "memory") counters.returned++;
      else counters.cached++;
      fillIn(known.module, partPlaces(drafts, parts, numbers));
      this.#install(wanted, known.module, started, found);
    } else if (this.#request(wanted)) {
      const asked = performance.now();
      counters.emissionMilliseconds += asked - found;
      counters.milliseconds += asked - started;
    } else this.#install(wanted, this.#generate(wanted), started, found);
  }

  #generate({ drafts, parts, signature, numbers }: DraftModule): RegionModule {
    const { library, importedMemory } = this.core, module = generateModule(library, importedMemory, parts);
    this.regions.keep(signature, module);
    fillIn(module, partPlaces(drafts, parts, numbers));
    return module;
  }

  /** Whether another thread makes the module. */
  #request(wanted: DraftModule): boolean {
    const { compiler } = this;
    if (!compiler) return false;
    const { drafts, parts, signature, numbers } = wanted, places = partPlaces(drafts, parts, numbers);
    const instructions = drafts.reduce((sum, { blocks }) => blocks.reduce((sum, block) => sum + block.instructions.length, sum), 0);
    // Another core's translator may hear of it.
    const isTaken = compiler.request({ signature, places, instructions, made: (module) => void this.#made.push({ wanted, module }) });
    if (isTaken) { for (const { head } of places) this.#awaited.add(head); }
    return isTaken;
  }

  /** Puts into use what another thread has made. */
  #takeMade(compiler: Compiler): void {
    compiler.poll();
    for (const { wanted, module } of this.#made.splice(0)) {
      const { counters } = this, started = performance.now();
      for (const { code, head } of wanted.drafts) this.#awaited.delete(code.decodedAt(head));
      if (!wanted.drafts.every(isCurrent)) {
        counters.late++;
        this.#set.returnNumbers(wanted.numbers);
        counters.milliseconds += performance.now() - started;
        continue;
      }
      if (module) {
        counters.elsewhere++;
        this.regions.keep(wanted.signature, module);
      }
      this.#install(wanted, module ?? this.#generate(wanted), started, started);
    }
  }

  /**
   * Puts the regions of a module into use.
   * @param started when work on it began, and when its instructions were found (ms)
   */
  #install({ drafts, numbers, isLoop }: DraftModule, module: RegionModule, started: number, found: number): void {
    const { counters } = this, emitted = performance.now();
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), this.link.imports), ready = performance.now();
    drafts.forEach((draft, i) => {
      const functions = { region: exports[regionName(i)], first: exports[firstName(i)], bytes: module.sizes[i] };
      this.#set.install(draft, numbers[i], functions, i === 0 && isLoop);
    });
    const milliseconds = performance.now() - started;
    counters.modules++;
    counters.wasmBytes += module.bytes.length;
    counters.milliseconds += milliseconds;
    counters.emissionMilliseconds += emitted - found;
    counters.modulesMilliseconds += ready - emitted;
    if (counters.instructions > COLD_INSTRUCTIONS) return;
    counters.coldInstructions = counters.instructions;
    counters.coldMilliseconds += milliseconds;
  }
}

/** Whether a region may begin at a draft's head still, and its instructions are what they were. */
function isCurrent({ code, head, blocks }: Draft): boolean {
  if (code.isHead(head)) return false;
  for (const { first, instructions } of blocks) {
    for (let i = 0; i < instructions.length; i++) {
      if (!code.isKnown(first + i) || code.word(first + i) !== instructions[i].word) return false;
    }
  }
  return true;
}
