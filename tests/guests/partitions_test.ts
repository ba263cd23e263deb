// Debian's kernel on a disk that several images make: it finds the partitions by their table, and
// reads and writes each.

import assert from "node:assert/strict";
import { KiB, MiB } from "../../src/kit/support/values/sizes.ts";
import { Debian } from "../inside/linux/debian.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";

for (const sector of [512, 4096] as const) {
  longTest(
    `Debian finds the partitions of a disk with sectors of ${sector} bytes, and writes those that it may`,
    () =>
      inFolder(async (folder) => {
        const [root, data, more] = ["root", "data", "more"].map((name) => `${folder}/${name}.img`);
        await Deno.writeFile(root, new Uint8Array(5000).fill(0x72));
        await Deno.writeFile(data, new Uint8Array(MiB).fill(0x64));
        await Deno.writeFile(more, new Uint8Array(64 * KiB).fill(0x6d));
        const guid = "deadbeef-0102-0304-0506-0708090a0b0c";
        const partitions = [
          { label: "root", image: root, mode: "ro" },
          { label: "data", image: data, mode: "rw", guid },
          { label: "more", image: more, mode: "overlay" },
        ] as const;
        const debian = (await Debian.start("bookworm", { initrd: "initrd-virtio", devices: [{ kind: "block", sector, partitions }] }))
          .withShell();
        debian.loadModules();
        assert.doesNotMatch(debian.shown, /GPT:|Primary header|alternate/i, "the kernel complains of nothing");
        assert.equal(debian.command("cat /sys/block/vda/vda1/size /sys/block/vda/vda2/size /sys/block/vda/vda3/size"), "16\n2048\n128\n");
        const names = debian.command("grep -h PARTNAME /sys/block/vda/vda?/uevent");
        assert.equal(names, "PARTNAME=root\nPARTNAME=data\nPARTNAME=more\n");
        assert.match(debian.command("dd if=/dev/vda1 bs=4096 count=1 2>/dev/null | tr -d r | wc -c"), /^0\n$/);
        assert.match(debian.command("tail -c 3192 /dev/vda1 | tr -d '\\000' | wc -c"), /^0\n$/, "zeros after the image");
        for (const number of [2, 3]) debian.command(`echo written-${number} | dd of=/dev/vda${number} bs=4096 seek=3 conv=sync,fsync`);
        const refused = debian.command("echo no | dd of=/dev/vda1 bs=4096 conv=sync,fsync 2>&1");
        assert.match(refused, /Input\/output error/);
        debian.command("echo 3 > /proc/sys/vm/drop_caches");
        for (const number of [2, 3]) {
          assert.match(debian.command(`dd if=/dev/vda${number} bs=4096 skip=3 count=1`), new RegExp(`written-${number}`));
        }
        debian.system.outside.close();
        assert.match(new TextDecoder().decode(Deno.readFileSync(data).subarray(12_288, 12_300)), /^written-2/);
        assert.deepEqual(Deno.readFileSync(more), new Uint8Array(64 * KiB).fill(0x6d));
        assert.deepEqual(Deno.readFileSync(root), new Uint8Array(5000).fill(0x72));
      }),
  );
}
