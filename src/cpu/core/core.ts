// The AArch64 core over a machine's memory: `Core` of interface.ts. It moves vCPUs in and out of
// the CPU state, runs them in slices, and shapes what comes out as exceptions to EL2.
// docs/design/decisions.md §9.

import { type Cpu, DEFAULT_CPU, parseCpu } from "../isa/cpus/cpus.ts";
import { type Identification, identificationOf } from "../isa/cpus/identification.ts";
import { Pstate } from "./architecture/exceptions.ts";
import { CoreCode } from "./core-code.ts";
import { Counters } from "./counters.ts";
import { type CoreExports, coreFor } from "./core-module.ts";
import { decodedPageIndex, type DecodedPages } from "./decoded/decoded-pages.ts";
import { COUNTED_PAGES } from "./decoded/execution-counters.ts";
import type { Dispatch } from "./decoded/variants.ts";
import type { DebugCore, DeviceAtomicAccess, Exit, ExitHandler, Translation, VcpuProgress, VcpuState } from "./interface.ts";
import { type ExecutionCounting, ExecutionCounts } from "./execution-counts.ts";
import { LatestExit } from "./exceptions/latest-exit.ts";
import { retiredKinds } from "./interpreter/retired.ts";
import { writeCrcTables } from "./interpreter/integer-functions.ts";
import type { RamLayout } from "./memory/translation.ts";
import { Stage2Pool } from "./memory/stage2.ts";
import type { Written, WrittenMemory } from "./memory/written-memory.ts";
import { completeRead, storeValue, type VcpuContext } from "./registers/vcpu-context.ts";
import { registerNames } from "./registers/vcpu-state.ts";
import { Questions } from "./questions.ts";
import { contextOf, Residency } from "./residency.ts";
import { RunLoop } from "./run-loop.ts";
import { writeAesTables, writeSm4Table } from "./simd/crypto.ts";
import { type CpuFields, cpuFields } from "./state/cpu-fields.ts";
import { Pending } from "./state/cpu-state.ts";
import { CORE_SIZE, OF_VCPUS, STAGE2_TABLES } from "./state/layout.ts";
import { Stops } from "./stops.ts";
import type { Tier } from "./tiers.ts";
import { CounterWaits } from "./waits/counter-waits.ts";
import type { Compiler } from "./translator/compiler/compiler.ts";
import type { RegionStore } from "./translator/region-store.ts";
import { instructionsOf } from "./translator/code/instruction.ts";
import type { Hotness } from "./translator/heat.ts";
import { Translator } from "./translator/translator.ts";
import { WordTable } from "./translator/code/word-table.ts";
import { type UndefinedInstruction, UndefinedWords } from "./undefined-words.ts";

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
  /** For tests: makes modules of regions later; by default a thread that the program has for it. */
  readonly compiler?: Compiler;
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

/**
 * Instructions in one call of the Wasm function. V8 replaces running code by optimized code only
 * when it is entered again, so that the first seconds want short slices.
 */
const SLICE = 100_000;

/** When regions are compiled; a sample stands for `slice` instructions. */
const HOTNESS: Record<Exclude<Tier, "interp">, Hotness & { readonly slice: number }> = {
  jit: { samples: 1, landings: 16, slice: 20_000 },
  auto: { samples: 12, price: 0.4, landings: 2000, slice: 20_000 },
};

/** The core. It owns the first `CORE_SIZE` bytes of the memory. */
export class WasmCore implements DebugCore {
  readonly memory: WebAssembly.Memory;
  readonly ram: RamLayout;
  readonly cpu: Cpu;
  readonly identification: Identification;
  /** Handlers of the interpreter and how the decoder uses them, for tests. */
  readonly dispatch: Dispatch;
  /** The pool of stage-2 tables for address spaces. */
  readonly stage2Pool: Stage2Pool;
  readonly residency: Residency;
  readonly stops: Stops;
  readonly counters: Counters;
  readonly questions: Questions;
  readonly #options: CoreOptions;
  readonly #code: CoreCode;
  readonly #exports: CoreExports;
  readonly #decoded: DecodedPages;
  readonly #written: WrittenMemory;
  readonly #fields: CpuFields;
  readonly #runs: RunLoop;
  readonly #counts: ExecutionCounts | undefined;
  readonly #undefinedWords: UndefinedWords;
  readonly #retired: WordTable<number>;

