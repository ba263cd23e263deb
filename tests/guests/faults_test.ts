// Injected faults as Debian's drivers see them.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";
import { LONG } from "../support/long.ts";

/** Seconds. */
const WAIT = 120;

if (LONG) {
  Deno.test("a read of a disk that a rule lets fail is an I/O error in the guest's log, and those before it are none", async () => {
    const { folder } = await catalogEntry("debian-bookworm");
    const disk = await Deno.makeTempFile();
    try {
      await Deno.truncate(disk, 16 << 20);
      const args = ["--append", `console=ttyAMA0 ${NO_SELF_TESTS}`, "--stdio", "--turbo", "--disk", `${disk},overlay`];
      const rule = ["--inject", "dev=host/blk0 op=read nth=8.. -> IOERR"];
      await using console = new ConsoleProgram(
        el2Command("boot", `${folder}/Image`, "--initrd", `${folder}/initrd-virtio`, ...args, ...rule),
      );
      await console.expect(PROMPT, WAIT);
      await console.type("dd if=/dev/vda of=/dev/null bs=4096 count=64 iflag=direct");
      const [, sector] = await console.expect(/I\/O error, dev vda, sector (\d+) op 0x0:\(READ\)/, WAIT);
      assert.ok(Number(sector) > 0, "the first reads are served");
      await console.expect(/dd: \/dev\/vda: (Input\/output|I\/O) error/, WAIT);
      await console.type("poweroff -f");
      assert.equal((await console.end()).code, 0);
    } finally {
      await Deno.remove(disk);
    }
  });
}
