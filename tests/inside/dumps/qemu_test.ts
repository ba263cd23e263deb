// Dumps of a Debian that QEMU has run, which el2 has not seen before: its log is what the console
// showed; its core file, its compressed dump and its raw memory answer alike, and as drgn does.
// EL2_LONG.

import assert from "node:assert/strict";
import { catalogEntry, type DebianRelease } from "../../../src/app/catalog/catalog.ts";
import { CLOUD_KERNEL } from "../../../src/app/catalog/debian.ts";
import type { NamedDump } from "../../../src/inside/dumps/dump.ts";
import type { DumpInspector } from "../../../src/session/inspection/dumps/dump-inspector.ts";
import { openDumps } from "../../../src/session/worker/dump-files.ts";
import { LINUX_TABLES } from "../../../src/model/queries/linux-tables.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { Table } from "../../../src/model/queries/table.ts";
import { type TableName, TABLES } from "../../../src/model/queries/tables.ts";
import { ordinaryGuest } from "../../guests/guest.ts";
import { withPrograms } from "../../guests/programs.ts";
import { rightQuery } from "../../session/inspection/system.ts";
import { LONG, longTest } from "../../support/long.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { type Asked, debugKernel, Drgn } from "../linux/core-tools.ts";
import { RELEASES } from "../linux/debian.ts";
import { compareView, locksOf } from "../linux/drgn-view.ts";
import { rowsIn } from "../linux/rows.ts";
import { dumpOf, limeOf, opened } from "./foreign.ts";
import { dumpsOf, Qemu, QEMU_MEMORY, QEMU_RAM, withAddresses } from "./qemu.ts";

/** Debian's kernel with pages of 16 KiB. */
const PAGES_16K = "linux-image-arm64-16k";
/** A prompt of the shell. */
const READY = /EL2-READY[^]*# /;
/** Modules, a mount, an interface, and programs that sleep, with files and a lock. */
const WORK = "mkdir /m /held; mount -t tmpfs tmp /m; ifconfig lo 127.0.0.1 up; sleep 1000 & exec 5</etc; held-folder & sleep 1; " +
  "mkdir /held/x & mkdir /held/y & sleep 1; ps -o stat,comm | grep -c '^D.*mkdir' | sed s/^/EL2-LOCKED-/\n";

/** The files of a dump in each form, and what a console has shown. */
async function dumpsIn(folder: string, qemu: Qemu): Promise<Readonly<Record<string, readonly NamedDump[]>>> {
  const { core, kdump, raw } = await dumpsOf(qemu, folder);
  const [ofCore, ofKdump, ofRaw] = openDumps([{ path: core }, { path: kdump }, { path: raw, address: QEMU_RAM }]);
  return { "core file": [ofCore], "compressed dump": [ofKdump], "raw memory": [ofRaw] };
}

/** A dump as it is asked about its Linux. */
function askedOf(inspector: DumpInspector): Asked {
  const ask = (table: TableName, args: AnyArguments = {}) => {
    const { args: taken }: Table = TABLES[table];
    return inspector.answer(rightQuery(table, { ...taken?.vm && { vm: "vm:dump" }, ...args }));
  };
  return { ask, rows: (table, args) => rowsIn(table, ask(table, args)) };
}

/** The files of a kernel that QEMU runs. */
interface QemuGuest {
  readonly image: string;
  readonly initrd: string;
}

