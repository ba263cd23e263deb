// Measures the frames of hostile regions in V8, and prints as JSON what they take and what the
// translator says that they take at most, for stack_test.ts, which starts it with options of V8.
// Each region calls itself; the function that finds bytes where the TLB does not serve says where
// the stack is.

import { type CoreImports, generateCore, instantiateCore } from "../../../../src/cpu/core/core-module.ts";
import {
  REGION_PARAMETERS,
  REGION_RESULTS,
  STACK_BYTES,
  TABLE_NAME,
  TABLE_SIZE,
} from "../../../../src/cpu/core/interpreter/interpreter.ts";
import { ImportedFunctions, importsOf } from "../../../../src/cpu/core/interpreter/outlined.ts";
import { CPU, DataEntry, NO_STACK_PAGE, Slot, TlbSet, xAddress } from "../../../../src/cpu/core/state/cpu-state.ts";
import { CORE_SIZE, FIRST_REGION_HANDLER, TLB_POOL } from "../../../../src/cpu/core/state/layout.ts";
import { TlbSpace } from "../../../../src/cpu/core/state/tlb-layout.ts";
import { fillIn, generateModule, regionName } from "../../../../src/cpu/core/translator/emission/region-module.ts";
import { emitRegion } from "../../../../src/cpu/core/translator/emission/region-function.ts";
import { type Block, discover } from "../../../../src/cpu/core/translator/regions/region.ts";
import { WasmModule } from "../../../../src/cpu/core/wasm/module.ts";
import { frameBound } from "../../../../src/cpu/core/wasm/frame-bound.ts";
import { encodings } from "../../../../src/cpu/isa/table.ts";
import { randomWord } from "../../../differential/random-words.ts";
import { Random } from "../../../support/random.ts";
import { RAM_BASE } from "../program.ts";
import { executedWords, INSTRUCTIONS } from "./executed-code.ts";
import { HOSTILE, type Hostile, randomHostile, recursive } from "./hostile-regions.ts";

const RAM_SIZE = 0x10_0000;
/** Where the head's decoded instruction is taken to be, its handler, and where accesses go. */
const HEAD = 0x700_0000, NUMBER = 5, BYTES = CORE_SIZE;
/** Levels, and runs before those that count: V8 takes time to optimize what is around. */
const LEVELS = 12, DEEP = 5000, WARM = 40;
/** Random instructions of a function. */
const TOGETHER = 30;

/** Offset of the stack pointer in what getcontext writes (ucontext_t of Linux). */
const STACK_POINTER = { x86_64: 160, aarch64: 432 }[Deno.build.arch];
const native = Deno.dlopen("libc.so.6", { getcontext: { parameters: ["buffer"], result: "i32" } });
const context = new Uint8Array(4096), contextView = new DataView(context.buffer);

function stackPointer(): number {
  native.symbols.getcontext(context);
  return Number(contextView.getBigUint64(STACK_POINTER, true));
}

