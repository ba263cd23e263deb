// Stage-2 tables: what is mapped is found, page for page, and the pool gets every table back.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { STAGE2_TABLE_SIZE, Stage2Pool } from "../../../../src/cpu/core/memory/stage2.ts";

const PAGE = 4096;
const BLOCK = 0x100_0000;
const RW = Stage2Flags.Read | Stage2Flags.Write;

const pool = (tables: number) => new Stage2Pool(new WebAssembly.Memory({ initial: 64 }), STAGE2_TABLE_SIZE, tables * STAGE2_TABLE_SIZE);

Deno.test("an aligned range of 16 MiB needs no second table, a page of it does", () => {
  const tables = pool(8);
  const stage2 = tables.create()!;
  const before = tables.available;
  assert.equal(stage2.map(BLOCK, 5 * BLOCK, 2 * BLOCK, RW), true);
  assert.equal(tables.available, before);
  assert.deepEqual(stage2.lookup(2 * BLOCK + 0x12345), { pa: 6 * BLOCK + 0x12000, flags: RW });
  assert.equal(stage2.unmap(BLOCK + PAGE, PAGE), true);
  assert.equal(tables.available, before - 1);
  assert.equal(stage2.lookup(BLOCK + PAGE), undefined);
  assert.deepEqual(stage2.lookup(BLOCK + 2 * PAGE), { pa: 5 * BLOCK + 2 * PAGE, flags: RW });
  assert.deepEqual(stage2.lookup(BLOCK + BLOCK - 1), { pa: 6 * BLOCK - PAGE, flags: RW });
  stage2.release();
  assert.equal(tables.available, before + 1);
});

Deno.test("a mapping for which the pool has no table changes nothing", () => {
  const tables = pool(3);
  const stage2 = tables.create()!;
  assert.equal(stage2.map(PAGE, PAGE, PAGE, RW), true);
  assert.equal(stage2.map(0, 0, BLOCK + PAGE, RW), false);
  assert.equal(stage2.lookup(0), undefined);
  assert.equal(tables.create(), undefined);
});

Deno.test("addresses from 2^36 up are not mapped", () => {
  const stage2 = pool(4).create()!;
  assert.equal(stage2.lookup(2 ** 36), undefined);
  assert.throws(() => stage2.map(2 ** 36, 0, PAGE, RW), RangeError);
});

Deno.test("a space of 40 bits maps its last page, and gives all tables of its root back", () => {
  const tables = pool(40);
  const narrow = tables.create()!, before = tables.available;
  const wide = tables.create(40)!;
  assert.equal(tables.available, before - 16);
  const last = 2 ** 40 - PAGE;
  for (const [ipa, pa] of [[last, PAGE], [2 ** 36, 2 * PAGE], [0, 3 * PAGE]]) {
    assert.equal(wide.map(ipa, pa, PAGE, RW), true);
    assert.deepEqual(wide.lookup(ipa), { pa, flags: RW });
  }
  assert.deepEqual([...wide.entries()].map(({ ipa }) => ipa), [0, 2 ** 36, last]);
  assert.equal(wide.lookup(2 ** 40), undefined);
  assert.equal(narrow.lookup(last), undefined);
  assert.throws(() => wide.map(2 ** 40, 0, PAGE, RW), RangeError);
  wide.release();
  assert.equal(tables.available, before);
});

Deno.test("a released address space resolves to the empty table", () => {
  const tables = pool(4);
  const stage2 = tables.create()!;
  assert.equal(tables.root(stage2.id), stage2.root);
  stage2.release();
  assert.notEqual(tables.root(stage2.id), stage2.root);
  assert.throws(() => stage2.release());
});

Deno.test("any sequence of maps and unmaps equals a map of pages, and tells what it took", () => {
  const operation = fc.record({
    map: fc.boolean(),
    page: fc.integer({ min: 0, max: 3 * 4096 }),
    pages: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 4000, max: 9000 })),
    target: fc.oneof(fc.integer({ min: 0, max: 100000 }), fc.integer({ min: 0, max: 20 }).map((n) => n * 4096)),
    flags: fc.integer({ min: 0, max: 31 }),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 8 }), (operations) => {
      const tables = pool(10);
      const stage2 = tables.create()!;
      const before = tables.available;
      const model = new Map<number, { pa: number; flags: number }>();
      for (const { map, page, pages, target, flags } of operations) {
        if (map) assert.equal(stage2.map(page * PAGE, target * PAGE, pages * PAGE, flags), true);
        else assert.equal(stage2.unmap(page * PAGE, pages * PAGE), true);
        const lost: { pa: number; size: number }[] = [];
        for (let i = 0; i < pages; i++) {
          const before = model.get(page + i), mapped = { pa: (target + i) * PAGE, flags };
          if (map) model.set(page + i, mapped);
          else model.delete(page + i);
          if (!before || map && before.pa === mapped.pa && before.flags === flags) continue;
          const last = lost.at(-1);
          if (last && last.pa + last.size === before.pa) last.size += PAGE;
          else lost.push({ pa: before.pa, size: PAGE });
        }
        assert.deepEqual(stage2.takeLost(), lost.length > 4 ? undefined : lost);
      }
      for (let page = 0; page < 6 * 4096; page += 1 + page % 7) assert.deepEqual(stage2.lookup(page * PAGE), model.get(page));
      stage2.release();
      assert.equal(tables.available, before + 1);
    }),
    { numRuns: 40 },
  );
});

Deno.test("what was mapped and is not any more, or otherwise, is told once, in runs", () => {
  const stage2 = pool(8).create()!;
  stage2.map(0, BLOCK, 8 * PAGE, RW);
  assert.deepEqual(stage2.takeLost(), []);
  stage2.map(0, BLOCK, 8 * PAGE, RW);
  assert.deepEqual(stage2.takeLost(), [], "the same again");
  stage2.unmap(2 * PAGE, 2 * PAGE);
  stage2.map(5 * PAGE, BLOCK + 5 * PAGE, PAGE, Stage2Flags.Read);
  assert.deepEqual(stage2.takeLost(), [{ pa: BLOCK + 2 * PAGE, size: 2 * PAGE }, { pa: BLOCK + 5 * PAGE, size: PAGE }]);
  assert.deepEqual(stage2.takeLost(), []);
  stage2.map(BLOCK, 4 * BLOCK, BLOCK, RW);
  stage2.map(BLOCK, 6 * BLOCK, BLOCK, RW);
  assert.deepEqual(stage2.takeLost(), [{ pa: 4 * BLOCK, size: BLOCK }]);
  for (let i = 0; i < 8; i++) stage2.map(BLOCK + 2 * i * PAGE, 0, PAGE, RW);
  assert.equal(stage2.takeLost(), undefined, "too many places");
});
