// Messages of QEMU, libvirt, virtiofsd and Android's framework about a VM's configuration: what it
// asks for, and the host, this build or this phone does not have.

import { type FormEntry, formsOf } from "./form.ts";
import type { SignKind, SignValues } from "./sign.ts";

const qemu = formsOf("qemu");
const libvirt = formsOf("libvirt");
const avf = formsOf("avf");
const virtiofsd = formsOf("virtiofsd");
const cloudHypervisor = formsOf("cloudHypervisor");
const firecracker = formsOf("firecracker");
const crosvm = formsOf("crosvm");

/** A message whose first value is what it names; the others are left out. */
const naming = (of: typeof qemu, format: string, sign: SignKind, says: (name: string) => string, values: SignValues = {}): FormEntry => {
  const names = [...format.matchAll(/%[dsx]/g)].map((_, index) => index === 0 ? "name" : "_");
  return of(format, { names, sign, values, says: ({ name }) => says(String(name)), own: true });
};

const unshared = (of: typeof qemu, format: string): FormEntry =>
  naming(of, format, "unshared-memory", () => "a process beside the VMM serves a device, and does not get the guest's memory");
const notBuilt = (format: string): FormEntry => naming(qemu, format, "not-built", (name) => `this QEMU was built without ${name}`);
const noBus = (format: string): FormEntry =>
  naming(qemu, format, "no-bus", (name) => `a device wants the bus ${name}, which the machine does not have`);
const noDisplay = (format: string): FormEntry => naming(qemu, format, "no-display", () => "QEMU has no display to draw on");
const taken = (of: typeof qemu, format: string): FormEntry =>
  naming(of, format, "taken", (name) => `${name === "?" ? "what the VM is to have" : name} is taken by another program`);
const noProgram = (format: string): FormEntry => naming(libvirt, format, "no-program", (name) => `libvirt found no QEMU for ${name}`);
const noFirmware = (of: typeof qemu, format: string): FormEntry =>
  naming(of, format, "no-firmware", () => "the firmware that the VM is to start with is not installed");
const notBacked = (error: string, errno: string): FormEntry[] =>
  ["Failed to connect to '%s'", "Failed to connect socket %s"].map((format) =>
    qemu(`${format}: ${error}`, {
      names: ["name"],
      sign: "backend",
      values: { errno },
      says: ({ name }) => `nothing answers at the socket ${name}: ${errno}`,
      shared: true,
    })
  );
const closedFile = (format: string, errno: string): FormEntry =>
  libvirt(format, {
    names: ["path", ...[...format.matchAll(/%/g)].slice(1).map(() => "_")],
    sign: "no-file",
    values: { errno },
    says: ({ path }) => `${path} of the VM could not be opened: ${errno}`,
    only: ({ path }) => !String(path).startsWith("/dev/"),
    own: true,
  });
const ofFile = (format: string): FormEntry =>
  qemu(`qemu-%s: ${format}`, {
    names: ["_", "path"],
    sign: "image",
    values: { reason: "unread" },
    says: ({ path }) => `QEMU could not load ${path}: it is not there, or not of a form that it knows`,
    own: true,
  });
/** An image by the name of its loader's error, as Rust prints it. */
const unloaded = (of: typeof qemu, format: string): FormEntry =>
  of(format, { names: ["reason"], sign: "image", says: ({ reason }) => `the guest's kernel was not loaded: ${reason}`, own: true });
const onlyKind = (format: string, kind: string): FormEntry =>
  avf(format, { sign: "only-kind", values: { kind }, says: `this phone runs ${kind} VMs alone`, own: true });

