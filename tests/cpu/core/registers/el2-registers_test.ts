// Registers of EL2 in a core: what is not built leaves it by name, and what the architecture leaves
// out is UNDEFINED. tests/differential/el2_test.ts compares values with QEMU's.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Hcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { CpuError, parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { systemRegisterNamed } from "../../../../src/cpu/isa/names/system-register-names.ts";
import { Rig } from "../rig.ts";

const CPU = withEl2(parseCpu("v8.2,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS"));
const UNDEFINED = 0x0200_0000n;

function rig(pstate: number = Pstate.EL2h, hcr = 0n): Rig {
  const rig = new Rig(CPU);
  rig.set("HCR_EL2", hcr | Hcr.RW);
  rig.pstate(pstate);
  return rig;
}

/** The word of MSR or MRS of a register with X0. */
const wordOf = (name: string, isRead: boolean) => {
  const number = systemRegisterNamed(name);
  return 0xd500_0000 | (isRead ? 1 << 21 : 0) | (number & 0xffff) << 5;
};

/** Writes a register by its name. */
function write(cpu: Rig, name: string, value: bigint) {
  cpu.word = wordOf(name, false);
  return cpu.call("writeSystemRegister", systemRegisterNamed(name), value);
}

Deno.test("registers of EL2 that are not built leave the core at EL2, and are UNDEFINED below it", () => {
  for (const name of ["icc_sre_el2", "vdisr_el2"]) {
    const read = (pstate: number) => {
      const cpu = rig(pstate);
      cpu.word = wordOf(name, true);
      return cpu.call("readSystemRegister", systemRegisterNamed(name));
    };
    assert.equal(read(Pstate.EL2h).exit, ExitReason.Trap, name);
    for (const pstate of [Pstate.EL1h, Pstate.EL0t]) assert.equal(BigInt(read(pstate).esr ?? 0), UNDEFINED, name);
  }
});

Deno.test("a host has the timers of EL2 by the names of EL1's, also at EL0, and the core reports each write", () => {
  for (const pstate of [Pstate.EL2h, Pstate.EL0t]) {
    const cpu = rig(pstate, Hcr.E2H | Hcr.TGE);
    cpu.set("CNTHCTL_EL2", 0x300n);
    for (
      const [name, held, other] of [["cntp_cval_el0", "CNTHP_CVAL_EL2", "CNTP_CVAL_EL0"], [
        "cntv_cval_el0",
        "CNTHV_CVAL_EL2",
        "CNTV_CVAL_EL0",
      ]] as const
    ) {
      assert.equal(write(cpu, name, 5n).exit, ExitReason.Timer);
      assert.deepEqual([cpu.get(held), cpu.get(other)], [5n, 0n], name);
    }
  }
  const cpu = rig();
  assert.equal(write(cpu, "cntvoff_el2", 7n).exit, ExitReason.Timer, "the deadline of CNTV follows the offset");
});

Deno.test("EL0 has EL2's timers by the names of EL1's alone, EL1 not at all", () => {
  for (const name of ["cnthp_ctl_el2", "cnthv_ctl_el2", "cntvoff_el2"]) {
    const cpu = rig(Pstate.EL0t, Hcr.E2H | Hcr.TGE);
    cpu.set("CNTHCTL_EL2", 0x300n);
    write(cpu, name, 1n);
    assert.equal(cpu.get("ESR_EL2"), UNDEFINED, name);
    const el1 = rig(Pstate.EL1h, Hcr.E2H);
    write(el1, name, 1n);
    assert.equal(el1.get("ESR_EL1"), UNDEFINED, name);
  }
});

Deno.test("aliases exist for a host at EL2 alone", () => {
  for (const name of ["sctlr_el12", "cpacr_el12", "vbar_el12", "cntkctl_el12", "cntv_cval_el02"]) {
    const read = (pstate: number, hcr: bigint) => {
      const cpu = rig(pstate, hcr);
      cpu.set("ESR_EL2", 0n);
      cpu.call("readSystemRegister", systemRegisterNamed(name));
      return [cpu.get("ESR_EL1"), cpu.get("ESR_EL2")];
    };
    assert.deepEqual(read(Pstate.EL2h, Hcr.E2H), [0n, 0n], name);
    assert.deepEqual(read(Pstate.EL2h, 0n), [0n, UNDEFINED], name);
    assert.deepEqual(read(Pstate.EL1h, Hcr.E2H), [UNDEFINED, 0n], name);
  }
});

Deno.test("EL1 sees the identity that EL2 gives it", () => {
  const read = (pstate: number) => {
    const cpu = rig(pstate);
    cpu.set("MIDR_EL1", 1n);
    cpu.set("MPIDR_EL1", 2n);
    cpu.set("VPIDR_EL2", 3n);
    cpu.set("VMPIDR_EL2", 4n);
    return ["midr_el1", "mpidr_el1"].map((name) => cpu.call("readSystemRegister", systemRegisterNamed(name)).value);
  };
  assert.deepEqual(read(Pstate.EL2h), [1n, 2n]);
  assert.deepEqual(read(Pstate.EL1h), [3n, 4n]);
});

Deno.test("features with a part at EL2 that is not built are refused by name", () => {
  assert.throws(() => withEl2(parseCpu("v8.4")), (error) => error instanceof CpuError && /FEAT_PMUv3, FEAT_HAFDBS/.test(error.message));
  assert.throws(() => parseCpu("v8.2,+FEAT_EL2"), CpuError);
});
