import assert from "node:assert/strict";
import { qcow2Head, writeQcow2 } from "../../../src/kit/formats/qcow2-writer.ts";
import { joined } from "../../../src/kit/support/values/bytes.ts";
import { givenDisk } from "../../../src/session/outside/given-disk.ts";

const SIZE = 256 * 1024;

/** The bytes of a disk from a place. */
function read(disk: ReturnType<typeof givenDisk>, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size).fill(0xaa);
  disk.read(offset, bytes);
  return bytes;
}

Deno.test("a disk in memory reads as its image does, raw and qcow2, and is never written", () => {
  const content = Uint8Array.from({ length: SIZE }, (_, at) => at * 7 >> 3), pieces: Uint8Array[] = [];
  const cluster = { size: SIZE, clusters: [1], read: (at: number, into: Uint8Array) => into.set(content.subarray(at, at + into.length)) };
  for (const _ of writeQcow2(cluster, (bytes) => pieces.push(bytes.slice())));
  const raw = givenDisk("a.img", content, "ro"), packed = givenDisk("a.qcow2", joined(pieces), "overlay");
  assert.deepEqual([raw.size, packed.size], [SIZE, SIZE]);
  assert.deepEqual(read(raw, 65_530, 100), content.subarray(65_530, 65_630));
  assert.deepEqual(read(packed, 65_536, 100), content.subarray(65_536, 65_636));
  assert.deepEqual(read(packed, 0, 100), new Uint8Array(100), "a cluster that the image does not have");
  for (const disk of [raw, packed]) {
    assert.ok(disk.readOnly && disk.savable);
    assert.throws(() => disk.write(0, new Uint8Array(512)), /is read-only/);
  }
});

Deno.test("bytes that are not an image, and a disk to be written, are refused by name", () => {
  const head = qcow2Head({ size: SIZE, clusters: [] });
  assert.throws(() => givenDisk("a.img", new Uint8Array(511), "ro"), /^Error: disk a\.img has 511 bytes, less than a sector/);
  assert.throws(() => givenDisk("a.qcow2", new Uint8Array(512), "ro"), /^Error: disk a\.qcow2: is not a qcow2 image/);
  assert.throws(() => givenDisk("a.qcow2", head.subarray(0, 60), "ro"), /^Error: disk a\.qcow2/);
  assert.throws(() => givenDisk("a.img", new Uint8Array(512), "rw"), /^Error: disk a\.img is in memory, and cannot be written/);
});
