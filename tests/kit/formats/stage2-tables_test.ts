// Stage 2's tables by VTTBR_EL2 and VTCR_EL2: where walks begin, tables that follow each other, and
// VMIDs.

import assert from "node:assert/strict";
import { leavesOf, outputOf, walkTables } from "../../../src/kit/formats/page-tables.ts";
import { stage2Rights, stage2TablesOf, vmidOf } from "../../../src/kit/formats/stage2-tables.ts";

const SIZES = { granules: [12, 14, 16] } as const;
const vtcr = (bits: number, sl0: number, tg0: number) => BigInt(64 - bits | sl0 << 6 | tg0 << 14);
/** A page with all rights but that of fetches by EL0: with FEAT_XNX XN is 3. */
const PAGE = 0x3n | 3n << 6n | 0xfn << 2n | 3n << 53n;

Deno.test("a walk of 40 bits from level 1 begins in two tables of 4 KiB that follow each other", () => {
  const tables = stage2TablesOf(0x4000_1000n, vtcr(40, 1, 0), SIZES);
  // Aligned to both.
  assert.equal(tables.root, 0x4000_0000);
  assert.deepEqual(tables.first, { level: 1, shift: 30, width: 10 });
  const memory = new Map([
    [0x4000_1008, 0x5000_0000n | 3n], // 513 GiB
    [0x5000_0000, 0x5000_1000n | 3n],
    [0x5000_1018, 0x6000_3000n | PAGE],
  ]);
  const read = (at: number) => memory.get(at) ?? 0n, address = 513n << 30n | 3n << 12n;
  const end = walkTables(tables, address, read);
  assert.deepEqual([end.kind, end.level, outputOf(end, address + 5n)], ["leaf", 3, 0x6000_3005]);
  assert.deepEqual([...leavesOf(tables, read)].map((one) => one.address), [address]);
});

Deno.test("pages of 16 and 64 KiB begin at the level that SL0 says, and one that is too small has no tables", () => {
  assert.deepEqual(stage2TablesOf(0n, vtcr(40, 1, 2), SIZES).first, { level: 2, shift: 25, width: 15 });
  assert.deepEqual(stage2TablesOf(0n, vtcr(40, 1, 1), SIZES).first, { level: 2, shift: 29, width: 11 });
  assert.equal(stage2TablesOf(0n, vtcr(28, 1, 0), SIZES).refused, true);
});

Deno.test("a VMID has 8 bits, or 16 with VTCR_EL2.VS", () => {
  assert.equal(vmidOf(0xabcdn << 48n, 0n), 0xcd);
  assert.equal(vmidOf(0xabcdn << 48n, 1n << 19n), 0xabcd);
});

Deno.test("the rights of a leaf are S2AP and XN, which has two bits with FEAT_XNX", () => {
  const rights = (s2ap: bigint, xn: bigint, hasXnx: boolean) => {
    const value = 3n | s2ap << 6n | xn << 53n;
    return stage2Rights({ kind: "leaf", level: 3, entry: 0, value, shift: 12, controls: 0, wide: false }, hasXnx);
  };
  assert.deepEqual([0n, 1n, 2n, 3n].map((s2ap) => rights(s2ap, 2n, true)), ["none", "r", "w", "rw"]);
  assert.deepEqual([0n, 1n, 2n, 3n].map((xn) => rights(1n, xn, true)), ["rx", "rx at EL0", "r", "rx at EL1"]);
  // Without it, bit 53 says nothing.
  assert.deepEqual([0n, 1n, 2n, 3n].map((xn) => rights(1n, xn, false)), ["rx", "rx", "r", "r"]);
});
