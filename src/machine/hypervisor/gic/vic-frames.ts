// Where the register frames of a VIC lie: by addrspace_attach_vdevice, or at the platform's own
// addresses (docs/spec/hypervisor.md §4.6, §6.1).

import { GICD_BASE, GICR_BASE, GITS_BASE, MAX_CPUS } from "../../hardware/memory-map.ts";
import type { AddressSpace, PlacedDevice, VirtualDevice } from "../memory/addrspace.ts";
import { MAX_ADDRESS_SPACE_SIZE } from "../memory/stage2.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { ObjectState } from "../capabilities/object.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import { Gicd, Gicr, Intid, isSteadyWord, toldByWord } from "./gic-registers.ts";
import { ItsFrame } from "./its-frame.ts";
import { Gits } from "./its/its-registers.ts";
import type { TableMemory } from "./its/table-memory.ts";
import { Distributor } from "./vgic-distributor.ts";
import { Redistributor } from "./vgic-redistributor.ts";
import type { Vgic } from "./vgic.ts";

/**
 * The frame of the distributor; the redistributor of vCPU n is frame n + 1. The ITS follows the
 * last redistributor that the VIC may have.
 */
const DISTRIBUTOR = 0;

/** One frame in one address space. */
interface FramePlace {
  readonly frame: number;
  readonly addressSpace: AddressSpace;
  readonly attached: PlacedDevice;
  /** GICR_TYPER.Last, if configured; at the platform's own addresses it follows from the VIC. */
  readonly last: boolean | undefined;
  readonly registers: Registers;
}

/** GICx_STATUSR of a frame; an ITS has none. */
interface Registers {
  readonly status: number;
  restoreStatus(status: number): void;
}

/** The VIC that frames show. */
interface FramedVic {
  readonly name: string;
  readonly state: ObjectState;
  /** It is or was active. */
  readonly gic: Vgic;
  readonly maxVcpus: number;
  /** The highest index of an active vCPU. */
  readonly lastIndex: number;
  /** An address space's memory, for the tables of LPIs. */
  tablesIn(addressSpace: AddressSpace): TableMemory;
}

export class VicFrames {
  /** Attached by call: each frame in one place at most. */
  readonly #places = new Map<number, FramePlace>();
  /** At the platform's addresses, in the address spaces of the VIC's vCPUs. */
  readonly #defaults = new Set<FramePlace>();

  constructor(readonly vic: FramedVic) {}

  /** Whether a frame is attached by call. */
  has(frame: number): boolean {
    return this.#places.has(frame);
  }

