// Compressed dumps: pages in each packing, left out and damaged; the flattened form, with pieces
// that are written over. The streams of LZO and Snappy are of lzop and libsnappy.

import assert from "node:assert/strict";
import { Dump } from "../../../src/inside/dumps/dump.ts";
import { DumpError } from "../../../src/inside/dumps/file-memory.ts";
import { unpackLzo } from "../../../src/kit/formats/lzo.ts";
import { unpackSnappy } from "../../../src/inside/dumps/snappy.ts";
import { joined } from "../../../src/kit/support/values/bytes.ts";
import { KiB, MiB, PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { Random } from "../../support/random.ts";
import { dumpOf } from "./foreign.ts";
import { flattenedOf, kdumpOf, LZO, PACKINGS, type Piece, piecesOf, SNAPPY } from "./written-kdump.ts";

const ADDRESS = 0x4000_0000;
/** The page that was packed so, by the same generator of numbers. */
function packedPage(): Uint8Array {
  let x = 7;
  const next = () => (x = Number(BigInt(x) * 1103515245n + 12345n & 0x7fff_ffffn)) >>> 16;
  const words = Uint8Array.from({ length: 200 }, () => next() & 0xff), few = Uint8Array.from({ length: 400 }, () => 97 + next() % 3);
  const parts = [words, new Uint8Array(17_000), words, few, new Uint8Array(3000), few.subarray(50, 350), words.subarray(20, 90)];
  const rest = [new TextEncoder().encode("xyz"), words.subarray(5, 9), few.subarray(1, 4), new Uint8Array(25_000), words.subarray(0, 100)];
  const page = new Uint8Array(64 * KiB);
  page.set(joined([...parts, ...rest]));
  return page;
}

/** Memory with pages of zeros, of text and of noise. */
function memoryOf(size: number): Uint8Array {
  const memory = new Uint8Array(size), random = new Random(74);
  for (let page = 0; page < size / PAGE_SIZE; page++) {
    const bytes = memory.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), kind = page % 3;
    if (kind) bytes.forEach((_, index) => bytes[index] = kind === 1 ? index % 7 : random.below(256));
  }
  return memory;
}

/** All of a dump's memory, page by page. */
function readAll(file: Uint8Array, size: number): Uint8Array {
  const { memory } = Dump.open([dumpOf(file)]), bytes = new Uint8Array(size);
  assert.deepEqual(memory.runs, [{ address: ADDRESS, size }]);
  for (let at = 0; at < size; at += PAGE_SIZE) bytes.set(memory.page(ADDRESS + at) ?? assert.fail(`no page at ${at}`), at);
  return bytes;
}

Deno.test("pages of 4 and 64 KiB come back from each packing, flattened or not", () => {
  const memory = memoryOf(2 * MiB);
  for (const [name, packing] of Object.entries(PACKINGS)) {
    for (const block of [4 * KiB, 64 * KiB]) {
      const file = kdumpOf(memory, { packing, block, address: ADDRESS });
      assert.deepEqual(readAll(file, memory.length), memory, `${name} ${block}`);
      const pieces = piecesOf(file, 100_000);
      assert.deepEqual(readAll(flattenedOf(pieces), memory.length), memory, `${name} ${block}, flattened`);
      // The header is written again at the end, and pieces in any order.
      const torn: Piece[] = [[0, new Uint8Array(50_000)], ...pieces.toReversed(), [block, file.subarray(block, block + 104)]];
      assert.deepEqual(readAll(flattenedOf(torn), memory.length), memory, `${name} ${block}, in another order`);
    }
  }
});

for (const [name, unpack, stream, flag] of [["LZO", unpackLzo, LZO, 2], ["Snappy", unpackSnappy, SNAPPY, 4]] as const) {
  Deno.test(`${name}: copies from near and far come back`, () => {
    const packed = Uint8Array.fromBase64(stream), page = packedPage(), into = new Uint8Array(page.length);
    unpack(packed, into);
    assert.deepEqual(into, page);
    const file = kdumpOf(page, { packing: [flag, () => packed], block: 64 * KiB, address: ADDRESS });
    assert.deepEqual(readAll(file, page.length), page);
  });
}

Deno.test("the parts of a dump that was split are one memory, in any order", () => {
  const memory = memoryOf(64 * KiB), cuts = [0, 5, 6, 16].map((page) => ADDRESS / PAGE_SIZE + page);
  const parts = cuts.slice(1).map((end, index) => kdumpOf(memory, { packing: PACKINGS.zlib, address: ADDRESS, part: [cuts[index], end] }));
  const { memory: whole } = Dump.open(parts.toReversed().map((part) => dumpOf(part)));
  for (let at = 0; at < memory.length; at += PAGE_SIZE) assert.deepEqual(whole.page(ADDRESS + at), memory.subarray(at, at + PAGE_SIZE));
  assert.equal(whole.page(ADDRESS + memory.length), undefined);
  assert.throws(() => Dump.open([dumpOf(parts[0]), dumpOf(parts[0])]), /two files have memory at 0x40000000/);
});

Deno.test("a page that is left out is zero, one that is damaged is not there and says why", () => {
  const memory = memoryOf(64 * KiB), file = kdumpOf(memory, { packing: PACKINGS.zlib, address: ADDRESS, leaves: (page) => page[1] === 1 });
  const left = readAll(file, memory.length);
  assert.deepEqual(left.subarray(PAGE_SIZE, 2 * PAGE_SIZE), new Uint8Array(PAGE_SIZE));
  for (const [name, packing] of Object.entries(PACKINGS)) {
    if (name === "none") continue;
    const file = kdumpOf(memory, { packing, address: ADDRESS }),
      { memory: whole } = Dump.open([dumpOf(file)]);
    // Of two pages in the file the first is packed.
    const at = file.length - 5 * (PAGE_SIZE + 20);
    file.fill(0xee, at, at + 4 * PAGE_SIZE);
    const lost = Array.from({ length: 16 }, (_, page) => ADDRESS + page * PAGE_SIZE).filter((address) => whole.page(address) === undefined);
    assert.ok(lost.length > 0, name);
    for (const address of lost) {
      assert.match(whole.damage.get(address)?.what ?? "", /^dump: byte \d+: page \d+: (?:cannot be unpacked: |\d+ bytes)/);
    }
  }
});

Deno.test("headers that cannot be are refused with their place", () => {
  const good = kdumpOf(memoryOf(64 * KiB), { packing: PACKINGS.zlib, address: ADDRESS });
  const changed = (at: number, value: number) => {
    const file = good.slice();
    new DataView(file.buffer).setInt32(at, value, true);
    return file;
  };
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [changed(428, 5), /byte 428: pages of 5 bytes/],
    [changed(432, -1), /byte 432: a header of -1 blocks/],
    [changed(436, 0x7fff_ffff), /byte 436: bitmaps of \d+ bytes; at most/],
    [good.subarray(0, 6000), /byte \d+: the file ends before/],
    [flattenedOf([[0, new Uint8Array(64)]]), /byte 4096: flattened, and not a compressed dump/],
    [flattenedOf([[2 ** 50, new Uint8Array(64)]]), /byte 4096: a piece of 64 bytes at 1125899906842624/],
  ];
  for (const [file, says] of cases) {
    assert.throws(
      () => Dump.open([dumpOf(file)]),
      (error) => error instanceof DumpError && says.test(error.message),
      String(says),
    );
  }
});
