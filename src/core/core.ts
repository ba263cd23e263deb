// The AArch64 core over a machine's memory: `Core` of interface.ts. It moves vCPUs in and out of
// the CPU state, runs them in slices, and shapes what comes out as exceptions to EL2.
// docs/design/decisions.md §9.

import { type Cpu, DEFAULT_CPU, parseCpu } from "../isa/cpus.ts";
import { disassemble } from "../isa/disassemble.ts";
import { type Identification, identificationOf } from "../isa/identification.ts";
import { AbortSyndrome, ExceptionClass, exceptionClass, Mdscr, Pstate } from "./architecture/exceptions.ts";
import { loadStoreSyndrome } from "./architecture/load-store-syndrome.ts";
import { type CoreExports, coreFor, instantiateCore } from "./core-module.ts";
import { Breakpoints } from "./debug/breakpoints.ts";
import {
  ArmedDebug,
  breakpointSyndrome,
  debugEnabled,
  type GuestWatchHit,
  isLoadExclusive,
  stepSyndrome,
  watchpointSyndrome,
} from "./debug/self-hosted-debug.ts";
import { Watch, type WatchHit, type WatchKind, Watchpoints } from "./debug/watchpoints.ts";
import { decodedPageIndex, DecodedPages } from "./decoded/decoded-pages.ts";
import { DECODED_SIZE } from "./decoded/operands.ts";
import type { Dispatch } from "./decoded/variants.ts";
import {
  type CachedPage,
  type DebugCore,
  type Exit,
  type ExitHandler,
  ExitReason,
  type Translation,
  type VcpuProgress,
  type VcpuState,
} from "./interface.ts";
import { RepeatedExits } from "./exceptions/repeated-exits.ts";
import { exitCountOf, namedExitCounts, newExitCounts } from "./exceptions/exit-counts.ts";
import { writeCrcTables } from "./interpreter/integer-functions.ts";
import { AccessKind, Fault, type RamLayout } from "./memory/mmu.ts";
import { Stage2Pool } from "./memory/stage2.ts";
import { TlbPool } from "./memory/tlb-pool.ts";
import { completeRead, storeValue, VcpuContext } from "./registers/vcpu-context.ts";
import { writeAesTables, writeSm4Table } from "./simd/crypto.ts";
import { CPU, CPU_STATE, Pending } from "./state/cpu-state.ts";
import { Access } from "./state/functions.ts";
import { CONTEXT_STRIDE, CONTEXTS, CORE_SIZE, STAGE2_TABLES, TLB_POOL, WRITTEN_PAGES } from "./state/layout.ts";
import { hasPageBit, setPageBits } from "./state/page-bits.ts";
import { TlbSpace } from "./state/tlb-layout.ts";
import type { Tier } from "./tiers.ts";
import type { TranslatorCounters } from "./translator/counters.ts";
import { CounterWaits } from "./waits/counter-waits.ts";
import type { RegionStore } from "./translator/region-store.ts";
import { instructionsOf } from "./translator/instruction.ts";
import { type Hotness, Translator } from "./translator/translator.ts";

/**
 * Instructions in one call of the Wasm function. V8 replaces running code by optimized code only
 * when it is entered again, so that the first seconds want short slices.
 */
const SLICE = 100_000;

/** Bits of MDSCR_EL1 with which the guest debugs itself. */
const DEBUGGED = Mdscr.MDE | Mdscr.SS;

/**
 * Limit on the distinct UNDEFINED instruction words that are reported, since a guest can execute
 * any number of them.
 */
const UNDEFINED_WORDS = 4096;

/**
 * An instruction that took an UNDEFINED exception: the core does not have it, or not at that
 * exception level.
 */
export interface UndefinedInstruction {
  readonly word: number;
  /** Assembly text: mnemonic, a tab, operands. */
  readonly text: string;
  /** Virtual and physical address. */
  readonly pc: bigint;
  readonly pa: number;
}

/**
 * Bytes of a stage-2 change beyond which all translations go, instead of those to what was mapped
 * there.
 */
const EXACT_INVALIDATION = 0x100_0000;

