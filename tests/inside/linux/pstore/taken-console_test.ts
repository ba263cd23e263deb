// The console's text of the boot before, after Debian's own driver has taken it out of its zone.

import assert from "node:assert/strict";
import { catalogEntry } from "../../../../src/app/catalog/catalog.ts";
import { fetchKernel, ORDINARY_KERNEL, withDebianArchive } from "../../../../src/app/catalog/debian.ts";
import { withEntries } from "../../../../src/kit/formats/cpio.ts";
import { KiB } from "../../../../src/kit/support/values/sizes.ts";
import { longTest } from "../../../support/long.ts";
import { Debian } from "../debian.ts";
import type { Row } from "../rows.ts";
import { consoleZone, dumpZone, writtenRegion } from "./written-region.ts";

const BASE = 0x4e00_0000, ZONE = 4 * KiB;
/** Of one boot: a dump of its end, and its console. */
const REGION = writtenRegion(
  dumpZone(ZONE, 900, "Panic#1 Part1\n<2>[    7.000200] Kernel panic - not syncing: lost\n<0>[    7.000300] the end\n"),
  consoleZone(ZONE, ""),
  consoleZone(ZONE, "[    6.600000] systemd: hello\n[    7.000200] Kernel panic - not syncing: lost\n[    7.000300] the end\n"),
);
const SIZES = { mem_address: BASE, mem_size: REGION.length, record_size: ZONE, console_size: ZONE, pmsg_size: 0, ftrace_size: 0 };
const parameters = (prefix: string) => Object.entries(SIZES).map(([name, value]) => `${prefix}${name}=${value}`).join(" ");
const LOG = ["systemd: hello", "Kernel panic - not syncing: lost", "the end"];

/** Its kernels name data, too: others do not tell where the driver has the text. */
longTest("what ramoops has taken out of the console's zone is in the log, once, before this boot's lines", async () => {
  const { image, modules } = await withDebianArchive(
    { release: "trixie" },
    (archive, work) => fetchKernel(archive, ORDINARY_KERNEL, ["ramoops"], work),
  );
  const initrd = await Deno.readFile(`${(await catalogEntry("debian-trixie")).folder}/initrd`);
  const files = modules.map(({ file, bytes }) => ({ path: file, kind: "file", permissions: 0o644, data: bytes }) as const);
  const debian = Debian.of(image, { initrd: withEntries(initrd, files), append: `mem=192M console=ttyAMA0 ${parameters("ramoops.")}` });
  debian.system.machine.ram.bytes(BASE, REGION.length).set(REGION);
  debian.withShell();
  for (const { file } of modules) debian.type(`insmod /${file} ${file.endsWith("ramoops.ko") ? parameters("") : ""}\n`);
  debian.run(2e9);
  const { rows, gaps = [] } = debian.ask("linux.log"), log = rows as readonly Row<"linux.log">[];
  assert.deepEqual(gaps, []);
  assert.deepEqual(log.filter(({ record }) => record !== null).map(({ text }) => text), LOG);
});
