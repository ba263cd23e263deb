// Core files of VMs are read by Debian's makedumpfile and crash, inside of another guest. Packages
// are fetched: EL2_LONG.

import assert from "node:assert/strict";
import { Guest, ordinaryGuest } from "../guests/guest.ts";
import { PROMPT } from "../support/console.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { dmesgOf, threeInstants } from "./core-tools.ts";
import { Debian, RELEASES } from "./debian.ts";
import { writtenCore } from "./written-core.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 600;

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
          await Deno.writeFile(`${folder}/${name}`, writtenCore(debian));
          // All else in crash needs the kernel's debug information.
          const [, version = "?"] = /Linux version (\S+)/.exec(log.join()) ?? [];
          const told = await guest.command(`crash --osrelease /m/${name}`, /^\d\S*$/m, COMMAND);
          assert.equal(told[0], version);
          // Newer kernels have addresses of 52 bits with pages of 4 KiB. Every makedumpfile of
          // Debian refuses these: "PAGE SIZE 0x1000 and VA Bits 52 not supported" (1.7.2, 1.7.6
          // and sid's 1.7.8).
          if (release === "bookworm") {
            await guest.command(`makedumpfile --dump-dmesg /m/${name} /m/${name}.dmesg; echo dumped-$?`, /dumped-0\n/, COMMAND);
            const lines = (await Deno.readTextFile(`${folder}/${name}.dmesg`)).split("\n").map((line) => line.trim());
            assert.deepEqual(lines.filter((line) => line !== ""), log.filter((line) => line !== ""), name);
          }
          await Deno.remove(`${folder}/${name}`);
        }
      }
    });
  });
}