const generated = generateCore({ base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, CORE_SIZE + RAM_SIZE);
const { minimum, maximum } = generated.importedMemory;
const memory = new WebAssembly.Memory({ initial: minimum, maximum }), view = new DataView(memory.buffer);
const unused = () => {
  throw new Error("a region calls nothing of TypeScript");
};
const names = ["fillDecoded", "awaited", "allocateDecoded", "releaseDecoded", "regionsWritten", "undefinedInstruction", "watched"] as const;
const seams = Object.fromEntries([...names, "deviceAtomic", "staleUsed", "pageEntered", "exited"].map((name) => [name, unused]));
const { link, functions } = instantiateCore(generated, memory, seams as unknown as CoreImports);

// Entries that match no address, as they have its bit 24 the other way round: each access asks.
const TLB = TLB_POOL.base + TlbSpace.Sets;
for (let i = 0; i < TlbSet.Entries; i++) {
  const entry = BigInt((1 - (i >> 12)) << 24);
  for (const table of [TlbSet.Read, TlbSet.Write]) view.setBigInt64(TLB + table + DataEntry.Size * i, entry, true);
}

/** The stack at the first access, and at the deepest; and the largest step between two. */
let first = 0, deepest = 0, frame = 0;
const found = () => {
  const place = stackPointer();
  if (!first) first = place;
  else if (place < deepest) frame = Math.max(frame, deepest - place);
  deepest = deepest ? Math.min(deepest, place) : place;
  return BYTES;
};
const at = Object.fromEntries(["readableAt", "writableAt", "stackAt"].map((name) => [name, found]));
const groupsAt = Object.fromEntries(["readableGroupAt", "writableGroupAt", "stackGroupAt"].map((name) => [name, () => [found(), 1]]));
const imports = importsOf(link, { ...functions, ...at, ...groupsAt } as unknown as WebAssembly.Exports, generated.library);

/** Bytes of its frame at most, as the region itself has it. */
function boundOf(blocks: readonly Block[], callees: ReadonlyMap<number, number>): number {
  const module = new WasmModule().importMemory(generated.importedMemory).importTable("core", TABLE_NAME, TABLE_SIZE);
  const region = emitRegion(new ImportedFunctions(generated.library, module), blocks, {
    handler: 0,
    neighbors: [],
    counters: () => 0,
    callees: new Map([...callees.keys()].map((at) => [at, { name: regionName(0), decoded: 0, handler: 0 }])),
    callIndirect: (f) => module.callIndirect(f, REGION_PARAMETERS, REGION_RESULTS),
    type: module.type(REGION_PARAMETERS, REGION_RESULTS),
    operations: { fusedMultiplyAdd: true, wideMultiplication: true },
  });
  return Math.min(frameBound(region), STACK_BYTES);
}

function measure({ name, code, entry }: Hostile) {
  const blocks = discover(executedWords(code, entry), 0, "loop");
  const callees = new Map(blocks.some(({ ending }) => ending.kind === "call" && ending.to === 0) ? [[0, 0]] : []);
  const module = generateModule(generated.library, generated.importedMemory, [{ blocks, neighbors: [], callees }]);
  fillIn(module, [{ number: NUMBER, head: HEAD, pages: new Map([[0, 0]]) }]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes), imports);
  const region = exports[regionName(0)] as (address: bigint, left: number, stack: number) => unknown;
  const run = (levels: number, stack: number) => {
    first = deepest = frame = 0;
    for (const field of [CPU.TLB, CPU.TLB_SPACE, CPU.TLB_UNPRIVILEGED]) view.setInt32(field, TLB, true);
    view.setBigInt64(CPU.STACK_PAGE, BigInt(NO_STACK_PAGE), true);
    for (let slot = 0; slot < 31; slot++) view.setBigInt64(xAddress(slot), (1n << 40n) + BigInt(0x1000 * slot), true);
    for (const [slot, value] of [[0, levels], [11, 0], [28, 0], [29, 1]]) view.setBigInt64(xAddress(slot), BigInt(value), true);
    view.setBigInt64(xAddress(Slot.SP), 1n << 41n, true);
    view.setUint16(HEAD, FIRST_REGION_HANDLER + NUMBER, true);
    region(BigInt(RAM_BASE), 1 << 30, stack);
  };
  for (let i = 0; i < WARM; i++) run(2, STACK_BYTES);
  run(DEEP, STACK_BYTES);
  const total = first - deepest;
  run(LEVELS, 1 << 28);
  const instructions = blocks.reduce((sum, block) => sum + block.instructions.length, 0);
  return { name, instructions, frame, bound: boundOf(blocks, callees), total };
}

/** Functions of random instructions, with all encodings that regions have. */
function anything(seed: number): Hostile[] {
  const random = new Random(seed), words: number[] = [];
  for (const encoding of encodings()) {
    const word = randomWord(encoding, random), instruction = word === undefined ? undefined : INSTRUCTIONS.translatable(word);
    // These lead the function: X0, X9, X10, X28 to X30 and SP, and branches.
    if (word !== undefined && instruction && !instruction.branch && !(instruction.use.written.general & 0xf000_0601)) words.push(word);
  }
  const shuffled = words.map((word) => ({ word, key: random.word() })).toSorted((a, b) => a.key - b.key).map(({ word }) => word);
  return Array.from({ length: Math.ceil(shuffled.length / TOGETHER) }, (_, i) => ({
    ...{ name: `instructions ${i} of seed ${seed}`, depth: LEVELS },
    ...recursive(shuffled.slice(TOGETHER * i, TOGETHER * (i + 1))),
  }));
}

const [seed, count] = Deno.args.map(Number);
console.log(JSON.stringify([...HOSTILE, ...randomHostile(seed, count), ...anything(seed)].map(measure)));
