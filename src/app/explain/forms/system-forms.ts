// Messages of the hypervisor, of Linux kernels on either side, and of commands that look at
// devices.

import { systemRegisterNumber, systemRegisterText } from "../../../cpu/isa/names/system-register-names.ts";
import { type FormEntry, formsOf, type Said } from "./form.ts";
import type { SignKind } from "./sign.ts";

/** The register of a trapped access, by its syndrome (ISS of class 0x18). */
function registerOf(iss: number): string {
  const op0 = iss >>> 20 & 3, op2 = iss >>> 17 & 7, op1 = iss >>> 14 & 7, crn = iss >>> 10 & 15, crm = iss >>> 1 & 15;
  return systemRegisterText(systemRegisterNumber(op0, op1, crn, crm, op2));
}

/** Classes of exceptions: a trapped register, and aborts of instructions and data. */
const TRAPPED_REGISTER = 0x18, ABORTS: ReadonlySet<number> = new Set([0x20, 0x24]);

const classOf = (esr: unknown) => parseInt(String(esr), 16) >>> 26 & 0x3f;

function trapText({ vm, esr, elr }: Said): string {
  const syndrome = parseInt(String(esr), 16), trapClass = classOf(esr);
  const at = elr === "?" ? "" : ` at 0x${elr}`;
  if (!Number.isFinite(syndrome)) return `VM ${vm} did something${at} that the hypervisor does not handle`;
  if (ABORTS.has(trapClass)) return `VM ${vm} ${trapClass === 0x20 ? "executes" : "reads or writes"} memory${at} that it does not have`;
  if (trapClass !== TRAPPED_REGISTER) {
    return `VM ${vm} caused an exception${at} of class 0x${trapClass.toString(16)} that the hypervisor does not handle`;
  }
  return `VM ${vm} ${syndrome & 1 ? "reads" : "writes"} ${
    registerOf(syndrome & 0x1ff_ffff)
  }${at}, and the hypervisor has no rule for that register`;
}

const hypervisor = formsOf("hypervisor");

/** A trap that ends a VM. */
const unhandled = (sign: SignKind, section: string, isAbort: boolean): FormEntry =>
  hypervisor("Unhandled trap from VM %d, ESR_EL2 = 0x%x, ELR_EL2 = 0x%llx", {
    names: ["vm", "esr", "elr"],
    sign,
    says: trapText,
    book: ["hypervisor", section],
    own: true,
    only: ({ esr }) => ABORTS.has(classOf(esr)) === isAbort,
  });

export const HYPERVISOR_FORMS: readonly FormEntry[] = [
  hypervisor("[HYP] Processing package image (%d)", {
    names: ["_"],
    sign: "host",
    says: "the hypervisor unpacks the Resource Manager",
    book: ["hypervisor", "8.1"],
    own: true,
    quiet: true,
  }),
  unhandled("trap", "6.7", false),
  unhandled("abort", "4.7", true),
  hypervisor("sysreg_read: unhandled TID3 trap, ISS: 0x%x. RAZ", {
    names: ["iss"],
    sign: "raz",
    says: ({ iss }) =>
      `the VM reads ${registerOf(parseInt(String(iss), 16) || 0)}, an ID register that the hypervisor does not know, and gets 0: harmless`,
    book: ["hypervisor", "6.7"],
    own: true,
    quiet: true,
  }),
  hypervisor("Hypervisor cold boot, version: gunyah%s", {
    names: ["version"],
    sign: "host",
    says: "Gunyah starts, before the boot loader and Linux",
    own: true,
    quiet: true,
  }),
];

const kernel = formsOf("kernel");

/** Programs that make VMs, as the kernel names them. */
const VMM = /^(?:crosvm|qemu-system-aar|virtmgr)/;

/** Contiguous memory that a VMM, or another program, did not get. Large blocks only. */
const failedAllocation = (isVmm: boolean): FormEntry =>
  kernel("%s: page allocation failure: order:%d", {
    names: ["name", "order"],
    sign: "allocation",
    says: ({ name, order }) => `${name} needed ${2 ** Number(order)} contiguous pages of kernel memory, and there were none`,
    book: ["vm-manager", "5.1"],
    only: ({ name, order }) => Number(order) >= 4 && VMM.test(String(name)) === isVmm,
    ...isVmm ? { own: true } : { shared: true },
  });

