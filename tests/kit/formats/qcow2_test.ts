// Images that qemu-img 7.2 has made of one disk (zstd around them, as base64), and damaged ones.

import assert from "node:assert/strict";
import { BadQcow2, isQcow2, Qcow2 } from "../../../src/kit/formats/qcow2.ts";
import { Random } from "../../support/random.ts";
import { DISK, QCOW2 } from "../../support/disk-images.ts";
import { LONG } from "../../support/long.ts";

function opened(file: Uint8Array): Qcow2 {
  return new Qcow2((offset, size) => file.subarray(offset, offset + size), file.length);
}

function unpacked(image: Qcow2): Uint8Array {
  const disk = new Uint8Array(image.size);
  for (const [at, bytes] of image.clusters()) disk.set(bytes, at);
  return disk;
}

/** An image of qemu-img, with some bytes replaced. */
function changed(name: keyof typeof QCOW2, ...changes: readonly (readonly [at: number, bytes: readonly number[]])[]): Uint8Array {
  const file = new Uint8Array(QCOW2[name]);
  for (const [at, bytes] of changes) file.set(bytes, at);
  return file;
}

Deno.test("images of qemu-img are read: versions 2 and 3, clusters of 512 bytes and more, zlib and zstd", () => {
  for (const [name, file] of Object.entries(QCOW2)) {
    assert.ok(isQcow2(file), name);
    assert.deepEqual(unpacked(opened(file)), DISK, name);
  }
  assert.ok(!isQcow2(DISK));
});

Deno.test("an image that needs what is not read is refused by name", () => {
  const cases: readonly (readonly [file: Uint8Array, message: RegExp])[] = [
    [changed("version 2", [7, [9]]), /has version 9 of qcow2; 2 and 3 can be read/],
    [changed("version 2", [15, [1]]), /has a backing file; .*qemu-img convert/],
    [changed("version 2", [35, [1]]), /is encrypted/],
    [changed("version 2", [23, [30]]), /has clusters of 2\^30 bytes/],
    [changed("version 2", [24, [0xff]]), /is a disk of more than/],
    [changed("version 2", [36, [0, 0, 0, 0]]), /does not cover its disk/],
    [changed("version 2", [36, [0xff]]), /has a table of more than 32/],
    [changed("zlib", [79, [2]]), /is marked as damaged/],
    [changed("zlib", [79, [4]]), /needs features that cannot be read \(0x4\)/],
    [changed("zstd", [104, [7]]), /has compression 7; zlib and zstd can be read/],
    [changed("version 2").subarray(0, 40), /truncated in its header/],
    [DISK, /is not a qcow2 image/],
  ];
  for (const [file, message] of cases) {
    assert.throws(() => opened(file), (error) => error instanceof BadQcow2 && message.test(error.message), String(message));
  }
});

Deno.test("damaged and truncated images end in an error that says so, or in a disk of the header's size", () => {
  const random = new Random(19);
  let refused = 0;
  for (let round = 0; round < (LONG ? 20_000 : 400); round++) {
    const original = Object.values(QCOW2)[round % 3];
    const file = original.slice(0, random.below(4) ? original.length : random.below(original.length));
    for (let change = random.below(8); change-- > 0 && file.length;) {
      file[random.below(random.below(2) ? file.length : Math.min(file.length, 2048))] = random.below(256);
    }
    try {
      const image = opened(file);
      // A header may ask for more than is worth the time of a test.
      if (image.size > 2 ** 24) continue;
      assert.equal(unpacked(image).length, image.size);
    } catch (error) {
      if (!(error instanceof BadQcow2)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 50, `${refused} refused`);
  assert.throws(() => unpacked(opened(QCOW2.zlib.subarray(0, 9000))), /lies outside of the file|is damaged/);
});

/** An image of version 2 whose disk has 2 MiB, and whose tables name one cluster for all of it. */
function oneClusterForAll(flags: bigint): Uint8Array {
  const cluster = 512, image = new Uint8Array(4 * cluster), view = new DataView(image.buffer), entries = cluster / 8;
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, 2);
  view.setUint32(20, Math.log2(cluster));
  view.setBigUint64(24, BigInt(entries * entries * cluster));
  view.setUint32(36, entries);
  view.setBigUint64(40, BigInt(cluster));
  // The table of the first level and the one of the second are one cluster: each entry leads back.
  for (let at = cluster; at < 2 * cluster; at += 8) view.setBigUint64(at, BigInt(cluster) | flags);
  return image;
}

Deno.test("an image whose tables lead to themselves, or name a cluster twice, is refused", () => {
  assert.throws(() => unpacked(opened(oneClusterForAll(0n))), /has clusters that are used twice/);
  const unaligned = oneClusterForAll(0n);
  new DataView(unaligned.buffer).setUint32(20, 10);
  assert.throws(() => unpacked(opened(unaligned)), /has no place of a cluster|outside of the file|does not cover/);
});
