import assert from "node:assert/strict";
import { openDisk } from "../../../src/session/outside/disk-file.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { inFolder } from "../../support/temporary-folder.ts";

Deno.test("zeroing a sparse raw image leaves its holes, and a discard leaves all of it", () =>
  inFolder((folder) => {
    const path = `${folder}/sparse.img`, size = 64 * MiB;
    Deno.writeFileSync(path, new Uint8Array(0));
    Deno.truncateSync(path, size);
    const disk = openDisk(path, false), ones = new Uint8Array(8192).fill(1);
    disk.write(MiB, ones);
    disk.write(2 * MiB, ones);
    const { blocks } = Deno.statSync(path);
    assert.equal(disk.discard, undefined);
    disk.zero(0, 2 * MiB);
    disk.zero(2 * MiB + 8192, size - 2 * MiB - 8192);
    assert.equal(Deno.statSync(path).blocks, blocks, "no room is taken");
    const bytes = new Uint8Array(size);
    disk.read(0, bytes);
    assert.deepEqual(bytes.subarray(2 * MiB, 2 * MiB + 8192), ones);
    bytes.fill(0, 2 * MiB, 2 * MiB + 8192);
    assert.ok(bytes.every((byte) => byte === 0));
    disk.close();
  }));
