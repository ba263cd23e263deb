// Aborts of stage 2 and accesses to physical devices (docs/spec/hypervisor.md §4.7, §6.8). In
// order: virtual device, page of a virtio-mmio device, range that the VMM emulates, else the guest
// takes a synchronous external abort.

import { AbortSyndrome, type Exit, Pstate, Vector } from "../../../cpu/core/interface.ts";
import { traceAbort, traceMmio } from "./traps-trace.ts";
import { takeExternalAbort } from "../scheduling/external-abort.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** A load or store of one general-purpose register, which is all that can be emulated. */
interface EmulatedAccess {
  readonly write: boolean;
  /** 1, 2, 4 or 8 bytes. */
  readonly size: number;
}

/** undefined if the syndrome does not describe the access. */
function decode(esr: number): EmulatedAccess | undefined {
  if (!(esr & AbortSyndrome.Isv)) return undefined;
  return { write: (esr & AbortSyndrome.WnR) !== 0, size: 1 << (esr >>> AbortSyndrome.SasShift & 3) };
}

/** A data abort at stage 2: the IPA is not mapped, or not for this. */
export function handleDataAbort(vcpu: Vcpu, exit: Exit): void {
  if (readWord(vcpu, exit)) return;
  const access = exit.esr & AbortSyndrome.S1ptw ? undefined : decode(exit.esr);
  if (access && (accessVirtualDevice(vcpu, exit, access) || writeVirtioPage(vcpu, exit, access) || leaveToVmm(vcpu, exit, access))) return;
  const maintenance = (exit.esr & AbortSyndrome.Cm) !== 0;
  // The syndrome of cache maintenance always says that it is a write.
  if (leavePageFault(vcpu, exit, (exit.esr & AbortSyndrome.WnR) !== 0 && !maintenance)) return;
  // Elsewhere it has no effect: tests/conformance/cases/aborts.json.
  if (maintenance && !(exit.esr & AbortSyndrome.S1ptw)) {
    traceAbort(vcpu, exit, "cache maintenance");
    return vcpu.services.core.skip(vcpu.registers);
  }
  vcpu.services.onUnmappedMemory?.(vcpu, exit.ipa);
  injectExternalAbort(vcpu, exit, 0);
}

/**
 * An instruction fetch that stage 2 refuses. At the vector that the abort would be taken to it
 * would repeat for ever: the vCPU halts with a fault (docs/spec/observed-ioctl.md §7.1). A
 * critical one continues to fault.
 */
export function handleInstructionAbort(vcpu: Vcpu, exit: Exit): void {
  if (leavePageFault(vcpu, exit, false)) return;
  vcpu.services.onUnmappedMemory?.(vcpu, exit.ipa);
  const { registers } = vcpu;
  const fromEl1h = (registers.pstate & Pstate.Mode) === Pstate.EL1h;
  const vector = BigInt.asUintN(64, registers.getRegister("VBAR_EL1") + BigInt(Vector.CurrentSpx));
  if (!vcpu.settings.isCritical && fromEl1h && exit.far === vector) {
    traceAbort(vcpu, exit, "fault");
    return vcpu.fault();
  }
  injectExternalAbort(vcpu, exit, 0);
}

/** An access to a physical address that is not RAM. */
export function handleBusAccess(vcpu: Vcpu, exit: Exit): void {
  const access = decode(exit.esr);
  if (access && accessBus(vcpu, exit, access)) return;
  vcpu.services.onUnmappedDevice?.(vcpu, exit.pa);
  // The bus itself refuses here, which the hypervisor never sees: the syndrome says whether it was
  // a write.
  injectExternalAbort(vcpu, exit, exit.esr & AbortSyndrome.WnR);
}

function accessBus(vcpu: Vcpu, exit: Exit, { write, size }: EmulatedAccess): boolean {
  const { core, machine } = vcpu.services;
  const traced = vcpu.services.trace.wanted.mmio;
  if (write) {
    const value = core.storeValue(vcpu.registers, exit.esr);
    if (!machine.bus.write(exit.pa, size, value)) return false;
    if (traced) traceMmio(vcpu, exit.ipa, { write, size }, value, "bus");
    core.skip(vcpu.registers);
    return true;
  }
  const value = machine.bus.read(exit.pa, size);
  if (value === undefined) return false;
  if (traced) traceMmio(vcpu, exit.ipa, { write, size }, value, "bus");
  core.completeRead(vcpu.registers, exit.esr, value);
  return true;
}

