// Messages of VMMs: crosvm, with the additions of Android's and of Droid-VM's builds, and QEMU's
// ports to Gunyah and GenieZone.

import { ExitType } from "../../../machine/abi/rpc/messages/vm.ts";
import { type FormEntry, formsOf } from "./form.ts";
import type { SignValue, SignValues } from "./sign.ts";

const EXIT_TYPES: Readonly<Record<number, string>> = {
  [ExitType.VmExit]: "the guest called VM_EXIT",
  [ExitType.PlatformOff]: "the guest called PSCI SYSTEM_OFF",
  [ExitType.PlatformReset]: "the guest called PSCI SYSTEM_RESET; VMs of Gunyah are not started again",
  [ExitType.PsciSystemReset2]: "the guest called PSCI SYSTEM_RESET2; VMs of Gunyah are not started again",
  [ExitType.WatchdogBite]: "its watchdog bit",
  [ExitType.SoftwareError]: "the hypervisor ended it after an error of its software",
  [ExitType.AsyncHwError]: "the hypervisor ended it after an asynchronous error of the hardware",
  [ExitType.VmStopForced]: "its owner stopped it by force",
};
const GOOD_ENDS: ReadonlySet<SignValue> = new Set([ExitType.VmExit, ExitType.PlatformOff, ExitType.VmStopForced]);

const ofCrosvm = formsOf("crosvm");
const crosvm: typeof ofCrosvm = (format, entry) => ofCrosvm(format, { own: true, ...entry });
const qemu = formsOf("qemu");

/** A request of crosvm that failed; its line ends with an error of Rust. */
const crosvmCall = (format: string, values: SignValues, says: string, section: string): FormEntry =>
  crosvm(format, {
    names: ["_", "errno"],
    sign: "call",
    values,
    says: ({ errno }) => `${says}: ${errno}`,
    book: ["vm-manager", section],
  });

/** A request of QEMU's ports that failed. */
const qemuCall = (format: string, call: string, names: readonly string[], book: FormEntry["book"]): FormEntry =>
  qemu(format, { names, sign: "call", values: { call }, says: ({ errno }) => `${call} failed with ${errno}`, book });

/** The end of a VM as QEMU's ports report it. */
const qemuEnd = (format: string, type: ExitType, says: string): FormEntry =>
  qemu(format, { names: ["vcpu"], sign: "vm-end", values: { type }, says, book: ["vm-manager", "8"], own: true });

const VHOST_VSOCK = "/dev/vhost-vsock";
const CAUSED = { format: "(os error %d)", names: ["errno"] };

