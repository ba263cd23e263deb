// Images that are written from start to end: QEMU finds no error in them, and the disk's bytes.

import assert from "node:assert/strict";
import { writeQcow2 } from "../../../src/kit/formats/qcow2-writer.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { runNative } from "../../support/oracles.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const CLUSTER = 65_536;

for (
  const [what, size, clusters] of [
    ["an empty disk", MiB, []],
    ["a disk whose last cluster is short", 3 * CLUSTER + 512, [0, 3]],
    ["a disk with clusters far from each other", 3000 * MiB, [1, 8191, 8192, 40_000]],
  ] as const
) {
  Deno.test(`${what} is an image in which QEMU finds no error, with its bytes`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/disk.qcow2`, raw = `${folder}/disk.img`;
      const read = (offset: number, into: Uint8Array) => void into.fill(1 + offset / CLUSTER % 251);
      {
        using file = Deno.openSync(path, { write: true, create: true });
        for (const _ of writeQcow2({ size, clusters, read }, (bytes) => void file.writeSync(bytes)));
      }
      const check = await runNative("qemu-img", ["check", "--output=json", path]);
      assert.equal(check.code, 0, check.stdout + check.stderr);
      assert.equal(JSON.parse(check.stdout)["leaks"] ?? 0, 0);
      await runNative("qemu-img", ["convert", "-O", "raw", path, raw]);
      using file = Deno.openSync(raw);
      assert.equal(file.seekSync(0, Deno.SeekMode.End), size);
      for (const cluster of new Set([0, 2, ...clusters])) {
        if (cluster * CLUSTER >= size) continue;
        const bytes = new Uint8Array(Math.min(CLUSTER, size - cluster * CLUSTER));
        file.seekSync(cluster * CLUSTER, Deno.SeekMode.Start);
        file.readSync(bytes);
        const wanted = (clusters as readonly number[]).includes(cluster) ? 1 + cluster % 251 : 0;
        assert.ok(bytes.every((byte) => byte === wanted), `cluster ${cluster}`);
      }
    }));
}
