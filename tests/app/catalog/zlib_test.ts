import assert from "node:assert/strict";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { ungzip, unzstd } from "../../../src/app/catalog/zlib.ts";
import { Random } from "../../support/random.ts";

const zstd = (bytes: Uint8Array) => unzstd((offset, size) => bytes.subarray(offset, offset + size));

/** How Node and el2 say it. */
const REFUSED = /^Error: (?:Zstd decompress error: .|invalid .|incorrect .|unexpected end of file|the zstd data is truncated or damaged)/;

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(pieces)).arrayBuffer());
}

/** Half a MiB that packs to a quarter, in several blocks. */
function content(random: Random): Uint8Array {
  const bytes = new Uint8Array(512 << 10);
  for (let at = 0; at < bytes.length; at += 2048) bytes.set(random.bytes(512), at);
  return bytes;
}

Deno.test("damaged gzip and zstd is refused, wherever the damage is, and the next data is unpacked", async () => {
  const random = new Random(3), bytes = content(random);
  const kinds: [Uint8Array, (packed: Uint8Array) => AsyncIterable<Uint8Array>][] = [
    [new Uint8Array(gzipSync(bytes)), (packed) => ungzip(ReadableStream.from([packed]))],
    [new Uint8Array(zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })), zstd],
  ];
  for (const [packed, unpack] of kinds) {
    assert.deepEqual(await collected(unpack(packed)), bytes);
    for (let round = 0; round < 200; round++) {
      const damaged = packed.slice();
      // After the fields of the header that may be anything: times, names, flags.
      damaged[20 + random.below(damaged.length - 20)] ^= 1 << random.below(8);
      await assert.rejects(collected(unpack(damaged)), REFUSED);
    }
    await assert.rejects(collected(unpack(packed.subarray(0, -1))), REFUSED);
    assert.deepEqual(await collected(unpack(packed)), bytes);
  }
});

Deno.test("frames of zstd that follow each other are one file; skippable ones have no data", async () => {
  const bytes = content(new Random(4)), frame = zstdCompressSync(bytes), skipped = [0x51, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
  const packed = new Uint8Array([...skipped, ...frame, ...skipped, ...frame]);
  assert.deepEqual(await collected(zstd(packed)), new Uint8Array([...bytes, ...bytes]));
});