export const KERNEL_FORMS: readonly FormEntry[] = [
  ...["kvm [%d]: HYP mode not available", "kvm: HYP mode not available"].map((format) =>
    kernel(format, {
      names: format.includes("%") ? ["_"] : [],
      sign: "no-hyp-mode",
      says: "this kernel was started at EL1: something else has EL2, and there is no /dev/kvm",
      own: true,
    })
  ),
  failedAllocation(true),
  failedAllocation(false),
  kernel("Booting Linux on physical CPU 0x%llx [0x%x]", {
    names: ["_", "midr"],
    sign: "guest",
    says: ({ midr }) =>
      midr === "000f0480" ? "a kernel starts on a vCPU of Gunyah: its MIDR is the one of vCPUs that are not pinned" : "a kernel starts",
    book: ["hypervisor", "6.7"],
    shared: true,
    quiet: true,
  }),
  kernel("Machine model: linux,dummy-virt", {
    sign: "guest",
    says: "the kernel has a devicetree of crosvm or of QEMU's virt: it runs in a VM",
    own: true,
    quiet: true,
  }),
  kernel("Hardware name: linux,dummy-virt", {
    sign: "guest",
    says: "the kernel that prints this runs in a VM of crosvm, kvmtool or QEMU's virt",
    own: true,
    quiet: true,
  }),
  kernel("Hardware name: QEMU %s Virtual Machine", {
    names: ["_"],
    sign: "guest",
    says: "the kernel that prints this runs in a VM of QEMU with UEFI firmware",
    own: true,
    quiet: true,
  }),
  kernel("psci: PSCIv%s detected in firmware.", {
    names: ["version"],
    sign: "guest",
    says: ({ version }) => `PSCI ${version} answers: CPUs can be turned on`,
    book: ["hypervisor", "6.5"],
    shared: true,
    quiet: true,
  }),
  kernel("psci: failed to boot CPU%d (%d)", {
    names: ["cpu", "error"],
    sign: "cpu",
    own: true,
    says: ({ cpu, error }) => `PSCI CPU_ON of CPU ${cpu} failed with ${error}`,
    book: ["hypervisor", "6.5"],
  }),
  kernel("CPU%d: failed to come online", {
    names: ["cpu"],
    sign: "cpu",
    says: ({ cpu }) => `CPU ${cpu} was turned on and did not arrive in the kernel`,
    book: ["hypervisor", "6.5"],
    shared: true,
  }),
  kernel("GICv3: CPU%d: found redistributor", {
    names: ["cpu"],
    sign: "guest",
    says: ({ cpu }) => `CPU ${cpu} has its redistributor`,
    book: ["hypervisor", "6.1"],
    shared: true,
    quiet: true,
  }),
  kernel("CPU%d: mpidr %x has no re-distributor!", {
    names: ["cpu", "_"],
    sign: "guest",
    says: ({ cpu }) => `the GIC has no redistributor for CPU ${cpu}: its region in the devicetree is too short or elsewhere`,
    book: ["hypervisor", "6.1"],
    shared: true,
  }),
  kernel("CPU%d: failed to set up redistributor", {
    names: ["cpu"],
    sign: "guest",
    says: ({ cpu }) => `the redistributor of CPU ${cpu} does not wake`,
    book: ["hypervisor", "6.1"],
    shared: true,
  }),
  kernel("virtio_blk virtio%d: [%s] %d %d-byte logical blocks", {
    names: ["_", "name", "_", "_"],
    sign: "guest",
    says: ({ name }) => `the disk ${name} is there, and its queue works so far`,
    shared: true,
    quiet: true,
  }),
  kernel("virtio-mmio %s: Wrong magic value 0x%lx!", {
    names: ["device", "value"],
    sign: "guest",
    says: ({ device }) => `there is no virtio device at ${device}: the devicetree names a place that nothing emulates`,
    book: ["hypervisor", "7.1"],
    shared: true,
  }),
  ...["device refuses features: %x", "device failed features_ok"].map((format) =>
    kernel(format, {
      names: format.includes("%") ? ["features"] : [],
      sign: "features",
      says: "the virtio device did not keep FEATURES_OK: it does not take the features that its driver chose",
      book: ["hypervisor", "7.1"],
      own: true,
    })
  ),
  kernel("Out of memory: Killed process %d (%s)", {
    names: ["_", "name"],
    sign: "oom",
    says: ({ name }) => `the host ran out of memory and ended ${name}, with its VM`,
    own: true,
    only: ({ name }) => /^(?:crosvm|qemu-system-aar)/.test(String(name)),
  }),
  // Android's daemon does what the kernel's own killer does elsewhere.
  kernel("Kill '%s' (%d), uid %d, oom_score_adj %d", {
    names: ["name", "_", "_", "_"],
    sign: "oom",
    says: ({ name }) => `Android ran out of memory and ended ${name}, with its VM`,
    own: true,
    only: ({ name }) => /^(?:crosvm|com\.android\.virtualization)/.test(String(name)),
  }),
  kernel("Version %ld not supported!", {
    names: ["version"],
    sign: "guest",
    says: ({ version }) => `a virtio-mmio device speaks version ${version}, and the driver does not`,
    book: ["hypervisor", "7.1"],
    shared: true,
  }),
  kernel("# CONFIG_%s is not set", {
    names: ["name"],
    sign: "option-off",
    says: ({ name }) => `this kernel has no ${name}: its queues and buffers lie in RAM, not in the pool`,
    shared: true,
    only: ({ name }) => name === "DMA_RESTRICTED_POOL",
  }),
  kernel("partition(s) not found after polling timeout: %s", {
    names: ["name"],
    sign: "no-disk",
    says: ({ name }) => `Android's init did not find its partitions: ${name}`,
    shared: true,
  }),
  kernel("VFS: Unable to mount root fs on %s", {
    names: ["name"],
    sign: "no-disk",
    says: "the guest's kernel has no root file system",
    shared: true,
  }),
  kernel("Kernel panic - not syncing: %s", {
    names: ["reason"],
    sign: "panic",
    says: ({ reason }) => `the kernel gave up: ${reason}`,
    shared: true,
  }),
  ...["insmod: failed to load %s: %s", "insmod: ERROR: could not insert module %s: %s", "modprobe: ERROR: could not insert '%s': %s"]
    .map((format) =>
      kernel(format, {
        names: ["module", "reason"],
        sign: "module-refused",
        says: ({ module, reason }) => `the module ${module} was not loaded: ${reason}`,
        only: ({ module }) => /^(?:gzvm|gunyah|gh_)/.test(String(module)),
        own: true,
      })
    ),
  kernel("device must provide VIRTIO_F_ACCESS_PLATFORM", {
    sign: "no-access-platform",
    says: "a guest that may use the pool alone has a device that does not offer VIRTIO_F_ACCESS_PLATFORM: its driver gives up",
    book: ["resource-manager", "7.6"],
    own: true,
  }),
  kernel("swiotlb buffer is full (sz: %zu bytes)", {
    names: ["size"],
    sign: "full-pool",
    says: ({ size }) => `no room for ${size} bytes in the memory that the guest bounces its buffers through`,
    book: ["resource-manager", "7.6"],
    shared: true,
  }),
  kernel("virtio%s: swiotlb buffer is full (sz: %zu bytes)", {
    names: ["_", "size"],
    sign: "full-pool",
    says: ({ size }) => `no room for ${size} bytes in the memory that the guest bounces its buffers through`,
    book: ["resource-manager", "7.6"],
    own: true,
  }),
  kernel("9pnet_virtio: no channels available for device %s", {
    names: ["tag"],
    sign: "no-share",
    says: ({ tag }) => `the guest mounts ${tag}, and no 9P device has that tag`,
    own: true,
  }),
  kernel("virtio-fs: tag <%s> not found", {
    names: ["tag"],
    sign: "no-share",
    says: ({ tag }) => `the guest mounts ${tag}, and no virtio-fs device has that tag`,
    own: true,
  }),
  kernel("created restricted DMA pool at 0x%llx, size %ld MiB", {
    names: ["address", "size"],
    sign: "pool",
    says: ({ address, size }) => `the guest bounces its buffers through a pool of ${size} MiB at ${address}`,
    book: ["resource-manager", "7.6"],
    own: true,
    quiet: true,
  }),
  kernel("Error: invalid device tree blob at physical address 0x%llx", {
    names: ["address"],
    sign: "no-tree",
    says: ({ address }) => `X0 at the kernel's entry was ${address}, where it found no devicetree`,
    own: true,
  }),
  kernel("OF: reserved mem: 0x%llx..0x%llx (%lu KiB) %s", {
    names: ["address", "_", "size", "name"],
    sign: "host",
    says: ({ address, size }) => `${size} KiB at ${address} are the hypervisor's: Linux does not use them`,
    only: ({ name }) => /gunyah|hyp[_-]|geniezone|\bgz\b/.test(String(name)),
    own: true,
    quiet: true,
  }),
  kernel("smccc: KVM: hypervisor services detected", {
    sign: "guest",
    says: "the hypervisor names itself KVM by SMCCC: the guest is not one of Gunyah's",
    book: ["hypervisor", "1.5"],
    shared: true,
    quiet: true,
  }),
  kernel("psci: SMC Calling Convention v%s", {
    names: ["version"],
    sign: "guest",
    says: ({ version }) => `SMCCC ${version} is there`,
    book: ["hypervisor", "6.6"],
    shared: true,
    quiet: true,
  }),
  kernel("psci: MIGRATE_INFO_TYPE not supported.", {
    sign: "guest",
    says: "PSCI has no Trusted OS to migrate: usual in a VM",
    book: ["hypervisor", "6.5"],
    shared: true,
    quiet: true,
  }),
  kernel("arch_timer: cp15 timer(s) running at %sMHz (virt).", {
    names: ["rate"],
    sign: "guest",
    says: ({ rate }) => `the guest has the virtual timer, at ${rate} MHz`,
    book: ["hypervisor", "6.4"],
    shared: true,
    quiet: true,
  }),
  kernel("Watchdog bark! Now = %s", {
    names: ["_"],
    sign: "bite",
    says: "a CPU of the host did not answer in time, and its watchdog is about to reset the phone",
    shared: true,
  }),
  kernel("Causing a watchdog bite!", { sign: "bite", says: "the host's watchdog resets the phone", shared: true }),
  kernel("UEFI firmware (version %s built at %s)", {
    names: ["name", "_"],
    sign: "firmware",
    says: "EDK2 starts in the VM",
    shared: true,
    quiet: true,
  }),
  kernel("edk2-gunyah.fd", {
    sign: "firmware",
    values: { name: "edk2-gunyah" },
    says: "the VM starts with EDK2 for Gunyah's VMs",
    own: true,
    quiet: true,
  }),
  kernel("Fatal signal %d (SIGBUS), code %d (%s)", {
    names: ["_", "_", "code"],
    sign: "sigbus",
    says: ({ code }) => `the process died of SIGBUS (${code})`,
    shared: true,
  }),
  kernel("killed by SIGBUS", { sign: "sigbus", says: "the process died of SIGBUS", shared: true }),
];