export const MANAGER_FORMS: readonly FormEntry[] = [
  unshared(virtiofsd, "Waiting for daemon failed: HandleRequest(InvalidParam)"),
  ...["virtiofs requires shared memory", "'virtiofs' requires shared memory"].map((format) => unshared(libvirt, format)),
  ...["Failed initializing vhost-user memory map, consider using -object memory-backend-file share=on", "vhost_set_mem_table failed"]
    .map((format) => unshared(qemu, format)),
  notBuilt("network backend '%s' is not compiled into this binary"),
  notBuilt("Parameter 'type' expects a netdev backend type"),
  notBuilt("'%s' does not accept value 'gtk'"),
  notBuilt("spice support is disabled"),
  noBus("No '%s' bus found for device '%s'"),
  noBus("Bus '%s' not found"),
  ...[
    "gtk initialization failed",
    "Could not initialize SDL(%s)",
    "OpenGL is not supported by display backend '%s'",
    "no drm render node available",
  ]
    .map(noDisplay),
  taken(qemu, "Could not set up host forwarding rule '%s'"),
  taken(qemu, "Failed to find an available port: Address already in use"),
  taken(qemu, "vhost-vsock: unable to set guest cid: Address already in use"),
  taken(libvirt, "network is already in use by interface %s"),
  crosvm("failed to set CID for guest: %s (os error %d)", {
    names: ["_", "errno"],
    sign: "taken",
    says: ({ errno }) => `the CID of the VM's sockets is not free: ${errno}`,
    own: true,
  }),
  naming(qemu, 'failed to find romfile "%s"', "no-rom", (name) => `a device brings the ROM ${name}, which is not installed`),
  naming(qemu, 'failed to find romfile \\"%s\\"', "no-rom", (name) => `a device brings the ROM ${name}, which is not installed`),
  ofFile("could not load kernel '%s'"),
  ofFile("could not load initrd '%s'"),
  ofFile("Couldn't open dtb file %s"),
  noFirmware(qemu, "Could not find ROM image '%s'"),
  ...["Unable to find any firmware to satisfy 'efi'", "Unable to find 'efi' firmware"]
    .map((format) => noFirmware(libvirt, format)),
  libvirt("ACPI requires UEFI on this architecture", {
    sign: "wants-firmware",
    says: "a VM of arm64 has ACPI tables by its UEFI firmware alone, and this one has none",
    own: true,
  }),
  ...["Cannot find CPU model with PVR %s", "Failed to get host CPU cache info", "cannot detect host CPU model for aarch64 architecture"]
    .map((
      format,
    ) =>
      libvirt(format, {
        names: format.includes("%") ? ["_"] : [],
        sign: "host",
        says: "libvirt's lists do not have this host's CPU: harmless",
        own: true,
        quiet: true,
      })
    ),
  noProgram("unable to find any emulator to serve '%s' architecture"),
  noProgram("Cannot check QEMU binary %s: No such file or directory"),
  noProgram("Cannot find QEMU binary %s"),
  libvirt("network '%s' is not active", {
    names: ["name"],
    sign: "no-network",
    says: ({ name }) => `libvirt's network ${name} was not started`,
    own: true,
  }),
  libvirt("Cannot get interface MTU on '%s': No such device", {
    names: ["name"],
    sign: "no-network",
    says: ({ name }) => `the host has no bridge ${name}`,
    own: true,
  }),
  closedFile("Cannot access storage file '%s' (as uid:%s, gid:%s): Permission denied", "EACCES"),
  closedFile("Cannot access storage file '%s': Permission denied", "EACCES"),
  closedFile("Cannot access storage file '%s' (as uid:%s, gid:%s): No such file or directory", "ENOENT"),
  closedFile("Cannot access storage file '%s': No such file or directory", "ENOENT"),
  ...[
    "IDE controllers are unsupported for this QEMU binary",
    "does not support machine type '%s'",
    "is not supported for this architecture",
  ]
    .map((format) =>
      naming(libvirt, format, "not-of-machine", () => "the VM asks for what this machine does not have", { what: "device" })
    ),
  ...["Use -machine help to list supported machines", "No machine specified, and there is no default"].map((format) =>
    naming(qemu, format, "not-of-machine", () => "the machine of the command line is none that this QEMU has", { what: "machine" })
  ),
  naming(
    qemu,
    "Trying to execute code outside RAM or ROM at 0x%x",
    "outside-memory",
    (name) => `the guest jumped to 0x${name}, where there is no memory`,
  ),
  libvirt("Failed to connect socket to '%s': %s", {
    names: ["path", "_"],
    sign: "no-daemon",
    says: ({ path }) => `nothing answers at libvirt's socket ${path}`,
    only: ({ path }) => /libvirt|virt\w+d/.test(String(path)),
    own: true,
  }),
  qemu("CPU Architecture '%s' is not supported by the QEMU2 emulator on %s host", {
    names: ["name", "host"],
    sign: "other-host",
    says: ({ name, host }) => `Android's emulator has no ${name} on a host of ${host}`,
    own: true,
  }),
  naming(
    qemu,
    "QEMU2 emulator does not support %s CPU architecture",
    "other-host",
    (name) => `Android's emulator has no ${name} on this host`,
  ),
  libvirt("QEMU/KVM cannot detect CPU flags on ARM", {
    sign: "host",
    says: "Proxmox knows no flags of arm64's CPUs: harmless",
    own: true,
    quiet: true,
  }),
  ...notBacked("Connection refused", "ECONNREFUSED"),
  ...notBacked("No such file or directory", "ENOENT"),
  qemu("vmnet interface: general failure (possibly not enough privileges)", {
    sign: "tap",
    values: { errno: "EPERM" },
    says: "macOS gave QEMU no interface of its network",
    own: true,
  }),
  ...["IoctlError(%d, Os { code: %d", "TapOpen(Os { code: %d"].map((format) =>
    cloudHypervisor(format, {
      names: format.startsWith("Io") ? ["_", "errno"] : ["errno"],
      sign: "tap",
      says: ({ errno }) => `the VMM did not get its network interface: ${errno}`,
      own: true,
    })
  ),
  firecracker("Open tap device failed: %s (os error %d)", {
    names: ["_", "errno"],
    sign: "tap",
    says: ({ errno }) => `Firecracker did not get its network interface: ${errno}`,
    own: true,
  }),
  firecracker("intercepting a bad syscall (%d)", {
    names: ["name"],
    sign: "seccomp",
    says: ({ name }) => `Firecracker's filter does not permit system call ${name}`,
    own: true,
  }),
  unloaded(cloudHypervisor, "KernelLoad(%s"),
  unloaded(firecracker, "Cannot load kernel due to invalid memory configuration or invalid kernel image: %s"),
  onlyKind("Non-protected VMs are not supported on this device", "protected"),
  onlyKind("Protected VMs are not supported on this device", "non-protected"),
  avf("setProtectedVm must be called explicitly", {
    sign: "only-kind",
    values: { kind: "unsaid" },
    says: "the app does not say whether its VM is a protected one",
    own: true,
  }),
  ...["MANAGE_VIRTUAL_MACHINE", "USE_CUSTOM_VIRTUAL_MACHINE"].map((name) =>
    avf(`does not have the android.permission.${name} permission`, {
      sign: "no-permission",
      values: { name },
      says: `the app does not have the permission ${name}`,
      own: true,
    })
  ),
];
