// Maps of pages against plain maps: what they hold, how many pages are not shared, and that a
// change leaves the other maps as they are.

import assert from "node:assert/strict";
import { Page, type PageChange, PageMap } from "../../../src/session/state/page-map.ts";
import { Random } from "../../support/random.ts";

Deno.test("a map of pages with changes is another map, and the first one stays as it is", () => {
  const random = new Random(56);
  let map = PageMap.EMPTY, plain = new Map<number, Page>();
  for (let round = 0; round < 300; round++) {
    const changes = Array.from({ length: random.below(20) }, (): PageChange => {
      const page = random.below(2) ? random.below(40) : 100_000 + random.below(3000);
      return [page, random.below(3) ? new Page(Uint8Array.of(round)) : random.below(2) ? undefined : plain.get(page)];
    });
    const before = map, beforeEntries = [...before], next = new Map(plain);
    for (const [page, content] of changes) {
      if (content) next.set(page, content);
      else next.delete(page);
    }
    map = before.with(changes);
    assert.deepEqual([...before], beforeEntries);
    assert.deepEqual([...map], [...next].sort(([a], [b]) => a - b));
    assert.equal(map.size, next.size);
    for (const page of [...next.keys(), 39, 40, 99_999, 200_000]) assert.equal(map.get(page), next.get(page));
    const apart = [...next].filter(([page, content]) => plain.get(page) !== content).length;
    assert.equal([...map.apartFrom(before)].length, apart);
    assert.deepEqual(new Set(map.apartFrom(PageMap.EMPTY)), new Set(next.values()));
    assert.deepEqual([...before.with(map.changesFrom(before))], [...map]);
    assert.deepEqual([...map.with(before.changesFrom(map))], beforeEntries);
    plain = next;
  }
});

Deno.test("blocks without a change are shared", () => {
  const map = PageMap.EMPTY.with([[0, new Page(Uint8Array.of(1))], [5000, new Page(Uint8Array.of(2))]]);
  const other = map.with([[5001, new Page(Uint8Array.of(3))], [0, map.get(0)]]);
  const shared = map.blocks.filter((block, index) => block && block === other.blocks[index]);
  assert.equal(shared.length, 1);
});
