// The machine of a VM and what its kernel reads: differences are told before the first instruction,
// and are the first evidence where nothing was printed.

import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Bootable, bootFindings } from "../../src/session/assembly/layout/boot-findings.ts";
import { cells, cells64, devicetree, type DevicetreeNode, node } from "../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../src/machine/devicetree/writer.ts";
import { writeCpio } from "../../src/kit/formats/cpio.ts";
import { BOOT_FINDINGS, type BootFinding } from "../../src/model/queries/facts/boot-finding.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-boot-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const ARCHIVE = writeCpio([{ path: "init", kind: "file", permissions: 0o755, data: new Uint8Array(3000) }]);
const START = 0x8800_0000;

interface Machine {
  readonly bootargs?: string;
  readonly ports?: readonly ["arm,pl011" | "ns16550a", number][];
  readonly chosen?: Record<string, Uint8Array | string>;
  readonly slots?: number;
  /** Nodes that a Linux needs, and how its second CPU is started; null: not at all. */
  readonly nodes?: readonly string[];
  readonly method?: string | null;
  readonly cpus?: readonly number[];
}

const NODES: Readonly<Record<string, () => DevicetreeNode>> = {
  memory: () => node("memory@80000000", { device_type: "memory" }),
  timer: () => node("timer", { compatible: "arm,armv8-timer" }),
  gic: () => node("intc", { compatible: "arm,gic-v3" }),
  "other timer": () => node("timer", { compatible: "arm,armv8-timer", interrupts: cells(1, 13, 8, 1, 14, 8, 1, 12, 8, 1, 10, 8) }),
  psci: () => node("psci", { compatible: ["arm,psci-1.0", "arm,psci-0.2"] }),
};
const ALL_NODES = ["memory", "timer", "gic", "psci"], without = (name: string) => ALL_NODES.filter((one) => one !== name);

/** A Linux that lacks nothing. */
const WHOLE = { nodes: ALL_NODES, method: "psci" } as const;

const PL011: readonly ["arm,pl011", number] = ["arm,pl011", 0x900_0000];

function machine({ bootargs = "", ports = [[...PL011]], chosen = {}, slots = 0, nodes = [], method, cpus = [0, 1] }: Machine): Uint8Array {
  return writeDevicetree(devicetree(node("", {}, [
    node("chosen", { ...bootargs && { bootargs }, ...chosen }),
    ...ports.map(([compatible, base]) => node(`serial@${base.toString(16)}`, { compatible, reg: cells64(base, 0x1000) })),
    ...nodes.map((name) => NODES[name]()),
    ...cpus.map((cpu) => node(`cpu@${cpu}`, { device_type: "cpu", ...method && { "enable-method": method } })),
    ...Array.from({ length: slots }, (_, index) => node(`virtio_mmio@${index}`, { compatible: "virtio,mmio" })),
  ])));
}

const ramdiskAt = (start: number, size = ARCHIVE.length) => ({
  "linux,initrd-start": cells64(start),
  "linux,initrd-end": cells64(start + size),
});
/** A ramdisk of these bytes where /chosen says, and how a kernel that has it is told. */
const withRamdisk = (name: string, bytes: Uint8Array, ...codes: Case[3]): Case => [
  `a ramdisk: ${name}`,
  { chosen: ramdiskAt(START, bytes.length) },
  { ramdisk: { start: START, bytes } },
  codes,
];
const cat = (...parts: readonly (ArrayLike<number>)[]) => Uint8Array.from(parts.flatMap((part) => Array.from(part)));
const half = (bytes: Uint8Array) => bytes.subarray(0, bytes.length >> 1);
/** Compressed ramdisks: `xz --check=crc32` of four bytes, and lz4's legacy format. */
const GZIP = new Uint8Array(gzipSync(ARCHIVE)), ZSTD = new Uint8Array(zstdCompressSync(ARCHIVE));
const XZ = Uint8Array.fromHex(
  "fd377a585a0000016922de360200210116000000742fe5a3010003656c320a000657d461000118046be9f0a59042990d010000000001595a",
);
const LZ4 = Uint8Array.of(0x02, 0x21, 0x4c, 0x18, 5, 0, 0, 0, 0x40, 0x65, 0x6c, 0x32, 0x0a);
const PADDED = cat(GZIP, new Uint8Array(8 - GZIP.length % 4));
const CONSOLE = { kind: "console", ports: ["hvc0"] } as const;
const RAMDISK = { start: START, bytes: ARCHIVE };

