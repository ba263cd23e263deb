// Bad input for the translator, at one size and at four times that: what it does grows as the
// guest's work does, and what it keeps has a bound. Counters alone are compared, which are the same
// on every computer.

import assert from "node:assert/strict";
import type { CoreOptions } from "../../../../src/cpu/core/core.ts";
import { REGION_CAPACITY } from "../../../../src/cpu/core/state/layout.ts";
import type { TranslatorCounters } from "../../../../src/cpu/core/translator/counters.ts";
import { LONG, longTest } from "../../../support/long.ts";
import { type Line, Machine, RAM_BASE, RAM_SIZE } from "../program.ts";

/** Most that four times the work may take, and counts so small that chance is in them. */
const MOST = 4.4, FEW = 64;

const SLICE = 1000, RUN = 100 * SLICE;
const HOTNESS: CoreOptions["hotness"] = { samples: 3, price: 0.1, landings: 50, slice: SLICE };

const MAIN = RAM_BASE + 0x1000, CODE = MAIN + 0x1000;
/** Texts that are written over the code, a page each. */
const FIRST_TEXT = MAIN + 0x2000, SECOND_TEXT = MAIN + 0x3000;

const movz = (register: number, value: number): Line => ["movz", 0xd2800000 | value << 5 | register];
const number = (register: number, value: number): Line[] => [
  movz(register, value & 0xffff),
  ["movk", 0xf2a00000 | value >>> 16 << 5 | register],
];
const add = (to: number, from: number, value: number): Line => ["add", 0x91000000 | value << 10 | from << 5 | to];
const decrement = (register: number): Line => ["subs", 0xf1000400 | register << 5 | register];
/** Back to the instruction that many before it. */
const ifNot0 = (back: number): Line => ["b.ne", 0x54000001 | (-back & 0x7ffff) << 5];
const call = (register: number): Line => ["blr", 0xd63f0000 | register << 5];
const store = (value: number, at: number): Line => ["str", 0xb9000000 | at << 5 | value];
const NOP: Line = ["hint", 0xd503201f], ISB: Line = ["isb", 0xd5033fdf], RET: Line = ["ret", 0xd65f03c0], END: Line = ["hvc", 0xd4000002];

/** `body`, as often as X19 says. */
const repeated = (body: readonly Line[]): Line[] => [...body, decrement(19), ifNot0(body.length + 1), END];

/** A loop of `turns` around `body`. */
const loop = (turns: number, body: readonly Line[]): Line[] => [movz(1, turns), ...body, decrement(1), ifNot0(body.length + 1)];

const eight = (line: Line): Line[] => Array.from({ length: 8 }, () => line);

/** A page of loops of 32 instructions, the first of which is at `at` in each. */
const pageOf = (value: number): Line[] =>
  Array.from({ length: 32 }, (_, i): Line[] => [...loop(20, Array.from({ length: 28 }, () => add(0, 0, value))), i < 31 ? NOP : RET])
    .flat();

/** Copies a page of words to the code. */
const copy = (from: number): Line[] => [
  ...number(2, from),
  ...number(3, CODE),
  movz(4, 1024),
  ["ldr", 0xb8404445],
  ["str", 0xb8004465],
  decrement(4),
  ifNot0(3),
];

interface BadInput {
  readonly name: string;
  /** A size that CI has time for. */
  readonly size: number;
  readonly codeBytes?: number;
  /** Puts a program that ends with END at MAIN, and what it needs. */
  load(machine: Machine, size: number): void;
}

/** Functions in a row that are all called, `passes` times. */
function loadFunctions(machine: Machine, count: number, passes: number): void {
  const code = RAM_BASE + 0x10_0000, size = 64, list = code + size * count;
  for (let i = 0; i < count; i++) {
    const at = code + size * i;
    // No two have the same code.
    const line = [...number(2, i), ...loop(10, [add(0, 0, 1), ["add", 0x8b010000], ["eor", 0xca020000]]), RET] satisfies Line[];
    machine.load(at, line);
    machine.view.setUint32(list - RAM_BASE + 8 * i, at, true);
  }
  machine.core.memoryWritten(list, 8 * count);
  const body: Line[] = [...number(22, list), ...number(20, count), ["ldr", 0xf84086c3], call(3), decrement(20), ifNot0(3)];
  machine.load(MAIN, [...number(19, passes), ...repeated(body)]);
}

