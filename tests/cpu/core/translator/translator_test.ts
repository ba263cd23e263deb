// The translator against the interpreter: the same programs, the same states and instruction
// counts.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { generateCore } from "../../../../src/cpu/core/core-module.ts";
import { REGION_PARAMETERS, REGION_RESULTS, TABLE_NAME, TABLE_SIZE } from "../../../../src/cpu/core/interpreter/interpreter.ts";
import { ImportedFunctions } from "../../../../src/cpu/core/interpreter/outlined.ts";
import { CPU, FetchEntry, TlbSet } from "../../../../src/cpu/core/state/cpu-state.ts";
import { CORE_SIZE } from "../../../../src/cpu/core/state/layout.ts";
import { controlFlow } from "../../../../src/cpu/core/translator/regions/control-flow.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { defineEnter } from "../../../../src/cpu/core/translator/emission/enter-function.ts";
import { emitHead } from "../../../../src/cpu/core/translator/emission/head-function.ts";
import { INSTRUCTIONS } from "./executed-code.ts";
import { emitRegion } from "../../../../src/cpu/core/translator/emission/region-function.ts";
import { FunctionBuilder, WasmModule } from "../../../../src/cpu/core/wasm/module.ts";
import type { RegionInstruction } from "../../../../src/cpu/core/translator/code/instruction.ts";
import { allEncodings } from "../../../../src/cpu/isa/table.ts";
import { randomWord } from "../../../differential/random-words.ts";
import { Random } from "../../../support/random.ts";
import { assemble, type Line, Machine, RAM_BASE } from "../program.ts";

const EAGER = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;
const CODE = RAM_BASE + 0x1000;

const SUM: Line[] = [
  ["movz x0, #0x0", 0xd2800000],
  ["movz x1, #0x3e8", 0xd2807d01],
  ["add x0, x0, x1", 0x8b010000],
  ["subs x1, x1, #0x1", 0xf1000421],
  ["b.ne", 0x54ffffc1],
  ["b", 0x17fffffb],
];

/** A loop with two calls of a leaf. */
const CALLS: Line[] = [
  ["movz x1, #0x3e8", 0xd2807d01],
  ["bl", 0x94000005],
  ["bl", 0x94000004],
  ["subs x1, x1, #0x1", 0xf1000421],
  ["b.ne", 0x54ffffa1],
  ["b", 0x17fffffb],
  ["add x0, x0, x1", 0x8b010000],
  ["ret", 0xd65f03c0],
];

for (const [what, program] of [["loop", SUM], ["loop with calls", CALLS]] as const) {
  Deno.test(`a ${what} gives the same registers and the same count in both tiers, however its run is cut`, () => {
    const interpreter = new Machine(), translator = new Machine(EAGER);
    for (const machine of [interpreter, translator]) {
      machine.load(CODE, program);
      machine.run(1, CODE);
    }
    for (const budget of [1, 7, 100, 1000, 333, 5000, 2, 1, 10_000]) {
      assert.equal(interpreter.run(budget).retired, budget);
      assert.equal(translator.run(budget).retired, budget);
      assert.equal(translator.registers(), interpreter.registers());
    }
    assert.ok(translator.core.counters.translator!.regions > 0, "nothing was translated");
  });
}

/** A core of all instructions. */
const GENERATED = generateCore(
  { base: RAM_BASE, size: 0x1_0000, wasmAddress: CORE_SIZE },
  CORE_SIZE + 0x1_0000,
  undefined,
  { cpu: parseCpu("max"), counts: false },
);

/** The region of one instruction, its head, and a module for both. */
function emitted(instruction: RegionInstruction): { region: FunctionBuilder; head: FunctionBuilder; module: WasmModule } {
  const module = new WasmModule().importMemory(GENERATED.importedMemory).importTable("core", TABLE_NAME, TABLE_SIZE);
  const library = new ImportedFunctions(GENERATED.library, module);
  const head = new FunctionBuilder(-1, "head", ["i32"], []);
  const region = emitRegion(library, [{ first: 0, instructions: [instruction], ending: { kind: "jump", to: 1 } }], {
    handler: 0,
    neighbors: [],
    counters: () => 0,
    callees: new Map(),
    callIndirect: (f) => module.callIndirect(f, REGION_PARAMETERS, REGION_RESULTS),
    type: module.type(REGION_PARAMETERS, REGION_RESULTS),
    operations: { fusedMultiplyAdd: true, wideMultiplication: false },
  });
  emitHead(head, library, 0, instruction);
  return { region, head, module };
}

