// Command lines as READMEs, books and scripts have them, with other paths (`@/` is a folder with
// the files), and their machines: devices, some keys, and the options without an equal.

import { qcow2Head } from "../../../../src/kit/formats/qcow2-writer.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";
import { elfOf } from "../../../support/elf-file.ts";
import { printingImage } from "../../../support/printing-image.ts";

/** A line. */
export interface PublicLine {
  /** Where lines like it are. */
  readonly of: string;
  readonly line: string;
  /** Devices, a text each. */
  readonly devices: readonly string[];
  /** Values at paths of the table. */
  readonly keys: Readonly<Record<string, unknown>>;
  /** The options that are absent, in their order. */
  readonly absent: readonly string[];
}

/** Devices that crosvm adds by itself. */
const OWN = ["rng", "balloon"];
const BOARD = "kvmtool's board";

export const PUBLIC_LINES: readonly PublicLine[] = [
  {
    of: "crosvm's book: a kernel and default devices",
    line: "crosvm run @/Image",
    devices: OWN,
    keys: { "vm.guest.memory": "256MiB", "vm.guest.vcpus": 1, "vm.guest.cmdline": "console=ttyS0", "machine.memory": "384MiB" },
    absent: [],
  },
  {
    of: "crosvm's book: a root disk, read-only",
    line: 'crosvm run -b "@/root.img,root,ro" "@/Image"',
    devices: ["block ro @/root.img", ...OWN],
    keys: { "vm.guest.cmdline": "console=ttyS0 root=/dev/vda ro" },
    absent: [],
  },
  {
    of: "crosvm's book: options of a block device",
    line: "crosvm run \\\n  --block @/disk.img,ro,sparse=false,o_direct=true,block_size=4096,id=MYSERIALNO \\\n  @/Image",
    devices: ["block ro @/disk.img 4096", ...OWN],
    keys: {},
    absent: ["--block id=MYSERIALNO"],
  },
  {
    of: "crosvm's book: the host's root by virtiofs",
    line: 'crosvm run --shared-dir "@/shared:mtdfake:type=fs:cache=always" \\\n    -p "rootfstype=virtiofs root=mtdfake" @/Image',
    devices: ["9p rw @/shared mtdfake", ...OWN],
    keys: { "vm.guest.cmdline": "console=ttyS0 rootfstype=virtiofs root=mtdfake" },
    absent: ["--shared-dir type=fs"],
  },
  {
    of: "a phone as root: Debian with a TAP interface",
    line: '# ./crosvm run --disable-sandbox --net tap-name=crosvm_tap -s @/crosvm.sock --shared-dir "@/shared:my_shared_tag:type=fs" ' +
      "-p 'init=/sbin/init' --rwroot @/debian.img @/Image --vsock 3 --mem 2048 --cpus 8",
    devices: ["net user", "9p rw @/shared my_shared_tag", "block rw @/debian.img", "vsock 3", ...OWN],
    keys: {
      "vm.guest.memory": "2GiB",
      "vm.guest.vcpus": 8,
      "machine.cpus": 8,
      "vm.guest.cmdline": "console=ttyS0 root=/dev/vda rw init=/sbin/init",
    },
    absent: ["--net tap-name=crosvm_tap", "--shared-dir type=fs"],
  },
  {
    of: "a phone as root: more memory than el2 has",
    line:
      "/apex/com.android.virt/bin/crosvm run --disable-sandbox -p 'init=/sbin/init' --rwroot @/root.img @/Image --vsock 3 --mem 4096 --cpus 4",
    devices: ["block rw @/root.img", "vsock 3", ...OWN],
    keys: { "vm.guest.memory": "2936MiB", "machine.memory": "3064MiB" },
    absent: ["memory of 4GiB"],
  },
  {
    of: "a script of Cuttlefish's kind: U-Boot, a disk, the control socket",
    line:
      "VM=1 /apex/com.android.virt/bin/crosvm run \\\n    --name debian_vm \\\n    --disable-sandbox \\\n    --mem 2048 \\\n    --bios @/u-boot.bin \\\n" +
      '    --serial type=stdout,hardware=serial,num=1 \\\n    --params "console=ttyS0 root=/dev/vda rw" \\\n    --block path=@/debian.img \\\n' +
      '    --vsock cid=42 \\\n    -s "@/crosvm.sock"',
    devices: ["block rw @/debian.img", "vsock 42", ...OWN],
    keys: { "vm.debian-vm.bios": "@/u-boot.bin", "vm.debian-vm.cmdline": "console=ttyS0 root=/dev/vda rw" },
    absent: [],
  },
  {
    of: "a wiki: a desktop by X11",
    line:
      "crosvm run --disable-sandbox \\\n\t--cpus 4 --mem 2048 \\\n\t--rwdisk=@/root.img \\\n\t--params=root=/dev/vda \\\n\t--gpu --x-display :0 \\\n" +
      "\t--socket=crosvm.sock \\\n\t--evdev /dev/input/event18 --evdev /dev/input/event19 \\\n\t@/Image",
    devices: ["block rw @/root.img", ...OWN],
    keys: { "vm.guest.cmdline": "console=ttyS0 root=/dev/vda", "vm.guest.vcpus": 4 },
    absent: ["--gpu", "--x-display :0", "--evdev /dev/input/event18", "--evdev /dev/input/event19"],
  },
  {
    of: "NixOS modules: the forms with key=value",
    line:
      'exec crosvm run \\\n  --mem size=1024 \\\n  --cpus num-cores=2 \\\n  --initrd "@/initrd" \\\n  --block path="@/root.img",root=true,ro=false \\\n' +
      '  --serial type=stdout,hardware=serial,num=1,console=true,stdin=true \\\n  --params "console=ttyS0 loglevel=7" \\\n  --vsock cid=3 \\\n  "@/Image"',
    devices: ["block rw @/root.img", "vsock 3", ...OWN],
    keys: {
      "vm.guest.memory": "1GiB",
      "vm.guest.vcpus": 2,
      "vm.guest.initrd": "@/initrd",
      "vm.guest.cmdline": "console=ttyS0 root=/dev/vda rw console=ttyS0 loglevel=7",
    },
    absent: [],
  },
  {
    of: "crosvm's book: a console of virtio, a decoder of videos",
    line: "crosvm run --disable-sandbox --video-decoder=ffmpeg -c 4 -m 2048 --rwroot @/disk.img " +
      "--serial type=stdout,hardware=virtio-console,console=true,stdin=true @/Image",
    devices: ["block rw @/disk.img", "console hvc0", ...OWN],
    keys: { "vm.guest.cmdline": "console=hvc0 root=/dev/vda rw" },
    absent: ["--video-decoder ffmpeg"],
  },
  {
    of: "CI of a graphics library: old options, output into a pipe",
    line:
      'crosvm run \\\n  --gpu "vulkan=true" \\\n  -m 2048 \\\n  -c 1 \\\n  --disable-sandbox \\\n  --shared-dir @/shared:my_root:type=fs:writeback=true:timeout=60 \\\n' +
      '  --host_ip=192.168.30.1 --netmask=255.255.255.0 --mac "AA:BB:CC:00:00:12" \\\n  -p "init=/init" \\\n  @/Image 2>&1 | tr -dc \'x\'',
    devices: ["9p rw @/shared my_root", "net user", ...OWN],
    keys: { "vm.guest.cmdline": "console=ttyS0 init=/init" },
    absent: [
      "| tr -dc 'x'",
      "--gpu vulkan=true",
      "--shared-dir type=fs",
      "--host-ip tap-name=192.168.30.1",
      "--mac AA:BB:CC:00:00:12",
    ],
  },
  {
    of: "a hypervisor's log: options before run, a protected VM",
    line:
      "crosvm --log-level=debug run --protected-vm --swiotlb 64 --hypervisor gunyah --no-balloon --no-rng -m 512 --pstore path=@/p.bin,size=1048576 @/Image",
    devices: [],
    keys: { "vm.guest.swiotlb": "64MiB", "vm.guest.memory": "512MiB", "vm.guest.pstore": "2MiB" },
    absent: ["--protected-vm", "--pstore path=@/p.bin"],
  },
  {
    of: "QEMU's documentation: Linux on virt",
    line: "qemu-system-aarch64 -M virt -cpu cortex-a57 -m 1024 -smp 4 -nographic -kernel @/Image \\\n" +
      '  -append "noinitrd sched_debug root=/dev/vda rootfstype=ext4 rw loglevel=8" -drive if=none,file=@/root.img,id=hd0 -device virtio-blk-device,drive=hd0',
    devices: ["block rw @/root.img", "net user"],
    keys: {
      "host.kind": "image",
      "host.kernel": "@/Image",
      "machine.memory": "1GiB",
      "machine.cpus": 4,
      "host.cmdline": "noinitrd sched_debug root=/dev/vda rootfstype=ext4 rw loglevel=8",
    },
    absent: [],
  },
  {
    of: "a cloud image: UEFI in two banks, cloud-init, a port for ssh",
    line:
      "sudo qemu-system-aarch64 -m 1024 -cpu cortex-a57 -M virt -nographic \\\n  -drive if=pflash,format=raw,readonly=on,file=@/flash0.img \\\n" +
      "  -drive if=pflash,format=raw,file=@/flash1.img \\\n  -drive if=none,file=@/disk.img,id=hd0 \\\n  -device virtio-blk-device,drive=hd0 \\\n" +
      "  -drive if=none,readonly=true,id=cloud,file=@/seed.img \\\n  -device virtio-blk-device,drive=cloud \\\n  -device virtio-net-device,netdev=net \\\n" +
      "  -netdev user,id=net,hostfwd=tcp::7122-:22",
    devices: ["block rw @/disk.img", "block ro @/seed.img", "net user 7122:22"],
    keys: { "host.firmware": "@/flash0.img", "host.firmware_vars": "@/flash1.img" },
    absent: [],
  },
  {
    of: "U-Boot's documentation",
    line: "qemu-system-aarch64 -nographic -machine virt -cpu cortex-a57 -bios @/u-boot.bin",
    devices: ["net user"],
    keys: { "host.firmware": "@/u-boot.bin", "host.bus": "pci", "machine.msi": "gicv2m", "machine.memory": "128MiB" },
    absent: [],
  },
  {
    of: "installers: a CD, a SCSI bus, a TAP interface",
    line:
      "qemu-system-aarch64 -m 1024 -cpu cortex-a57 -smp 2 -M virt -bios @/QEMU_EFI.fd -nographic -drive if=none,file=@/cd.iso,id=cdrom,media=cdrom " +
      "-device virtio-scsi-device -device scsi-cd,drive=cdrom -drive if=none,file=@/disk.img,id=hd0 -device virtio-blk-device,drive=hd0 " +
      "-netdev type=tap,id=net0 -device virtio-net-device,netdev=net0,mac=00:16:3e:5a:fa:54",
    devices: ["block ro @/cd.iso", "block rw @/disk.img", "net user"],
    keys: { "host.firmware": "@/QEMU_EFI.fd" },
    absent: ["-netdev tap", "-device scsi-cd", "-device virtio-net-device mac=00:16:3e:5a:fa:54"],
  },
  {
    of: "a blog: qcow2, UEFI, GIC of any version",
    line:
      "qemu-system-aarch64 -nographic -machine virt,gic-version=max -m 2G -cpu max -smp 2 \\\n-drive file=@/efi.img,if=pflash,format=raw \\\n" +
      "-drive file=@/vars.img,if=pflash,format=raw \\\n-drive file=@/disk.qcow2,if=virtio,format=qcow2 \\\n-cdrom @/cd.iso",
    devices: ["block rw @/disk.qcow2", "block ro @/cd.iso", "net user"],
    keys: { "machine.cpu": "max", "machine.msi": "its", "machine.memory": "2GiB" },
    absent: [],
  },
  {
    of: "a phone: QEMU on Gunyah",
    line:
      "LD_LIBRARY_PATH=./libs nice -n -20 taskset ff ./qemu-system-aarch64 -L pc-bios -M virt,confidential-guest-support=prot0 -accel gunyah -cpu host " +
      "-smp 8,sockets=1,cores=8,threads=1 -m 2G -object arm-confidential-guest,id=prot0,swiotlb-size=64M -bios @/QEMU_EFI.fd -object iothread,id=io0 " +
      "-drive file=@/cd.iso,if=none,id=dr1,format=raw,aio=threads,media=cdrom -device virtio-blk-pci,drive=dr1,bootindex=1 " +
      "-netdev user,id=net0,hostfwd=tcp::2222-:22 -device virtio-net-pci,netdev=net0,disable-legacy=on -audiodev aaudio,id=snd0 " +
      "-device virtio-sound-pci,audiodev=snd0 -device virtio-gpu-pci -device qemu-xhci,id=usb-bus -device usb-kbd,bus=usb-bus.0 " +
      "-qmp unix:./vm.sock,server,nowait -serial stdio",
    devices: ["block ro @/cd.iso", "net user 2222:22"],
    keys: { "vm.guest.platform": "qemu-virt", "vm.guest.bios": "@/QEMU_EFI.fd", "vm.guest.vcpus": 8 },
    absent: [
      "-M confidential-guest-support=prot0",
      "-audiodev aaudio,id=snd0",
      "-qmp unix:./vm.sock,server,nowait",
      "-device virtio-sound-pci",
      "-device virtio-gpu-pci",
      "-device qemu-xhci",
      "-device usb-kbd",
    ],
  },
  {
    of: "kernel developers: kgdb, an initial ramdisk",
    line:
      "$ qemu-system-aarch64 -nographic -machine virt,gic-version=3 -cpu cortex-a57 \\\n  -smp 2 -kernel @/Image -append 'console=ttyAMA0,38400 \\\n" +
      "  keep_bootcon kgdboc=ttyAMA0' \\\n  -initrd @/initrd -s -S -no-reboot",
    devices: ["net user"],
    keys: { "host.initrd": "@/initrd", "machine.msi": "its" },
    absent: ["-s", "-S"],
  },
  {
    of: "a bare-metal course: an ELF file, no defaults",
    line:
      "qemu-system-aarch64 -M virt,gic-version=2,virtualization=on -cpu cortex-a53 -nodefaults -nographic -kernel @/kernel.elf -serial mon:stdio -m 256M",
    devices: [],
    keys: { "host.image": "@/kernel.elf", "machine.memory": "256MiB" },
    absent: ["-M gic-version=2", "-M virtualization=on"],
  },
  {
    of: "an RTOS: devices of virtio-mmio",
    line:
      "qemu-system-aarch64 -M virt,gic-version=3 -cpu cortex-a53 -smp 4 -kernel @/rtos.bin -serial stdio -drive if=none,file=@/sd.img,format=raw,id=blk0 " +
      "-device virtio-blk-device,drive=blk0,bus=virtio-mmio-bus.0 -netdev user,id=net0 -device virtio-net-device,netdev=net0,bus=virtio-mmio-bus.1 " +
      "-device virtio-gpu-device,xres=800,yres=600 -device virtio-keyboard-device -device virtio-mouse-device",
    devices: ["block rw @/sd.img", "net user", "input keyboard"],
    keys: { "host.image": "@/rtos.bin", "host.bus": undefined },
    absent: ["-device virtio-gpu-device", "-device virtio-mouse-device"],
  },
  {
    of: "syzkaller's and others' scripts: 9P, snapshot, no network",
    line:
      "qemu-system-aarch64 -machine virt -cpu cortex-a72 -m 512 -kernel @/Image -virtfs local,path=@/shared,mount_tag=host0,security_model=none,readonly=on " +
      "-hda @/root.img -snapshot -net none -display none -serial file:@/console.log -device virtio-rng-pci -device vhost-vsock-pci,guest-cid=7",
    devices: ["9p ro @/shared host0", "pl011 @/console.log", "rng", "vsock 7", "block overlay @/root.img"],
    keys: { "host.bus": "pci" },
    absent: ["-display none"],
  },
  {
    of: "libvirt's logs: nodes of blockdev, root ports",
    line:
      "/usr/bin/qemu-system-aarch64 -name guest=fedora,debug-threads=on -machine virt-6.2,usb=off,gic-version=3 -accel kvm -m size=1048576k -smp 2 " +
      "-blockdev 'driver=file,filename=@/disk.qcow2,node-name=n1,auto-read-only=on' -blockdev node-name=n0,driver=qcow2,file=n1 " +
      "-device pcie-root-port,port=8,id=pci.1 -device virtio-blk-pci,bus=pci.1,drive=n0,id=virtio-disk0 -nodefaults -kernel @/Image",
    devices: ["block rw @/disk.qcow2"],
    keys: { "machine.memory": "1GiB" },
    absent: [],
  },
  {
    of: "kvmtool's README",
    line: "./lkvm run --disk @/root.img \\\n\t    --kernel @/Image --network virtio",
    devices: ["block rw @/root.img", "net user"],
    keys: { "vm.guest.cmdline": "console=ttyS0 root=/dev/vda rw", "vm.guest.memory": "256MiB", "vm.guest.platform": "crosvm" },
    absent: [BOARD],
  },
  {
    of: "lists: a ramdisk, joined options",
    line: './lkvm run -k @/Image -m 256 -i @/initrd -p "rdinit=/linuxrc console=ttyAMA0" -c1 --name guest-18',
    devices: ["net user"],
    keys: { "vm.guest-18.cmdline": "console=ttyS0 rdinit=/linuxrc console=ttyAMA0", "vm.guest-18.initrd": "@/initrd" },
    absent: [BOARD],
  },
  {
    of: "lists: 9P, vsock, console of virtio",
    line: "lkvm-static run --9p @/shared,myshare_tag -m 1536 -c 2 -k @/Image --vsock 5 --console virtio --irqchip gicv3-its",
    devices: ["9p rw @/shared myshare_tag", "vsock 5", "net user", "console hvc0"],
    keys: { "vm.guest.cmdline": "console=hvc0", "vm.guest.memory": "1536MiB", "vm.guest.vcpus": 2 },
    absent: [BOARD, "--irqchip gicv3-its"],
  },
  {
    of: "a README: UEFI with a disk of virtio-mmio alone",
    line: "qemu-system-aarch64 -M virt,gic-version=3 -cpu cortex-a710 -smp 4 -m 512M \\\n  -bios @/QEMU_EFI.fd \\\n" +
      '  -drive if=none,file="@/disk.img",format=raw,id=drive0 -device virtio-blk-device,drive=drive0 \\\n  -serial stdio -display none -no-reboot',
    devices: ["block rw @/disk.img", "net user"],
    keys: { "host.bus": undefined, "machine.cpu": "a710", "machine.cpus": 4, "host.firmware": "@/QEMU_EFI.fd" },
    absent: ["-display none"],
  },
  {
    of: "a script: a kernel without PCI, HVF",
    line: "qemu-system-aarch64 -M virt,gic-version=3 -cpu cortex-a72 -accel hvf -m 128M -smp 1 -nographic \\\n" +
      "    -global virtio-mmio.force-legacy=false -global virtio-mmio.ioeventfd=off \\\n" +
      '    -drive file="@/disk.img",if=none,format=raw,id=d0 -device virtio-blk-device,drive=d0 -kernel @/Image',
    devices: ["block rw @/disk.img", "net user"],
    keys: { "host.bus": undefined, "host.kernel": "@/Image" },
    absent: [],
  },
  {
    of: "a README of an operating system: its input, its serial port in a file",
    line:
      "qemu-system-aarch64 -M virt,gic-version=3 -cpu max -m 512 -smp 4 \\\n  -kernel @/kernel.elf \\\n  -display none -no-reboot \\\n" +
      "  -device virtio-gpu-device -device virtio-keyboard-device -device virtio-tablet-device \\\n  -device virtio-blk-device,drive=ext2 \\\n" +
      "  -drive if=none,id=ext2,format=raw,file=@/disk.img \\\n  -device virtio-net-device,netdev=net0 -netdev user,id=net0 \\\n  -serial file:@/out.txt",
    devices: ["pl011 @/out.txt", "input keyboard", "input tablet", "block rw @/disk.img", "net user"],
    keys: { "host.bus": undefined, "host.image": "@/kernel.elf" },
    absent: ["-display none", "-device virtio-gpu-device"],
  },
  {
    of: "a test of QEMU: a confidential guest of KVM",
    line:
      "qemu-system-aarch64 -M virt,gic-version=3 -cpu host -enable-kvm -m 512M -M confidential-guest-support=rme0 -object rme-guest,id=rme0 " +
      "-device virtio-net-pci,netdev=net0,romfile= -netdev user,id=net0 -kernel @/Image -initrd @/initrd -serial stdio",
    devices: ["net user"],
    keys: { "host.bus": "pci", "machine.msi": "its" },
    absent: ["-M confidential-guest-support=rme0"],
  },
  {
    of: "Yocto: U-Boot, a kernel beside it, a disk of virtio-mmio",
    line: "qemu-system-aarch64 -machine virt -cpu cortex-a57 -smp 1 -m 512 -nographic \\\n    -bios @/u-boot.bin -kernel @/Image \\\n" +
      "    -drive file=@/root.img,if=none,format=raw,id=hd0 -device virtio-blk-device,drive=hd0 -serial mon:stdio",
    devices: ["block rw @/root.img", "net user"],
    keys: { "host.bus": undefined, "host.firmware": "@/u-boot.bin" },
    absent: [],
  },
  {
    of: "a Makefile: sudo, a TAP interface, an address of the card",
    line: "sudo -S qemu-system-aarch64 -machine virt -cpu cortex-a53 -smp 4 -m 1024 -serial stdio -kernel @/Image " +
      "-drive file=@/disk.img,if=none,id=blk -device virtio-blk-device,drive=blk -device virtio-net-device,netdev=network0,mac=52:54:00:4a:1e:d4 " +
      '-netdev tap,id=network0,ifname=tap0 --append "earlyprintk console=ttyAMA0 root=/dev/vda rw"',
    devices: ["block rw @/disk.img", "net user"],
    keys: { "host.cmdline": "earlyprintk console=ttyAMA0 root=/dev/vda rw" },
    absent: ["-netdev tap", "-device virtio-net-device mac=52:54:00:4a:1e:d4"],
  },
  {
    of: "a script: a kernel that the loader puts in place",
    line: "qemu-system-aarch64 -machine virt -cpu cortex-a57 -bios @/u-boot.bin -nographic " +
      "-device loader,file=@/kernel.elf,addr=0x42200000,force-raw=on",
    devices: ["net user"],
    keys: { "host.firmware": "@/u-boot.bin" },
    absent: ["-device loader"],
  },
  {
    of: "notes: a board's system, more memory than el2 has, a monitor",
    line:
      'qemu-system-aarch64 -machine virt -cpu cortex-a72 -smp 6 -m 4G -kernel @/Image -append "root=/dev/vda2 rw panic=0 console=ttyAMA0" ' +
      "-drive format=raw,file=@/sd.img,if=none,id=hd0,cache=writeback -device virtio-blk,drive=hd0,bootindex=0 " +
      "-netdev user,id=mynet,hostfwd=tcp::2222-:22 -device virtio-net-pci,netdev=mynet -monitor telnet:127.0.0.1:5555,server,nowait",
    devices: ["block rw @/sd.img", "net user 2222:22"],
    keys: { "host.bus": "pci", "machine.cpus": 6 },
    absent: ["memory of 4GiB"],
  },
  {
    of: "a script: options with two hyphens, a network of one's own",
    line: "qemu-system-aarch64 -machine virt -cpu max --kernel @/Image --initrd @/initrd -append 'ip=on' " +
      "-netdev user,id=n1,hostfwd=tcp:0.0.0.0:17010-:17010,net=192.168.1.0/24,host=192.168.1.1 -device virtio-net-pci,netdev=n1 -serial mon:stdio -nographic",
    devices: ["net user 17010:17010"],
    keys: { "host.cmdline": "ip=on" },
    absent: ["-netdev hostfwd=tcp:0.0.0.0:17010-:17010"],
  },
  {
    of: "a script: the machine named twice",
    line: "qemu-system-aarch64 -machine virt -cpu cortex-a57 \\\n  -machine type=virt -m 128 -nographic \\\n  -kernel @/kernel.elf",
    devices: ["net user"],
    keys: { "machine.memory": "128MiB", "host.image": "@/kernel.elf" },
    absent: [],
  },
  {
    of: "a phone's script: commands before the VMM",
    line:
      "export LD_LIBRARY_PATH=/apex/com.android.virt/lib64:/system/lib64; nohup /apex/com.android.virt/bin/crosvm run --disable-sandbox " +
      '--mem 1024 --cpus 2 --block path=@/root.img,root --block path=@/disk.img --params "earlycon console=ttyS0" --serial type=stdout ' +
      "--net tap-name=vm_a --socket @/vm.sock @/Image > /data/console.log 2>&1 &",
    devices: ["block rw @/root.img", "block rw @/disk.img", "net user", ...OWN],
    keys: { "vm.guest.vcpus": 2 },
    absent: ["export LD_LIBRARY_PATH=/apex/com.android.virt/lib64:/system/lib64", "--net tap-name=vm_a"],
  },
  {
    of: "a blog: a display and input devices",
    line:
      "crosvm run --disable-sandbox \\\n\t--cpus 4 --mem 1024 \\\n\t--rwdisk=@/root.img \\\n\t--params=root=/dev/vda \\\n\t--gpu --x-display :0 \\\n" +
      "\t--socket=crosvm.sock --evdev /dev/input/event18 \\\n\t@/Image",
    devices: ["block rw @/root.img", ...OWN],
    keys: { "vm.guest.cmdline": "console=ttyS0 root=/dev/vda" },
    absent: ["--gpu", "--x-display :0", "--evdev /dev/input/event18"],
  },
  {
    of: "a report about Droid-VM's build",
    line: "/data/data/cn.classfun.droidvm/usr/bin/crosvm --log-level=debug run --hypervisor gunyah --disable-sandbox --cpus 2 --mem 1024 " +
      "--protected-vm-without-firmware --block @/debian.img,lock=false --no-balloon --no-pmu --no-rng --no-smt --no-usb --hugepages --prepare-lend-mthp @/Image",
    devices: ["block rw @/debian.img"],
    keys: { "vm.guest.memory": "1GiB" },
    absent: ["--protected-vm-without-firmware", "--no-pmu"],
  },
  {
    of: "lists: kvmtool with more CPUs than el2 has",
    line: "lkvm run -k @/Image -c 31 --pmu",
    devices: ["net user"],
    keys: { "vm.guest.vcpus": 8 },
    absent: [BOARD, "--pmu", "31 CPUs"],
  },
  {
    of: "lists: kvmtool with a display",
    line: "./lkvm run -c2 -m2048 -k @/Image --sdl",
    devices: ["net user"],
    keys: { "vm.guest.memory": "2GiB", "vm.guest.vcpus": 2 },
    absent: [BOARD, "--sdl"],
  },
];

/** Files that the lines name. */
export async function makePublicFiles(folder: string): Promise<void> {
  const image = printingImage("hello");
  await Deno.writeFile(`${folder}/Image`, image);
  await Deno.mkdir(`${folder}/shared`);
  for (const name of ["root.img", "disk.img", "debian.img", "sd.img", "seed.img", "cd.iso"]) {
    await Deno.writeFile(`${folder}/${name}`, new Uint8Array(MiB));
  }
  for (const name of ["flash0.img", "u-boot.bin", "QEMU_EFI.fd", "efi.img", "rtos.bin", "initrd"]) {
    await Deno.writeFile(`${folder}/${name}`, new Uint8Array(4096).fill(1));
  }
  for (const name of ["flash1.img", "vars.img"]) await Deno.writeFile(`${folder}/${name}`, new Uint8Array(2 * MiB));
  await Deno.writeFile(`${folder}/disk.qcow2`, qcow2Head({ size: MiB, clusters: [] }));
  await Deno.writeFile(`${folder}/kernel.elf`, elfOf([0x1400_0000], 0x4010_0000, 0x4010_0000n));
}
