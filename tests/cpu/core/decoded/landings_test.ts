// Where translated code hands over to the interpreter again and again, regions begin.

import assert from "node:assert/strict";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;

/**
 * A long loop around code that the first region leaves behind: DC CIVAC is left to the interpreter.
 */
const PROGRAM: Line[] = [
  ["add x1, x1, #0x1", 0x91000421],
  ["sys #3, C7, C14, #1, x2", 0xd50b7e22],
  ["add x3, x3, x1", 0x8b010063],
  ["eor x4, x4, x3", 0xca030084],
  ["b", 0x17fffffc],
];

Deno.test("a region begins behind an instruction that the interpreter has to execute", () => {
  const interpreter = new Machine(), translator = new Machine({ tier: "jit", hotness: { samples: 1, landings: 8, slice: 50 } });
  for (const machine of [interpreter, translator]) {
    machine.load(CODE, PROGRAM);
    machine.vcpu.setX(2, BigInt(RAM_BASE));
    machine.run(3, CODE);
    machine.run(2000);
  }
  assert.equal(translator.registers(), interpreter.registers());
  assert.equal(translator.core.counters.translator!.regions, 2);
});
