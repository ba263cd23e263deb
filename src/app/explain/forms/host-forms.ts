// Messages of QEMU, its helpers and libvirt about what the host has for a VM: networks, devices of
// the host, processes that serve devices, firmware and files.

import { type FormEntry, formsOf } from "./form.ts";
import type { SignValues } from "./sign.ts";

const qemu = formsOf("qemu");
const libvirt = formsOf("libvirt");
const firmware = formsOf("firmware");

const TUN = "/dev/net/tun";

/** QEMU's bridge helper, which does not say its name, and its rules. */
const refusedBridge = (format: string, entry: Partial<FormEntry>): FormEntry =>
  qemu(format, {
    sign: "bridge",
    values: { reason: "rules" },
    says: "QEMU's bridge helper has no rule that allows this bridge",
    ...entry,
  });

/** Ends of the helper's messages about the interface that it makes. */
const noInterface = (error: string, errno: string): FormEntry[] => [
  qemu(`failed to create tun device: ${error}`, {
    sign: "bridge",
    values: { reason: errno },
    says: `QEMU's bridge helper did not make an interface: ${errno}`,
    shared: true,
  }),
  qemu(`failed to open ${TUN}: ${error}`, {
    sign: "not-opened",
    values: { path: TUN, errno },
    says: `${TUN} could not be opened: ${errno}`,
    shared: true,
  }),
];

/** A device of the host that QEMU does not pass through. */
const vfio = (format: string, step: string, says: string, names: readonly string[] = [], values: SignValues = {}): FormEntry =>
  qemu(format, { names, sign: "vfio", values: { step, ...values }, says, own: true });

/** Firmware that QEMU does not put into its flash. */
const flash = (format: string, reason: string, says: FormEntry["says"], names: readonly string[] = []): FormEntry =>
  qemu(format, { names, sign: "flash", values: { reason }, says, own: true });

/** A machine, device or property that the QEMU of this architecture does not have. */
const notOfMachine = (format: string, what: string): FormEntry =>
  qemu(`qemu-%s: ${format}`, {
    names: ["_", ...format.includes("%s") ? ["name"] : []],
    sign: "not-of-machine",
    values: { what },
    says: ({ name }) => `QEMU's machine has no such ${what}${name === "?" ? "" : `: ${name}`}`,
    own: true,
  });

/** A message to a process that serves a device, or an answer of it, that was lost. */
const lostBackend = (format: string): FormEntry =>
  qemu(format, {
    names: [...format.matchAll(/%[ds]/g)].map(() => "_"),
    sign: "backend",
    says: "QEMU lost the process that serves a device of the VM",
    own: true,
  });

/** A file of QEMU's options, by the words of its system. */
const noFile = (error: string): FormEntry =>
  qemu(`qemu-%s: Could not open '%s': ${error}`, {
    names: ["_", "path"],
    sign: "no-file",
    values: { errno: "ENOENT" },
    says: ({ path }) => `QEMU's options name ${path}, and it is not there`,
    only: ({ path }) => !String(path).startsWith("/dev/"),
    own: true,
  });

