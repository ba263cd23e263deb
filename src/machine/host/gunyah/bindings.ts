// Memory that a VM gets page by page: guest memfds and MAP_MEM of v17, and the regions of Android's
// kernels, which only remember where a page will come from (docs/spec/vm-manager.md §5.1 and §5.3).

import type { Ipa } from "../../abi/numbers.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { CREATE_MEM_ARGS, GuestMemFlags, MAP_CMA_MEM_ARGS, MAP_MEM_ARGS, MapFlagsV17, RegionFlags } from "../../abi/ioctl/gunyah.ts";
import { Access } from "../../abi/words.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import { type HostKernel, NO_DESCRIPTOR, UNPINNABLE, UNPINNABLE_WAY_OUT } from "../kernel/kernel.ts";
import type { Pinned } from "../kernel/memory.ts";
import type { Binding, GunyahState, HostVm } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const SECTION = "vm-manager 5.3";
const U64 = 1n << 64n;
/** The rule that a process without CAP_IPC_LOCK breaks with too many pages for VMs. */
export const LOCK_LIMIT = "pages of VMs count against RLIMIT_MEMLOCK of a process without CAP_IPC_LOCK";
export const LOCK_WAY_OUT = "ulimit -l unlimited, or [host] memlock";

const LENT_IS_MAPPED = "pages of a guest memfd that are lent may not be mapped by a process: munmap them before START";

const aligned = (value: bigint) => value % BigInt(PAGE_SIZE) === 0n;

/** CREATE_GUEST_MEM: a descriptor, or the negative errno. */
export function createGuestMemory(kernel: HostKernel, task: number, state: GunyahState, pointer: bigint): number {
  const bytes = kernel.memory.copyIn(kernel.callerSpace(task), pointer, CREATE_MEM_ARGS.size);
  if (bytes === undefined) return kernel.refuse(Errno.EFAULT, SECTION, "the argument has to be readable", { pointer });
  const { flags, size, reserved } = CREATE_MEM_ARGS.decode(bytes);
  const refuse = (rule: string, values: Record<string, unknown>) => kernel.refuse(Errno.EINVAL, SECTION, rule, values);
  if ((flags & ~GuestMemFlags.Defined) !== 0n) return refuse("flags are CLOEXEC 1 and ALLOW_HUGEPAGE 2", { flags });
  if (reserved.some((word) => word !== 0n)) return refuse("reserved words have to be 0", { reserved });
  if (size === 0n || !aligned(size) || size >= U64 / 2n) return refuse("the size is whole pages", { size });
  const object = kernel.memory.createObject("file", Number(size) / PAGE_SIZE);
  const id = kernel.state.nextId++;
  state.guestMemory[id] = { object: object.id, size: Number(size) };
  const fd = kernel.install(kernel.task(task).pid, "guest-memfd", id, (flags & GuestMemFlags.CloseOnExec) !== 0n);
  if (fd >= 0) return fd;
  delete state.guestMemory[id];
  kernel.memory.dropObject(object.id);
  return kernel.refuse(-fd, SECTION, NO_DESCRIPTOR);
}

/** Why the place of a binding is refused: the negative errno, or 0. */
function refusedPlace(kernel: HostKernel, place: { readonly guest_addr: bigint; readonly offset: bigint; readonly size: bigint }): number {
  const { guest_addr, offset, size } = place;
  if (size === 0n || ![guest_addr, offset, size].every(aligned)) {
    return kernel.refuse(Errno.EINVAL, SECTION, "address, offset and size are whole pages", place);
  }
  if (guest_addr + size <= U64 && offset + size <= U64) return 0;
  return kernel.refuse(Errno.EOVERFLOW, SECTION, "address or offset + size may not wrap", place);
}

/** MAP_MEM: binds a part of a guest memfd to guest addresses, or takes a binding away. */
export function mapMemory(kernel: HostKernel, task: number, state: GunyahState, vm: HostVm, pointer: bigint): number {
  const refuse = (errno: number, rule: string, values: Record<string, unknown> = {}) => kernel.refuse(errno, SECTION, rule, values);
  const space = kernel.callerSpace(task);
  if (space.id !== vm.space) return refuse(Errno.EPERM, "only the address space that created the VM may give it memory");
  const bytes = kernel.memory.copyIn(space, pointer, MAP_MEM_ARGS.size);
  if (bytes === undefined) return refuse(Errno.EFAULT, "the argument has to be readable", { pointer });
  const { guest_addr, flags, guest_mem_fd, offset, size } = MAP_MEM_ARGS.decode(bytes);
  if ((flags & ~MapFlagsV17.Defined) !== 0) return refuse(Errno.EINVAL, "a flag is unknown", { flags, known: MapFlagsV17.Defined });
  if ((flags & MapFlagsV17.AccessMask) > MapFlagsV17.Share) {
    return refuse(Errno.EINVAL, "access is default 0, lend 1 or share 2", { access: flags & MapFlagsV17.AccessMask });
  }
  const rights = flags & (MapFlagsV17.Read | MapFlagsV17.Write | MapFlagsV17.Exec);
  if (rights === 0) return refuse(Errno.EINVAL, "a mapping has some of READ, WRITE and EXEC", { flags });
  const misplaced = refusedPlace(kernel, { guest_addr, offset, size });
  if (misplaced < 0) return misplaced;
  const file = kernel.fileOf(kernel.task(task).pid, guest_mem_fd | 0);
  if (file?.kind !== "guest-memfd") return refuse(Errno.EINVAL, "the descriptor has to be a guest memfd", { guest_mem_fd });
  const memory = state.guestMemory[file.target];
  const place = { guestAddress: guest_addr, size, object: memory.object, offset: Number(offset) };
  if ((flags & MapFlagsV17.Unmap) !== 0) return unmap(kernel, vm, place, flags & ~MapFlagsV17.Unmap);
  if (offset + size > BigInt(memory.size)) return refuse(Errno.EINVAL, "the range has to lie in the guest memfd", { offset, size });
  return bind(kernel, state, vm, place, flags);
}

