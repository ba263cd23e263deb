// A bank of NOR flash for the primary VM: its array is RAM that nobody else has, mapped read-only and executable where the flash is, as long
// as reads give the array; every other access is the device's. No part of Gunyah: platforms of firmware have flash below their hypervisor.

import { ErrorCode, errorName } from "../../abi/errors.ts";
import { Access, ExtentMemoryType, ExtentType, mapAttributes, memextentAttributes, MemoryType } from "../../abi/words.ts";
import type { CfiFlash } from "../../devices/cfi-flash.ts";
import type { AddressSpace, VirtualDevice } from "../memory/addrspace.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { Memextent } from "../memory/memextent.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** A bank and its place. */
export interface FlashPlan {
  readonly device: CfiFlash;
  /** Where the VM sees it. */
  readonly ipa: number;
  /** Physical address of the RAM that is its array. */
  readonly storage: number;
  /** Bytes, whole pages. */
  readonly size: number;
}

const READ_EXECUTE = mapAttributes(Access.RX, Access.RX, MemoryType.NormalWB);

/** One bank, attached to the address space whose flash it is. */
export class FlashBank implements VirtualDevice {
  readonly name: string;
  readonly #extent: Memextent;

  constructor(readonly hypervisor: Hypervisor, readonly plan: FlashPlan) {
    this.name = `flash@${plan.ipa.toString(16)}`;
    const extent = hypervisor.rootPartition.create(Memextent);
    if (typeof extent === "number") throw new Error(`${this.name}: ${errorName(extent)}`);
    this.#extent = extent;
    const attributes = memextentAttributes(Access.RX, ExtentMemoryType.Any, ExtentType.Basic);
    this.#expect(extent.configure(BigInt(plan.storage), BigInt(plan.size), attributes));
    this.#expect(extent.activate());
  }

  /** Puts the bank into an address space. */
  attach(space: AddressSpace): void {
    const { device, ipa, size } = this.plan;
    space.devices.push({ ipa, size, device: this });
    device.onMode = (readsArray) => readsArray ? this.#map(space) : this.#unmap(space);
    if (device.readsArray) this.#map(space);
  }

  read(_vcpu: Vcpu, offset: number, size: number): bigint {
    return this.plan.device.read(offset, size);
  }

  write(_vcpu: Vcpu, offset: number, size: number, value: bigint): boolean {
    this.plan.device.write(offset, size, value);
    return true;
  }

  #map(space: AddressSpace): void {
    this.#expect(this.#extent.map(space, BigInt(this.plan.ipa), 0, this.plan.size, READ_EXECUTE));
  }

  #unmap(space: AddressSpace): void {
    this.#expect(this.#extent.unmap(space, BigInt(this.plan.ipa), 0, this.plan.size));
  }

  #expect(error: ErrorCode): void {
    if (error !== ErrorCode.OK) throw new Error(`${this.name}: ${errorName(error)}`);
  }
}