  /** The frames that are attached by call. */
  get frames(): readonly number[] {
    return [...this.#places.keys()];
  }

  /**
   * Puts a frame into a free range of an address space. `last` is GICR_TYPER.Last of a
   * redistributor.
   */
  attach(frame: number, addressSpace: AddressSpace, ipa: number, size: number, last: boolean): void {
    this.#places.set(frame, this.#place(frame, addressSpace, ipa, size, last));
  }

  /**
   * A vCPU is attached: the distributor and its redistributor appear at the platform's addresses if
   * those are free.
   */
  attachDefaults(addressSpace: AddressSpace, index: number): void {
    const attach = (frame: number, ipa: number, size: number) => {
      if (addressSpace.deviceIn(ipa, size)) return;
      this.#defaults.add(this.#place(frame, addressSpace, ipa, size, undefined));
    };
    attach(DISTRIBUTOR, GICD_BASE, Gicd.Size);
    attach(index + 1, GICR_BASE + index * Gicr.Stride, Gicr.Stride);
    if (this.vic.gic.its) attach(this.vic.maxVcpus + 1, GITS_BASE, Gits.Size);
  }

  /** The vCPU with this index is gone, and its redistributor from the platform's address. */
  vacate(index: number): void {
    for (const made of this.#defaults) if (made.frame === index + 1) this.#remove(made);
  }

  /** The VIC is gone. */
  release(): void {
    for (const made of [...this.#places.values(), ...this.#defaults]) this.#remove(made);
  }

  #remove({ addressSpace, attached }: FramePlace): void {
    addressSpace.removeDevice(attached);
    attached.device.detach?.();
  }

  /** Where the frames are, and their own registers, saved or loaded. */
  archive(archive: ObjectArchive): void {
    archive.list("places", [...this.#places.values(), ...this.#defaults], (made) => {
      const frame = archive.integer("frame", made?.frame, DISTRIBUTOR, this.vic.maxVcpus + 1);
      const addressSpace = archive.object("addressSpace", made?.addressSpace, "addrspace");
      const ipa = archive.integer("ipa", made?.attached.ipa, 0, MAX_ADDRESS_SPACE_SIZE);
      const size = archive.integer("size", made?.attached.size, 1, MAX_ADDRESS_SPACE_SIZE);
      const last = archive.maybe("last", made?.last, (value) => archive.bool("last", value));
      const status = archive.integer("status", made?.registers.status, 0, 0xffff_ffff);
      if (made) return made;
      archive.check(ipa + size <= addressSpace.services.addressSpaceSize && !addressSpace.deviceIn(ipa, size), "frames lie in free ranges");
      archive.check(this.vic.state === "active" && (last === undefined || !this.has(frame)), "a frame is attached by call once");
      archive.check(frame <= this.vic.maxVcpus || this.vic.gic.its !== undefined, "only a VIC with LPIs has an ITS");
      const result = this.#place(frame, addressSpace, ipa, size, last);
      result.registers.restoreStatus(status);
      archive.check(result.registers.status === status, "a frame without a status register reports no errors");
      if (last === undefined) this.#defaults.add(result);
      else this.#places.set(frame, result);
      return result;
    }, 2 * (MAX_CPUS + 2) + MAX_CPUS * MAX_CPUS);
  }

  #place(frame: number, addressSpace: AddressSpace, ipa: number, size: number, last: boolean | undefined): FramePlace {
    const detach = () => {
      if (last === undefined) this.#defaults.delete(made);
      else this.#places.delete(frame);
    };
    const { registers, device } = this.#registers(frame, addressSpace, last, detach);
    const attached = { ipa, size, device };
    const made: FramePlace = { frame, addressSpace, attached, last, registers };
    addressSpace.devices.push(attached);
    return made;
  }

  #registers(
    frame: number,
    addressSpace: AddressSpace,
    last: boolean | undefined,
    detach: () => void,
  ): { readonly registers: Registers; readonly device: VirtualDevice } {
    const { vic } = this, { gic } = vic, index = frame - 1;
    if (frame === DISTRIBUTOR) {
      const distributor = new Distributor(gic);
      return { registers: distributor, device: distributorDevice(vic, distributor, detach) };
    }
    if (gic.its && frame > vic.maxVcpus) {
      const { its } = gic;
      its.place(vic.tablesIn(addressSpace));
      return { registers: NO_STATUS, device: itsDevice(vic.name, new ItsFrame(its), detach) };
    }
    const { lpis } = gic.cpus[index];
    lpis?.place(vic.tablesIn(addressSpace));
    const redistributor = new Redistributor(gic, gic.cpus[index], () => last ?? index === vic.lastIndex);
    return { registers: redistributor, device: redistributorDevice(vic, redistributor, index, detach) };
  }
}

const NO_STATUS: Registers = { status: 0, restoreStatus: () => {} };

function itsDevice(name: string, frame: ItsFrame, detach: () => void): VirtualDevice {
  return {
    name: `GITS of ${name}`,
    read: (_thread, offset, size) => frame.read(offset, size),
    write: (_thread, offset, size, value) => frame.write(offset, size, value),
    detach,
  };
}

/**
 * The distributor shows each vCPU its own SGIs and PPIs; a vCPU of another VIC has none here, and
 * gets an external abort.
 */
function distributorDevice(vic: FramedVic, frame: Distributor, detach: () => void): VirtualDevice {
  const { gic } = vic;
  return {
    name: `GICD of ${vic.name}`,
    read: (thread, offset, size) => thread.attachments.vic === vic ? frame.read(gic.cpus[thread.index], offset, size) : undefined,
    readWord: (thread, offset) => thread.attachments.vic === vic ? frame.readWord(gic.cpus[thread.index], offset) : undefined,
    isSteady: isSteadyWord,
    interruptsAt(thread, offset) {
      const told = thread.attachments.vic === vic ? toldByWord(offset) : undefined;
      return told && { ...told, owner: thread.index };
    },
    write: (thread, offset, size, value) => {
      if (thread.attachments.vic !== vic) return false;
      if (value !== 0n && isForGicv2(offset)) gic.noteReserved({ offset, pc: thread.registers.pc, vcpu: thread.index });
      return frame.write(gic.cpus[thread.index], offset, size, value);
    },
    detach,
  };
}

/**
 * Registers that a driver of GICv2 writes, and that affinity routing reserves: the enables of SGIs
 * and PPIs, targets of interrupts, and SGIs.
 */
const isForGicv2 = (offset: number) =>
  offset === Gicd.ISENABLER || offset === Gicd.SGIR || offset >= Gicd.ITARGETSR && offset < Gicd.ITARGETSR + 0x400;

function redistributorDevice(vic: FramedVic, frame: Redistributor, index: number, detach: () => void): VirtualDevice {
  const reader = (thread: ObjectOf<"thread">) => thread.attachments.vic === vic ? vic.gic.cpus[thread.index] : undefined;
  return {
    name: `GICR ${index} of ${vic.name}`,
    read: (thread, offset, size) => frame.read(reader(thread), offset, size),
    readWord: (thread, offset) => frame.readWord(reader(thread), offset),
    isSteady: (offset) => offset < Gicr.SgiFrame || isSteadyWord(offset - Gicr.SgiFrame),
    interruptsAt(_thread, offset) {
      const told = offset < Gicr.SgiFrame ? undefined : toldByWord(offset - Gicr.SgiFrame);
      return told && told.first < Intid.PrivateEnd ? { ...told, owner: index } : undefined;
    },
    write: (_thread, offset, size, value) => frame.write(offset, size, value),
    detach,
  };
}