/** MAP_CMA_MEM: the platform has no CMA pool, so that no descriptor belongs to one (§5.3). */
export function mapCmaMemory(kernel: HostKernel, task: number, vm: HostVm, pointer: bigint): number {
  const refuse = (errno: number, rule: string, values: Record<string, unknown> = {}) => kernel.refuse(errno, SECTION, rule, values);
  const space = kernel.callerSpace(task);
  if (space.id !== vm.space) return refuse(Errno.EPERM, "only the address space that created the VM may give it memory");
  const bytes = kernel.memory.copyIn(space, pointer, MAP_CMA_MEM_ARGS.size);
  if (bytes === undefined) return refuse(Errno.EFAULT, "the argument has to be readable", { pointer });
  const { guest_addr, guest_mem_fd, offset, size } = MAP_CMA_MEM_ARGS.decode(bytes);
  const misplaced = refusedPlace(kernel, { guest_addr, offset, size });
  if (misplaced < 0) return misplaced;
  const file = kernel.fileOf(kernel.task(task).pid, guest_mem_fd | 0);
  if (file === undefined) return refuse(Errno.EBADF, "the descriptor has to be open", { guest_mem_fd });
  return refuse(Errno.ENODEV, "the descriptor has to be memory of a CMA pool, and this platform has none", { guest_mem_fd });
}

/** Where a binding is, in the guest and in its memory. Sizes and offsets in bytes. */
interface BindingPlace {
  readonly guestAddress: bigint;
  readonly size: bigint;
  readonly object: number;
  readonly offset: number;
}

const meet = (a: bigint, aSize: bigint, b: bigint, bSize: bigint) => a < b + bSize && b < a + aSize;

function bind(kernel: HostKernel, state: GunyahState, vm: HostVm, place: BindingPlace, flags: number): number {
  const { guestAddress, size, object, offset } = place;
  const refuse = (rule: string) => kernel.refuse(Errno.EEXIST, SECTION, rule, { guest_addr: guestAddress, size, offset });
  if (vm.bindings.some((each) => meet(guestAddress, size, each.guestAddress, each.size))) {
    return refuse("bindings of a VM may not overlap");
  }
  const twice = Object.values(state.vms).some(({ bindings }) =>
    bindings.some(({ source, size: other }) =>
      source.kind === "memfd" && source.object === object && meet(BigInt(offset), size, BigInt(source.offset), other)
    )
  );
  if (twice) return refuse("a part of a guest memfd is bound once, in one VM");
  kernel.memory.holdObject(object);
  const lent = (flags & MapFlagsV17.AccessMask) !== MapFlagsV17.Share;
  const executable = lent || VM_PERSONAS[vm.persona].memory.sharedExecutable && (flags & MapFlagsV17.Exec) !== 0;
  vm.bindings.unshift({ guestAddress, size, flags, lent, executable, source: { kind: "memfd", object, offset } });
  return 0;
}

function unmap(kernel: HostKernel, vm: HostVm, place: BindingPlace, flags: number): number {
  const { guestAddress, size, object, offset } = place;
  const values = { guest_addr: guestAddress, size, offset, flags };
  const binding = vm.bindings.find((each) => meet(guestAddress, size, each.guestAddress, each.size));
  if (binding?.source.kind !== "memfd") return kernel.refuse(Errno.ENOENT, SECTION, "there is no binding at this address", values);
  const shift = Number(guestAddress - binding.guestAddress);
  const end = guestAddress + size, last = binding.guestAddress + binding.size;
  const same = binding.flags === flags && binding.source.object === object && binding.source.offset + shift === offset;
  if (!same || shift < 0 || end > last) {
    return kernel.refuse(Errno.ENOENT, SECTION, "flags and offset have to be those of the binding", values);
  }
  if (shift > 0 && end < last) return kernel.refuse(Errno.EINVAL, SECTION, "an unmap may not split a binding", values);
  if (shift === 0 && end === last) {
    vm.bindings.splice(vm.bindings.indexOf(binding), 1);
    kernel.memory.dropObject(object);
    return 0;
  }
  if (shift === 0) {
    binding.guestAddress += size;
    binding.source.offset += Number(size);
  }
  binding.size -= size;
  return 0;
}