/** The header of a Linux kernel, with that of PE/COFF and one section: 512 bytes at byte 512. */
const LINUX = new Uint8Array(1024), LINUX_WORDS = new DataView(LINUX.buffer);
[[16, 8192], [56, 0x644d_5241], [60, 64], [64, 0x4550], [104, 512], [108, 512]].forEach(([at, word]) =>
  LINUX_WORDS.setUint32(at, word, true)
);
[[70, 1], [84, 0]].forEach(([at, half]) => LINUX_WORDS.setUint16(at, half, true));

type Case = readonly [name: string, machine: Machine, more: Partial<Bootable>, codes: readonly BootFinding["code"][]];

const BROKEN: readonly Case[] = [
  ["console=hvc0 without a virtio console", { bootargs: "console=hvc0" }, {}, ["console-absent"]],
  ["console=ttyS0 on a PL011", { bootargs: "quiet console=ttyS0,115200n8" }, {}, ["console-absent"]],
  ["console=ttyAMA1 with one port", { bootargs: "console=ttyAMA1" }, {}, ["console-absent"]],
  ["console=ttyAMA0 without ports", { bootargs: "console=ttyAMA0", ports: [] }, {}, ["console-absent"]],
  ["console=hvc1 with one console", { bootargs: "console=hvc1" }, { devices: [CONSOLE], slots: 0 }, ["console-absent"]],
  ["earlycon at another address", { bootargs: "earlycon=pl011,0x3f8000" }, {}, ["earlycon-absent"]],
  ["earlycon of a 16550 on a PL011", { bootargs: "earlycon=uart8250,mmio32,0x09000000" }, {}, ["earlycon-driver"]],
  ["earlycon of a PL011 on a 16550", { bootargs: "earlycon=pl011,0x3f8", ports: [["ns16550a", 0x3f8]] }, {}, ["earlycon-driver"]],
  ["registers of four bytes on a 16550", { bootargs: "earlycon=uart8250,mmio32,0x3f8", ports: [["ns16550a", 0x3f8]] }, {}, [
    "earlycon-driver",
  ]],
  ["an I/O port on a 16550", { bootargs: "earlycon=uart8250,io,0x3f8", ports: [["ns16550a", 0x3f8]] }, {}, ["earlycon-driver"]],
  ["a console of a 16550 on a PL011", { bootargs: "console=uart8250,mmio,0x9000000,115200" }, {}, ["earlycon-driver"]],
  ["QEMU's line in crosvm's VM", { bootargs: "earlycon=pl011,0x9000000", ports: [["ns16550a", 0x3f8]] }, {}, ["earlycon-absent"]],
  ["earlycon without a path", { bootargs: "console=ttyAMA0 earlycon" }, {}, ["earlycon-without-path"]],
  ["a ramdisk that /chosen does not name", {}, { ramdisk: RAMDISK }, ["ramdisk-not-named"]],
  ["a ramdisk elsewhere", { chosen: ramdiskAt(START + 0x1000) }, { ramdisk: RAMDISK }, ["ramdisk-elsewhere"]],
  ["half of a ramdisk in /chosen", { chosen: ramdiskAt(START, 512) }, { ramdisk: RAMDISK }, ["ramdisk-elsewhere"]],
  withRamdisk("half of an archive", half(ARCHIVE), "ramdisk-cut"),
  withRamdisk("half of a gzip stream", half(GZIP), "ramdisk-cut"),
  withRamdisk("a gzip stream without its last byte", GZIP.subarray(0, -1), "ramdisk-cut"),
  withRamdisk("half of an archive in a gzip stream", new Uint8Array(gzipSync(half(ARCHIVE))), "ramdisk-cut"),
  withRamdisk("half of a zstd frame", half(ZSTD), "ramdisk-cut"),
  withRamdisk("half of an xz file", half(XZ), "ramdisk-cut"),
  withRamdisk("an xz file without its last byte", XZ.subarray(0, -1), "ramdisk-cut"),
  withRamdisk("half of an lz4 file", LZ4.subarray(0, -3), "ramdisk-cut"),
  withRamdisk("half of a second archive", cat(ARCHIVE, half(ARCHIVE)), "ramdisk-cut"),
  withRamdisk("half of a compressed archive after a plain one", cat(ARCHIVE, half(ZSTD)), "ramdisk-cut"),
  withRamdisk("lz4's frame format", Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x64), "ramdisk-packed"),
  withRamdisk("xz with a CRC64", XZ.with(7, 4), "ramdisk-packed"),
  withRamdisk("xz with a SHA-256", XZ.with(7, 10), "ramdisk-packed"),
  withRamdisk("an image for U-Boot", cat([0x27, 0x05, 0x19, 0x56], new Uint8Array(60), GZIP), "ramdisk-packed"),
  withRamdisk("an archive after a compressed one, at an odd byte", cat(PADDED, [0], ARCHIVE), "ramdisk-unaligned"),
  withRamdisk(
    "an archive after compressed data of another kind, at an odd byte",
    cat([0x42, 0x5a, 0x68, 0x30, 0x37], ARCHIVE),
    "ramdisk-unaligned",
  ),
  withRamdisk("an archive after a plain one, at an odd byte", cat(ARCHIVE, [0], ARCHIVE), "ramdisk-unaligned"),
  withRamdisk("a compressed archive after a plain one, at an odd byte", cat(ARCHIVE, [0, 0], GZIP), "ramdisk-unaligned"),
  ...ALL_NODES.map((
    name,
  ): Case => [`a Linux without ${name}`, { nodes: without(name), method: "psci" }, { image: LINUX }, ["node-absent"]]),
  ["a Linux without CPUs", { ...WHOLE, cpus: [] }, { image: LINUX }, ["node-absent"]],
  ["a Linux whose CPUs have no enable-method", { nodes: ALL_NODES }, { image: LINUX }, ["cpus-not-started"]],
  ["a Linux with a spin-table", { nodes: ALL_NODES, method: "spin-table" }, { image: LINUX }, ["cpus-not-started"]],
  ["a Linux that may use less memory than its image has", { ...WHOLE, bootargs: "quiet mem=4k" }, { image: LINUX }, ["memory-limited"]],
  ["a Linux whose timer has other interrupts", { nodes: [...without("timer"), "other timer"], method: "psci" }, { image: LINUX }, [
    "timer-elsewhere",
  ]],
  ["a Linux of which the end is missing", { nodes: ALL_NODES, method: "psci" }, { image: LINUX.subarray(0, 1000) }, ["image-cut"]],
  ["a disk that the devicetree does not describe", { slots: 1 }, { slots: 2 }, ["devices-not-described"]],
];