export interface CoreOptions {
  /** The CPU; `DEFAULT_CPU` by default. */
  readonly cpu?: Cpu;
  /**
   * Called once for each word that is UNDEFINED where it is executed, for the first
   * `UNDEFINED_WORDS` of them.
   */
  readonly onUndefined?: (instruction: UndefinedInstruction) => void;
  /** Pages of decoded instructions to keep; by default as many as fit. Tests set fewer. */
  readonly decodedPages?: number;
  /**
   * The tier: the interpreter alone, which is the default, or regions of the translator as
   * well (`auto`; `jit` translates sooner).
   */
  readonly tier?: Tier;
  /** Limit on the bytes of Wasm in regions. */
  readonly codeBytes?: number;
  /** For tests: compiled regions; by default those of all cores like this one. */
  readonly regions?: RegionStore;
  /**
   * Whether instructions of loops that only wait for the counter are counted without executing
   * them. True by default.
   */
  readonly sparesWaits?: boolean;
  /** For tests: when regions are compiled, and after how many instructions the translator looks. */
  readonly hotness?: Hotness & { readonly slice: number };
}

/** When regions are compiled; a sample stands for `slice` instructions. */
const HOTNESS: Record<Exclude<Tier, "interp">, Hotness & { readonly slice: number }> = {
  jit: { samples: 1, landings: 16, slice: 20_000 },
  auto: { samples: 12, price: 0.4, landings: 2000, slice: 20_000 },
};

/**
 * The latest exit. Its getter is a class's and its numbers are doubles from the start: V8 turns an
 * object that has a getter itself, and fields that change from integers to doubles, into a hash
 * table.
 */
class LatestExit implements Exit {
  reason: ExitReason = ExitReason.Budget;
  retired = 0;
  esr = NaN;
  ipa = NaN;
  pa = NaN;
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
    this.esr = this.ipa = this.pa = 0;
  }

  /** A bigint, which most handlers do not want: it is read when asked for. */
  get far(): bigint {
    return this.#view.getBigUint64(CPU.EXIT_FAR, true);
  }
}

/** The core. It owns the first `CORE_SIZE` bytes of the memory. */
export class WasmCore implements DebugCore {
  readonly memory: WebAssembly.Memory;
  readonly ram: RamLayout;
  /** Handlers of the interpreter and how the decoder uses them, for tests. */
  readonly dispatch: Dispatch;
  readonly identification: Identification;
  /** The pool of stage-2 tables for address spaces. */
  readonly stage2Pool: Stage2Pool;
  readonly #exports: CoreExports;
  readonly #decoded: DecodedPages;
  readonly #translator: Translator | undefined;
  readonly #slice: number;
  readonly #tlbs: TlbPool;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #view: DataView;
  readonly #freeContexts: number[] = [];
  readonly #undefinedWords = new Set<number>();
  readonly #onUndefined: CoreOptions["onUndefined"];
  readonly #breakpoints = new Breakpoints();
  readonly #watchpoints = new Watchpoints();
  /** vCPUs whose guest has watchpoints armed, and the access that one of them stops. */
  #watchers = 0;
  #guestHit: GuestWatchHit | undefined;
  /** Whether breakpoints and watchpoints stop the run in progress. */
  #stops = true;
  #resident: VcpuContext | undefined;
  /** The handler of exits of the run in progress. */
  #el2: ExitHandler | undefined;
  /**
   * The last load or store that exited, and its part of the syndrome. A guest that polls a device
   * exits at the same instruction again and again.
   */
  #accessWord = 0;
  #accessSyndrome = loadStoreSyndrome(0);
  /**
   * Where the budget began that the run in progress has, in virtual time (ns); the budget; and what
   * is left of it after the slice.
   */
  #begun = NaN;
  #budget = 0;
  #behind = 0;
  readonly #exit: Exit;
  readonly #exitCounts = newExitCounts();
  readonly #repeats: RepeatedExits;
  readonly #waits: CounterWaits | undefined;

