// Stage 2 as the hypervisor uses it: flags that follow from `map_attrs`, the runs that tables map,
// and the parts of an address space that need their own table (docs/spec/hypervisor.md §4.6).

import { Access, MapAttributes, MemoryType } from "../../abi/words.ts";
import { type MappedRun, Stage2Flags } from "../../../cpu/core/interface.ts";

/** IPAs are below this in every machine; see `MemoryServices.addressSpaceSize`. */
export const MAX_ADDRESS_SPACE_SIZE = 2 ** 40;

/** Bytes that one page table maps below the root, which is also the size of a block. */
export const TABLE_REACH = 0x100_0000;

/**
 * Stage-2 flags of a `map_attrs` word. The kernel's field rules reading and writing, as hardware
 * has one pair of bits for both.
 */
export function stage2Flags(attributes: number): number {
  const user = attributes >> MapAttributes.UserShift & Access.RWX;
  const kernel = attributes >> MapAttributes.KernelShift & Access.RWX;
  const memoryType = attributes >> MapAttributes.MemoryTypeShift & 0xff;
  let flags = 0;
  if (kernel & Access.R) flags |= Stage2Flags.Read;
  if (kernel & Access.W) flags |= Stage2Flags.Write;
  if (kernel & Access.X) flags |= Stage2Flags.ExecuteEl1;
  if (user & Access.X) flags |= Stage2Flags.ExecuteEl0;
  if (memoryType <= MemoryType.DeviceGRE) flags |= Stage2Flags.Device;
  return flags;
}

export const ALL_STAGE2_FLAGS = Object.values(Stage2Flags).reduce<number>((all, flag) => all | flag, 0);

/** Whether pages that are mapped at `next` belong to the run before. */
export function continues(run: MappedRun, next: Omit<MappedRun, "size">): boolean {
  return run.ipa + run.size === next.ipa && run.pa + run.size === next.pa && run.flags === next.flags;
}

/**
 * Numbers of the parts of an address space, each of one page table, that a range reaches into;
 * addresses outside do not count.
 */
export function tablesOf(ipa: number, size: number, addressSpaceSize: number): number[] {
  const end = Math.min(ipa + size, addressSpaceSize);
  const parts: number[] = [];
  for (let part = Math.floor(ipa / TABLE_REACH); part * TABLE_REACH < end; part++) parts.push(part);
  return parts;
}
