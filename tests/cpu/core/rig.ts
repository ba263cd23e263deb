// A core without an interpreter, for tests of its MMU, exceptions and system registers: the Wasm
// functions of these parts with the functions of decoded instructions replaced by plain ones,
// RAM, and one vCPU in the hot CPU state.

import { loadStoreSyndrome } from "../../../src/cpu/core/architecture/load-store-syndrome.ts";
import { type Cpu, DEFAULT_CPU, parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { declareEl2 } from "../../../src/cpu/core/state/banks.ts";
import { CPU, Pending, Slot, xAddress } from "../../../src/cpu/core/state/cpu-state.ts";
import { defineExceptions } from "../../../src/cpu/core/exceptions/exception-entry.ts";
import { Pstate } from "../../../src/cpu/core/architecture/exceptions.ts";
import { callee, define, type FunctionName } from "../../../src/cpu/core/state/functions.ts";
import { Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { Library } from "../../../src/cpu/core/wasm/library.ts";
import { defineMemoryAccess } from "../../../src/cpu/core/memory/memory-access.ts";
import { defineTableStores } from "../../../src/cpu/core/memory/table-stores.ts";
import { defineMmu } from "../../../src/cpu/core/memory/mmu.ts";
import { defineWrittenWords } from "../../../src/cpu/core/memory/written-words.ts";
import { type Stage2, STAGE2_TABLE_SIZE, Stage2Pool } from "../../../src/cpu/core/memory/stage2.ts";
import { declarePerformance } from "../../../src/cpu/core/exceptions/performance-events.ts";
import { definePerformanceMonitors } from "../../../src/cpu/core/registers/performance-monitors.ts";
import { definePointerAuthentication } from "../../../src/cpu/core/registers/pointer-authentication.ts";
import { defineSystemInstructions } from "../../../src/cpu/core/registers/system-instructions.ts";
import { defineSystemRegisters } from "../../../src/cpu/core/registers/system-register-access.ts";
import { defineTlb } from "../../../src/cpu/core/memory/tlb.ts";
import { TlbSpace } from "../../../src/cpu/core/state/tlb-layout.ts";
import { TlbPool } from "../../../src/cpu/core/memory/tlb-pool.ts";
import { Code, constant } from "../../../src/cpu/core/wasm/expression.ts";
import { WasmModule } from "../../../src/cpu/core/wasm/module.ts";

export const RAM_BASE = 0x4000_0000;
export const RAM_SIZE = 0x40_0000;
const TLB_BASE = 0x1_0000;
const SPACES = 2;
const WRITE_MAPPED = 0x8000;
/** A bit for each word of RAM, and a doubleword for each page of the memory. */
export const WRITTEN_MAPS = { words: 0x37_0000, lines: 0xa000 } as const;
const TLB_POOL = { base: TLB_BASE, spaces: SPACES, empty: TLB_BASE + SPACES * TlbSpace.Size, writeMapped: WRITE_MAPPED };
const STAGE2_BASE = 0x30_0000;
const STAGE2_TABLES = 16;
const RAM_HOST = 0x40_0000;
const MEMORY_SIZE = RAM_HOST + RAM_SIZE;
/** Decoded instructions are not there: IP is four times an offset from this PC. */
export const CODE = 0xffff_8000_0000_1000n;

const EVERYTHING = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0;

/** Functions of the seam that tests call. 16-byte accesses cannot be called from JavaScript. */
const CALLED: readonly FunctionName[] = [
  "slowLoad",
  "slowStore",
  "slowAddress",
  "readableAt",
  "writableAt",
  "fetchAddress",
  "raiseUndefined",
  "raiseSupervisorCall",
  "raiseBreakpoint",
  "raiseHalt",
  "hypervisorCall",
  "secureMonitorCall",
  "raiseFpTrap",
  "raiseSpAlignment",
  "exceptionReturn",
  "readSystemRegister",
  "writeSystemRegister",
  "writePstateField",
  "systemInstruction",
  "checkZeroAllowed",
  "waitFor",
  "protectCodePage",
  "updateRegime",
  "checkInterrupts",
];

type Exported = Record<string, (...args: (number | bigint)[]) => number | bigint | undefined>;

const compiled = new Map<string, WebAssembly.Module>();

/** The module of rigs with a CPU. */
function moduleFor({ key, features }: Cpu): WebAssembly.Module {
  let module = compiled.get(key);
  if (!module) compiled.set(key, module = compile(features));
  return module;
}

function compile(features: Cpu["features"]): WebAssembly.Module {
  const module = new WasmModule();
  module.importMemory({ module: "env", name: "memory", minimum: MEMORY_SIZE >>> 16, maximum: MEMORY_SIZE >>> 16, shared: false });
  const imports = {
    currentWord: module.importFunction("env", "currentWord", [], ["i32"]),
    currentTime: module.importFunction("env", "currentTime", [], ["f64"]),
    isCodePage: module.importFunction("env", "isCodePage", ["i32"], ["i32"]),
    dropDecoded: module.importFunction("env", "dropDecoded", ["i32", "i32"], []),
    ownerOf: module.importFunction("env", "ownerOf", ["i32"], ["i32"]),
    holdsDecoded: module.importFunction("env", "holdsDecoded", ["i32", "i32"], ["i32"]),
  };
  const undefinedInstruction = module.importFunction("env", "undefinedInstruction", ["i64", "i32"], []);
  const watched = module.importFunction("env", "watched", ["i64", "i32", "i32", "i32"], ["i32"]);
  const deviceAtomic = module.importFunction("env", "deviceAtomic", [], ["i32"]);
  const staleUsed = module.importFunction("env", "staleUsed", [], []);
  const loadStore = features.has("FEAT_EL2") ? module.importFunction("env", "loadStoreSyndrome", ["i32"], ["i32"]) : undefined;
  const library = new Library(module);
  if (features.has("FEAT_EL2")) declareEl2(library);
  if (features.has("FEAT_PMUv3")) {
    declarePerformance(library);
    definePerformanceMonitors(library, features);
  }
  for (const [name, index] of Object.entries(imports)) {
    const f = define(library, name as FunctionName);
    f.parameters.forEach((_, i) => f.get(i));
    f.call(index);
  }
  const pc = new Code(define(library, "currentPc"));
  pc.result(constant("i64", CODE).add(pc.load("i32.load", CPU.IP).shrU(2).wide()));
  defineExceptions(library, undefinedInstruction, features, TLB_POOL);
  defineTlb(library, TLB_POOL, features);
  defineWrittenWords(library, WRITTEN_MAPS);
  const ram = { base: RAM_BASE, size: RAM_SIZE, wasmAddress: RAM_HOST };
  defineMmu(library, ram, features);
  defineTableStores(library, TLB_POOL, ram);
  defineMemoryAccess(library, TLB_POOL, { watched, deviceAtomic, staleUsed, loadStore }, features);
  defineSystemRegisters(library, features);
  defineSystemInstructions(library, features);
  if (features.has("FEAT_PAuth")) definePointerAuthentication(library, features);
  for (const name of CALLED) module.export(callee(library, name));
  module.export(library.named("readAddress"));
  library.check();
  return new WebAssembly.Module(module.encode());
}

/**
 * See the top of this file. Its vCPU starts at EL1h with stage 2 flat over RAM and everything else
 * off.
 */
export class Rig {
  readonly memory = new WebAssembly.Memory({ initial: MEMORY_SIZE >>> 16, maximum: MEMORY_SIZE >>> 16 });
  readonly view = new DataView(this.memory.buffer);
  readonly functions: Exported;
  readonly stage2: Stage2;
  readonly pool: TlbPool;
  readonly space: number;
  /** Wasm addresses of pages that hold decoded instructions, and what was dropped of them. */
  readonly codePages = new Set<number>();
  readonly dropped: [wasmAddress: number, size: number][] = [];
  /** Virtual time that `currentTime` gives, ns. */
  time = 0;
  /** The instruction word that `currentWord` gives. */
  word = 0;

  constructor(cpu: string | Cpu = DEFAULT_CPU) {
    const instance = new WebAssembly.Instance(moduleFor(typeof cpu === "string" ? parseCpu(cpu) : cpu), {
      env: {
        memory: this.memory,
        currentWord: () => this.word,
        currentTime: () => this.time,
        undefinedInstruction: () => {},
        watched: () => 0,
        deviceAtomic: () => 0,
        staleUsed: () => {},
        loadStoreSyndrome,
        isCodePage: (wasmAddress: number) => this.codePages.has(wasmAddress & ~4095) ? 1 : 0,
        ownerOf: () => 0,
        holdsDecoded: (wasmAddress: number) => this.codePages.has(wasmAddress & ~4095) ? 1 : 0,
        dropDecoded: (wasmAddress: number, size: number) => void this.dropped.push([wasmAddress, size]),
      },
    });
    this.functions = instance.exports as unknown as Exported;

    const stage2Pool = new Stage2Pool(this.memory, STAGE2_BASE, STAGE2_TABLES * STAGE2_TABLE_SIZE);
    this.stage2 = stage2Pool.create()!;
    this.stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, EVERYTHING);
    this.pool = new TlbPool(this.memory, TLB_POOL, (space) => void this.functions.tlbFlushSpace(space));
    this.space = this.pool.acquire(this, this.stage2.id);
    this.setWord("STAGE2", this.stage2.root);
    this.setWord("STAGE2_ID", this.stage2.id);
    for (const field of ["TLB_SPACE", "TLB_UNPRIVILEGED", "TLB_SPACE_EL1", "TLB_SPACE_EL2", "TLB_GUEST", "TLB_OTHER_GUEST"] as const) {
      this.setWord(field, this.space + TlbSpace.Sets);
    }
    this.setWord("PSTATE", Pstate.EL1h | Pstate.Daif);
    this.functions.updateRegime();
  }

  get(field: keyof typeof CPU): bigint {
    return this.view.getBigUint64(CPU[field], true);
  }

  set(field: keyof typeof CPU, value: bigint): void {
    this.view.setBigUint64(CPU[field], BigInt.asUintN(64, value), true);
  }

  getWord(field: keyof typeof CPU): number {
    return this.view.getUint32(CPU[field], true);
  }

  setWord(field: keyof typeof CPU, value: number): void {
    this.view.setUint32(CPU[field], value, true);
  }

  get sp(): bigint {
    return this.view.getBigUint64(xAddress(Slot.SP), true);
  }

  set sp(value: bigint) {
    this.view.setBigUint64(xAddress(Slot.SP), value, true);
  }

  /** Wasm address of a physical one. */
  wasmAddress(pa: number): number {
    return pa - RAM_BASE + RAM_HOST;
  }

  peek(pa: number): bigint {
    return this.view.getBigUint64(this.wasmAddress(pa), true);
  }

  poke(pa: number, value: bigint): void {
    this.view.setBigUint64(this.wasmAddress(pa), BigInt.asUintN(64, value), true);
  }

  /** Moves to an EL, PAN and the rest of PSTATE but NZCV. */
  pstate(value: number): void {
    this.functions.setPstate(value);
  }

  /** Calls a function of the core; returns its outcome. */
  call(name: FunctionName, ...args: (number | bigint)[]): Outcome {
    this.setWord("PENDING", Pending.None);
    const value = this.functions[name](...args);
    const pending = this.getWord("PENDING");
    if (pending === Pending.None) return { value: typeof value === "bigint" ? BigInt.asUintN(64, value) : value };
    if (pending === Pending.Redirect) {
      return { esr: Number(this.get("ESR_EL1")), far: this.get("FAR_EL1"), elr: this.get("ELR_EL1"), pc: this.get("PC") };
    }
    return {
      exit: this.getWord("EXIT_REASON"),
      esr: this.getWord("EXIT_ESR"),
      far: this.get("EXIT_FAR"),
      ipa: this.view.getFloat64(CPU.EXIT_IPA, true),
      pa: this.view.getFloat64(CPU.EXIT_PA, true),
      pc: this.get("PC"),
    };
  }
}

/** Result of a call: a value, an exception at EL1 (`elr`), or an exit (`exit`). */
export interface Outcome {
  value?: number | bigint;
  exit?: number;
  esr?: number;
  far?: bigint;
  elr?: bigint;
  ipa?: number;
  pa?: number;
  pc?: bigint;
}
