// The AArch64 core over a machine's memory: `Core` of interface.ts. It moves vCPUs in and out of the CPU record, runs them in slices, and
// shapes what comes out as exceptions to EL2. DESIGN "The core".

import { Breakpoints } from "./breakpoints.ts";
import { CONTEXT_SIZE, CPU, CPU_RECORD, Pending } from "./cpu-record.ts";
import { type CoreExports, generateCore, instantiateCore } from "./core-module.ts";
import { AbortSyndrome, ExceptionClass, exceptionClass, Pstate } from "./exceptions.ts";
import { Access } from "./functions.ts";
import type { Dispatch } from "./interpreter/interpreter.ts";
import { type DebugCore, type Exit, ExitReason, type Translation, type VcpuState } from "./interface.ts";
import { writeCrcTables } from "./interpreter/integer-functions.ts";
import { CONTEXT_STRIDE, CONTEXTS, CORE_SIZE, STAGE2_TABLES, TLB_POOL } from "./layout.ts";
import { loadStoreSyndrome } from "./load-store-syndrome.ts";
import { AccessKind, Fault, type RamLayout } from "./mmu.ts";
import { recordPageIndex, RecordPool } from "./records.ts";
import { Stage2Pool } from "./stage2.ts";
import { TlbPool, TlbSpace } from "./tlb.ts";
import type { Tier } from "./tiers.ts";
import { type Hotness, Translator, type TranslatorCounters } from "./translator/translator.ts";
import { completeRead, skipInstruction, storeValue, VcpuContext } from "./vcpu-state.ts";

/**
 * Instructions in one call of the Wasm function. V8 replaces running code by optimized code only when it is entered again, so that the first
 * seconds want short slices.
 */
const SLICE = 100_000;

/** What a core tells besides its exits. */
export interface CoreOptions {
  /** An instruction that this core does not have was decoded: its word and physical address. Called once for each word. */
  readonly onUndefined?: (word: number, pa: number) => void;
  /** Pages of decoded instructions that are kept; all that there is room for unless a test wants fewer. */
  readonly recordPages?: number;
  /** What executes: the interpreter alone, which is the default, or regions of the translator as well (`auto`; `jit` translates sooner). */
  readonly tier?: Tier;
  /** For tests: when regions are compiled, and after how many instructions the translator looks. */
  readonly hotness?: Hotness & { readonly slice: number };
}

/** When regions are compiled; a sample stands for `slice` instructions. */
const HOTNESS: Record<Exclude<Tier, "interp">, Hotness & { readonly slice: number }> = {
  jit: { samples: 1, batch: 1, slice: 20_000 },
  auto: { samples: 64, batch: 4, slice: 20_000 },
};

/** The core. It owns the first `CORE_SIZE` bytes of the memory. */
export class WasmCore implements DebugCore {
  /** Arms and handlers of its interpreter, for tests. */
  readonly dispatch: Dispatch;
  /** Where address spaces get their tables. */
  readonly stage2Pool: Stage2Pool;
  readonly #exports: CoreExports;
  readonly #records: RecordPool;
  readonly #translator: Translator | undefined;
  readonly #slice: number;
  readonly #tlbs: TlbPool;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #freeContexts: number[] = [];
  readonly #undefinedWords = new Set<number>();
  readonly #breakpoints = new Breakpoints();
  #resident: VcpuContext | undefined;
  readonly #exit: Exit = { reason: ExitReason.Budget, retired: 0, esr: 0, far: 0n, ipa: 0, pa: 0 };

