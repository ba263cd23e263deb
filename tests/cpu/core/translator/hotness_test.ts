// When regions are made: what the interpreter has spent at a place must pay for its region.

import assert from "node:assert/strict";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const SLICE = 50;
/** Samples per instruction of a region. */
const PRICE = 0.5;

const ADD: Line = ["add x0, x0, x1", 0x8b010000];
/** An endless loop of `count` instructions. */
const loopOf = (count: number): Line[] => [
  ...Array.from({ length: count - 1 }, () => ADD),
  ["b", 0x14000000 | -(count - 1) & 0x3ffffff],
];

const countersOf = (machine: Machine) => machine.core.counters.translator!;

/** Slices until the first region of a program is made; a sample is taken after each. */
function slicesUntilMade(program: Line[], hotness: { samples: number; price?: number }, slice = SLICE): number {
  const machine = new Machine({ tier: "auto", hotness: { ...hotness, landings: 60_000, slice } });
  machine.load(CODE, program);
  machine.run(slice, CODE);
  for (let slices = 1; slices < 60_000; slices++) {
    if (machine.core.counters.translator!.regions) return slices;
    machine.run(slice);
  }
  throw new Error("no region was made");
}

Deno.test("without a price a region is made after so many samples, however large it is", () => {
  for (const size of [8, 400]) assert.equal(slicesUntilMade(loopOf(size), { samples: 6 }), 6, `${size} instructions`);
});

Deno.test("a place that is hot at once pays little, and one of the same size that is hot now and then pays the whole price", () => {
  const size = 200, samples = 6, price = 2;
  const quick = slicesUntilMade(loopOf(size), { samples, price });
  assert.ok(quick < 2 * samples, `${quick} samples`);
  // Twenty loops in turn: each has one sample in twenty.
  const loops = 20, rounds = 10;
  const program: Line[] = Array.from({ length: loops }, (_, i): Line[] => [
    ["movz x2, #0x", 0xd2800002 | rounds << 5],
    ...Array.from({ length: size - 2 }, () => ADD),
    ["subs x2, x2, #0x1", 0xf1000442],
    ["b.ne", 0x54000001 | (-(size - 1) & 0x7ffff) << 5],
    ...i < loops - 1 ? [] : [["b", 0x14000000 | -(loops * (size + 1)) & 0x3ffffff] as Line],
  ]).flat();
  const slow = slicesUntilMade(program, { samples, price }, 20 * SLICE) / loops;
  assert.ok(slow > size * price, `${slow} samples of each`);
});

Deno.test("slices are long while samples are in regions, and count for as many where code gets hot", () => {
  const samples = 30, long = 20 * SLICE;
  /** A loop of x2 turns, then an endless one. */
  const program: Line[] = [ADD, ["subs x2, x2, #0x1", 0xf1000442], ["b.ne", 0x54000001 | (-2 & 0x7ffff) << 5], ...loopOf(4)];
  const machine = new Machine({ tier: "auto", hotness: { samples, landings: 60_000, slice: SLICE } });
  machine.load(CODE, program);
  const taken = (instructions: number, pc?: number) => {
    const before = machine.core.counters.translator!.samples;
    machine.run(instructions, pc);
    return machine.core.counters.translator!.samples - before;
  };
  machine.vcpu.setX(2, 40_000n);
  assert.ok(taken(20 * long, CODE) > samples + 30, "slices were long before the code had settled");
  assert.equal(taken(30 * long), 30);
  assert.equal(machine.core.counters.translator!.regions, 1);
  taken(70 * long);
  // The first loop is over.
  assert.equal(taken(2 * long), 2);
  assert.equal(machine.core.counters.translator!.regions, 2, "a long slice counted for too little");
});

Deno.test("slices are long as well where they end in the middle of regions, at no place where one would begin", () => {
  const samples = 30, long = 20 * SLICE, far = 512, length = 60;
  /** A function that calls another one, and then adds if x2 is not 0. */
  const called: Line[] = [
    ["orr x19, xzr, x30", 0xaa1e03f3],
    ["bl", 0x94000050],
    ["cbz x2", 0xb4000002 | length + 1 << 5],
    ...Array.from({ length }, () => ADD),
    ["ret x19", 0xd65f0260],
  ];
  const machine = new Machine({ tier: "auto", hotness: { samples, landings: 60_000, slice: SLICE } });
  // A loop that calls it, too far away for the loop around its instructions to be seen.
  machine.load(CODE, [["bl", 0x94000000 | far], ["b", 0x17ffffff]]);
  machine.load(CODE + 4 * far, called);
  machine.load(CODE + 4 * (far + 0x51), [["ret", 0xd65f03c0]]);
  machine.vcpu.setX(2, 1n);
  machine.run(4 * SLICE, CODE);
  machine.vcpu.setX(2, 0n);
  while (countersOf(machine).regions < 3) machine.run(SLICE);
  machine.vcpu.setX(2, 1n);
  // As many samples as it takes to settle.
  machine.run(40 * SLICE);
  const { samples: before, regions } = countersOf(machine);
  machine.run(6 * long);
  assert.equal(countersOf(machine).samples - before, 6);
  assert.equal(countersOf(machine).regions, regions, "a region was made of code that has one");
});

Deno.test("a function that a hot loop calls is part of its module only if it is small or was seen to be hot", () => {
  /** A loop that calls a function of `callee` instructions, and turns `rounds` times in between. */
  const calling = (rounds: number, callee: number): Line[] => [
    ["bl", 0x94000005],
    ["movz x2, #0x", 0xd2800002 | rounds << 5],
    ["subs x2, x2, #0x1", 0xf1000442],
    ["b.ne", 0x54ffffe1],
    ["b", 0x17fffffc],
    ...Array.from({ length: callee - 1 }, () => ADD),
    ["ret", 0xd65f03c0],
  ];
  const regionsOfFirstModule = (program: Line[], price: number | undefined) => {
    const machine = new Machine({ tier: "auto", hotness: { samples: 20, price, landings: 60_000, slice: 997 } });
    machine.load(CODE, program);
    machine.run(997, CODE);
    while (machine.core.counters.translator!.modules === 0) machine.run(997);
    return machine.core.counters.translator!.regions;
  };
  assert.equal(regionsOfFirstModule(calling(3000, 60), undefined), 2);
  assert.equal(regionsOfFirstModule(calling(3000, 60), PRICE), 1, "a cold function was compiled");
  assert.equal(regionsOfFirstModule(calling(3000, 6), PRICE), 2, "a small function was left out");
  assert.equal(regionsOfFirstModule(calling(60, 60), PRICE), 2, "a hot function was left out");
});
