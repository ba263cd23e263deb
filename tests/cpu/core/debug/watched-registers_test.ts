// Watched registers: a run stops before each instruction that writes one of them, whichever tier
// runs, and the core notes that a system register was written.

import assert from "node:assert/strict";
import { ExitReason, registerWrites } from "../../../../src/cpu/core/interface.ts";
import { WRITE_BITS } from "../../../../src/cpu/core/registers/register-writes.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const EAGER = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;
const LOOP: Line[] = [
  ["add x1, x1, #0x800", 0x91200021],
  ["msr vbar_el1, x1", 0xd518c001],
  ["msr tpidr_el1, x1", 0xd518d081],
  ["mrs x2, vbar_el1", 0xd538c002],
  ["b ", 0x17fffffc],
];

for (const [tier, options] of [["interp", {}], ["jit", EAGER]] as const) {
  Deno.test(`a write of a watched register stops before it, and no other does, in tier ${tier}`, () => {
    for (const [name, at] of [["vbar_el1", CODE + 4], ["tpidr_el1", CODE + 8]] as const) {
      const machine = new Machine(options), { core, vcpu } = machine;
      machine.load(CODE, LOOP);
      const before = machine.run(500, CODE).retired;
      core.stops.watchRegisters(registerWrites(name)!.names);
      const { reason, retired } = machine.run(1000);
      assert.equal(reason, ExitReason.Breakpoint);
      assert.equal(vcpu.pc, BigInt(at));
      assert.equal((before + retired) % 5, at === CODE + 4 ? 1 : 2);
      assert.equal(machine.run(100).retired, 0, "it stops again");
      assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
      assert.equal(machine.run(1000).retired, 4, "to the next one");
      core.stops.watchRegisters([]);
      assert.equal(machine.run(1000).reason, ExitReason.Budget);
    }
  });

  Deno.test(`a write of a watched operand stops before it, and no other does, in tier ${tier}`, () => {
    const machine = new Machine(options), { core, vcpu } = machine;
    machine.load(CODE, [
      ["add x1, x1, #0x800", 0x91200021],
      ["ldr x2, [x3], #8", 0xf8408462],
      ["sub x3, x3, #0x8", 0xd1002063],
      ["umov w4, v5.s[0]", 0x0e043ca4],
      ["ldp q6, q7, [x3]", 0xad401c66],
      ["add x5, sp, #0x0", 0x910003e5],
      ["add sp, x5, #0x0", 0x910000bf],
      ["b ", 0x17fffff9],
    ]);
    vcpu.setX(3, BigInt(RAM_BASE));
    vcpu.setRegister("CPACR_EL1", 3n << 20n);
    machine.run(800, CODE);
    for (const [name, ...places] of [["x1", 0], ["x2", 1], ["x3", 1, 2], ["x4", 3], ["v5"], ["v6", 4], ["v7", 4], ["sp_el1", 6]] as const) {
      core.stops.watchRegisters(registerWrites(name)!.names);
      const seen = new Set<bigint>();
      for (let count = 0; count < 4; count++) {
        if (machine.run(100).reason !== ExitReason.Breakpoint) continue;
        seen.add(vcpu.pc);
        assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
      }
      assert.deepEqual(seen, new Set(places.map((place) => BigInt(CODE + 4 * place))), name);
    }
    core.stops.watchRegisters([]);
    assert.equal(machine.run(1000).reason, ExitReason.Budget);
  });

  Deno.test(`a written register is noted until it is forgotten, in tier ${tier}`, () => {
    const machine = new Machine(options), { core, vcpu } = machine;
    machine.load(CODE, LOOP);
    core.forgetWritten();
    assert.equal(core.written().registers, 0n);
    machine.run(500, CODE);
    assert.equal(core.written().registers, registerWrites("vbar_el1")!.bit);
    core.forgetWritten();
    vcpu.setRegister("TTBR0_EL1", 0n);
    assert.equal(core.written().registers, registerWrites("ttbr0_el1")!.bit);
    core.forgetWritten();
    machine.run(500);
    assert.equal(core.written().registers, registerWrites("vbar_el1")!.bit);
    core.forgetWritten();
    vcpu.setRegister("MPIDR_EL1", 1n);
    assert.equal(core.written().registers, registerWrites("mpidr_el1")!.bit);
  });
}

Deno.test("a timer's value sets its compare value, and registers that others change too are not named", () => {
  assert.deepEqual(registerWrites("cntv_cval_el0")!.names, ["cntv_cval_el0", "cntv_tval_el0"]);
  assert.equal(registerWrites("tpidr_el1")!.bit, undefined);
  assert.equal(registerWrites("elr_el1")!.byExceptions, true);
  for (const name of ["par_el1", "x31", "v32", "xzr", "pstate", "fpsr", "cntv_ctl_el0"]) {
    assert.equal(registerWrites(name), undefined, name);
  }
  assert.ok(new Set(WRITE_BITS.values()).size <= 64);
});
