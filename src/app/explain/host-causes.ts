// The causes of VMs that fail for what their host lacks, or has otherwise.

import { type Cause, sign } from "./cause.ts";

export const HOST_CAUSES: readonly Cause[] = [
  {
    id: "bridge-refused",
    says: "QEMU's bridge helper lets users use the bridges alone that its file allows, and this one is not in it, or the file is not there",
    certain: true,
    evidence: [
      { of: "bridge", where: { reason: "rules" }, points: 22, must: true },
      { of: "bridge", where: { reason: "unknown" }, points: 8 },
    ],
    tries: [
      "allow it: `echo 'allow br0' >> /etc/qemu/bridge.conf`, with the bridge's name; the file has to be readable for the helper",
      "or name an interface that was made before (QEMU: -netdev tap,ifname=tap0,script=no)",
    ],
  },
  {
    id: "no-secure",
    says: "the machine is to have EL3 (secure=on, or a board whose CPUs have it), and KVM gives guests no secure world",
    certain: true,
    evidence: [sign("no-el3", 30, true)],
    tries: ["leave secure=on out, or take QEMU's virt instead of the board", "or emulate (QEMU: -accel tcg)"],
  },
  {
    id: "vfio-limit",
    says: "all memory of a guest with a device of the host is pinned, and the VMM may not lock so much",
    certain: true,
    evidence: [{ of: "vfio", where: { step: "map", errno: "ENOMEM" }, points: 30, must: true }],
    tries: [
      "raise the limit: `ulimit -l unlimited` (libvirt: <hard_limit> in <memtune>; systemd: LimitMEMLOCK)",
      "or give the VM less memory",
    ],
  },
  {
    id: "vfio-memory",
    says: "all memory of a guest with a device of the host is pinned, and a part of this guest's cannot be: it is a file's, or a device's",
    certain: false,
    evidence: [{ of: "vfio", where: { step: "map", errno: "EFAULT" }, points: 28, must: true }],
    tries: [
      "back the guest's memory with anonymous or huge pages, not with a file of a file system (Kata: file_mem_backend empty)",
      "leave out what is plugged in later: the region that the message names",
    ],
  },
  {
    id: "vfio-group",
    says: "devices of one IOMMU group are passed through together: another one of the group still has its driver of the host",
    certain: true,
    evidence: [{ of: "vfio", where: { step: "group" }, points: 30, must: true }],
    tries: ["see the group: `ls /sys/bus/pci/devices/ADDRESS/iommu_group/devices`, and bind each of it to vfio-pci"],
  },
  {
    id: "no-iommu",
    says: "the host's kernel has no IOMMU for this device: without one it cannot be passed through",
    certain: true,
    evidence: [{ of: "vfio", where: { step: "iommu" }, points: 30, must: true }],
    tries: [
      "turn the SMMU on in the firmware, and see `dmesg | grep -i -e smmu -e iommu`",
      "load the module that VFIO uses: `modprobe vfio_iommu_type1`",
    ],
  },
  {
    id: "flash-size",
    says: "the flash of QEMU's virt has 64 MiB, and a file that fills it has exactly that size",
    certain: true,
    evidence: [{ of: "flash", where: { reason: "size" }, points: 30, must: true }],
    tries: ["make it so: `truncate -s 64M efi.img`, with the firmware at its beginning", "or give the firmware with -bios"],
  },
  {
    id: "two-firmwares",
    says: "-bios and the first drive with if=pflash are both the machine's firmware",
    certain: true,
    evidence: [{ of: "flash", where: { reason: "twice" }, points: 30, must: true }],
    tries: ["leave one of them out: -bios has no variables that stay, a second flash drive has"],
  },
  {
    id: "lost-backend",
    says: "a process beside QEMU serves a device of the VM (virtiofsd, or another of vhost-user), and ended or refused what it was told",
    certain: false,
    evidence: [sign("backend", 25, true)],
    tries: [
      "read what that process said last, and start it again before the VM",
      "it needs the guest's memory as a file to share: -object memory-backend-memfd,id=m,size=2G,share=on -machine memory-backend=m",
    ],
    asks: ["the log of the process: `journalctl -t virtiofsd`, or its standard error"],
  },
  {
    id: "no-share",
    says: "the guest mounts a folder of the host by a tag, and the VM has no device with that tag, or its driver did not find it",
    certain: true,
    evidence: [sign("no-share", 30, true)],
    tries: [
      "give the VM the folder with that tag (QEMU: -virtfs local,path=DIR,mount_tag=TAG,security_model=none; crosvm: --shared-dir DIR:TAG)",
      "build the driver of its bus into the guest's kernel: CONFIG_VIRTIO_PCI or CONFIG_VIRTIO_MMIO",
    ],
  },
  {
    id: "no-file",
    says: "a file that the command line names is not there: a relative path begins at the folder in which the VMM was started",
    certain: true,
    evidence: [{ of: "no-file", where: { errno: "ENOENT" }, points: 25, must: true }],
    tries: [
      "see the path: `ls -l FILE`; firmware's variables begin as a copy of the template beside its code",
      "Android: paths of a vm_config.json are those of the phone; push the file there, or change the path",
    ],
  },
  {
    id: "closed-file",
    says: "a file of the VM may not be opened by who makes the VM: by its mode, or by SELinux",
    certain: true,
    evidence: [{ of: "no-file", where: { errno: ["EACCES", "EPERM"] }, points: 25, must: true }],
    tries: [
      "Android: put the VM's files into /data/local/tmp, which the shell and virtmgr may read, and see `ls -lZ FILE`",
      "a disk that the configuration calls writable has to be: `chmod 666 FILE`, or writable false",
    ],
  },
  {
    id: "other-machine",
    says:
      "the command line is one for another architecture, or another build of QEMU: its machine has no such machine type, device or property",
    certain: true,
    evidence: [sign("not-of-machine", 30, true)],
    tries: [
      "see what there is: `qemu-system-aarch64 -machine help`, `-device help`, `-cpu help`; q35 and pc are a PC's, arm64 has virt",
      "on virt, disks are virtio (if=virtio), a TPM is tpm-tis-device, and Hyper-V's properties (hv-…) are not there",
    ],
  },
  {
    id: "no-huge-pages",
    says: "the guest's memory is to be of the host's pool of large pages (hugetlbfs), which has fewer free pages than the guest needs",
    certain: true,
    evidence: [sign("no-huge-pages", 30, true)],
    tries: [
      "see `grep Huge /proc/meminfo`, and reserve them: `echo 1024 > /proc/sys/vm/nr_hugepages` are 2 GiB in pages of 2 MiB",
      "or leave large pages out",
    ],
  },
  {
    id: "efi-fault",
    says:
      "the boot loader or kernel that UEFI started made an exception: firmware that protects memory refuses to execute data and to write to code, as older loaders do",
    certain: false,
    evidence: [sign("efi-fault", 6, true), sign("firmware", 17)],
    tries: [
      "take a newer boot loader (shim, grub) in the image, or newer firmware and QEMU: both fit since 2024, and a new chip needs new ones",
      "start the kernel without a loader (QEMU: -kernel Image -initrd …)",
    ],
    asks: ["the registers that the firmware prints after the line: ESR tells an instruction abort from a data abort"],
  },
];
