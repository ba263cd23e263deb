// Differences between the machine of a VM and what its kernel reads of it: its command line, its
// devicetree and its ramdisk. They are known before the first instruction.

import { sizeText } from "../../../kit/support/text/number-text.ts";
import { Facts } from "./fact.ts";

/** Nodes without which a Linux does not come up, with an example of each. */
export const NODE_LINES = {
  "timer": 'timer { compatible = "arm,armv8-timer"; interrupts = <1 13 8>, <1 14 8>, <1 11 8>, <1 10 8>; };',
  "interrupt controller":
    'intc@ADDRESS { compatible = "arm,gic-v3"; interrupt-controller; #interrupt-cells = <3>; reg = <DISTRIBUTOR>, <REDISTRIBUTORS>; };',
  "memory": 'memory@ADDRESS { device_type = "memory"; reg = <ADDRESS SIZE>; };',
  "cpu":
    'cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; compatible = "arm,armv8"; reg = <0>; enable-method = "psci"; }; };',
  "psci": 'psci { compatible = "arm,psci-1.0", "arm,psci-0.2"; method = "hvc"; };',
} as const;
export type NeededNode = keyof typeof NODE_LINES;

/** Ways to pack a ramdisk that Linux does not unpack. */
const PACKED = {
  "lz4-frame": "in lz4's frame format, and Linux reads the legacy format",
  "xz-crc64": "an xz file with a CRC64, and Linux checks CRC32",
  "xz-sha256": "an xz file with a SHA-256, and Linux checks CRC32",
  "u-boot": "an image for U-Boot, whose header Linux does not know",
} as const;
const REPACKED: Readonly<Record<keyof typeof PACKED, string>> = {
  "lz4-frame": "compress it with lz4 -l",
  "xz-crc64": "compress it with xz --check=crc32",
  "xz-sha256": "compress it with xz --check=crc32",
  "u-boot": "give the file that mkimage took, or all but its first 64 bytes",
};

export type BootFinding =
  /** No console that the command line names exists; those that do, by Linux's names. */
  | { readonly code: "console-absent"; readonly named: readonly string[]; readonly has: readonly string[] }
  | { readonly code: "earlycon-absent"; readonly argument: string; readonly has: readonly string[] }
  /** The port at that address is for another driver, or has registers of another width. */
  | { readonly code: "earlycon-driver"; readonly argument: string; readonly port: string; readonly address: string; readonly use: string }
  /** A plain `earlycon`, and a devicetree without stdout-path. */
  | { readonly code: "earlycon-without-path" }
  | { readonly code: "ramdisk-not-named"; readonly start: string; readonly end: string }
  /** /chosen names another place than that of the ramdisk. */
  | { readonly code: "ramdisk-elsewhere"; readonly start: string; readonly end: string; readonly named: string }
  /** A cpio archive without its last entry, or a compressed file without its end. */
  | {
    readonly code: "ramdisk-cut";
    readonly what: "cpio archive" | "gzip stream" | "lz4 file" | "xz file" | "zstd frame";
    readonly size: number;
  }
  /** A compressed ramdisk that Linux does not unpack, though the archive may be whole. */
  | { readonly code: "ramdisk-packed"; readonly how: keyof typeof PACKED }
  /** An archive after another one, at a byte at which Linux does not look for it. */
  | { readonly code: "ramdisk-unaligned"; readonly at: number }
  /** The kernel's image has fewer bytes than its header says. */
  | { readonly code: "image-cut"; readonly size: number; readonly whole: number }
  /** The timer's node has another interrupt for the virtual timer. */
  | { readonly code: "timer-elsewhere"; readonly named: number; readonly is: number }
  /** The command line leaves less memory than the kernel itself needs. */
  | { readonly code: "memory-limited"; readonly argument: string; readonly needs: number }
  /** A node that this kernel needs. */
  | { readonly code: "node-absent"; readonly node: NeededNode }
  /** CPUs that the kernel cannot start: their enable-method, null without one. */
  | { readonly code: "cpus-not-started"; readonly cpus: readonly string[]; readonly method: string | null }
  /** Virtio devices that the devicetree does not describe. */
  | { readonly code: "devices-not-described"; readonly devices: number; readonly nodes: number };

const list = (names: readonly string[]) => names.join(", ") || "none";

export const BOOT_FINDINGS = new Facts<BootFinding>({
  "console-absent": ({ named, has }) => `the command line names console ${list(named)}, and this VM has ${list(has)}: no output is shown`,
  "earlycon-absent": ({ argument, has }) => `the command line has ${argument}, and the serial ports are at ${list(has)}`,
  "earlycon-driver": ({ argument, port, address }) => `the command line has ${argument}, and the port at ${address} is a ${port}`,
  "earlycon-without-path": () => "the command line has earlycon, and /chosen has no stdout-path",
  "ramdisk-not-named": ({ start, end }) => `a ramdisk is at ${start}..${end}, and /chosen does not name it`,
  "ramdisk-elsewhere": ({ start, end, named }) => `the ramdisk is at ${start}..${end}, and /chosen names ${named}`,
  "ramdisk-cut": ({ what, size }) => `the ramdisk of ${size} bytes is a truncated ${what}`,
  "ramdisk-packed": ({ how }) => `the ramdisk is ${PACKED[how]}`,
  "ramdisk-unaligned": ({ at }) => `the archive after the first one begins at byte ${at} of the ramdisk, which is not a multiple of 4`,
  "image-cut": ({ size, whole }) => `the kernel's image is truncated: it has ${size} bytes, and its header names ${whole}`,
  "timer-elsewhere": ({ named, is }) => `the devicetree's timer names INTID ${named} for the virtual timer, which is INTID ${is}`,
  "memory-limited": ({ argument, needs }) => `the command line has ${argument}, and the kernel's image needs ${sizeText(needs)}`,
  "node-absent": ({ node }) => `the devicetree has no ${node}`,
  "cpus-not-started": ({ cpus, method }) =>
    `${list(cpus)} will not start: ${method === null ? "without enable-method" : `enable-method = "${method}" does not work here`}`,
  "devices-not-described": ({ devices, nodes }) => `the VM has ${devices} virtio devices, and its devicetree describes ${nodes}`,
}, {
  "console-absent": ({ has }) => has.length ? `use console=${has[0]}` : 'give the VM a console, such as { kind = "console" } in devices',
  "earlycon-absent": ({ has }) => has.length ? "use earlycon without an address" : "leave earlycon out",
  "earlycon-driver": ({ use }) => `use ${use}`,
  "earlycon-without-path": () => "name the port: earlycon=pl011,ADDRESS",
  "ramdisk-not-named": () => "add linux,initrd-start and linux,initrd-end to /chosen",
  "ramdisk-elsewhere": () => "fix linux,initrd-start and linux,initrd-end in /chosen",
  "ramdisk-cut": ({ what }) =>
    what === "cpio archive"
      ? "make the archive again: it ends with an entry TRAILER!!!"
      : "copy or download the whole file, or make it again",
  "ramdisk-packed": ({ how }) => REPACKED[how],
  "ramdisk-unaligned": () => "pad the first one with zeros",
  "image-cut": () => "copy or download the whole file",
  "timer-elsewhere": () => `use ${NODE_LINES.timer}`,
  "memory-limited": () => "leave it out, or name more",
  "node-absent": ({ node }) => `add ${NODE_LINES[node]}`,
  "cpus-not-started": () => 'add enable-method = "psci"; to each of them',
  "devices-not-described": () => "add a node for each device, or use the generated devicetree",
});
