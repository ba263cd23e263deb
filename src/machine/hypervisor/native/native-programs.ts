// The native guests by physical address (src/machine/abi/native-guest.ts): a vCPU that is powered
// on with an entry point that stage 2 maps there executes that program.

import type { NativeGuest, NativeGuestFactory } from "../../abi/native-guest.ts";
import { Stage2Flags } from "../../../cpu/core/interface.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { VcpuPrograms } from "../scheduling/vcpu-services.ts";
import { NativeExecution, type NativeServices } from "./native-execution.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The programs by physical address. */
export class NativePrograms implements VcpuPrograms {
  readonly #factories = new Map<number, NativeGuestFactory>();
  /** Weak: a program goes with its VM. */
  readonly #guests = new WeakMap<AddressSpace, NativeGuest>();
  /** Their addresses. */
  readonly #places = new WeakMap<NativeGuest, number>();

  constructor(readonly services: NativeServices) {}

  /** Puts a program at a physical address. */
  register(pa: number, factory: NativeGuestFactory): void {
    if (this.#factories.has(pa)) throw new Error(`there is already a native program at 0x${pa.toString(16)}`);
    this.#factories.set(pa, factory);
  }

  /**
   * The execution of a vCPU that is powered on at `entry` (an IPA), or undefined if there is no
   * native program.
   */
  enter(vcpu: Vcpu, entry: bigint, x0: bigint): NativeExecution | undefined {
    const { addressSpace } = vcpu;
    if (!addressSpace || entry >= 2n ** 36n) return undefined;
    const ipa = Number(entry);
    const page = addressSpace.stage2.lookup(ipa);
    if (!page || !(page.flags & Stage2Flags.ExecuteEl1)) return undefined;
    const pa = page.pa + ipa % PAGE_SIZE;
    if (!this.#factories.has(pa)) return undefined;
    const guest = this.#guests.get(addressSpace) ?? this.#make(addressSpace, pa);
    return guest && new NativeExecution(vcpu, guest, this.services, { entry, x0 });
  }

  /** The execution of a vCPU that is being loaded; its program is, by then. */
  loaded(archive: ObjectArchive, vcpu: Vcpu): NativeExecution {
    const guest = vcpu.addressSpace && this.guestOf(vcpu.addressSpace);
    return guest ? new NativeExecution(vcpu, guest, this.services, undefined) : archive.fail("its address space has no native program");
  }

  /** The programs of address spaces, saved or loaded, with their state. */
  archive(archive: ObjectArchive): void {
    const spaces = [...this.services.addressSpaces.values()].filter((space) => this.#guests.has(space));
    archive.list("programs", spaces.sort((a, b) => a.serial - b.serial), (space) => {
      const addressSpace = archive.object("addressSpace", space, "addrspace");
      const known = this.#guests.get(addressSpace);
      const pa = archive.integer("pa", known && this.#places.get(known));
      const guest = known ?? this.#make(addressSpace, pa);
      if (!guest) return archive.fail(`there is no native program at 0x${pa.toString(16)}`);
      const state = archive.plain("state", known?.save());
      // Programs have devices, which have something in memory.
      if (!known) archive.later(() => archive.takeUp("state", () => guest.restore(state)));
      return addressSpace;
    });
  }

  /** Makes the program at a physical address that of an address space. */
  #make(addressSpace: AddressSpace, pa: number): NativeGuest | undefined {
    const guest = this.#factories.get(pa)?.();
    if (!guest) return undefined;
    this.#guests.set(addressSpace, guest);
    this.#places.set(guest, pa);
    return guest;
  }

  /** The program of an address space, if it runs one. */
  guestOf(addressSpace: AddressSpace): NativeGuest | undefined {
    return this.#guests.get(addressSpace);
  }
}
