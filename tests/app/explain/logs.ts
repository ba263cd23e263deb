// Logs as phones print them, in the words of the drivers and VMMs, and the cause that comes first.
// Each is a report that docs/spec/phones.md names; addresses, times and sizes are others.

import { ROOT } from "../../support/files.ts";
import { HOST_LOGS } from "./host-logs.ts";
import { MACHINE_LOGS } from "./machine-logs.ts";
import { REPORT_SAMPLES } from "../../diagnosis/report-samples.ts";
import type { LogFile } from "../../../src/app/explain/read.ts";

const encoder = new TextEncoder();

/** A text, or the file of the checkout that follows an @. */
export function bytesOfText(text: string): Uint8Array {
  return text.startsWith("@") ? Deno.readFileSync(new URL(text.slice(1), ROOT)) : encoder.encode(text);
}

export function logFiles(files: Readonly<Record<string, string>>): LogFile[] {
  return Object.entries(files).map(([name, text]) => ({ name, bytes: bytesOfText(text) }));
}

export interface ReportedLog {
  /** The report: a section of phones.md §B, or what it is about. */
  readonly report: string;
  readonly files: Readonly<Record<string, string>>;
  /** The id of the first cause. */
  readonly first: string;
}

const crosvm = (text: string) =>
  text.trimStart().replaceAll(/^(DEBUG|INFO|WARN|ERROR) /gm, (_, level) => `[2026-03-01T10:20:30.123456789+00:00 ${level.padEnd(5)} `);

/** Each a report of a public thread about a VMM and what its host lacks for it. */
const OF_HOSTS: readonly ReportedLog[] = [
  {
    report: "a TAP interface that QEMU may not have",
    files: {
      "qemu.txt":
        "qemu-system-aarch64: -netdev tap,id=n0,ifname=tap0,script=no,downscript=no: could not configure /dev/net/tun (tap0): Operation not permitted\n",
    },
    first: "tap-refused",
  },
  {
    report: "a TAP interface of another VM",
    files: { "qemu.txt": "qemu-system-aarch64: could not configure /dev/net/tun (tap0): Device or resource busy\n" },
    first: "tap-busy",
  },
  {
    report: "a host without TAP interfaces",
    files: { "qemu.txt": "qemu-system-aarch64: -netdev tap,id=net0: could not open /dev/net/tun: No such file or directory\n" },
    first: "no-tun",
  },
  {
    report: "a TAP interface that crosvm may not open",
    files: {
      "crosvm.txt": crosvm(
        "INFO crosvm::crosvm::sys::linux] crosvm entering multiprocess mode\nERROR crosvm] exiting with error 1: failed to open tap device\n\n" +
          "Caused by:\n    failed to open /dev/net/tun: Permission denied (os error 13)\n",
      ),
    },
    first: "tap-refused",
  },
  {
    report: "a TAP interface that crosvm may not make",
    files: {
      "crosvm.txt": crosvm(
        "ERROR crosvm] exiting with error 1: the architecture failed to build the vm\n\nCaused by:\n    0: error creating devices\n" +
          "    1: failed to create tap interface: Operation not permitted (os error 1)\n",
      ),
    },
    first: "tap-refused",
  },
  {
    report: "vhost for crosvm's network",
    files: {
      "crosvm.txt": crosvm(
        "ERROR crosvm] exiting with error 1: failed to set up vhost networking\n\nCaused by:\n    failed to open vhost device: No such file or directory (os error 2)\n",
      ),
    },
    first: "no-vhost-net",
  },
  {
    report: "memory tags without a host that has them",
    files: { "qemu.txt": "qemu-system-aarch64: mach-virt: KVM does not support providing MTE to the guest CPU\n" },
    first: "no-mte",
  },
  {
    report: "a flat test of KVM by kvmtool",
    files: {
      "lkvm.txt": `  # lkvm run -k arm/cache.flat -m 256 -c 2 --name guest-2001
  Warning: Kernel image magic not matching
  Warning: unable to translate host address 0x910100a502a00011 to guest
  Fatal: kernel image too big to contain in guest memory.
`,
    },
    first: "bad-image",
  },
  {
    report: "a small VM of kvmtool",
    files: {
      "lkvm.txt": "  # lkvm run -k Image -m 16 -c 1 --name guest-2002\n  Fatal: kernel image too big to contain in guest memory.\n",
    },
    first: "small-guest",
  },
];

