// How far regions extend: over all of a loop, which would be slow in pieces, and not far beyond.

import assert from "node:assert/strict";
import type { CoreOptions } from "../../../../../src/cpu/core/core.ts";
import { Stage2Flags } from "../../../../../src/cpu/core/interface.ts";
import type { TranslatorCounters } from "../../../../../src/cpu/core/translator/counters.ts";
import { type Block, discover, successorsOf } from "../../../../../src/cpu/core/translator/regions/region.ts";
import { Random } from "../../../../support/random.ts";
import { BASE, PagedProgram } from "../../paged-program.ts";
import { type Line, Machine, RAM_BASE } from "../../program.ts";
import { executedCode } from "../executed-code.ts";

const CODE = RAM_BASE + 0x1000;
/** Instructions of a region that is not a loop, at most. */
const USUAL = 512;

const ADD: Line = ["add x0, x0, x1", 0x8b010000];
const adds = (count: number): Line[] => Array.from({ length: count }, () => ADD);
const branch = (offset: number): Line => ["b", 0x14000000 | offset & 0x3ffffff];
const branchIfNotEqual = (offset: number): Line => ["b.ne", 0x54000001 | (offset & 0x7ffff) << 5];
const RET: Line = ["ret", 0xd65f03c0];

const sizeOf = (blocks: readonly Block[]) => blocks.reduce((sum, { instructions }) => sum + instructions.length, 0);

Deno.test("a loop is whole in its region, and what follows it is not", () => {
  const body = 1200;
  const lines = [branchIfNotEqual(body + 2), ...adds(body), branch(-body - 1), ...adds(1000), RET];
  const blocks = discover(executedCode(lines), 0, "loop"), firsts = blocks.map(({ first }) => first);
  assert.deepEqual(firsts.toSorted((a, b) => a - b), [0, 1]);
  assert.equal(sizeOf(blocks), body + 2);
  assert.equal(sizeOf(discover(executedCode(lines), 0)), USUAL);
});

Deno.test("straight code, and a loop that goes further than the page after its head, have the usual size", () => {
  for (const end of [RET, branch(-2500)]) assert.equal(sizeOf(discover(executedCode([...adds(2500), end]), 0, "loop")), USUAL);
});

Deno.test("regions of 200 random programs have all of their loop, little else, and no block that is not reached", () => {
  const random = new Random(21);
  let large = 0;
  for (let turn = 0; turn < 200; turn++) {
    const size = 600 + random.below(1400);
    const lines = [
      ...Array.from({ length: size }, (_, at): Line => {
        const to = () => random.below(size) - at;
        const kind = random.below(100);
        return kind < 6 ? branchIfNotEqual(to()) : kind === 6 ? branch(to()) : kind === 7 ? RET : ADD;
      }),
      RET,
    ];
    const head = random.below(size), code = executedCode(lines);
    const blocks = discover(code, head, "loop"), all = new Map(blocks.map((block) => [block.first, block]));
    assert.equal(blocks[0].first, head);
    const reached = reachedFrom(head, (first) => successorsOf(all.get(first)!.ending).filter((to) => all.has(to)));
    assert.equal(reached.size, blocks.length, "a block that nothing leads to");
    const loop = loopOf(lines, head),
      instructions = new Set(blocks.flatMap(({ first, instructions }) => instructions.map((_, i) => first + i)));
    for (const at of loop) assert.ok(instructions.has(at), `instruction ${at} of the loop is missing`);
    const others = [...instructions].filter((at) => !loop.has(at)).length;
    assert.ok(others <= USUAL, `${others} instructions are of no loop`);
    if (loop.size > USUAL) large++;
  }
  assert.ok(large > 50, `${large} loops are large`);
});

Deno.test("a loop of a thousand instructions gives the same registers in both tiers, however its run is cut", () => {
  const part = 500, turns = 20;
  // A loop of two instructions in the middle: where regions begin.
  const program: Line[] = [
    ...adds(part),
    ["movz x2, #0x", 0xd2800002 | turns << 5],
    ["subs x2, x2, #0x1", 0xf1000442],
    branchIfNotEqual(-1),
    ["eor x1, x1, x0", 0xca000021],
    ...adds(part),
    branch(-2 * part - 4),
  ];
  const interpreter = new Machine(), translator = new Machine({ tier: "auto", hotness: { samples: 1, landings: 60_000, slice: 50 } });
  for (const machine of [interpreter, translator]) {
    machine.load(CODE, program);
    machine.vcpu.setX(1, 0x1234_5678n);
    machine.run(2000, CODE);
  }
  while (translator.core.counters.translator!.regions < 1) assert.equal(translator.run(500).retired, interpreter.run(500).retired);
  for (const budget of [1, 7, 100, 1000, 333, 5000, 2, 1, 100_000]) {
    assert.equal(interpreter.run(budget).retired, budget);
    assert.equal(translator.run(budget).retired, budget);
    assert.equal(translator.registers(), interpreter.registers());
  }
  const { regions, instructions } = translator.core.counters.translator!;
  assert.ok(instructions > regions * USUAL, `${regions} regions have ${instructions} instructions`);
});

