import assert from "node:assert/strict";
import zlib from "node:zlib";
import { zstdFrameEnd, zstdParts } from "../../../src/kit/formats/zstd.ts";
import { Random } from "../../support/random.ts";

const reader = (bytes: Uint8Array) => (offset: number, size: number) => bytes.subarray(offset, offset + size);

/** Whether there are frames up to the end and nothing else. */
function isWhole(bytes: Uint8Array): boolean {
  try {
    return [...zstdParts(reader(bytes))].length >= 0;
  } catch (error) {
    assert.match(`${error}`, /^Error: the zstd data is truncated or damaged$/);
    return false;
  }
}

Deno.test("a frame of zlib's zstd ends where its data ends; shorter data and other data is not whole", () => {
  const random = new Random(7);
  const contents = [0, 1, 255, 256, 257, 70_000, 300_000].flatMap((size) => [random.bytes(size), new Uint8Array(size)]);
  for (const content of contents) {
    for (const checksum of [0, 1]) {
      const packed = new Uint8Array(zlib.zstdCompressSync(content, { params: { [zlib.constants.ZSTD_c_checksumFlag]: checksum } }));
      // The runtime may add an empty frame.
      const end = zstdFrameEnd(reader(packed), 0)!;
      assert.deepEqual(new Uint8Array(zlib.zstdDecompressSync(packed.subarray(0, end))), content);
      assert.ok(isWhole(packed) && isWhole(packed.subarray(0, end)));
      const two = new Uint8Array([...packed, ...packed, 1, 2]);
      assert.equal(zstdFrameEnd(reader(two), packed.length), packed.length + end);
      assert.ok(!isWhole(two));
      assert.ok(isWhole(two.subarray(0, -2)));
      for (const cut of [1, 2, 5, end - 3]) assert.ok(!isWhole(packed.subarray(0, end - cut)), `${cut}`);
    }
  }
});

Deno.test("a skippable frame counts; random bytes end in an answer", () => {
  const packed = zlib.zstdCompressSync(new Uint8Array(10));
  assert.ok(isWhole(new Uint8Array([0x51, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9, ...packed])));
  const random = new Random(8);
  for (let round = 0; round < 5000; round++) {
    isWhole(new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, ...random.bytes(random.below(60))]));
  }
});
