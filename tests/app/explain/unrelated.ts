// Logs that have nothing to do with VMs of Gunyah or GenieZone, in many forms.

export const UNRELATED: Readonly<Record<string, string>> = {
  "apt": `Start-Date: 2026-03-01  10:00:00
Commandline: apt-get install -y qemu-utils
E: Failed to fetch http://deb.example.org/pool/x.deb  404  Not Found
E: Sub-process /usr/bin/dpkg returned an error code (1)
`,
  "dpkg": "2026-03-01 10:00:01 status half-configured libvirt0:amd64 9.0.0-4\n2026-03-01 10:00:02 configure man-db:amd64 2.11.2-2 <none>\n",
  "npm": `npm verb cli /usr/bin/node /usr/bin/npm
npm ERR! code ENOTTY
npm ERR! errno -25
npm ERR! Error: EINVAL: invalid argument, open '/dev/null'
`,
  "nginx": `10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] "GET /dev/gunyah-docs HTTP/1.1" 404 153 "-" "curl/8.0"
2026/03/01 10:00:00 [error] 12#12: *1 open() "/srv/x" failed (2: No such file or directory)
`,
  "postgres": `2026-03-01 10:00:00.123 UTC [4711] ERROR:  out of memory
2026-03-01 10:00:00.123 UTC [4711] DETAIL:  Failed on request of size 4194304 in memory context "ExecutorState".
`,
  "python": `Traceback (most recent call last):
  File "run.py", line 3, in <module>
    start()
OSError: [Errno 19] No such device
`,
  "kernel of a PC": `[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)
[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet
[    1.100000] usb 1-1: device descriptor read/64, error -71
[    2.300000] kworker/0:1: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)
[    9.000000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
`,
  "kernel of an arm64 board": `[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd083]
[    0.000000] Machine model: Raspberry Pi 4 Model B Rev 1.4
[    0.000000] psci: probing for conduit method from DT.
[    0.000000] psci: PSCIv1.1 detected in firmware.
[    0.000000] GICv3: CPU0: found redistributor 0 region 0:0x00000000ff160000
[    0.100000] CPU3: failed to come online
[    0.200000] swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 32768 (slots)
`,
  "kernel of a cloud machine": `[    0.000000] Hypervisor detected: KVM
[    1.000000] virtio_blk virtio2: [vda] 41943040 512-byte logical blocks (21.5 GB/20.0 GiB)
[    1.100000] virtio_net virtio0 ens3: renamed from eth0
`,
  "systemd": `Mar 01 10:00:00 host systemd[1]: Failed to start VM: 1.
Mar 01 10:00:01 host systemd[1]: libvirtd.service: Main process exited, code=exited, status=1/FAILURE
Mar 01 10:00:02 host kernel: audit: type=1400 apparmor="DENIED" operation="open" name="/dev/kvm"
`,
  "docker": `time="2026-03-01T10:00:00Z" level=error msg="failed to create task: Invalid argument (os error 22)"
Error response from daemon: failed to create shim task: OCI runtime create failed
`,
  "cargo": `error[E0308]: mismatched types
  --> src/main.rs:3:5
error: could not compile \`x\` due to previous error
thread 'main' panicked at 'called Result::unwrap()': Os { code: 12, kind: OutOfMemory, message: "Cannot allocate memory" }
`,
  "java": `Exception in thread "main" java.io.IOException: Permission denied (os error 13)
	at sun.nio.ch.FileDispatcherImpl.read0(Native Method)
`,
  "sshd":
    "Mar  1 10:00:00 host sshd[99]: Failed password for root from 10.0.0.1 port 22 ssh2\nMar  1 10:00:01 host sshd[99]: error: kex_exchange_identification\n",
  "logcat of an app": `03-01 10:00:00.123  1234  1250 E AndroidRuntime: FATAL EXCEPTION: main
03-01 10:00:00.124  1234  1250 E AndroidRuntime: java.lang.OutOfMemoryError: Failed to allocate a 4194304 byte allocation
03-01 10:00:00.200  1234  1250 F libc    : Fatal signal 7 (SIGBUS), code 2 (BUS_ADRERR), fault addr 0x7a00 in tid 1250 (RenderThread), pid 1234 (com.example)
03-01 10:00:00.300   600   600 I hw      : kernel 6.1.75-android14-11-g0123456789ab on SM8650
`,
  "strace of cat": `openat(AT_FDCWD, "/dev/tty", O_RDWR) = 3
ioctl(3, TCGETS, {c_iflag=ICRNL|IXON}) = 0
ioctl(1, TIOCGWINSZ, {ws_row=24, ws_col=80}) = 0
ioctl(4, FICLONE, 3)                    = -1 EOPNOTSUPP (Operation not supported)
ioctl(5, _IOC(_IOC_READ|_IOC_WRITE, 0x64, 0xa, 0x8), 0x7ffd) = -1 EINVAL (Invalid argument)
+++ killed by SIGBUS (core dumped) +++
`,
  "strace of a player":
    "ioctl(6, SNDRV_PCM_IOCTL_HW_PARAMS, 0x7ffd) = -1 EINVAL (Invalid argument)\nioctl(6, 0xc2604110, 0x7ffd) = -1 EINVAL (Invalid argument)\n",
  "listing of /dev": `crw-rw-rw- 1 root root 1, 3 Mar  1 10:00 null
crw--w---- 1 root tty  4, 1 Mar  1 10:00 tty1
crw-rw---- 1 root kvm 10, 232 Mar  1 10:00 kvm
`,
  "/proc/iomem of a PC": `00000000-00000fff : Reserved
00001000-0009fbff : System RAM
fee00000-fee00fff : Local APIC
`,
  "limits":
    "Limit                     Soft Limit           Hard Limit           Units\nMax locked memory         65536                65536                bytes\n",
  "git": "error: pathspec 'gunyah' did not match any file(s) known to git\nfatal: not a git repository\n",
  "make":
    "make[2]: *** [drivers/virt/gunyah/vm_mgr.o] Error 1\ndrivers/virt/gunyah/vm_mgr.c:12:10: fatal error: linux/gunyah.h: No such file or directory\n",
  "insmod of another module": "insmod: ERROR: could not insert module e1000e.ko: No such device\n",
  "SELinux of an app":
    `avc: denied { read } for pid=1 comm="app" name="kvm" dev="tmpfs" ino=1 scontext=u:r:untrusted_app:s0 tclass=chr_file permissive=0\n`,
  "a config": "# CONFIG_DMA_RESTRICTED_POOL is not set\n# CONFIG_GUNYAH is not set\nCONFIG_KVM=y\n",
  "an empty file": "",
  "a proxy's upstream":
    `2026/03/01 10:00:00 [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.0.2
2026/03/01 10:00:01 [warn] 31#31: 1024 worker_connections exceed open file resource limit: 512
`,
  "npm's conflict": `npm error code ERESOLVE
npm error ERESOLVE unable to resolve dependency tree
npm error Could not resolve dependency: peer react@"^17.0.0" from react-kvm@1.0.0
`,
  "gcc": `kvm_main.c: In function 'main':
kvm_main.c:12:9: error: implicit declaration of function 'start_vm' [-Wimplicit-function-declaration]
cc1: all warnings being treated as errors
make[2]: *** [scripts/Makefile.build:250: drivers/foo.o] Error 1
`,
  "a unit that failed": `Mar 01 10:00:00 host systemd[1]: db.service: Main process exited, code=exited, status=1/FAILURE
Mar 01 10:00:00 host systemd[1]: db.service: Failed with result 'exit-code'.
Mar 01 10:00:00 host systemd[1]: Failed to start db.service - Database.
`,
  "kernel of a laptop": `[    0.210000] x86/cpu: VMX (outside TXT) disabled by BIOS
[    0.300000] ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PC00.XHCI], AE_NOT_FOUND (20221020/dswload2-162)
[    1.900000] i915 0000:00:02.0: [drm] *ERROR* CPU pipe A FIFO underrun
[    7.700000] iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-so-a0-gf-a0-77.ucode failed with error -2
`,
  "a GPU's reset": `[ 1200.500000] amdgpu 0000:03:00.0: amdgpu: GPU reset begin!
[ 1200.600000] [drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, signaled seq=100, emitted seq=102
`,
  "an app's crash": `--------- beginning of crash
03-01 10:00:00.000  4711  4711 E AndroidRuntime: FATAL EXCEPTION: main
03-01 10:00:00.000  4711  4711 E AndroidRuntime: java.lang.IllegalStateException: VM is not running
03-01 10:00:00.000  4711  4711 E AndroidRuntime: 	at com.example.app.Main.start(Main.kt:12)
`,
  "a tombstone": `*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
Build fingerprint: 'google/husky/husky:15/AP4A/1:user/release-keys'
pid: 4711, tid: 4720, name: RenderThread  >>> com.example.app <<<
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x0000000000000010
`,
  "a phone's modem": `[   33.100000] qcom_q6v5_pas 4080000.remoteproc-mpss: fatal error received: mpss.c:1234
[   33.200000] remoteproc remoteproc0: crash detected in 4080000.remoteproc-mpss: type fatal error
[   33.900000] ath11k_pci 0000:01:00.0: failed to load board data file: -12
`,
  "a board's power": `[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x414fd0b1]
[    3.100000] hwmon hwmon1: Undervoltage detected!
[    4.000000] brcmfmac: brcmf_sdio_htclk: HT Avail timeout (1000000): clkctl 0x50
`,
  "kubelet":
    `E0301 10:00:00.000000    1234 pod_workers.go:1298] "Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"x\\" with CrashLoopBackOff"
`,
  "MySQL": `2026-03-01T10:00:00.000000Z 0 [ERROR] [MY-012592] [InnoDB] Operating system error number 13 in a file operation.
2026-03-01T10:00:00.000000Z 0 [ERROR] [MY-010119] [Server] Aborting
`,
  "CUDA": `RuntimeError: CUDA error: out of memory
CUDA kernel errors might be asynchronously reported at some other API call
`,
  "pip": `ERROR: Could not find a version that satisfies the requirement gunyah==9 (from versions: none)
ERROR: No matching distribution found for gunyah==9
`,
  "gradle": `> Task :app:compileDebugKotlin FAILED
e: Unresolved reference: VirtualMachineManager
FAILURE: Build failed with an exception.
`,
  "a JVM": `# A fatal error has been detected by the Java Runtime Environment:
#  SIGBUS (0x7) at pc=0x00007f1c, pid=4711, tid=4712
# JRE version: OpenJDK Runtime Environment (17.0.10+7)
# Problematic frame: v  ~StubRoutines::jbyte_disjoint_arraycopy
OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory failed; error='Cannot allocate memory' (errno=12)
`,
  "terraform": `Error: creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400
`,
  "a disk's end": `[ 9000.100000] ata1.00: exception Emask 0x0 SAct 0x0 SErr 0x0 action 0x6 frozen
[ 9000.200000] blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2
[ 9000.300000] EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0
`,
  "a router": `daemon.err dnsmasq[1234]: failed to create listening socket for port 53: Address in use
kern.warn kernel: [   12.000000] mt7530 mdio-bus:1f wan: failed to set MTU: -22
`,
  "a VPN": `Tue Mar  1 10:00:00 2026 ERROR: Cannot open TUN/TAP dev /dev/net/tun: No such file or directory (errno=2)
could not open /dev/net/tun: Operation not permitted
create tun: operation not permitted
`,
  "a container's network": `failed to create tap interface: Operation not permitted
time="2026-03-01T10:00:00Z" level=error msg="ioctl(TUNSETIFF): Device or resource busy"
`,
  "a phone with memory tags": `signal 11 (SIGSEGV), code 9 (SEGV_MTESERR), fault addr 0x0b000070f5a11230
[    0.000000] CPU features: detected: Memory Tagging Extension
`,
  "an archive": `tar: Error is not recoverable: exiting now
initrd too big for partition
kernel image is too large
`,
  "a load balancer": `vhost www.example.org: no such host
[error] failed to set up vhost www.example.org
`,
  "a driver of wireless networks": `rtl8192ee 0000:05:00.0: swiotlb buffer is full (sz: 4000 bytes), total 32768 (slots), used 32768 (slots)
[ 1582.784369] mt7615e 0000:01:00.0: swiotlb buffer is full (sz: 3776 bytes), total 32768 (slots), used 31415 (slots)
[ 1582.790536] Hardware name: Default string Default string/Default string, BIOS 5.12 11/18/2019
`,
  "a proxy": `2026/03/01 10:11:12| FATAL: Bungled /etc/squid/squid.conf line 12: access denied by acl file
failed to parse default acl file \`/etc/squid/squid.conf'
`,
  "a browser": `[0512/100101.100:FATAL:zygote_host_impl_linux.cc(126)] No usable sandbox! Update your kernel or see the documentation.
clone(CLONE_NEWPID) failed: Operation not permitted
`,
  "a recorder of packets": `09-01 17:53:30.789  4140  4140 W linker  : libpcapd.so: unsupported flags DT_FLAGS_1=0x8000001
failed to create tun device: Operation not permitted
`,
  "a compiler": "cc1: fatal error: Could not open 'x.c': No such file or directory\nsh: no iommu group\n",
  "a player of music": `Error: Failed to open "/home/ann/music/a.flac"

Caused by:
    No such file or directory (os error 2)
`,
  "firmware of a board": `BdsDxe: starting Boot0003 "UEFI SD Card" from VenHw(100C2CFA-B586-4198-9B4C-1683D195B1DA)/SD(0x0)

Synchronous Exception at 0x00000000EBFE989C
`,
  "a linker": `ld: unsupported machine type: "q35"
app.js: can't apply global style: Property 'x' not found
unable to map backing store for guest RAM
`,
  "strace of a shell": `openat(AT_FDCWD, "/dev/tty", O_RDWR) = 3
ioctl(3, TCGETS, {c_iflag=ICRNL}) = 0
ioctl(3, TIOCSPGRP, [4711]) = -1 EPERM (Operation not permitted)
ioctl(0, TCGETS, 0x7ffd) = -1 ENOTTY (Inappropriate ioctl for device)
`,
  "a panic of another program in Rust":
    "thread 'main' panicked at src/storage/block.rs:340:30:\ncalled `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: \"No such file or directory\" }\n",
  "a ramdisk of a router":
    "[    2.101] Waiting for root device /dev/mmcblk0p2...\nmount: mounting /dev/mmcblk0p2 on /newroot failed: No such device\n[    3.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\n",
  "a daemon whose port is taken":
    "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)\nsshd[812]: error: Bind to port 22 on 0.0.0.0 failed: Address already in use.\n",
  "a service of devices":
    "systemd-udevd[411]: Failed to add device '/dev/sda' to the database: Permission denied\nbluetoothd[712]: Failed to add device: Device or resource busy\n",
  "a program without a display":
    "cannot open display: :0\n(gimp:9122): Gtk-WARNING **: cannot open display: \nError: unable to open display\n",
  "a database":
    "FATAL:  could not map anonymous shared memory: Cannot allocate memory\nHINT:  This error usually means that PostgreSQL's request for a shared memory segment exceeded available memory.\n",
  "a build of XML":
    "XML parsing error: mismatched tag: line 3, column 2\nerror: unsupported option '-march=native' for target 'aarch64'\nunrecognized argument: --foo\n",
  "a phone's camera and its permissions":
    "03-01 10:00:00.123  4711  4713 E CameraService: java.lang.SecurityException: does not have the android.permission.CAMERA permission\n",
  "a container without a program":
    "exec /usr/bin/node: exec format error\ndocker: Error response from daemon: failed to create task for container: unable to start container process: error during container init\n",
  "a driver of a board that gave up":
    "[    1.9] brcmfmac: probe of mmc1:0001:1 failed with error -110\n[    2.0] spi-nor spi0.0: probe with driver spi-nor failed with error -22\n",
  "warnings of QEMU":
    "qemu-system-aarch64: warning: host CPU does not support the requested feature\nqemu-system-aarch64: terminating on signal 15 from pid 812 (bash)\n",
};
