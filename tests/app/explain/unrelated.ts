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
};
