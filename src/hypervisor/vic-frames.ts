// Where the register frames of a VIC lie: by addrspace_attach_vdevice, or at the platform's own addresses (spec/hypervisor.md §4.6, §6.1).

import { GICD_BASE, GICR_BASE } from "../machine/memory-map.ts";
import type { AddressSpace, AttachedDevice, VirtualDevice } from "./addrspace.ts";
import { Gicd, Gicr } from "./gic-registers.ts";
import { Distributor } from "./vgic-distributor.ts";
import { Redistributor } from "./vgic-redistributor.ts";
import type { Vic } from "./vic.ts";

/** The frame of the distributor; the redistributor of vCPU n is frame n + 1. */
const DISTRIBUTOR = 0;

/** One frame in one address space. */
interface Place {
  readonly frame: number;
  readonly addressSpace: AddressSpace;
  readonly attached: AttachedDevice;
}

/** The frames of one VIC. */
export class VicFrames {
  /** Attached by call: each frame in one place at most. */
  readonly #places = new Map<number, Place>();
  /** At the platform's addresses, in the address spaces of the VIC's vCPUs. */
  readonly #defaults = new Set<Place>();

  constructor(readonly vic: Vic) {}

  /** Whether a frame is attached by call. */
  has(frame: number): boolean {
    return this.#places.has(frame);
  }

  /** The frames that are attached by call. */
  get frames(): readonly number[] {
    return [...this.#places.keys()];
  }

  /** Puts a frame into a free range of an address space. `last` is GICR_TYPER.Last of a redistributor. */
  attach(frame: number, addressSpace: AddressSpace, ipa: number, size: number, last: boolean): void {
    const device = this.#device(frame, () => last, () => void this.#places.delete(frame));
    this.#places.set(frame, place(frame, addressSpace, ipa, size, device));
  }

  /** A vCPU comes: the distributor and its redistributor appear at the platform's addresses where nothing is there yet. */
  attachDefaults(addressSpace: AddressSpace, index: number): void {
    const attach = (frame: number, ipa: number, size: number) => {
      if (addressSpace.deviceIn(ipa, size)) return;
      const device = this.#device(frame, () => index === this.vic.lastIndex, () => void this.#defaults.delete(made));
      const made = place(frame, addressSpace, ipa, size, device);
      this.#defaults.add(made);
    };
    attach(DISTRIBUTOR, GICD_BASE, Gicd.Size);
    attach(index + 1, GICR_BASE + index * Gicr.Stride, Gicr.Stride);
  }

  /** The vCPU with this index is gone, and its redistributor from the platform's address. */
  vacate(index: number): void {
    for (const made of this.#defaults) if (made.frame === index + 1) this.#remove(made);
  }

  /** The VIC is gone. */
  release(): void {
    for (const made of [...this.#places.values(), ...this.#defaults]) this.#remove(made);
  }

  #remove({ addressSpace, attached }: Place): void {
    addressSpace.removeDevice(attached);
    attached.device.detach?.();
  }

  #device(frame: number, last: () => boolean, detach: () => void): VirtualDevice {
    return frame === DISTRIBUTOR ? distributorDevice(this.vic, detach) : redistributorDevice(this.vic, frame - 1, last, detach);
  }
}

function place(frame: number, addressSpace: AddressSpace, ipa: number, size: number, device: VirtualDevice): Place {
  const attached = { ipa, size, device };
  addressSpace.devices.push(attached);
  return { frame, addressSpace, attached };
}

/** The distributor shows each vCPU its own SGIs and PPIs; a vCPU of another VIC has none here, and gets an external abort. */
function distributorDevice(vic: Vic, detach: () => void): VirtualDevice {
  const { gic } = vic;
  const frame = new Distributor(gic);
  return {
    name: `GICD of ${vic.name}`,
    read: (thread, offset, size) => thread.vic === vic ? frame.read(gic.cpus[thread.index], offset, size) : undefined,
    readWord: (thread, offset) => thread.vic === vic ? frame.readWord(gic.cpus[thread.index], offset) : undefined,
    write: (thread, offset, size, value) => thread.vic === vic && frame.write(gic.cpus[thread.index], offset, size, value),
    detach,
  };
}

function redistributorDevice(vic: Vic, index: number, last: () => boolean, detach: () => void): VirtualDevice {
  const frame = new Redistributor(vic.gic, vic.gic.cpus[index], last);
  return {
    name: `GICR ${index} of ${vic.name}`,
    read: (_thread, offset, size) => frame.read(offset, size),
    write: (_thread, offset, size, value) => frame.write(offset, size, value),
    detach,
  };
}
