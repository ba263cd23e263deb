// Instructions that are undefined or trapped in some states, and plain otherwise: regions have
// them, and are left where they take exceptions.

import assert from "node:assert/strict";
import { discover } from "../../../../src/cpu/core/translator/regions/region.ts";
import { executedCode } from "./executed-code.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x8000, DATA = RAM_BASE + 0x10_0000;

/** Frequent operations of a kernel: its current task, its data of this CPU, pages of zeros. */
const LOOP: Line[] = [
  ["mrs x0, sp_el0", 0xd5384100],
  ["add x0, x0, #0x8", 0x91002000],
  ["msr sp_el0, x0", 0xd5184100],
  ["mrs x1, tpidr_el1", 0xd538d081],
  ["add x1, x1, x0", 0x8b000021],
  ["msr tpidr_el1, x1", 0xd518d081],
  ["str x1, [x5, #8]", 0xf90004a1],
  ["sys #3, C7, C4, #1, x5", 0xd50b7425], // DC ZVA
  ["ldr x2, [x5, #8]", 0xf94004a2],
  ["add x3, x3, x2", 0x8b020063],
  ["str x1, [x5, #16]", 0xf90008a1],
  ["b", 0x17fffff5],
];

/** Counts the exception, and steps over the instruction. */
const HANDLER: Line[] = [
  ["mrs x29, elr_el1", 0xd538403d],
  ["add x29, x29, #0x4", 0x910013bd],
  ["msr elr_el1, x29", 0xd518403d],
  ["add x10, x10, #0x1", 0x9100054a],
  ["eret", 0xd69f03e0],
];

const STATES = { EL1h: 0x3c5, EL1t: 0x3c4, EL0: 0x3c0 } as const;
/** Whether there are exceptions, by the state that the loop runs in. */
const EXCEPTS = { EL1h: false, EL1t: true, EL0: true } as const;

Deno.test("registers of EL1 and DC ZVA belong to their region", () => {
  const [block, ...others] = discover(executedCode(LOOP), 0);
  assert.equal(block.instructions.length, LOOP.length);
  assert.equal(others.length, 0);
});

Deno.test("where they are undefined or trapped, every tier takes the same exceptions", () => {
  const run = (machine: Machine): string[] => {
    const { vcpu } = machine;
    // DC ZVA is for Normal memory.
    vcpu.defaultCacheable = true;
    machine.load(CODE, LOOP);
    for (let at = VECTORS; at < VECTORS + 0x800; at += 0x80) machine.load(at, HANDLER);
    vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
    vcpu.setX(5, BigInt(DATA));
    return (["EL1h", "EL0", "EL1h", "EL1t", "EL0"] as const).flatMap((state) => {
      vcpu.pstate = STATES[state];
      vcpu.setX(10, 0n);
      machine.run(1, CODE);
      const turns = [100, 7, 1000, 333].map((budget) => {
        machine.run(budget * LOOP.length);
        return [machine.registers(), vcpu.getRegister("SP_EL0"), vcpu.getRegister("TPIDR_EL1")].join(" ");
      });
      const counted = Number(vcpu.getX(10));
      assert.equal(counted > 0, EXCEPTS[state], `${counted} exceptions in ${state}`);
      return turns;
    });
  };
  const translator = new Machine({ tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } });
  assert.deepEqual(run(translator), run(new Machine()));
  assert.ok(translator.core.counters.translator!.regions > 0, "nothing was translated");
});
