// The common part of the checklist's tests: a world of objects, and a caller whose exits are made
// by hand.

import assert from "node:assert/strict";
import { errorName } from "../../../../src/machine/abi/errors.ts";
import type { HypercallName } from "../../../../src/machine/abi/hypercalls.ts";
import { type Exit, ExitReason } from "../../../../src/cpu/core/interface.ts";
import { GICD_BASE, GICR_BASE, GICR_STRIDE } from "../../../../src/machine/hardware/memory-map.ts";
import type { VirtualDevice } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import { handleExit } from "../../../../src/machine/hypervisor/traps/traps.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import type { Vgic } from "../../../../src/machine/hypervisor/gic/vgic.ts";
import type { VgicCpu } from "../../../../src/machine/hypervisor/gic/vgic-cpu-interface.ts";
import { Icc } from "../../../../src/machine/hypervisor/gic/gic-registers.ts";
import type { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import type { Vic } from "../../../../src/machine/hypervisor/gic/vic.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { type Args, World } from "../errors/world.ts";
import { hvc, type ScriptedState, smc, type Step } from "../scripted.ts";

export const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** A world whose caller can trap. */
export class Rig extends World {
  constructor(behaviour: Partial<Behaviour> = {}) {
    super({ abi: "recorded", ...behaviour });
  }

  /** The name of the error that a call answers. */
  error(name: HypercallName, args: Args): string {
    const { error } = this.call(name, args);
    return error === undefined ? "no answer" : errorName(error);
  }

  /** The caller's registers. */
  get registers(): ScriptedState {
    return this.caller.registers as ScriptedState;
  }

  /** A vCPU leaves to EL2; gives its registers afterwards. */
  exit(step: Step, vcpu: Vcpu = this.caller): ScriptedState {
    assert.ok("reason" in step);
    const exit: Exit = { retired: 0, esr: 0, far: 0n, ipa: 0, pa: 0, ...step, reason: step.reason as ExitReason };
    handleExit(vcpu, exit);
    return vcpu.registers as ScriptedState;
  }

  /** HVC #immediate with X0, X1, …; returns X0..X30. */
  hvc(immediate: number, ...x: bigint[]): readonly bigint[] {
    x.forEach((value, index) => this.registers.setX(index, value));
    return [...this.exit(hvc(immediate)).x];
  }

  /** SMC #immediate, as `hvc`. */
  smc(immediate: number, ...x: bigint[]): readonly bigint[] {
    x.forEach((value, index) => this.registers.setX(index, value));
    return [...this.exit(smc(immediate)).x];
  }

  /** The interrupts of the caller's VM. */
  get gic(): Vgic {
    return this.get<Vic>(this.vic).gic;
  }

  get cpu(): VgicCpu {
    return this.gic.cpus[0];
  }

  /** Makes a vIRQ edge-triggered. */
  edge(virq: number): void {
    this.gic.update(this.cpu, virq, Irq.Edge, 0);
  }

  isPending(virq: number): boolean {
    return this.gic.shared.isPending(virq);
  }

  /** Opens the CPU interface of every vCPU for group 1, and enables these interrupts in it. */
  enable(...intids: number[]): void {
    this.gic.groups = 2;
    for (const cpu of this.gic.cpus) {
      cpu.writeRegister(Icc.PMR, 0xffn);
      cpu.writeRegister(Icc.IGRPEN1, 1n);
      for (const intid of intids) this.gic.update(cpu, intid, Irq.Enabled | Irq.Group1, 0);
    }
  }

  /** The guest acknowledges the highest-priority interrupt and ends it; gives its INTID. */
  serve(cpu: VgicCpu = this.cpu): number {
    const intid = cpu.acknowledge(1);
    cpu.endOfInterrupt(1, intid);
    return intid;
  }

  /** The register frame at the platform's address. */
  get gicd(): VirtualDevice {
    return this.caller.addressSpace!.deviceAt(GICD_BASE)!.device;
  }

  gicr(index: number): VirtualDevice {
    return this.caller.addressSpace!.deviceAt(GICR_BASE + index * GICR_STRIDE)!.device;
  }

  readGicd(offset: number, size = 4): bigint | undefined {
    return this.gicd.read(this.caller, offset, size);
  }

  writeGicd(offset: number, value: bigint, size = 4): boolean {
    return this.gicd.write(this.caller, offset, size, value);
  }
}