export const HOST_FORMS: readonly FormEntry[] = [
  refusedBridge("access denied by acl file", { shared: true }),
  refusedBridge("failed to parse default acl file `%s'", { names: ["path"], only: ({ path }) => /qemu/.test(String(path)), own: true }),
  ...noInterface("Operation not permitted", "EPERM"),
  ...noInterface("Permission denied", "EACCES"),
  ...noInterface("No such file or directory", "ENOENT"),
  ...noInterface("No such device", "ENODEV"),
  ...["bridge helper failed", "failed to launch bridge helper", "failed to communicate with bridge helper"].map((format) =>
    qemu(format, { sign: "bridge", values: { reason: "unknown" }, says: "QEMU's bridge helper gave no interface", own: true })
  ),
  ...[
    "gic-version=host requires KVM",
    "CPU model 'host' requires KVM or HVF",
    "The 'host' CPU type can only be used with KVM",
  ].map((format) =>
    qemu(format, { sign: "no-acceleration", says: "the machine is to have what the host has, and QEMU runs without KVM", own: true })
  ),
  qemu("invalid accelerator kvm", {
    sign: "not-built",
    values: { name: "kvm" },
    says: "this QEMU was built without KVM, or for another architecture than the host's",
    own: true,
  }),
  libvirt("CPU mode 'host-passthrough' for %s domain on %s host is not supported by hypervisor", {
    names: ["_", "_"],
    sign: "no-acceleration",
    says: "the VM is to have the host's CPU, and libvirt has no KVM to give it",
    own: true,
  }),
  ...["does not support virt type 'kvm'", "could not find capabilities for domaintype=kvm"].map((format) =>
    libvirt(format, { sign: "no-acceleration", says: "the VM is one of KVM's, and libvirt found none", own: true })
  ),
  ...["cpu_address_space_init: Assertion `asidx == 0 || !kvm_enabled()' failed", "does not support providing Security extensions"].map((
    format,
  ) => qemu(format, { sign: "no-el3", says: "the machine is to have EL3, and KVM does not give it to guests", own: true })),
  vfio("vfio_dma_map(%s) = -12 (", "map", "memory of the guest was not pinned for a device of the host: ENOMEM", ["_"], {
    errno: "ENOMEM",
  }),
  vfio("vfio_dma_map(%s) = -14 (", "map", "memory of the guest was not pinned for a device of the host: EFAULT", ["_"], {
    errno: "EFAULT",
  }),
  vfio("group %d is not viable", "group", "not all devices of an IOMMU group are given to VFIO", ["_"]),
  ...["No available IOMMU models", "no iommu_group found"].map((format) =>
    vfio(format, "iommu", "the device of the host is behind no IOMMU that VFIO can use")
  ),
  flash(
    "device requires %d bytes, block backend provides %d bytes",
    "size",
    ({ wanted, has }) => `the machine's flash has ${wanted} bytes, and the file ${has}`,
    ["wanted", "has"],
  ),
  flash(
    "requires %d bytes, %s block backend provides %d bytes",
    "size",
    ({ wanted, has }) => `the machine's flash has ${wanted} bytes, and the file ${has}`,
    ["wanted", "_", "has"],
  ),
  flash(
    "The contents of the first flash device may be specified with -bios or with -drive if=pflash",
    "twice",
    "the firmware is given by -bios and by a flash drive",
  ),
  ...[
    "Failed to write msg. Wrote %d instead of %d.",
    "Failed to read msg header. Read %d instead of %d.",
    "vhost VQ %d ring restore failed: %s",
    "Error starting vhost: %d",
  ].map(lostBackend),
  notOfMachine("unsupported machine type", "machine"),
  notOfMachine("'%s' is not a valid device model name", "device"),
  notOfMachine("machine type does not support if=%s", "bus"),
  notOfMachine("can't apply global %s: Property", "property"),
  notOfMachine("unable to find CPU model '%s'", "CPU model"),
  qemu("unable to map backing store for guest RAM: Cannot allocate memory", {
    sign: "no-huge-pages",
    says: "the pool that the guest's memory comes from has not so many free large pages",
    own: true,
  }),
  firmware('BdsDxe: starting Boot%x "UEFI QEMU %s', {
    names: ["_", "_"],
    sign: "firmware",
    says: "UEFI firmware starts a boot loader from a disk of QEMU's",
    own: true,
    quiet: true,
  }),
  firmware("Synchronous Exception at 0x%llx", {
    names: ["address"],
    sign: "efi-fault",
    says: ({ address }) => `the code that UEFI firmware has started made an exception at ${address}`,
    shared: true,
  }),
  ...["No such file or directory", "The system cannot find the file specified."].map(noFile),
];
