// After `tlbSlowWrites` the next write to each page is noted, and no translation is lost. By lines,
// writes are noted until all lines of a page are, or too many writes were to lines that were.

import assert from "node:assert/strict";
import { Pstate } from "../../../src/core/architecture/exceptions.ts";
import { WRITTEN_BY_LINE, WRITTEN_PAGES, WRITTEN_REPEATS } from "../../../src/core/state/layout.ts";
import { hasPageBit } from "../../../src/core/state/page-bits.ts";
import { PAGE_SIZE } from "../../../src/support/sizes.ts";
import { RAM_BASE, RAM_SIZE, Rig, WRITTEN_LINES } from "../rig.ts";
import { enable, Leaf, PageTables } from "./page-tables.ts";

const OLD = RAM_BASE + 0x5000, NEW = RAM_BASE + 0x6000, VA = 0x40_0000n;

/** Where the lines of a page are. */
const linesAt = (rig: Rig, pa: number) => WRITTEN_LINES + 8 * (rig.wasmAddress(pa) >>> 12);

/** The bits since the last call, as pages of RAM. */
function written(rig: Rig): number[] {
  const bytes = new Uint8Array(rig.memory.buffer), pages: number[] = [];
  for (let pa = RAM_BASE; pa < RAM_BASE + RAM_SIZE; pa += PAGE_SIZE) {
    const wasmAddress = rig.wasmAddress(pa);
    if (!hasPageBit(bytes, WRITTEN_PAGES, wasmAddress)) continue;
    pages.push(pa);
    bytes[WRITTEN_PAGES + (wasmAddress >>> 15)] &= ~(1 << (wasmAddress >>> 12 & 7));
    rig.view.setBigUint64(linesAt(rig, pa), 0n, true);
  }
  return pages;
}

const WAYS: [string, (rig: Rig, va?: bigint) => unknown][] = [
  ["slowStore", (rig, va = VA) => rig.call("slowStore", va, 8, 7n)],
  ["slowAddress", (rig, va = VA) => rig.call("slowAddress", va, 8)],
  ["writableAt", (rig, va = VA) => rig.call("writableAt", va, 8)],
];

for (const [name, write] of WAYS) {
  for (const [regime, pstate] of [["EL0", Pstate.EL0t], ["EL1", Pstate.EL1h]] as const) {
    Deno.test(`${name} at ${regime} notes its page again, by the translation that it had`, () => {
      const rig = new Rig(), tables = new PageTables(rig);
      tables.map(VA, OLD, Leaf.Accessed | (pstate === Pstate.EL0t ? Leaf.User : 0n));
      enable(rig, tables);
      rig.pstate(pstate);
      write(rig);
      assert.deepEqual(written(rig), [OLD]);
      // The guest has not invalidated what the TLB holds.
      tables.map(VA, NEW, Leaf.Accessed | (pstate === Pstate.EL0t ? Leaf.User : 0n));
      written(rig);
      rig.functions.tlbSlowWrites();
      assert.deepEqual(written(rig), []);
      assert.deepEqual([...rig.pool.entries(rig.stage2.id)].filter(({ write }) => write).map(({ va }) => va), [VA], "the entry is there");
      rig.call("slowLoad", VA, 8);
      assert.deepEqual(written(rig), [], "a read notes nothing");
      write(rig);
      assert.deepEqual(written(rig), [OLD]);
      for (const again of [0, 1]) {
        rig.functions.tlbSlowWrites();
        rig.functions.tlbSlowWrites();
        assert.deepEqual(written(rig), []);
        write(rig);
        assert.deepEqual(written(rig), [OLD], `${again}`);
      }
    });
  }
}

Deno.test("a write beside code is noted each time, and its instructions are dropped", () => {
  const rig = new Rig(), tables = new PageTables(rig);
  tables.map(VA, OLD, Leaf.Accessed);
  enable(rig, tables);
  rig.codePages.add(rig.wasmAddress(OLD));
  rig.call("slowStore", VA, 8, 7n);
  rig.functions.tlbSlowWrites();
  written(rig);
  rig.dropped.length = 0;
  rig.call("slowStore", VA, 8, 8n);
  assert.deepEqual(written(rig), [OLD]);
  assert.deepEqual(rig.dropped, [[rig.wasmAddress(OLD), 8]]);
  assert.equal(rig.call("writableAt", VA, 8).value, 0, "a region leaves before it writes there");
});

/** A rig whose entry for writes of a page is slow, as lines are noted. */
function byLine(): Rig {
  const rig = new Rig(), tables = new PageTables(rig);
  tables.map(VA, OLD, Leaf.Accessed);
  enable(rig, tables);
  rig.view.setUint32(WRITTEN_BY_LINE, 1, true);
  rig.view.setUint32(WRITTEN_REPEATS, 5, true);
  return rig;
}

const linesOf = (rig: Rig) => rig.view.getBigUint64(linesAt(rig, OLD), true);

for (const [name, write] of WAYS) {
  Deno.test(`${name} notes its line, and its page stays slow until all are noted`, () => {
    const rig = byLine();
    for (let line = 0; line < 64; line++) {
      assert.equal(linesOf(rig), (1n << BigInt(line)) - 1n);
      write(rig, VA + BigInt(64 * line + 8));
    }
    assert.equal(linesOf(rig), (1n << 64n) - 1n);
    assert.equal(rig.view.getUint32(WRITTEN_REPEATS, true), 5, "no line came twice");
  });

  Deno.test(`${name} to lines that are noted makes a page whole when that was too often`, () => {
    const rig = byLine();
    write(rig, VA + 8n);
    for (let count = 0; count < 4; count++) write(rig, VA + 16n);
    assert.equal(linesOf(rig), 1n);
    write(rig, VA);
    assert.equal(linesOf(rig), (1n << 64n) - 1n);
    assert.ok(rig.view.getUint32(WRITTEN_REPEATS, true) > 5, "the next page may be written often again");
  });
}

Deno.test("a store over the end of a line notes both", () => {
  const rig = byLine();
  rig.call("slowStore", VA + 60n, 8, 7n);
  assert.equal(linesOf(rig), 3n);
});
