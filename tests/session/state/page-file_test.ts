// Pages in a file: their content, the limit, and room that comes back.

import assert from "node:assert/strict";
import { PageFile } from "../../../src/session/state/page-file.ts";
import { Page } from "../../../src/session/state/page-map.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const pageOf = (value: number) => new Page(new Uint8Array(PAGE_SIZE).fill(value));

Deno.test("pages in the file are what they were in memory, up to its limit; the file has no name", () =>
  inFolder((folder) => {
    const random = new Random(5), store = PageFile.inFolder(`${folder}/states`, 700 * PAGE_SIZE + 1);
    using _file = store.file;
    assert.deepEqual([...Deno.readDirSync(`${folder}/states`)], []);
    const pages = Array.from({ length: 700 }, (_, index) => pageOf(index));
    for (let first = 0; first < 700;) {
      const count = Math.min(700 - first, 1 + random.below(400));
      assert.equal(store.store(pages.slice(first, first + count)), true);
      first += count;
    }
    assert.equal(store.store([pageOf(1)]), false);
    assert.equal(store.file.statSync().size, 700 * PAGE_SIZE);
    for (let round = 0; round < 3000; round++) {
      const index = random.below(700), page = pages[index];
      assert.equal(page.content, undefined);
      assert.deepEqual([page.bytes[0], page.bytes[PAGE_SIZE - 1], page.bytes.length], [index & 255, index & 255, PAGE_SIZE]);
    }
  }));

Deno.test("a file that cannot be written changes no page, and takes none from then on", () =>
  inFolder((folder) => {
    const store = PageFile.inFolder(folder, 10 * PAGE_SIZE), page = pageOf(3);
    store.file.close();
    assert.equal(store.store([page]), false);
    assert.deepEqual([page.bytes[0], store.store([page])], [3, false]);
  }));

Deno.test("the room of pages that nobody has any more is used again", async () => {
  await inFolder(async (folder) => {
    const store = PageFile.inFolder(folder, 4 * PAGE_SIZE), kept = pageOf(9);
    using _file = store.file;
    assert.equal(store.store([pageOf(1), kept, pageOf(2), pageOf(3)]), true);
    const more = pageOf(4);
    // The engine collects garbage when it wants to: give it some.
    while (!store.store([more])) await new Promise((resolve) => setTimeout(resolve, new Uint8Array(1 << 22).fill(1).length & 1));
    assert.deepEqual([kept.bytes[7], more.bytes[7]], [9, 4]);
    assert.equal(store.file.statSync().size, 4 * PAGE_SIZE);
  });
});
