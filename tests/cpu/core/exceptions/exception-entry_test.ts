// Exceptions: what is saved where, how EL1 is entered and left, and what leaves for EL2.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { CODE, Rig } from "../rig.ts";

const VECTORS = 0xffff_8000_0001_0000n;

function rig(pstate: number = Pstate.EL1h): Rig {
  const rig = new Rig();
  rig.set("VBAR_EL1", VECTORS);
  rig.set("SCTLR_EL1", 0x30d00800n);
  rig.pstate(pstate);
  rig.setWord("IP", 0x100 * 4);
  return rig;
}

const PC = CODE + 0x100n;

Deno.test("SVC, BRK, undefined instructions and FP traps have their syndromes and return addresses", () => {
  const cases = [
    ["raiseSupervisorCall", [0x1234], 0x5600_1234, PC + 4n],
    ["raiseBreakpoint", [0x1234], 0xf200_1234, PC],
    ["raiseUndefined", [], 0x0200_0000, PC],
    ["raiseHalt", [0xf000], 0x0200_0000, PC],
    ["raiseFpTrap", [], 0x1fe0_0000, PC],
  ] as const;
  for (const [name, args, esr, elr] of cases) {
    const outcome = rig().call(name, ...args);
    assert.deepEqual([outcome.esr, outcome.elr, outcome.pc], [esr, elr, VECTORS + 0x200n], name);
  }
});

Deno.test("the vector depends on where the exception comes from", () => {
  for (const [pstate, offset] of [[Pstate.EL1t, 0n], [Pstate.EL1h, 0x200n], [Pstate.EL0t, 0x400n]] as const) {
    assert.equal(rig(pstate).call("raiseSupervisorCall", 0).pc, VECTORS + offset);
  }
});

Deno.test("entry saves PSTATE with flags, masks, sets PAN unless SPAN, and takes SP_EL1", () => {
  const cpu = rig(Pstate.EL0t | Pstate.SS);
  cpu.sp = 0x1000n;
  cpu.set("SP_EL1", 0x2000n);
  cpu.functions.writeFlags(Pstate.Z | Pstate.V | 0);
  cpu.setWord("EXCLUSIVE", 1);
  cpu.call("raiseSupervisorCall", 0);
  assert.equal(cpu.get("SPSR_EL1"), BigInt((Pstate.Z | Pstate.V) >>> 0), "an SVC is a step of its own");
  assert.equal(cpu.getWord("PSTATE"), Pstate.EL1h | Pstate.Daif);
  assert.deepEqual([cpu.sp, cpu.get("SP_EL0")], [0x2000n, 0x1000n]);
  assert.equal(cpu.getWord("EXCLUSIVE"), 0);

  const panned = rig(Pstate.EL1h | Pstate.I);
  panned.set("SCTLR_EL1", 0x30500800n);
  panned.call("raiseUndefined");
  assert.equal(panned.getWord("PSTATE"), Pstate.EL1h | Pstate.Daif | Pstate.PAN);
  const kept = rig(Pstate.EL1h | Pstate.PAN);
  kept.call("raiseUndefined");
  assert.equal(kept.getWord("PSTATE"), Pstate.EL1h | Pstate.Daif | Pstate.PAN);
});

Deno.test("ERET restores what entry saved, to EL0, EL1t and EL1h", () => {
  const modes = [Pstate.EL0t, Pstate.EL1t, Pstate.EL1h];
  const bits = [Pstate.PAN, Pstate.D, Pstate.A, Pstate.I, Pstate.F, Pstate.N, Pstate.Z, Pstate.C, Pstate.V];
  fc.assert(
    fc.property(fc.constantFrom(...modes), fc.subarray(bits), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (mode, set, target) => {
      const cpu = rig();
      cpu.sp = 1n;
      cpu.set("SP_EL0", 2n);
      const spsr = set.reduce((sum, bit) => sum | bit, mode as number) >>> 0;
      cpu.set("SPSR_EL1", BigInt(spsr));
      cpu.set("ELR_EL1", target);
      const outcome = cpu.call("exceptionReturn");
      assert.equal(outcome.pc, target);
      assert.equal((cpu.getWord("PSTATE") | Number(cpu.functions.readFlags())) >>> 0, spsr);
      assert.equal(cpu.sp, mode === Pstate.EL1h ? 1n : 2n);
    }),
    { numRuns: 30 },
  );
});

