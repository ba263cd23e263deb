// The causes of published reports (docs/spec/phones.md §B). Points: 30 and more, the file has the
// cause's own words; 20, signs of it and of little else; 10, one of several causes of the same.

import { call, type Cause, type Evidence, platform, rpc, sign, step } from "./cause.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

const START = "GH_VM_START", LEND = "GH_VM_ANDROID_LEND_USER_MEM", SHARE = "GH_VM_SET_USER_MEM_REGION", MAKE = "GH_CREATE_VM";
const REGION = [SHARE, LEND];
const PARCEL = ["MEM_LEND", "MEM_SHARE", "MEM_DONATE"];
const NO_ROOM = ["NORESOURCE", "NOMEM"];

/** A value that is there, whatever it is. */
const ANY = "any";
const no = (of: Evidence["of"], where: Evidence["where"] = {}): Evidence => ({ of, where, points: -20 });

const DMESG = "the kernel's log of the phone at that time: `dmesg` as root";
const LINT = way`check the VM's devicetree with ${hint("vm lint", "guest.dtb", { phone: "sm8650" })}`;

export const REPORTED_CAUSES: readonly Cause[] = [
  {
    id: "locked-memory",
    says: "pages of VMs count against RLIMIT_MEMLOCK, which is 64 KiB on Android: the VMM may not lock so much memory",
    certain: true,
    evidence: [
      step(["dtb", "firmware"], "ENOMEM", 30, true),
      call(REGION, "ENOMEM", 15, true),
      call(MAKE, "ENOMEM", 12, true),
      call(START, "ENOMEM", 12, true),
      { of: "locked-limit", where: { bytes: { from: 0 } }, points: 15 },
      { of: "locked-limit", where: { bytes: "enough" }, points: -30 },
      sign("limit-kept", 10),
      rpc("MEM_RECLAIM", "HANDLE_INVALID", 3),
      no("allocation"),
      no("hypercall", { call: "addrspace_map" }),
      no("scm"),
      rpc(PARCEL, NO_ROOM, -20),
    ],
    tries: [
      "raise the limit in the shell that starts the VMM: `ulimit -l unlimited`, as root",
      "or give the VMM CAP_IPC_LOCK",
    ],
    asks: ["the limit that the VMM had: `grep 'Max locked' /proc/PID/limits`"],
    book: ["vm-manager", "5.1"],
    mystery: "07-locked-memory",
  },
  {
    id: "contiguous-memory",
    says:
      "the driver keeps the list of a region's pages in one block of contiguous kernel memory, 8 bytes per page, and there is none so large: 2 GiB of guest need 4 MiB",
    certain: true,
    evidence: [
      { of: "allocation", where: { order: { from: 8 } }, points: 30, must: true },
      { of: "allocation", where: { order: { from: 4, to: 7 } }, points: 15, must: true },
      call(REGION, "ENOMEM", 10),
      call([START, MAKE], "ENOMEM", 5),
      platform("ack-6.1", 5),
    ],
    tries: [
      "give the memory as several regions below 1 GiB, or less memory",
      "start the VM soon after a reboot, or run `echo 1 > /proc/sys/vm/compact_memory` before",
      "take a kernel whose driver allocates the list with kvcalloc",
    ],
    book: ["vm-manager", "5.1"],
    mystery: "05-contiguous-memory",
  },
  {
    id: "secure-world",
    says:
      "the secure world has no id for the VM's VMID: this kernel does not map VMIDs above 0x3F to that of the Resource Manager, or names the wrong owner of the pages",
    certain: true,
    evidence: [
      sign("scm", 30, true),
      call(START, "ENODEV", 12, true),
      step(["lend", "share"], ["EINVAL", "ENODEV"], 8),
      platform("ack-6.1", 6),
      platform(["ack-6.6", "ack-6.12"], -8),
      rpc("VM_START", "NORESOURCE", -10),
      rpc(PARCEL, NO_ROOM, -15),
    ],
    tries: [
      "take a kernel whose gunyah_qcom.c maps VMIDs above 0x3F to 0x3A, names the VMID of GET_VMID as the source, and gives pages back to HLOS",
      "phones with SM8750 and later do not have this fault",
    ],
    asks: [DMESG],
    book: ["vm-manager", "13"],
    mystery: "06-secure-world",
  },
  {
    id: "shared-without-node",
    says:
      "a parcel that the host shares before START has no node of /reserved-memory with exactly its range; Resource Managers of SM8650's time then refuse the start",
    certain: true,
    evidence: [
      rpc("VM_START", "NORESOURCE", 16, true),
      step("start", "ENODEV", 5, true),
      call(START, "ENODEV", 8, true),
      platform("ack-6.1", 4),
      platform(["ack-6.6", "ack-6.12"], -15),
      no("scm"),
      rpc(["VM_INIT", "VM_CONFIG_IMAGE", ...PARCEL], [
        "NORESOURCE",
        "NOMEM",
        "DENIED",
        "MEM_INVALID",
        "VALIDATE_FAILED",
        "ARGUMENT_INVALID",
      ], -20),
    ],
    tries: [
      LINT,
      "write a child of /reserved-memory for each shared region, whose reg is exactly that region; leave out all others",
      "or share nothing before START",
    ],
    asks: ["the devicetree that the VMM passed: give it to this command, too"],
    book: ["resource-manager", "5.3"],
    mystery: "01-shared-without-node",
  },
  {
    id: "node-without-parcel",
    says: "a node of /reserved-memory names memory that nobody gave the VM, such as the pool of restricted DMA without its shared region",
    certain: true,
    evidence: [
      { of: "lint", where: { kind: "refused", node: "reserved-memory" }, points: 25, must: true },
      rpc("VM_START", "NORESOURCE", 13, true),
      step("start", "ENODEV", 4, true),
      call(START, "ENODEV", 5, true),
      platform(["ack-6.6", "ack-6.12"], -15),
      no("scm"),
    ],
    tries: [LINT, "leave the node out, or share the range that it names (crosvm: without --swiotlb there is no pool)"],
    book: ["resource-manager", "5.3"],
    mystery: "02-node-without-parcel",
  },
  {
    id: "boot-context",
    says: "this kernel's driver has no boot context, and says so with another errno than the ENOTTY that VMMs take for it",
    certain: true,
    evidence: [
      call("GUNYAH_VM_SET_BOOT_CONTEXT", ["ENODEV", "EINVAL", "EOPNOTSUPP"], 30, true),
      step("boot-context", ["ENODEV", "EOPNOTSUPP"], 25, true),
      platform("ack-6.1", 5),
    ],
    tries: ["start the guest at the base of its image (an entry with offset 0), and do not call SET_BOOT_CONTEXT"],
    book: ["vm-manager", "6"],
    mystery: "04-boot-context",
  },
  {
    id: "leaked-parcels",
    says: "parcels of VMMs that died during START stay with the Resource Manager and count against its quota, until the phone reboots",
    certain: true,
    evidence: [
      rpc(PARCEL, NO_ROOM, 22, true),
      step(["lend", "share"], ["ENODEV", "ENOMEM"], 12, true),
      sign("reclaim", 4),
      rpc("VM_ALLOCATE", NO_ROOM, 20, true),
      no("allocation"),
      { of: "call", where: { call: REGION, nth: { from: 30 } }, points: -6 },
    ],
    tries: [
      "reboot the phone: nothing else frees them",
      "end VMMs with SIGTERM, and never while VM_START runs",
    ],
    asks: ["whether a VMM was killed since the last reboot"],
    book: ["resource-manager", "6.3"],
    mystery: "08-leaked-parcels",
  },
  {
    id: "many-shares",
    says: "the VMM has reached how many parcels a VM may own: about 39 for shares of a running VM were counted on phones",
    certain: false,
    evidence: [
      { of: "call", where: { call: REGION, errno: ["ENODEV", "ENOMEM", "EINVAL"], nth: { from: 30, to: 70 } }, points: 25, must: true },
      { of: "step", where: { step: "share", label: { from: 30, to: 70 } }, points: 22, must: true },
      { of: "call", where: { when: "after" }, points: 3 },
    ],
    tries: ["share fewer and larger regions, and release those that are no longer used"],
    book: ["resource-manager", "6.3"],
    mystery: "09-fortieth-share",
  },
  {
    id: "small-steps",
    says: "each step of memory is a parcel, and a VM owns at most 1,024 of them",
    certain: true,
    evidence: [
      { of: "call", where: { call: REGION, errno: ["ENODEV", "ENOMEM", "EINVAL"], nth: { from: 900 } }, points: 30, must: true },
      { of: "step", where: { step: "share", label: { from: 900 } }, points: 28, must: true },
      rpc(PARCEL, NO_ROOM, 5),
    ],
    tries: ["share larger steps: 1,024 steps of 2 MiB are 2 GiB"],
    book: ["resource-manager", "6.3"],
    mystery: "10-small-steps",
  },
  {
    id: "page-death",
    says: "the VMM touched a page that it has lent and not locked: the host had reclaimed or moved it",
    certain: false,
    evidence: [sign("sigbus", 25, true), no("lent"), platform("ack-6.1", 2)],
    tries: [
      "lock all memory of the VM before it is lent (mlock), and let no thread of the VMM read it afterwards",
      "a crash that does not come back after a reboot fits, too",
    ],
    asks: ["whether the address lies in a region that was lent: compare it with the VMM's regions"],
    book: ["vm-manager", "5.2"],
    mystery: "11-page-death",
  },
  {
    id: "page-tables",
    says: "the memory for the stage-2 page tables of VMs is used up; the host's memory is not the limit",
    certain: false,
    evidence: [
      { of: "hypercall", where: { call: "addrspace_map", error: "NOMEM" }, points: 30, must: true },
      { of: "page-fault", where: { errno: "ENOMEM" }, points: 12, must: true },
      { of: "reclaim", where: { errno: "EBUSY", from: "balloon" }, points: 12, must: true },
      { of: "exit", where: { reason: 3 }, points: 5 },
      platform(["ack-6.6", "ack-6.12"], 3),
    ],
    tries: [
      "reboot the phone: tables of VMs that have ended may be kept until then",
      "give the VM less memory, in few regions, backed by large pages (crosvm: --hugepages)",
      "do not use a balloon: each page that it gives back splits a table",
    ],
    asks: [DMESG],
    book: ["hypervisor", "4.6"],
    mystery: "12-page-tables",
  },
  {
    id: "other-magic",
    says: "this phone has the vendor's driver of the first kind: its requests have the magic 0xB2, and those of crosvm and QEMU have 'G'",
    certain: true,
    evidence: [
      call(MAKE, "EINVAL", 25, true),
      call(MAKE, "ENOTTY", 12, true),
      { of: "call", where: { generation: "legacy" }, points: -25 },
      { of: "called", where: { generation: "legacy" }, points: 10 },
      sign("not-read", 12, true),
      platform("legacy", 10),
      platform(["ack-6.1", "ack-6.6", "ack-6.12"], -8),
      { of: "called", where: { call: MAKE }, points: -20 },
    ],
    tries: [
      "take a phone with SM8650 or newer, or a VMM that speaks the vendor's requests",
      "a kernel of android14-6.1 or newer has the other driver, if the phone's hypervisor fits it",
    ],
    asks: ["the kernel's version: `uname -r`; 5.15 is the vendor's driver"],
    book: ["vm-manager", "2.1"],
    mystery: "14-other-magic",
  },
  {
    id: "lent-queue",
    says: "the guest's kernel was built without DMA_RESTRICTED_POOL: its queues and buffers are in RAM, which is lent to a protected VM",
    certain: true,
    evidence: [
      sign("lent", 15, true),
      sign("queue-lent", 10),
      sign("option-off", 15, true),
      sign("pool", -25),
      { of: "lent", where: { device: ANY }, points: -8 },
    ],
    tries: [
      "build the guest's kernel with CONFIG_DMA_RESTRICTED_POOL=y, and give the VM a pool (crosvm: --swiotlb 64)",
      "or share the VM's memory with the host instead of lending it",
    ],
    asks: ["the guest kernel's configuration: `zcat /proc/config.gz | grep DMA_RESTRICTED_POOL`"],
    book: ["resource-manager", "7.6"],
    mystery: "15-lent-queue",
  },
  {
    id: "device-without-access-platform",
    says:
      "this one device does not offer VIRTIO_F_ACCESS_PLATFORM (a vhost-user backend often does not), so its driver does not use the pool",
    certain: true,
    evidence: [
      sign("no-access-platform", 30, true),
      sign("pool", 3),
      { of: "lent", where: { device: ANY }, points: 30, must: true },
      sign("queue-lent", -15),
      sign("option-off", -15),
    ],
    tries: ["have the device offer feature bit 33, or run the VM without it: other devices that work have it"],
    book: ["resource-manager", "7.6"],
    mystery: "16-device-without-access-platform",
  },
  {
    id: "huge-pages",
    says: "the host's memory is too fragmented: there are no pages of 2 MiB for all of the VM's memory",
    certain: false,
    evidence: [sign("huge-pages", 25, true), no("hypercall", { call: "addrspace_map" }), platform(["ack-6.6", "ack-6.12"], 2)],
    tries: [
      "reserve the memory early after a reboot, before other programs fragment it",
      "give the VM less memory; 1 GiB and more fail first",
    ],
    asks: [DMESG],
    mystery: "17-huge-pages",
  },
  {
    id: "unpinnable-page",
    says: "a page of the VMM is in a CMA area or is otherwise not movable, so that it cannot be pinned for long",
    certain: true,
    evidence: [
      { of: "call", where: { call: REGION, errno: "ENOMEM", when: "after" }, points: 25, must: true },
      { of: "call", where: { call: REGION, errno: "ENOMEM", nth: { from: 30 } }, points: -10 },
    ],
    tries: ["allocate the buffer as unmovable memory, or allocate another one and try again"],
    book: ["vm-manager", "5.1"],
    mystery: "20-unpinnable-page",
  },
  {
    id: "fault-loop",
    says: "a guest that takes the same exception again and again never leaves its CPU: the host's watchdog resets the phone",
    certain: true,
    evidence: [sign("bite", 22, true)],
    tries: ["give the guest a vector table (VBAR_EL1) before anything that can fault, also before its first floating-point instruction"],
    asks: ["the guest's image: run it here, and el2 names the first exception"],
    mystery: "23-fault-loop",
  },
  {
    id: "sysreg-without-feature",
    says: "the guest reads a register of a feature that an ID register promises and the hypervisor does not have",
    certain: true,
    evidence: [sign("trap", 30, true), sign("raz", 3)],
    tries: ["hide the feature from the guest: in QEMU, `-cpu max,sme=off`; or run a newer hypervisor"],
    book: ["hypervisor", "6.7"],
    mystery: "24-sysreg-without-feature",
  },
  {
    id: "idle-watchdog",
    says: "the driver first turns the watchdog off, and SM8650's hypervisor refuses to turn off one that is off",
    certain: true,
    evidence: [{ of: "watchdog", where: { errno: ["EINVAL", "EOPNOTSUPP"] }, points: 30, must: true }, sign("watchdog", 10, true)],
    tries: ["take a version of gunyah_wdt whose probe does not disable the watchdog"],
    book: ["hypervisor", "7.2"],
    mystery: "25-idle-watchdog",
  },
  {
    id: "silent-geniezone",
    says: "the chip has GenieZone, and its firmware does not start it, or does not name it in the devicetree: the module is fine",
    certain: true,
    evidence: [
      sign("conduit", 30, true),
      sign("no-gz-node", 25, true),
      { of: "no-node", where: { path: "/dev/gzvm" }, points: 20, must: true },
      { of: "module-refused", where: { module: ["gzvm.ko", "gzvm"], reason: "No such device" }, points: 22, must: true },
      sign("gz-memory", 12, true),
      { of: "node", where: { path: "/dev/gzvm" }, points: -30 },
    ],
    tries: [
      "look for the node: `find /proc/device-tree -iname '*genie*'`; without it the driver is never asked",
      "ask EL2 directly with an HVC (0xC6000000 | 0): 0 is a hypervisor that answers",
    ],
    book: ["geniezone", "11"],
    mystery: "26-silent-geniezone",
  },
  {
    id: "kvm-on-gunyah",
    says: "this kernel is Gunyah's primary VM: Gunyah has EL2, so /dev/kvm cannot exist",
    certain: true,
    evidence: [sign("no-hyp-mode", 25, true), sign("host", 10)],
    tries: [
      "use /dev/gunyah, or skip the test there: the kernel is right",
      "for KVM, the firmware has to start Linux at EL2, without Gunyah",
    ],
    book: ["hypervisor", "1.5"],
    mystery: "28-kvm-on-gunyah",
  },
  {
    id: "datamatch",
    says: "the flag of an ioeventfd that compares data is 1, and crosvm sends 2",
    certain: true,
    evidence: [
      { of: "call", where: { call: "GH_VM_ADD_FUNCTION", errno: "EINVAL", function: "ioeventfd" }, points: 30, must: true },
      call("GH_VM_ADD_FUNCTION", "EINVAL", 15, true),
    ],
    tries: ["take a crosvm that sends GH_IOEVENTFD_FLAGS_DATAMATCH as 1, or devices without compared doorbells"],
    book: ["vm-manager", "10"],
    mystery: "29-datamatch",
  },
  {
    id: "unresolved-page-fault",
    says: "a page fault of the VM was not resolved, and crosvm does not know that exit: it ends the VM",
    certain: true,
    evidence: [
      { of: "exit", where: { reason: 3 }, points: 20, must: true },
      { of: "page-fault", where: { errno: ["ENOENT", "EPERM", "EIO", "EFAULT"] }, points: 22, must: true },
    ],
    tries: [
      "ENOENT: the guest wrote to memory that no region gives it: compare its devicetree with the regions",
      "EPERM: it wrote to a region without WRITE; ENOMEM: see the kernel's log",
    ],
    asks: [DMESG],
    book: ["vm-manager", "5.4"],
    mystery: "29-datamatch",
  },
  {
    id: "large-devicetree",
    says:
      "EDK2 for Gunyah copies the devicetree into 32 KiB before its code, and this one is larger; it also uses the first range of /memory alone",
    certain: false,
    evidence: [
      { of: "tree", where: { bytes: { from: 32 * 1024 + 1 } }, points: 20, must: true },
      sign("firmware", 8),
      { of: "lint", where: { kind: "refused" }, points: -10 },
    ],
    tries: ["pass a devicetree of at most 32 KiB, whose memory is one range"],
    book: ["vm-manager", "14.3"],
    mystery: "30-large-devicetree",
  },
  {
    id: "wfi-returns",
    says:
      "the vCPUs never block: WFI returns at once, by a build option of the hypervisor (EL2-idle) or because an interrupt stays pending",
    certain: false,
    evidence: [sign("busy-vmm", 20, true)],
    tries: ["build the hypervisor with VCPU_IDLE_IN_EL1 = 1; or find the interrupt that the guest masks and never takes"],
    mystery: "32-wfi-returns",
  },
];
