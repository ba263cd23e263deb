// Logs of public threads about networks, devices, firmware and files that a VMM does not get from
// its host, and the cause that comes first.

import type { ReportedLog } from "./logs.ts";

const MAP = (errno: string) =>
  `qemu-system-aarch64: -device vfio-pci,host=0000:17:00.0: vfio 0000:17:00.0: failed to setup container for group 57: memory listener initialization failed: Region dimm1: vfio_dma_map(0xaaaac0de1000, 0x40000000, 0x500000000, 0xfffaa3fff000) = ${errno}\n`;

export const HOST_LOGS: readonly ReportedLog[] = [
  {
    report: "a bridge that QEMU's helper does not allow",
    files: {
      "qemu.txt":
        "access denied by acl file\nfailed to launch bridge helper\nqemu-system-aarch64: -netdev bridge,id=br0: Device 'bridge' could not be initialized\n",
    },
    first: "bridge-refused",
  },
  {
    report: "a bridge of libvirt without the helper's file",
    files: {
      "virsh.txt":
        "error: internal error: /usr/lib/qemu/qemu-bridge-helper --use-vnet --br=virbr0 --fd=25: failed to communicate with bridge helper: Transport endpoint is not connected\nstderr=failed to parse default acl file `/etc/qemu/bridge.conf'\n",
    },
    first: "bridge-refused",
  },
  {
    report: "QEMU's bridge helper without its rights",
    files: {
      "qemu.txt":
        "failed to create tun device: Operation not permitted\nqemu-system-aarch64: -netdev bridge,id=gw,br=br0: bridge helper failed\n",
    },
    first: "tap-refused",
  },
  {
    report: "QEMU's bridge helper without /dev/net/tun",
    files: {
      "qemu.txt":
        "failed to open /dev/net/tun: No such device\nqemu-system-aarch64: -netdev tap,helper=/usr/lib/qemu/qemu-bridge-helper,id=net0: bridge helper failed\n",
    },
    first: "no-tun",
  },
  {
    report: "the host's CPU without KVM, by libvirt",
    files: {
      "launcher.txt":
        `{"component":"virt-launcher","level":"error","msg":"unsupported configuration: CPU mode 'host-passthrough' for aarch64 qemu domain on aarch64 host is not supported by hypervisor","subcomponent":"libvirt"}\n`,
    },
    first: "no-kvm",
  },
  {
    report: "a domain of KVM without KVM, by libvirt",
    files: { "virsh.txt": "error: libvirt: invalid argument: could not find capabilities for domaintype=kvm \n" },
    first: "no-kvm",
  },
  {
    report: "the host's GIC without KVM",
    files: { "qemu.txt": "qemu-system-aarch64: falling back to tcg\nqemu-system-aarch64: gic-version=host requires KVM\n" },
    first: "no-kvm",
  },
  {
    report: "a QEMU that was built without KVM",
    files: { "qemu.txt": "qemu-system-aarch64: -accel kvm: invalid accelerator kvm\n" },
    first: "other-qemu",
  },
  {
    report: "a board with EL3, under KVM",
    files: {
      "qemu.txt": "qemu-system-aarch64: ../exec.c:936: cpu_address_space_init: Assertion `asidx == 0 || !kvm_enabled()' failed.\n",
    },
    first: "no-secure",
  },
  {
    report: "secure=on under KVM",
    files: {
      "qemu.txt": "qemu-system-aarch64: mach-virt: KVM does not support providing Security extensions (TrustZone) to the guest CPU\n",
    },
    first: "no-secure",
  },
  {
    report: "a device of the host, and memory that cannot be pinned",
    files: { "log.txt": MAP("-14 (Bad address)") },
    first: "vfio-memory",
  },
  { report: "a device of the host, and a limit", files: { "log.txt": MAP("-12 (Cannot allocate memory)") }, first: "vfio-limit" },
  {
    report: "a device of the host, and its group",
    files: {
      "qemu.txt":
        "qemu-system-aarch64: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: group 12 is not viable\nPlease ensure all devices within the iommu_group are bound to their vfio bus driver.\n",
    },
    first: "vfio-group",
  },
  {
    report: "a device of the host without an SMMU",
    files: {
      "qemu.txt":
        "qemu-system-aarch64: -device vfio-pci,host=0001:03:00.0: vfio 0001:03:00.0: no iommu_group found: No such file or directory\n",
    },
    first: "no-iommu",
  },
  {
    report: "firmware of another size than the flash",
    files: { "qemu.txt": "qemu-system-aarch64: device requires 67108864 bytes, block backend provides 2097152 bytes\n" },
    first: "flash-size",
  },
  {
    report: "firmware by two options",
    files: {
      "qemu.txt":
        "qemu-system-aarch64: The contents of the first flash device may be specified with -bios or with -drive if=pflash... but you cannot use both options at once\n",
    },
    first: "two-firmwares",
  },
  {
    report: "a folder whose server ended",
    files: {
      "qemu.txt":
        "qemu-system-aarch64: Failed to write msg. Wrote -1 instead of 20.\nqemu-system-aarch64: vhost VQ 1 ring restore failed: -22: Invalid argument (22)\nqemu-system-aarch64: Error starting vhost: 22\n",
    },
    first: "lost-backend",
  },
  {
    report: "a root over 9P without a device",
    files: {
      "console.txt": `[    0.431211] 9pnet_virtio: no channels available for device /dev/root
[    0.431907] VFS: Cannot open root device "(null)" or unknown-block(0,0): error -2
[    0.432901] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
[    0.433211] Hardware name: linux,dummy-virt (DT)
`,
    },
    first: "no-share",
  },
  {
    report: "a folder by virtio-fs without a device",
    files: { "console.txt": "[    2.001211] virtio-fs: tag <work> not found\n" },
    first: "no-share",
  },
  {
    report: "a panic without a root, of which nothing else is left",
    files: {
      "console.txt": `[    5.320965] No filesystem could mount root, tried:
[    5.333703] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
[    5.335812] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 5.19.0-rc8+ #11
[    5.337799] Hardware name: linux,dummy-virt (DT)
`,
    },
    first: "no-disk",
  },
  {
    report: "a full pool, of which nothing else is left",
    files: {
      "dmesg.txt":
        "[ 9121.201021] virtio-pci 0000:00:02.0: swiotlb buffer is full (sz: 262144 bytes), total 524288 (slots), used 523564 (slots)\n",
    },
    first: "full-pool",
  },
  {
    report: "a file of QEMU's options",
    files: {
      "qemu.txt":
        "C:\\msys64\\mingw64\\bin\\qemu-system-aarch64.exe: -drive if=pflash,format=raw,index=1,file=vars.fd: Could not open 'vars.fd': The system cannot find the file specified.\n",
    },
    first: "no-file",
  },
  {
    report: "a file of a VM of Android's",
    files: {
      "vm.txt":
        '$ /apex/com.android.virt/bin/vm run /data/local/tmp/debian/vm_config.json\nvirtmgr: Failed to open "/data/local/tmp/debian/image.raw"\n\nCaused by:\n    No such file or directory (os error 2)\n',
    },
    first: "no-file",
  },
  {
    report: "a file of a VM of Android's that it may not write",
    files: {
      "logcat.txt":
        '03-01 10:00:00.123  4711  4713 E virtmgr : Failed to open "/sdcard/Download/root.img"\n03-01 10:00:00.123  4711  4713 E virtmgr : Caused by:\n03-01 10:00:00.123  4711  4713 E virtmgr :     Permission denied (os error 13)\n',
    },
    first: "closed-file",
  },
  {
    report: "a machine of PCs",
    files: { "qemu.txt": 'qemu-system-aarch64: unsupported machine type: "q35"\nUse -machine help to list supported machines\n' },
    first: "other-machine",
  },
  {
    report: "a device that arm64 does not have",
    files: {
      "virsh.txt":
        "error: internal error: process exited while connecting to monitor: 2026-02-07T05:15:35.378927Z qemu-system-aarch64: -device tpm-tis,tpmdev=tpm0,id=tpm0: 'tpm-tis' is not a valid device model name\n",
    },
    first: "other-machine",
  },
  {
    report: "a bus that the machine does not have",
    files: {
      "qemu.txt": "qemu-system-aarch64: -drive id=disk,if=sd,format=raw,file=one.img: machine type does not support if=sd,bus=0,unit=0\n",
    },
    first: "other-machine",
  },
  {
    report: "properties of Hyper-V",
    files: {
      "virt-manager.txt":
        "Unable to complete install: 'internal error: process exited while connecting to monitor: 2026-04-20T12:55:10.052478Z qemu-system-aarch64: can't apply global host-arm-cpu.hv-relaxed=on: Property 'host-arm-cpu.hv-relaxed' not found'\n",
    },
    first: "other-machine",
  },
  {
    report: "large pages that are not reserved",
    files: {
      "journal.txt":
        'Sep 23 03:01:22 host kata[1779636]: level=error msg="qemu-system-aarch64: unable to map backing store for guest RAM: Cannot allocate memory" name=containerd-shim-v2\n',
    },
    first: "no-huge-pages",
  },
  {
    report: "a boot loader under firmware that protects memory",
    files: {
      "console.txt":
        'BdsDxe: loading Boot0001 "UEFI QEMU QEMU HARDDISK " from PciRoot(0x0)/Pci(0x1,0x1)/Scsi(0x0,0x1)\nBdsDxe: starting Boot0001 "UEFI QEMU QEMU HARDDISK " from PciRoot(0x0)/Pci(0x1,0x1)/Scsi(0x0,0x1)\n\n\nSynchronous Exception at 0x000000007C318000\n',
    },
    first: "efi-fault",
  },
];
