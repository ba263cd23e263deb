// Messages of VMMs about what accelerates them: KVM, as Firecracker, Cloud Hypervisor and libvirt
// name it, and Apple's frameworks.

import { type FormEntry, formsOf } from "./form.ts";
import type { SignKind, SignValues } from "./sign.ts";

const qemu = formsOf("qemu");
const libvirt = formsOf("libvirt");
const firecracker = formsOf("firecracker");
const cloudHypervisor = formsOf("cloudHypervisor");
const apple = formsOf("apple");
const kernel = formsOf("kernel");

const KVM = "/dev/kvm";

/** Results of Apple's framework by their names, and what they mean. */
const HVF_RESULTS: Readonly<Record<string, string>> = {
  HV_UNSUPPORTED: "this Mac gives no virtual machine",
  HV_DENIED: "the program may not make virtual machines",
  HV_BUSY: "another program has what it asked for",
  HV_NO_RESOURCES: "the framework has no room for it",
  HV_BAD_ARGUMENT: "an address, a size or an alignment is not one that it takes",
  HV_NO_DEVICE: "this Mac has no such framework",
};

/** KVM's device by the words of another VMM; its line ends with an error. */
const notOpened = (of: typeof qemu, format: string): FormEntry =>
  of(format, {
    names: format.includes("%s") ? ["_", "errno"] : ["errno"],
    sign: "not-opened",
    values: { path: KVM },
    says: ({ errno }) => `${KVM} could not be opened: ${errno}`,
    own: true,
  });

/** A request to make a VM that KVM refused. */
const notMade = (of: typeof qemu, format: string, names: readonly string[]): FormEntry =>
  of(format, { names, sign: "no-vm", says: ({ errno }) => `KVM made no VM: ${errno}`, call: "KVM_CREATE_VM", own: true });

/** A message without values that no other program prints. */
const said = (of: typeof qemu, sign: SignKind, says: string, values: SignValues = {}) => (format: string): FormEntry =>
  of(format, { names: [...format.matchAll(/%[dsx]/g)].map(() => "_"), sign, values, says, own: true });

const withoutAcceleration = said(libvirt, "no-acceleration", "the VM is one of KVM's, and its manager found none");
const noGic = (of: typeof qemu) => said(of, "kvm-gic", "KVM makes no interrupt controller for guests on this host", { has: "none" });

