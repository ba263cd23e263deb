// The AArch64 core over a machine's memory: `Core` of interface.ts. It moves vCPUs in and out of
// the CPU state, runs them in slices, and shapes what comes out as exceptions to EL2.
// docs/design/decisions.md §9.

import { type Cpu, DEFAULT_CPU, lackOf, parseCpu } from "../isa/cpus/cpus.ts";
import { disassemble } from "../isa/disassemble.ts";
import { type Identification, identificationOf } from "../isa/cpus/identification.ts";
import { nameWord } from "../isa/word-names.ts";
import { Mdscr, Pstate } from "./architecture/exceptions.ts";
import { CoreCode } from "./core-code.ts";
import { type CoreExports, coreFor } from "./core-module.ts";
import type { MemoryWatch, WatchHit, WatchKind } from "./debug/watchpoints.ts";
import { decodedPageIndex, type DecodedPages } from "./decoded/decoded-pages.ts";
import { COUNTED_PAGES } from "./decoded/execution-counters.ts";
import { DECODED_SIZE } from "./decoded/operands.ts";
import type { Dispatch } from "./decoded/variants.ts";
import {
  type CachedPage,
  type DebugCore,
  type DeviceAtomicAccess,
  type Exit,
  type ExitHandler,
  ExitReason,
  type InstructionObserver,
  type Translation,
  type VcpuProgress,
  type VcpuState,
} from "./interface.ts";
import { type CountedPage, type ExecutionCounting, ExecutionCounts } from "./execution-counts.ts";
import { LatestExit } from "./exceptions/latest-exit.ts";
import { PmuMode } from "./exceptions/performance-events.ts";
import { RepeatedExits } from "./exceptions/repeated-exits.ts";
import { retiredKinds } from "./interpreter/retired.ts";
import { writeCrcTables } from "./interpreter/integer-functions.ts";
import { AccessKind, Fault, type RamLayout, Rights } from "./memory/mmu.ts";
import { Stage2Pool } from "./memory/stage2.ts";
import type { Written, WrittenMemory } from "./memory/written-memory.ts";
import { completeRead, storeValue, type VcpuContext } from "./registers/vcpu-context.ts";
import { registerNames } from "./registers/vcpu-state.ts";
import { contextOf, Residency } from "./residency.ts";
import type { Processor } from "./outlook/copied-state.ts";
import { Evaluation, type Prospect } from "./outlook/evaluation.ts";
import { accessesOf, type MemoryAccess } from "./outlook/memory-accesses.ts";
import { type Outlook, outlookOf } from "./outlook/outlook.ts";
import { RunBudget } from "./run-budget.ts";
import { writeAesTables, writeSm4Table } from "./simd/crypto.ts";
import { type CpuFields, cpuFields } from "./state/cpu-fields.ts";
import { CPU, Pending } from "./state/cpu-state.ts";
import { Access } from "./state/functions.ts";
import { CORE_SIZE, OF_VCPUS, STAGE2_TABLES } from "./state/layout.ts";
import { Stops } from "./stops.ts";
import type { Tier } from "./tiers.ts";
import type { TranslatorCounters } from "./translator/counters.ts";
import { CounterWaits } from "./waits/counter-waits.ts";
import type { RegionStore } from "./translator/region-store.ts";
import { instructionsOf } from "./translator/code/instruction.ts";
import type { Hotness } from "./translator/heat.ts";
import { Translator } from "./translator/translator.ts";
import { WordTable } from "./translator/code/word-table.ts";

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
  /** The level it needs, or the feature and the CPUs that have it; empty if it is of no feature. */
  readonly lack: string;
  /** Virtual and physical address. */
  readonly pc: bigint;
  readonly pa: number;
}

/**
 * Bytes of a stage-2 change beyond which all translations go, instead of those to what was mapped
 * there.
 */
const EXACT_INVALIDATION = 0x100_0000;