const DEVICES = /^\/dev\/(?:gunyah|gzvm|halla|qgunyah)$/;
const isDevice = ({ path }: Readonly<Record<string, unknown>>) => DEVICES.test(String(path));

const shell = formsOf("shell");

export const SHELL_FORMS: readonly FormEntry[] = [
  shell("%s: Invalid argument", {
    names: ["path"],
    sign: "not-read",
    values: { errno: "EINVAL" },
    says: ({ path }) => `${path} is there; it cannot be read, and that says nothing about its requests`,
    own: true,
    only: isDevice,
  }),
  shell("%s: No such file or directory", {
    names: ["path"],
    sign: "no-node",
    says: ({ path }) => `there is no ${path}: this kernel has no such driver, or the driver found no hypervisor`,
    own: true,
    only: isDevice,
    book: ["vm-manager", "13"],
  }),
  shell("%s: Permission denied", {
    names: ["path"],
    sign: "not-opened",
    values: { errno: "EACCES" },
    says: ({ path }) => `${path} may not be opened: by its mode, or by SELinux`,
    own: true,
    only: isDevice,
    book: ["vm-manager", "4"],
  }),
  shell("failed to open %s: %s (os error %d)", {
    names: ["path", "_", "errno"],
    sign: "not-opened",
    says: ({ path, errno }) => `${path} could not be opened: ${errno}`,
    own: true,
    only: isDevice,
  }),
];