/** The binding that holds a whole range. */
export function bindingOf(vm: HostVm, address: bigint, size: bigint): Binding | undefined {
  return vm.bindings.find((each) => address >= each.guestAddress && address + size <= each.guestAddress + each.size);
}

/**
 * Pins the pages of a range of one binding. A number is the negative errno: EPERM for pages of a
 * guest memfd that are to be lent while a process has them mapped (§14.2).
 */
export function pinRange(kernel: HostKernel, vm: HostVm, binding: Binding, address: bigint, size: bigint): Pinned | number {
  const pages = Number((size + BigInt(PAGE_SIZE) - 1n) / BigInt(PAGE_SIZE));
  const shift = address - binding.guestAddress;
  const { source } = binding;
  if (source.kind === "user") {
    const space = kernel.memory.space(vm.space);
    return space === undefined ? -Errno.EFAULT : kernel.pin(space, source.address + shift, pages, true);
  }
  const object = kernel.memory.object(source.object);
  if (binding.lent && kernel.memory.isMapped(source.object, (source.offset + Number(shift)) / PAGE_SIZE, pages)) return -Errno.EPERM;
  const ranges: { ipa: Ipa; count: number }[] = [];
  for (let page = 0; page < pages; page++) {
    const ipa = kernel.memory.objectPage(object, (source.offset + Number(shift)) / PAGE_SIZE + page);
    if (ipa === undefined) return -Errno.ENOMEM;
    const before = ranges.at(-1);
    if (before !== undefined && before.ipa + before.count * PAGE_SIZE === ipa) before.count++;
    else ranges.push({ ipa, count: 1 });
  }
  kernel.memory.holdObject(object.id);
  return { ranges, objects: [object.id] };
}

/** The rule that `pinRange` refused by. @param otherwise that of any other errno */
export function pinRule(errno: number, binding: Binding | undefined, otherwise: string): Pick<BrokenRule, "rule" | "wayOut"> {
  if (errno === Errno.EPERM) return { rule: LENT_IS_MAPPED };
  // Pages of a process exist, or the errno is EFAULT.
  if (errno === Errno.ENOMEM && binding?.source.kind === "user") return { rule: UNPINNABLE, wayOut: UNPINNABLE_WAY_OUT };
  return { rule: otherwise };
}

/**
 * Counts pages for a VM against its creator's limit of locked memory. Returns whether they fit.
 * @param task whose right to lock memory counts; undefined skips the check
 */
export function lockPages(kernel: HostKernel, vm: HostVm, pages: number, task: number | undefined): boolean {
  if (!VM_PERSONAS[vm.persona].memory.limited) return true;
  const space = kernel.memory.space(vm.space);
  if (space === undefined || task !== undefined && !kernel.mayLock(task, pages, space)) return false;
  if (vm.locked === 0) space.refs++;
  space.locked += pages;
  vm.locked += pages;
  return true;
}

/** Pages of a VM no longer count. */
export function unlockPages(kernel: HostKernel, vm: HostVm, pages = vm.locked): void {
  const space = kernel.memory.space(vm.space);
  if (space === undefined || vm.locked === 0) return;
  space.locked -= pages;
  vm.locked -= pages;
  if (vm.locked === 0) kernel.memory.dropSpace(space);
}

/** Holds the pinned objects until the VM ends, each once. */
export function holdPinned(kernel: HostKernel, vm: HostVm, pinned: Pinned): void {
  const held = pinned.objects.every((object) => vm.pinned.some(({ objects }) => objects.includes(object)));
  if (held) kernel.memory.unpin(pinned);
  else vm.pinned.push({ ranges: [], objects: pinned.objects });
}

/** Forgets all bindings of a VM that ends. */
export function dropBindings(kernel: HostKernel, vm: HostVm): void {
  for (const { source } of vm.bindings) if (source.kind === "memfd") kernel.memory.dropObject(source.object);
  vm.bindings = [];
}

/** Whether a generation gives memory when the guest touches it. */
export function isPaged(vm: HostVm): boolean {
  return VM_PERSONAS[vm.persona].memory.given === "on-demand";
}

/** The rights of a region's flags as the Resource Manager writes them. */
export function rightsOf(flags: number): number {
  return (flags & RegionFlags.Read ? Access.R : 0) | (flags & RegionFlags.Write ? Access.W : 0) | (flags & RegionFlags.Exec ? Access.X : 0);
}

/** The rights that a binding asks for: guest memfds say them in their own bits. */
export function bindingRights({ flags, source }: Binding): number {
  if (source.kind === "user") return rightsOf(flags);
  const { Read, Write, Exec } = MapFlagsV17;
  return (flags & Read ? Access.R : 0) | (flags & Write ? Access.W : 0) | (flags & Exec ? Access.X : 0);
}

export function writable(binding: Binding): boolean {
  return (bindingRights(binding) & Access.W) !== 0;
}
