// Core files of VMs are read by Debian's makedumpfile and crash, inside of another guest. Packages
// are fetched: EL2_LONG.

import assert from "node:assert/strict";
import { Guest, ordinaryGuest } from "../../guests/guest.ts";
import { PROMPT } from "../../support/console.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { dmesgOf, linesOf, threeInstants } from "./core-tools.ts";
import { Debian, RELEASES } from "./debian.ts";
import { writtenCore } from "./written-core.ts";
import { LONG } from "../../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 600;
/** Bytes of a core file that have its notes. */
const NOTES_MAX = 1 << 16;

/**
 * Bits of addresses that a kernel is configured for, and those that it has where the CPU has no
 * more. Every makedumpfile of Debian looks at the first alone and refuses them with pages of 4 and
 * of 16 KiB (arch/arm64.c, `calculate_plat_config`, up to 1.7.9), so it is told, as crash is.
 */
const CONFIGURED = "NUMBER(VA_BITS)=52", ACTUAL = "NUMBER(VA_BITS)=48";

/** VMCOREINFO as it is in the notes of a core file. */
function vmcoreinfoOf(core: Uint8Array): string {
  const [text] = /OSRELEASE=[^\0]*/.exec(new TextDecoder("latin1").decode(core.subarray(0, NOTES_MAX))) ?? assert.fail();
  return text;
}

if (LONG) {
  Deno.test("makedumpfile and crash of a Debian guest print the log and the release that a core file has", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", ["makedumpfile", "crash"]);
    await inFolder(async (folder) => {
      const guest = new Guest(image, initrd, [{ kind: "9p", folder, mode: "rw", tag: "share" }], 1024 << 20);
      await guest.expect(PROMPT, BOOT);
      await guest.command("mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L share /m; echo mounted-$?", /mounted-0\n/, COMMAND);
      for (const release of RELEASES) {
        for (const [instant, debian] of threeInstants(await Debian.start(release, { cpus: 2 }))) {
          const name = `${release}-${instant}`, log = dmesgOf(debian);
          const core = writtenCore(debian);
          await Deno.writeFile(`${folder}/${name}`, core);
          // All else in crash needs the kernel's debug information.
          const [, version = "?"] = /Linux version (\S+)/.exec(log.join()) ?? [];
          const [printed] = await guest.command(`crash --osrelease /m/${name}`, /^\d\S*$/m, COMMAND);
          assert.equal(printed, version);
          const info = vmcoreinfoOf(core);
          await Deno.writeTextFile(`${folder}/vmcoreinfo`, info.replace(CONFIGURED, ACTUAL));
          const told = info.includes(CONFIGURED) ? "-i /m/vmcoreinfo" : "";
          await guest.command(`makedumpfile ${told} --dump-dmesg /m/${name} /m/dmesg; echo dumped-$?`, /dumped-0\n/, COMMAND);
          assert.deepEqual(linesOf(await Deno.readTextFile(`${folder}/dmesg`)), log.filter((line) => line !== ""), name);
          await Promise.all([name, "vmcoreinfo", "dmesg"].map((file) => Deno.remove(`${folder}/${file}`)));
        }
      }
    });
  });
}