Deno.test("every encoding can be part of a region or is left to the interpreter", () => {
  const random = new Random(1), branch = /^(B\/BL|B.cond|CB|TB|BR)/;
  const words = allEncodings().filter(({ instruction }) => !branch.test(instruction.name)).flatMap((encoding) => {
    const word = randomWord(encoding, random);
    return word === undefined ? [] : [word];
  });
  for (const word of words) {
    const instruction = INSTRUCTIONS.translatable(word);
    if (!instruction) continue;
    const { region, head, module } = emitted(instruction);
    const names = defineEnter(module);
    for (const code of [region, head]) module.place(code, code.name, names);
    assert.ok(WebAssembly.validate(module.encode()), `0x${word.toString(16)} ${instruction.encoding.instruction.name}`);
  }
});

Deno.test("an EXTR of a register with itself is one rotation, other ones are none", () => {
  const rotates = (line: Line, { constant, rotate }: { constant: number; rotate: number }) => {
    const instruction = INSTRUCTIONS.translatable(assemble([line])[0]);
    assert.ok(instruction);
    return emitted(instruction).region.code.view.toHex().includes(new Uint8Array([constant, 11, rotate]).toHex());
  };
  const word = { constant: 0x41, rotate: 0x78 }, doubleword = { constant: 0x42, rotate: 0x8a };
  assert.ok(rotates(["extr w0, w1, w1, #11", 0x13812c20], word));
  assert.ok(rotates(["extr x0, x1, x1, #11", 0x93c12c20], doubleword));
  assert.ok(!rotates(["extr w0, w1, w2, #11", 0x13822c20], word));
  assert.ok(!rotates(["extr x0, x1, x2, #11", 0x93c22c20], doubleword));
});

Deno.test("an edge into the middle of a loop is taken out of the control flow", () => {
  // 0 -> 1 and 2, which jump to each other.
  const flow = controlFlow([[1, 2], [2], [1]]);
  const edges = flow.successors.flatMap((list, from) => list.map((to) => `${from}${to}`));
  assert.equal(edges.length, 3);
  assert.deepEqual(flow.isLoop, [false, false, false]);
});

Deno.test("loops in loops keep their headers, and ways that meet are counted", () => {
  // 0 -> 1 (outer) -> 2 (inner) -> 2 | 3 -> 1 | 4, and 1 -> 4.
  const flow = controlFlow([[1], [2, 4], [2, 3], [1, 4], []]);
  assert.deepEqual(flow.isLoop, [false, true, true, false, false]);
  assert.equal(flow.forwardEdges[4], 2);
  assert.deepEqual(flow.children[1].toSorted(), [2, 4]);
});

Deno.test("a breakpoint set in a translated loop stops at the same instruction as in the interpreter", () => {
  const machines = [new Machine(), new Machine(EAGER)];
  const stops = machines.map((machine) => {
    machine.load(CODE, SUM);
    machine.run(500, CODE);
    machine.core.stops.insertBreakpoint(machine.vcpu.stage2, BigInt(CODE + 12));
    const { reason, retired } = machine.run(500);
    machine.core.stops.removeBreakpoint(machine.vcpu.stage2, BigInt(CODE + 12));
    machine.run(700);
    return [reason, retired, machine.registers()];
  });
  assert.equal(stops[0][0], ExitReason.Breakpoint);
  assert.deepEqual(stops[1], stops[0]);
});

Deno.test("a region goes with the code that it was made of", () => {
  const interpreter = new Machine(), translator = new Machine(EAGER);
  for (const machine of [interpreter, translator]) {
    machine.load(CODE, SUM);
    machine.run(1000, CODE);
  }
  const { regions, dropped } = translator.core.counters.translator!;
  assert.ok(regions > dropped, "nothing was translated");
  const before = dropped;
  for (const machine of [interpreter, translator]) {
    machine.load(CODE + 8, [["sub x0, x0, x1", 0xcb010000]]);
    machine.run(1000);
  }
  assert.ok(translator.core.counters.translator!.dropped > before);
  assert.equal(translator.registers(), interpreter.registers());
});

