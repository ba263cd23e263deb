// Where indirect branches by tables lead inside of their region: the pieces of threaded code are of
// one region and meet in one place, switches with tables of their own lead to what follows them,
// and the flags are right where a piece is left for code of another region; and a hostile
// page of branches, each by its own table, is not read once for each of them.

import assert from "node:assert/strict";
import { JumpTables } from "../../../../../src/cpu/core/translator/code/jump-tables.ts";
import { discover, type Ending } from "../../../../../src/cpu/core/translator/regions/region.ts";
import { executedCode, INSTRUCTIONS } from "../executed-code.ts";
import { type Line, Machine, RAM_BASE } from "../../program.ts";

const CODE = RAM_BASE + 0x1000, TABLE = RAM_BASE + 0x10_0000;

/** The branch at the end of a piece, by the table in x3. */
const NEXT: Line[] = [
  ["ldr x1, [x3, x1, lsl #3]", 0xf8617861],
  ["br x1", 0xd61f0020],
];
const PIECE: Line[] = [
  ["ldrb w1, [x4, w0, uxtw]", 0x38604881],
  ["add w0, w0, #0x1", 0x11000400],
  ...NEXT,
];
/** A switch whose table is where `adr` says. */
const SWITCH: Line[] = [
  ["adr x3", 0x10000083],
  ["ldr x1, [x3, x1, lsl #3]", 0xf8617861],
  ["br x1", 0xd61f0020],
  ["b", 0x17fffffd],
];

/** `br x1` */
const BRANCH = 0xd61f_0020;

/** Loads of X1 by different expressions: sizes, extensions, shifts and base registers. */
const LOADS = [0, 1, 2, 3].flatMap((size) =>
  [2, 3, 6, 7].flatMap((option) =>
    [0, 1].flatMap((shift) =>
      Array.from({ length: 16 }, (_, base) => (0x3862_0801 | size << 30 | option << 13 | shift << 12 | base + 3 << 5) >>> 0)
    )
  )
);

/** The endings of blocks that begin at these instructions, by instruction. */
function endings(lines: readonly Line[], head: number): Map<number, Ending> {
  return new Map(discover(executedCode(lines), head).map(({ first, ending }) => [first, ending]));
}

Deno.test("pieces of threaded code are of one region, wherever that begins, and go by the same table", () => {
  const pieces = [0, 4, 8, 12], lines = [...pieces.flatMap(() => PIECE), ["ret", 0xd65f03c0] as const];
  for (const head of pieces) {
    const found = endings(lines, head);
    assert.deepEqual([...found.keys()].toSorted((a, b) => a - b), [...pieces, 16]);
    const tables = new Set<number>();
    for (const piece of pieces) {
      const ending = found.get(piece)!;
      assert.equal(ending.kind, "indirect");
      if (ending.kind !== "indirect") continue;
      assert.deepEqual(ending.targets, [...pieces, 16]);
      tables.add(ending.table!);
    }
    assert.equal(tables.size, 1);
    assert.ok(!tables.has(undefined!), "the pieces have no table together");
  }
});

Deno.test("a switch that makes the address of its table leads to what follows it alone", () => {
  const found = endings([...SWITCH, ...SWITCH], 0);
  assert.deepEqual(found.get(0), { kind: "indirect", targets: [3, 4, 7], table: undefined });
  assert.deepEqual(found.get(4), { kind: "indirect", targets: [7], table: undefined });
});

Deno.test("flags that a piece of threaded code has set are right far away, where no piece reads them", () => {
  const far = 0x800,
    next: Line[] = [
      // An index from 0 to 7, of which x9 is the seed.
      ["add x9, x9, x9, lsl #2", 0x8b090929],
      ["add x9, x9, #0x1", 0x91000529],
      ["ubfm x1, x9, #20, #22", 0xd3545921],
      ...NEXT,
    ];
  const pieces: Line[][] = [
    [["subs x2, x2, #0x1", 0xf1000442], ...next],
    [["adds x2, x2, #0x3", 0xb1000c42], ...next],
    [["subs w2, w5, w2", 0x6b0200a2], ...next],
  ];
  const run = (machine: Machine): string => {
    const { vcpu } = machine;
    pieces.forEach((piece, i) => machine.load(CODE + 0x40 * i, piece));
    machine.load(CODE + far, [
      ["csinc x6, xzr, xzr, cc", 0x9a9f37e6],
      ["adc x5, x5, x6", 0x9a0600a5],
      // Past the first piece's start, so that no loop begins at a piece.
      ["b", 0x14000000 | -(far + 4 >> 2) & 0x3ffffff],
    ]);
    const targets = [0, 0x40, 0x80, 0, 0x40, 0x80, 0, far];
    targets.forEach((target, i) => machine.view.setBigUint64(TABLE - RAM_BASE + 8 * i, BigInt(CODE + target), true));
    vcpu.setX(3, BigInt(TABLE));
    machine.run(1, CODE);
    let states = "";
    for (let i = 0; i < 40; i++) {
      machine.run(1 + 37 * i);
      states += machine.registers() + "\n";
    }
    return states;
  };
  // All pieces have been executed when the first one is hot, and regions do not end where others
  // begin.
  const translator = new Machine({ tier: "jit", hotness: { samples: 8, landings: 100_000, slice: 50 } });
  assert.equal(run(translator), run(new Machine()));
  assert.ok(translator.core.counters.translator!.regions > 0, "nothing was translated");
});

Deno.test("the words that are read for a branch by a table are those around it, once, however many branches there are", () => {
  const words = LOADS.flatMap((load) => [load, BRANCH]);
  let read = 0;
  const tables = new JumpTables({
    instructions: INSTRUCTIONS,
    has: (index) => index >= 0 && index < words.length,
    word: (index) => (read++, words[index]),
    isKnown: () => true,
    isHead: () => false,
  });
  for (let at = 1; at < words.length; at += 2) assert.equal(tables.targetsOf(at).table, undefined);
  assert.ok(read < LOADS.length * 512, `${read} words for ${LOADS.length} branches`);
});
