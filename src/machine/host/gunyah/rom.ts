// Memory of a process that its VM reads and executes at an address among its devices, as firmware
// in flash needs it: loads and fetches find it, stores leave RUN. Only for VMs whose pages the
// driver gives by hypercalls. Real drivers have no such request.

import { RomFlags, SET_ROM } from "../../abi/ioctl/gunyah.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { holdPinned, isPaged, LOCK_LIMIT, LOCK_WAY_OUT, lockPages, unlockPages } from "./bindings.ts";
import { givePages, type PagingError, reclaimPages } from "./paging.ts";
import { hypercallErrno } from "./rm-errors.ts";
import type { GivenPages, HostVm } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** EL2_VM_SET_ROM: 0, or the negative errno. */
export function setRom(kernel: HostKernel, task: number, vm: HostVm, pointer: bigint): number {
  const refuse = (errno: number, rule: string, values: Record<string, unknown> = {}, wayOut?: string) =>
    kernel.refuse(errno, "vm-manager 5.4", rule, values, { object: `vm ${vm.id}`, ...wayOut && { wayOut } });
  const space = kernel.callerSpace(task);
  if (space.id !== vm.space) return refuse(Errno.EPERM, "only the address space that created the VM may give it memory");
  const bytes = kernel.memory.copyIn(space, pointer, SET_ROM.size);
  if (bytes === undefined) return refuse(Errno.EFAULT, "the argument has to be readable", { pointer });
  const { guest_phys_addr: address, memory_size: size, userspace_addr: user, flags } = SET_ROM.decode(bytes);
  if ((flags & ~RomFlags.Present) !== 0) return refuse(Errno.EINVAL, "flags are PRESENT 1", { flags });
  const page = BigInt(PAGE_SIZE);
  if (size === 0n || [address, size, user].some((each) => each % page !== 0n)) {
    return refuse(Errno.EINVAL, "addresses and size are whole pages", { address, size, user });
  }
  if (!isPaged(vm) || vm.status !== "running") {
    return refuse(Errno.ENODEV, "the driver gives the pages of a VM that runs, and not in parcels", { status: vm.status });
  }
  const meets = (from: bigint, length: bigint) => address < from + length && from < address + size;
  if (vm.bindings.some((each) => meets(each.guestAddress, each.size))) {
    return refuse(Errno.EEXIST, "a ROM and a region of a VM may not overlap", { address, size });
  }
  const failed = (error: PagingError) => refuse(hypercallErrno(error.code), error.call, { address, size });
  if ((flags & RomFlags.Present) === 0) {
    const kept = reclaimPages(kernel, vm, address, size);
    return kept === undefined ? 0 : failed(kept);
  }
  if (vm.given.some(({ guestAddress, count }) => meets(guestAddress, BigInt(count) * page))) {
    return refuse(Errno.EEXIST, "ROMs of a VM may not overlap", { address, size });
  }
  const pages = Number(size / page);
  const pinned = kernel.pin(space, user, pages, true);
  if (typeof pinned === "number") return refuse(-pinned, "every page has to be writable, and to stay where it is", { user, size });
  if (!lockPages(kernel, vm, pages, task)) {
    kernel.memory.unpin(pinned);
    return refuse(Errno.ENOMEM, LOCK_LIMIT, { size }, LOCK_WAY_OUT);
  }
  const given: GivenPages[] = [];
  let at = address;
  for (const range of pinned.ranges) {
    const pages = givePages(kernel, vm, range, at, { shared: true, write: false, executable: true });
    if ("call" in pages) {
      kernel.memory.unpin(pinned);
      for (const { guestAddress, count } of given) reclaimPages(kernel, vm, guestAddress, BigInt(count * PAGE_SIZE));
      unlockPages(kernel, vm, Number((address + size - at) / page));
      return failed(pages);
    }
    given.push(pages);
    vm.given.push(pages);
    at += BigInt(range.count) * page;
  }
  holdPinned(kernel, vm, pinned);
  return 0;
}
