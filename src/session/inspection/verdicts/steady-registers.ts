// Registers that code may poll: of the GIC, of devices, of the timers. Reading them here has no
// effect. Each has the bits that something besides the vCPUs of its VM may change: a timer that is
// due later, a message of another VM, input from outside.

import { type AddressSpace, Icc, Intid, Irq, type LevelSource, TimerControl, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { MmioTransport } from "../../../machine/virtio/mmio-transport.ts";
import { isIdle } from "../../../model/queries/facts/source-state.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { View, VirtioSlot } from "../readers/inspected.ts";
import { stateNow } from "../readers/objects/device-state.ts";
import { slotsOf, sourceStateOf } from "./source-states.ts";
import { raisersOf } from "./sleep.ts";

/** A register, and its bits that may change by themselves. */
export interface Steady {
  readonly value: bigint;
  readonly changing: bigint;
}

const fixed = (value: number | bigint): Steady => ({ value: BigInt(value), changing: 0n });

/** Registers of the GIC's CPU interface that only its vCPU changes, and not by reads. */
const OWN_ICC: Readonly<Record<string, number>> = {
  ICC_PMR_EL1: Icc.PMR,
  ICC_RPR_EL1: Icc.RPR,
  ICC_CTLR_EL1: Icc.CTLR,
  ICC_SRE_EL1: Icc.SRE,
  ICC_IGRPEN0_EL1: Icc.IGRPEN0,
  ICC_IGRPEN1_EL1: Icc.IGRPEN1,
  ICC_BPR0_EL1: Icc.BPR0,
  ICC_BPR1_EL1: Icc.BPR1,
};
/** Reads acknowledge what is signaled. */
const ACKNOWLEDGES: Readonly<Record<string, 0 | 1>> = { ICC_IAR0_EL1: 0, ICC_IAR1_EL1: 1 };
const COMPARATORS: ReadonlySet<string> = new Set(["CNTV_CVAL_EL0", "CNTP_CVAL_EL0", "CNTFRQ_EL0"]);

/**
 * A system register that a vCPU reads; undefined if it is not known what it will be. While no
 * interrupt is signaled, none is there to acknowledge.
 */
export function systemRegister({ now }: View, vcpu: Vcpu, name: string): Steady | undefined {
  const { gic, registers } = vcpu, timer = vcpu.timers.all.find(({ kind }) => kind.control === name);
  if (timer) {
    const { due, kind } = timer, written = registers.getRegister(kind.control);
    if (due <= now) return fixed(written | TimerControl.Istatus);
    return { value: written, changing: due === Infinity ? 0n : TimerControl.Istatus };
  }
  if (COMPARATORS.has(name)) {
    return registers.names.some((one) => one === name) ? fixed(registers.getRegister(name as "CNTV_CVAL_EL0")) : undefined;
  }
  if (name === "ISR_EL1") return vcpu.gic.hasInterrupt ? undefined : fixed(0);
  if (name in ACKNOWLEDGES) {
    const isOn = gic.readRegister(ACKNOWLEDGES[name] ? Icc.IGRPEN1 : Icc.IGRPEN0) === 1;
    return vcpu.gic.hasInterrupt || !isOn ? undefined : fixed(Intid.Spurious);
  }
  const value = OWN_ICC[name] === undefined ? undefined : gic.readRegister(OWN_ICC[name]);
  return value === undefined ? undefined : fixed(value);
}

/** A device's register that a vCPU loads; undefined if it is not known what it will be. */
export function deviceRegister(view: View, vcpu: Vcpu, va: bigint, size: number): Steady | undefined {
  const { ipa } = view.system.symbols.core.questions.inspect(vcpu.registers, va), attached = vcpu.space.deviceAt(ipa);
  if (attached) return size === 4 ? attachedRegister(view, vcpu, attached, ipa - attached.ipa) : undefined;
  const slot = slotAt(view, vcpu, ipa);
  if (slot?.ipa !== undefined) {
    const { transport } = slot.device;
    // The host is at work as long as it answers these loads.
    const isStill = transport instanceof MmioTransport && isIdle(stateNow(view, slot));
    return isStill ? fixed(transport.read(ipa - slot.ipa, size)) : undefined;
  }
  const seen = otherRegister(view, vcpu, ipa, size);
  return seen && { value: BigInt(seen.value), changing: BigInt(seen.changing) };
}

/** The virtio device of a vCPU's VM whose registers have an address. */
function slotAt(view: View, { space }: Vcpu, at: number): VirtioSlot | undefined {
  return slotsOf(view, view.vmNameOf(space)).find(({ ipa, size }) => ipa !== undefined && at >= ipa && at < ipa + size);
}

/** Of the bus, or of a device that the VMM emulates. */
function otherRegister(view: View, { space }: Vcpu, ipa: number, size: number) {
  const page = space.stage2.lookup(ipa), { machine } = view.hypervisor;
  if (page) return machine.ram.contains(page.pa, 1) ? undefined : machine.bus.seen(page.pa + ipa % 0x1000, size);
  const vm = view.vmNameOf(space), isServed = view.system.vms.planned(vm)?.schedule === "proxy" && space.isVmmio(ipa, size);
  return isServed ? view.system.control.devices(vm)?.seen(ipa, size) : undefined;
}

/** The device whose register is at an address, in words, and the register; null without a name. */
export function deviceAt(view: View, vcpu: Vcpu, ipa: number, size: number): { readonly of: string | null; readonly name: string | null } {
  const attached = vcpu.space.deviceAt(ipa), slot = slotAt(view, vcpu, ipa);
  if (attached) return { of: attached.device.name, name: null };
  if (slot?.ipa !== undefined) {
    const isMmio = slot.device.transport instanceof MmioTransport;
    return { of: slot.id, name: isMmio ? MmioTransport.nameOf(ipa - slot.ipa) ?? null : null };
  }
  const other = otherRegister(view, vcpu, ipa, size);
  return { of: other?.device ?? null, name: other?.name ?? null };
}

/** Whether a device besides virtio is about to write memory of a VM. */
export function isAnyBusy(view: View, { addressSpace }: Vcpu): boolean {
  if (addressSpace?.vmid === Vmid.Primary) return view.hypervisor.machine.bus.isBusy;
  return view.system.control.devices(view.vmNameOf(addressSpace))?.isBusy === true;
}

/** A word of a frame of the GIC. */
function attachedRegister(view: View, vcpu: Vcpu, { device }: AddressSpace["devices"][number], offset: number): Steady | undefined {
  const told = device.interruptsAt?.(vcpu, offset);
  if (!device.isSteady?.(offset) && !told) return undefined;
  const value = device.readWord?.(vcpu, offset);
  if (value === undefined) return undefined;
  // Interrupts become active and inactive by vCPUs alone.
  return { value: BigInt(value), changing: told?.what === "pending" ? mayBecomePending(view, vcpu, told) : 0n };
}

/** Those of 32 interrupts whose line something besides the vCPUs of their VM may raise or lower. */
function mayBecomePending(
  view: View,
  { gic: { gic } }: Vcpu,
  { owner, first }: { readonly owner: number; readonly first: number },
): bigint {
  const cpu = gic.cpus[owner], bank = gic.bank(cpu, first), vcpu = view.vcpus().find(({ gic }) => gic === cpu);
  let changing = 0n;
  for (let intid = first; intid < Math.min(first + 32, Intid.SpiEnd); intid++) {
    const source = bank.sources.get(intid);
    if (source && (!vcpu || mayMove(view, vcpu, intid, source, bank.flags[intid]))) changing |= 1n << BigInt(intid - first);
  }
  return changing;
}

function mayMove(view: View, vcpu: Vcpu, intid: number, source: LevelSource, flags: number): boolean {
  const timer = vcpu.timers.of(intid);
  // Its line falls only when its vCPU sets it again.
  if (timer) return !(flags & Irq.Source) && timer.deadline !== Infinity;
  const state = sourceStateOf(view, view.vmNameOf(vcpu.addressSpace), intid, source);
  if (state && isIdle(state)) return false;
  const { raisers } = raisersOf(view, source, vcpu), own = view.vmOf(vcpu.addressSpace);
  return raisers === undefined || raisers.some((vm) => vm !== own);
}
