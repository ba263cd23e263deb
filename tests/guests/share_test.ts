// Debian's ordinary kernel, which has drivers that the cloud kernel lacks, on a shared folder and
// an input device. It fetches a kernel: EL2_LONG.

import assert from "node:assert/strict";
import { keyEvents } from "../../src/model/commands/input-events.ts";
import { PROMPT } from "../support/console.ts";
import { Guest, ordinaryGuest } from "./guest.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 30;

if (LONG) {
  Deno.test("Debian lists, reads and writes a shared folder by 9p, and sees the keys that people press", async () => {
    const { image, initrd } = await ordinaryGuest();
    const folder = await Deno.makeTempDir({ prefix: "el2-share-" });
    try {
      await Deno.writeTextFile(`${folder}/from-host`, "hello guest\n");
      await Deno.symlink("/etc/passwd", `${folder}/out`);
      const guest = new Guest(image, initrd, [
        { kind: "9p", folder, mode: "rw", tag: "share" },
        { kind: "input", type: "keyboard" },
      ], 512 << 20);
      const command = (line: string, pattern: RegExp) => guest.command(line, pattern, COMMAND);
      await guest.expect(PROMPT, BOOT);
      await command("mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L share /m; echo mounted-$?", /mounted-0\n/);
      await command("ls /m", /from-host {2}out\n/);
      await command("cat /m/from-host", /hello guest\n/);
      await command("cat /m/out", /can't open '\/m\/out'/);
      await command("mkdir /m/d; seq 1000 > /m/d/numbers; mv /m/d /m/e; sync; echo done-$?", /done-0\n/);
      assert.equal(await Deno.readTextFile(`${folder}/e/numbers`), Array.from({ length: 1000 }, (_, i) => `${i + 1}\n`).join(""));
      await command(
        "head -c 3000000 /dev/urandom > /m/big; md5sum < /m/big > /tmp/1; md5sum < /m/big | cmp - /tmp/1; echo same-$?",
        /same-0\n/,
      );
      assert.equal((await Deno.stat(`${folder}/big`)).size, 3_000_000);
      await command("rm -r /m/e /m/big; ls /m | wc -l", /\n2\n/);

      await command(`hexdump -e '12/2 " %d" "\\n"' -n 48 /dev/input/event0 > /tmp/keys & sleep 1; echo reads-$?`, /reads-0\n/);
      assert.equal(guest.system.inspector.act({ kind: "input.send", vm: "host", events: keyEvents("a") }), undefined);
      // 48 bytes are two events of 24: a time each, then type 1 (a key), code 30, value 1; then its
      // end.
      await command("wait; cat /tmp/keys; echo read-$?", / 1 30 1 0\n.* 0 0 0 0\n[^]*read-0\n/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
