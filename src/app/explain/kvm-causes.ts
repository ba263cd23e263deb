// The causes of failures with KVM on arm64, which no book of Gunyah's has.

import { type Cause, sign } from "./cause.ts";

const ABSENT = ["ENOENT", "ENODEV"];
const TUN = "/dev/net/tun";

export const KVM_CAUSES: readonly Cause[] = [
  {
    id: "no-kvm",
    says: "this host has no KVM: something else has EL2 (Gunyah, GenieZone, a board's firmware), or the kernel was built without it",
    certain: true,
    evidence: [
      { of: "not-opened", where: { path: "/dev/kvm", errno: ABSENT }, points: 25, must: true },
      sign("no-acceleration", 24, true),
      sign("no-hyp-mode", 3),
    ],
    tries: [
      "see what the kernel says: `dmesg | grep -i -e kvm -e 'started at EL'`; at EL1, use /dev/gunyah or /dev/gzvm if they exist",
      "or run without KVM (QEMU: -accel tcg)",
    ],
  },
  {
    id: "kvm-cpu",
    says:
      "KVM runs a guest on the CPU that the host has: another model is refused, and so is one of big cores while the thread is on a little one",
    certain: true,
    evidence: [sign("kvm-cpu", 28, true), sign("kvm-gic", -5)],
    tries: [
      "give the machine the host's CPU (QEMU: -cpu host)",
      "on big and little cores, keep the VMM on those of one kind: `taskset -c 4-7 qemu-system-aarch64 …`",
    ],
  },
  {
    id: "kvm-without-gic",
    says: "KVM found no interrupt controller that it can give to guests: the host's devicetree has none, or not its virtual interface",
    certain: true,
    evidence: [{ of: "kvm-gic", where: { has: "none" }, points: 30, must: true }],
    tries: [
      "give the GIC's node in the host's devicetree its GICH and GICV ranges and the maintenance interrupt, where the chip has them",
      "a chip without a GIC (Raspberry Pi 3) cannot run KVM's guests so: take QEMU without KVM",
    ],
    asks: ["what KVM found: `dmesg | grep -i -e vgic -e gic`"],
  },
  {
    id: "kvm-other-gic",
    says:
      "the machine has another interrupt controller than KVM gives here, or than its devices need: GICv2 is QEMU's default and has no MSI for PCI, and a host's GICv3 may not offer it",
    certain: true,
    evidence: [{ of: "kvm-gic", where: { has: "other" }, points: 28, must: true }],
    tries: ["take the host's (QEMU: -machine virt,gic-version=host); if the PMU alone is refused, -cpu host,pmu=off"],
  },
  {
    id: "address-bits",
    says: "the machine's memory or its high regions end above the addresses that a guest can have on this host",
    certain: true,
    evidence: [sign("address-bits", 30, true), { of: "no-vm", where: { errno: "EINVAL" }, points: 24, must: true }],
    tries: ["give it less memory, or the other value of highmem (QEMU: -machine virt,highmem=off; with 32 bits, on)"],
  },
  {
    id: "no-nested",
    says: "the machine is to have EL2 (virtualization=on), and the host does not let a guest have it",
    certain: true,
    evidence: [sign("no-nested", 30, true)],
    tries: [
      "leave virtualization=on out, or emulate (QEMU: -accel tcg)",
      "a host whose CPU has FEAT_NV2 gives it with the kernel option kvm-arm.mode=nested",
    ],
  },
  {
    id: "no-syndrome",
    says:
      "the guest accessed a place that has no memory, by an instruction that KVM cannot emulate: one of two registers, or one that changes its base",
    certain: true,
    evidence: [sign("no-syndrome", 30, true)],
    tries: [
      "compare the address with the machine's memory: an access beyond its end is the usual cause",
      "a driver has to use plain loads and stores of one register for a device: readl and writel, not memcpy",
    ],
    asks: ["the instruction: the PC in the VMM's list of registers"],
  },
  {
    id: "kvm-panic",
    says: "KVM's code at EL2 found itself broken: a defect of this kernel, which no guest may cause",
    certain: true,
    evidence: [sign("kvm-panic", 30, true)],
    tries: ["take a newer kernel, and report the trace of EL2 that follows the line"],
  },
  {
    id: "no-vhost",
    says: "the host has no vhost device for the VM's sockets: the module is not there, or the kernel was built without it",
    certain: true,
    evidence: [{ of: "not-opened", where: { path: "/dev/vhost-vsock", errno: ABSENT }, points: 30, must: true }],
    tries: ["load it: `modprobe vhost_vsock`", "or leave the VM's sockets out (crosvm: no --cid or --vsock)"],
  },
  {
    id: "no-vhost-net",
    says: "the host has no vhost device for networks: the module is not there, or the kernel was built without it",
    certain: true,
    evidence: [{ of: "not-opened", where: { path: "/dev/vhost-net", errno: ABSENT }, points: 30, must: true }],
    tries: ["load it: `modprobe vhost_net`", "or leave it out (crosvm: no vhost-net in --net; QEMU: vhost=off)"],
  },
  {
    id: "no-tun",
    says: "the host has no /dev/net/tun: the module is not there, or it is not of this kernel's build",
    certain: true,
    evidence: [{ of: "not-opened", where: { path: TUN, errno: ABSENT }, points: 30, must: true }],
    tries: [
      "load it: `modprobe tun`; after an update of the kernel, restart first: the old one finds its modules no more",
      "or take a network without an interface of the host (QEMU: -nic user)",
    ],
  },
  {
    id: "tap-refused",
    says: "the user of the VMM may not make network interfaces, or the one that is named belongs to somebody else",
    certain: true,
    evidence: [
      { of: "tap", where: { errno: ["EPERM", "EACCES"] }, points: 30, must: true },
      { of: "not-opened", where: { path: TUN, errno: ["EPERM", "EACCES"] }, points: 30, must: true },
      { of: "bridge", where: { reason: ["EPERM", "EACCES"] }, points: 22, must: true },
      { of: "bridge", where: { reason: "unknown" }, points: 8 },
    ],
    tries: [
      "make it once, for that user: `ip tuntap add mode tap user NAME tap0`, and name it (crosvm: vnet_hdr, too)",
      "or let QEMU's bridge helper do it, which has to be root's: `chmod u+s /usr/lib/qemu/qemu-bridge-helper`",
      "in a container, give it the device /dev/net/tun and NET_ADMIN; on Android, start the VMM as root",
    ],
  },
  {
    id: "tap-busy",
    says: "another process has the network interface open: one interface of a single queue serves one VM",
    certain: true,
    evidence: [{ of: "tap", where: { errno: "EBUSY" }, points: 30, must: true }],
    tries: ["end the other VM, or give each VM its own interface: `ip tuntap add mode tap tap1`"],
  },
  {
    id: "no-mte",
    says: "the machine is to have memory tags (MTE), and the host's CPU or KVM, or the model of the CPU, does not have them",
    certain: true,
    evidence: [sign("mte", 30, true)],
    tries: [
      "leave mte=on out; it needs a CPU with FEAT_MTE2, and KVM's since Linux 5.13 and QEMU 9.2",
      "emulated, it needs such a model (QEMU: -cpu max)",
    ],
  },
  {
    id: "small-guest",
    says: "the VM has less memory than its kernel and ramdisk take",
    certain: true,
    evidence: [{ of: "image", where: { reason: "room" }, points: 30, must: true }],
    tries: ["give it more (kvmtool: -m 256), or a smaller ramdisk"],
  },
  {
    id: "locked-disk",
    says: "another process has the disk's image open, and one of the two writes it: both would damage its file system",
    certain: true,
    evidence: [sign("locked-disk", 30, true)],
    tries: [
      "end the other one: `fuser -v IMAGE` names it, often a VM that did not end",
      "or have both read alone (crosvm: --block path=IMAGE,ro; QEMU: read-only=on), or give each a copy",
    ],
  },
  {
    id: "unavailable-memory",
    says: "the host does not give the VMM the guest's memory: it has less, or a limit is below it",
    certain: true,
    evidence: [sign("no-memory", 30, true), { of: "no-vm", where: { errno: "ENOMEM" }, points: 24, must: true }],
    tries: [
      "give the VM less memory than `free -m` calls available",
      "see the limits: `ulimit -v`, memory.max of the control group, and vm.overcommit_memory, which is 2 where promises are counted",
    ],
  },
  {
    id: "stale-configuration",
    says: "the stored configuration of the VM is of another version of Android's Virtualization Framework, or damaged",
    certain: true,
    evidence: [{ of: "avf-end", where: { reason: "CONFIGURATION" }, points: 30, must: true }],
    tries: ["delete the VM and make it anew: clear the storage of the app that owns it (Terminal: its recovery does so)"],
  },
];