Deno.test("an illegal return keeps EL and raises an illegal execution state at the target", () => {
  for (const mode of [0x1, 0x8, 0x9, 0xc, 0xd, 0x10, 0x13, 0x6]) {
    const cpu = rig();
    cpu.set("SPSR_EL1", BigInt((Pstate.C | mode) >>> 0));
    cpu.set("ELR_EL1", 0x8000n);
    const outcome = cpu.call("exceptionReturn");
    assert.deepEqual([outcome.esr, outcome.elr, outcome.pc], [0x3a00_0000, 0x8000n, VECTORS + 0x200n]);
    assert.equal(cpu.get("SPSR_EL1"), BigInt((Pstate.C | Pstate.IL | Pstate.EL1h) >>> 0));
    assert.equal(cpu.getWord("PSTATE"), Pstate.EL1h | Pstate.Daif);
  }
});

Deno.test("exceptions of EL1 since the last return are a chain with its first one, and how often it repeats", () => {
  const cpu = rig();
  const chain = () => ["LENGTH", "SAME", "INTERRUPTS"].map((name) => cpu.getWord(`CHAIN_${name}` as "CHAIN_LENGTH"));
  const returnTo = (mode: number) => {
    cpu.set("SPSR_EL1", BigInt(mode));
    cpu.call("exceptionReturn");
  };
  cpu.set("FAR_EL1", 0x77n);
  cpu.call("raiseBreakpoint", 1);
  cpu.call("raiseUndefined");
  assert.deepEqual(chain(), [2, 0, 0]);
  for (let i = 0; i < 5; i++) cpu.call("raiseUndefined");
  assert.deepEqual(chain(), [7, 5, 0]);
  assert.deepEqual([cpu.get("CHAIN_ESR"), cpu.get("CHAIN_ELR"), cpu.get("CHAIN_FAR")], [0xf200_0001n, PC, 0x77n]);
  // The return of an interrupt in between leads back into the handler.
  cpu.setWord("IRQ", 1);
  cpu.setWord("PSTATE", Pstate.EL1h);
  cpu.call("checkInterrupts");
  cpu.setWord("IRQ", 0);
  assert.deepEqual(chain(), [7, 5, 1]);
  returnTo(Pstate.EL1h);
  assert.deepEqual(chain(), [7, 5, 0]);
  returnTo(Pstate.EL1h);
  assert.equal(chain()[0], 0);
  // At EL0 nothing of it is left, and its own exceptions are none of the kernel's.
  cpu.call("raiseUndefined");
  cpu.setWord("IRQ", 1);
  cpu.setWord("PSTATE", Pstate.EL1h);
  cpu.call("checkInterrupts");
  cpu.setWord("IRQ", 0);
  returnTo(Pstate.EL0t);
  cpu.call("raiseUndefined");
  assert.equal(chain()[0], 0);
});

Deno.test("ERET is undefined at EL0", () => {
  assert.equal(rig(Pstate.EL0t).call("exceptionReturn").esr, 0x0200_0000);
});

Deno.test("HVC and SMC leave for EL2 from EL1, and are undefined at EL0", () => {
  const hvc = rig().call("hypervisorCall", 0x6001);
  assert.deepEqual([hvc.exit, hvc.esr, hvc.pc], [ExitReason.Trap, 0x5a00_6001, PC + 4n]);
  const smc = rig().call("secureMonitorCall", 0);
  assert.deepEqual([smc.exit, smc.esr, smc.pc], [ExitReason.Trap, 0x5e00_0000, PC]);
  for (const name of ["hypervisorCall", "secureMonitorCall"] as const) assert.equal(rig(Pstate.EL0t).call(name, 0).esr, 0x0200_0000);
});

Deno.test("WFI leaves for EL2; WFE does unless the event register is set", () => {
  const wfi = rig().call("waitFor", 0);
  assert.deepEqual([wfi.exit, wfi.esr, wfi.pc], [ExitReason.Trap, 0x07e0_0000, PC]);
  const cpu = rig();
  cpu.setWord("EVENT", 1);
  assert.equal(cpu.call("waitFor", 1).exit, undefined);
  assert.equal(cpu.getWord("EVENT"), 0);
  assert.equal(cpu.call("waitFor", 1).esr, 0x07e0_0001);
});

