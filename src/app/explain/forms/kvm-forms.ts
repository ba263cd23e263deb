// Messages of KVM on arm64 and of its VMMs, QEMU and kvmtool: hosts whose hypervisor is Linux
// itself.

import { type FormEntry, formsOf } from "./form.ts";

const kernel = formsOf("kernel");
const qemu = formsOf("qemu");
const kvmtool = formsOf("kvmtool");

const KVM = "/dev/kvm";
const NOT_THERE = `there is no ${KVM}: KVM has no EL2, or this kernel was built without it`;
const REFUSED = `${KVM} may not be opened`;

/** An end of QEMU's "Could not access KVM kernel module". */
const notOpened = (error: string, errno: string, says: string): FormEntry =>
  qemu(`Could not access KVM kernel module: ${error}`, { sign: "not-opened", values: { path: KVM, errno }, says, own: true });

const VHOST = "/dev/vhost-vsock";

/** Ends of QEMU's messages about the device of a VM's sockets, by older and newer versions. */
const noSockets = (error: string, errno: string): FormEntry[] =>
  [`vhost-vsock: failed to open vhost device: ${error}`, `Could not open '${VHOST}': ${error}`].map((format) =>
    qemu(format, { sign: "not-opened", values: { path: VHOST, errno }, says: `${VHOST} could not be opened: ${errno}`, own: true })
  );

const TUN = "/dev/net/tun";

/** Ends of QEMU's messages about a TAP interface: its device, or the interface of this name. */
const noTap = (error: string, errno: string): FormEntry[] => [
  qemu(`could not open ${TUN}: ${error}`, {
    sign: "not-opened",
    values: { path: TUN, errno },
    says: `${TUN} could not be opened: ${errno}`,
  }),
  qemu(`could not configure ${TUN} (%s): ${error}`, {
    names: ["name"],
    sign: "tap",
    values: { errno },
    says: ({ name }) => `QEMU did not get the interface ${name}: ${errno}`,
  }),
];

/** A kernel or ramdisk that kvmtool did not find room for. */
const noRoom = (what: string): FormEntry =>
  kvmtool(`${what} too big to contain in guest memory.`, {
    sign: "image",
    values: { reason: "room" },
    says: `the guest's memory has no room for the ${what}`,
    own: true,
  });

/** A GIC, or what needs one, that KVM did not make as the machine has it. */
const otherGic = (format: string): FormEntry =>
  qemu(format, {
    names: format.includes("%") ? ["_", "_"] : [],
    sign: "kvm-gic",
    values: { has: "other" },
    says: "KVM did not make the interrupt controller that the machine has",
    own: true,
  });