export const CROSVM_FORMS: readonly FormEntry[] = [
  crosvm("exiting with error %d: failed to create vm", {
    names: ["_"],
    then: CAUSED,
    sign: "call",
    values: { call: "GH_CREATE_VM" },
    says: ({ errno }) => `crosvm's first requests failed with ${errno}: CREATE_VM, or the memory of the VM`,
    book: ["vm-manager", "4"],
  }),
  crosvm("failed to create vm: %s (os error %d)", {
    names: ["_", "errno"],
    sign: "call",
    values: { call: "GH_CREATE_VM" },
    says: ({ errno }) => `crosvm's first requests failed with ${errno}: CREATE_VM, or the memory of the VM`,
    book: ["vm-manager", "4"],
    own: undefined,
  }),
  ...["failed to open Gunyah device %s", "failed to open GenieZone device %s"].map((format) =>
    crosvm(format, {
      names: ["path"],
      then: CAUSED,
      sign: "not-opened",
      says: ({ path, errno }) => `${path} could not be opened: ${errno}`,
      book: ["vm-manager", "4"],
    })
  ),
  crosvm("failed to open KVM device", {
    then: CAUSED,
    sign: "not-opened",
    values: { path: "/dev/kvm" },
    says: ({ errno }) => `KVM's device could not be opened: ${errno}`,
  }),
  crosvm("failed to create IRQ chip", {
    then: CAUSED,
    sign: "kvm-gic",
    values: { has: "none" },
    says: ({ errno }) => `KVM made no interrupt controller for the VM: ${errno}`,
  }),
  crosvm("failed to lock disk image", { sign: "locked-disk", says: "a disk's image is locked: another process has it open" }),
  crosvm("DTB and payload are not part of same memory region.", {
    sign: "step",
    values: { step: "dtb-region", errno: "EINVAL" },
    says: "the devicetree is in another region of the VM's memory than the payload, which this kind of VM does not permit",
    call: "GH_VM_SET_DTB_CONFIG",
    book: ["vm-manager", "6"],
  }),
  crosvm("set_boot_pc failed", {
    then: CAUSED,
    sign: "call",
    values: { call: "GUNYAH_VM_SET_BOOT_CONTEXT" },
    says: ({ errno }) => `the guest's entry could not be set: ${errno}`,
    book: ["vm-manager", "6"],
  }),
  crosvmCall(
    "failed to initialize virtual machine %s (os error %d)",
    { call: "GH_VM_START" },
    "the VM was made and could not be started",
    "7",
  ),
  crosvmCall(
    "failed to set up guest memory: %s (os error %d)",
    { call: "GH_VM_SET_USER_MEM_REGION" },
    "memory could not be given to the VM",
    "5.1",
  ),
  crosvmCall("failed to register irq fd: %s (os error %d)", { call: "GH_VM_ADD_FUNCTION" }, "an interrupt could not be registered", "10"),
  crosvmCall(
    "failed to register ioevent to VM: %s (os error %d)",
    { call: "GH_VM_ADD_FUNCTION", function: "ioeventfd" },
    "an ioeventfd could not be registered",
    "10",
  ),
  crosvmCall("failed to create VCPU: %s (os error %d)", { call: "GH_VM_ADD_FUNCTION", function: "vcpu" }, "a vCPU could not be made", "10"),
  crosvm("GH-DIAG: GH_VM_START failed", {
    then: CAUSED,
    sign: "call",
    values: { call: "GH_VM_START" },
    says: ({ errno }) => `the VM could not be started: ${errno}`,
    book: ["vm-manager", "7"],
  }),
  crosvm("exiting with error %d: the architecture failed to build the vm", {
    names: ["_"],
    sign: "guest",
    says: "crosvm made the VM, its memory and devices, and then failed at the step of its last line",
    book: ["vm-manager", "14.3"],
  }),
  ...["kernel could not be loaded: %s", "failed to load kernel: %s", "error loading Kernel from Elf image: %s"].map((format) =>
    crosvm(format, {
      names: ["reason"],
      sign: "image",
      says: ({ reason }) => `the guest's kernel was not loaded: ${reason}`,
      own: undefined,
    })
  ),
  crosvm("host access to lent memory region at %#llx (purpose=%s)", {
    names: ["address", "purpose"],
    sign: "lent",
    says: ({ address }) => `a device of the VMM reads or writes ${address}, which the VM has and the VMM has lent to it`,
    book: ["vm-manager", "5.2"],
  }),
  crosvm("%s activate failed: ", {
    names: ["device"],
    sign: "lent",
    says: ({ device }) => `the device ${device} could not use the queues that its driver gave it`,
    book: ["vm-manager", "5.2"],
    own: undefined,
  }),
  crosvm("get_avail_index: ", {
    sign: "queue-lent",
    says: "a device could not read the available ring of its queue",
    book: ["vm-manager", "5.2"],
  }),
  crosvm("Gunyah failed to reclaim %s", {
    names: ["_"],
    sign: "reclaim",
    values: { errno: "EBUSY", from: "balloon" },
    says: "RECLAIM_REGION failed: pages that a balloon of the guest gave back stay with the VM",
    call: "GH_VM_ANDROID_RECLAIM_REGION",
    book: ["vm-manager", "5.3"],
  }),
  crosvm("unknown gh exit reason: %d", {
    names: ["reason"],
    sign: "exit",
    says: ({ reason }) =>
      reason === 3
        ? "RUN returned with a page fault of the VM that was not resolved, an exit that crosvm does not know"
        : `RUN returned with the exit reason ${reason}, which crosvm does not know`,
    call: "GH_VCPU_RUN",
    book: ["vm-manager", "9"],
  }),
  crosvm("exit type %d", {
    names: ["type"],
    sign: "vm-end",
    says: ({ type }) => EXIT_TYPES[Number(type)] ?? `exit type ${type}, which no book has`,
    book: ["vm-manager", "8"],
    own: undefined,
    only: ({ type }) => !GOOD_ENDS.has(type),
  }),
  crosvm("exit type %d", {
    names: ["type"],
    sign: "guest",
    says: ({ type }) => EXIT_TYPES[Number(type)] ?? "",
    book: ["vm-manager", "8"],
    own: undefined,
    quiet: true,
    only: ({ type }) => GOOD_ENDS.has(type),
  }),
  crosvm("Unknown vm status: %d", {
    names: ["reason"],
    sign: "exit",
    says: ({ reason }) => `the VM's status is ${reason}, which crosvm does not know`,
    book: ["vm-manager", "8"],
    own: undefined,
  }),
  crosvm("vcpu hit unknown error: %s (os error %d)", {
    names: ["_", "errno"],
    sign: "page-fault",
    says: ({ errno }) => `RUN failed with ${errno}, and the VM ends`,
    call: "GH_VCPU_RUN",
    book: ["vm-manager", "9"],
  }),
  crosvm("vcpu hit unknown error: Out of memory", {
    sign: "huge-pages",
    values: { errno: "ENOMEM" },
    says: "RUN failed with ENOMEM, and the VM ends",
    call: "GH_VCPU_RUN",
    book: ["vm-manager", "9"],
  }),
  crosvm("page fault at 0x%llx", {
    names: ["address"],
    sign: "huge-pages",
    says: ({ address }) => `the VM touched ${address}, and the host had no page for it`,
    call: "GH_VCPU_RUN",
    book: ["vm-manager", "5.4"],
    own: undefined,
  }),
  crosvm("vcpu hw run failure: %#x", {
    names: ["reason"],
    sign: "exit",
    says: "the VM could not be loaded: VM_INIT failed",
    book: ["vm-manager", "8"],
  }),
  crosvm("invalid ack_features (page %d, value 0x%x)", {
    names: ["page", "_"],
    sign: "guest",
    says: ({ page }) => `a driver of the guest wrote page ${page} of its features, which crosvm does not have: harmless`,
    quiet: true,
  }),
  ...["failed to open virtual socket device %s", "failed to open virtual socket device: %s (os error %d)"].map((format) =>
    crosvm(format, {
      names: format.includes("os error") ? ["_", "errno"] : ["path"],
      ...format.includes("os error") ? { values: { path: VHOST_VSOCK } } : { then: CAUSED },
      sign: "not-opened",
      says: ({ errno }) => `the host's device for sockets of VMs could not be opened: ${errno}`,
    })
  ),
  crosvm("failed to open /dev/net/tun: %s (os error %d)", {
    names: ["_", "errno"],
    sign: "not-opened",
    values: { path: "/dev/net/tun" },
    says: ({ errno }) => `/dev/net/tun could not be opened: ${errno}`,
    own: undefined,
  }),
  crosvm("failed to create tap interface: %s (os error %d)", {
    names: ["_", "errno"],
    sign: "tap",
    says: ({ errno }) => `crosvm did not get its network interface: ${errno}`,
    own: undefined,
  }),
  crosvm("failed to set up vhost networking", {
    then: CAUSED,
    sign: "not-opened",
    values: { path: "/dev/vhost-net" },
    says: ({ errno }) => `the host's vhost device for networks could not be used: ${errno}`,
  }),
  crosvm("Failed to set CPU affinity: ", {
    sign: "host",
    says: "crosvm may not choose the CPUs of its vCPUs: harmless",
    quiet: true,
  }),
  crosvm("mTHP not available", {
    sign: "platform",
    says: "the host's kernel has no large pages of several sizes; pages of 2 MiB are tried",
    quiet: true,
  }),
  crosvm("GH: preparing LEND region: hva=0x%llx size=0x%llx", {
    names: ["_", "size"],
    sign: "guest",
    says: ({ size }) => `memory of 0x${size} bytes is prepared to be lent`,
    quiet: true,
  }),
  crosvm("creating hypervisor: Gunyah {", {
    sign: "host",
    says: "crosvm opens /dev/gunyah",
    book: ["vm-manager", "14.3"],
    quiet: true,
  }),
  crosvm("creating hypervisor: Geniezone {", {
    sign: "host",
    says: "crosvm opens /dev/gzvm",
    book: ["geniezone", "9"],
    quiet: true,
  }),
  crosvm('"%s" is not a directory, cannot create jail', {
    names: ["folder"],
    sign: "jail",
    says: ({ folder }) => `crosvm has no folder ${folder} to put its devices' sandboxes in`,
  }),
  crosvm("libminijail[%d]: clone(%s) failed", {
    names: ["_", "_"],
    sign: "jail",
    says: "the kernel does not let crosvm make namespaces for its sandboxes",
  }),
  crosvm("arg parsing failed: Unrecognized argument: %s", {
    names: ["word"],
    sign: "usage",
    says: ({ word }) => `this build of crosvm has no option ${word}`,
  }),
  crosvm('CANNOT LINK EXECUTABLE "%s": cannot locate symbol "%s" referenced by "%s"', {
    names: ["program", "_", "library"],
    sign: "linker",
    says: ({ program, library }) =>
      `${program} was built for another version of Android: ${library} needs a symbol that no library on this phone has`,
    only: ({ program }) => /crosvm|qemu/.test(String(program)),
  }),
  crosvm("Failed to remove memlock rlimit: ", {
    sign: "limit-kept",
    says: "virtmgr may not raise the limit of locked memory: SELinux does not permit it",
  }),
  crosvm("system reset event", {
    sign: "vm-end",
    values: { type: ExitType.PlatformReset },
    says: EXIT_TYPES[ExitType.PlatformReset],
    book: ["vm-manager", "8"],
    own: undefined,
  }),
  crosvm("system crash event on vcpu %d", {
    names: ["vcpu"],
    sign: "vm-end",
    values: { type: ExitType.SoftwareError },
    says: "the VM crashed: its watchdog bit, or the hypervisor ended it",
    book: ["vm-manager", "8"],
  }),
  crosvm("Unknown GZVM system event %d", {
    names: ["reason"],
    sign: "exit",
    says: ({ reason }) => `GenieZone reported the system event ${reason}, which crosvm does not know`,
    book: ["geniezone", "4"],
  }),
];

