// User memory of VMs: SET_USER_MEM_REGION and LEND_USER_MEM with their checks in the order in which
// each generation makes them (docs/spec/vm-manager.md §5; docs/spec/observed-ioctl.md §3 and §11).

import { Errno } from "../../abi/ioctl/errno.ts";
import { RegionFlags, USER_MEM_REGION } from "../../abi/ioctl/gunyah.ts";
import { type Persona, VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { StructValues } from "../../abi/ioctl/struct.ts";
import { type HostKernel, UNPINNABLE, UNPINNABLE_WAY_OUT } from "../kernel/kernel.ts";
import { LOCK_LIMIT, LOCK_WAY_OUT } from "./bindings.ts";
import type { Binding, HostVm, Region } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { formatSize } from "../../../kit/support/text/units.ts";

const U64 = 1n << 64n;
/** A driver keeps this many bytes for each page of a region, in one contiguous allocation. */
const BYTES_PER_PAGE = 8;
const SECTION = "vm-manager 5.1";

/** The values of the ioctl's argument. */
type RegionArgument = StructValues<{ label: "u32"; flags: "u32"; guest_phys_addr: "u64"; memory_size: "u64"; userspace_addr: "u64" }>;

/**
 * Whether [a, a + size) and [b, b + other) meet, by the driver's arithmetic: ends wrap at 64 bits.
 */
function overlap(a: bigint, size: bigint, b: bigint, other: bigint): boolean {
  return a < (b + other) % U64 && b < (a + size) % U64;
}

/**
 * A region that passed all checks, or the negative errno. A delete names the region that is to go.
 */
type RegionResult = { readonly region: Region } | { readonly binding: Binding } | { readonly remove: Region } | number;

/** Checks the argument and pins the memory. Nothing is entered into the VM yet. */
export function prepareRegion(kernel: HostKernel, task: number, vm: HostVm, pointer: bigint, lend: boolean): RegionResult {
  const persona = VM_PERSONAS[vm.persona];
  const rules = persona.memory;
  const refuse = (errno: number, rule: string, values: Record<string, unknown> = {}, wayOut?: string) =>
    kernel.refuse(errno, SECTION, rule, values, { object: `vm ${vm.id}`, ...wayOut && { wayOut } });
  const space = kernel.callerSpace(task);
  if (rules.callerChecked && space.id !== vm.space) {
    return refuse(Errno.EPERM, "only the address space that created the VM may give it memory", { caller: space.id, creator: vm.space });
  }
  const bytes = kernel.memory.copyIn(space, pointer, USER_MEM_REGION.size);
  if (bytes === undefined) return refuse(Errno.EFAULT, "the argument has to be readable", { pointer });
  const argument = USER_MEM_REGION.decode(bytes);
  const { label, flags, guest_phys_addr: guest, memory_size: size, userspace_addr: user } = argument;
  if ((flags & ~rules.flags) !== 0) return refuse(Errno.EINVAL, unknownFlags(flags, persona), { flags, known: rules.flags });
  if (size === 0n && rules.deleteBySize0) return deleted(kernel, vm, label);
  const unaligned = misaligned(argument, persona);
  if (unaligned !== undefined) return refuse(Errno.EINVAL, unaligned, { memory_size: size, userspace_addr: user, guest_phys_addr: guest });
  if (rules.wrapChecked && guest + size > U64) {
    return refuse(Errno.EOVERFLOW, "guest address + size may not wrap", { guest_phys_addr: guest, memory_size: size });
  }
  if (rules.uniqueLabels && vm.regions.some((region) => region.label === label)) {
    return refuse(Errno.EEXIST, "a label names one region of a VM", { label });
  }
  const other = [...vm.regions, ...vm.bindings].find((region) => overlap(guest, size, region.guestAddress, region.size));
  if (other !== undefined) {
    const values = { guest_phys_addr: guest, memory_size: size, other: other.guestAddress, other_size: other.size };
    return refuse(Errno.EEXIST, "regions of a VM may not overlap", values);
  }
  if (rules.given === "on-demand") {
    // Whether the pages are there is seen when they are touched.
    const executable = lend || rules.sharedExecutable && (flags & RegionFlags.Exec) !== 0;
    return { binding: { guestAddress: guest, size, flags, lent: lend, executable, source: { kind: "user", address: user } } };
  }
  return pinned(kernel, task, vm, argument, lend || (flags & RegionFlags.Lent) !== 0);
}

function unknownFlags(flags: number, persona: Persona): string {
  if (flags & RegionFlags.Lent) return `the LENT flag is of v6 and v9; ${persona.name} lends with LEND_USER_MEM`;
  return "flags are READ 1, WRITE 2 and EXEC 4";
}

/** Name of the argument that is not page aligned, or undefined. */
function misaligned({ memory_size, userspace_addr, guest_phys_addr }: RegionArgument, { memory }: Persona): string | undefined {
  const odd = (value: bigint) => value % BigInt(PAGE_SIZE) !== 0n;
  if (memory_size === 0n) return "the size may not be 0";
  if (odd(memory_size)) return "the size has to be whole pages";
  if (odd(userspace_addr)) return "the user address has to be page aligned";
  if (memory.alignedGuestAddress && odd(guest_phys_addr)) return "the guest address has to be page aligned";
  return undefined;
}

function deleted(kernel: HostKernel, vm: HostVm, label: number): RegionResult {
  const remove = vm.regions.find((region) => region.label === label);
  if (remove !== undefined) return { remove };
  return kernel.refuse(Errno.ENODEV, SECTION, "size 0 deletes the region of this label, and there is none", { label });
}

/** Memory rules of the kernel: the limit, the page list, the pages themselves. */
function pinned(kernel: HostKernel, task: number, vm: HostVm, argument: RegionArgument, lent: boolean): RegionResult {
  const { label, flags, guest_phys_addr: guestAddress, memory_size: size, userspace_addr: user } = argument;
  const rules = VM_PERSONAS[vm.persona].memory;
  const space = kernel.callerSpace(task);
  const pages = Number(size / BigInt(PAGE_SIZE));
  const { largestBlock } = kernel;
  if (pages * BYTES_PER_PAGE > largestBlock) {
    const rule = `the driver's list of a region's pages is one block of contiguous kernel memory, and the largest is ${
      formatSize(largestBlock)
    }, for regions of up to ${formatSize(largestBlock / BYTES_PER_PAGE * PAGE_SIZE)}`;
    const values = { memory_size: size, list_bytes: pages * BYTES_PER_PAGE, largest_block: largestBlock };
    return kernel.refuse(Errno.ENOMEM, SECTION, rule, values, { wayOut: "give the memory in more regions" });
  }
  if (rules.limited && !kernel.mayLock(task, pages)) {
    const values = { locked_bytes: space.locked * PAGE_SIZE, wanted_bytes: pages * PAGE_SIZE, limit_bytes: kernel.memlockOf(task) };
    return kernel.refuse(Errno.ENOMEM, SECTION, LOCK_LIMIT, values, { wayOut: LOCK_WAY_OUT });
  }
  const write = rules.pinsForWrite || (flags & RegionFlags.Write) !== 0;
  const pinned = kernel.pin(space, user, pages, write);
  if (pinned === -Errno.ENOMEM) {
    return kernel.refuse(Errno.ENOMEM, SECTION, UNPINNABLE, { userspace_addr: user, memory_size: size }, { wayOut: UNPINNABLE_WAY_OUT });
  }
  if (typeof pinned === "number") {
    return kernel.refuse(-pinned, SECTION, `every page has to be mapped${write ? " and writable" : " and readable"} by the process`, {
      userspace_addr: user,
      memory_size: size,
    });
  }
  const locked = rules.limited ? pages : 0;
  space.locked += locked;
  space.refs++;
  return { region: { label, flags: flags & 7, lent, guestAddress, size, pinned, space: space.id, locked, handle: undefined } };
}

/** Gives the pages of a region back to the process that they are of. */
export function releaseRegion(kernel: HostKernel, region: Region): void {
  const space = kernel.memory.space(region.space);
  if (space !== undefined) {
    space.locked -= region.locked;
    kernel.memory.dropSpace(space);
  }
  kernel.memory.unpin(region.pinned);
}