Deno.test("a loop of two thousand branches has one region, which is emitted however little of the stack is left", () => {
  const count = 2000, middle = count / 2;
  // Two of three instructions are branches back that are not taken.
  const program = Array.from({ length: count }, (_, i): Line => i % 3 ? ["cbz x3,", 0xb4000003 | (-(i % 50) & 0x7ffff) << 5] : ADD);
  program.splice(middle, 3, ["movz x2, #0x64", 0xd2800c82], ["subs x2, x2, #0x1", 0xf1000442], branchIfNotEqual(-1));
  program.push(branch(-count));
  const blocks = discover(executedCode(program), middle + 1, "loop");
  assert.ok(blocks.length > 2 * USUAL, `only ${blocks.length} blocks`);
  const interpreter = new Machine(), translator = new Machine({ tier: "auto", hotness: { samples: 50, landings: 60_000, slice: 50 } });
  for (const machine of [interpreter, translator]) {
    machine.load(CODE, program);
    machine.vcpu.setX(1, 3n);
    machine.vcpu.setX(3, 1n);
    machine.run(1, CODE);
    machine.run(200_000);
  }
  assert.equal(translator.registers(), interpreter.registers());
  assert.ok(translator.core.counters.translator!.regions > 0, "nothing was translated");
});

Deno.test("a loop in three pages runs the code that these have now", () => {
  const pages = 0x5800_0000, count = 2500, middle = 1500, at = 0x1_0000, others = 0x8_0000, add = 0x8b010000, subtract = 0xcb010000;
  const access = Stage2Flags.Read | Stage2Flags.ExecuteEl1;
  const run = (options: CoreOptions): { counters: TranslatorCounters | undefined; states: string[] } => {
    // BR to the pages.
    const program = new PagedProgram([0xd61f0000 | BASE << 5], 0, options), { ram, core, stage2 } = program;
    const words = new Uint32Array(ram.buffer, ram.byteOffset);
    words.fill(add, at >> 2, (at >> 2) + count).fill(subtract, others >> 2, (others >> 2) + 1024);
    // A loop of two instructions in the second page, which takes about half of the time.
    words.set([0xd2800000 | 1200 << 5 | 2, 0xf1000442, 0x54ffffe1], (at >> 2) + middle);
    words[(at >> 2) + count] = 0x14000000 | -count & 0x3ffffff;
    stage2.map(pages, RAM_BASE + at, 0x3000, access);
    program.vcpu.setX(1, 3n);
    const states = [program.turn(pages, 400_000)];
    for (const page of [pages, pages + 0x2000]) {
      stage2.unmap(page, 0x1000);
      core.invalidateStage2(stage2.id, page, 0x1000);
      stage2.map(page, RAM_BASE + (page === pages ? others : at + 0x1000), 0x1000, access);
      for (let turn = 0; turn < 4; turn++) states.push(program.turn(pages, 40_000));
    }
    return { counters: core.counters.translator, states };
  };
  const { counters, states } = run({ tier: "auto", hotness: { samples: 20, landings: 60_000, slice: 500 } });
  assert.deepEqual(states, run({}).states);
  assert.ok(counters!.instructions > count, `only ${counters!.instructions} instructions are in regions`);
});

/** The nodes that are reached from one of them, and that one. */
function reachedFrom(node: number, next: (node: number) => Iterable<number>): Set<number> {
  const reached = new Set([node]);
  for (const from of reached) for (const to of next(from)) reached.add(to);
  return reached;
}

/** Instructions from which control comes back to `head`, of those that it reaches. */
function loopOf(lines: readonly Line[], head: number): Set<number> {
  const next = lines.map(([text, word], at) => {
    if (text === "b") return [at + ((word! << 6) >> 6)];
    if (text === "b.ne") return [at + ((word! << 8) >> 13), at + 1];
    return text === "ret" ? [] : [at + 1];
  });
  const before = lines.map((): number[] => []);
  next.forEach((list, at) => list.forEach((to) => before[to]?.push(at)));
  const reached = reachedFrom(head, (at) => next[at]?.filter((to) => to < lines.length) ?? []);
  const back = reachedFrom(head, (at) => before[at]);
  return new Set([...reached].filter((at) => back.has(at)));
}
