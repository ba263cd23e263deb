// PNG images, read back by the rules of the format.

import assert from "node:assert/strict";
import zlib from "node:zlib";
import { png } from "../../src/formats/png.ts";
import { chunksOf, pixelsOf } from "../support/png.ts";

Deno.test("a PNG has its chunks in order, with right checksums, and the pixels that were given", () => {
  const pixels = Uint8Array.from({ length: 7 * 5 * 3 }, (_, index) => index * 37 & 0xff), file = png(7, 5, pixels);
  const chunks = chunksOf(file);
  assert.deepEqual(chunks.map(({ name }) => name), ["IHDR", "IDAT", "IEND"]);
  for (const { name, content, checksum } of chunks) {
    assert.equal(checksum, zlib.crc32(new Uint8Array([...new TextEncoder().encode(name), ...content])), name);
  }
  // Of the published example: the checksum of an empty IEND.
  assert.equal(chunks.at(-1)!.checksum, 0xae426082);
  assert.deepEqual([...chunks[0].content], [0, 0, 0, 7, 0, 0, 0, 5, 8, 2, 0, 0, 0]);
  assert.deepEqual(pixelsOf(file), { width: 7, height: 5, pixels });
});
