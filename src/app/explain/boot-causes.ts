// The causes of guests that a VMM has started and that do not come up: firmware, boot loaders and
// kernels that miss something, or refuse what they get.

import { type Cause, sign } from "./cause.ts";

export const BOOT_CAUSES: readonly Cause[] = [
  {
    id: "other-architecture",
    says: "the disk is one for another architecture: its boot loader is not one for arm64",
    certain: true,
    evidence: [sign("other-architecture", 30, true), sign("not-bootable", 2)],
    tries: ["take the image for arm64 (aarch64); BOOTAA64.EFI is its loader, BOOTX64.EFI that of PCs"],
  },
  {
    id: "not-bootable",
    says: "the firmware works, and found nothing to start: the disk has no EFI partition with BOOTAA64.EFI, is empty, or was not given",
    certain: true,
    evidence: [sign("not-bootable", 25, true)],
    tries: [
      "see the disk: `fdisk -l IMAGE`; an installer's image has to be given as a disk or CD that the firmware can read (virtio, USB)",
      "or start a kernel without a boot loader (QEMU: -kernel Image -append root=/dev/vda1)",
    ],
  },
  {
    id: "loader-code",
    says:
      "the boot loader jumped to what is not code for it: an image of another kind or architecture, or at another address than its header says",
    certain: false,
    evidence: [{ of: "loader-fault", where: { class: "code" }, points: 26, must: true }],
    tries: ["see what was loaded: `md.l ADDRESS` (an arm64 Image has ARM\\x64 at 0x38), and start it with booti, not with go or bootm"],
  },
  {
    id: "loader-data",
    says:
      "the boot loader, or what it started, used an address without memory: a load address of another board, or a table that is not there",
    certain: false,
    evidence: [{ of: "loader-fault", where: { class: "data" }, points: 26, must: true }],
    tries: ["compare the address with the machine's memory: `bdinfo`; QEMU's virt begins at 0x40000000"],
    asks: ["what runs there: ELR minus the relocation offset, in the loader's System.map"],
  },
  {
    id: "granule",
    says:
      "the guest's kernel was built for pages of a size that the CPU does not have: Apple's chips have 4 and 16 KiB, many others 4 and 64 KiB",
    certain: true,
    evidence: [sign("granule", 30, true)],
    tries: [
      "take a kernel of pages of 4 KiB (RHEL 8 and its like have 64 KiB; RHEL 9 has 4), or emulate another CPU (QEMU: -accel tcg -cpu max)",
    ],
  },
  {
    id: "other-cpu",
    says: "the guest's kernel was built for other CPUs than the machine's: those of 32 bits name each that they know",
    certain: true,
    evidence: [sign("other-cpu", 26, true)],
    tries: ["take the CPU that it was built for (QEMU: -M versatilepb -cpu arm1176), or another kernel"],
  },
  {
    id: "no-init",
    says:
      "the kernel has its root, and cannot start a first program from it: it is not there, or is one for another architecture, or lacks its loader",
    certain: true,
    evidence: [sign("no-init", 26, true), sign("panic", 3)],
    tries: [
      "see it: `file ROOT/sbin/init` says ARM aarch64; error -8 is another architecture or no program, -2 a missing file or ELF interpreter, -13 a mode",
      "or name one: init=/bin/sh (ramdisk: rdinit=/bin/sh)",
    ],
  },
  {
    id: "init-end",
    says: "the guest's first program ended, which a kernel does not survive: it failed, or was killed by a signal",
    certain: true,
    evidence: [sign("init-end", 24, true), sign("panic", 1), { of: "no-init", points: -10 }],
    tries: [
      "read the status: 0x7f00 is a missing program or library, 0x100 a script's failure, 0xb a bad access, 0x4 an instruction that the CPU does not have",
      "start a shell in its place: init=/bin/sh (ramdisk: rdinit=/bin/sh)",
    ],
  },
  {
    id: "bad-ramdisk",
    says: "the ramdisk is damaged, cut off, or compressed in a way that this kernel was built without",
    certain: true,
    evidence: [sign("bad-ramdisk", 27, true), sign("panic", 3), sign("no-disk", 2)],
    tries: [
      "see it: `file INITRD`, and CONFIG_RD_GZIP, _XZ, _ZSTD of the kernel",
      "give the VM more memory: the end of a large ramdisk may lie beyond it",
    ],
  },
  {
    id: "virtio-without-msi",
    says:
      "drivers of virtio got no interrupts: on PCI they need message-signaled ones, and this machine's interrupt controller has none (a GICv2, or no ITS)",
    certain: false,
    evidence: [{ of: "probe", where: { errno: ["EOPNOTSUPP", "errno 524", "ENOTSUPP", "ENOSPC", "ENOENT"] }, points: 26, must: true }],
    tries: [
      "give the devices by virtio-mmio instead of PCI (Firecracker: without --enable-pci)",
      "or a machine with a GICv3 and its ITS (QEMU: gic-version=3)",
    ],
  },
  {
    id: "virtio-refused",
    says: "a driver of virtio did not take its device: features that they do not agree on, a queue that was not made, or no memory for it",
    certain: false,
    evidence: [{ of: "probe", where: { errno: ["EINVAL", "ENODEV", "ENOMEM", "EIO"] }, points: 22, must: true }],
    tries: ["EINVAL and ENODEV: compare the device's features with the driver's; ENOMEM: a larger pool (swiotlb) or more memory"],
  },
  {
    id: "undefined-instruction",
    says:
      "the guest's kernel used an instruction or a register that this vCPU does not have, though its kernel takes it for granted: a kernel older than the CPU, or a VMM that shows a feature and does not give it",
    certain: false,
    evidence: [sign("undefined", 22, true), sign("trap", 3)],
    tries: [
      "take a newer kernel in the guest, then a newer one on the host",
      "hide features from it: arm64.nosve arm64.nomte arm64.nopauth arm64.nosme in its command line, or another model (QEMU: -cpu)",
    ],
    asks: ["the Code: line of the same report: the word in brackets is the instruction"],
  },
  {
    id: "no-partition",
    says: "the guest's kernel has its disk, and no such partition or file system on it: the list that it prints has what it found",
    certain: true,
    evidence: [sign("has-disk", 27, true), sign("panic", 3), { of: "no-disk", points: 2 }],
    tries: [
      "name what the list has: root=/dev/vda for an image without partitions, root=/dev/vda1 for the first one; see it: `fdisk -l IMAGE`",
      "error -19 or -22 beside a name of the list: the kernel was built without the driver of that file system",
    ],
  },
  {
    id: "other-key",
    says: "pvmfw starts only images that the key of its platform has signed, and this one has another signature or none",
    certain: true,
    evidence: [{
      of: "avf-end",
      where: { reason: ["PVM_FIRMWARE_PUBLIC_KEY_MISMATCH", "PVM_FIRMWARE_PAYLOAD_VERIFICATION_FAILED"] },
      points: 30,
      must: true,
    }],
    tries: ["take the image of the phone's own com.android.virt, or a VM that is not protected"],
  },
  {
    id: "refused-tree",
    says:
      "pvmfw checks the devicetree that the VMM gives a protected VM, and refuses this one: it has what pvmfw does not know, or lacks what it needs",
    certain: true,
    evidence: [{ of: "avf-end", where: { reason: "PVM_FIRMWARE_INVALID_FDT" }, points: 30, must: true }],
    tries: [
      "read the line before it on the VM's log: it names the node; a debuggable VM prints it (vm tool: --debug full)",
      "use the crosvm of the same release as pvmfw: their devicetrees belong together",
    ],
  },
  {
    id: "refused-payload",
    says: "pvmfw refuses where the VMM has put the kernel or its ramdisk: outside of the VM's memory, over pvmfw's own, or empty",
    certain: true,
    evidence: [{
      of: "avf-end",
      where: { reason: ["PVM_FIRMWARE_INVALID_PAYLOAD", "PVM_FIRMWARE_INVALID_RAMDISK"] },
      points: 30,
      must: true,
    }],
    tries: ["give the VM more memory than kernel and ramdisk have together, and an image that is not empty"],
  },
  {
    id: "pvmfw-handover",
    says:
      "pvmfw does not accept what the phone's boot loader gave it: its certificates (DICE) or its configuration; the VM is not the cause",
    certain: true,
    evidence: [{
      of: "avf-end",
      where: {
        reason: [
          "PVM_FIRMWARE_INVALID_BCC",
          "PVM_FIRMWARE_INVALID_DICE_HANDOVER",
          "PVM_FIRMWARE_INVALID_CONFIG_DATA",
          "PVM_FIRMWARE_SECRET_DERIVATION_FAILED",
        ],
      },
      points: 30,
      must: true,
    }],
    tries: ["flash pvmfw and the boot loader of one release; until then only VMs that are not protected start"],
  },
  {
    id: "no-controller",
    says: "the devicetree or ACPI tables that the guest's kernel got name no interrupt controller that it knows",
    certain: true,
    evidence: [sign("no-controller", 28, true)],
    tries: [
      "pass the machine's own devicetree, not a board's",
      "with HVF and emulated machines, gic-version=2 or 3 as the kernel has drivers for: CONFIG_ARM_GIC_V3",
    ],
  },
];