Deno.test("EL0's WFI and WFE are EL1's unless SCTLR_EL1.nTWI and nTWE say otherwise", () => {
  for (const [kind, bit] of [[0, 16n], [1, 18n]] as const) {
    const trapped = rig(Pstate.EL0t);
    trapped.set("SCTLR_EL1", 0n);
    assert.deepEqual(trapped.call("waitFor", kind).pc, VECTORS + 0x400n);
    assert.equal(Number(trapped.get("ESR_EL1")), 0x07e0_0000 + kind);
    const free = rig(Pstate.EL0t);
    free.set("SCTLR_EL1", 1n << bit);
    assert.equal(free.call("waitFor", kind).exit, ExitReason.Trap);
  }
});

Deno.test("interrupts are taken when they are not masked, FIQ first", () => {
  for (
    const [irq, fiq, masks, vector] of [
      [1, 0, 0, 0x280n],
      [1, 0, Pstate.F, 0x280n],
      [1, 0, Pstate.I, undefined],
      [0, 1, Pstate.I, 0x300n],
      [0, 1, Pstate.F, undefined],
      [1, 1, 0, 0x300n],
      [1, 1, Pstate.F, 0x280n],
    ] as const
  ) {
    const cpu = rig(Pstate.EL1h | masks);
    cpu.setWord("IRQ", irq);
    cpu.setWord("FIQ", fiq);
    cpu.set("PC", 0x1234_0000n);
    const outcome = cpu.call("checkInterrupts");
    assert.equal(outcome.pc, vector === undefined ? undefined : VECTORS + vector);
    if (vector !== undefined) assert.equal(cpu.get("ELR_EL1"), 0x1234_0000n);
  }
});

Deno.test("clearing PSTATE.I takes a waiting interrupt behind the instruction", () => {
  const daif = 3 << 14 | 3 << 11 | 4 << 7 | 2 << 3 | 1;
  for (
    const unmask of [(cpu: Rig) => cpu.call("writePstateField", 0b011_111, 2), (cpu: Rig) => cpu.call("writeSystemRegister", daif, 0n)]
  ) {
    const cpu = rig(Pstate.EL1h | Pstate.Daif);
    cpu.setWord("IRQ", 1);
    const outcome = unmask(cpu);
    assert.deepEqual([outcome.pc, outcome.elr], [VECTORS + 0x280n, PC + 4n]);
    assert.equal(Number(cpu.get("SPSR_EL1")) & Pstate.I, 0);
  }
});

Deno.test("ERET with an interrupt waiting takes it before the first instruction", () => {
  const cpu = rig(Pstate.EL1h | Pstate.Daif);
  cpu.setWord("IRQ", 1);
  cpu.set("SPSR_EL1", BigInt(Pstate.EL0t));
  cpu.set("ELR_EL1", 0x40_0000n);
  assert.equal(cpu.call("exceptionReturn").pc, VECTORS + 0x480n);
  assert.deepEqual([cpu.get("ELR_EL1"), cpu.get("SPSR_EL1")], [0x40_0000n, 0n]);
});

Deno.test("an injected exception returns to the vCPU's current instruction", () => {
  const cpu = rig(Pstate.EL0t);
  cpu.set("PC", 0x40_1000n);
  cpu.functions.injectException(0x9200_0010 | 0, 0x9000_0000n);
  assert.deepEqual([cpu.get("PC"), cpu.get("ELR_EL1"), cpu.get("FAR_EL1")], [VECTORS + 0x400n, 0x40_1000n, 0x9000_0000n]);
  assert.equal(cpu.get("ESR_EL1"), 0x9200_0010n);
});

Deno.test("a misaligned SP faults where SCTLR_EL1 checks it", () => {
  for (const [pstate, bit] of [[Pstate.EL1h, 3n], [Pstate.EL0t, 4n]] as const) {
    const cpu = rig(pstate);
    cpu.sp = 0x1008n;
    cpu.set("SCTLR_EL1", 0x18n ^ 1n << bit);
    assert.equal(cpu.call("raiseSpAlignment").esr, undefined);
    cpu.set("SCTLR_EL1", 1n << bit);
    assert.equal(cpu.call("raiseSpAlignment").esr, 0x9a00_0000);
    cpu.pstate(pstate);
    cpu.sp = 0x1010n;
    assert.equal(cpu.call("raiseSpAlignment").esr, undefined);
  }
});