export const QEMU_FORMS: readonly FormEntry[] = [
  qemu("Failed to start VM:%s (errno=%d)", {
    names: ["_", "errno"],
    sign: "call",
    values: { call: "GH_VM_START" },
    says: ({ errno }) => `the VM was made and could not be started: ${errno}`,
    book: ["vm-manager", "7"],
    own: true,
  }),
  qemuCall("GUNYAH_VM_SET_DTB_CONFIG failed: %s (errno=%d)", "GH_VM_SET_DTB_CONFIG", ["_", "errno"], ["vm-manager", "6"]),
  qemuCall("could not create VCPU %d: %s (errno=%d)", "GH_VM_ADD_FUNCTION", ["_", "_", "errno"], ["vm-manager", "10"]),
  qemuCall("SET_BOOT_CONTEXT PC failed: %s (errno=%d)", "GUNYAH_VM_SET_BOOT_CONTEXT", ["_", "errno"], ["vm-manager", "6"]),
  qemuCall("SET_BOOT_CONTEXT X0 failed: %s (errno=%d)", "GUNYAH_VM_SET_BOOT_CONTEXT", ["_", "errno"], ["vm-manager", "6"]),
  qemuCall("IRQFD bell-%x FAILED: %s (errno=%d)", "GH_VM_ADD_FUNCTION", ["_", "_", "errno"], ["vm-manager", "10"]),
  qemuCall("IRQFD virtio bell-%x FAILED: %s (errno=%d)", "GH_VM_ADD_FUNCTION", ["_", "_", "errno"], ["vm-manager", "10"]),
  qemuCall("gzvm: GZVM_SET_DTB_CONFIG failed: %s (errno=%d)", "GZVM_SET_DTB_CONFIG", ["_", "errno"], ["geniezone", "3.3"]),
  qemuCall("gzvm: GZVM_IRQ_LINE failed for irq=%d level=%d: %s", "GZVM_IRQ_LINE", ["_", "_", "_"], ["geniezone", "6"]),
  qemu("SET_BOOT_CONTEXT not supported (ENOTTY)", {
    sign: "platform",
    says: "this driver has no SET_BOOT_CONTEXT; the guest begins where its image does",
    call: "GUNYAH_VM_SET_BOOT_CONTEXT",
    book: ["vm-manager", "6"],
    quiet: true,
  }),
  qemu("gh SIGBUS at hva=0x%llx code=%d", {
    names: ["address", "code"],
    sign: "sigbus",
    says: ({ address }) => `QEMU touched ${address}, a page that it has lent or that the host has taken away`,
    book: ["vm-manager", "5.2"],
    own: true,
  }),
  qemu("=== GUNYAH SIGNAL DIAGNOSTIC ===", {
    sign: "sigbus",
    says: "QEMU touched a page that it has lent, or one that is not there",
    book: ["vm-manager", "5.2"],
    own: true,
  }),
  qemuEnd("cpu %d: WDT BITE", ExitType.WatchdogBite, "the VM's watchdog bit"),
  qemuEnd("cpu %d: VM CRASHED", ExitType.SoftwareError, "the hypervisor ended the VM after an error"),
  qemuEnd("cpu %d: PSCI SYSTEM_RESET", ExitType.PlatformReset, EXIT_TYPES[ExitType.PlatformReset]),
  qemu("*** WARNING: protected_vm=false ***", {
    sign: "platform",
    says: "all memory is shared with the VM, and none is lent",
    own: true,
    quiet: true,
  }),
  qemu("GUNYAH_VM_START OK", { sign: "guest", says: "the VM runs", call: "GH_VM_START", quiet: true }),
];