/** log2 of the pairs of words whose `Retired` is kept. */
const RETIRED_SHIFT = 12;

export interface CoreOptions {
  /** The CPU; `DEFAULT_CPU` by default. */
  readonly cpu?: Cpu;
  /**
   * Called once for each word that is UNDEFINED where it is executed, for the first
   * `UNDEFINED_WORDS` of them.
   */
  readonly onUndefined?: (instruction: UndefinedInstruction) => void;
  /**
   * Called before the first exclusive or atomic access of a vCPU to Device memory. Returns whether
   * the run ends there, with `ExitReason.Watchpoint`.
   */
  readonly onDeviceAtomic?: (access: DeviceAtomicAccess) => boolean;
  /** Called when a vCPU uses a translation that its tables no longer hold, for the first time. */
  readonly onStaleUse?: () => void;
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
  /** Counts how often each instruction is executed, by other Wasm code, which is slower. */
  readonly counts?: ExecutionCounting | undefined;
  /** For tests: when regions are compiled, and after how many instructions the translator looks. */
  readonly hotness?: Hotness & { readonly slice: number };
  /** Code that a core with the same options has left in this memory; undefined: none yet. */
  readonly code?: CoreCode | undefined;
}

/** When regions are compiled; a sample stands for `slice` instructions. */
const HOTNESS: Record<Exclude<Tier, "interp">, Hotness & { readonly slice: number }> = {
  jit: { samples: 1, landings: 16, slice: 20_000 },
  auto: { samples: 12, price: 0.4, landings: 2000, slice: 20_000 },
};

/** The core. It owns the first `CORE_SIZE` bytes of the memory. */
export class WasmCore implements DebugCore {
  readonly memory: WebAssembly.Memory;
  readonly ram: RamLayout;
  /** Handlers of the interpreter and how the decoder uses them, for tests. */
  readonly dispatch: Dispatch;
  readonly identification: Identification;
  /** The pool of stage-2 tables for address spaces. */
  readonly stage2Pool: Stage2Pool;
  readonly #code: CoreCode;
  readonly #exports: CoreExports;
  readonly #decoded: DecodedPages;
  readonly #translator: Translator | undefined;
  readonly #slice: number;
  readonly #written: WrittenMemory;
  readonly #view: DataView;
  readonly #cpu: CpuFields;
  readonly #residency: Residency;
  readonly #stops: Stops;
  readonly #counts: ExecutionCounts | undefined;
  readonly #undefinedWords = new Set<number>();
  readonly #retired: WordTable<number>;
  readonly #onUndefined: CoreOptions["onUndefined"];
  readonly #onDeviceAtomic: CoreOptions["onDeviceAtomic"];
  readonly #onStaleUse: CoreOptions["onStaleUse"];
  readonly cpu: Cpu;
  readonly #hasMonitors: boolean;
  /** The handler of exits of the run in progress. */
  #el2: ExitHandler | undefined;
  readonly #budget: RunBudget;
  readonly #exit: LatestExit;
  readonly #repeats: RepeatedExits;
  readonly #waits: CounterWaits | undefined;
  observer: InstructionObserver | undefined;
  /** The observer ends the run in progress. */
  #leaves = false;