/** Each a report of a public thread about KVM on arm64, crosvm or Android's framework. */
const OF_KVM: readonly ReportedLog[] = [
  {
    report: "KVM on big and little cores",
    files: {
      "virt-manager.txt": `Unable to complete install: 'internal error: process exited while connecting to monitor: \
2026-02-03T04:05:06.070809Z qemu-system-aarch64: kvm_init_vcpu: kvm_arch_init_vcpu failed (3): Invalid argument'

Traceback (most recent call last):
  File "/usr/share/virt-manager/virtManager/asyncjob.py", line 72, in cb_wrapper
libvirt.libvirtError: internal error: process exited while connecting to monitor
`,
    },
    first: "kvm-cpu",
  },
  {
    report: "KVM and another model of CPU",
    files: {
      "shell.txt": `$ qemu-system-aarch64 -m 4096 -accel kvm -machine virt
qemu-system-aarch64: warning: dbind: AT-SPI: Error retrieving accessibility bus address: org.freedesktop.DBus.Error.ServiceUnknown
qemu-system-aarch64: KVM is not supported for this guest CPU type
qemu-system-aarch64: kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Invalid argument
`,
    },
    first: "kvm-cpu",
  },
  {
    report: "KVM without a GIC",
    files: {
      "strace.txt": `[pid  2718] ioctl(9, KVM_CHECK_EXTENSION, KVM_CAP_ARM_USER_IRQ) = 0
[pid  2718] write(2, "qemu-system-aarch64: Initializat"..., 152qemu-system-aarch64: Initialization of device arm_gic failed: \
KVM with user space irqchip only works when the host kernel supports KVM_CAP_ARM_USER_IRQ
`.replaceAll("\\\n", ""),
    },
    first: "kvm-without-gic",
  },
  {
    report: "KVM and the machine's default GIC",
    files: {
      "shell.txt": "qemu-kvm: PMU: KVM_SET_DEVICE_ATTR: Invalid argument\nqemu-kvm: failed to set irq for PMU\nAborted (core dumped)\n",
    },
    first: "kvm-other-gic",
  },
  {
    report: "KVM and the machine's default GIC, by an older QEMU",
    files: { "log.txt": 'time="2026-03-01" msg="boot"\nKVM_SET_DEVICE_ATTR failed: No such device\nqemu exited: signal: aborted\n' },
    first: "kvm-other-gic",
  },
  {
    report: "KVM that is root's",
    files: {
      "shell.txt":
        "Could not access KVM kernel module: Permission denied\nqemu-system-aarch64: -accel kvm: failed to initialize kvm: Permission denied\n",
    },
    first: "closed-device",
  },
  {
    report: "no KVM",
    files: {
      "shell.txt":
        "Could not access KVM kernel module: No such file or directory\nqemu-system-aarch64: failed to initialize KVM: No such file or directory\n",
    },
    first: "no-kvm",
  },
  {
    report: "no KVM, by kvmtool",
    files: {
      "shell.txt": `# lkvm run -k Image -c 2 -m 512
  Error: '/dev/kvm' not found. Please make sure your kernel has CONFIG_KVM enabled and that the KVM modules are loaded.
  Fatal: Initialisation failed
`,
    },
    first: "no-kvm",
  },
  {
    report: "no KVM, and nothing that speaks for Gunyah",
    files: {
      "boot.txt": "[    0.061221] CPU: All CPU(s) started at EL1\n[    0.711102] kvm [1]: HYP mode not available\n",
      "shell.txt": "Could not access KVM kernel module: No such file or directory\n",
    },
    first: "no-kvm",
  },
  {
    report: "KVM that is root's, by crosvm",
    files: {
      "log.txt": crosvm(`
ERROR crosvm] exiting with error 1: failed to open KVM device /dev/kvm

Caused by:
    Permission denied (os error 13)
`),
    },
    first: "closed-device",
  },
  {
    report: "no KVM, by crosvm",
    files: {
      "log.txt": crosvm(`
INFO crosvm::crosvm::cmdline] crosvm started.
ERROR crosvm] exiting with error 1: failed to open KVM device /dev/kvm

Caused by:
    No such file or directory (os error 2)
`),
    },
    first: "no-kvm",
  },
  {
    report: "KVM without a GIC, by crosvm",
    files: {
      "log.txt": crosvm(`
DEBUG crosvm::crosvm::sys::linux] creating hypervisor: Kvm { device: Some("/dev/kvm") }
ERROR crosvm] exiting with error 1: failed to create IRQ chip

Caused by:
    No such device (os error 19)
`),
    },
    first: "kvm-without-gic",
  },
  {
    report: "a disk of two VMs, by crosvm",
    files: {
      "log.txt": crosvm(`
INFO crosvm::crosvm::sys::linux::device_helpers] Trying to attach block device: /data/vm/rootfs.img
ERROR crosvm] exiting with error 1: failed to lock disk image /data/vm/rootfs.img

Caused by:
    Resource temporarily unavailable (os error 11)
`),
    },
    first: "locked-disk",
  },
  {
    report: "a disk of two VMs, by QEMU",
    files: {
      "shell.txt": `qemu-system-aarch64: -drive file=root.qcow2,if=virtio: Failed to get "write" lock
Is another process using the image [root.qcow2]?
`,
    },
    first: "locked-disk",
  },
  {
    report: "a VMM that Android's low memory killer has ended",
    files: {
      "logcat.txt":
        `03-11 20:14:02.118   611   611 I lowmemorykiller: Kill 'crosvm' (19233), uid 10195, oom_score_adj 0 to free 2310412kB rss, 88120kB \
swap; reason: device is low on swap (402MB < 409MB) and thrashing (112%)
03-11 20:14:02.301 18820 18841 I virtmgr : crosvm(19233) exited with status signal: 9 (SIGKILL)
`,
    },
    first: "host-memory",
  },
  {
    report: "a guest larger than the host",
    files: { "shell.txt": "qemu-system-aarch64: cannot set up guest memory 'mach-virt.ram': Cannot allocate memory\n" },
    first: "unavailable-memory",
  },
  ...["vhost-vsock: failed to open vhost device", "Could not open '/dev/vhost-vsock'"].map((what): ReportedLog => ({
    report: `sockets without vhost: ${what}`,
    files: { "shell.txt": `qemu-system-aarch64: -device vhost-vsock-pci,guest-cid=3: ${what}: No such file or directory\n` },
    first: "no-vhost",
  })),
  {
    report: "no KVM, beside Gunyah",
    files: {
      "boot.txt": `[    0.010000] CPU: All CPU(s) started at EL1
[    5.700000] kvm [1]: HYP mode not available
[    6.000000] gunyah_rsc_mgr hypervisor:qcom,resource-mgr: Running under Gunyah hypervisor 1000001/v0
`,
      "shell.txt": "Could not access KVM kernel module: No such file or directory\n",
    },
    first: "kvm-on-gunyah",
  },
  {
    report: "memory above 32 bits",
    files: { "qemu.log": "qemu-system-aarch64: Addressing limited to 32 bits, but memory exceeds it by 2147483648 bytes\n" },
    first: "address-bits",
  },
  {
    report: "a memory map above the CPU's addresses",
    files: { "qemu.log": "qemu-system-aarch64: VCPU supports less PA bits (36) than requested by the memory map (40)\n" },
    first: "address-bits",
  },
  {
    report: "EL2 for a guest of KVM",
    files: {
      "qemu.log": "qemu-system-aarch64: mach-virt: host kernel KVM does not support providing Virtualization extensions to the guest CPU\n",
    },
    first: "no-nested",
  },
  {
    report: "an access that KVM does not decode",
    files: {
      "dmesg.txt": "[ 8123.400000] kvm [10652]: load/store instruction decoding not implemented\n",
      "qemu.log": "error: kvm run failed Function not implemented\n PC=000000004025b5f4 X00=0000000009000030 X01=0000000000000000\n",
    },
    first: "no-syndrome",
  },
  {
    report: "a register that KVM does not know",
    files: {
      "dmesg.txt": `[60112.158666] kvm [13911]: Unsupported guest sys_reg access at: ffff80001003c2b4 [20400085]
[60112.172133] kvm [13911]:  { Op0( 3), Op1( 0), CRn(10), CRm( 4), Op2( 4), func_read },
`,
    },
    first: "sysreg-without-feature",
  },
  {
    report: "pKVM's panic",
    files: {
      "console.txt": `[   98.916444][  T426] kvm [426]: nVHE hyp panic at: [<ffffffc0096156fc>] __kvm_nvhe_handle_trap+0x8/0x34!
[   98.918360][  T426] kvm [426]: nVHE call trace:
[   98.930000][  T426] Kernel panic - not syncing: HYP panic:
`,
    },
    first: "kvm-panic",
  },
  {
    report: "crosvm without the host's sockets",
    files: {
      "crosvm.txt":
        `[2026-03-07T20:04:05.311805004+08:00 ERROR crosvm] crosvm has exited with error: failed to set up virtual socket device: \
failed to open virtual socket device: No such file or directory (os error 2)
`.replaceAll("\\\n", ""),
    },
    first: "no-vhost",
  },
  {
    report: "crosvm whose sockets are root's",
    files: {
      "crosvm.txt": `[2026-03-01T10:20:30.123456789+00:00 ERROR crosvm] exiting with error 1: failed to set up virtual socket device

Caused by:
    0: failed to open virtual socket device /dev/vhost-vsock
    1: Permission denied (os error 13)
`,
    },
    first: "closed-device",
  },
  {
    report: "a stored configuration of another Android",
    files: {
      "crash.txt": `type: crash
package: com.android.virtualization.terminal:36, targetSdk 36
java.lang.RuntimeException: cannot create runner
\tat com.android.virtualization.terminal.VmLauncherService.doStart(VmLauncherService.kt:239)
Caused by: android.system.virtualmachine.VirtualMachineException: Persisted VM config is invalid
\tat android.system.virtualmachine.VirtualMachineConfig.fromInputStream(VirtualMachineConfig.java:300)
`,
    },
    first: "stale-configuration",
  },
];

