// The known causes: those of reports, and others that VMMs and their users meet.

import { call, type Cause, platform, rpc, sign, step } from "./cause.ts";
import { REPORTED_CAUSES } from "./reported-causes.ts";
import { BOOT_CAUSES } from "./boot-causes.ts";
import { HOST_CAUSES } from "./host-causes.ts";
import { KERNEL_REPORT_CAUSES } from "./kernel-reports.ts";
import { KVM_CAUSES } from "./kvm-causes.ts";
import { MACHINE_CAUSES } from "./machine-causes.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** Causes without a mystery: nothing of Gunyah's is wrong. */
const OTHERS: readonly Cause[] = [
  {
    id: "closed-device",
    says: "the device may not be opened: its node belongs to root, or SELinux forbids it",
    certain: true,
    evidence: [
      { of: "not-opened", where: { errno: ["EACCES", "EPERM", "?"] }, points: 30, must: true },
      sign("denied", 28, true),
      {
        of: "node",
        where: { closed: "yes" },
        points: 14,
        must: true,
      },
      sign("called", -20),
      { of: "not-opened", where: { path: "/dev/net/tun" }, points: -20 },
    ],
    tries: ["start the VMM as root; if that is refused, see `dmesg | grep avc` for SELinux's rule"],
    book: ["vm-manager", "4"],
  },
  {
    id: "loaded-module",
    says: "the module is there already: its device exists, and a second one is refused",
    certain: true,
    evidence: [{ of: "module-refused", where: { reason: ["File exists", "Device or resource busy"] }, points: 30, must: true }],
    tries: ["use the device that is there"],
    book: ["geniezone", "11"],
  },
  {
    id: "bad-image",
    says:
      "the file is not a kernel that the VMM can load: an arm64 Image has the magic ARM\\x64 at 0x38; a compressed one has to be unpacked",
    certain: true,
    evidence: [sign("image", 28, true), { of: "image", where: { reason: "magic" }, points: 8 }],
    tries: ["see what it is: `file Image`; unpack it with gunzip or lz4, or take arch/arm64/boot/Image of the build"],
  },
  {
    id: "missing-cpu",
    says:
      "PSCI CPU_ON was refused, or the CPU did not arrive: the devicetree names CPUs that the VM does not have, or with other affinities",
    certain: false,
    evidence: [sign("cpu", 20, true)],
    tries: [
      "give the VM as many vCPUs as its devicetree has, and the same reg; ALREADY_ON is -4, INVALID_PARAMETERS -2",
      "with KVM on big and little cores, keep the VMM on those of one kind: `taskset -c 4-7 qemu-system-aarch64 …`",
    ],
    book: ["hypervisor", "6.5"],
  },
  {
    id: "refused-features",
    says:
      "the driver and the virtio device do not agree on features: a device of a VM wants VIRTIO_F_VERSION_1, and a protected VM ACCESS_PLATFORM",
    certain: false,
    evidence: [sign("features", 29, true)],
    tries: ["see what the device offers and what the driver chose; an old driver of the legacy interface fails so, too"],
    book: ["hypervisor", "7.1"],
  },
  {
    id: "host-memory",
    says: "the host ran out of memory and ended the VMM: memory that is lent or pinned cannot be swapped out",
    certain: true,
    evidence: [sign("oom", 30, true)],
    tries: ["give the VM less memory, or end other programs before; Android ends large processes in the background first"],
  },
  {
    id: "held-parcel",
    says: "a VM still has the parcel: it is mapped there, or the VM was not reset, so that its owner does not get it back",
    certain: true,
    evidence: [rpc("MEM_RECLAIM", ["BUSY", "MEM_INUSE"], 24, true), { of: "reclaim", where: { errno: "EBUSY" }, points: 8, must: true }],
    tries: ["have the VM release it first, or reset the VM; after a VMM that was killed, reboot the phone"],
    book: ["resource-manager", "3.4"],
    mystery: "08-leaked-parcels",
  },
  {
    id: "ungranted-memory",
    says: "the guest uses an address that no memory and no device of its VM has; on phones a read may give zero, and a write ends the VM",
    certain: true,
    evidence: [sign("abort", 28, true)],
    tries: ["compare the guest's devicetree with the regions that the VMM gave: what the tree names has to be given"],
    asks: ["the address: FAR_EL2 and HPFAR_EL2 of the same report"],
    book: ["hypervisor", "4.7"],
  },
  {
    id: "kvm-requests",
    says: "the VMM makes KVM's requests, and this device is not KVM",
    certain: true,
    evidence: [{ of: "call", where: { generation: "kvm" }, points: 30, must: true }],
    tries: ["take a VMM that knows Gunyah: crosvm with --hypervisor gunyah, or a port of QEMU"],
    book: ["vm-manager", "2"],
  },
  {
    id: "full-pool",
    says: "the pool through which a protected VM bounces its buffers is too small for what its devices have under way",
    certain: true,
    evidence: [sign("full-pool", 25, true), sign("pool", 4)],
    tries: ["give the VM a larger pool (crosvm: --swiotlb 128), or fewer and smaller requests at a time"],
    book: ["resource-manager", "7.6"],
  },
  {
    id: "no-devicetree",
    says: "the kernel's entry takes the devicetree's address in X0: aligned to 8 bytes, at most 2 MiB, in memory that the VM has",
    certain: true,
    evidence: [sign("no-tree", 30, true)],
    tries: ["put the devicetree where X0 points before the first instruction, or set X0 (SET_BOOT_CONTEXT, VCPU register)"],
    book: ["vm-manager", "6"],
  },
  {
    id: "vendor-requests",
    says: "the VMM makes the vendor's requests (magic 0xB2), and this device has the driver of Android's common kernels",
    certain: true,
    evidence: [
      { of: "call", where: { generation: "legacy", errno: ["ENOTTY", "EINVAL"] }, points: 24, must: true },
      platform(["ack-6.1", "ack-6.6", "ack-6.12"], 6),
    ],
    tries: ["take a VMM that makes the requests of magic 'G', such as crosvm or QEMU's port"],
    book: ["vm-manager", "2"],
  },
  {
    id: "too-soon",
    says: "the Resource Manager had not yet freed the VM before this one: it refuses VM_INIT for a while after a VM's end",
    certain: false,
    evidence: [rpc("VM_INIT", "NORESOURCE", 18, true), step("init", "ENODEV", 6, true), call("GH_VM_START", "ENODEV", 2)],
    tries: ["wait some seconds after a VM's end, and start again"],
    book: ["resource-manager", "4.4"],
  },
  {
    id: "no-driver",
    says: "this kernel has no driver of Gunyah's, or the driver found no hypervisor that it knows",
    certain: true,
    evidence: [{ of: "no-node", where: { path: "/dev/gunyah" }, points: 25, must: true }, {
      of: "not-opened",
      where: { path: "/dev/gunyah", errno: ["ENOENT", "ENODEV", "errno 6"] },
      points: 25,
      must: true,
    }, step("probe", "ENODEV", 30, true)],
    tries: ["see whether a hypervisor answers: `dmesg | grep -i gunyah`; without a line, the kernel lacks CONFIG_GUNYAH"],
    book: ["vm-manager", "13"],
  },
  {
    id: "only-protected",
    says:
      "this Resource Manager initializes VMs of Android's kind alone: the image of a VM without authentication is taken, and its VM_INIT refused",
    certain: false,
    evidence: [rpc("VM_INIT", ["MEM_INVALID", "DENIED"], 25, true), rpc("VM_CONFIG_IMAGE", "DENIED", 25, true)],
    tries: ["make the VM a protected one (crosvm: --protected-vm-without-firmware)"],
    book: ["resource-manager", "3.8"],
  },
  {
    id: "refused-devicetree",
    says: "the Resource Manager does not take the VM's devicetree",
    certain: true,
    evidence: [
      { of: "lint", where: { kind: "refused", node: "other" }, points: 22, must: true },
      rpc(["VM_INIT", "VM_CONFIG_IMAGE"], ["VALIDATE_FAILED", "ARGUMENT_INVALID", "NORESOURCE", "LOOKUP_FAILED"], 22, true),
    ],
    tries: [way`check it with ${hint("vm lint", "guest.dtb")}`],
    asks: ["the devicetree that the VMM passed: give it to this command, too"],
    book: ["resource-manager", "7.1"],
  },
  {
    id: "devicetree-range",
    says: "the range of SET_DTB_CONFIG is not inside one region of the VM's memory",
    certain: true,
    evidence: [step(["dtb-region", "firmware-region"], "EINVAL", 30, true), step("dtb", ["ENOENT", "EINVAL"], 28, true)],
    tries: ["put the devicetree inside one region, with its whole size, before START"],
    book: ["vm-manager", "6"],
  },
  {
    id: "guest-reset",
    says: "the guest asked for a reset, or its watchdog bit: a VM of Gunyah ends then and is not started again",
    certain: true,
    evidence: [sign("vm-end", 15, true), sign("panic", 6)],
    tries: ["read what the guest printed last; a kernel with panic=-1 resets after a panic", "start the VMM again: VMs do not reboot"],
    book: ["vm-manager", "8"],
  },
  {
    id: "no-disk",
    says: "the guest's kernel started and found no disk: the VM works, and its root or partitions were not given to it",
    certain: true,
    evidence: [sign("no-disk", 25, true), sign("panic", 3)],
    tries: [
      "give the VM its disk (crosvm: --block), and name it in the command line: root=/dev/vda",
      "or the kernel lacks its driver: CONFIG_VIRTIO_BLK, and CONFIG_VIRTIO_MMIO or CONFIG_VIRTIO_PCI for its bus",
    ],
  },
  {
    id: "guest-panic",
    says: "the guest's kernel gave up; the VM around it works",
    certain: true,
    evidence: [sign("panic", 12, true)],
    tries: ["run the same kernel here with its ramdisk: el2 names the cause of a panic"],
  },
  {
    id: "sandbox",
    says: "crosvm puts its devices into sandboxes, and Android has neither their folder nor permits their namespaces",
    certain: true,
    evidence: [sign("jail", 30, true)],
    tries: ["start crosvm with --disable-sandbox"],
  },
  {
    id: "kept-limit",
    says: "SELinux does not let virtmgr raise the limit of locked memory for a program that was started by Magisk",
    certain: true,
    evidence: [sign("limit-kept", 30, true)],
    tries: ['permit it: `magiskpolicy --live "allow virtualizationservice magisk process { setrlimit }"`'],
  },
  {
    id: "other-android",
    says: "the VMM was built for another version of Android than the phone has",
    certain: true,
    evidence: [sign("linker", 30, true)],
    tries: ["take a build for this version of Android, or run it without the libraries that it brings"],
  },
  {
    id: "other-build",
    says: "this build of the VMM has no such option",
    certain: true,
    evidence: [sign("usage", 30, true)],
    tries: ["leave the option out, or take the build that its documentation is about: `crosvm run --help`"],
  },
  {
    id: "unmapped-region",
    says: "GenieZone's driver gives EL2 the pages of a whole region, and the VMM has not mapped all of them, or not as one mapping",
    certain: true,
    evidence: [sign("gz-refused", 28, true), call("GZVM_SET_USER_MEMORY_REGION", ["EFAULT", "EINVAL"], 25, true)],
    tries: ["map each region as one mapping of exactly its size, before SET_USER_MEMORY_REGION"],
    book: ["geniezone", "3.3"],
  },
  {
    id: "no-vm-image",
    says: "the VM's image is not among the files of firmware: the vendor's loader requests NAME.mdt and its parts NAME.b00 and on",
    certain: true,
    evidence: [step("image-file", "ENOENT", 30, true)],
    tries: ["put the files where the kernel looks: `cat /sys/module/firmware_class/parameters/path`, /vendor/firmware, /lib/firmware"],
    book: ["vm-manager", "7"],
  },
  {
    id: "changed-instance",
    says: "the VM's image or payload is another one than that with which its instance was made: its secrets are bound to the first",
    certain: true,
    evidence: [{
      of: "avf-end",
      where: { reason: ["PVM_FIRMWARE_INSTANCE_IMAGE_CHANGED", "MICRODROID_PAYLOAD_HAS_CHANGED"] },
      points: 30,
      must: true,
    }],
    tries: ["remove the instance, and make the VM anew (VirtualMachineManager.delete; vm tool: another --instance)"],
  },
  {
    id: "many-slots",
    says: "GenieZone's driver has 10 slots of memory",
    certain: true,
    evidence: [call("GZVM_SET_USER_MEMORY_REGION", "ENXIO", 30, true)],
    tries: ["use slots 0 to 9"],
    book: ["geniezone", "3.3"],
  },
];

export const CAUSES: readonly Cause[] = [
  ...REPORTED_CAUSES,
  ...OTHERS,
  ...KVM_CAUSES,
  ...HOST_CAUSES,
  ...MACHINE_CAUSES,
  ...BOOT_CAUSES,
  ...KERNEL_REPORT_CAUSES,
];