const HEALTHY: readonly Case[] = [
  ["console=ttyAMA0", { bootargs: "console=ttyAMA0" }, {}, []],
  ["console=hvc0 with a virtio console", { bootargs: "console=hvc0" }, { devices: [CONSOLE] }, []],
  ["two consoles, of which one exists", { bootargs: "console=hvc0 console=ttyAMA0" }, {}, []],
  ["console=ttyS1 with two ports", { bootargs: "console=ttyS1", ports: [["ns16550a", 0x3f8], ["ns16550a", 0x2f8]] }, {}, []],
  ["a virtual terminal", { bootargs: "console=tty0" }, {}, []],
  ["no console on purpose", { bootargs: "console=null" }, {}, []],
  ["earlycon with the port's address", { bootargs: "earlycon=pl011,mmio32,0x9000000" }, {}, []],
  ["earlycon of a 16550", { bootargs: "earlycon=uart8250,mmio,0x3f8,115200n8", ports: [["ns16550a", 0x3f8]] }, {}, []],
  ["a console by the address of a 16550", { bootargs: "console=uart,mmio,0x3f8", ports: [["ns16550a", 0x3f8]] }, {}, []],
  ["earlycon of a virtio console", { bootargs: "earlycon=virtio_console" }, {}, []],
  ["earlycon with a path", { bootargs: "earlycon", chosen: { "stdout-path": "/serial@9000000" } }, {}, []],
  ["a whole ramdisk", { chosen: ramdiskAt(START) }, { ramdisk: RAMDISK }, []],
  ...([["gzip", GZIP], ["zstd", ZSTD], ["xz", XZ], ["lz4", LZ4]] as const).map(([name, bytes]) => withRamdisk(name, bytes)),
  withRamdisk("an archive after a compressed one, at a multiple of 4", cat(PADDED, ARCHIVE)),
  withRamdisk("archives in a row, plain and compressed", cat(ARCHIVE, ARCHIVE, GZIP, GZIP, ZSTD, XZ)),
  withRamdisk("zeros", new Uint8Array(4096)),
  withRamdisk("an archive that unpacks to more than is looked at", new Uint8Array(gzipSync(new Uint8Array(17 * MiB)))),
  ["a Linux with all nodes", { nodes: ALL_NODES, method: "psci" }, { image: LINUX }, []],
  ["a Linux that may use less memory than there is", { ...WHOLE, bootargs: "mem=1G" }, { image: LINUX }, []],
  ["another program without any of them", {}, {}, []],
  ["more slots than devices", { slots: 32 }, { slots: 2 }, []],
];