const INPUTS: readonly BadInput[] = [
  {
    name: "an instruction that is another one each time",
    size: 500,
    load(machine, size) {
      machine.load(CODE, [movz(0, 0), ...loop(500, eight(["add", 0x8b010000])), RET]);
      const body = [store(21, 20), add(21, 21, 32), ISB, call(20)];
      machine.load(MAIN, [...number(19, size), ...number(20, CODE), ...number(21, movz(0, 0)[1]), ...repeated(body)]);
    },
  },
  {
    name: "an instruction in a loop that is one of two in turn",
    size: 500,
    load(machine, size) {
      machine.load(CODE, [movz(1, 500), add(0, 0, 1), ...eight(["add", 0x8b010000]), decrement(1), ifNot0(10), RET]);
      const body = [store(22, 23), ISB, call(20), store(21, 23), ISB, call(20)];
      const forms = [...number(21, add(0, 0, 1)[1]), ...number(22, add(0, 0, 3)[1]), ...number(23, CODE + 4)];
      machine.load(MAIN, [...number(19, size), ...number(20, CODE), ...forms, ...repeated(body)]);
    },
  },
  {
    name: "a page that has one of two texts in turn",
    size: 200,
    load(machine, size) {
      machine.load(FIRST_TEXT, pageOf(1));
      machine.load(SECOND_TEXT, pageOf(2));
      const body = [...copy(FIRST_TEXT), ISB, call(20), ...copy(SECOND_TEXT), ISB, call(20)];
      machine.load(MAIN, [...number(19, size), ...number(20, CODE), ...repeated(body)]);
    },
  },
  {
    name: "a page that has a new text each time",
    size: 50,
    load(machine, size) {
      machine.load(FIRST_TEXT, pageOf(0));
      // The first of the 28 instructions of each loop.
      const change: Line[] = [
        ...number(3, CODE + 4),
        movz(4, 32),
        store(21, 3),
        add(3, 3, 128),
        decrement(4),
        ifNot0(3),
        add(21, 21, 1024),
      ];
      const body = [...copy(FIRST_TEXT), ...change, ISB, call(20)];
      machine.load(MAIN, [...number(19, size), ...number(20, CODE), ...number(21, add(0, 0, 0)[1]), ...repeated(body)]);
    },
  },
  {
    name: "more hot functions than there is room for",
    size: 300,
    codeBytes: 0x1_0000,
    load: (machine, size) => loadFunctions(machine, size, 200),
  },
];

/** The translator's counters when the program has ended. */
function work(input: Omit<BadInput, "name">, size: number, ramSize = RAM_SIZE): TranslatorCounters {
  const { codeBytes } = input, machine = new Machine({ tier: "auto", hotness: HOTNESS, codeBytes }, ramSize);
  input.load(machine, size);
  machine.vcpu.pc = BigInt(MAIN);
  let most = 0;
  do {
    const { retired } = machine.run(RUN);
    most = Math.max(most, machine.core.counters.codeBytes);
    if (retired < RUN) break;
  } while (true);
  assert.equal(machine.word(machine.vcpu.pc - 4n), END[1], "the program did not come to its end");
  const counters = machine.core.counters.translator!, live = counters.regions + counters.restored - counters.dropped;
  assert.ok(counters.regions > 0, "nothing was translated");
  assert.ok(live <= REGION_CAPACITY, `${live} regions`);
  // The last module may go beyond.
  if (codeBytes) assert.ok(most < 1.25 * codeBytes, `${most} bytes of code`);
  return counters;
}

/** Counters of what takes time. */
const COSTS = ["modules", "instructions", "wasmBytes"] as const satisfies readonly (keyof TranslatorCounters)[];

function checkGrowth(one: TranslatorCounters, four: TranslatorCounters): void {
  for (const cost of COSTS) {
    const ratio = four[cost] / Math.max(one[cost], FEW);
    assert.ok(ratio <= MOST, `${cost}: ${one[cost]}, then ${four[cost]}`);
  }
}

for (const input of INPUTS) {
  Deno.test(`${input.name}: four times of it is four times the work`, () => {
    const size = input.size * (LONG ? 4 : 1);
    checkGrowth(work(input, size), work(input, 4 * size));
  });
}

longTest("25,000 and 100,000 functions: four times the work, in the room that there is", () => {
  const load = (machine: Machine, size: number) => loadFunctions(machine, size, 60);
  const [one, four] = [25_000, 100_000].map((size) => work({ size, load }, size, 4 * RAM_SIZE));
  checkGrowth(one, four);
});