/** False without a device; an access that the device refuses is an abort. */
function accessVirtualDevice(vcpu: Vcpu, exit: Exit, { write, size }: EmulatedAccess): boolean {
  const attached = vcpu.space.deviceAt(exit.ipa);
  if (!attached) return false;
  const { core } = vcpu.services;
  const offset = exit.ipa - attached.ipa;
  const traced = vcpu.services.trace.wanted.mmio;
  if (write) {
    const value = core.storeValue(vcpu.registers, exit.esr);
    if (traced) traceMmio(vcpu, exit.ipa, { write, size }, value, attached.device.name);
    if (attached.device.write(vcpu, offset, size, value)) core.skip(vcpu.registers);
    else refuseAccess(vcpu, exit);
    return true;
  }
  const value = attached.device.read(vcpu, offset, size);
  if (traced) traceMmio(vcpu, exit.ipa, { write, size }, value, attached.device.name);
  if (value === undefined) refuseAccess(vcpu, exit);
  else core.completeRead(vcpu.registers, exit.esr, value);
  return true;
}

/**
 * The part of a syndrome that says how wide an access is, and whether it is a store or the walk's;
 * and its value for a load of a word, zero-extended.
 */
const WIDTH = AbortSyndrome.Isv | 3 << AbortSyndrome.SasShift | AbortSyndrome.Sse | AbortSyndrome.WnR | AbortSyndrome.S1ptw;
const WORD_LOAD = AbortSyndrome.Isv | 2 << AbortSyndrome.SasShift;

/** The common access to a virtual device. False for any other, or if it is traced. */
function readWord(vcpu: Vcpu, exit: Exit): boolean {
  const { esr, ipa } = exit;
  if ((esr & WIDTH) !== WORD_LOAD || vcpu.services.trace.wanted.mmio) return false;
  const attached = vcpu.space.deviceAt(ipa);
  if (!attached) return false;
  const { device } = attached, offset = ipa - attached.ipa;
  const value = device.readWord?.(vcpu, offset);
  if (value === undefined) return false;
  if (device.isSteady?.(offset)) vcpu.services.scheduler.exitRepeats();
  vcpu.registers.setLow(esr >>> AbortSyndrome.SrtShift & 0x1f, value);
  vcpu.services.core.skip(vcpu.registers);
  return true;
}

/**
 * A store to the page of a virtio-mmio device, which its frontend has mapped read-only. False if
 * it is another access.
 */
function writeVirtioPage(vcpu: Vcpu, exit: Exit, { write, size }: EmulatedAccess): boolean {
  const { core, names, virtioPages } = vcpu.services;
  if (!write || virtioPages.size === 0) return false;
  const page = vcpu.space.stage2.lookup(exit.ipa);
  const device = page && virtioPages.get(page.pa);
  if (!device) return false;
  const value = Number(core.storeValue(vcpu.registers, exit.esr) & 0xffff_ffffn);
  if (vcpu.services.trace.wanted.mmio) traceMmio(vcpu, exit.ipa, { write, size }, BigInt(value), names.object(device));
  if (device.write(exit.ipa % PAGE_SIZE, size, value)) core.skip(vcpu.registers);
  else refuseAccess(vcpu, exit);
  return true;
}

/** A vCPU that a VMM runs by vcpu_run passes its accesses in the VMM's ranges to it. */
function leaveToVmm(vcpu: Vcpu, exit: Exit, { write, size }: EmulatedAccess): boolean {
  if (!vcpu.turn.donor?.turn.insideRun || !vcpu.space.isVmmio(exit.ipa, size)) return false;
  const value = write ? vcpu.registers.getX(exit.esr >>> AbortSyndrome.SrtShift & 0x1f) : 0n;
  if (vcpu.services.trace.wanted.mmio) traceMmio(vcpu, exit.ipa, { write, size }, write ? value : undefined, "vmm");
  vcpu.leaveToVmm({ write, ipa: exit.ipa, size, value, esr: exit.esr, far: exit.far });
  return true;
}

/**
 * A vCPU that a VMM runs by vcpu_run passes any access to a missing page of a private range to it.
 */
function leavePageFault(vcpu: Vcpu, exit: Exit, write: boolean): boolean {
  if (!vcpu.turn.donor?.turn.insideRun) return false;
  const { space } = vcpu;
  if (!space.isPaged(exit.ipa) || space.stage2.lookup(exit.ipa)) return false;
  traceAbort(vcpu, exit, "page fault");
  vcpu.leaveToVmm({ write, ipa: exit.ipa, size: 0, value: 0n, esr: exit.esr, far: exit.far });
  return true;
}

/** An access that nothing answers. */
function injectExternalAbort(vcpu: Vcpu, exit: Exit, flags: number): void {
  traceAbort(vcpu, exit, "external abort");
  refuseAccess(vcpu, exit, flags);
}

/** An access that is an external abort for the guest. If a device refuses it, it has its event. */
function refuseAccess(vcpu: Vcpu, exit: Exit, flags = 0): void {
  vcpu.services.uncovered(vcpu, `the access to ${vcpu.services.names.ipa(vcpu, exit.ipa)}`);
  takeExternalAbort(vcpu, exit, flags);
}