for (const [name, given, more, codes] of [...BROKEN, ...HEALTHY]) {
  Deno.test(`${codes.length ? "told" : "nothing to tell"}: ${name}`, () => {
    const found = bootFindings({ tree: machine(given), devices: [], slots: 0, ramdisk: undefined, image: new Uint8Array(), ...more });
    assert.deepEqual(found.map(({ code }) => code), codes);
  });
}

Deno.test("bytes that are not a devicetree, or a command line of a hostile tree, are not read", () => {
  assert.deepEqual(bootFindings({ tree: new Uint8Array(40), devices: [], slots: 3, ramdisk: undefined, image: LINUX }), []);
});

Deno.test("a silent VM has the console that is not there as its first evidence, and as a warning at the start", async () => {
  await assembleGuest(folder, "x", "sleep_healthily");
  const text = 'el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\ncmdline = "console=hvc0 panic=-1"\n';
  const system = await demoSystem(text, undefined, folder);
  const { events } = system.events.drain();
  assert.deepEqual(events.map(({ kind, vcpu, refused, time }) => [kind, vcpu, refused, time]), [["log", "vm:x", true, 0]]);
  runUntil(system, 1e8);
  const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
  assert.deepEqual([row.healthy, row.because[0]], [true, {
    code: "boot",
    finding: { code: "console-absent", named: ["hvc0"], has: ["ttyAMA0"] },
  }]);
  const right = await demoSystem(text.replace("hvc0", "ttyAMA0"), undefined, folder);
  assert.deepEqual([right.events.drain().events, right.vms.findings.get("x")], [[], []]);
});

Deno.test("an early console of another driver is told with the port, and with the arguments that it takes", () => {
  const told = (bootargs: string, ports?: Machine["ports"]) => {
    const [found] = bootFindings({
      tree: machine({ bootargs, ports }),
      devices: [],
      slots: 0,
      ramdisk: undefined,
      image: new Uint8Array(),
    });
    return [BOOT_FINDINGS.text(found), BOOT_FINDINGS.wayOutText(found)];
  };
  assert.deepEqual(told("earlycon=uart8250,mmio32,0x09000000 console=ttyAMA0"), [
    "the command line has earlycon=uart8250,mmio32,0x09000000, and the port at 0x9000000 is a PL011",
    "use earlycon without arguments, or earlycon=pl011,0x9000000",
  ]);
  assert.deepEqual(told("earlycon=uart8250,mmio32,0x3f8", [["ns16550a", 0x3f8]]), [
    "the command line has earlycon=uart8250,mmio32,0x3f8, and the port at 0x3f8 is a 16550 with registers of 1 byte",
    "use earlycon without arguments, or earlycon=uart8250,mmio,0x3f8",
  ]);
});
