// irqfds and ioeventfds of VMs: their arguments, their effects, and which of them REMOVE_FUNCTION
// removes (docs/spec/vm-manager.md §10; docs/spec/observed-ioctl.md §6, §7.2 and §11).

import type { CapId } from "../../abi/numbers.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { FN_IOEVENTFD_ARG, FN_IRQFD_ARG, IOEVENTFD_LENGTHS, IoeventfdFlags, IrqfdFlags } from "../../abi/ioctl/gunyah.ts";
import { functionRules, VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { OpenFile } from "../kernel/files.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import type { HostVm, Ioeventfd, Irqfd } from "./state.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";

const SECTION = "vm-manager 10";
/** The flag of a VMM that takes it for the number of its bit. */
const SHIFTED_DATAMATCH = 1 << IoeventfdFlags.Datamatch;
const U64 = 1n << 64n;

/** The eventfd of a descriptor of the caller, or the negative errno. */
function eventfdOf(kernel: HostKernel, task: number, fd: number): OpenFile | number {
  const file = kernel.fileOf(kernel.task(task).pid, fd);
  if (file === undefined) return kernel.refuse(Errno.EBADF, SECTION, "the descriptor has to be open", { fd });
  if (file.kind !== "eventfd") return kernel.refuse(Errno.EINVAL, SECTION, "the descriptor has to be an eventfd", { fd, is: file.kind });
  return file;
}

/** ADD_FUNCTION of an irqfd. `bytes` is its argument. */
export function addIrqfd(kernel: HostKernel, task: number, vm: HostVm, bytes: Uint8Array): number {
  if (bytes.length !== FN_IRQFD_ARG.size) return wrongSize(kernel, "irqfd", bytes.length, FN_IRQFD_ARG.size);
  const { fd, label, flags } = FN_IRQFD_ARG.decode(bytes);
  if ((flags & ~IrqfdFlags.Level) !== 0) return kernel.refuse(Errno.EINVAL, SECTION, "the only flag of an irqfd is LEVEL 1", { flags });
  const file = eventfdOf(kernel, task, fd | 0);
  if (typeof file === "number") return file;
  if (vm.irqfds.some((irqfd) => irqfd.label === label)) {
    return kernel.refuse(Errno.EEXIST, SECTION, "one irqfd has a doorbell's label", { label });
  }
  kernel.holdFile(file);
  const level = (flags & IrqfdFlags.Level) !== 0;
  const irqfd: Irqfd = { file: file.id, eventfd: file.target, label, level, argument: [...bytes], cap: undefined };
  vm.irqfds.push(irqfd);
  bindIrqfd(kernel, vm, irqfd);
  if (kernel.eventfds.pending(file.target)) kernel.cpu.trace.event("ioctl", "irqfd was signaled before it was added", { label });
  return 0;
}

/** Gives an irqfd its doorbell, once the Resource Manager has listed one of its label. */
export function bindIrqfd(kernel: HostKernel, vm: HostVm, irqfd: Irqfd): void {
  const bell = vm.resources?.find(({ type, label }) => type === ResourceType.DoorbellSource && label === irqfd.label);
  if (bell === undefined) return;
  irqfd.cap = bell.cap;
  if (irqfd.level) maskBell(kernel, bell.cap);
}

/**
 * An eventfd was written: the doorbells of its irqfds ring. A signal before there is a doorbell is
 * lost.
 */
export function eventfdSignalled(kernel: HostKernel, vm: HostVm, eventfd: number): void {
  for (const irqfd of vm.irqfds) {
    if (irqfd.eventfd !== eventfd) continue;
    if (irqfd.cap !== undefined) ringBell(kernel, irqfd.cap);
    else kernel.cpu.trace.event("ioctl", "irqfd signal dropped: its doorbell is not bound", { label: irqfd.label, vm: vm.id });
  }
}

/** ADD_FUNCTION of an ioeventfd. */
export function addIoeventfd(kernel: HostKernel, task: number, vm: HostVm, bytes: Uint8Array): number {
  if (bytes.length !== FN_IOEVENTFD_ARG.size) return wrongSize(kernel, "ioeventfd", bytes.length, FN_IOEVENTFD_ARG.size);
  const { datamatch, addr, len, fd, flags } = FN_IOEVENTFD_ARG.decode(bytes);
  const rules = functionRules(VM_PERSONAS[vm.persona]);
  const refuse = (rule: string, values: Record<string, unknown>) => kernel.refuse(Errno.EINVAL, SECTION, rule, values);
  if ((flags & ~IoeventfdFlags.Datamatch) !== 0) {
    const wayOut = flags === SHIFTED_DATAMATCH ? "crosvm sends 2, which is 1 shifted by the flag; make it send 1" : undefined;
    return kernel.refuse(Errno.EINVAL, SECTION, `the only flag of an ioeventfd is DATAMATCH 1, not ${flags}`, { flags }, { wayOut });
  }
  if (!IOEVENTFD_LENGTHS.includes(len)) return refuse("an ioeventfd matches 1, 2, 4, 8 bytes or, with 0, any", { len });
  if (rules.wrapChecked && addr + BigInt(len) >= U64) return refuse("address + length may not wrap", { addr, len });
  const matches = (flags & IoeventfdFlags.Datamatch) !== 0;
  if (len === 0 && matches) return refuse("length 0 has no data to match", { flags, len });
  const file = eventfdOf(kernel, task, fd);
  if (typeof file === "number") return file;
  const length = rules.lengthNeedsMatch && !matches ? 0 : len;
  const added: Ioeventfd = {
    file: file.id,
    eventfd: file.target,
    address: addr,
    length,
    argument: [...bytes],
    datamatch: matches ? BigInt.asUintN(8 * len, datamatch) : undefined,
  };
  if (vm.ioeventfds.some((other) => collide(other, added))) {
    return kernel.refuse(Errno.EEXIST, SECTION, "a write may match one ioeventfd only", { addr, len, datamatch });
  }
  kernel.holdFile(file);
  vm.ioeventfds.push(added);
  return 0;
}

function collide(a: Ioeventfd, b: Ioeventfd): boolean {
  if (a.address !== b.address) return false;
  if (a.length === 0 || b.length === 0) return true;
  return a.length === b.length && (a.datamatch === undefined || b.datamatch === undefined || a.datamatch === b.datamatch);
}

/**
 * Signals the ioeventfd that takes this write; false when none does. `value` is cut to the access.
 */
export function writeToIoeventfd(kernel: HostKernel, vm: HostVm, address: number, length: number, value: bigint): boolean {
  const at = BigInt(address);
  const taker = vm.ioeventfds.find((each) =>
    each.address === at && (each.length === 0 || each.length === length) &&
    (each.datamatch === undefined || each.datamatch === value)
  );
  if (taker === undefined) return false;
  kernel.eventfds.signal(taker.eventfd);
  return true;
}

/** Whether a generation that compares arguments finds the function by these bytes. */
function isArgument(vm: HostVm, { argument }: { readonly argument: readonly number[] }, bytes: Uint8Array): boolean {
  if (!functionRules(VM_PERSONAS[vm.persona]).removesByArgument) return true;
  return sameBytes(argument, bytes);
}

/** REMOVE_FUNCTION of irqfds: all of this label. How many there were. */
export function removeIrqfds(kernel: HostKernel, vm: HostVm, bytes: Uint8Array): number {
  const { label } = FN_IRQFD_ARG.decode(bytes);
  const [gone, left] = split(vm.irqfds, (irqfd) => irqfd.label === label && isArgument(vm, irqfd, bytes));
  vm.irqfds = left;
  for (const { file } of gone) kernel.dropFile(file);
  return gone.length;
}

/** REMOVE_FUNCTION of ioeventfds: all at this address. How many there were. */
export function removeIoeventfds(kernel: HostKernel, vm: HostVm, bytes: Uint8Array): number {
  const { addr } = FN_IOEVENTFD_ARG.decode(bytes);
  const [gone, left] = split(vm.ioeventfds, (each) => each.address === addr && isArgument(vm, each, bytes));
  vm.ioeventfds = left;
  for (const { file } of gone) kernel.dropFile(file);
  return gone.length;
}

function split<T>(list: readonly T[], matches: (each: T) => boolean): [T[], T[]] {
  return [list.filter(matches), list.filter((each) => !matches(each))];
}

/** The refusal of an argument that is not its structure. */
export function wrongSize(kernel: HostKernel, what: string, size: number, expected: number): number {
  return kernel.refuse(Errno.EINVAL, SECTION, `the argument of a ${what} is its structure`, { arg_size: size, sizeof: expected });
}

/** Rings a doorbell with bit 0. */
export function ringBell(kernel: HostKernel, cap: CapId): void {
  kernel.calls.doorbell_send({ doorbell: cap, new_flags: 1n });
}

/** Makes each delivery of a doorbell clear bit 0, as LEVEL demands. */
export function maskBell(kernel: HostKernel, cap: CapId): void {
  kernel.calls.doorbell_mask({ doorbell: cap, enable_mask: 1n, ack_mask: 1n });
}
