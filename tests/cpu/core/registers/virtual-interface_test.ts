// GICv3's virtual CPU interface: what a run reports to the machine, and the list registers of a
// CPU. tests/differential/el2_test.ts compares all that registers show with QEMU's.

import assert from "node:assert/strict";
import { ExceptionClass, exceptionClass, Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Hcr } from "../../../../src/cpu/core/architecture/hypervisor-control.ts";
import { IchHcr, IchLr, IchVmcr } from "../../../../src/cpu/core/architecture/virtual-gic.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { parseCpu, withEl2 } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { systemRegisterNamed } from "../../../../src/cpu/isa/names/system-register-names.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const V82 = parseCpu("v8.2,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS");
const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x2000;
const INTID = 34n, PHYSICAL = 27n;
const PENDING = IchLr.Pending | 1n << BigInt(IchLr.GroupShift) | 0x80n << BigInt(IchLr.PriorityShift) | INTID;
const HARDWARE = IchLr.HW | PHYSICAL << BigInt(IchLr.PhysicalShift);

const encoded = (name: string) => (systemRegisterNamed(name) & 0xffff) << 5;
const mrs = (name: string): Line => [`mrs x0, ${name}`, 0xd520_0000 | encoded(name)];
const msr = (name: string): Line => [`msr ${name}, x0`, 0xd500_0000 | encoded(name)];

/** A vCPU at EL1 whose interrupts are virtual, with a list register and what it executes. */
function machine(
  lines: readonly Line[],
  { list = PENDING, controls = IchHcr.En as number, vmcr = 0, listRegisters = 4 as 4 | 16 } = {},
): Machine {
  const machine = new Machine({ cpu: withEl2(V82, listRegisters) }), { vcpu } = machine;
  vcpu.setRegister("HCR_EL2", Hcr.RW | Hcr.IMO | Hcr.FMO);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("ICH_LR1_EL2", list);
  vcpu.setRegister("ICH_HCR_EL2", BigInt(controls));
  vcpu.setRegister("ICH_VMCR_EL2", BigInt((IchVmcr.VENG1 | vmcr | 0xf8 << IchVmcr.VPMRShift | 3 << IchVmcr.VBPR1Shift) >>> 0));
  vcpu.pstate = Pstate.EL1h | Pstate.Daif;
  vcpu.pc = BigInt(CODE);
  machine.load(CODE, lines);
  return machine;
}

Deno.test("a pending list register interrupts EL1 where that is unmasked, also if the register was set from outside", () => {
  const cpu = machine([["msr daifclr, #0x2", 0xd503_42ff]]);
  cpu.run(1);
  assert.equal(cpu.vcpu.pc, BigInt(VECTORS + 0x280));
  const idle = machine([["msr daifclr, #0x2", 0xd503_42ff]], { controls: 0 });
  idle.run(1);
  assert.equal(idle.vcpu.pc, BigInt(CODE + 4), "the interface is disabled");
});

Deno.test("a WFI of EL1 is complete where a virtual interrupt is pending, masked or not", () => {
  const wfi: Line = ["hint #0x3", 0xd503_207f], waiting = machine([wfi], { controls: 0 });
  assert.equal(waiting.run(1).reason, ExitReason.Trap);
  const woken = machine([wfi]);
  assert.deepEqual([woken.run(1).reason, woken.vcpu.pc], [ExitReason.Budget, BigInt(CODE + 4)]);
  const elsewhere = machine([wfi]);
  elsewhere.vcpu.setRegister("HCR_EL2", Hcr.RW | Hcr.FMO);
  assert.equal(elsewhere.run(1).reason, ExitReason.Trap, "group 1 is not routed to EL2");
});

Deno.test("the end of an interrupt deactivates the physical one that its list register names", () => {
  const cpu = machine([mrs("icc_iar1_el1"), msr("icc_eoir1_el1")], { list: PENDING | HARDWARE });
  const { reason, retired, deactivated } = cpu.run(10);
  assert.deepEqual([reason, retired, deactivated], [ExitReason.VirtualInterface, 2, Number(PHYSICAL)]);
  assert.equal(cpu.vcpu.getRegister("ICH_LR1_EL2") & IchLr.State, 0n);
  assert.equal(cpu.vcpu.pc, BigInt(CODE + 8));
});

Deno.test("with EOImode, DIR deactivates it, and not the drop of the priority", () => {
  const cpu = machine([mrs("icc_iar1_el1"), msr("icc_eoir1_el1"), msr("icc_dir_el1")], { list: PENDING | HARDWARE, vmcr: IchVmcr.VEOIM });
  const { retired, deactivated } = cpu.run(10);
  assert.deepEqual([retired, deactivated], [3, Number(PHYSICAL)]);
});

Deno.test("the maintenance interrupt's line is reported when it changes, by an instruction that is complete", () => {
  const cpu = machine([mrs("icc_iar1_el1"), ["hint #0x0", 0xd503_201f], ["hint #0x0", 0xd503_201f]], { controls: IchHcr.En | IchHcr.NPIE });
  const { reason, retired, deactivated } = cpu.run(3);
  assert.deepEqual([reason, retired, deactivated], [ExitReason.VirtualInterface, 1, undefined], "nothing is pending any more");
  assert.equal(cpu.vcpu.getX(0), INTID, "the register is read");
  assert.ok(cpu.vcpu.maintenanceLine);
  assert.deepEqual([cpu.run(2).reason, cpu.vcpu.pc], [ExitReason.Budget, BigInt(CODE + 12)], "the machine knows");
});

Deno.test("without HCR_EL2.IMO the CPU interface is the machine's", () => {
  const cpu = machine([mrs("icc_iar1_el1")]);
  cpu.vcpu.setRegister("HCR_EL2", Hcr.RW);
  const { reason, esr } = cpu.run(1);
  assert.deepEqual([reason, exceptionClass(esr)], [ExitReason.Trap, ExceptionClass.SystemRegister]);
  assert.equal(cpu.vcpu.pc, BigInt(CODE));
});

Deno.test("a CPU has 4 or 16 list registers; others leave the core", () => {
  for (const [listRegisters, index, exists] of [[4, 3, true], [4, 4, false], [16, 4, true], [16, 15, true]] as const) {
    const cpu = machine([msr(`ich_lr${index}_el2`), mrs("ich_vtr_el2")], { listRegisters });
    cpu.vcpu.setRegister("VBAR_EL2", BigInt(VECTORS));
    cpu.vcpu.pstate = Pstate.EL2h | Pstate.Daif;
    cpu.vcpu.setX(0, PENDING);
    cpu.run(2);
    const name = `ICH_LR${index}_EL2` as const;
    assert.equal(cpu.vcpu.pc === BigInt(CODE + 8), exists, name);
    assert.equal(cpu.vcpu.names.includes(name), exists, name);
    if (!exists) continue;
    assert.equal(cpu.vcpu.getRegister(name), PENDING);
    assert.equal(Number(cpu.vcpu.getX(0) & 31n) + 1, listRegisters, "ICH_VTR_EL2.ListRegs");
  }
});
