// A Linux that cannot mount its root: each candidate for the cause is told from the others by what
// the kernel and the VM have.

import assert from "node:assert/strict";
import { causeOfRoot, ROOT_RULES, type SoughtRoot } from "../../src/inside/linux/verdicts/root.ts";
import { LINUX_FINDINGS, type LinuxFinding } from "../../src/model/queries/facts/linux-finding.ts";
import { Debian } from "../inside/linux/debian.ts";
import { LONG } from "../support/long.ts";
import { assertSick } from "./broken-linux.ts";
import { fits } from "./class-guests.ts";

/** A VM with a disk, whose kernel has its driver and no file system for it. */
const SOUGHT: SoughtRoot = {
  root: "/dev/vda",
  program: "/init",
  files: 0,
  refused: undefined,
  disks: ["loop0", "vda"],
  given: [{ id: "dev:host/blk0", bus: "mmio" }],
  lacks: () => [],
  systems: () => ["vfat"],
};
const lacksAll: SoughtRoot["lacks"] = (drivers) => drivers.map(([module]) => module);
const onPci = [{ id: "dev:host/blk0", bus: "pci" as const }];
const loads = (modules: string) => `give a ramdisk that loads ${modules}, or build the kernel with them`;

type Cause = Partial<LinuxFinding> & Pick<LinuxFinding, "code">;
type Case = readonly [differs: Partial<SoughtRoot>, cause: Cause, wayOut: string];

const CASES: readonly Case[] = [
  [
    { root: undefined, refused: "junk", files: 2 },
    { code: "ramdisk-bad", reason: "junk" },
    "make the archive again: cpio -o -H newc, whole, and compressed as Linux reads it (lz4 -l, xz --check=crc32)",
  ],
  [{ root: undefined }, { code: "no-root" }, "give a ramdisk (--initrd), or a disk with root="],
  [
    {},
    { code: "root-unreadable", systems: ["vfat"] },
    "make one of these file systems on it, or give a ramdisk that loads the module",
  ],
  // Neither the disk nor the driver alone would help.
  [
    { given: [], disks: ["loop0"], lacks: lacksAll },
    { code: "root-without-disk" },
    "give the VM a disk (--disk), and a ramdisk that loads virtio_mmio, virtio_blk (--initrd)",
  ],
  [
    { root: "PARTUUID=11-01", given: [], disks: [] },
    { code: "root-without-disk" },
    "give the VM a disk (--disk), or a ramdisk (--initrd)",
  ],
  // The driver is that of the VM's disk, for each name.
  ...["/dev/vda", "UUID=1234-5678", "PARTUUID=11-01", "fe00"].map((root): Case => [
    { root, disks: [], lacks: lacksAll },
    { code: "root-without-driver", devices: ["dev:host/blk0"], drivers: ["virtio_mmio", "virtio_blk"] },
    loads("virtio_mmio, virtio_blk"),
  ]),
  [
    { root: "/dev/sda", disks: [], lacks: lacksAll, given: onPci },
    { code: "root-without-driver", drivers: ["virtio_pci", "virtio_blk"] },
    `${loads("virtio_pci, virtio_blk")}, and name the disk as virtio_blk does: root=/dev/vda`,
  ],
  // A dump does not tell which disks its VM had.
  [
    { root: "/dev/vda", disks: [], lacks: lacksAll, given: undefined },
    { code: "root-without-driver", devices: [], drivers: ["virtio_mmio", "virtio_blk"] },
    loads("virtio_mmio, virtio_blk"),
  ],
  [
    { root: "UUID=1234-5678" },
    { code: "root-by-programs", disks: ["vda"] },
    "name the disk itself (root=/dev/vda) or a partition (root=PARTUUID=…), or give a ramdisk whose programs find it",
  ],
  [{ root: "/dev/sda" }, { code: "root-absent", disks: ["vda"] }, "name one of them: root=/dev/vda"],
  [{ root: "PARTUUID=11-01" }, { code: "root-absent", disks: ["vda"] }, "name one of them: root=/dev/vda"],
  // A network needs no disk.
  [
    { root: "/dev/nfs", given: [], disks: [] },
    { code: "root-absent", disks: [] },
    "see in el2 linux log which disks it has found",
  ],
];

for (const [differs, cause, wayOut] of CASES) {
  Deno.test(`no root: ${cause.code}, for ${JSON.stringify({ ...differs, lacks: undefined })}`, () => {
    const found = causeOfRoot({ ...SOUGHT, ...differs });
    assert.ok(found && fits(found, cause), JSON.stringify(found));
    assert.equal(LINUX_FINDINGS.wayOutText(found), wayOut);
  });
}

Deno.test("each candidate for a root that is not mounted asks a question, and has a case", () => {
  for (const { code, asks } of ROOT_RULES) {
    assert.match(asks, /^[a-z].*\?$/);
    assert.ok(CASES.some(([, cause]) => cause.code === code), code);
  }
});

const folder = await Deno.makeTempDir({ prefix: "el2-roots-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const disk = `${folder}/disk.img`;
await Deno.writeFile(disk, new Uint8Array(1 << 20));

const needs = (root: string): Cause => ({
  code: "root-without-driver",
  ...{ root, devices: ["dev:host/blk0"], drivers: ["virtio_mmio", "virtio_blk"] },
});
/** Kernels of Debian, which have no driver of disks, without a ramdisk. */
const GUESTS: readonly (readonly [append: string, hasDisk: boolean, cause: Cause, lines: RegExp])[] = [
  [
    "root=UUID=1234-5678",
    true,
    needs("UUID=1234-5678"),
    /no driver virtio_mmio, virtio_blk, which dev:host\/blk0 needs\n {2}way out: give a/,
  ],
  ["root=/dev/sda", true, needs("/dev/sda"), /and name the disk as virtio_blk does: root=\/dev\/vda/],
  [
    "root=/dev/vda",
    false,
    { code: "root-without-disk" },
    /the VM has no disk, and the kernel no driver virtio_mmio, virtio_blk\n {2}way out: give the VM a disk/,
  ],
  [
    "root=UUID=1234-5678",
    false,
    { code: "root-without-disk" },
    /the VM has no disk, and the kernel no driver virtio_mmio, virtio_blk\n {2}way out: give the VM a disk/,
  ],
  ["root=/dev/vda rootwait", true, needs("/dev/vda"), /no driver/],
  ["root=/dev/vda rootwait", false, { code: "root-without-disk" }, /the VM has no disk, and/],
];

for (const [append, hasDisk, cause, lines] of LONG ? GUESTS : GUESTS.slice(0, 1)) {
  Deno.test(`a Linux does not find its root: ${append}, ${hasDisk ? "one disk" : "no disk"}`, async () => {
    const devices = hasDisk ? [{ kind: "block", image: disk, mode: "ro" } as const] : [];
    const debian = await Debian.start("bookworm", { initrd: null, append: `console=ttyAMA0 ${append}`, devices });
    const waits = append.endsWith("rootwait");
    assertSick(debian, waits ? { code: "kernel-waits", finding: cause } : { code: "panicked", cause }, lines);
  });
}
