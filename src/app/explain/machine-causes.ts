// The causes of machines that a VMM does not make as its configuration says: what accelerates it,
// what it was built with, and what is installed beside it.

import { type Cause, sign } from "./cause.ts";

export const MACHINE_CAUSES: readonly Cause[] = [
  {
    id: "other-qemu",
    says:
      "this QEMU has no such accelerator: it was built without it, or it emulates another architecture than the host's, and only a guest of the host's own can be accelerated",
    certain: true,
    evidence: [{ of: "not-built", where: { name: ["kvm", "hvf", "xen", "whpx"] }, points: 30, must: true }, sign("no-acceleration", 1)],
    tries: [
      "see what it has: `qemu-system-aarch64 -accel help`, and what the host is: `uname -m`, `ls -l /dev/kvm`",
      "take another build, and see that no older one comes first: `type -a qemu-system-aarch64`; hvf on Apple silicon is in QEMU since 6.2",
      "or emulate (QEMU: -accel tcg -cpu max)",
    ],
  },
  {
    id: "unbuilt-part",
    says: "this build of QEMU lacks a part that the command line asks for: a network, a display or a protocol",
    certain: true,
    evidence: [sign("not-built", 28, true), { of: "not-built", where: { name: ["kvm", "hvf", "xen", "whpx"] }, points: -20 }],
    tries: [
      "take your system's package, or build it with the library: libslirp for -netdev user, gtk or sdl for -display",
      "see what there is: `qemu-system-aarch64 -netdev help`, `-display help`",
    ],
  },
  {
    id: "hvf-nested",
    says: "this Mac gives no virtual machine: it is one itself, as those of hosted CI are, or its system or chip is too old",
    certain: true,
    evidence: [{ of: "hvf", where: { result: ["HV_UNSUPPORTED", "HV_NO_DEVICE"] }, points: 30, must: true }],
    tries: ["see `sysctl kern.hv_support`: 0 is none; take a machine that is not virtual, or emulate (QEMU: -accel tcg)"],
  },
  {
    id: "hvf-unsigned",
    says: "macOS lets only a program make VMs that is signed with the entitlement for it",
    certain: true,
    evidence: [{ of: "hvf", where: { result: "HV_DENIED" }, points: 30, must: true }],
    tries: [
      "sign it: `codesign --sign - --force --entitlements entitlements.plist PROGRAM`, with com.apple.security.hypervisor (Virtualization: com.apple.security.virtualization)",
      "a program that was copied, patched or rebuilt after it was signed has lost its signature",
    ],
  },
  {
    id: "hvf-memory",
    says:
      "a piece of the machine's memory is not one that Apple's framework maps: not aligned to its pages of 16 KiB, or above the addresses of a guest",
    certain: false,
    evidence: [{ of: "hvf", where: { result: "HV_BAD_ARGUMENT" }, points: 24, must: true }],
    tries: [
      "give the machine less memory, or highmem=off (QEMU: -machine virt,highmem=off)",
      "take a newer QEMU: it asks the chip for the bits of its addresses",
    ],
  },
  {
    id: "hvf-busy",
    says: "Apple's framework has no room for another VM: there are as many as it permits, or other programs hold its resources",
    certain: false,
    evidence: [{ of: "hvf", where: { result: ["HV_BUSY", "HV_NO_RESOURCES"] }, points: 26, must: true }],
    tries: ["end other VMs and emulators, and start again", "give the machine fewer CPUs and less memory"],
  },
  {
    id: "hvf-build",
    says: "this build of QEMU does not fit this macOS: its list of system registers was made with the headers of another version",
    certain: true,
    evidence: [{ of: "hvf", where: { result: "build" }, points: 30, must: true }],
    tries: ["build it against the newest SDK, or take another package of it; until then an older QEMU, or -accel tcg"],
  },
  {
    id: "vz-start",
    says:
      "Apple's Virtualization framework did not take the VM: for a Linux its kernel is most often compressed, and the framework starts an uncompressed arm64 Image alone",
    certain: false,
    evidence: [{ of: "vz", where: { code: 1 }, points: 22, must: true }],
    tries: [
      "see it: `file vmlinuz`; unpack it: `gunzip -c vmlinuz > Image`; one with an EFI stub that unpacks itself (zboot) has it inside",
      "else another program has the disk, or the configuration asks for what this macOS does not have: the reasons are in Console's log",
    ],
  },
  {
    id: "vz-configuration",
    says: "Apple's Virtualization framework refuses the VM's configuration, or has as many VMs as it permits",
    certain: false,
    evidence: [{ of: "vz", where: { code: { from: 2 } }, points: 22, must: true }],
    tries: [
      "2 is the configuration, 5 the disk's image, 6 the number of VMs (two macOS guests), 7 the network; NSLocalizedFailureReason says more",
    ],
  },
  {
    id: "kvm-unknown-gic",
    says:
      "QEMU asks KVM which interrupt controller a guest may have, and knows none of the answers: the host's is newer than this QEMU, or KVM has none",
    certain: false,
    evidence: [{ of: "kvm-gic", where: { has: "unknown" }, points: 28, must: true }],
    tries: [
      "name it (QEMU: -machine virt,gic-version=3; on an older board 2), or gic-version=max",
      "see what KVM found: `dmesg | grep -i -e vgic -e gic`; a newer QEMU knows GICv4 hosts",
    ],
  },
  {
    id: "kvm-run-memory",
    says:
      "KVM could not serve an access of the guest: memory behind it that the VMM cannot touch, such as a device's, a full tmpfs or large pages that ran out",
    certain: false,
    evidence: [{ of: "kvm-run", where: { errno: "EFAULT" }, points: 26, must: true }],
    tries: [
      "back the guest's memory with anonymous pages, and see `dmesg` of the host",
      "see whether /dev/shm or hugetlbfs is full: `df /dev/shm`, `grep Huge /proc/meminfo`",
    ],
    asks: ["the host's `dmesg` of that moment"],
  },
  {
    id: "kvm-run-refused",
    says: "KVM refused to run the vCPU: it was not initialized, its registers are not those of this CPU, or a protected VM is touched",
    certain: false,
    evidence: [{ of: "kvm-run", where: { errno: ["EINVAL", "EPERM", "ENOEXEC"] }, points: 24, must: true }],
    tries: [
      "take the host's CPU (QEMU: -cpu host), and a kernel and QEMU of one age",
      "with pKVM, a protected VM's registers and memory are not the VMM's",
    ],
    asks: ["the host's `dmesg` of that moment"],
  },
  {
    id: "no-jit",
    says: "the system does not permit memory that is written and executed, and QEMU's translator needs it",
    certain: true,
    evidence: [sign("jit", 30, true)],
    tries: [
      "SELinux: `setsebool -P deny_execmem off`; macOS: sign with com.apple.security.cs.allow-jit",
      "give it less (QEMU: -accel tcg,tb-size=64), or use KVM",
    ],
  },
  {
    id: "many-cpus",
    says:
      "the machine is to have more CPUs than it can: a GICv2 has 8, a board what its chip has, and KVM what the host's kernel was built for",
    certain: true,
    evidence: [sign("many-cpus", 30, true)],
    tries: ["take fewer (QEMU: -smp 8), or the newer interrupt controller: -machine virt,gic-version=3"],
  },
  {
    id: "unshared-memory",
    says:
      "the guest's memory is the VMM's own, and a device that another process serves (virtiofsd, another vhost-user) reaches only shared memory",
    certain: true,
    evidence: [sign("unshared-memory", 30, true), sign("backend", 1)],
    tries: [
      "QEMU: -object memory-backend-memfd,id=m,size=2G,share=on -machine memory-backend=m, with the size of -m",
      "libvirt: <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    ],
  },
  {
    id: "no-bus",
    says: "a device of the command line needs a bus that this machine does not have, or that is made after it",
    certain: true,
    evidence: [sign("no-bus", 30, true)],
    tries: [
      "give the machine the controller first: -device qemu-xhci for USB, -device virtio-serial-pci for consoles, -device virtio-scsi-pci for SCSI",
      "boards of chips (raspi, xilinx) have no PCI: take the device's kind of that board, or -machine virt",
    ],
  },
  {
    id: "no-display",
    says: "the VMM is to draw on a display, and has none: no X or Wayland here, or no graphics driver for OpenGL",
    certain: true,
    evidence: [sign("no-display", 30, true)],
    tries: [
      "without a screen: -nographic, or -display none with -serial mon:stdio",
      "from afar: -display vnc=:1; with a screen, see DISPLAY and WAYLAND_DISPLAY, and gl=off",
    ],
  },
  {
    id: "taken",
    says:
      "a port, a number of sockets or a network that the VM is to have belongs to another program, often a VM before it that still runs",
    certain: true,
    evidence: [sign("taken", 28, true)],
    tries: [
      "find it: `ss -ltnp`, `ps -C qemu-system-aarch64`, and end it",
      "or take another: hostfwd=tcp::2223-:22, guest-cid=4, -display vnc=:2",
    ],
  },
  {
    id: "no-rom",
    says: "the device brings a ROM for a PC's firmware, and that file is not installed; a guest of arm64 has no use for it",
    certain: true,
    evidence: [sign("no-rom", 30, true)],
    tries: [
      "leave it out: romfile= (empty) with the device, or take a device without one: virtio-gpu-pci instead of VGA",
      "or install it: ipxe-qemu and seabios (Debian), ipxe-roms-qemu and seavgabios-bin (Fedora)",
    ],
  },
  {
    id: "no-firmware",
    says: "UEFI firmware for arm64 has its own package, which is not installed, or not where it is looked for",
    certain: true,
    evidence: [sign("no-firmware", 30, true)],
    tries: [
      "install it: qemu-efi-aarch64 (Debian), edk2-aarch64 (Fedora), edk2-armvirt (Arch)",
      "and name it: -bios /usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
    ],
  },
  {
    id: "wants-firmware",
    says: "the VM is one that starts by UEFI firmware, and its configuration names none",
    certain: true,
    evidence: [sign("wants-firmware", 30, true)],
    tries: [
      "libvirt: <os firmware='efi'>, virt-install: --boot uefi; the firmware is a package: qemu-efi-aarch64",
      "or start a kernel directly, and leave ACPI out of <features>",
    ],
  },
  {
    id: "other-state",
    says: "the VM's stored state was written by another version of the VMM, or for another machine: it cannot be continued, its disk can",
    certain: true,
    evidence: [sign("other-state", 30, true)],
    tries: [
      "discard the state and start the VM anew from its disk (libvirt: `virsh managedsave-remove VM`; QEMU: `qemu-img snapshot -d`)",
      "or continue it with the version that wrote it, or the machine that it names: -machine virt-6.2",
    ],
  },
  {
    id: "twice",
    says: "two parts of the configuration are at one place, or have one name: a drive's index or unit, an id, an address",
    certain: true,
    evidence: [sign("twice", 30, true)],
    tries: ["give one of them another id, index or unit, or drop the one that a front end added on its own"],
  },
  {
    id: "conflict",
    says: "two options of the command line do not go together, or one needs another that is not there",
    certain: true,
    evidence: [sign("conflict", 30, true)],
    tries: ["leave out the one that the message names, or give what it needs: -append and -initrd count with -kernel alone"],
  },
  {
    id: "outside-memory",
    says:
      "the guest's kernel is one for another machine: it jumped to where this machine has neither RAM nor ROM, or there was no kernel at all",
    certain: false,
    evidence: [sign("outside-memory", 26, true)],
    tries: ["take the machine that the kernel was built for: a Raspberry Pi's for -M raspi3b, an Image of arm64's defconfig for -M virt"],
  },
  {
    id: "no-daemon",
    says: "libvirt's daemon does not run, or is another one than the client asks: of the system, or of the user",
    certain: true,
    evidence: [sign("no-daemon", 30, true)],
    tries: ["start it: `systemctl start libvirtd` (newer: virtqemud.socket), and see the URI: qemu:///system or qemu:///session"],
  },
  {
    id: "other-host",
    says: "Android's emulator runs images of the host's own architecture alone: one for arm64 needs a host of arm64",
    certain: true,
    evidence: [sign("other-host", 30, true)],
    tries: ["take an image for the host (x86_64), or a host of arm64; QEMU itself emulates arm64 anywhere, slowly"],
  },
  {
    id: "no-program",
    says: "libvirt has no QEMU for this architecture: its package is not installed, or not where libvirt looks",
    certain: true,
    evidence: [sign("no-program", 30, true)],
    tries: ["install it: qemu-system-arm (Debian), qemu-system-aarch64 (Fedora), and restart libvirtd"],
  },
  {
    id: "no-network",
    says: "the network or bridge that the VM is to be on does not exist or was not started",
    certain: true,
    evidence: [sign("no-network", 30, true)],
    tries: [
      "start it: `virsh net-start default`, and each time: `virsh net-autostart default`",
      "make the bridge: `ip link add br0 type bridge`",
    ],
  },
  {
    id: "refused-syscall",
    says: "Firecracker made a system call that its own filter does not permit: another C library, or another version than the filter's",
    certain: true,
    evidence: [sign("seccomp", 30, true)],
    tries: ["take the released build, or the filter of the same build; to see only: --no-seccomp"],
  },
  {
    id: "protected-alone",
    says: "this phone's hypervisor runs protected VMs alone, and the VM is not one",
    certain: true,
    evidence: [{ of: "only-kind", where: { kind: "protected" }, points: 30, must: true }],
    tries: [
      "make it protected, with an image that pvmfw accepts (vm tool: --protected); your own kernel needs another phone",
      "or emulate",
    ],
  },
  {
    id: "unprotected-alone",
    says: "this phone runs no protected VMs: its hypervisor or its firmware (pvmfw) does not have them",
    certain: true,
    evidence: [{ of: "only-kind", where: { kind: "non-protected" }, points: 30, must: true }],
    tries: ["make a VM that is not protected; see `getprop ro.boot.hypervisor.protected_vm.supported`"],
  },
  {
    id: "unsaid-protection",
    says: "an app has to say whether its VM is protected, and this one does not",
    certain: true,
    evidence: [{ of: "only-kind", where: { kind: "unsaid" }, points: 30, must: true }],
    tries: ["call setProtectedVm() with what getCapabilities() of the VirtualMachineManager has"],
  },
  {
    id: "no-permission",
    says: "an app needs Android's permission to make VMs, which stores do not give: the system, or a shell by adb, has to grant it",
    certain: true,
    evidence: [sign("no-permission", 30, true)],
    tries: [
      "grant it: `adb shell pm grant PACKAGE android.permission.MANAGE_VIRTUAL_MACHINE`, and USE_CUSTOM_VIRTUAL_MACHINE for your own kernel",
    ],
  },
];