  /** @param ram where guest RAM lies; it must be above `CORE_SIZE` in the memory. */
  constructor(memory: WebAssembly.Memory, ram: RamLayout, options: CoreOptions = {}) {
    this.memory = memory;
    this.ram = ram;
    if (ram.wasmAddress < CORE_SIZE) throw new RangeError("guest RAM overlaps the core's own memory");
    const cpu = options.cpu ?? parseCpu(DEFAULT_CPU), counts = options.counts !== undefined;
    const core = options.code?.core ?? coreFor(ram, memory.buffer.byteLength, { cpu, counts });
    this.cpu = cpu;
    this.#hasMonitors = cpu.features.has("FEAT_PMUv3");
    this.identification = identificationOf(cpu.features);
    this.dispatch = core.dispatch;
    this.#onUndefined = options.onUndefined;
    this.#onDeviceAtomic = options.onDeviceAtomic;
    this.#onStaleUse = options.onStaleUse;
    this.#retired = new WordTable((word) => retiredKinds(core.dispatch.instructions, word), RETIRED_SHIFT);
    this.#view = new DataView(memory.buffer);
    this.#cpu = cpuFields(memory);
    this.#budget = new RunBudget(this.#cpu);
    this.#exit = new LatestExit(this.#cpu, memory);
    const words = new Int32Array(memory.buffer);
    this.#repeats = new RepeatedExits(this.#cpu, words);
    const { tier = "interp" } = options, hotness = options.hotness ?? (tier === "interp" ? undefined : HOTNESS[tier]);
    this.#slice = hotness?.slice ?? SLICE;
    const code = this.#code = options.code ?? new CoreCode(core, memory, ram, {
      decodedPages: options.decodedPages ?? (counts ? COUNTED_PAGES : undefined),
      translator: hotness && ((link) => new Translator(core, link, hotness, options.codeBytes, options.regions)),
    });
    if (code.memory !== memory) throw new TypeError("the code of another memory");
    const { functions } = code;
    this.#exports = functions;
    this.#translator = code.translator;
    this.#decoded = code.decoded;
    this.#written = code.written;
    if (options.counts) this.#counts = new ExecutionCounts(memory, options.counts);
    if (options.sparesWaits ?? true) {
      const instructions = instructionsOf(core.dispatch.instructions);
      this.#waits = new CounterWaits({ words, halves: new Uint16Array(memory.buffer), instructions });
    }
    writeCrcTables(memory);
    writeAesTables(memory);
    if (cpu.features.has("FEAT_SM4")) writeSm4Table(memory);
    this.stage2Pool = new Stage2Pool(memory, STAGE2_TABLES.base, STAGE2_TABLES.size);
    const { stage2Pool } = this, decoded = this.#decoded;
    this.#residency = new Residency(memory, this.#cpu, functions, { ram, stage2Pool, decoded, names: registerNames(cpu.features) });
    const wordAt = (vcpu: VcpuContext) => this.#wordAt(vcpu);
    const { tlbs } = this.#residency;
    const { features } = cpu, { instructions } = core.dispatch;
    this.#stops = new Stops({
      ...{ memory, cpu: this.#cpu, exports: functions, decoded, tlbs, watchesEntries: counts },
      ...{ features, instructions, wordAt },
    });
    this.#serve();
  }

  #serve(): void {
    this.#code.serve({
      pageLeft: (index) => this.#counts?.left(index),
      wordChanged: (page) => this.#counts?.changes(decodedPageIndex(page)),
      undefinedInstruction: (pc, word) => this.#undefinedInstruction(BigInt.asUintN(64, pc), word >>> 0),
      watched: (va, access, wasmAddress) => this.#stops.watched(this.#residency.vcpu, va, access, wasmAddress >>> 0),
      pageEntered: (va, wasmAddress) => this.#pageEntered(BigInt.asUintN(64, va), wasmAddress >>> 0),
      deviceAtomic: () => this.#deviceAtomic() ? 1 : 0,
      staleUsed: () => this.#staleUsed(),
      exited: (left) => this.#exited(left),
      retired: (word) => this.#retired.of(word),
    });
  }

  leave(): CoreCode | undefined {
    if (this.#counts) return undefined;
    this.#decoded.unmarkAll();
    this.#residency.tlbs.clear();
    this.#written.forget(false);
    const bytes = new Uint8Array(this.memory.buffer);
    for (const { start, end } of OF_VCPUS) bytes.fill(0, start, end);
    return this.#code;
  }

  #pageEntered(va: bigint, wasmAddress: number): void {
    this.#stops.pageEntered(va, wasmAddress);
    if (!this.#counts) return;
    const { STAGE2_ID: stage2, PSTATE: pstate } = this.#cpu, page = this.#decoded.pageOf(wasmAddress);
    const entry = { index: decodedPageIndex(page), stage2, address: va, privileged: (pstate & Pstate.ElMask) !== 0 };
    if (this.#counts.entered(entry)) this.#exports.tlbForgetDecoded(page);
  }

  /** Throws a RangeError when there are more vCPUs than contexts (more than a thousand). */
  createVcpu(): VcpuContext {
    return this.#residency.create();
  }

  /** Its context and its TLB space are free afterwards. */
  releaseVcpu(vcpu: VcpuState): void {
    const context = contextOf(vcpu);
    this.#residency.release(context);
    this.#stops.guest.disarm(context);
  }

  get sparedInstructions(): number {
    return this.#waits?.spared ?? 0;
  }

  get exitCounters(): Readonly<Record<string, number>> {
    return this.#exit.named;
  }

  /** The code that was executed so far, if the core counts. No vCPU may be running. */
  countedPages(): readonly CountedPage[] {
    return this.#counts?.pages() ?? [];
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
    this.#stops.insertBreakpoint(stage2, address);
  }

  removeBreakpoint(stage2: number, address: bigint): void {
    this.#stops.removeBreakpoint(stage2, address);
  }

  observe(stage2: number, address: bigint): void {
    this.#stops.observe(stage2, address);
  }

  ignore(stage2: number, address: bigint): void {
    this.#stops.ignore(stage2, address);
  }

  insertWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.#stops.insertWatchpoint(stage2, address, length, kind);
  }

  removeWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.#stops.removeWatchpoint(stage2, address, length, kind);
  }

  watchMemory(watch: MemoryWatch | undefined): void {
    const starts = watch ? [watch.pa, ...watch.more ?? []] : [];
    this.#stops.watchMemory(watch, starts.map((pa) => this.#placeOf(pa, watch?.length ?? 0)));
  }

  watchRegisters(names: readonly string[]): void {
    this.#stops.watchRegisters(names);
  }

  get watchHit(): WatchHit | undefined {
    return this.#stops.watchpoints.hit;
  }

  /** @param stops whether breakpoints and watchpoints of a debugger do */
  #run(vcpu: VcpuState, now: number, budget: number, floor: number, el2: ExitHandler | undefined, stops: boolean): Exit {
    const context = contextOf(vcpu), cpu = this.#cpu, exit = this.#exit;
    this.#stops.enabled = stops;
    this.#leaves = false;
    this.#residency.enter(context);
    const mdscr = cpu.MDSCR_EL1;
    if (mdscr & Mdscr.MDE || context.armed) this.#stops.guest.arm(context, mdscr);
    cpu.TIME_FLOOR = floor;
    cpu.PENDING = Pending.None;
    // A debugger sees every exit.
    this.#el2 = el2;
    cpu.EL2_CALLED = el2 && !(mdscr & DEBUGGED) ? 1 : 0;
    this.#repeats.stop();
    this.#budget.begin(now, budget);
    let left = budget;
    exit.begin();
    // EL2 hears of a change of the line first. A slice without a budget still takes interrupts.
    while (!this.#lineChanged) {
      left = this.#runSlice(context, mdscr, floor, left);
      if (left <= 0 || exit.reason !== ExitReason.Budget || this.#leaves) break;
    }
    // An instruction that a watchpoint has stopped is executed again, and counted then.
    if (exit.reason === ExitReason.Watchpoint) left++;
    exit.retired = this.#budget.retired(left);
    if (this.#budget.hasEnded) exit.reason = ExitReason.Budget;
    else if (exit.reason === ExitReason.Trap || exit.reason === ExitReason.Bus) exit.readSyndrome();
    if (exit.reason === ExitReason.Budget && this.#lineChanged) {
      exit.reason = ExitReason.Pmu;
      cpu.PMU_LINE ^= 1;
      cpu.PMU_MODE &= ~PmuMode.LineChanged;
    }
    return exit;
  }

  /** EL2 has not heard of the level of the performance monitors' interrupt. */
  get #lineChanged(): boolean {
    return this.#hasMonitors && (this.#cpu.PMU_MODE & PmuMode.LineChanged) !== 0;
  }

  /** One call of the Wasm function, with `left` of the budget; what is left then. */
  #runSlice(context: VcpuContext, mdscr: number, floor: number, left: number): number {
    const budget = this.#budget, steps = (mdscr & Mdscr.SS) !== 0, counts = this.#hasMonitors && this.#cpu.PMU_MODE !== 0;
    const waits = mdscr & DEBUGGED || counts ? undefined : this.#waits;
    if (waits?.hasLoops) left -= waits.spare(budget.timeAt(left), floor, left);
    const before = left, stepping = steps && this.#stops.guest.beginStep(context, mdscr);
    // A slice that only leads to the start of a skippable turn says nothing about hot code.
    const leads = waits !== undefined && waits.leads;
    const most = leads ? waits.takeSlice() : this.#slice * (this.#translator?.slices.stretch ?? 1);
    const slice = steps ? 1 : Math.min(left, most, counts ? this.#exports.overflowDistance?.() ?? Infinity : Infinity);
    // A stepped instruction is not where time is spent, and an exception from here leaves no
    // instruction in progress.
    let samples = !steps;
    left = this.#runPastMarks(context, mdscr, left, slice);
    this.#counts?.ran(before - left);
    const exit = this.#exit;
    if (exit.reason === ExitReason.Breakpoint && !this.#stops.stopsAt(context)) {
      this.#stops.guest.takeBreakpoint();
      exit.reason = ExitReason.Budget;
      samples = false;
    }
    // As an abort: the instruction counts.
    if (exit.reason === ExitReason.Watchpoint && this.#stops.guest.takeWatchpoint()) {
      exit.reason = ExitReason.Budget;
      samples = false;
    }
    if (stepping) this.#stops.guest.endStep(context, exit.reason);
    if (samples && exit.reason === ExitReason.Budget) {
      if (!leads) this.#translator?.sample(Math.max(1, Math.round(slice / this.#slice)));
      if (waits && (leads || waits.wereRead) && waits.look(before - left, budget.timeAt(left), leads)) this.#translator?.slices.waited();
    }
    return left;
  }

  /**
   * Executes a slice of the rest of the budget, past marks where nothing stops the guest; what is
   * left of the budget then.
   */
  #runPastMarks(context: VcpuContext, mdscr: number, left: number, slice: number): number {
    const budget = this.#budget, exit = this.#exit, stops = this.#stops;
    budget.slice(left, slice);
    let rest = slice;
    for (;;) {
      rest = this.#exports.run(rest);
      this.#takeRepeats();
      exit.readReason();
      left = budget.left(rest);
      if (exit.reason !== ExitReason.Breakpoint || stops.stopsAt(context) || stops.guest.breaksAt(context, mdscr)) return left;
      const retired = this.#passMark(context, left);
      rest -= retired;
      left -= retired;
      budget.slice(left, rest);
      if (rest <= 0 || !this.#continues) return left;
    }
  }

  /** Passes a mark with `left` of the budget, and lets the observer look; 1 if that retired. */
  #passMark(context: VcpuContext, left: number): number {
    const budget = this.#budget, { observer } = this;
    if (observer) this.#report(budget.timeAt(left));
    const observed = observer?.(context, budget.timeAt(left), budget.retired(left));
    this.#leaves = observed ?? false;
    budget.slice(left, 1);
    const retired = this.#stops.passMark(context, observed !== undefined);
    this.#exit.readReason();
    return retired;
  }

  /** Nothing has ended the slice in progress. */
  get #continues(): boolean {
    return this.#exit.reason === ExitReason.Budget && !this.#leaves && !this.#lineChanged;
  }

  /** Exits were answered without EL2, which learns of it before anything else. */
  #takeRepeats(): void {
    const repeats = this.#repeats, { count } = repeats;
    if (count === 0) return;
    const { retired } = repeats;
    this.#budget.takeRepeats(repeats);
    repeats.restart();
    this.#exit.repeated(count);
    this.#el2?.repeated(count, retired);
  }

  /** An exit in the middle of a run, where EL2 is called: the slice that follows, or 0. */
  #exited(left: number): number {
    const exit = this.#exit, cpu = this.#cpu, el2 = this.#el2, context = this.#residency.vcpu;
    if (!el2 || !context) throw new Error("an exit outside of a run");
    this.#takeRepeats();
    exit.readReason();
    exit.retired = this.#budget.retired(this.#budget.left(left));
    exit.readSyndrome();
    this.#repeats.note();
    const budget = el2.handle(exit);
    if (budget > 0) {
      // A handler may have translated an address for another vCPU.
      this.#residency.enter(context);
      if (!(cpu.MDSCR_EL1 & DEBUGGED || this.#lineChanged)) {
        cpu.PENDING = Pending.None;
        this.#budget.begin(el2.now, budget);
        // The slice continues: code that exits is sampled as often as other code.
        const rest = cpu.RUN_END - el2.now;
        const slice = Math.min(budget, rest > 0 ? Math.ceil(rest) : this.#slice);
        this.#budget.slice(budget, slice);
        this.#repeats.handled(el2, budget, exit.loadedRegister, this.#slice);
        return slice;
      }
    }
    this.#budget.end();
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
    this.#residency.enter(contextOf(vcpu));
    this.#exports.injectException(esr | 0, far);
    this.#cpu.PENDING = Pending.None;
  }

  progress(vcpu: VcpuState): VcpuProgress {
    const context = contextOf(vcpu), cpu = this.#cpu, view = this.#view;
    const marked = context === this.#residency.vcpu && cpu.EXCLUSIVE !== 0;
    const monitor = marked
      ? {
        size: cpu.EXCLUSIVE,
        address: view.getBigUint64(CPU.EXCLUSIVE_ADDRESS, true),
        low: view.getBigUint64(CPU.EXCLUSIVE_VALUE, true),
        high: cpu.EXCLUSIVE === 16 ? view.getBigUint64(CPU.EXCLUSIVE_VALUE + 8, true) : 0n,
      }
      : undefined;
    return { monitor, stepped: context.stepped };
  }

  setProgress(vcpu: VcpuState, { monitor, stepped }: VcpuProgress): void {
    const context = contextOf(vcpu), cpu = this.#cpu, view = this.#view;
    context.stepped = stepped;
    if (!monitor) return;
    this.#residency.enter(context);
    cpu.EXCLUSIVE = monitor.size;
    view.setBigUint64(CPU.EXCLUSIVE_ADDRESS, monitor.address, true);
    view.setBigUint64(CPU.EXCLUSIVE_VALUE, monitor.low, true);
    view.setBigUint64(CPU.EXCLUSIVE_VALUE + 8, monitor.high, true);
  }

  outlook(vcpu: VcpuState, prospect: Prospect): Outlook {
    return outlookOf(this.evaluation(vcpu, prospect));
  }

  accesses(vcpu: VcpuState): readonly MemoryAccess[] {
    return accessesOf(vcpu, this.#processorOf(vcpu));
  }

  /** The evaluation of a vCPU's next code on a copy of its state. */
  evaluation(vcpu: VcpuState, prospect: Prospect): Evaluation {
    return new Evaluation(vcpu, prospect, this.#processorOf(vcpu));
  }

  #processorOf(vcpu: VcpuState): Processor {
    const { base, size, wasmAddress } = this.ram, view = this.#view;
    const memory = {
      translate: (va: bigint, kind: number, pstate: number) =>
        this.#leavingNoTrace(vcpu, () => {
          const found = this.#walk(vcpu, va, kind, pstate), rights = this.#cpu.WALK_RIGHTS;
          const place = { isDevice: (rights & Rights.Device) !== 0, isGuarded: (rights & Rights.Guarded) !== 0 };
          if (found.ok) return { pa: found.pa, ...place };
          // An address that stage 2 does not map is a device's, or nobody's: outside of RAM.
          return found.stage === 1 ? { fsc: found.fsc } : { pa: -1, ...place };
        }),
      read: (pa: number, bytes: number) => {
        if (pa < base || pa + bytes > base + size) return undefined;
        let value = 0n;
        for (let index = bytes - 1; index >= 0; index--) value = value << 8n | BigInt(view.getUint8(pa - base + wasmAddress + index));
        return value;
      },
    };
    const { instructions } = this.dispatch, { features } = this.cpu, { monitor } = this.progress(vcpu);
    return { instructions, features, memory, monitor };
  }

  inspect(vcpu: VcpuState, va: bigint, access: "read" | "write" = "read"): Translation {
    return this.#leavingNoTrace(vcpu, () => this.translate(vcpu, va, access, 1));
  }

  #leavingNoTrace<T>(vcpu: VcpuState, question: () => T): T {
    const resident = this.#residency.vcpu, exclusive = this.#cpu.EXCLUSIVE;
    const answer = question();
    if (resident && resident !== vcpu) {
      this.#residency.enter(resident);
      this.#cpu.EXCLUSIVE = exclusive;
    }
    return answer;
  }

  translate(vcpu: VcpuState, va: bigint, access: "read" | "write", el: 0 | 1): Translation {
    const kind = AccessKind.IgnorePan | (access === "write" ? AccessKind.Write : 0) | (el === 0 ? Access.Unprivileged : 0);
    this.#residency.enter(contextOf(vcpu));
    const { PSTATE: pstate } = this.#cpu;
    return this.#walk(vcpu, va, kind, el === 1 ? pstate & ~Pstate.ElMask | Pstate.EL1t : pstate);
  }

  /** @param pstate whose EL and PAN the access is made with */
  #walk(vcpu: VcpuState, va: bigint, kind: number, pstate: number): Translation {
    const cpu = this.#cpu;
    this.#residency.enter(contextOf(vcpu));
    const before = cpu.PSTATE;
    cpu.PSTATE = pstate;
    const wasmAddress = this.#exports.translate(BigInt.asIntN(64, va), kind | AccessKind.Observe | 1) >>> 0;
    cpu.PSTATE = before;
    const ipa = Number(this.#view.getBigUint64(CPU.WALK_IPA, true));
    if (wasmAddress) return { ok: true, pa: wasmAddress - this.ram.wasmAddress + this.ram.base, ipa };
    const fault = cpu.FAULT;
    if (fault === Fault.Bus) return { ok: true, pa: Number(this.#view.getBigUint64(CPU.WALK_PA, true)), ipa };
    const failed = { ok: false, stage: fault === Fault.Stage1 ? 1 : 2, fsc: cpu.FAULT_STATUS, ipa } as const;
    return fault === Fault.Stage2OnWalk ? { ...failed, walkLevel: cpu.WALK_LEVEL } : failed;
  }

  invalidateStage2(stage2: number, _ipa: number, size: number): void {
    const lost = size > EXACT_INVALIDATION ? undefined : this.stage2Pool.tables(stage2)?.takeLost();
    if (!lost) return this.#exports.tlbFlushStage2(stage2);
    for (const { pa, size } of lost) {
      const wasmAddress = pa - this.ram.base + this.ram.wasmAddress;
      this.#exports.tlbFlushTargets(stage2, wasmAddress, wasmAddress + size);
    }
  }

  isUnanswered(vcpu: VcpuState): boolean {
    return this.#residency.tlbs.isUnanswered(vcpu);
  }

  *cachedPages(stage2: number): Generator<CachedPage> {
    for (const { va, wasmAddress, write } of this.#residency.tlbs.entries(stage2)) {
      yield { va, pa: wasmAddress - this.ram.wasmAddress + this.ram.base, write };
    }
  }

  tlbImage(vcpus: readonly VcpuState[]): Uint8Array {
    return this.#residency.tlbImage(vcpus);
  }

  setTlbImage(vcpus: readonly VcpuState[], image: Uint8Array, trusted: boolean): string | undefined {
    return this.#residency.setTlbImage(vcpus, image, trusted);
  }

  memoryWritten(pa: number, size: number): void {
    const wasmAddress = this.#placeOf(pa, size);
    this.#decoded.written(wasmAddress, size);
    this.#written.note(wasmAddress, size);
  }

  /** Where RAM is in the Wasm memory. Throws a RangeError outside RAM. */
  #placeOf(pa: number, size: number): number {
    const wasmAddress = pa - this.ram.base + this.ram.wasmAddress;
    if (wasmAddress < this.ram.wasmAddress || wasmAddress + size > this.ram.wasmAddress + this.ram.size) {
      throw new RangeError(`0x${pa.toString(16)} is not in RAM`);
    }
    return wasmAddress;
  }

  mayBeWritten(pa: number): boolean {
    return this.#written.mayHave(pa);
  }

  written(): Written {
    return this.#written.latest;
  }

  forgetWritten(byWord = false): void {
    this.#written.forget(byWord);
    this.#exports.tlbSlowWrites();
  }

  flush(): void {
    this.#exports.tlbFlushAll();
    this.#decoded.clear();
  }

  #wordAt(vcpu: VcpuContext): number {
    const here = this.inspect(vcpu, vcpu.pc);
    return here.ok ? this.#view.getInt32(4 * (here.pa - this.ram.base + this.ram.wasmAddress >>> 2), true) : 0;
  }

  /** Brings EL2's time and counts to the turn of the instruction in progress. Wants IP and END. */
  #reportProgress(): void {
    const cpu = this.#cpu;
    if (!this.#el2) return;
    this.#takeRepeats();
    this.#report(cpu.RUN_END - (cpu.END - cpu.IP) / DECODED_SIZE);
  }

  /** Brings them to the turn of an instruction that begins at a virtual time. */
  #report(time: number): void {
    const passed = this.#el2?.reached(time) ?? 0;
    this.#budget.pass(passed);
    this.#repeats.passed(passed);
  }

  #deviceAtomic(): boolean {
    this.#reportProgress();
    const access = this.#residency.vcpu?.deviceAtomic;
    if (!access) throw new Error("no access to Device memory was noted");
    return this.#onDeviceAtomic?.(access) ?? false;
  }

  #staleUsed(): void {
    this.#reportProgress();
    const use = this.#residency.vcpu?.staleUse;
    if (!use) throw new Error("no use of a stale translation was noted");
    this.#onStaleUse?.();
  }

  #undefinedInstruction(pc: bigint, word: number): void {
    const known = this.#undefinedWords;
    if (known.has(word) || known.size >= UNDEFINED_WORDS) return;
    known.add(word);
    this.#reportProgress();
    const { base, wasmAddress } = this.ram;
    const pa = this.#decoded.wasmAddressOf(this.#cpu.IP) - wasmAddress + base;
    const { name = "", feature, level = 0 } = nameWord(word) ?? {};
    const isAbove = level > (this.#cpu.PSTATE & Pstate.ElMask ? 1 : 0);
    const lack = isAbove ? `EL${level}${name && ` (${name})`}` : feature === undefined ? "" : lackOf(feature, this.cpu);
    this.#onUndefined?.({ word, text: disassemble(word, pc), lack, pc, pa });
  }
}
