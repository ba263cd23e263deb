// Checklist of the specification (docs/spec/hypervisor.md §10), lines 83 to 105: the VIC and its
// GICv3, timers.

import assert from "node:assert/strict";
import { AbortSyndrome } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Gicd, Gicr, Icc, Statusr } from "../../../../src/machine/hypervisor/gic/gic-registers.ts";
import type { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import type { Args } from "../errors/world.ts";
import { dataAbort, ScriptedMachine, ScriptedVm, timerWritten, wfi } from "../scripted.ts";
import { Rig } from "./rig.ts";

/** A thread in state INIT that lacks only a VIC index. */
function thread(w: Rig, without?: "group"): { vcpu: Vcpu; cap: bigint } {
  const vcpu = w.object("thread");
  w.equip(vcpu, { without });
  return { vcpu, cap: w.cap(vcpu) };
}

const configure = (w: Rig, args: Args) =>
  w.error("vic_configure", { vic: w.fresh("vic"), max_vcpus: 2n, max_virqs: 64n, vic_options: 0n, max_msis: 0n, ...args });

Deno.test("H83: limits of vic_configure: vCPUs, vIRQs, no MSIs", () => {
  const w = new Rig();
  for (const args of [{ max_vcpus: 0n }, { max_vcpus: 9n }, { max_virqs: 989n }, { max_msis: 1n, vic_options: 1n }]) {
    assert.equal(configure(w, args as unknown as Args), "ARGUMENT_INVALID");
  }
  assert.equal(configure(w, { max_vcpus: 8n, max_virqs: 988n }), "OK");
});

Deno.test("H84: vic_configure reads max_msis only if option bit 0 says so", () => {
  const w = new Rig();
  assert.equal(configure(w, { max_msis: 0x2000n }), "OK");
  assert.equal(configure(w, { max_msis: 0x2000n, vic_options: 1n }), "ARGUMENT_INVALID");
});

Deno.test("H85: vic_configure knows two options", () => {
  assert.equal(configure(new Rig(), { vic_options: 4n }), "ARGUMENT_INVALID");
});

Deno.test("H86: a vCPU's index is below max_vcpus", () => {
  const w = new Rig();
  const attach = (index: bigint) => w.error("vic_attach_vcpu", { vic: w.vic, vcpu: w.fresh("thread"), index });
  assert.deepEqual([attach(3n), attach(4n)], ["OK", "ARGUMENT_INVALID"]);
});

Deno.test("H87: two vCPUs with one VIC index: the second activation is BUSY", () => {
  const w = new Rig();
  const { vcpu, cap } = thread(w);
  w.ok("vic_attach_vcpu", { vic: w.vic, vcpu: cap, index: BigInt(w.caller.index) });
  assert.equal(w.error("object_activate", { cap }), "BUSY");
  assert.equal(vcpu.state, "failed");
});

Deno.test("H88: a vCPU without a VIC cannot be activated: ARGUMENT_INVALID", () => {
  const w = new Rig();
  const cap = w.fresh("thread");
  w.ok("cspace_attach_thread", { cspace: w.self, thread: cap });
  w.ok("addrspace_attach_thread", { addrspace: w.space, thread: cap });
  assert.equal(w.error("object_activate", { cap }), "ARGUMENT_INVALID");
});

Deno.test("H89: a vCPU without cspace or address space cannot be activated: OBJECT_CONFIG", () => {
  const w = new Rig();
  const bare = w.fresh("thread");
  w.ok("addrspace_attach_thread", { addrspace: w.space, thread: bare });
  assert.equal(w.error("object_activate", { cap: bare }), "OBJECT_CONFIG");
  const other = w.fresh("thread");
  w.ok("cspace_attach_thread", { cspace: w.self, thread: other });
  assert.equal(w.error("object_activate", { cap: other }), "OBJECT_CONFIG");
});

const MAPPING = { mask: 0x0307n, aff0_shift: 0n, aff1_shift: 3n, aff2_shift: 5n, aff3_shift: 5n, mt: 0n };

Deno.test("H90: fields of the MPIDR mapping must not overlap, shifts are below 32", () => {
  const w = new Rig();
  const set = (args: Args) => w.error("vgic_set_mpidr_mapping", { vic: w.fresh("vic"), ...MAPPING, ...args });
  assert.deepEqual([set({}), set({ aff1_shift: 2n }), set({ aff0_shift: 32n })], ["OK", "ARGUMENT_INVALID", "ARGUMENT_INVALID"]);
});

Deno.test("H91: MPIDR_EL1 follows the mapping, and bit 31 reads as one", () => {
  const w = new Rig();
  const vic = w.fresh("vic");
  w.ok("vic_configure", { vic, max_vcpus: 8n, max_virqs: 0n, vic_options: 0n, max_msis: 0n });
  w.ok("vgic_set_mpidr_mapping", { vic, ...MAPPING, mask: 0x0103n, aff1_shift: 2n, aff2_shift: 3n, aff3_shift: 3n });
  w.ok("object_activate", { cap: vic });
  for (const index of [0, 3, 5]) {
    const { vcpu, cap } = thread(w, "group");
    w.ok("vic_attach_vcpu", { vic, vcpu: cap, index: BigInt(index) });
    w.ok("object_activate", { cap });
    assert.equal(vcpu.registers.getRegister("MPIDR_EL1"), 0x8000_0000n | BigInt(index & 3) | BigInt(index >> 2) << 8n);
  }
});

Deno.test("H92: GICD_TYPER, GICD_IIDR and GICD_PIDR2", () => {
  const w = new Rig();
  assert.deepEqual([Gicd.TYPER, Gicd.IIDR, Gicd.PIDR2].map((offset) => w.readGicd(offset)), [0x0349_001fn, 0x4700_0070n, 0x30n]);
});

Deno.test("H93: of GICD_CTLR, which starts as 0x50, two bits are writable", () => {
  const w = new Rig();
  assert.equal(w.readGicd(Gicd.CTLR), 0x50n);
  w.writeGicd(Gicd.CTLR, 0xffff_ffffn);
  assert.equal(w.readGicd(Gicd.CTLR), 0x53n);
  w.writeGicd(Gicd.CTLR, 0n);
  assert.equal(w.readGicd(Gicd.CTLR), 0x50n);
});

Deno.test("H94: GICR_TYPER.Last is set in the last redistributor only", () => {
  const w = new Rig();
  for (let index = 1; index < 4; index++) w.vcpu();
  const last = [0, 1, 2, 3].map((index) => Number(w.gicr(index).read(w.caller, Gicr.TYPER, 8)! >> 4n & 1n));
  assert.deepEqual(last, [0, 0, 0, 1]);
});

Deno.test("H95: GICR_WAKER starts as zero", () => {
  const w = new Rig();
  assert.equal(w.gicr(0).read(w.caller, Gicr.WAKER, 4), 0n);
});

Deno.test("H96: priorities keep their top five bits", () => {
  const w = new Rig();
  w.writeGicd(Gicd.IPRIORITYR + 40, 0x87n, 1);
  assert.equal(w.readGicd(Gicd.IPRIORITYR + 40, 1), 0x80n);
  w.writeGicd(Gicd.IPRIORITYR + 40, 0xffff_ffffn);
  assert.equal(w.readGicd(Gicd.IPRIORITYR + 40), 0xf8f8_f8f8n);
});

Deno.test("H97: SGIs are edge-triggered for good", () => {
  const w = new Rig();
  const frame = w.gicr(0);
  assert.ok(frame.write(w.caller, Gicr.SgiFrame + Gicd.ICFGR, 4, 0n));
  assert.equal(frame.read(w.caller, Gicr.SgiFrame + Gicd.ICFGR, 4), 0xaaaa_aaaan);
});

Deno.test("H98: the distributor's first words of enables and pendings do not reach SGIs and PPIs", () => {
  const w = new Rig();
  for (const offset of [Gicd.ISENABLER, Gicd.ISPENDR]) {
    assert.ok(w.writeGicd(offset, 0xffff_ffffn));
    assert.equal(w.readGicd(offset), 0n);
  }
  w.gic.update(w.cpu, 27, Irq.Enabled, 0);
  assert.ok(w.writeGicd(Gicd.ICENABLER, 0xffff_ffffn));
  assert.equal(w.readGicd(Gicd.ISENABLER), 1n << 27n);
});

Deno.test("H99: a write to an unknown GICD offset is an external abort; a read gives zero and is noted", () => {
  const w = new Rig();
  assert.equal(w.writeGicd(0x1000, 0n), false);
  assert.equal(w.readGicd(Gicd.STATUSR), BigInt(Statusr.WRD));
  w.writeGicd(Gicd.STATUSR, BigInt(Statusr.WRD));
  assert.equal(w.readGicd(0x1000), 0n);
  assert.equal(w.readGicd(Gicd.STATUSR), BigInt(Statusr.RRD));
  w.registers.setX(1, 0n);
  w.exit(dataAbort(true, 0x0800_1000, 2));
  assert.equal(w.registers.exceptions.at(-1)!.esr >>> 26, 0x25);
  assert.equal(w.registers.exceptions.at(-1)!.esr & AbortSyndrome.WnR, 0);
});

Deno.test("H100: a message keeps a level SPI pending until it is taken back", () => {
  const w = new Rig();
  w.enable(40);
  w.writeGicd(Gicd.SETSPI_NSR, 40n);
  assert.equal(w.serve(), 40);
  assert.ok(w.isPending(40), "still");
  w.writeGicd(Gicd.CLRSPI_NSR, 40n);
  assert.ok(!w.isPending(40));
});

Deno.test("H101: ICC_SRE_EL1 reads 7 and ignores writes", () => {
  const w = new Rig();
  assert.ok(w.cpu.writeRegister(Icc.SRE, 0n));
  assert.equal(w.cpu.readRegister(Icc.SRE), 7);
});

Deno.test("H102: an SGI with IRM reaches every vCPU but its sender", () => {
  const w = new Rig();
  w.vcpu();
  w.vcpu();
  w.enable(5);
  w.cpu.writeRegister(Icc.SGI1R, 1n << 40n | 5n << 24n);
  assert.deepEqual(w.gic.cpus.map((cpu) => cpu.bank.isPending(5)), [false, true, true, false], "index 3 has no vCPU");
});

Deno.test("H103: the virtual timer is PPI 27, the physical one PPI 30, both level", () => {
  for (const [timer, ppi] of [["CNTV", 27], ["CNTP", 30]] as const) {
    const w = new Rig();
    w.enable(ppi);
    w.registers.setRegister(`${timer}_CVAL_EL0`, 0n);
    w.registers.setRegister(`${timer}_CTL_EL0`, 1n);
    w.exit(timerWritten);
    assert.equal(w.serve(), ppi);
    assert.ok(w.cpu.bank.isPending(ppi), "the line is still high");
    w.registers.setRegister(`${timer}_CTL_EL0`, 0n);
    w.exit(timerWritten);
    assert.ok(!w.cpu.bank.isPending(ppi));
  }
});

Deno.test("H104: both counters show the same time: the timers fire together", () => {
  const machine = new ScriptedMachine();
  const fired: number[] = [];
  const vm: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers) {
    for (const timer of ["CNTV", "CNTP"] as const) {
      registers.setRegister(`${timer}_CVAL_EL0`, 1_000n);
      registers.setRegister(`${timer}_CTL_EL0`, 1n);
    }
    yield timerWritten;
    yield wfi;
    for (const ppi of [27, 30]) if (vm.vcpus[0].gic.bank.isPending(ppi)) fired.push(ppi);
  }]);
  vm.start();
  machine.run(1_000_000);
  assert.deepEqual(fired, [27, 30]);
});

Deno.test("H105: a timer that expires wakes its vCPU out of WFI", () => {
  const machine = new ScriptedMachine();
  let woken = 0;
  const vm = new ScriptedVm(machine, 3, [function* (registers) {
    registers.setRegister("CNTV_CVAL_EL0", 1_000n);
    registers.setRegister("CNTV_CTL_EL0", 1n);
    yield timerWritten;
    yield wfi;
    woken = machine.machine.time;
  }], { group: "aggregated" });
  vm.start();
  machine.run(1_000_000);
  assert.equal(woken, 16_000);
});
