// The meaning of a line of a log as values. Causes ask for signs and never for words of a log.

import type { Request } from "../../../machine/abi/ioctl/request.ts";

/** The kinds of signs, with their values. */
export const SIGN_KINDS = {
  platform: "`generation` of the driver that this kernel or chip has, `name` of the kernel or chip",
  node: "a device's node: `path`, `mode`, `owner`",
  "no-node": "a device's node that is missing: `path`",
  "not-opened": "a device that could not be opened: `path`, `errno`",
  "not-read": "a device that was read as a file: `path`, `errno`",
  called: "a request to a driver that succeeded: `call`, `before` or after `start`, `nth` of its name",
  call: "a request to a driver that failed: `call`, `errno`, `before` or after `start`, `nth` of its name",
  step: "a step of VM_START that failed: `step`, `errno`",
  rpc: "a message that the Resource Manager refused: `message`, `error`",
  hypercall: "a hypercall that was refused: `call`, `error`",
  reclaim: "memory that did not come back: `errno` or `error`",
  "page-fault": "a page of a VM that the driver could not provide: `errno`",
  scm: "pages that the secure world did not assign: `errno`",
  allocation: "contiguous memory of the host's kernel that was not there: `order`, `name` of the process",
  "huge-pages": "memory that could not be had in large pages",
  lent: "an access of the VMM to memory that it has lent: `device`",
  "queue-lent": "a queue in memory that the VMM has lent",
  "no-access-platform": "a device that does not offer VIRTIO_F_ACCESS_PLATFORM",
  pool: "a guest that has its pool for DMA",
  "full-pool": "a pool for DMA that has no room",
  "no-tree": "a kernel that found no devicetree",
  denied: "an access that SELinux denied: `path`",
  sigbus: "SIGBUS in a VMM",
  "locked-limit": "the locked memory that a process may have: `bytes`",
  "limit-kept": "the limit of locked memory, which could not be raised",
  "option-off": "an option that a kernel was built without: `name`",
  "no-hyp-mode": "a kernel that does not run at EL2",
  trap: "a trap that the hypervisor did not handle: `register`, `class`",
  abort: "an access of a VM to memory that it does not have",
  raz: "an ID register that the hypervisor reads as zero: `register`",
  "avf-end": "the death of a VM of Android's: `status` of crosvm, or `reason`",
  "vm-end": "the end of a VM: `type`",
  exit: "an exit of a vCPU that the VMM does not know: `reason`",
  conduit: "an EL2 that does not answer GenieZone's driver",
  "module-refused": "a module that was not loaded: `name`, `errno`",
  "gz-memory": "memory of GenieZone: `region` that firmware reserves",
  "no-gz-node": "a devicetree without GenieZone's node",
  "gz-refused": "memory that GenieZone's hypervisor refused",
  watchdog: "a watchdog driver that did not probe: `errno`",
  bite: "a watchdog that reset the machine",
  jail: "a sandbox that could not be made",
  linker: "a VMM that was not linked: `library`",
  usage: "a word of a command line that the VMM does not know: `word`",
  firmware: "UEFI firmware, `name`",
  "busy-vmm": "a VMM that takes CPUs: `share` of one, in percent",
  "no-disk": "a guest without its disk: `name`",
  "has-disk": "a virtio disk that a guest's kernel lists",
  oops: "an exception in a guest's kernel: `what` it did, the `function`",
  "kernel-report": "a report of a guest's kernel about itself: `report`, the `device`",
  panic: "a panic of a guest's kernel: `reason`",
  lint: "a finding in a VM's devicetree: `kind`, and whether its `node` is of reserved-memory",
  tree: "a devicetree: `bytes`",
  image: "a guest's kernel that was not loaded: `reason`",
  cpu: "a CPU of a guest that did not start: `cpu`",
  features: "a virtio device that refuses its driver's features",
  oom: "a VMM that the host ended for its memory",
  "no-memory": "memory of the host that a VMM did not get for its guest",
  tap: "an interface of the host that a VMM did not get: `errno`",
  mte: "a guest that was to have memory tags",
  bridge: "an interface that QEMU's bridge helper did not make: `reason` is its rules, an errno, or unknown",
  "no-acceleration": "a VMM that was to use KVM and has none",
  "no-el3": "a guest that was to have EL3",
  vfio: "a device of the host that a VMM did not get: `step`, `errno`",
  flash: "firmware that does not fit the machine's flash, or is there twice: `reason`",
  "not-of-machine": "what a command line asks for and the VMM's machine does not have: `what`, `name`",
  "efi-fault": "an exception in UEFI firmware, or in what it started",
  "no-huge-pages": "memory of the host's pool of large pages that a VMM did not get",
  backend: "a process beside the VMM that serves a device, and ended",
  "no-share": "a shared folder that the guest asks for and no device has: `tag`",
  "no-file": "a file of a VM's that could not be opened: `path`, `errno`",
  "locked-disk": "a disk's image that another process has open",
  "kvm-cpu": "a vCPU that KVM did not take",
  "kvm-gic": "an interrupt controller that KVM did not make: whether the host `has` none or another",
  "address-bits": "memory of a VM above the addresses that it can have",
  "no-nested": "a guest that was to have EL2",
  "no-syndrome": "an access of a guest that KVM cannot decode",
  "kvm-panic": "a failure of KVM at EL2",
  "no-vm": "a VM that KVM did not make: `errno`",
  hvf: "an answer of Apple's Hypervisor framework: `result`",
  vz: "an answer of Apple's Virtualization framework: `code`",
  "not-built": "a part that this build of a VMM lacks: `name`",
  "kvm-run": "a run of a vCPU that KVM ended with an error: `errno`",
  jit: "memory for translated code that a VMM did not get",
  "many-cpus": "a machine with more CPUs than it can have",
  "unshared-memory": "memory of a guest that a process beside its VMM does not get",
  "no-bus": "a device's bus that the machine does not have: `name`",
  "no-display": "a display that a VMM did not get",
  taken: "a port, a number or a network that another program has",
  "other-state": "a stored state of a VM that another machine or version has written",
  "wants-firmware": "a VM that needs firmware and asks for none",
  twice: "what a command line gives twice",
  conflict: "options of a command line that do not go together",
  "outside-memory": "a guest that executes where it has no memory",
  "no-daemon": "a manager of VMs that does not run",
  "other-host": "an emulator whose guests have to have the host's architecture",
  "other-cpu": "a kernel that was not built for the CPU that it has: `name`",
  "no-rom": "a device's ROM that is not installed: `name`",
  "no-firmware": "firmware that is not installed",
  "no-program": "a VMM that is not installed: `name`",
  "no-network": "a network or bridge of the host that is not there: `name`",
  seccomp: "a system call that a VMM's filter does not permit",
  "only-kind": "VMs that this phone runs: `kind` is protected or non-protected",
  "no-permission": "a permission that an app of Android's lacks: `name`",
  "other-architecture": "a boot loader of another architecture: `name`",
  "not-bootable": "disks without a boot loader",
  "loader-fault": "an exception in a boot loader: `class` is code or data",
  granule: "a kernel whose pages the CPU does not have: `name`",
  "no-init": "a first program that the kernel could not start: `path`, `errno`",
  "init-end": "a first program that ended: `code`",
  "bad-ramdisk": "a ramdisk that the kernel could not unpack",
  probe: "a virtio driver that gave up: `driver`, `errno`",
  undefined: "an instruction that a guest's CPU does not have",
  "no-controller": "a kernel without an interrupt controller",
  guest: "a step of a guest's start",
  host: "a step of a driver or a hypervisor",
} as const;

