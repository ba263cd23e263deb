// The core's Wasm module: all its functions, generated and instantiated over a machine's memory.
// docs/design/decisions.md §9. Generation yields plain data (`CoreBlueprint`); a core is built from
// it, whether this process generated it or another.

import { type Cpu, DEFAULT_CPU, parseCpu } from "../isa/cpus/cpus.ts";
import { FEATURE_NAMES } from "../isa/cpus/features.ts";
import { instructionSetOf } from "../isa/instruction-set.ts";
import { type DecoderTables, makeDecoderTables, writeDecoderTables } from "./decoded/candidates.ts";
import type { HandlerTable } from "./decoded/handlers.ts";
import { defineExecutionCounters } from "./decoded/execution-counters.ts";
import { defineLandings } from "./decoded/landings.ts";
import { defineDecoded } from "./decoded/decoded-functions.ts";
import { defineDecoder } from "./decoded/decoder.ts";
import { OperandFills } from "./decoded/operand-fills.ts";
import type { Dispatch } from "./decoded/variants.ts";
import { defineExceptions } from "./exceptions/exception-entry.ts";
import { declarePerformance } from "./exceptions/performance-events.ts";
import { defineContextMove, defineRun } from "./exceptions/run-function.ts";
import { defineBranchTargets } from "./interpreter/branch-targets.ts";
import { defineIntegerFunctions } from "./interpreter/integer-functions.ts";
import { defineInterpreter, makeDispatch } from "./interpreter/interpreter.ts";
import { importsOf, type Link, OutlinedFunctions, OutlinedTable } from "./interpreter/outlined.ts";
import { defineMemoryAccess } from "./memory/memory-access.ts";
import { defineMemoryOperations } from "./memory/memory-operations.ts";
import { defineMmu } from "./memory/mmu.ts";
import type { RamLayout } from "./memory/translation.ts";
import { defineWrittenWords } from "./memory/written-words.ts";
import { defineTableStores } from "./memory/table-stores.ts";
import { defineTlb } from "./memory/tlb.ts";
import { defineCountedExecution, definePerformanceMonitors } from "./registers/performance-monitors.ts";
import { definePointerAuthentication } from "./registers/pointer-authentication.ts";
import { defineSystemInstructions } from "./registers/system-instructions.ts";
import { defineTimedWaits } from "./registers/timed-waits.ts";
import { defineSystemRegisters } from "./registers/system-register-access.ts";
import { contextSize } from "./registers/vcpu-state.ts";
import { defineFloatingPoint } from "./simd/functions.ts";
import { declareEl2 } from "./state/banks.ts";
import { TLB_POOL, WHOLE_LINES, WRITTEN_WORDS } from "./state/layout.ts";
import { defineLazyFlags } from "./translator/emission/lazy-flags.ts";
import { type Compiler, type StartCompiler, ThreadCompiler } from "./translator/compiler/compiler.ts";
import { backingFor, type CodeBacking, RegionStore } from "./translator/region-store.ts";
import { type KnownFunction, KnownFunctions, Library } from "./wasm/library.ts";
import { type ImportedMemory, WasmModule } from "./wasm/module.ts";
import { hasWideMultiplication } from "./wasm/wide-multiplication.ts";
import { WASM_PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** The functions that the module imports. */
export interface CoreImports {
  /**
   * Fills the decoded instruction at `ip`, which the decoder in Wasm cannot. Returns its handler,
   * 0 when the instruction after it cannot be known.
   */
  fillDecoded(ip: number): number;
  /** The decoded instruction at `ip` was filled. Regions wait for one in its page. */
  awaited(ip: number): void;
  /**
   * An instruction of the decoded page `page` is decoded that was another one before. In a core
   * that counts executions.
   */
  wordChanged(page: number): void;
  /** A fresh decoded page for the code page at `wasmAddress`. */
  allocateDecoded(wasmAddress: number): number;
  /** Gives up a decoded page. */
  releaseDecoded(page: number): void;
  /** Instructions [first, end) of a decoded page change, which has regions of the translator. */
  regionsWritten(page: number, first: number, end: number): void;
  /**
   * The instruction `word` at the virtual address `pc` is UNDEFINED where it is executed, in either
   * tier.
   */
  undefinedInstruction(pc: bigint, word: number): void;
  /**
   * The verdict of the watchpoints on a data access (`Watch`): address, descriptor (`Access`,
   * `AccessKind`), where it leads, and bytes, which may be more than the descriptor's. Only while
   * CPU.WATCHING_DATA is set.
   */
  watched(va: bigint, access: number, wasmAddress: number, size: number): number;
  /**
   * The resident vCPU is about to make its first exclusive or atomic access to Device memory, which
   * is in CPU.DEVICE_ATOMIC. Returns 1 if the run ends before it, else 0.
   */
  deviceAtomic(): number;
  /**
   * The resident vCPU has used, for the first time, a translation that its tables no longer held:
   * it is in CPU.STALE.
   */
  staleUsed(): void;
  /**
   * Execution enters the page at `wasmAddress` by virtual address `va`; only where `Watching` asks
   * for it.
   */
  pageEntered(va: bigint, wasmAddress: number): void;
  /**
   * An exception to EL2 with `left` instructions of the budget remaining, while CPU.EL2_CALLED is
   * set. Returns the budget of the code that follows; 0 ends the run.
   */
  exited(left: number): number;
  /** The kinds (`Retired`) of the instruction `word`. */
  retired(word: number): number;
  /** The part that the load or store `word` has of the syndrome of an abort to EL2 in the core. */
  loadStoreSyndrome(word: number): number;
}

/**
 * The module's exports for TypeScript; see `state/functions.ts` and the files that define the
 * functions.
 */
export interface CoreExports {
  /**
   * Runs the resident vCPU for at most `budget` instructions from CPU.PC. Returns the rest of the
   * budget; CPU.EXIT_REASON says why the run ended.
   */
  run(budget: number): number;
  /**
   * Copies a vCPU's context to an address from another: into the CPU state, or out of it
   * (exceptions/run-function.ts).
   */
  moveContext(to: number, from: number): void;
  /** Updates the state that derives from the context (state/functions.ts). */
  updateRegime(): void;
  /** Updates what pointer authentication derives from TCR_EL1, on CPUs that have it. */
  updatePointers?(): void;
  updatePointersOfEl2?(): void;
  /** Updates the state that derives from the registers of the performance monitors, if any. */
  updateCounters?(): void;
  /** Updates what follows from the GIC's virtual CPU interface, with FEAT_EL2. */
  updateVirtualInterface?(): void;
  /** Instructions up to an overflow that matters (registers/performance-monitors.ts). */
  overflowDistance?(): number;
  /** Exceptions (exceptions/exception-entry.ts). */
  injectException(esr: number, far: bigint): void;
  /** Wasm address, or 0 with CPU.FAULT (memory/mmu.ts). */
  translate(va: bigint, access: number): number;
  /** TLB maintenance (memory/tlb.ts). */
  tlbFlushSpace(space: number): void;
  tlbFlushAll(): void;
  tlbSlowWrites(): void;
  tlbFlushStage2(id: number): void;
  tlbFlushTargets(id: number, from: number, to: number): void;
  tlbForgetDecoded(page: number): void;
}

/**
 * The result of generating a core. Plain data, which follows from the sources and where RAM lies: a
 * cache may keep it.
 */
export interface CoreBlueprint {
  /** The binary module. */
  readonly code: Uint8Array<ArrayBuffer>;
  readonly functions: readonly KnownFunction[];
  readonly handlers: HandlerTable;
  readonly decoder: DecoderTables;
}

/** The store of blueprints beyond the process, by a key that says where RAM lies. */
export interface BlueprintStore {
  load(key: string): CoreBlueprint | undefined;
  keep(key: string, blueprint: CoreBlueprint): void;
}

/**
 * A module, and the rules by which its decoder fills decoded instructions. Nothing in it belongs to
 * one machine: all machines with the same CPU and RAM layout share it.
 */
export interface GeneratedCore {
  readonly module: WebAssembly.Module;
  /** Decodings and fused handlers. */
  readonly dispatch: Dispatch;
  readonly decoder: DecoderTables;
  /** The cold instructions. */
  readonly outlined: OutlinedFunctions;
  /** The signatures that other modules need to call its functions. */
  readonly library: KnownFunctions;
  readonly importedMemory: ImportedMemory;
  /** Regions that the translators of these cores have compiled. */
  readonly regions: RegionStore;
  /** Makes such regions in another thread; undefined where there is none. */
  readonly compiler: Compiler | undefined;
}

/** A generated module over its memory. */
interface InstantiatedCore {
  readonly functions: CoreExports;
  readonly link: Link;
  readonly outlined: OutlinedTable;
}

/** Cores kept for further machines: a session has one memory size, and its replay has the same. */
const KEPT = 2;
const kept = new Map<string, GeneratedCore>();
let surroundings: CoreSurroundings = {};

/** The surroundings of the cores of a thread. */
export interface CoreSurroundings {
  /** Where it looks for blueprints, and keeps them. */
  readonly blueprints?: BlueprintStore;
  /** The same for modules of regions. */
  readonly regions?: CodeBacking;
  /** Starts another thread that compiles regions. */
  readonly startCompiler?: StartCompiler;
}

/** Cores that are made from now on have these, and what was set before. */
export function equipCores(some: CoreSurroundings): void {
  surroundings = { ...surroundings, ...some };
}

/** The CPU of a core, and whether it counts how often instructions are executed. */
interface CoreKind {
  readonly cpu: Cpu;
  readonly counts: boolean;
}

const BASE: CoreKind = { cpu: parseCpu(DEFAULT_CPU), counts: false };

/**
 * The features of a CPU as a number, whose bits are in the order of their table; empty for `v8`. A
 * list of their names is longer than the name of a file may be.
 */
function featureBits({ key, features }: Cpu): string {
  if (key === "") return "";
  return FEATURE_NAMES.reduce((bits, name, index) => features.has(name) ? bits | 1n << BigInt(index) : bits, 0n).toString(16);
}

const kindKey = ({ cpu, counts }: CoreKind): string =>
  [featureBits(cpu), `${cpu.listRegisters ?? ""}`, counts ? "counts" : ""].filter((part) => part !== "").join();

/** The key of a blueprint in a store. */
export const blueprintKey = ({ base, wasmAddress, size }: RamLayout, wasmSize: number, kind = BASE) => {
  const key = kindKey(kind);
  return [base, wasmAddress, size, wasmSize, hasWideMultiplication(), ...key ? [key] : []].join();
};

/**
 * The module for RAM at `ram` in a memory of `wasmSize` bytes, made once for all machines of that
 * layout and kind.
 */
export function coreFor(ram: RamLayout, wasmSize: number, kind = BASE): GeneratedCore {
  const key = blueprintKey(ram, wasmSize, kind);
  const core = kept.get(key) ?? generateCore(ram, wasmSize, surroundings.blueprints, kind);
  kept.delete(key);
  kept.set(key, core);
  const [oldest] = kept.keys();
  if (kept.size > KEPT) kept.delete(oldest);
  return core;
}

/**
 * Makes the module for RAM at `ram` in a memory of `wasmSize` bytes.
 * @param store may have its blueprint, or keeps the one that is generated
 */
export function generateCore(ram: RamLayout, wasmSize: number, store?: BlueprintStore, kind = BASE): GeneratedCore {
  const key = blueprintKey(ram, wasmSize, kind);
  const stored = store?.load(key);
  if (stored) return build(stored, wasmSize, kind);
  const blueprint = generateBlueprint(ram, wasmSize, kind);
  store?.keep(key, blueprint);
  return build(blueprint, wasmSize, kind);
}

function build({ code, functions, handlers, decoder }: CoreBlueprint, wasmSize: number, kind: CoreKind): GeneratedCore {
  const parts = dispatchFor(functions, handlers, wasmSize, kind.cpu);
  const { regions: regionCode, startCompiler } = surroundings;
  const compiler = startCompiler && new ThreadCompiler({ functions, memory: parts.importedMemory, cpu: kind.cpu }, startCompiler);
  const regions = new RegionStore(backingFor(kindKey(kind), regionCode));
  return { ...parts, decoder, module: new WebAssembly.Module(code), regions, compiler };
}

/** The decoder's knowledge of a core with these functions and handlers. */
function dispatchFor(functions: readonly KnownFunction[], handlers: HandlerTable, wasmSize: number, cpu: Cpu) {
  const library = new KnownFunctions(functions), importedMemory = memoryOf(wasmSize);
  const outlined = new OutlinedFunctions(library, importedMemory, instructionSetOf(cpu));
  return { library, importedMemory, outlined, dispatch: makeDispatch(handlers, library, outlined) };
}

function memoryOf(wasmSize: number): ImportedMemory {
  const pages = wasmSize / WASM_PAGE_SIZE;
  return { module: "env", name: "memory", minimum: pages, maximum: pages, shared: false };
}

/**
 * Generates the blueprint for RAM at `ram` in a memory of `wasmSize` bytes: the same bytes every
 * time.
 */
export function generateBlueprint(ram: RamLayout, wasmSize: number, { cpu, counts } = BASE): CoreBlueprint {
  const module = new WasmModule();
  module.importMemory(memoryOf(wasmSize));
  const decoder = {
    fillDecoded: module.importFunction("env", "fillDecoded", ["i32"], ["i32"]),
    awaited: module.importFunction("env", "awaited", ["i32"], []),
    wordChanged: counts ? module.importFunction("env", "wordChanged", ["i32"], []) : undefined,
  };
  const allocateDecoded = module.importFunction("env", "allocateDecoded", ["i32"], ["i32"]);
  const releaseDecoded = module.importFunction("env", "releaseDecoded", ["i32"], []);
  const regionsWritten = module.importFunction("env", "regionsWritten", ["i32", "i32", "i32"], []);
  const pageEntered = module.importFunction("env", "pageEntered", ["i64", "i32"], []);
  const undefinedInstruction = module.importFunction("env", "undefinedInstruction", ["i64", "i32"], []);
  const watched = module.importFunction("env", "watched", ["i64", "i32", "i32", "i32"], ["i32"]);
  const deviceAtomic = module.importFunction("env", "deviceAtomic", [], ["i32"]);
  const staleUsed = module.importFunction("env", "staleUsed", [], []);
  const exited = module.importFunction("env", "exited", ["i32"], ["i32"]);
  const retired = cpu.features.has("FEAT_PMUv3") ? module.importFunction("env", "retired", ["i32"], ["i32"]) : undefined;
  const loadStore = cpu.features.has("FEAT_EL2") ? module.importFunction("env", "loadStoreSyndrome", ["i32"], ["i32"]) : undefined;
  const library = new Library(module);
  if (retired !== undefined) declarePerformance(library);
  if (cpu.features.has("FEAT_EL2")) declareEl2(library);
  if (counts) defineExecutionCounters(library);
  defineDecoded(library, { allocateDecoded, releaseDecoded, regionsWritten, pageEntered }, cpu.features);
  defineExceptions(library, undefinedInstruction, cpu.features, TLB_POOL);
  defineTlb(library, TLB_POOL, cpu.features);
  defineWrittenWords(library, { words: WRITTEN_WORDS, lines: WHOLE_LINES });
  defineMmu(library, ram, cpu.features);
  defineTableStores(library, TLB_POOL, ram);
  const data = defineMemoryAccess(library, TLB_POOL, { watched, deviceAtomic, staleUsed, loadStore }, cpu.features);
  if (retired !== undefined) definePerformanceMonitors(library, cpu.features);
  defineSystemRegisters(library, cpu.features, cpu.listRegisters);
  defineSystemInstructions(library, cpu.features);
  if (cpu.features.has("FEAT_MOPS")) defineMemoryOperations(library, data);
  if (cpu.features.has("FEAT_PAuth")) definePointerAuthentication(library, cpu.features);
  if (cpu.features.has("FEAT_WFxT")) defineTimedWaits(library);
  defineIntegerFunctions(library);
  defineLazyFlags(library);
  defineLandings(library);
  defineFloatingPoint(library, cpu.features);
  if (cpu.features.has("FEAT_BTI")) defineBranchTargets(library);
  const instructions = instructionSetOf(cpu), fills = new OperandFills(), handlers = defineInterpreter(library, fills, instructions);
  defineDecoder(library, fills, decoder);
  if (retired !== undefined) defineCountedExecution(library, retired);
  defineRun(library, exited);
  defineContextMove(library, contextSize(cpu.features));
  library.exportAll();
  library.check();
  const { decodings } = dispatchFor(library.known, handlers, wasmSize, cpu).dispatch;
  return { code: module.encode(), functions: library.known, handlers, decoder: makeDecoderTables(instructions, decodings) };
}

/** Instantiates a generated module over a memory of the size that it was generated for. */
export function instantiateCore(core: GeneratedCore, memory: WebAssembly.Memory, imports: CoreImports): InstantiatedCore {
  const { exports } = new WebAssembly.Instance(core.module, { env: { memory, ...imports } });
  const { outlined: table } = exports;
  if (!(table instanceof WebAssembly.Table)) throw new TypeError("the core's module has no table of outlined instructions");
  const link = { memory, table, imports: importsOf({ memory, table }, exports, core.library) };
  writeDecoderTables(memory, core.decoder);
  // The exports are what `generateCore` defined under these names.
  return { functions: exports as unknown as CoreExports, link, outlined: new OutlinedTable(core.outlined, link) };
}