/** Each form of its dumps has the same rows, and the log that its console has shown. */
async function checkForms({ image, initrd }: QemuGuest, folder: string): Promise<void> {
  await using qemu = await Qemu.started(image, initrd, folder);
  await qemu.until(READY);
  const answers = new Map<string, unknown>();
  for (const [form, files] of Object.entries(await dumpsIn(folder, qemu))) {
    const inspector = opened(...files), { ask } = askedOf(inspector);
    for (const { name, args } of Object.values(LINUX_TABLES) as readonly Table[]) {
      const table = name as TableName, { rows, error, gaps } = ask(table, args?.pid ? { pid: 1 } : {});
      assert.equal(error, undefined, `${form} ${table}`);
      if (!answers.has(table)) answers.set(table, { rows, gaps });
      else assert.deepEqual({ rows, gaps }, answers.get(table), `${form}: ${table}`);
      if (table === "linux.irqs") assert.ok(rows.length > 2, "it has interrupts");
      if (table !== "linux.log") continue;
      const log = new Set(rows.map(({ text }) => String(text).trim()));
      const missing = [...qemu.shown.matchAll(/^\[ *\d+\.\d+\] (.*\S)\s*$/gm)].map(([, text]) => text.trim()).filter((text) =>
        !log.has(text)
      );
      assert.deepEqual(missing, []);
    }
    if (form === "raw memory") continue;
    for (const vcpu of ["dump/0", "dump/1"]) {
      const { rows } = inspector.answer({ table: "vcpu.stack", args: { vcpu } });
      assert.match(
        String(rows.at(-1)?.symbol),
        /^(?:__primary_switched|__secondary_switched|ret_from_fork|el0t_64_sync|secondary_start_kernel)/,
      );
    }
  }
}

longTest("a Debian trixie with pages of 16 KiB that QEMU has run is read from each of its dumps", () =>
  inFolder(async (folder) => {
    const { image, initrd } = await ordinaryGuest("trixie", [], PAGES_16K),
      guest = { image: `${folder}/Image`, initrd: `${folder}/initrd` };
    await Deno.writeFile(guest.image, image);
    await Deno.writeFile(guest.initrd, initrd);
    await checkForms(guest, folder);
  }));

for (const release of LONG ? RELEASES : []) {
  Deno.test(`a Debian ${release} that QEMU has run is read from each of its dumps`, () =>
    inFolder(async (folder) => {
      const { folder: guest } = await catalogEntry(`debian-${release}`);
      await checkForms({ image: `${guest}/Image`, initrd: `${guest}/initrd` }, folder);
    }));
}

/** Kernels of releases, and those with larger pages. */
const KERNELS: readonly (readonly [release: DebianRelease, kernel: string])[] = [
  ...RELEASES.map((release) => [release, CLOUD_KERNEL] as const),
  ["trixie", PAGES_16K],
];

for (const [release, name] of LONG ? KERNELS : []) {
  Deno.test(`drgn reads of the core file that QEMU has written what el2 reads of each dump: ${release}, ${name}`, () =>
    inFolder(async (folder) => {
      const drgn = await Drgn.fetched(release, folder), kernel = await debugKernel(release, folder, ["qemu_fw_cfg"], name);
      await Deno.writeFile(`${folder}/Image`, kernel.image);
      await Deno.writeFile(`${folder}/initrd`, await withPrograms(kernel.initrd, "held-folder"));
      await using qemu = await Qemu.started(`${folder}/Image`, `${folder}/initrd`, folder);
      await qemu.until(READY);
      await qemu.type(WORK);
      await qemu.until(/^EL2-LOCKED-2/m);
      const dumps = await dumpsIn(folder, qemu), raw = await Deno.readFile(`${folder}/raw`), half = QEMU_MEMORY / 2;
      const forms = {
        ...dumps,
        "LiME": [dumpOf(limeOf(raw, half))],
        "raw parts": [dumpOf(raw.subarray(half), QEMU_RAM + half), dumpOf(raw.subarray(0, half), QEMU_RAM)],
      };
      const locks = locksOf(askedOf(opened(...dumps["core file"])));
      assert.equal(locks.length, 1);
      // The file itself is open.
      const addressed = `${folder}/addressed`;
      await Deno.copyFile(`${folder}/core`, addressed);
      await withAddresses(addressed);
      const view = await drgn.read(addressed, kernel.vmlinux, locks);
      for (const files of Object.values(forms)) compareView(askedOf(opened(...files)), view);
    }));
}