export type SignKind = keyof typeof SIGN_KINDS;

export type SignValue = string | number;
export type SignValues = Readonly<Record<string, SignValue>>;

/** A line of a file, from 1. */
export interface LinePlace {
  readonly file: string;
  readonly line: number;
}

export interface Sign {
  readonly kind: SignKind;
  readonly values: SignValues;
  readonly at: LinePlace;
}

/** A section of a book: `el2 reference spec BOOK SECTION`. */
export type Book = readonly [name: "hypervisor" | "resource-manager" | "vm-manager" | "geniezone", section: string];

/** A line, or a value of a file, with what it says. */
export interface Explained {
  readonly at: LinePlace;
  /** The line as the file has it, or the place in a file that has no lines. */
  readonly text: string;
  /** The program that wrote it. */
  readonly by: string;
  readonly says: string;
  /** The request, message or hypercall, with its answer. */
  readonly call?: string;
  readonly book?: Book;
  /** The line ends before its message does. */
  readonly cut?: true;
  /** Lines like this one; 1 for a single one. */
  readonly count: number;
  /** Not a failure. */
  readonly quiet?: true;
  /** It is what programs without VMs write, too: it counts only beside others. */
  readonly shared?: true;
  readonly sign: Sign;
}

/** The name of a request without the generation that its table has. */
export function callName({ name }: Request): string {
  return name.replace(/ \(.*\)$/, "");
}
