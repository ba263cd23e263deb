// The log of an earlier boot, from regions of ramoops: written by the layout that Linux documents,
// and by Debian's own driver at a panic.

import assert from "node:assert/strict";
import { fetchKernel, ORDINARY_KERNEL, withDebianArchive } from "../../../../src/app/catalog/debian.ts";
import { catalogEntry } from "../../../../src/app/catalog/catalog.ts";
import { withEntries } from "../../../../src/kit/formats/cpio.ts";
import { KiB, MiB } from "../../../../src/kit/support/values/sizes.ts";
import { devicetreeSize, readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import { cells64, ensureNode, setProperties } from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { Place } from "../../../app/cli/place.ts";
import { el2 } from "../../../app/cli/program.ts";
import { longTest } from "../../../support/long.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { dumpOf, opened } from "../../dumps/foreign.ts";
import { Debian } from "../debian.ts";
import type { Row } from "../rows.ts";
import { consoleZone, dumpZone, writtenRegion } from "./written-region.ts";

const ZONE = 4 * KiB;
type LogRow = Row<"linux.log">;

/**
 * A region with a panic in two parts, of which the console has shown some lines, an oops of the
 * boot before it, and words of a program.
 */
const REGION = writtenRegion(
  dumpZone(ZONE, 900, "Panic#1 Part1\n<2>[    7.000200] Kernel panic - not syncing: lost\n<0>[    7.000300][    T1] the end\n"),
  dumpZone(ZONE, 901, "Panic#1 Part2\n<7>[    6.500000] quiet\n<14>[    6.600000] systemd: hello\n", false),
  dumpZone(ZONE, 100, "Oops#1 Part1\n<1>[   99.000000] of another boot\n"),
  consoleZone(
    ZONE,
    `${
      "x".repeat(ZONE)
    }\n[    6.600000] systemd: hello\n[    7.000200] Kernel panic - not syncing: lost\n[    7.000300] the end\n[    7.100000] Rebooting in 1 seconds..\n`,
  ),
  consoleZone(ZONE, "words of a program\n"),
);

/** Its log: the record, the time in us, the level, and the text. */
const LOG = [
  ["dmesg-ramoops-2", 99_000_000, "alert", "of another boot"],
  ["dmesg-ramoops-1", 6_500_000, "debug", "quiet"],
  ["dmesg-ramoops-1", 6_600_000, "info", "systemd: hello"],
  ["dmesg-ramoops-0", 7_000_200, "crit", "Kernel panic - not syncing: lost"],
  ["dmesg-ramoops-0", 7_000_300, "emerg", "the end"],
  ["console-ramoops-0", 7_100_000, null, "Rebooting in 1 seconds.."],
];

const shortly = ({ record, t, level, text }: LogRow) => [record, Number(t) / 1000, level, text];

Deno.test("a file with a region of ramoops is the log of the boot that it is of, each line once", () =>
  inFolder(async (folder) => {
    const { rows, gaps = [] } = opened(dumpOf(REGION)).answer({ table: "linux.log", args: {} });
    assert.deepEqual([(rows as readonly LogRow[]).map(shortly), gaps], [LOG, []]);
    assert.deepEqual([rows[2].facility, rows[4].caller, rows[4].id], [1, "T1", "log:dump/1@dmesg-ramoops-0"]);
    await Deno.writeFile(`${folder}/region`, REGION);
    for (const named of [`${folder}/region`, `${folder}/region@0x9fe00000`]) {
      const { code, stdout } = await el2("linux", "log", "--core", named, "--filter", "level=crit");
      assert.deepEqual([code, stdout], [0, "dmesg-ramoops-0: [    7.000200] Kernel panic - not syncing: lost\n"]);
    }
  }));

Deno.test("a record that cannot be read is a gap with its address, and others are read", () => {
  const broken = REGION.slice(), view = new DataView(broken.buffer);
  broken.fill(0xff, 40, 200);
  view.setUint32(2 * ZONE + 8, ZONE, true);
  const { rows, gaps = [] } = opened(dumpOf(broken, 0x8000_0000)).answer({ table: "linux.log", args: {} });
  assert.deepEqual(gaps.map((gap) => "address" in gap && gap.address), ["0x80000000", "0x80002000"]);
  assert.deepEqual((rows as readonly LogRow[]).map(({ text }) => text), [
    "quiet",
    "systemd: hello",
    ...LOG.slice(3).map(([, , , text]) => text),
  ]);
});

/** The devicetree that a machine's memory has at its start, with a node of ramoops. */
function treeWith(debian: Debian, base: number, size: number): Uint8Array {
  const ram = debian.system.machine.ram.bytes(RAM_BASE, 256 * MiB), view = new DataView(ram.buffer, ram.byteOffset, ram.length);
  for (let at = 0; at < ram.length; at += 8) {
    if (view.getUint32(at) !== 0xd00d_feed) continue;
    const read = readDevicetree(ram.slice(at, at + (devicetreeSize(ram.subarray(at)) ?? 0)));
    assert.ok(read.ok);
    setProperties(ensureNode(read.tree.root, "/reserved-memory"), { "#address-cells": 2, "#size-cells": 2, ranges: true });
    setProperties(ensureNode(read.tree.root, `/reserved-memory/ramoops@${base.toString(16)}`), {
      compatible: "ramoops",
      reg: cells64(base, size),
      "ecc-size": 16,
    });
    return writeDevicetree(read.tree);
  }
  assert.fail("no devicetree");
}

Deno.test("a kernel's log has before it what ramoops kept, by the devicetree and by the command line, and its own lines once", async () => {
  const base = 0x4a00_0000, parameters = `mem=128M ramoops.mem_address=0x${base.toString(16)} ramoops.mem_size=${REGION.length}`;
  const dtb = treeWith(await Debian.start("bookworm"), base, REGION.length);
  for (const options of [{ append: parameters }, { dtb }]) {
    const debian = await Debian.start("bookworm", options);
    debian.system.machine.ram.bytes(base, REGION.length).set(REGION);
    while (debian.ask("linux.log").rows.length < LOG.length + 20) assert.ok(debian.run(1e7));
    const { rows, gaps = [] } = debian.ask("linux.log"), log = rows as readonly LogRow[];
    assert.deepEqual(log.slice(0, LOG.length).map(shortly), LOG);
    assert.deepEqual(gaps, "dtb" in options ? [{ code: "uncorrected", of: "ramoops" }] : []);
    const own = log.slice(LOG.length);
    assert.deepEqual([own[0].record, own[0].sequence], [null, 0]);
    // The console's record of this boot.
    const lines = own.slice(0, 10).map(({ t, text }) => `[    0.${String(Number(t) / 1000 | 0).padStart(6, "0")}] ${text}\n`).join("");
    debian.system.machine.ram.bytes(base, REGION.length).set(writtenRegion(consoleZone(REGION.length, lines)));
    assert.equal(debian.ask("linux.log").rows.length, own.length);
  }
});

longTest(
  "Debian's ramoops keeps the log of a panic: a session, its snapshot and a dump have it before the next boot's",
  () =>
    inFolder(async (folder) => {
      const { image, modules } = await withDebianArchive(
        { release: "bookworm" },
        (archive, work) => fetchKernel(archive, ORDINARY_KERNEL, ["ramoops"], work),
      );
      const initrd = await Deno.readFile(`${(await catalogEntry("debian-bookworm")).folder}/initrd`);
      const files = modules.map(({ file, bytes }) => ({ path: file, kind: "file", permissions: 0o644, data: bytes }) as const);
      await Deno.writeFile(`${folder}/initrd`, withEntries(initrd, files));
      await Deno.writeFile(`${folder}/Image`, image);
      const vm = `platform = "crosvm"\nkernel = "Image"\ninitrd = "initrd"\nmemory = "256MiB"\npstore = "2MiB"\non_exit = "restart"\n`;
      await Deno.writeTextFile(`${folder}/a.toml`, `el2 = 1\n[host]\ngzvm = true\n[vm.deb]\n${vm}`);
      await using place = new Place();
      await place.up("one", `${folder}/a.toml`, "--turbo");
      const expect = async (...words: string[]) => {
        const { code, stderr } = await place.el2("console", "deb", ...words, "--timeout", "300s");
        assert.equal(code, 0, stderr);
      };
      await expect("--expect", "# $");
      await expect(
        "--send",
        `${modules.map(({ file }) => `insmod /${file}`).join("; ")}\\n`,
        "--expect",
        "ramoops: using[^]*# $",
      );
      await expect("--send", "echo c > /proc/sysrq-trigger\\n", "--expect", "Booting Linux[^]*# $");
      const { stdout: log } = await place.el2("linux", "log", "deb");
      assert.match(log, /^dmesg-ramoops-0: \[.*\] Kernel panic - not syncing: sysrq triggered crash$[^]*^\[ +0\.000000\] Booting Linux/m);
      const kept = (text: string) => text.split("\n").filter((line) => line.startsWith("dmesg-ramoops"));
      assert.ok(kept(log).length > 100);

      const [snapshot, core] = [`${folder}/a.snap`, `${folder}/core`];
      assert.equal((await place.el2("snapshot", "save", snapshot)).code, 0);
      assert.equal((await place.el2("snapshot", "vmcore", snapshot, core, "--vm", "deb")).code, 0);
      assert.deepEqual(kept((await place.el2("linux", "log", "--core", core)).stdout), kept(log));
      await place.el2("down", "one");
      await place.up("two", snapshot);
      assert.deepEqual(kept((await place.el2("linux", "log", "deb")).stdout), kept(log));
    }),
);