  /** @param ram where guest RAM lies; it must be above `CORE_SIZE` in the memory. */
  constructor(memory: WebAssembly.Memory, ram: RamLayout, options: CoreOptions = {}) {
    this.memory = memory;
    this.ram = ram;
    if (ram.wasmAddress < CORE_SIZE) throw new RangeError("guest RAM overlaps the core's own memory");
    const cpu = options.cpu ?? parseCpu(DEFAULT_CPU), core = coreFor(ram, memory.buffer.byteLength, cpu);
    this.identification = identificationOf(cpu.features);
    this.dispatch = core.dispatch;
    this.#onUndefined = options.onUndefined;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#repeats = new RepeatedExits(this.#words, this.#doubles);
    this.#view = new DataView(memory.buffer);
    this.#exit = new LatestExit(this.#view);
    const { functions, link, outlined } = instantiateCore(core, memory, {
      fillDecoded: (ip) => this.#decoded.fill(ip),
      awaited: (ip) => this.#translator?.decoded(ip),
      allocateDecoded: (wasmAddress) => this.#decoded.allocate(wasmAddress >>> 0),
      releaseDecoded: (page) => this.#decoded.release(page),
      regionsWritten: (page, first, end) => this.#translator?.written(decodedPageIndex(page), first, end),
      undefinedInstruction: (pc, word) => this.#undefinedInstruction(BigInt.asUintN(64, pc), word >>> 0),
      watched: (va, access) => this.#watched(va, access),
      pageEntered: (va, wasmAddress) => this.#pageEntered(BigInt.asUintN(64, va), wasmAddress >>> 0),
      exited: (left) => this.#exited(left),
    });
    this.#exports = functions;
    const { tier = "interp" } = options;
    if (tier === "interp") this.#slice = SLICE;
    else {
      const hotness = options.hotness ?? HOTNESS[tier];
      this.#slice = hotness.slice;
      this.#translator = new Translator(core, link, hotness, options.codeBytes, options.regions);
    }
    if (options.sparesWaits ?? true) {
      const instructions = instructionsOf(core.dispatch.instructions);
      this.#waits = new CounterWaits({ words: this.#words, halves: new Uint16Array(memory.buffer), instructions });
    }
    this.#decoded = new DecodedPages(memory, core.dispatch, {
      forgetDecodedPage: (page) => this.#exports.tlbForgetDecoded(page),
      regionsWritten: (index, first, end) => this.#translator?.written(index, first, end),
      provideOutlined: (index) => outlined.provide(index),
    }, options.decodedPages);
    writeCrcTables(memory);
    writeAesTables(memory);
    if (cpu.features.has("FEAT_SM4")) writeSm4Table(memory);
    this.stage2Pool = new Stage2Pool(memory, STAGE2_TABLES.base, STAGE2_TABLES.size);
    this.#tlbs = new TlbPool(memory, TLB_POOL, (space) => this.#exports.tlbFlushSpace(space));
    for (let i = CONTEXTS.count - 1; i >= 0; i--) this.#freeContexts.push(CONTEXTS.base + i * CONTEXT_STRIDE);
  }

  /** Throws a RangeError when there are more vCPUs than contexts (more than a thousand). */
  createVcpu(): VcpuContext {
    const address = this.#freeContexts.pop();
    if (address === undefined) throw new RangeError("no context is left for another vCPU");
    return new VcpuContext(this.memory, address, (id) => this.stage2Pool.root(id));
  }

  /** Its context and its TLB space are free afterwards. */
  releaseVcpu(vcpu: VcpuState): void {
    const context = this.#own(vcpu);
    if (context === this.#resident) this.#evict();
    if (context.armed) this.#disarm(context, context.armed);
    this.#tlbs.release(context);
    this.#freeContexts.push(context.address);
  }

  get sparedInstructions(): number {
    return this.#waits?.spared ?? 0;
  }

  get exitCounters(): Readonly<Record<string, number>> {
    return namedExitCounts(this.#exitCounts);
  }

  /** Bytes of Wasm in regions, and regions that made room for others. */
  codeUse(): { readonly bytes: number; readonly evicted: number } {
    return { bytes: this.#translator?.liveBytes ?? 0, evicted: this.#translator?.counters.evicted ?? 0 };
  }

  /** Counters of the translator; undefined without a translator. */
  get translatorCounters(): Readonly<TranslatorCounters> | undefined {
    return this.#translator?.counters;
  }

  run(vcpu: VcpuState, now: number, budget: number, floor: number, el2?: ExitHandler): Exit {
    return this.#run(vcpu, now, budget, floor, el2, true);
  }

  step(vcpu: VcpuState, now: number, floor: number): Exit {
    return this.#run(vcpu, now, 1, floor, undefined, false);
  }

  insertBreakpoint(stage2: number, address: bigint): void {
    if (this.#breakpoints.insert(stage2, address)) this.#watchAgain();
  }

  removeBreakpoint(stage2: number, address: bigint): void {
    this.#breakpoints.remove(stage2, address);
  }

  insertWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.#watchpoints.insert(stage2, address, length, kind);
    this.#watchData();
    this.#exports.tlbFlushAll();
  }

  removeWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.#watchpoints.remove(stage2, address, length, kind);
    this.#watchData();
  }

  get watchHit(): WatchHit | undefined {
    return this.#watchpoints.hit;
  }

  #run(vcpu: VcpuState, now: number, budget: number, floor: number, el2: ExitHandler | undefined, stops: boolean): Exit {
    this.#stops = stops;
    const context = this.#own(vcpu);
    this.#enter(context);
    const words = this.#words, exit = this.#exit;
    const mdscr = words[CPU.MDSCR_EL1 >> 2];
    if (mdscr & Mdscr.MDE || context.armed) this.#arm(context, mdscr);
    this.#doubles[CPU.TIME_FLOOR >> 3] = floor;
    words[CPU.PENDING >> 2] = Pending.None;
    // A debugger sees every exit.
    this.#el2 = el2;
    words[CPU.EL2_CALLED >> 2] = el2 && !(mdscr & DEBUGGED) ? 1 : 0;
    this.#repeats.stop();
    this.#begun = now;
    this.#budget = budget;
    let left = budget;
    const waits = mdscr & DEBUGGED ? undefined : this.#waits;
    do {
      if (waits?.hasLoops) left -= waits.spare(this.#begun + (this.#budget - left), floor, left);
      const before = left;
      const stepping = (mdscr & Mdscr.SS) !== 0 && this.#beginStep(context, mdscr);
      // A slice that only leads to the start of a skippable turn says nothing about hot code.
      const leads = waits !== undefined && waits.leads;
      const most = leads ? waits.takeSlice() : this.#slice * (this.#translator?.stretch ?? 1);
      const slice = mdscr & Mdscr.SS ? 1 : Math.min(left, most);
      // A stepped instruction is not where time is spent, and an exception from here leaves no
      // instruction in progress.
      let samples = !(mdscr & Mdscr.SS);
      this.#beginSlice(left, slice);
      const rest = this.#exports.run(slice);
      this.#takeRepeats();
      left = rest + this.#behind;
      exit.reason = words[CPU.EXIT_REASON >> 2] as ExitReason;
      if (exit.reason === ExitReason.Breakpoint && !(stops && this.#breakpoints.has(vcpu.stage2, vcpu.pc))) {
        if (this.#guestBreaks(context, mdscr)) {
          exit.reason = ExitReason.Budget;
          samples = false;
        } else {
          this.#beginSlice(left, 1);
          left -= this.#passMark(vcpu, stops);
          exit.reason = words[CPU.EXIT_REASON >> 2] as ExitReason;
        }
      }
      if (exit.reason === ExitReason.Watchpoint && this.#guestHit) {
        // As an abort: the instruction counts.
        const { address, write } = this.#guestHit;
        this.takeException(context, watchpointSyndrome(words[CPU.PSTATE >> 2], write), address);
        exit.reason = ExitReason.Budget;
        samples = false;
      }
      if (stepping) this.#endStep(context, exit.reason);
      if (samples && exit.reason === ExitReason.Budget) {
        if (!leads) this.#translator?.sample(Math.max(1, Math.round(slice / this.#slice)));
        if (leads || waits?.wereRead) {
          if (waits!.look(before - left, this.#begun + (this.#budget - left), leads)) this.#translator?.waited();
        }
      }
    } while (left > 0 && exit.reason === ExitReason.Budget);
    // Unlike what an abort stops, the instruction will be executed again, and counted then.
    if (exit.reason === ExitReason.Watchpoint) left++;
    exit.retired = this.#budget - left;
    if (this.#budget === 0) exit.reason = ExitReason.Budget;
    else if (exit.reason === ExitReason.Trap || exit.reason === ExitReason.Bus) this.#readSyndrome();
    return exit;
  }

  /** Time passes with the instructions of a slice up to its end. */
  #beginSlice(left: number, slice: number): void {
    this.#behind = left - slice;
    this.#doubles[CPU.RUN_END >> 3] = this.#begun + (this.#budget - this.#behind);
  }

  /** Exits were answered without EL2, which learns of it before anything else. */
  #takeRepeats(): void {
    const repeats = this.#repeats, { count } = repeats;
    if (count === 0) return;
    const { retired, budget } = repeats;
    this.#begun = repeats.now;
    this.#budget = budget;
    this.#behind = budget - repeats.slice;
    repeats.restart();
    this.#exitCounts[exitCountOf(ExitReason.Trap, exceptionClass(this.#exit.esr))] += count;
    this.#el2!.repeated(count, retired);
  }

  /** An exit in the middle of a run, where EL2 is called: the slice that follows, or 0. */
  #exited(left: number): number {
    const exit = this.#exit, words = this.#words, el2 = this.#el2, context = this.#resident;
    if (!el2 || !context) throw new Error("an exit outside of a run");
    this.#takeRepeats();
    exit.reason = words[CPU.EXIT_REASON >> 2] as ExitReason;
    exit.retired = this.#budget - (this.#behind + left);
    this.#readSyndrome();
    this.#repeats.note();
    const budget = el2.handle(exit);
    if (budget > 0) {
      // A handler may have translated an address for another vCPU.
      this.#enter(context);
      if (!(words[CPU.MDSCR_EL1 >> 2] & DEBUGGED)) {
        words[CPU.PENDING >> 2] = Pending.None;
        this.#begun = el2.now;
        this.#budget = budget;
        // The slice continues: code that exits is sampled as often as other code.
        const rest = this.#doubles[CPU.RUN_END >> 3] - this.#begun;
        const slice = Math.min(budget, rest > 0 ? Math.ceil(rest) : this.#slice);
        this.#beginSlice(budget, slice);
        this.#repeats.handled(el2, budget, loadedRegister(exit), this.#slice);
        return slice;
      }
    }
    this.#budget = 0;
    this.#behind = 0;
    return 0;
  }

  completeRead(vcpu: VcpuState, esr: number, value: bigint): void {
    completeRead(vcpu, esr, value);
  }

  storeValue(vcpu: VcpuState, esr: number): bigint {
    return storeValue(vcpu, esr);
  }

  skip(vcpu: VcpuState): void {
    vcpu.advance();
  }

  takeException(vcpu: VcpuState, esr: number, far = 0n): void {
    this.#enter(this.#own(vcpu));
    this.#exports.injectException(esr | 0, far);
    this.#words[CPU.PENDING >> 2] = Pending.None;
  }

  progress(vcpu: VcpuState): VcpuProgress {
    const context = this.#own(vcpu), words = this.#words, view = this.#view;
    const marked = context === this.#resident && words[CPU.EXCLUSIVE >> 2] !== 0;
    const monitor = marked
      ? {
        size: words[CPU.EXCLUSIVE_SIZE >> 2],
        address: view.getBigUint64(CPU.EXCLUSIVE_ADDRESS, true),
        low: view.getBigUint64(CPU.EXCLUSIVE_VALUE, true),
        high: words[CPU.EXCLUSIVE_SIZE >> 2] === 16 ? view.getBigUint64(CPU.EXCLUSIVE_VALUE + 8, true) : 0n,
      }
      : undefined;
    return { monitor, stepped: context.stepped };
  }

  setProgress(vcpu: VcpuState, { monitor, stepped }: VcpuProgress): void {
    const context = this.#own(vcpu), words = this.#words, view = this.#view;
    context.stepped = stepped;
    if (!monitor) return;
    this.#enter(context);
    words[CPU.EXCLUSIVE >> 2] = 1;
    words[CPU.EXCLUSIVE_SIZE >> 2] = monitor.size;
    view.setBigUint64(CPU.EXCLUSIVE_ADDRESS, monitor.address, true);
    view.setBigUint64(CPU.EXCLUSIVE_VALUE, monitor.low, true);
    view.setBigUint64(CPU.EXCLUSIVE_VALUE + 8, monitor.high, true);
  }

  inspect(vcpu: VcpuState, va: bigint): Translation {
    const resident = this.#resident;
    const exclusive = this.#words[CPU.EXCLUSIVE >> 2];
    const translation = this.translate(vcpu, va, "read", 1);
    if (resident && resident !== vcpu) {
      this.#enter(resident);
      this.#words[CPU.EXCLUSIVE >> 2] = exclusive;
    }
    return translation;
  }

  translate(vcpu: VcpuState, va: bigint, access: "read" | "write", el: 0 | 1): Translation {
    this.#enter(this.#own(vcpu));
    const kind = AccessKind.IgnorePan | (access === "write" ? AccessKind.Write : 0) | (el === 0 ? Access.Unprivileged : 0) | 1;
    // The walk uses the current EL.
    const pstate = this.#words[CPU.PSTATE >> 2];
    if (el === 1) this.#words[CPU.PSTATE >> 2] = pstate & ~Pstate.ElMask | Pstate.EL1t;
    const wasmAddress = this.#exports.translate(BigInt.asIntN(64, va), kind) >>> 0;
    this.#words[CPU.PSTATE >> 2] = pstate;
    const ipa = Number(this.#view.getBigUint64(CPU.WALK_IPA, true));
    if (wasmAddress) return { ok: true, pa: wasmAddress - this.ram.wasmAddress + this.ram.base, ipa };
    const fault = this.#words[CPU.FAULT >> 2];
    if (fault === Fault.Bus) return { ok: true, pa: Number(this.#view.getBigUint64(CPU.WALK_PA, true)), ipa };
    const failed = { ok: false, stage: fault === Fault.Stage1 ? 1 : 2, fsc: this.#words[CPU.FAULT_STATUS >> 2], ipa } as const;
    return fault === Fault.Stage2OnWalk ? { ...failed, walkLevel: this.#words[CPU.WALK_LEVEL >> 2] } : failed;
  }

  invalidateStage2(stage2: number, _ipa: number, size: number): void {
    const lost = size > EXACT_INVALIDATION ? undefined : this.stage2Pool.tables(stage2)?.takeLost();
    if (!lost) return this.#exports.tlbFlushStage2(stage2);
    for (const { pa, size } of lost) {
      const wasmAddress = pa - this.ram.base + this.ram.wasmAddress;
      this.#exports.tlbFlushTargets(stage2, wasmAddress, wasmAddress + size);
    }
  }

  *cachedPages(stage2: number): Generator<CachedPage> {
    for (const { va, wasmAddress, write } of this.#tlbs.entries(stage2)) {
      yield { va, pa: wasmAddress - this.ram.wasmAddress + this.ram.base, write };
    }
  }

  memoryWritten(pa: number, size: number): void {
    const wasmAddress = pa - this.ram.base + this.ram.wasmAddress;
    if (wasmAddress < this.ram.wasmAddress || wasmAddress + size > this.ram.wasmAddress + this.ram.size) {
      throw new RangeError(`0x${pa.toString(16)} is not in RAM`);
    }
    this.#decoded.written(wasmAddress, size);
    setPageBits(this.#bytes, WRITTEN_PAGES, wasmAddress, size);
  }

  mayBeWritten(pa: number): boolean {
    return hasPageBit(this.#bytes, WRITTEN_PAGES, pa - this.ram.base + this.ram.wasmAddress);
  }

  flush(): void {
    this.#exports.tlbFlushAll();
    this.#decoded.clear();
  }

  /** Makes what the guest's comparators ask for effective; nothing when MDSCR_EL1.MDE is off. */
  #arm(context: VcpuContext, mdscr: number): void {
    const { armed, debug, stage2 } = context;
    const wanted = (mdscr & Mdscr.MDE) !== 0;
    if (armed && wanted && armed.version === debug.version && armed.stage2 === stage2) return;
    if (armed) this.#disarm(context, armed);
    if (!wanted) return;
    const fresh = context.armed = new ArmedDebug(debug, debug.version, stage2);
    let unseen = false;
    for (const { address } of fresh.breakpoints) unseen = this.#breakpoints.hold(stage2, address) || unseen;
    if (unseen) this.#watchAgain();
    if (!fresh.watchpoints.length) return;
    this.#watchers++;
    this.#watchData();
    this.#exports.tlbFlushAll();
  }

  #disarm(context: VcpuContext, { stage2, breakpoints, watchpoints }: ArmedDebug): void {
    for (const { address } of breakpoints) this.#breakpoints.drop(stage2, address);
    if (watchpoints.length) this.#watchers--;
    this.#watchData();
    context.armed = undefined;
  }

  #watchData(): void {
    this.#words[CPU.WATCHING_DATA >> 2] = this.#watchpoints.watching || this.#watchers > 0 ? 1 : 0;
  }

  /** Takes the breakpoint exception, if the guest has a breakpoint at PC that counts here. */
  #guestBreaks(context: VcpuContext, mdscr: number): boolean {
    const pstate = this.#words[CPU.PSTATE >> 2];
    if (!context.armed || !debugEnabled(pstate, mdscr)) return false;
    if (!context.armed.stopsAt(context.pc, pstate >> 2 & 3, context.getRegister("CONTEXTIDR_EL1"))) return false;
    this.#takeDebugException(breakpointSyndrome(pstate));
    return true;
  }

  /**
   * MDSCR_EL1.SS is set: takes the step exception that is due, and answers whether the next
   * instruction is one to step.
   */
  #beginStep(context: VcpuContext, mdscr: number): boolean {
    const pstate = this.#words[CPU.PSTATE >> 2];
    if (!debugEnabled(pstate, mdscr)) return false;
    if (pstate & Pstate.SS) {
      const here = this.inspect(context, context.pc);
      const word = here.ok ? this.#words[here.pa - this.ram.base + this.ram.wasmAddress >>> 2] : 0;
      context.stepped = isLoadExclusive(word) ? "exclusive" : "other";
      return true;
    }
    this.#takeDebugException(stepSyndrome(pstate, context.stepped));
    context.stepped = "none";
    return false;
  }

  /**
   * The instruction that was to be stepped has completed, or taken an exception, which has changed
   * PSTATE.SS, or is to be executed again.
   */
  #endStep(context: VcpuContext, reason: ExitReason): void {
    const pstate = this.#words[CPU.PSTATE >> 2];
    const completed = reason === ExitReason.Budget || reason === ExitReason.Timer || reason === ExitReason.Yield;
    if (!(completed && pstate & Pstate.SS)) context.stepped = "none";
    else this.#words[CPU.PSTATE >> 2] = pstate & ~Pstate.SS;
  }

  /** The same as `takeException`, without FAR_EL1, which these leave. */
  #takeDebugException(esr: number): void {
    this.#exports.injectException(esr | 0, this.#view.getBigInt64(CPU.FAR_EL1, true));
    this.#words[CPU.PENDING >> 2] = Pending.None;
  }

  /** Executes the instruction under a mark where nothing stops; 1 when it retired. */
  #passMark(vcpu: VcpuState, unwanted: boolean): number {
    const { pc } = vcpu;
    const wasmAddress = this.#decoded.wasmAddressOf(this.#words[CPU.IP >> 2]);
    // The exit of this one instruction is the caller's.
    this.#words[CPU.EL2_CALLED >> 2] = 0;
    const retired = this.#decoded.pass(wasmAddress, () => 1 - this.#exports.run(1));
    if (unwanted && this.#breakpoints.forget(vcpu.stage2, pc)) {
      this.#decoded.unmark(wasmAddress);
      this.#watchAgain();
    }
    return retired;
  }

  /** Every page is entered anew, so that the marks in it are made. */
  #watchAgain(): void {
    this.#words[CPU.WATCHING >> 2] = this.#breakpoints.watching ? 1 : 0;
    this.#exports.tlbFlushAll();
  }

  /** Brings EL2's time and counts to the turn of the instruction in progress. Wants IP and END. */
  #reportProgress(): void {
    const el2 = this.#el2, words = this.#words;
    if (!el2) return;
    this.#takeRepeats();
    const left = (words[CPU.END >> 2] - words[CPU.IP >> 2]) / DECODED_SIZE;
    const passed = el2.reached(this.#doubles[CPU.RUN_END >> 3] - left);
    this.#begun += passed;
    this.#budget -= passed;
    this.#repeats.passed(passed);
  }

  #undefinedInstruction(pc: bigint, word: number): void {
    const known = this.#undefinedWords;
    if (known.has(word) || known.size >= UNDEFINED_WORDS) return;
    known.add(word);
    this.#reportProgress();
    const { base, wasmAddress } = this.ram;
    const pa = this.#decoded.wasmAddressOf(this.#words[CPU.IP >> 2]) - wasmAddress + base;
    this.#onUndefined?.({ word, text: disassemble(word, pc), pc, pa });
  }

  #watched(va: bigint, access: number): number {
    const writes = (access & AccessKind.Write) !== 0, reads = !writes || (access & AccessKind.ReadModifyWrite) !== 0;
    const found = this.#watchpoints.look(this.#words[CPU.STAGE2_ID >> 2], va, access & Access.SizeMask, reads, writes);
    this.#guestHit = undefined;
    if (found === Watch.Hit && this.#stops) return found;
    return Math.max(Math.min(found, Watch.Page), this.#guestWatches(va, access, reads, writes));
  }

  /** The same of the guest's own watchpoints. */
  #guestWatches(va: bigint, access: number, reads: boolean, writes: boolean): number {
    const context = this.#resident;
    if (!context?.armed) return Watch.None;
    const pstate = this.#words[CPU.PSTATE >> 2];
    const el = access & Access.Unprivileged ? 0 : pstate >> 2 & 3;
    const contextId = context.getRegister("CONTEXTIDR_EL1");
    const hit = context.armed.look(va, access & Access.SizeMask, reads, writes, el, contextId);
    if (typeof hit !== "object") return hit === undefined ? Watch.None : Watch.Page;
    if (!debugEnabled(pstate, this.#words[CPU.MDSCR_EL1 >> 2])) return Watch.Page;
    this.#guestHit = hit;
    return Watch.Hit;
  }

  #pageEntered(va: bigint, wasmAddress: number): void {
    for (const offset of this.#breakpoints.offsets(this.#words[CPU.STAGE2_ID >> 2], va)) this.#decoded.mark(wasmAddress + offset);
  }

  /** Makes a vCPU resident and what derives from its registers right. */
  #enter(vcpu: VcpuContext): void {
    if (vcpu !== this.#resident) {
      this.#evict();
      this.#exports.moveContext(CPU_STATE, vcpu.address);
      vcpu.resident = true;
      vcpu.derivedStale = true;
      this.#resident = vcpu;
      this.#words[CPU.EXCLUSIVE >> 2] = 0;
    }
    if (vcpu.translationsStale) {
      this.#tlbs.invalidate(vcpu);
      vcpu.translationsStale = false;
    }
    if (vcpu.derivedStale) {
      this.#words[CPU.TLB_UNPRIVILEGED >> 2] = this.#tlbs.acquire(vcpu, vcpu.stage2) + TlbSpace.Sets;
      this.#exports.updateRegime();
      vcpu.derivedStale = false;
    }
  }

  #evict(): void {
    const vcpu = this.#resident;
    if (!vcpu) return;
    this.#exports.moveContext(vcpu.address, CPU_STATE);
    vcpu.resident = false;
    this.#resident = undefined;
  }

  /**
   * ESR, FAR and addresses of a Trap or Bus exit; aborts get the part of the syndrome that the
   * encoding gives.
   */
  #readSyndrome(): void {
    const exit = this.#exit, words = this.#words;
    exit.esr = words[CPU.EXIT_ESR >> 2] >>> 0;
    const kind = exceptionClass(exit.esr);
    this.#exitCounts[exitCountOf(exit.reason, kind)]++;
    if (kind !== ExceptionClass.DataAbortLower && kind !== ExceptionClass.InstructionAbortLower) return;
    exit.ipa = this.#doubles[CPU.EXIT_IPA >> 3];
    exit.pa = this.#doubles[CPU.EXIT_PA >> 3];
    const special = AbortSyndrome.S1ptw | AbortSyndrome.Cm;
    if (kind === ExceptionClass.DataAbortLower && !(exit.esr & special)) {
      const word = words[CPU.EXIT_WORD >> 2];
      if (word !== this.#accessWord) {
        this.#accessWord = word;
        this.#accessSyndrome = loadStoreSyndrome(word);
      }
      exit.esr = (exit.esr | this.#accessSyndrome) >>> 0;
    }
  }

  #own(vcpu: VcpuState): VcpuContext {
    if (!(vcpu instanceof VcpuContext)) throw new TypeError("a vCPU of another core");
    return vcpu;
  }
}

/** The register of a load that left to EL2; undefined for other exits. */
function loadedRegister({ esr }: Exit): number | undefined {
  return exceptionClass(esr) === ExceptionClass.DataAbortLower ? esr >>> AbortSyndrome.SrtShift & 0x1f : undefined;
}