export const ACCELERATOR_FORMS: readonly FormEntry[] = [
  ...Object.entries(HVF_RESULTS).map(([name, says]) =>
    apple(name, { sign: "hvf", values: { result: name }, says: `Apple's Hypervisor framework: ${says}`, own: true })
  ),
  apple("target/arm/hvf/%s:hvf_arch_init_vcpu", {
    names: ["_"],
    sign: "hvf",
    values: { result: "build" },
    says: "QEMU's table of registers is not that of the macOS whose headers it was built with",
    own: true,
  }),
  apple("VZErrorDomain Code=%d", {
    names: ["code"],
    sign: "vz",
    says: ({ code }) => `Apple's Virtualization framework did not start the VM: error ${code}`,
    own: true,
  }),
  qemu("CPU mode 'host-model' for %s domain on %s host is not supported by hypervisor", {
    names: ["_", "_"],
    sign: "kvm-cpu",
    says: "the VM is to have a model of the host's CPU, which arm64 has not",
    own: true,
  }),
  ...["hvf", "xen", "whpx"].map((name) =>
    qemu(`invalid accelerator ${name}`, {
      sign: "not-built",
      values: { name },
      says: `this QEMU was built without ${name}, or for another architecture than the host's`,
      own: true,
    })
  ),
  ...["com.apple.security.virtualization", "com.apple.security.hypervisor"].map((name) =>
    apple(`${name}%sentitlement`, {
      names: ["_"],
      sign: "hvf",
      values: { result: "HV_DENIED" },
      says: `the program lacks ${name}`,
      own: true,
    })
  ),
  notMade(qemu, "ioctl(KVM_CREATE_VM) failed: %d %s", ["errno", "_"]),
  notMade(cloudHypervisor, "VmCreate(%s(os error %d)", ["_", "errno"]),
  notMade(firecracker, "VmFd(Error(%d))", ["errno"]),
  notOpened(cloudHypervisor, "KvmNew(Error(%d))"),
  notOpened(cloudHypervisor, "HypervisorCreate(%s(os error %d)"),
  notOpened(firecracker, "Error creating KVM object: %s (os error %d)"),
  notOpened(firecracker, "Error creating KVM object. [%s (os error %d)]"),
  ...["Missing KVM capability: Irqchip", "Missing KVM capabilities: [Irqchip"].map(noGic(firecracker)),
  ...["CreateGIC(Error(%d))", "CreateGIC(CreateGIC(Error(%d)))"].map(noGic(firecracker)),
  ...["CreateGic(", "CreateVgic("].map(noGic(cloudHypervisor)),
  said(qemu, "kvm-gic", "QEMU knows none of the interrupt controllers that KVM names", { has: "unknown" })(
    "Unable to determine GIC version supported by host",
  ),
  ...["host does not support in-kernel GICv%d emulation", "KVM does not support GICv%d emulation"].map(
    said(qemu, "kvm-gic", "KVM does not make the interrupt controller that the machine has", { has: "other" }),
  ),
  said(qemu, "kvm-gic", "KVM did not make the interrupt controller that the machine has", { has: "other" })(
    "PMU: KVM_SET_DEVICE_ATTR: Invalid argument",
  ),
  said(qemu, "kvm-cpu", "KVM did not say what CPU it gives to guests")("Failed to retrieve host CPU features"),
  ...[
    "KVM virtualisation configured, but not available",
    "KVM support is not enabled on this machine",
    "invalid argument: KVM is not available",
    "emulation currently requires hardware acceleration",
  ]
    .map(withoutAcceleration),
  ...["INFO: /dev/kvm does not exist", "KVM acceleration can NOT be used"].map((format) =>
    kernel(format, { sign: "not-opened", values: { path: KVM, errno: "ENOENT" }, says: `there is no ${KVM}`, own: true })
  ),
  ...["ls: cannot access '/dev/kvm': No such file or directory", "stat: cannot statx '/dev/kvm': No such file or directory"].map((format) =>
    kernel(format, { sign: "not-opened", values: { path: KVM, errno: "ENOENT" }, says: `there is no ${KVM}`, own: true })
  ),
  kernel("kvm [%d]: error initializing Hyp mode: %d", {
    names: ["_", "errno"],
    sign: "not-opened",
    values: { path: KVM },
    says: ({ errno }) => `KVM could not take EL2, and there is no ${KVM}: ${errno}`,
    own: true,
  }),
  kernel("CPU: All CPU(s) started at EL1", {
    sign: "no-hyp-mode",
    says: "this kernel was started at EL1: it has no EL2 for KVM",
    shared: true,
    quiet: true,
  }),
  ...([["Bad address", "EFAULT"], ["Invalid argument", "EINVAL"], ["Operation not permitted", "EPERM"], [
    "Exec format error",
    "ENOEXEC",
  ]] as const)
    .map(([error, errno]) =>
      qemu(`error: kvm run failed ${error}`, {
        sign: "kvm-run",
        values: { errno },
        says: `KVM_RUN failed with ${errno}`,
        own: true,
      })
    ),
  ...["mprotect of jit buffer", "bytes for jit buffer"].map(
    said(qemu, "jit", "the system gives QEMU no memory in which it may write code and execute it"),
  ),
  ...[
    "Number of SMP CPUs requested (%d) exceeds",
    "cpus requested (%d) exceeds the maximum cpus supported by KVM (%d)",
    "Capacity of the redist region(s) (%d) is less than number of vcpus(%d)",
  ].map(said(qemu, "many-cpus", "the machine is to have more CPUs than its kind, its interrupt controller or KVM can have")),
];
