// After `tlbSlowWrites` the next write to each page is noted, and no translation is lost.

import assert from "node:assert/strict";
import { Pstate } from "../../../src/core/architecture/exceptions.ts";
import { WRITTEN_PAGES } from "../../../src/core/state/layout.ts";
import { hasPageBit } from "../../../src/core/state/page-bits.ts";
import { PAGE_SIZE } from "../../../src/support/sizes.ts";
import { RAM_BASE, RAM_SIZE, Rig } from "../rig.ts";
import { enable, Leaf, PageTables } from "./page-tables.ts";

const OLD = RAM_BASE + 0x5000, NEW = RAM_BASE + 0x6000, VA = 0x40_0000n;

/** The bits since the last call, as pages of RAM. */
function written(rig: Rig): number[] {
  const bytes = new Uint8Array(rig.memory.buffer), pages: number[] = [];
  for (let pa = RAM_BASE; pa < RAM_BASE + RAM_SIZE; pa += PAGE_SIZE) {
    const wasmAddress = rig.wasmAddress(pa);
    if (!hasPageBit(bytes, WRITTEN_PAGES, wasmAddress)) continue;
    pages.push(pa);
    bytes[WRITTEN_PAGES + (wasmAddress >>> 15)] &= ~(1 << (wasmAddress >>> 12 & 7));
  }
  return pages;
}

const WAYS: [string, (rig: Rig) => unknown][] = [
  ["slowStore", (rig) => rig.call("slowStore", VA, 8, 7n)],
  ["slowAddress", (rig) => rig.call("slowAddress", VA, 8)],
  ["writableAt", (rig) => rig.call("writableAt", VA, 8)],
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