  /** @param ram where guest RAM lies; it must be above `CORE_SIZE` in the memory. */
  constructor(memory: WebAssembly.Memory, ram: RamLayout, options: CoreOptions = {}) {
    this.memory = memory;
    this.ram = ram;
    this.#options = options;
    if (ram.wasmAddress < CORE_SIZE) throw new RangeError("guest RAM overlaps the core's own memory");
    const cpu = options.cpu ?? parseCpu(DEFAULT_CPU), { features } = cpu, isCounting = options.counts !== undefined;
    const core = options.code?.core ?? coreFor(ram, memory.buffer.byteLength, { cpu, counts: isCounting });
    const { instructions } = core.dispatch;
    this.cpu = cpu;
    this.identification = identificationOf(features);
    this.dispatch = core.dispatch;
    this.#retired = new WordTable((word) => retiredKinds(instructions, word), RETIRED_SHIFT);
    this.#undefinedWords = new UndefinedWords(cpu);
    const fields = this.#fields = cpuFields(memory), words = new Int32Array(memory.buffer), exit = new LatestExit(fields, memory);
    const { tier = "interp" } = options, hotness = options.hotness ?? (tier === "interp" ? undefined : HOTNESS[tier]);
    const code = this.#code = options.code ?? new CoreCode(core, memory, ram, {
      decodedPages: options.decodedPages ?? (isCounting ? COUNTED_PAGES : undefined),
      translator: hotness && ((link) => new Translator(core, link, hotness, options.codeBytes, options.regions, options.compiler)),
    });
    if (code.memory !== memory) throw new TypeError("the code of another memory");
    const { functions: exports, translator, decoded } = code;
    this.#exports = exports;
    this.#decoded = decoded;
    this.#written = code.written;
    const counts = this.#counts = options.counts && new ExecutionCounts(memory, options.counts);
    // Its evaluation knows EL1 and EL0.
    const waits = (options.sparesWaits ?? true) && !features.has("FEAT_EL2")
      ? new CounterWaits({ words, halves: new Uint16Array(memory.buffer), instructions: instructionsOf(instructions) })
      : undefined;
    writeCrcTables(memory);
    writeAesTables(memory);
    if (features.has("FEAT_SM4")) writeSm4Table(memory);
    const stage2Pool = this.stage2Pool = new Stage2Pool(memory, STAGE2_TABLES.base, STAGE2_TABLES.size);
    const residency = this.residency = new Residency(memory, fields, exports, {
      ram,
      stage2Pool,
      decoded,
      names: registerNames(features, cpu.listRegisters),
    });
    const view = new DataView(memory.buffer);
    const questions = this.questions = new Questions({ cpu, ram, instructions, fields, view, exports, residency });
    const stops = this.stops = new Stops({
      memory,
      cpu: fields,
      exports,
      decoded,
      tlbs: residency.tlbs,
      watchesEntries: isCounting,
      features,
      instructions,
      wordAt: (vcpu) => questions.wordAt(vcpu),
      placeOf: (pa, size) => this.#placeOf(pa, size),
    });
    this.counters = new Counters(exit, translator, waits, counts);
    const hasMonitors = features.has("FEAT_PMUv3"), slice = hotness?.slice ?? SLICE;
    this.#runs = new RunLoop({ cpu: fields, words, exports, exit, residency, stops, translator, waits, counts, hasMonitors, slice });
    this.#serve();
  }

  #serve(): void {
    this.#code.serve({
      pageLeft: (index) => this.#counts?.left(index),
      wordChanged: (page) => this.#counts?.changes(decodedPageIndex(page)),
      undefinedInstruction: (pc, word) => this.#undefinedInstruction(BigInt.asUintN(64, pc), word >>> 0),
      watched: (va, access, wasmAddress, size) =>
        this.stops.watched(this.residency.vcpu, { va, access, wasmAddress: wasmAddress >>> 0, size }),
      pageEntered: (va, wasmAddress) => this.#pageEntered(BigInt.asUintN(64, va), wasmAddress >>> 0),
      deviceAtomic: () => this.#deviceAtomic() ? 1 : 0,
      staleUsed: () => this.#staleUsed(),
      exited: (left) => this.#runs.exited(left),
      retired: (word) => this.#retired.of(word),
    });
  }

  leave(): CoreCode | undefined {
    if (this.#counts) return undefined;
    this.#decoded.unmarkAll();
    this.residency.tlbs.clear();
    this.#written.forget(false);
    const bytes = new Uint8Array(this.memory.buffer);
    for (const { start, end } of OF_VCPUS) bytes.fill(0, start, end);
    return this.#code;
  }

  #pageEntered(va: bigint, wasmAddress: number): void {
    this.stops.pageEntered(va, wasmAddress);
    if (!this.#counts) return;
    const { STAGE2_ID: stage2, PSTATE: pstate } = this.#fields, page = this.#decoded.pageOf(wasmAddress);
    const entry = { index: decodedPageIndex(page), stage2, address: va, privileged: (pstate & Pstate.ElMask) !== 0 };
    if (this.#counts.entered(entry)) this.#exports.tlbForgetDecoded(page);
  }

  /** Throws a RangeError when there are more vCPUs than contexts (more than a thousand). */
  createVcpu(): VcpuContext {
    return this.residency.create();
  }

  /** Its context and its TLB space are free afterwards. */
  releaseVcpu(vcpu: VcpuState): void {
    const context = contextOf(vcpu);
    this.residency.release(context);
    this.stops.guest.disarm(context);
  }

  run(vcpu: VcpuState, now: number, budget: number, floor: number, el2?: ExitHandler): Exit {
    return this.#runs.run(vcpu, now, budget, floor, el2, true);
  }

  step(vcpu: VcpuState, now: number, floor: number): Exit {
    return this.#runs.run(vcpu, now, 1, floor, undefined, false);
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
    this.residency.enter(contextOf(vcpu));
    this.#exports.injectException(esr | 0, far);
    this.#fields.PENDING = Pending.None;
  }

  progress(vcpu: VcpuState): VcpuProgress {
    const context = contextOf(vcpu);
    return { monitor: this.residency.monitorOf(context), stepped: context.stepped };
  }

  setProgress(vcpu: VcpuState, { monitor, stepped }: VcpuProgress): void {
    const context = contextOf(vcpu);
    context.stepped = stepped;
    if (monitor) this.residency.setMonitor(context, monitor);
  }

  translate(vcpu: VcpuState, va: bigint, access: "read" | "write", el: 0 | 1): Translation {
    return this.questions.translate(vcpu, va, access, el);
  }

  invalidateStage2(stage2: number, _ipa: number, size: number): void {
    const lost = size > EXACT_INVALIDATION ? undefined : this.stage2Pool.tables(stage2)?.takeLost();
    if (!lost) return this.#exports.tlbFlushStage2(stage2);
    for (const { pa, size } of lost) {
      const wasmAddress = pa - this.ram.base + this.ram.wasmAddress;
      this.#exports.tlbFlushTargets(stage2, wasmAddress, wasmAddress + size);
    }
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

  #deviceAtomic(): boolean {
    this.#runs.reportProgress();
    const access = this.residency.vcpu?.deviceAtomic;
    if (!access) throw new Error("no access to Device memory was noted");
    return this.#options.onDeviceAtomic?.(access) ?? false;
  }

  #staleUsed(): void {
    this.#runs.reportProgress();
    const use = this.residency.vcpu?.staleUse;
    if (!use) throw new Error("no use of a stale translation was noted");
    this.#options.onStaleUse?.();
  }

  #undefinedInstruction(pc: bigint, word: number): void {
    if (!this.#undefinedWords.isNew(word)) return;
    this.#runs.reportProgress();
    const { base, wasmAddress } = this.ram, { IP: ip, PSTATE: pstate } = this.#fields;
    const pa = this.#decoded.wasmAddressOf(ip) - wasmAddress + base;
    this.#options.onUndefined?.(this.#undefinedWords.describe(word, pc, pa, pstate & Pstate.ElMask ? 1 : 0));
  }
}
