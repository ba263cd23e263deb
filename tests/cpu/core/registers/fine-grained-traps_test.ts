// Fine-grained traps (FEAT_FGT): each field sends its accesses to EL2, also those of registers that
// the interpreter and translated code reach by themselves elsewhere; what a CPU does not have is
// RES0. tests/differential/el2_test.ts compares all fields with QEMU's.

import assert from "node:assert/strict";
import { ExceptionClass, Pstate, syndrome } from "../../../../src/cpu/core/architecture/exceptions.ts";
import {
  FINE_TRAP_REGISTERS,
  fineTrapNamed,
  fineTrapOfMove,
  fineTrapOfSys,
} from "../../../../src/cpu/core/architecture/fine-grained-traps.ts";
import { Hcr, Mdcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import type { CoreOptions } from "../../../../src/cpu/core/core.ts";
import type { RegisterName } from "../../../../src/cpu/core/interface.ts";
import { parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { instructionSetOf } from "../../../../src/cpu/isa/instruction-set.ts";
import { systemRegisterNamed } from "../../../../src/cpu/isa/names/system-register-names.ts";
import { Machine, RAM_BASE } from "../program.ts";

const CPU = withEl2(parseCpu("v8,+FEAT_VHE,+FEAT_FGT"));
const TIERS: Readonly<Record<string, CoreOptions>> = {
  interp: {},
  jit: { tier: "jit", hotness: { samples: 1, landings: 1, slice: 50 } },
};
const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x2000, LOWER = 0x400;
const NOP = 0xd503_201f, ERET = 0xd69f_03e0, SVC = 0xd400_0021, SVC_BACK = 0x17ff_ffff;

/** MRS or MSR of a register with X0. */
const move = (name: string, isRead: boolean) =>
  (0xd500_0000 | (isRead ? 1 << 21 : 0) | (systemRegisterNamed(name.toLowerCase()) & 0xffff) << 5) >>> 0;

/** A machine whose EL1 or EL0 is in a loop of an instruction. */
function machineAt(options: CoreOptions, word: number, pstate: number): Machine {
  const machine = new Machine({ ...options, cpu: CPU }), { vcpu, view, core } = machine;
  const put = (address: number, instruction: number) => view.setUint32(address - RAM_BASE, instruction, true);
  put(CODE, word);
  put(CODE + 4, SVC_BACK);
  // At EL2 it stays.
  put(VECTORS + LOWER, NOP);
  put(VECTORS + LOWER + 4, SVC_BACK);
  core.memoryWritten(RAM_BASE, 0x4000);
  vcpu.setRegister("HCR_EL2", Hcr.RW);
  vcpu.setRegister("VBAR_EL2", BigInt(VECTORS));
  vcpu.pstate = pstate | Pstate.Daif;
  vcpu.pc = BigInt(CODE);
  return machine;
}

/** The syndrome with which the instruction comes to EL2, or 0n. */
function syndromeAtEl2(options: CoreOptions, word: number, pstate: number, set: Partial<Record<RegisterName, bigint>>): bigint {
  const machine = machineAt(options, word, pstate), { vcpu } = machine;
  // Translated before the trap is on.
  machine.run(500);
  for (const [name, value] of Object.entries(set)) vcpu.setRegister(name as RegisterName, value);
  machine.run(500);
  if (vcpu.getRegister("ESR_EL2")) assert.equal(vcpu.getRegister("ELR_EL2"), BigInt(CODE));
  return vcpu.getRegister("ESR_EL2");
}

const isOf = (esr: bigint, ofClass: number) => Number(esr >> 26n) === ofClass;

Deno.test("accesses that need no look elsewhere are trapped in both tiers: TPIDR_EL0, TPIDR_EL1", () => {
  for (const [tier, options] of Object.entries(TIERS)) {
    for (const [name, pstate] of [["TPIDR_EL1", Pstate.EL1h], ["TPIDR_EL0", Pstate.EL1h], ["TPIDR_EL0", Pstate.EL0t]] as const) {
      for (const direction of ["read", "write"] as const) {
        const trap = fineTrapOfMove(name, direction)!, word = move(name, direction === "read"), what = `${tier}: ${direction} of ${name}`;
        const other = direction === "read" ? "HFGWTR_EL2" : "HFGRTR_EL2";
        assert.ok(isOf(syndromeAtEl2(options, word, pstate, { [trap.register]: trap.mask }), ExceptionClass.SystemRegister), what);
        assert.equal(syndromeAtEl2(options, word, pstate, { [other]: trap.mask, HFGITR_EL2: trap.mask }), 0n, what);
        assert.equal(syndromeAtEl2(options, word, pstate, { [trap.register]: ~trap.mask }), 0n, what);
      }
    }
  }
});

Deno.test("SVC, ERET, DC ZVA and the debug channel are trapped with their own classes", () => {
  const mask = (name: "ERET" | "SVC_EL0" | "SVC_EL1" | "DCZVA") => ({ HFGITR_EL2: fineTrapNamed(name).mask });
  for (const options of Object.values(TIERS)) {
    const at = (word: number, pstate: number, set: Partial<Record<RegisterName, bigint>>) => {
      const machine = machineAt(options, word, pstate);
      for (const [name, value] of Object.entries(set)) machine.vcpu.setRegister(name as RegisterName, value);
      machine.run(1);
      return [machine.vcpu.getRegister("ESR_EL2"), machine.vcpu.getRegister("ELR_EL2")];
    };
    const here = BigInt(CODE), none = [0n, 0n];
    assert.deepEqual(at(ERET, Pstate.EL1h, mask("ERET")), [BigInt(syndrome(ExceptionClass.ExceptionReturn, 0)), here]);
    assert.deepEqual(at(SVC, Pstate.EL1h, mask("SVC_EL1")), [BigInt(syndrome(ExceptionClass.Svc, 1)), here]);
    assert.deepEqual(at(SVC, Pstate.EL0t, mask("SVC_EL0")), [BigInt(syndrome(ExceptionClass.Svc, 1)), here]);
    assert.deepEqual(at(SVC, Pstate.EL1h, mask("SVC_EL0")), none);
    assert.deepEqual(at(SVC, Pstate.EL0t, mask("SVC_EL1")), none);
    // A host's EL0 is not a guest: its SVC is an exception, after which it continues.
    const host = { ...mask("SVC_EL0"), HCR_EL2: Hcr.RW | Hcr.E2H | Hcr.TGE };
    assert.deepEqual(at(SVC, Pstate.EL0t, host), [BigInt(syndrome(ExceptionClass.Svc, 1)), here + 4n]);
    const zva = 0xd50b_7420;
    assert.ok(isOf(at(zva, Pstate.EL1h, mask("DCZVA"))[0], ExceptionClass.SystemRegister));
    const channel = move("MDCCINT_EL1", true);
    assert.ok(isOf(at(channel, Pstate.EL1h, { MDCR_EL2: Mdcr.TDCC })[0], ExceptionClass.SystemRegister));
  }
});

Deno.test("registers that the core does not hold are trapped as well, as many as the CPU has", () => {
  const at = (name: string, set: Partial<Record<RegisterName, bigint>>) => {
    const machine = machineAt({}, move(name, true), Pstate.EL1h);
    for (const [register, value] of Object.entries(set)) machine.vcpu.setRegister(register as RegisterName, value);
    machine.run(1);
    return machine.vcpu.getRegister("ESR_EL2") !== 0n;
  };
  for (const name of ["DBGBVR5_EL1", "DBGWCR3_EL1", "MDSCR_EL1", "DBGAUTHSTATUS_EL1", "DBGPRCR_EL1", "OSLSR_EL1"]) {
    const { register, mask } = fineTrapOfMove(name, "read")!;
    assert.ok(at(name, { [register]: mask }), name);
    assert.ok(!at(name, { [register]: ~mask }), name);
  }
  for (const name of ["DBGBVR6_EL1", "DBGWCR4_EL1"]) assert.ok(!at(name, { HDFGRTR_EL2: -1n }), name);
});

Deno.test("fields of features that a CPU does not have are RES0, and CPUs without FEAT_FGT have none", () => {
  const kept = (cpu: string, name: RegisterName) => {
    const machine = new Machine({ cpu: withEl2(parseCpu(cpu)) }), { vcpu, view, core } = machine;
    vcpu.setX(0, (1n << 64n) - 1n);
    view.setUint32(CODE - RAM_BASE, move(name, false), true);
    core.memoryWritten(CODE, 4);
    vcpu.pstate = Pstate.EL2h | Pstate.Daif;
    machine.run(1, CODE);
    return vcpu.getRegister(name);
  };
  const lor = fineTrapOfMove("LORC_EL1", "read")!, errors = fineTrapOfMove("ERXFR_EL1", "read")!;
  assert.equal(kept("v8,+FEAT_FGT", "HFGRTR_EL2") & (lor.mask | errors.mask), 0n);
  assert.equal(kept("v8,+FEAT_FGT,+FEAT_LOR,+FEAT_RAS", "HFGRTR_EL2") & (lor.mask | errors.mask), lor.mask | errors.mask);
  const ofOs = fineTrapOfSys([0, 8, 1, 0])!;
  assert.equal(kept("v8,+FEAT_FGT", "HFGITR_EL2") & ofOs.mask, 0n);
  for (const name of FINE_TRAP_REGISTERS) assert.equal(kept("v8", name), 0n, name);
});

Deno.test("a CPU without EL2 keeps the instructions of its thread registers", () => {
  const word = move("TPIDR_EL0", true), name = (cpu: ReturnType<typeof parseCpu>) => instructionSetOf(cpu).decode(word)?.instruction.name;
  assert.equal(name(parseCpu("v8,+FEAT_FGT")), "MRS TPIDR_EL0");
  assert.equal(name(withEl2(parseCpu("v8"))), "MRS TPIDR_EL0");
  assert.equal(name(CPU), "MRS");
});
