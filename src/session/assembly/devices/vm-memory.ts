// The memory of a VM as the platform's devices see it: through the VM's stage 2, as behind an SMMU
// that shares its tables. Memory that the VM has lent is not there.

import type { RamWriter } from "../../../machine/abi/ram-writer.ts";
import { Stage2Flags } from "../../../cpu/core/interface.ts";
import type { Hypervisor } from "../../../machine/hypervisor/boot.ts";
import type { GuestMemory } from "../../../machine/virtio/memory.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Stage 2 knows addresses below this. */
const IPA_END = 2 ** 40;

/** The memory of the VM with this VMID, as long as it has an address space. */
export class VmMemory implements GuestMemory {
  readonly #writer: RamWriter;

  /** @param device the id of the one that accesses it */
  constructor(readonly hypervisor: Hypervisor, readonly vmid: number, device: string) {
    this.#writer = { code: "device", device };
  }

  read(address: number, into: Uint8Array): boolean {
    const { ram } = this.hypervisor.machine;
    return this.#pages(address, into.length, Stage2Flags.Read, (pa, at, size) => into.set(ram.bytes(pa, size), at));
  }

  write(address: number, from: Uint8Array): boolean {
    const { ram } = this.hypervisor.machine;
    return this.#pages(address, from.length, Stage2Flags.Write, () => {}) &&
      this.#pages(address, from.length, Stage2Flags.Write, (pa, at, size) => ram.write(pa, from.subarray(at, at + size), this.#writer));
  }

  /** Where a store to an address goes that is not RAM; undefined if the VM may not store there. */
  deviceAddress(address: number): number | undefined {
    const page = address >= 0 && address < IPA_END ? this.hypervisor.addressSpaces.get(this.vmid)?.stage2.lookup(address) : undefined;
    if (!page || !(page.flags & Stage2Flags.Write)) return undefined;
    const pa = page.pa + address % PAGE_SIZE;
    return this.hypervisor.machine.ram.contains(pa, 1) ? undefined : pa;
  }

  /**
   * Calls `one` for each piece of a page; false at the first that does not allow the access or is
   * not RAM.
   */
  #pages(address: number, length: number, flag: number, one: (pa: number, at: number, size: number) => void): boolean {
    const space = this.hypervisor.addressSpaces.get(this.vmid);
    if (!space || !(address >= 0 && address + length <= IPA_END)) return false;
    for (let at = 0; at < length;) {
      const ipa = address + at;
      const size = Math.min(length - at, PAGE_SIZE - ipa % PAGE_SIZE);
      const page = space.stage2.lookup(ipa);
      if (!page || !(page.flags & flag)) return false;
      const pa = page.pa + ipa % PAGE_SIZE;
      if (!this.hypervisor.machine.ram.contains(pa, size)) return false;
      one(pa, at, size);
      at += size;
    }
    return true;
  }
}
