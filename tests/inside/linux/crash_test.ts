// Core files of VMs are read by Debian's crash with Debian's debug information, inside of another
// guest, which takes minutes for each file. Packages are fetched: EL2_LONG.

import assert from "node:assert/strict";
import type { DebianRelease } from "../../../src/app/catalog/catalog.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { Guest, ordinaryGuest } from "../../guests/guest.ts";
import { PROMPT } from "../../support/console.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { debugKernel, threeInstants, withIndex } from "./core-tools.ts";
import { compareWithCrash, crashInput, type Unknown } from "./crash-output.ts";
import { Debian } from "./debian.ts";
import { writtenCore } from "./written-core.ts";
import { LONG } from "../../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 600;

/** A release and its crash. */
interface Release {
  readonly release: DebianRelease;
  readonly unknown: readonly Unknown[];
  readonly args: string;
}

/**
 * Where a kernel for addresses of 52 bits has 48, its PHYS_OFFSET in VMCOREINFO is for 52, as the
 * kernel's own reckoning is, and crash takes it for 48 (`arm64_calc_VA_BITS`). So it is told.
 */
const PLACE = `-m phys_offset=0x${RAM_BASE.toString(16)}`;

const WITH_CRASH: readonly Release[] = [
  { release: "bookworm", unknown: ["tasks"], args: "" },
  { release: "trixie", unknown: [], args: PLACE },
  // sid's crash 9.0.2 is older than its kernel 7.2. It counts a module's GPL symbols in an array of
  // their own ("invalid structure member offset: module_num_gpl_syms") unless it leaves modules
  // out, seeks interrupts elsewhere ("cannot determine number of IRQs"), and takes the frame record
  // of an exception (`struct frame_record_meta`) for the last one.
  { release: "sid", unknown: ["modules", "interrupts", "callers of exceptions"], args: `${PLACE} --no_modules` },
];

/**
 * A guest with crash of its release, a folder of this computer at /m, and the kernel with debug
 * information in its memory: crash reads small parts, each of which would be a message to /m.
 */
async function guestWithTools(release: DebianRelease, folder: string): Promise<Guest> {
  const { image, initrd } = await ordinaryGuest(release, ["crash"]);
  const guest = new Guest(image, initrd, [{ kind: "9p", folder, mode: "rw", tag: "share" }], 1536 << 20);
  await guest.expect(PROMPT, BOOT);
  await guest.command(
    "mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /m; echo mounted-$?",
    /mounted-0\n/,
    COMMAND,
  );
  await guest.command("cp /m/vmlinux /tmp; echo copied-$?", /copied-0\n/, COMMAND);
  return guest;
}

/** The output of crash about a core file. */
async function crash(guest: Guest, folder: string, core: string, { args, unknown }: Release): Promise<string> {
  await Deno.writeTextFile(`${folder}/commands`, crashInput(unknown));
  const command = `TERM=dumb crash ${args} -s /tmp/vmlinux /m/${core} </m/commands >/tmp/out 2>&1`;
  await guest.command(`${command}; echo crashed-$?`, /crashed-0\n/, COMMAND);
  await guest.command("cp /tmp/out /m/out; echo copied-$?", /copied-0\n/, COMMAND);
  return await Deno.readTextFile(`${folder}/out`);
}

/** Modules, a mount, and programs that sleep, stopped, with files and a pipe. */
const WORK = "while read m; do insmod /lib/modules/$m; done </lib/modules/order; mkdir /m; mount -t tmpfs tmp /m; " +
  "sleep 1000 & exec 5</etc; cat <&0 | sleep 2000 & echo LOADED-$?\n";
/** Virtual ns until all of them wait. */
const SETTLES = 2e9;

function work(debian: Debian): void {
  debian.type(WORK);
  debian.until(/LOADED-0/);
  assert.ok(debian.run(SETTLES));
}

if (LONG) {
  for (const one of WITH_CRASH) {
    const { release, unknown } = one;
    Deno.test(`crash of a Debian guest shows what el2 shows of a kernel: ${release}`, (t) =>
      inFolder(async (folder) => {
        const { image, initrd, vmlinux } = await debugKernel(release, folder);
        await withIndex(vmlinux);
        const guest = await guestWithTools(release, folder);
        for (const [name, debian] of threeInstants(Debian.of(image, { initrd, cpus: 2 }), work)) {
          await Deno.writeFile(`${folder}/core`, writtenCore(debian));
          await t.step(name, async () => compareWithCrash(debian, await crash(guest, folder, "core", one), unknown));
        }
      }));
  }
}
