// Records that a kernel before 6.6 has compressed in other ways than deflate: each is read as the
// text that it was.

import assert from "node:assert/strict";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { unpackedRecord } from "../../../../src/inside/linux/pstore/packed-record.ts";
import { KiB } from "../../../../src/kit/support/values/sizes.ts";
import { Work } from "../../../../src/kit/support/values/work.ts";
import { dumpOf, opened } from "../../dumps/foreign.ts";
import type { Row } from "../rows.ts";
import { LINES, RECORDS, TEXT } from "./packed-records.ts";
import { dumpZone, packedZone, writtenRegion } from "./written-region.ts";

const unpacked = (bytes: Uint8Array) => unpackedRecord(bytes, new Work(Infinity, () => new Error("never")));

for (const [name, record] of Object.entries(RECORDS)) {
  Deno.test(`a record that ${name} has compressed is its text; a part of it is none`, () => {
    assert.deepEqual(new Uint8Array(unpacked(record) ?? assert.fail("not read")), TEXT);
    for (const size of [record.length >> 1, record.length - 5, 3, 0]) {
      assert.equal(unpacked(record.subarray(0, size)), undefined, `${size}`);
    }
    const { rows, gaps = [] } = opened(dumpOf(writtenRegion(packedZone(4 * KiB, 900, record)))).answer({ table: "linux.log", args: {} });
    assert.deepEqual(gaps, []);
    const log = rows as readonly Row<"linux.log">[];
    assert.equal(log.length, LINES.length + 1);
    assert.deepEqual([log[0].level, log[0].text], ["warn", "virtio_net virtio0: queue 0 of 0"]);
  });
}

Deno.test("records that become much more than a log take their steps, whether they are text or not", () => {
  const zeros = new Uint8Array(1 << 20),
    region = (record: Uint8Array) => writtenRegion(...Array.from({ length: 800 }, () => packedZone(4 * KiB, 1, record)));
  for (const record of [deflateRawSync(zeros), zstdCompressSync(zeros), Uint8Array.from({ length: 4000 }, () => 255)]) {
    const { rows, error } = opened(dumpOf(region(record))).answer({ table: "linux.log", args: {} });
    assert.deepEqual(rows, []);
    assert.match(error ?? "", /^linux\.log: more of the dump would have to be read/);
  }
  assert.equal(
    opened(dumpOf(writtenRegion(dumpZone(4 * KiB, 1, "Oops#1 Part1\n<1>[    1.000000] x\n")))).answer({ table: "linux.log", args: {} }).rows
      .length,
    1,
  );
});
