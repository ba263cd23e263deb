// Readers of strangers' dumps: each mutant is opened, or refused with its place (run.ts); pages of
// those that are opened are read. EL2_LONG=1 has 100,000 of each form.

import { Dump } from "../../src/inside/dumps/dump.ts";
import { DumpError } from "../../src/inside/dumps/file-memory.ts";
import { findKernel } from "../../src/inside/dumps/kernel-place.ts";
import { unpackLz4 } from "../../src/kit/formats/lz4.ts";
import { unpackLzo } from "../../src/kit/formats/lzo.ts";
import { unpackSnappy } from "../../src/inside/dumps/snappy.ts";
import { PackedError } from "../../src/kit/formats/unpacking.ts";
import { TooMuch } from "../../src/inside/linux/kernel/memory.ts";
import { whole } from "../../src/kit/support/values/work.ts";
import { dumpOf, limeOf } from "../inside/dumps/foreign.ts";
import { RECORDS } from "../inside/linux/pstore/packed-records.ts";
import { flattenedOf, kdumpOf, LZO, PACKINGS, piecesOf, SNAPPY } from "../inside/dumps/written-kdump.ts";
import type { Random } from "../support/random.ts";
import { chance, damaged, edge, patched } from "./grammars.ts";
import { readerTest } from "./run.ts";

const MEMORY = new Uint8Array(8 * 4096).map((_, index) => index >>> 12 & 1 ? index % 251 : 0);
/** Pages of one mutant that are read. */
const PAGES = 64;

/** A core file with a segment, registers and VMCOREINFO. */
function coreFile(random: Random): Uint8Array {
  const bytes = new Uint8Array(4096 + MEMORY.length), view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, 183, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const segment = (at: number, type: number, offset: bigint, address: bigint, size: bigint) => {
    view.setUint32(at, type, true);
    [offset, 0n, address, size, size].forEach((value, index) => view.setBigUint64(at + 8 + 8 * index, value, true));
  };
  const any = (value: bigint) => chance(random, 6) ? edge(random) : value;
  segment(64, 4, any(512n), 0n, any(700n));
  segment(120, 1, any(4096n), any(0x4000_0000n), any(BigInt(MEMORY.length)));
  view.setUint32(512, 5, true);
  view.setUint32(516, 392, true);
  view.setUint32(520, 1, true);
  bytes.set(new TextEncoder().encode("CORE"), 524);
  view.setUint32(924, 11, true);
  view.setUint32(928, 200, true);
  bytes.set(new TextEncoder().encode("VMCOREINFO"), 936);
  const info = `OSRELEASE=6.1\nPAGESIZE=4096\nSYMBOL(_stext)=ffff800008010000\nSYMBOL(swapper_pg_dir)=${
    edge(random).toString(16)
  }\nNUMBER(kimage_voffset)=0x${edge(random).toString(16)}\n`;
  bytes.set(new TextEncoder().encode(info), 948);
  bytes.set(MEMORY, 4096);
  return bytes;
}

const FORMS: Readonly<Record<string, (random: Random) => Uint8Array>> = {
  "ELF core files": coreFile,
  "LiME dumps": () => limeOf(MEMORY, 4096),
  "compressed dumps": (random) => kdumpOf(MEMORY, { packing: random.pick(Object.values(PACKINGS)), address: 0x4000_0000 }),
  "flattened dumps": () => flattenedOf(piecesOf(kdumpOf(MEMORY, { packing: PACKINGS.zlib, address: 0x4000_0000 }), 5000)),
};

for (const [name, make] of Object.entries(FORMS)) {
  readerTest(name, {
    steps: () => 1 << 28,
    heap: () => 128 << 20,
    input(random) {
      const whole = make(random);
      return chance(random, 3) ? whole : damaged(random, patched(random, whole));
    },
    read(bytes: Uint8Array, random) {
      const dump = Dump.open([dumpOf(bytes)]);
      dump.memory.renew();
      for (const { address, size } of dump.memory.runs.slice(0, PAGES)) {
        dump.memory.page(address);
        dump.memory.page(address + 4096 * random.below(Math.max(1, Math.min(size / 4096, 2 ** 31))));
      }
      if (dump.memory.runs.length < PAGES && dump.memory.runs.every(({ size }) => size < 2 ** 24)) whole(findKernel(dump));
    },
  }, (error) => error instanceof DumpError || error instanceof TooMuch);
}

const UNPACKED = 64 * 1024;

for (
  const [name, unpack, packed] of [["LZO", unpackLzo, LZO], ["LZ4", unpackLz4, RECORDS.lz4], ["Snappy", unpackSnappy, SNAPPY]] as const
) {
  const stream = typeof packed === "string" ? Uint8Array.fromBase64(packed) : packed;
  readerTest(name, {
    input: (random) => chance(random, 8) ? stream : damaged(random, patched(random, stream)),
    read: (bytes: Uint8Array) => unpack(bytes, new Uint8Array(UNPACKED)),
  }, (error) => error instanceof PackedError);
}
