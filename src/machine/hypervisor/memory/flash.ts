// A bank of NOR flash for the primary VM: its array is its own RAM, mapped read-only and executable
// at the flash's address, as long as reads return the array; every other access goes to the device.
// Not part of Gunyah: platforms of firmware have flash below their hypervisor.

import { asIpa } from "../../abi/numbers.ts";
import { ErrorCode, errorName } from "../../abi/errors.ts";
import { Access, ExtentMemoryType, ExtentType, mapAttributes, memextentAttributes, MemoryType } from "../../abi/words.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import type { CfiFlash } from "../../devices/cfi-flash.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { AddressSpace, VirtualDevice } from "./addrspace.ts";
import { Memextent } from "./memextent.ts";
import type { Partition } from "./partition.ts";

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
  #extent: Memextent;
  /** Address space of the flash, while it has one. */
  #space: AddressSpace | undefined;

  constructor(partition: Partition, readonly plan: FlashPlan) {
    this.name = `flash@${plan.ipa.toString(16)}`;
    const extent = partition.create(Memextent);
    if (typeof extent === "number") throw new Error(`${this.name}: ${errorName(extent)}`);
    this.#extent = extent;
    const attributes = memextentAttributes(Access.RX, ExtentMemoryType.Any, ExtentType.Basic);
    this.#expect(extent.configure(BigInt(plan.storage), BigInt(plan.size), attributes));
    this.#expect(extent.activate());
  }

  /** Puts the bank into an address space. */
  attach(space: AddressSpace): void {
    this.#enter(space);
    if (this.plan.device.readsArray) this.#map(space);
  }

  /** The address space is gone. */
  detach(): void {
    this.#space = undefined;
    this.plan.device.onMode = () => {};
  }

  /**
   * Whether it is mapped exactly when it should be: in an address space, while reads give the
   * array.
   */
  get isMappedRight(): boolean {
    const { device, ipa, size } = this.plan;
    const mapped = this.#space !== undefined && this.#extent.mappings.has(this.#space, 0, size, asIpa(ipa));
    return mapped === (this.#space !== undefined && device.readsArray);
  }

  /** Its extent and its address space, saved or loaded. Its maker saves the device. */
  archive(archive: ObjectArchive): void {
    const { storage, size } = this.plan;
    this.#extent = archive.object("extent", this.#extent, "memextent");
    archive.check(this.#extent.base === storage && this.#extent.extentSize === size, "the extent is the array of the flash");
    const space = archive.objectOrNone("space", this.#space, "addrspace");
    if (!archive.loading || !space) return;
    archive.check(space.vmid === Vmid.Hlos && !space.deviceIn(this.plan.ipa, size), "the flash is the primary VM's");
    this.#enter(space);
  }

  read(_vcpu: unknown, offset: number, size: number): bigint {
    return this.plan.device.read(offset, size);
  }

  write(_vcpu: unknown, offset: number, size: number, value: bigint): boolean {
    this.plan.device.write(offset, size, value);
    return true;
  }

  #enter(space: AddressSpace): void {
    const { device, ipa, size } = this.plan;
    this.#space = space;
    space.devices.push({ ipa, size, device: this });
    device.onMode = (readsArray) => readsArray ? this.#map(space) : this.#unmap(space);
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