  /** @param ram where guest RAM lies; it must be above `CORE_SIZE` in the memory. */
  constructor(readonly memory: WebAssembly.Memory, readonly ram: RamLayout, options: CoreOptions = {}) {
    if (ram.host < CORE_SIZE) throw new RangeError("guest RAM overlaps the core's own memory");
    const core = generateCore(ram, memory.buffer.byteLength);
    this.dispatch = core.dispatch;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    const { functions, link } = instantiateCore(core, memory, {
      decode: (ip) => this.#records.decode(ip),
      allocateRecords: (host) => this.#records.allocate(host >>> 0),
      releaseRecords: (page) => this.#records.release(page),
      regionsWritten: (page, first, end) => this.#translator?.written(recordPageIndex(page), first, end),
      pageEntered: (va, host) => this.#pageEntered(BigInt.asUintN(64, va), host >>> 0),
    });
    this.#exports = functions;
    const { tier = "interp" } = options;
    if (tier === "interp") this.#slice = SLICE;
    else {
      const hotness = options.hotness ?? HOTNESS[tier];
      this.#slice = hotness.slice;
      this.#translator = new Translator(core, link, hotness);
    }
    this.#records = new RecordPool(memory, core.dispatch, {
      forgetRecordPage: (page) => this.#exports.tlbForgetRecords(page),
      regionsWritten: (index, first, end) => this.#translator?.written(index, first, end),
      undefinedWord: (word, host) => {
        if (this.#undefinedWords.has(word)) return;
        this.#undefinedWords.add(word);
        options.onUndefined?.(word, host - ram.host + ram.base);
      },
    }, options.recordPages);
    writeCrcTables(memory);
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
    this.#tlbs.release(context);
    this.#freeContexts.push(context.address);
  }

  /** What the translator has done; undefined where there is none. */
  get translatorCounters(): Readonly<TranslatorCounters> | undefined {
    return this.#translator?.counters;
  }

  run(vcpu: VcpuState, now: number, budget: number, floor: number): Exit {
    return this.#run(vcpu, now, budget, floor, true);
  }

  step(vcpu: VcpuState, now: number, floor: number): Exit {
    return this.#run(vcpu, now, 1, floor, false);
  }

  insertBreakpoint(stage2: number, address: bigint): void {
    if (this.#breakpoints.insert(stage2, address)) this.#watchAgain();
  }

  removeBreakpoint(stage2: number, address: bigint): void {
    this.#breakpoints.remove(stage2, address);
  }

  #run(vcpu: VcpuState, now: number, budget: number, floor: number, stops: boolean): Exit {
    this.#enter(this.#own(vcpu));
    const view = this.#view, words = this.#words, exit = this.#exit;
    view.setFloat64(CPU.TIME_FLOOR, floor, true);
    words[CPU.PENDING >> 2] = Pending.None;
    let left = budget;
    do {
      const slice = Math.min(left, this.#slice);
      // Time passes with the instructions of this slice up to its end.
      view.setFloat64(CPU.RUN_END, now + budget - left + slice, true);
      left -= slice - this.#exports.run(slice);
      exit.reason = words[CPU.EXIT_REASON >> 2] as ExitReason;
      if (exit.reason === ExitReason.Breakpoint && !(stops && this.#breakpoints.has(vcpu.stage2, vcpu.pc))) {
        view.setFloat64(CPU.RUN_END, now + budget - left + 1, true);
        left -= this.#passMark(vcpu, stops);
        exit.reason = words[CPU.EXIT_REASON >> 2] as ExitReason;
      }
      if (exit.reason === ExitReason.Budget) this.#translator?.sample();
    } while (left > 0 && exit.reason === ExitReason.Budget);
    exit.retired = budget - left;
    if (exit.reason === ExitReason.Trap || exit.reason === ExitReason.Bus) this.#readSyndrome();
    return exit;
  }

  completeRead(vcpu: VcpuState, esr: number, value: bigint): void {
    completeRead(vcpu, esr, value);
  }

  storeValue(vcpu: VcpuState, esr: number): bigint {
    return storeValue(vcpu, esr);
  }

  skip(vcpu: VcpuState): void {
    skipInstruction(vcpu);
  }

  takeException(vcpu: VcpuState, esr: number, far = 0n): void {
    this.#enter(this.#own(vcpu));
    this.#exports.injectException(esr | 0, far);
    this.#words[CPU.PENDING >> 2] = Pending.None;
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
    // The walk looks at the EL that is current.
    const pstate = this.#words[CPU.PSTATE >> 2];
    if (el === 1) this.#words[CPU.PSTATE >> 2] = pstate & ~Pstate.ElMask | Pstate.EL1t;
    const host = this.#exports.translate(BigInt.asIntN(64, va), kind) >>> 0;
    this.#words[CPU.PSTATE >> 2] = pstate;
    const ipa = Number(this.#view.getBigUint64(CPU.WALK_IPA, true));
    if (host) return { ok: true, pa: host - this.ram.host + this.ram.base, ipa };
    const fault = this.#words[CPU.FAULT >> 2];
    if (fault === Fault.Bus) return { ok: true, pa: Number(this.#view.getBigUint64(CPU.WALK_PA, true)), ipa };
    return { ok: false, stage: fault === Fault.Stage1 ? 1 : 2, fsc: this.#words[CPU.FAULT_STATUS >> 2], ipa };
  }

  invalidateStage2(stage2: number, _ipa: number, _size: number): void {
    this.#exports.tlbFlushStage2(stage2);
  }

  memoryWritten(pa: number, size: number): void {
    const host = pa - this.ram.base + this.ram.host;
    if (host < this.ram.host || host + size > this.ram.host + this.ram.size) throw new RangeError(`0x${pa.toString(16)} is not in RAM`);
    this.#records.written(host, size);
  }

  flush(): void {
    this.#exports.tlbFlushAll();
    this.#records.clear();
  }

  /** Executes the instruction of a mark where nobody stops; 1 when it retired. */
  #passMark(vcpu: VcpuState, unwanted: boolean): number {
    const { pc } = vcpu;
    const host = this.#records.hostOf(this.#words[CPU.IP >> 2]);
    const retired = this.#records.pass(host, () => 1 - this.#exports.run(1));
    if (unwanted && this.#breakpoints.forget(vcpu.stage2, pc)) {
      this.#records.unmark(host);
      this.#watchAgain();
    }
    return retired;
  }

  /** Every page is entered anew, so that the marks in it are made. */
  #watchAgain(): void {
    this.#words[CPU.WATCHING >> 2] = this.#breakpoints.watching ? 1 : 0;
    this.#exports.tlbFlushAll();
  }

  #pageEntered(va: bigint, host: number): void {
    for (const offset of this.#breakpoints.offsets(this.#words[CPU.STAGE2_ID >> 2], va)) this.#records.mark(host + offset);
  }

  /** Makes a vCPU resident and what derives from its registers right. */
  #enter(vcpu: VcpuContext): void {
    if (vcpu !== this.#resident) {
      this.#evict();
      this.#bytes.copyWithin(CPU_RECORD, vcpu.address, vcpu.address + CONTEXT_SIZE);
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
    this.#bytes.copyWithin(vcpu.address, CPU_RECORD, CPU_RECORD + CONTEXT_SIZE);
    vcpu.resident = false;
    this.#resident = undefined;
  }

  /** ESR, FAR and addresses of a Trap or Bus exit; aborts get the part of the syndrome that the encoding gives. */
  #readSyndrome(): void {
    const view = this.#view, exit = this.#exit;
    exit.esr = view.getUint32(CPU.EXIT_ESR, true);
    exit.far = view.getBigUint64(CPU.EXIT_FAR, true);
    exit.ipa = Number(view.getBigUint64(CPU.EXIT_IPA, true));
    exit.pa = Number(view.getBigUint64(CPU.EXIT_PA, true));
    const special = AbortSyndrome.S1ptw | AbortSyndrome.Cm;
    if (exceptionClass(exit.esr) === ExceptionClass.DataAbortLower && !(exit.esr & special)) {
      exit.esr = (exit.esr | loadStoreSyndrome(this.#exports.currentWord())) >>> 0;
    }
  }

  #own(vcpu: VcpuState): VcpuContext {
    if (!(vcpu instanceof VcpuContext)) throw new TypeError("a vCPU of another core");
    return vcpu;
  }
}