/** A loop at the end of a page; where x2 is zero, it goes through the next one. */
const CROSSING = CODE + 0xfe0;
const BEHIND = CROSSING + 0x20;
const CROSSING_LOOP: Line[] = [
  ["subs x1, x1, #0x1", 0xf1000421],
  ["cbz x2,", 0xb40000e2],
  ["add x0, x0, x1", 0x8b010000],
  ["b", 0x17fffffd],
];
const CROSSING_REST: Line[] = [
  ["add x0, x0, #0x1", 0x91000400],
  ["b", 0x17fffff9],
];

Deno.test("a region begins although the TLB has lost the page beside it, and execution does not come there", () => {
  const interpreter = new Machine(), translator = new Machine(EAGER);
  for (const machine of [interpreter, translator]) {
    machine.load(CROSSING, CROSSING_LOOP);
    machine.load(BEHIND, CROSSING_REST);
    machine.run(2000, CROSSING);
  }
  assert.ok(translator.core.counters.translator!.regions > 0, "nothing was translated");
  for (const machine of [interpreter, translator]) {
    machine.vcpu.setX(2, 1n);
    machine.load(CODE + 0x3000, [["sys #0, C8, C7, #0", 0xd508871f]]);
    machine.run(1, CODE + 0x3000);
    machine.run(3000, CROSSING);
  }
  assert.equal(translator.registers(), interpreter.registers());
  const hasNext = ({ memory }: Machine) => {
    const words = new Int32Array(memory.buffer);
    const entry = words[CPU.TLB >> 2] + TlbSet.Fetch + (BEHIND >>> 8 & (TlbSet.FetchEntries - 1) * FetchEntry.Size);
    return words[entry + FetchEntry.Tag >> 2] === BEHIND;
  };
  assert.deepEqual([interpreter, translator].map(hasNext), [false, true]);
});

/** A loop that counts in the word at x3, and the word of its addition. */
const COUNTING: Line[] = [
  ["ldr x2, [x3]", 0xf9400062],
  ["add x2, x2, #0x1", 0x91000442],
  ["str x2, [x3]", 0xf9000062],
  ["add x0, x0, #0x1", 0x91000400],
  ["b", 0x17fffffc],
];

Deno.test("data in the page of a region is stored without the region going", () => {
  const interpreter = new Machine(), translator = new Machine(EAGER);
  for (const machine of [interpreter, translator]) {
    machine.load(CODE, COUNTING);
    machine.vcpu.setX(3, BigInt(CODE + 0x800));
    machine.run(200_001, CODE);
  }
  assert.equal(translator.registers(), interpreter.registers());
  assert.equal(translator.view.getBigUint64(CODE + 0x800 - RAM_BASE, true), 40_000n);
  const { regions, dropped, rewrites } = translator.core.counters.translator!;
  assert.ok(regions > 0 && dropped === 0, `${dropped} of ${regions} regions went`);
  // Nor does each store ask for that, however many there are (STORES_BEFORE_RELEASE).
  assert.ok(rewrites < 100, `${rewrites} stores were looked into`);
});

Deno.test("a program that rewrites a loop again and again has it translated ever more rarely, and runs the newest code", () => {
  const interpreter = new Machine(), translator = new Machine(EAGER);
  for (const machine of [interpreter, translator]) {
    machine.load(CODE, SUM);
    machine.run(1, CODE);
    for (let i = 0; i < 60; i++) {
      machine.load(CODE + 8, [i % 2 ? ["add x0, x0, x1", 0x8b010000] : ["sub x0, x0, x1", 0xcb010000]]);
      machine.run(400);
    }
  }
  assert.equal(translator.registers(), interpreter.registers());
  const { regions } = translator.core.counters.translator!;
  assert.ok(regions >= 3 && regions < 30, `${regions} regions in 60 rounds`);
});