export const KVM_FORMS: readonly FormEntry[] = [
  notOpened("No such file or directory", "ENOENT", NOT_THERE),
  notOpened("No such device", "ENODEV", NOT_THERE),
  notOpened("Permission denied", "EACCES", REFUSED),
  notOpened("Operation not permitted", "EPERM", REFUSED),
  ...noSockets("No such file or directory", "ENOENT"),
  ...noSockets("No such device", "ENODEV"),
  ...noSockets("Permission denied", "EACCES"),
  ...["kvm_init_vcpu: kvm_arch_init_vcpu failed (%d): Invalid argument", "kvm_init_vcpu failed: Invalid argument"].map((format) =>
    qemu(format, {
      names: format.includes("%") ? ["cpu"] : [],
      sign: "kvm-cpu",
      says: "KVM did not take the vCPU as QEMU describes it",
      own: true,
    })
  ),
  ...['Failed to get "write" lock', 'Failed to get shared "write" lock', 'Failed to get "consistent read" lock'].map((format) =>
    qemu(format, { sign: "locked-disk", says: "a disk's image is locked: another process has it open", own: true })
  ),
  qemu("cannot set up guest memory '%s': Cannot allocate memory", {
    names: ["name"],
    sign: "no-memory",
    says: ({ name }) => `the host gives QEMU no memory for the guest's ${name}`,
    own: true,
  }),
  qemu("KVM is not supported for this guest CPU type", {
    sign: "kvm-cpu",
    says: "KVM runs guests on the host's own CPU alone, and the machine has another model",
    own: true,
  }),
  qemu("KVM with user space irqchip only works when the host kernel supports KVM_CAP_ARM_USER_IRQ", {
    sign: "kvm-gic",
    values: { has: "none" },
    says: "KVM gives guests no interrupt controller on this host",
    own: true,
  }),
  otherGic("failed to set irq for PMU"),
  otherGic("PMU: KVM_SET_DEVICE_ATTR: No such device"),
  otherGic("KVM_SET_DEVICE_ATTR failed: No such device"),
  otherGic("KVM_SET_DEVICE_ATTR failed: Group %d attr 0x%llx: No such device"),
  qemu("Addressing limited to %d bits, but memory exceeds it by %llu bytes", {
    names: ["bits", "_"],
    sign: "address-bits",
    says: ({ bits }) => `the machine's memory ends above the ${bits} bits of its addresses`,
    own: true,
  }),
  qemu("VCPU supports less PA bits (%d) than requested by the memory map (%d)", {
    names: ["bits", "wanted"],
    sign: "address-bits",
    says: ({ bits, wanted }) => `the machine uses addresses of ${wanted} bits, and the host's CPU gives a guest ${bits}`,
    own: true,
  }),
  qemu("does not support providing Virtualization extensions to the guest CPU", {
    sign: "no-nested",
    says: "the machine is to have EL2, and this host's accelerator does not give it to guests",
    own: true,
  }),
  qemu("error: kvm run failed Function not implemented", {
    sign: "no-syndrome",
    says: "KVM_RUN failed with ENOSYS: KVM could not decode an access of the guest",
    own: true,
  }),
  ...noTap("No such file or directory", "ENOENT"),
  ...noTap("No such device", "ENODEV"),
  ...noTap("Permission denied", "EACCES"),
  ...noTap("Operation not permitted", "EPERM"),
  ...noTap("Device or resource busy", "EBUSY"),
  ...["does not support providing MTE to the guest CPU", "MTE requested, but not supported by"].map((format) =>
    qemu(format, {
      sign: "mte",
      says: "the machine is to have memory tags (MTE), and this host or CPU model has none for guests",
      own: true,
    })
  ),
  noRoom("kernel image"),
  noRoom("initrd"),
  kvmtool("Kernel image magic not matching", {
    sign: "image",
    values: { reason: "magic" },
    says: "the guest's kernel does not have the magic of an arm64 Image, so that kvmtool takes its first bytes for no header",
    own: true,
  }),
  kvmtool("'%s' not found. Please make sure your kernel has CONFIG_KVM", {
    names: ["path"],
    sign: "not-opened",
    values: { errno: "ENOENT" },
    says: NOT_THERE,
    own: true,
  }),
  kvmtool("'%s' KVM driver not available.", {
    names: ["path"],
    sign: "not-opened",
    values: { errno: "ENODEV" },
    says: NOT_THERE,
    own: true,
  }),
  ...["load/store instruction decoding not implemented", "Data abort outside memslots with no valid syndrome info"].map((format) =>
    kernel(format, {
      sign: "no-syndrome",
      says: "a guest reached for a place without memory by an instruction whose syndrome has no register: KVM ends its run",
      own: true,
    })
  ),
  kernel("Unsupported guest sys_reg access at: %llx", {
    names: ["address"],
    sign: "trap",
    says: ({ address }) => `the guest at ${address} used a system register that this KVM does not know, and gets an undefined instruction`,
    own: true,
  }),
  ...["nVHE hyp panic at: ", "nVHE hyp BUG at: "].map((format) =>
    kernel(format, { sign: "kvm-panic", says: "KVM's own code at EL2 gave up, and the host with it", own: true })
  ),
];
