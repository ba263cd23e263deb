// After `tlbSlowWrites` the next write to each page is noted, and no translation is lost. By words,
// writes are noted until all words of a page are, or too many of its writes were to words that
// were.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { REPEATS } from "../../../../src/cpu/core/memory/written-words.ts";
import { WRITTEN_BY_WORD, WRITTEN_PAGES, WRITTEN_REPEATS } from "../../../../src/cpu/core/state/layout.ts";
import { hasPageBit } from "../../../../src/cpu/core/state/page-bits.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { RAM_BASE, RAM_SIZE, Rig, WRITTEN_MAPS } from "../rig.ts";
import { enable, Leaf, PageTables } from "./page-tables.ts";

const OLD = RAM_BASE + 0x5000, NEW = RAM_BASE + 0x6000, VA = 0x40_0000n;

/** Where the whole lines of a page are. */
const linesAt = (rig: Rig, pa: number) => WRITTEN_MAPS.lines + 8 * (rig.wasmAddress(pa) >>> 12);

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

/** A rig whose entries for writes of two pages are slow, as words are noted. */
function byWord(): Rig {
  const rig = new Rig(), tables = new PageTables(rig);
  tables.map(VA, OLD, Leaf.Accessed);
  tables.map(VA + BigInt(PAGE_SIZE), NEW, Leaf.Accessed);
  enable(rig, tables);
  rig.view.setUint32(WRITTEN_BY_WORD, 1, true);
  return rig;
}

const isWhole = (rig: Rig, pa = OLD) => rig.view.getBigUint64(linesAt(rig, pa), true) === (1n << 64n) - 1n;
/** Numbers of the words of a page that are noted. */
const wordsOf = (rig: Rig, pa = OLD) => {
  const bytes = new Uint8Array(rig.memory.buffer, WRITTEN_MAPS.words + (rig.wasmAddress(pa) >>> 6), 64);
  return Array.from({ length: 512 }, (_, word) => word).filter((word) => bytes[word >>> 3] >>> (word & 7) & 1);
};
const repeatsOf = (rig: Rig, pa = OLD) => {
  const { base, count } = WRITTEN_REPEATS;
  return rig.view.getUint16(base + 2 * ((rig.wasmAddress(pa) >>> 12) % count), true);
};

for (const [name, write] of WAYS) {
  Deno.test(`${name} notes its word, and its page stays slow until all are noted`, () => {
    const rig = byWord();
    for (let word = 0; word < 512; word++) {
      assert.equal(wordsOf(rig).length, word);
      assert.ok(!isWhole(rig));
      write(rig, VA + BigInt(8 * word));
    }
    assert.ok(isWhole(rig));
    assert.equal(repeatsOf(rig), 0, "no word came twice");
  });

  Deno.test(`${name} to words that are noted makes a page whole when that was too often, and no other page`, () => {
    const rig = byWord(), other = VA + BigInt(PAGE_SIZE);
    write(rig, VA + 8n);
    write(rig, other);
    for (let count = 1; count < REPEATS; count++) {
      write(rig, VA + 8n);
      if (count % 100 === 0) write(rig, other);
    }
    assert.deepEqual(wordsOf(rig), [1]);
    assert.ok(!isWhole(rig));
    write(rig, VA + 8n);
    assert.ok(isWhole(rig));
    assert.equal(repeatsOf(rig), 0, "the page may be written often again");
    write(rig, other);
    assert.ok(!isWhole(rig, NEW));
    assert.deepEqual(wordsOf(rig, NEW), [0]);
  });
}

Deno.test("a store over the end of a word or a line notes both", () => {
  const rig = byWord();
  rig.call("slowStore", VA + 60n, 8, 7n);
  rig.call("slowStore", VA + 261n, 4, 7n);
  rig.call("slowStore", VA + 4088n, 8, 7n);
  assert.deepEqual(wordsOf(rig), [7, 8, 32, 33, 511]);
  assert.deepEqual(wordsOf(rig, NEW), []);
});

Deno.test("a page is whole when its last line is, which ends with a word of the next page", () => {
  const rig = byWord(), end = VA + BigInt(PAGE_SIZE);
  for (let word = 0; word < 8; word++) rig.call("slowStore", end + BigInt(8 * word), 8, 7n);
  for (let word = 0; word < 511; word++) rig.call("slowStore", VA + BigInt(8 * word), 8, 7n);
  assert.ok(!isWhole(rig));
  rig.call("slowStore", end - 8n, 8, 7n);
  assert.ok(isWhole(rig));
  assert.ok(!isWhole(rig, NEW));
});
