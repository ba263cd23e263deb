// Messages of what starts in a VM: UEFI firmware, U-Boot and the kernel's own first steps.

import { type FormEntry, formsOf } from "./form.ts";

const firmware = formsOf("firmware");
const uboot = formsOf("uboot");
const kernel = formsOf("kernel");

/** Exception classes of ESR_ELx. */
const CLASSES: Readonly<Record<number, string>> = { 0x00: "code", 0x20: "code", 0x21: "code", 0x24: "data", 0x25: "data", 0x2f: "serror" };
const EC_SHIFT = 2 ** 26;
const classOf = (esr: unknown) => CLASSES[Math.floor(parseInt(String(esr), 16) / EC_SHIFT)];

/** U-Boot's report of an exception, if it is of this class. */
const abort = (format: string, names: readonly string[], of: "code" | "data"): FormEntry =>
  uboot(format, {
    names,
    sign: "loader-fault",
    values: { class: of },
    says: ({ esr, address }) =>
      of === "code"
        ? `U-Boot, or what it started, jumped to a place without code: ESR ${esr}`
        : `U-Boot, or what it started, reached for ${address === "?" ? "a place" : address} without memory: ESR ${esr}`,
    only: ({ esr }) => classOf(esr) === of,
    own: true,
  });

const noInit = (format: string, names: readonly string[]): FormEntry =>
  kernel(format, { names, sign: "no-init", says: "the kernel could not start its first program", shared: true });

/** Disks of virtio, which only VMs have. */
const VIRTIO_DISK = /^(?:\/dev\/)?vd[a-z]\d*$/;

const noDisk = (format: string, names: readonly string[]): readonly FormEntry[] =>
  [true, false].map((isVirtio) =>
    kernel(format, {
      names,
      sign: "no-disk",
      says: ({ name }) => `the guest waits for its disk ${name}`,
      only: ({ name }) => VIRTIO_DISK.test(String(name)) === isVirtio,
      ...isVirtio ? { own: true } : { shared: true },
    })
  );

/** A driver of a virtio device that gave up. */
const probe = (format: string, names: readonly string[]): FormEntry =>
  kernel(format, {
    names,
    sign: "probe",
    says: ({ driver, errno }) => `the driver ${driver} did not take its virtio device: ${errno}`,
    only: ({ driver }) => /virtio/.test(String(driver)),
    own: true,
  });

export const BOOT_FORMS: readonly FormEntry[] = [
  firmware("Image type %s can't be loaded on AARCH64 UEFI system.", {
    names: ["name"],
    sign: "other-architecture",
    says: ({ name }) => `the boot loader on the disk is one for ${name}`,
    own: true,
  }),
  ...['BdsDxe: failed to load Boot%x "%s" from %s: Not Found', "BdsDxe: No bootable option or device was found."].map((format) =>
    firmware(format, {
      names: format.includes("%") ? ["_", "name", "_"] : [],
      sign: "not-bootable",
      says: "UEFI firmware found no boot loader on what it may start from",
      own: true,
    })
  ),
  firmware("Error: Image at %x start failed: %s", {
    names: ["_", "_"],
    sign: "firmware",
    says: "UEFI firmware started one of its drivers, which has nothing to do here: usual",
    own: true,
    quiet: true,
  }),
  ...["Instruction abort: %s fault, %s level", "Data abort: %s fault, %s level"].map((format) =>
    firmware(format, { names: ["_", "_"], sign: "efi-fault", says: "code under UEFI firmware made an exception", shared: true })
  ),
  ...(["code", "data"] as const).flatMap((of) => [
    abort('"Synchronous Abort" handler, esr 0x%x, far 0x%x', ["esr", "address"], of),
    abort('"Synchronous Abort" handler, esr 0x%x', ["esr"], of),
  ]),
  ...["Bad Linux ARM64 Image magic!", "Wrong Image Format for %s command"].map((format) =>
    uboot(format, {
      names: format.includes("%") ? ["_"] : [],
      sign: "image",
      values: { reason: "magic" },
      says: "U-Boot found no arm64 Image where it was told to start one",
      own: true,
    })
  ),
  ...["ERROR: Did not find a cmdline Flattened Device Tree", "FDT and ATAGS support not compiled in"].map((format) =>
    uboot(format, { sign: "no-tree", says: "U-Boot has no devicetree for the kernel", own: true })
  ),
  kernel("EFI stub: ERROR: This %s granular kernel is not supported by your CPU", {
    names: ["name"],
    sign: "granule",
    says: ({ name }) => `the guest's kernel has pages of ${name}, and the CPU does not`,
    own: true,
  }),
  kernel("Error: unrecognized/unsupported processor variant (0x%x)", {
    names: ["name"],
    sign: "other-cpu",
    says: ({ name }) => `the kernel was not built for the CPU with MIDR 0x${name}`,
    shared: true,
  }),
  noInit("No working init found.", []),
  noInit("Requested init %s failed (error %d).", ["path", "errno"]),
  noInit("Failed to execute %s (error %d)", ["path", "errno"]),
  kernel("Attempted to kill init! exitcode=0x%x", {
    names: ["code"],
    sign: "init-end",
    says: ({ code }) => `the guest's first program ended, with the status 0x${code}`,
    shared: true,
  }),
  ...["Initramfs unpacking failed: %s", "rootfs image is not initramfs (%s)", "RAMDISK: incomplete write (%d != %d)"].map((format) =>
    kernel(format, {
      names: [...format.matchAll(/%/g)].map((_, index) => index === 0 ? "reason" : "_"),
      sign: "bad-ramdisk",
      says: ({ reason }) => `the kernel could not unpack its ramdisk: ${reason}`,
      shared: true,
    })
  ),
  ...noDisk('VFS: Cannot open root device "%s"', ["name"]),
  ...noDisk("mount: mounting %s on %s failed: %s", ["name", "_", "_"]),
  ...noDisk("Waiting for root device %s...", ["name"]),
  ...noDisk("ALERT!  %s does not exist.  Dropping to a shell!", ["name"]),
  kernel("driver: virtio_blk", {
    sign: "has-disk",
    says: "the guest's kernel has this disk: it is in the list of what it could start from",
    shared: true,
    quiet: true,
  }),
  ...["vfio-pci %s: probe with driver vfio-pci failed with error %d", "vfio-pci: probe of %s failed with error %d"].map((format) =>
    kernel(format, {
      names: ["_", "errno"],
      sign: "vfio",
      values: { step: "iommu" },
      says: ({ errno }) => `VFIO did not take the device of the host: ${errno}`,
      own: true,
    })
  ),
  probe("virtio%d: probe with driver %s failed with error %d", ["_", "driver", "errno"]),
  probe("%s: probe of virtio%d failed with error %d", ["driver", "_", "errno"]),
  kernel("Kernel panic - not syncing: No interrupt controller found.", {
    sign: "no-controller",
    says: "the guest's kernel found no interrupt controller that it has a driver for",
    shared: true,
  }),
];
