// The common part of memory tests: a guest with a partition, and views of its mappings.

import { Access, ExtentType } from "../../../../src/machine/abi/words.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { createTestHypervisor, TestGuest } from "../fixture.ts";

export const PAGE = 4096;
export const SPARSE = ExtentType.Sparse;
/** IPA for mappings. */
export const IPA = 0x8000_0000n;
export const TO_CHILD = 0x8000_0000n, TO_PARENT = 0x8000_0001n, TO_SIBLING = 0x8000_0002n;

export function setup() {
  const { machine, options, log } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  const guest = new TestGuest(hypervisor);
  return { machine, hypervisor, guest, log };
}

export function object(guest: TestGuest, cap: bigint) {
  return [...guest.cspace.capabilities()].find(([id]) => BigInt(id) === cap)![1].object!;
}

/** Physical address and flags of the page at an IPA, or undefined. */
export function lookup(guest: TestGuest, addrspace: bigint, ipa: bigint) {
  return (object(guest, addrspace) as AddressSpace).stage2.lookup(Number(ipa));
}

/** A SPARSE extent over all physical memory that owns [RAM_BASE, + size). */
export function rootExtent(guest: TestGuest, size: number): bigint {
  const root = guest.extent(0, 2 ** 44, Access.RWX, SPARSE);
  guest.ok("memextent_donate", TO_CHILD, 1n, root, BigInt(RAM_BASE), BigInt(size));
  return root;
}