/** Reports of a guest's kernel about itself, on the console of a VM. */
const OF_KERNELS: readonly ReportedLog[] = Object.entries(REPORT_SAMPLES).flatMap(([kind, { lines }]) => {
  const text = ["Hardware name: linux,dummy-virt (DT)", ...lines].map((line, index) => `[   ${10 + index}.100000] ${line}\n`).join("");
  return kind === "suspended" ? [] : [{ report: `a kernel's report, ${kind}`, files: { "console.txt": text }, first: `report-${kind}` }];
});

export const REPORTED: readonly ReportedLog[] = [
  ...OF_KERNELS,
  ...OF_HOSTS,
  ...HOST_LOGS,
  ...MACHINE_LOGS,
  ...OF_KVM,
  {
    report: "B1",
    files: {
      "dmesg.txt": `
[  120.100000] gunyah_rsc_mgr hypervisor:qcom,resource-manager-rpc@5b1e0a77c3d9f204: RM rejected message 56000004. Error: 2
[  120.100100] misc gunyah: Failed to start VM: -19
`,
      "strace.txt": `
openat(AT_FDCWD, "/dev/gunyah", O_RDWR|O_CLOEXEC) = 5
ioctl(5, _IOC(_IOC_NONE, 0x47, 0, 0), 0) = 6
ioctl(6, _IOC(_IOC_WRITE, 0x41, 0x11, 0x20), 0x7ffd1c6400) = 0
ioctl(6, 0x40204701, 0x7ffd1c6400)      = 0
[pid  4721] ioctl(6, _IOC(_IOC_WRITE, 0x47, 0x2, 0x10), 0x7ffd1c6300 <unfinished ...>
[pid  4722] futex(0x7b00, FUTEX_WAIT_PRIVATE, 2, NULL) = 0
[pid  4721] <... ioctl resumed>)        = 0
[pid  4721] ioctl(6, 0x4703, 0)         = -1 ENODEV (No such device)
`,
    },
    first: "shared-without-node",
  },
  {
    report: "B4",
    files: { "strace.txt": `ioctl(7, _IOC(_IOC_WRITE, 0x47, 0xa, 0x10), 0x7fe0) = -1 ENODEV (No such device)\n` },
    first: "boot-context",
  },
  {
    report: "B5",
    files: {
      "dmesg.txt": `
[ 4012.771201] crosvm: page allocation failure: order:10, mode:0x40dc0(GFP_KERNEL|__GFP_COMP|__GFP_ZERO), nodemask=(null),cpuset=/,mems_allowed=0
[ 4012.771240] Call trace:
[ 4012.771300]  gh_vm_mem_alloc+0x1a4/0x5e0 [gunyah]
`,
      "crosvm.txt": crosvm(`
ERROR crosvm] exiting with error 1: failed to create vm

Caused by:
    Cannot allocate memory (os error 12)
`),
    },
    first: "contiguous-memory",
  },
  {
    report: "B6, by its kernel's log",
    files: {
      "dmesg.txt": `
<6>[  512.001000] qcom_scm firmware:qcom_scm: Assign memory protection call failed -22
<4>[  512.001400] misc gunyah: Failed to lend parcel 0: -22
`,
    },
    first: "secure-world",
  },
  {
    report: "B6, by its VMM alone",
    files: {
      "stderr.txt": `Kernel: 6.1.118-android14-11-g0123456789ab\n` + crosvm(`
INFO hypervisor::gunyah::mthp] GH: preparing LEND region: hva=0x7a12000000 size=0x1bc00000 (444 MB)
INFO hypervisor::gunyah::mthp] GH: Phase 1: mTHP not available
ERROR crosvm] exiting with error 1: the architecture failed to build the vm

Caused by:
    failed to initialize virtual machine No such device (os error 19)
`),
    },
    first: "secure-world",
  },
  {
    report: "B7",
    files: {
      "crosvm.txt": crosvm(`
DEBUG crosvm::crosvm::sys::linux] creating hypervisor: Gunyah { device: Some("/dev/gunyah") }
ERROR crosvm] exiting with error 1: the architecture failed to build the vm

Caused by:
    failed to initialize virtual machine Out of memory (os error 12)
`),
      "dmesg.txt": `
[ 7001.500000] misc gunyah: Failed to allocate parcel for DTB: -12
[ 7001.500200] gunyah_rsc_mgr hypervisor:qcom,resource-manager-rpc@77d3a1: RM rejected message 51000015. Error: 7
[ 7001.500210] misc gunyah: Failed to reclaim parcel: -22
[ 7001.500215] misc gunyah: Failed to reclaim firmware parcel: -22
`,
    },
    first: "locked-memory",
  },
  {
    report: "B8",
    files: {
      "dmesg.txt": `
[ 9100.000100] gh_rsc_mgr hypervisor: RM rejected message 51000012. Error: 2
[ 9100.000200] misc gunyah: Failed to lend parcel 1: -19
`,
    },
    first: "leaked-parcels",
  },
  {
    report: "B9",
    files: {
      "strace.txt": `${
        "ioctl(6, 0x40204701, 0x7ffd1c6400) = 0\n".repeat(39)
      }ioctl(6, 0x40204701, 0x7ffd1c6400) = -1 ENODEV (No such device)\n`,
    },
    first: "many-shares",
  },
  {
    report: "B10",
    files: {
      "strace.txt": `${
        "ioctl(6, 0x40204701, 0x7ffd1c6400) = 0\n".repeat(1019)
      }ioctl(6, 0x40204701, 0x7ffd1c6400) = -1 ENODEV (No such device)\n`,
    },
    first: "small-steps",
  },
  {
    report: "B11",
    files: {
      "logcat.txt":
        `11-02 10:11:12.345  3210  3222 F libc    : Fatal signal 7 (SIGBUS), code 3 (BUS_OBJERR), fault addr 0x7a00 in tid 3222 (crosvm_vcpu0), pid 3210 (crosvm)\n11-02 10:11:12.000  3210  3222 I crosvm  : [INFO hypervisor::gunyah] exit type 7\n`,
    },
    first: "page-death",
  },
  {
    report: "B12",
    files: {
      "dmesg.txt": `
[  611.100000] gunyah_vm_mgr: Failed to map guest address 0x00000000c1230000: 10
[  611.100010] gunyah_vm_mgr: Failed to map guest address 0x00000000c4560000: 10
[  611.100020] gunyah_vm_mgr: Failed to provide folio for guest addr: 00000000c1230000: -12
[  611.100030] gunyah_vm_mgr: Failed to provide folio for guest addr: 00000000c4560000: -12
`,
    },
    first: "page-tables",
  },
  {
    report: "B12, as words in a report",
    files: {
      "report.txt":
        "During affected sessions, later starts fail with:\n\n - Gunyah page fault, attempt=-12\n - vcpu: Out of memory\n - Failed to map guest address: GUNYAH_ERROR_NOMEM\n (10)\n - Failed to provide folio: -12\n",
    },
    first: "page-tables",
  },
  {
    report: "B12, the balloon",
    files: {
      "crosvm.txt": crosvm(
        "WARN hypervisor::gunyah] Gunyah failed to reclaim gunyah_address_range { guest_phys_addr: 2151677952, size: 4096 }\n",
      ).repeat(1112),
    },
    first: "page-tables",
  },
  {
    report: "B14",
    files: {
      "crosvm.txt": crosvm(`
DEBUG crosvm::crosvm::sys::unix] creating hypervisor: Gunyah { device: Some("/dev/gunyah") }
ERROR crosvm] exiting with error 1: failed to create vm

Caused by:
    Invalid argument (os error 22)
`),
    },
    first: "other-magic",
  },
  {
    report: "B14, read as a file",
    files: { "shell.txt": "$ cat /dev/gunyah\ncat: /dev/gunyah: Invalid argument\n" },
    first: "other-magic",
  },
  {
    report: "B15",
    files: {
      "crosvm.txt": crosvm(`
ERROR devices::virtio::queue] get_avail_index: host access to lent memory region at 0xb1234002 (purpose=GuestMemoryRegion) in protected VM
`),
    },
    first: "lent-queue",
  },
  {
    report: "B16",
    files: {
      "crosvm.txt": crosvm(`
ERROR devices::virtio::virtio_pci_device] pcivu-sound activate failed: failed to get host address: host access to lent memory region at 0x10aa00000 (purpose=GuestMemoryRegion) in protected VM
`),
    },
    first: "device-without-access-platform",
  },
  {
    report: "B17",
    files: {
      "stderr.txt": crosvm(
        "ERROR hypervisor::gunyah] page fault at 0xa1b2c000\nERROR crosvm::crosvm::sys::linux::vcpu] vcpu hit unknown error: Out of memory (os error 12)\n",
      ),
    },
    first: "huge-pages",
  },
  {
    report: "B20",
    files: { "strace.txt": "ioctl(6, 0x4703, 0) = 0\nioctl(6, 0x40204701, 0x7ffd1c6400) = -1 ENOMEM (Cannot allocate memory)\n" },
    first: "unpinnable-page",
  },
  {
    report: "B23",
    files: {
      "console.txt":
        "[  77.1] gh_vcpu_mgr: vcpu 0 runs\n[  201.000000] Watchdog bark! Now = 201.000000\n[  201.000400] Causing a watchdog bite!\n[ 201.0] Running under Gunyah hypervisor 0/v1\n",
    },
    first: "fault-loop",
  },
  {
    report: "B24",
    files: {
      "uart.txt": `
[RM] Starting Resource Manager, version: 0123456 (Mon Jan 1 00:00:00 2024 UTC)
[HYP] sysreg_read: unhandled TID3 trap, ISS: 0x34004d. RAZ
[HYP] Unhandled trap from VM 3, ESR_EL2 = 0x62380405, ELR_EL2 = 0xffffb0cd12345678
`,
    },
    first: "sysreg-without-feature",
  },
  {
    report: "B25",
    files: { "dmesg.txt": "[    2.100000] gunyah-wdt gunyah-wdt: probe with driver gunyah-wdt failed with error -22\n" },
    first: "idle-watchdog",
  },
  { report: "B26, by its module", files: { "shell.txt": "insmod: failed to load gzvm.ko: No such device\n" }, first: "silent-geniezone" },
  {
    report: "B26, by its driver",
    files: { "dmesg.txt": "[    3.3] gzvm geniezone-hyp: Not found available conduit\n" },
    first: "silent-geniezone",
  },
  {
    report: "B26, by what there is",
    files: {
      "shell.txt":
        "ls: /dev/gzvm: No such file or directory\n# ls /proc/device-tree/reserved-memory\nmblock-14-gz\nmblock-18-gz-log\nmblock-19-gz_ffa_mailbox\n",
    },
    first: "silent-geniezone",
  },
  { report: "B28", files: { "boot.txt": "[    0.090000] kvm [1]: HYP mode not available\n" }, first: "kvm-on-gunyah" },
  {
    report: "B29",
    files: {
      "crosvm.txt": crosvm(
        "ERROR crosvm] exiting with error 1: the architecture failed to build the vm\n\nCaused by:\n    failed to register ioevent to VM: Invalid argument (os error 22)\n",
      ),
    },
    first: "datamatch",
  },
  {
    report: "B29, the exit",
    files: {
      "crosvm.txt": crosvm(
        "WARN hypervisor::gunyah] unknown gh exit reason: 3\nERROR crosvm::crosvm::sys::linux::vcpu] vcpu hit unknown error: Invalid argument (os error 22)\n",
      ),
    },
    first: "unresolved-page-fault",
  },
  {
    report: "B12 with crosvm's exit",
    files: {
      "both.txt": crosvm("WARN hypervisor::gunyah] unknown gh exit reason: 3\n") +
        "[  489.1] gunyah_vm_mgr: Failed to map guest address 0x00000000d1111000: 10\n[  489.2] gunyah_vm_mgr: Failed to provide folio for guest addr: 00000000d1111000: -12\n",
    },
    first: "page-tables",
  },
  {
    report: "crosvm's sandbox",
    files: { "stderr.txt": crosvm(`ERROR crosvm] exiting with error 1: "/var/empty" is not a directory, cannot create jail\n`) },
    first: "sandbox",
  },
  {
    report: "virtmgr's limit",
    files: {
      "stderr.txt":
        "thread 'main' panicked at virtualizationmanager/src/main.rs:134:42:\nFailed to remove memlock rlimit: Status(-5, EX_ILLEGAL_STATE): 'Permission denied (os error 13)'\n",
    },
    first: "kept-limit",
  },
  {
    report: "microdroid without its disks",
    files: {
      "console.txt": crosvm(`DEBUG crosvm::crosvm::sys::linux] creating hypervisor: Gunyah { device: Some("/dev/gunyah") }\n`) + `
[    0.000000][    T0] Booting Linux on physical CPU 0x0000000000 [0x000f0480]
[    0.000000][    T0] Machine model: linux,dummy-virt
[   10.637150][    T1] init: partition(s) not found after polling timeout: super, vbmeta_a
[   10.645314][    T1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00
`,
    },
    first: "no-disk",
  },
  {
    report: "a VMM for another Android",
    files: {
      "stderr.txt":
        `CANNOT LINK EXECUTABLE "/data/data/app/usr/bin/crosvm": cannot locate symbol "_ZN7android6binder" referenced by "/system/lib64/libaudioclient.so"...\n`,
    },
    first: "other-android",
  },
  {
    report: "a QEMU for another version of a library",
    files: {
      "stderr.txt":
        `CANNOT LINK EXECUTABLE "qemu-system-aarch64": cannot locate symbol "nfs_open" referenced by "/data/usr/bin/qemu-system-aarch64"...\n`,
    },
    first: "other-android",
  },
  {
    report: "an option of another build",
    files: { "stderr.txt": crosvm("ERROR crosvm] arg parsing failed: Unrecognized argument: --prepare-lend-mthp-mode\n") },
    first: "other-build",
  },
  {
    report: "a closed device",
    files: { "shell.txt": "crw------- 1 root root 10, 117 2026-01-01 00:00 /dev/gunyah\nsh: /dev/gunyah: Permission denied\n" },
    first: "closed-device",
  },
  { report: "no driver", files: { "shell.txt": "ls: cannot access '/dev/gunyah': No such file or directory\n" }, first: "no-driver" },
  {
    report: "B2, with a tree",
    files: {
      "dmesg.txt": "[ 1.0] gunyah_rsc_mgr hypervisor: RM rejected message 56000004. Error: 2\n",
      "tree": "@examples/mysteries/02-node-without-parcel/bare.dtb",
    },
    first: "node-without-parcel",
  },
  {
    report: "B30",
    files: { "shell.txt": "crosvm run --bios edk2-gunyah.fd\n", "tree": "@examples/mysteries/30-large-devicetree/large.dtb" },
    first: "large-devicetree",
  },
  {
    report: "B32",
    files: {
      "top.txt":
        "[HYP] sysreg_read: unhandled TID3 trap, ISS: 0x34004d. RAZ\n 4711 me        20   0 4096000 212000  20000 R 798.7   1.3  10:11.12 qemu-system-aarch64\n",
    },
    first: "wfi-returns",
  },
  {
    report: "only VMs of Android's kind",
    files: { "dmesg.txt": "[ 1.0] gunyah: RM rejected message 5600000b. Error: 10\n[ 1.1] misc gunyah: Failed to initialize VM: -22\n" },
    first: "only-protected",
  },
  {
    report: "a refused devicetree",
    files: { "dmesg.txt": "[ 1.0] gunyah: RM rejected message 5600000b. Error: 8\n[ 1.1] misc gunyah: Failed to initialize VM: -22\n" },
    first: "refused-devicetree",
  },
  {
    report: "a devicetree outside of memory",
    files: { "dmesg.txt": "[ 1.0] misc gunyah: Failed to find the memory_handle for DTB\n" },
    first: "devicetree-range",
  },
  {
    report: "a guest's reset",
    files: { "crosvm.txt": crosvm("INFO hypervisor::gunyah] exit type 2\nINFO crosvm::crosvm::sys::linux::vcpu] system reset event\n") },
    first: "guest-reset",
  },
  {
    report: "a guest's panic",
    files: {
      "console.txt": crosvm("INFO crosvm::crosvm::sys::linux] creating hypervisor: Gunyah { device: None }\n") +
        "[ 1.0] Kernel panic - not syncing: Oops: Fatal exception\n",
    },
    first: "guest-panic",
  },
  {
    report: "GenieZone's regions",
    files: { "dmesg.txt": "[ 5.0] gzvm: Failed to register memregion to hypervisor\n" },
    first: "unmapped-region",
  },
  {
    report: "GenieZone's slots",
    files: { "strace.txt": "ioctl(4, _IOC(_IOC_WRITE, 0x92, 0x46, 0x20), 0x7ffd) = -1 ENXIO (No such device or address)\n" },
    first: "many-slots",
  },
  {
    report: "a module that is loaded",
    files: { "shell.txt": "insmod: failed to load /data/local/tmp/gzvm.ko: File exists\n" },
    first: "loaded-module",
  },
  {
    report: "a full pool",
    files: {
      "console.txt":
        "[ 0.1] Reserved memory: created restricted DMA pool at 0x00000000b0000000, size 8 MiB\n[ 9.0] virtio_blk: swiotlb buffer is full (sz: 65536 bytes), total 4096 (slots), used 4090 (slots)\n",
    },
    first: "full-pool",
  },
  {
    report: "no devicetree",
    files: {
      "console.txt":
        "[    0.000000] Error: invalid device tree blob at physical address 0x0000000080000004 (virtual address 0x0000000000000000)\n",
    },
    first: "no-devicetree",
  },
  {
    report: "the vendor's requests",
    files: {
      "strace.txt": 'openat(AT_FDCWD, "/dev/gunyah", O_RDWR) = 3\nioctl(3, 0xb201, 0) = -1 ENOTTY (Inappropriate ioctl for device)\n',
    },
    first: "vendor-requests",
  },
  {
    report: "a start too soon",
    files: { "dmesg.txt": "[ 1.0] gunyah: RM rejected message 5600000b. Error: 2\n[ 1.1] misc gunyah: Failed to initialize VM: -19\n" },
    first: "too-soon",
  },
  {
    report: "SELinux",
    files: {
      "dmesg.txt":
        '[ 3.0] type=1400 audit(0.0:12): avc: denied { read write } for comm="crosvm" name="gunyah" dev="tmpfs" ino=9 scontext=u:r:shell:s0 tcontext=u:object_r:vendor_gunyah_chr_device:s0 tclass=chr_file\n',
    },
    first: "closed-device",
  },
  {
    report: "KVM's requests",
    files: { "strace.txt": "ioctl(3</dev/gunyah>, KVM_GET_API_VERSION, 0) = -1 ENOTTY (Inappropriate ioctl for device)\n" },
    first: "kvm-requests",
  },
  {
    report: "an access to nothing",
    files: { "uart.txt": "[HYP] Unhandled trap from VM 45, ESR_EL2 = 0x93c08046, ELR_EL2 = 0xffff800080012345\n" },
    first: "ungranted-memory",
  },
  {
    report: "a parcel that is held",
    files: {
      "dmesg.txt":
        "[ 5.5] gh_vm_mgr: Failed to reclaim memory parcel for label 3: -16\n[ 5.6] gh_rsc_mgr: RM rejected message 51000015. Error: 5\n",
    },
    first: "held-parcel",
  },
  { report: "B7, in one line", files: { "out.txt": "crosvm: failed to create vm: Out of memory (os error 12)\n" }, first: "locked-memory" },
  {
    report: "B5, by the kernel alone",
    files: { "dmesg.txt": "[  100.0] crosvm: page allocation failure: order:9, mode:0x40dc0\n" },
    first: "contiguous-memory",
  },
  {
    report: "B14, in logcat",
    files: {
      "logcat.txt":
        "06-25 13:13:35.681  4711  4720 E crosvm  : exiting with error 1: failed to create vm\n06-25 13:13:35.681  4711  4720 E crosvm  :\n06-25 13:13:35.681  4711  4720 E crosvm  : Caused by:\n06-25 13:13:35.681  4711  4720 E crosvm  :     Invalid argument (os error 22)\n",
    },
    first: "other-magic",
  },
  {
    report: "a closed device, by crosvm",
    files: {
      "out.txt": crosvm("ERROR crosvm] exiting with error 1: failed to open Gunyah device /dev/gunyah\n") +
        "\nCaused by:\n    Permission denied (os error 13)\n",
    },
    first: "closed-device",
  },
  {
    report: "no driver, by crosvm",
    files: {
      "out.txt": crosvm(
        "ERROR crosvm] exiting with error 1: failed to open Gunyah device /dev/gunyah: No such file or directory (os error 2)\n",
      ),
    },
    first: "no-driver",
  },
  {
    report: "B2, in the Resource Manager's log",
    files: {
      "rm.log":
        "[RM] VM_CONFIG_IMAGE: from:3 vmid:69 auth:0 mp:4 img: 0/0 dt: 0x200000/0x200000\n[RM] VM_INIT: from:3 vmid:69\n[RM] No memparcel matching /reserved-memory/restricted_dma_reserved!\n[RM] VM_START: from:3 vmid:69, ret=2\n",
    },
    first: "node-without-parcel",
  },
  {
    report: "B8, in the Resource Manager's log",
    files: { "rm.log": "[RM] VM_ALLOCATE: 3 vmid=70, ret=0\n[RM] MEM_LEND VM 3 ret 2\n" },
    first: "leaked-parcels",
  },
  {
    report: "a VM's configuration, in the Resource Manager's log",
    files: { "rm.log": "[RM] handle_vcpu: invalid priority\n[RM] process_dtb: ret 6\n" },
    first: "refused-devicetree",
  },
  {
    report: "a watchdog's bite, in the Resource Manager's log",
    files: { "rm.log": "[RM] watchdog bite: VM 45, exit_code 1\n[RM] VM_EXIT: VM 45 exit_flags = 0, exit_code 1\n" },
    first: "guest-reset",
  },
  {
    report: "a kernel that is not loaded",
    files: {
      "crosvm.txt": crosvm(
        "ERROR crosvm] exiting with error 1: the architecture failed to build the vm: failed to load kernel: invalid magic\n",
      ),
    },
    first: "bad-image",
  },
  {
    report: "a CPU that does not start",
    files: { "console.txt": "[ 0.07] CPU1: failed to come online\n[ 0.08] psci: failed to boot CPU1 (-22)\n" },
    first: "missing-cpu",
  },
  {
    report: "features that a device refuses",
    files: {
      "console.txt":
        "[ 1.2] virtio_blk virtio0: device refuses features: f\n[ 1.3] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n",
    },
    first: "refused-features",
  },
  {
    report: "a host without memory",
    files: { "dmesg.txt": "[ 113.8] Out of memory: Killed process 8833 (crosvm) total-vm:10485760kB\n" },
    first: "host-memory",
  },
  {
    report: "a vendor's kernel whose Resource Manager refuses a start",
    files: {
      "dmesg.txt": `
[   41.500100] gh_rm_call: Reply for seq:118 failed with RM err: 10
[   41.500200] gh_rm_vm_init: Unable to send VM_INIT to RM: -22
`,
    },
    first: "only-protected",
  },
  {
    report: "a vendor's kernel without the image",
    files: {
      "dmesg.txt": `
[   12.100100] gh_secure_vm_loader soc:qcom,gh-secure-vm-loader@1: Error requesting fw "oemvm.mdt": -2
[   12.100200] gh_secure_vm_loader soc:qcom,gh-secure-vm-loader@1: Loading Secure VM oemvm failed -2
`,
    },
    first: "no-vm-image",
  },
  {
    report: "a Microdroid whose payload was updated",
    files: {
      "logcat.txt": `
03-01 10:00:03.120  2201  2214 I virtmgr : crosvm(2216) exited with status exit status: 0
03-01 10:00:03.121  2201  2214 I virtmgr : VM returned failure reason 'MICRODROID_PAYLOAD_HAS_CHANGED|apk 1'
`,
    },
    first: "changed-instance",
  },
  {
    report: "pvmfw and an image of another key",
    files: { "logcat.txt": "03-01 10:00:03.121  2201  2214 I virtmgr : VM returned failure reason 'PVM_FIRMWARE_PUBLIC_KEY_MISMATCH'\n" },
    first: "other-key",
  },
  {
    report: "pvmfw's own log of a kernel without a signature",
    files: { "vm.log": "[INFO] pVM firmware\n[ERROR] Failed to verify the payload: Invalid metadata\n" },
    first: "other-key",
  },
  {
    report: "pvmfw and a devicetree of another VMM",
    files: { "console.txt": "PVM_FIRMWARE_INVALID_FDT\r\n" },
    first: "refused-tree",
  },
  {
    report: "pvmfw and a ramdisk beyond the VM's memory",
    files: { "logcat.txt": "03-01 10:00:03.121  2201  2214 I virtmgr : VM returned failure reason 'PVM_FIRMWARE_INVALID_RAMDISK'\n" },
    first: "refused-payload",
  },
  {
    report: "pvmfw and a boot loader of another release",
    files: {
      "vm.log": '[INFO] pVM firmware\n[ERROR] Invalid BCC Handover: InvalidInput("missing")\n',
    },
    first: "pvmfw-handover",
  },
  {
    report: "a module of the guest's that uses an address without memory",
    files: {
      "console.txt": `[   10.100000] Unable to handle kernel paging request at virtual address ffff80008a5d0000
[   10.100100] Mem abort info:
[   10.100200]   ESR = 0x0000000096000007
[   10.100300] Internal error: Oops: 0000000096000007 [#1] PREEMPT SMP
[   10.100400] Modules linked in: sample(O)
[   10.100500] CPU: 1 PID: 73 Comm: insmod Tainted: G           O       6.6.0 #1
[   10.100600] Hardware name: linux,dummy-virt (DT)
[   10.100700] pc : sample_ring+0x34/0x90 [sample]
`,
    },
    first: "guest-address",
  },
  {
    report: "a module of the guest's that uses a pointer that is zero",
    files: {
      "console.txt": `[   10.100000] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000018
[   10.100300] Internal error: Oops: 0000000096000004 [#1] SMP
[   10.100600] Hardware name: QEMU KVM Virtual Machine, BIOS 2023.11-8 02/21/2024
[   10.100700] pc : sample_probe+0x34/0x90 [sample]
[   10.200000] Kernel panic - not syncing: Oops: Fatal exception
`,
    },
    first: "guest-null",
  },
  {
    report: "a guest's kernel that reads through a pointer that is zero, with its modules",
    files: {
      "console.txt": `[  187.300000] Unable to handle kernel read from unreadable memory at virtual address 0000000000000000
[  187.400000] Internal error: Oops: 96000004 [#1] SMP
[  187.500000] Modules linked in: ip_tables x_tables autofs4 virtio_rng virtio_blk
`,
    },
    first: "guest-null",
  },
  {
    report: "a guest's kernel that frees memory twice",
    files: {
      "console.txt": `[   10.100000] kernel BUG at mm/slub.c:435!
[   10.100300] Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP
[   10.100600] Hardware name: linux,dummy-virt (DT)
[   10.100700] pc : __slab_free+0x154/0x2a0
`,
    },
    first: "guest-bug",
  },
  {
    report: "a disk without the partition that the command line names",
    files: {
      "console.txt": `[    1.204411] VFS: Cannot open root device "/dev/vda2" or unknown-block(0,0): error -6
[    1.204912] Please append a correct "root=" boot option; here are the available partitions:
[    1.205501] fe00         2097152 vda
[    1.205502]  driver: virtio_blk
[    1.206000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
`,
    },
    first: "no-partition",
  },
  {
    report: "a VM without the disk that its command line names",
    files: {
      "console.txt": `[    0.904411] VFS: Cannot open root device "vda" or unknown-block(0,0): error -6
[    0.906000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
`,
    },
    first: "no-disk",
  },
];

/** Failures in words that no form has, with the call that they name and its errno. */
export const SPOKEN: readonly (readonly [line: string, call: string | undefined, errno: string | undefined])[] = [
  ["[ 5.1] gunyah_vm_mgr: cannot create a vm: -12", "GH_CREATE_VM", "ENOMEM"],
  ["[ 5.1] gh_secure_vm_loader soc:qcom,gh-secure-vm-loader@0: VM_START failed for vmid 45 ret=-22", "GH_VM_START", "EINVAL"],
  ["[ 5.1] gzvm: could not create vm: failed (-12)", "GZVM_CREATE_VM", "ENOMEM"],
  ["06-01 10:11:12.333  1234  1234 E crosvm  : failed to run devices: failed to start the vm: ENODEV", "GH_VM_START", "ENODEV"],
  ["06-01 10:11:12.335  1234  1234 E virtmgr : VM died: HANGUP", undefined, undefined],
  ["qemu-system-aarch64: failed to create Gunyah VM: Operation not permitted", "GH_CREATE_VM", "EPERM"],
  [
    "[2026-03-01T10:20:30.123+00:00 ERROR devices::virtio::vsock] failed to open vhost device: No such file or directory (os error 2)",
    undefined,
    "ENOENT",
  ],
];
