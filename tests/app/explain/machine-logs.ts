// Logs of machines that a VMM does not make, and of guests that do not come up, after public
// threads, with the cause of each.

import type { ReportedLog } from "./logs.ts";

/** A log of one file. */
const log = (report: string, first: string, text: string): ReportedLog => ({ report, files: { "log.txt": `${text}\n` }, first });

export const MACHINE_LOGS: readonly ReportedLog[] = [
  log("a QEMU without Apple's framework", "other-qemu", "qemu-system-aarch64: -accel hvf: invalid accelerator hvf"),
  log("QEMU's KVM for another architecture", "other-qemu", "qemu-system-aarch64: invalid accelerator kvm"),
  log(
    "a QEMU without a network for users",
    "unbuilt-part",
    "qemu-system-aarch64: -nic user: network backend 'user' is not compiled into this binary",
  ),
  log(
    "a Mac that is a VM",
    "hvf-nested",
    "HVF error: HV_UNSUPPORTED\nqemu-system-aarch64-headless: failed to initialize HVF: Invalid argument",
  ),
  log(
    "a program without an entitlement",
    "hvf-unsigned",
    "qemu-system-aarch64: Error: ret = HV_DENIED (0xfae94007, at ../accel/hvf/hvf-accel-ops.c:339)",
  ),
  log("memory that Apple's framework does not map", "hvf-memory", "qemu-system-aarch64: Error: ret = HV_BAD_ARGUMENT (0xfae94003)"),
  log("no room in Apple's framework", "hvf-busy", "qemu-system-aarch64: Error: ret = HV_NO_RESOURCES (0xfae94005)"),
  log(
    "a QEMU of another SDK",
    "hvf-build",
    "ERROR:../target/arm/hvf/sysreg.c.inc:149:hvf_arch_init_vcpu:\n  assertion failed: (HV_SYS_REG_SMCR_EL1 == KVMID_TO_HVF(1))\nBail out!",
  ),
  log("a GIC that QEMU does not know", "kvm-unknown-gic", "qemu-system-aarch64: Unable to determine GIC version supported by host"),
  log(
    "a chip without a virtual GIC",
    "kvm-without-gic",
    "Firecracker panicked at 'Cannot create VMM: Missing KVM capability: Irqchip', src/libcore/result.rs:1009:5",
  ),
  log("PCI without MSI", "kvm-other-gic", "qemu-system-aarch64:/var/log/vm/qemu.conf:96: MSI-X is not supported by interrupt controller"),
  log(
    "addresses that a host's CPU does not have",
    "address-bits",
    "ioctl(KVM_CREATE_VM) failed: 22 Invalid argument\nqemu-system-aarch64: failed to initialize kvm: Invalid argument\nqemu-system-aarch64: falling back to tcg",
  ),
  log("a VM for which KVM has no memory", "unavailable-memory", "Cannot create VMM: Vm(VmFd(Error(12)))"),
  log(
    "KVM's device by another VMM",
    "closed-device",
    "thread 'main' panicked at 'Could not boot the VM: VmBoot(KvmNew(Error(13)))', src/libcore/result.rs:1188:5",
  ),
  log(
    "KVM's device that is not there",
    "no-kvm",
    '{"fault_message":"Internal error while starting microVM: Failed to validate KVM support: Error creating KVM object. [No such file or directory (os error 2)]"}',
  ),
  log("a run that failed at memory", "kvm-run-memory", "error: kvm run failed Bad address\n PC=0000000040080000 X00=0000000000000000"),
  log("a run that KVM refused", "kvm-run-refused", "error: kvm run failed Operation not permitted"),
  log("memory that may not be executed", "no-jit", "qemu-system-aarch64: mprotect of jit buffer: Permission denied"),
  log(
    "nine CPUs",
    "many-cpus",
    "qemu-system-aarch64: Number of SMP CPUs requested (9) exceeds max CPUs supported by machine 'mach-virt' (8)",
  ),
  log(
    "memory of its own",
    "unshared-memory",
    "[2025-07-25T18:30:58Z INFO  virtiofsd] Client connected, servicing requests\n[2025-07-25T18:30:58Z ERROR virtiofsd] Waiting for daemon failed: HandleRequest(InvalidParam)\nqemu-system-aarch64: Failed to write msg. Wrote -1 instead of 20.",
  ),
  log(
    "libvirt's memory of its own",
    "unshared-memory",
    "error: Failed to start domain 'one'\nerror: unsupported configuration: 'virtiofs' requires shared memory",
  ),
  log(
    "a machine without USB",
    "no-bus",
    "qemu-system-aarch64: -device usb-storage,drive=cdrom: No 'usb-bus' bus found for device 'usb-storage'",
  ),
  log("a board without PCI", "no-bus", "Starting install...\nERROR    XML error: No PCI buses available"),
  log("no screen", "no-display", "qemu-system-aarch64: gtk initialization failed"),
  log(
    "a port of another VM",
    "taken",
    "qemu-system-aarch64: -netdev user,id=n,hostfwd=tcp::2222-:22: Could not set up host forwarding rule 'tcp::2222-:22'",
  ),
  log(
    "a VM that still runs",
    "taken",
    "qemu-system-aarch64: cannot create PID file: Cannot lock pid file: Resource temporarily unavailable",
  ),
  log(
    "a ROM of PCs",
    "no-rom",
    '{"level":"error","msg":"internal error: process exited while connecting to monitor: qemu-system-aarch64: -device VGA,id=video0: failed to find romfile \\"vgabios-stdvga.bin\\""}',
  ),
  log("firmware that is not installed", "no-firmware", "ERROR    Unable to find any firmware to satisfy 'efi'"),
  log(
    "a VM without firmware",
    "wants-firmware",
    "error: Failed to define domain from one.xml\nerror: unsupported configuration: ACPI requires UEFI on this architecture",
  ),
  log(
    "the state of another version",
    "other-state",
    "qemu-system-aarch64: Machine type received is 'virt-6.2' and local is 'virt-7.1'\nqemu-system-aarch64: Error -22 while loading VM state",
  ),
  log(
    "a QEMU that is not installed",
    "no-program",
    "libvirtError: invalid argument: unable to find any emulator to serve 'armv6l' architecture",
  ),
  log(
    "a network that was not started",
    "no-network",
    "error: Failed to start domain 'one'\nerror: Requested operation is not valid: network 'default' is not active",
  ),
  log(
    "a filter of system calls",
    "refused-syscall",
    "2026-01-02T10:00:00 [one:fc_vmm] Shutting down VM after intercepting a bad syscall (72).",
  ),
  log(
    "a phone of protected VMs",
    "protected-alone",
    "05-20 10:12:31.412  4521  4521 E Avf: java.lang.UnsupportedOperationException: Non-protected VMs are not supported on this device",
  ),
  log("a phone without protected VMs", "unprotected-alone", "Protected VMs are not supported on this device"),
  log("an app that does not say", "unsaid-protection", "java.lang.IllegalStateException: setProtectedVm must be called explicitly"),
  log(
    "an app without its permission",
    "no-permission",
    "java.lang.SecurityException: does not have the android.permission.USE_CUSTOM_VIRTUAL_MACHINE permission",
  ),
  log("an image of PCs", "other-architecture", "Image type X64 can't be loaded on AARCH64 UEFI system."),
  log(
    "nothing to start",
    "not-bootable",
    'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from VenHw(93E34C7E-B50E-11DF-9223-2443DFD72085,00): Not Found\n\n>>Start PXE over IPv4.',
  ),
  log(
    "a jump to no code",
    "loader-code",
    '"Synchronous Abort" handler, esr 0x02000000\nelr: 00000000feaa47bc lr : 00000000feaa895c (reloc)',
  ),
  log("an address without memory", "loader-data", '"Synchronous Abort" handler, esr 0x96000007, far 0xf0000\nelr: 00000000feaa47bc'),
  log("pages of 64 KiB", "granule", "EFI stub: ERROR: This 64 KB granular kernel is not supported by your CPU"),
  log(
    "a first program of another architecture",
    "no-init",
    "[    0.657709] Kernel panic - not syncing: Requested init /usr/bin/virtme-init failed (error -8).\n[    0.658863] Hardware name: linux,dummy-virt (DT)",
  ),
  log(
    "a first program that ended",
    "init-end",
    "[    1.256674] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00\n[    1.258863] Hardware name: linux,dummy-virt (DT)",
  ),
  log(
    "a ramdisk that is cut off",
    "bad-ramdisk",
    "[    0.431000] Initramfs unpacking failed: junk within compressed archive\n[    0.6] Hardware name: linux,dummy-virt (DT)",
  ),
  log(
    "virtio by PCI without MSI",
    "virtio-without-msi",
    "virtio_blk virtio0: probe with driver virtio_blk failed with error -524\nvirtio_rng virtio5: probe with driver virtio_rng failed with error -524",
  ),
  log("features of virtio", "virtio-refused", "[    1.2] virtio_net: probe of virtio3 failed with error -22"),
  log(
    "an instruction of another CPU",
    "undefined-instruction",
    "[    0.009208] Internal error: undefined instruction: 0 [#1] SMP\n[    0.010442] Hardware name: linux,dummy-virt (DT)",
  ),
  log(
    "a tree of another machine",
    "no-controller",
    "[    0.000000] Kernel panic - not syncing: No interrupt controller found.\n[    0.000000] Hardware name: linux,dummy-virt (DT)",
  ),
  log(
    "a GIC that a host does not have",
    "kvm-other-gic",
    "thread 'main' panicked at src/devices/src/legacy/kvmgicv3.rs:42:59:\ncalled `Result::unwrap()` on an `Err` value: Error(19)",
  ),
  log(
    "a device of the host without an IOMMU",
    "no-iommu",
    "vfio-pci 0001:01:00.0: probe with driver vfio-pci failed with error -22\nqemu-system-aarch64: vfio 0001:01:00.0: Could not open '/dev/vfio/3': No such file",
  ),
  log(
    "a CPU model that KVM does not have",
    "kvm-cpu",
    "error: unsupported configuration: CPU mode 'host-model' for aarch64 kvm domain on aarch64 host is not supported by hypervisor",
  ),
  log(
    "a host of fewer addresses",
    "address-bits",
    "qemu-system-aarch64: This host does not support 42b IPA: maxram/slots options not usable",
  ),
  log(
    "an option of other machines",
    "other-machine",
    "qemu-system-aarch64: no function defined to set boot device list for this architecture",
  ),
  log(
    "a compressed kernel for Apple's framework",
    "vz-start",
    'VM start error: Error Domain=VZErrorDomain Code=1 "The virtual machine failed to start."',
  ),
  log(
    "two guests of macOS",
    "vz-configuration",
    'Error Domain=VZErrorDomain Code=6 Description="The maximum supported number of active virtual machines"',
  ),
  log("a device of PCs, by Proxmox", "other-machine", "kvm: -device vmgenid,guid=8a3e8b2e: 'vmgenid' is not a valid device model name"),
  log(
    "a flash of a newer QEMU",
    "flash-size",
    "kvm: cfi.pflash01 device '/machine/virt.flash1' requires 67108864 bytes, drive-efidisk0 block backend provides 4194304 bytes",
  ),
  log("two drives at one place", "twice", "QEMU exited from an error: qemu-aarch64-softmmu: : drive with bus=0, unit=0 (index=0) exists"),
  log(
    "a disk of another VM, on a Mac",
    "locked-disk",
    "qemu-aarch64-softmmu: -drive if=none,media=cdrom,id=cd0,readonly=on: Failed to lock byte 100",
  ),
  log("a command line without a kernel", "conflict", "qemu-system: -append only allowed with -kernel option"),
  log("a kernel of another board", "outside-memory", "qemu-system-arm: Trying to execute code outside RAM or ROM at 0x10000000"),
  log(
    "a daemon that does not run",
    "no-daemon",
    "libvirtError: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
  ),
  log(
    "an image of phones on a PC",
    "other-host",
    "PANIC: Avd's CPU Architecture 'arm64' is not supported by the QEMU2 emulator on x86_64 host.",
  ),
  log(
    "a kernel of one board",
    "other-cpu",
    "Hardware name: linux,dummy-virt (DT)\nError: unrecognized/unsupported processor variant (0x410fb767).",
  ),
];
