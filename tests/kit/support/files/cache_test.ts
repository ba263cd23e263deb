// Folders of caches: which files stay.

import assert from "node:assert/strict";
import { keepNewest, newestFirst, readIfThere } from "../../../../src/kit/support/files/cache.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

Deno.test("files that a killed process left do not push complete ones out, and go when they are old", async () => {
  await inFolder((folder) => {
    const minutesAgo = {
      "a.code": 300,
      "b.code": 200,
      "c.code": 100,
      "d.code.partial-1": 10,
      "e.code.partial-2": 0,
      "f.code.partial-3": 120,
    };
    for (const [name, minutes] of Object.entries(minutesAgo)) {
      Deno.writeTextFileSync(`${folder}/${name}`, name);
      const time = new Date(Date.now() - minutes * 60_000);
      Deno.utimeSync(`${folder}/${name}`, time, time);
    }
    keepNewest(folder, 2);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["b.code", "c.code", "d.code.partial-1", "e.code.partial-2"]);
  });
});

Deno.test("of large files as many stay as there is room for, newest first", async () => {
  await inFolder((folder) => {
    for (const [age, size] of [[1, 400], [2, 500], [3, 200], [4, 50]]) {
      Deno.writeFileSync(`${folder}/${age}`, new Uint8Array(size));
      const time = new Date(Date.now() - age * 60_000);
      Deno.utimeSync(`${folder}/${age}`, time, time);
    }
    const left = () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort().join();
    keepNewest(folder, 4, 1150);
    assert.equal(left(), "1,2,3,4");
    keepNewest(folder, 4, 1000);
    assert.equal(left(), "1,2");
    keepNewest(folder, 1, 1000);
    assert.equal(left(), "1");
    return Promise.resolve();
  });
});

Deno.test("a cached file that is replaced by a pipe is gone, and nothing waits for its writer", () =>
  inFolder(async (folder) => {
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    const began = performance.now();
    assert.equal(readIfThere(`${folder}/pipe`), undefined);
    assert.ok(performance.now() - began < 1000);
    assert.equal(readIfThere(`${folder}/none`), undefined);
  }));

Deno.test("a pipe or a folder among the files of a cache is neither opened nor removed", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.code`, "");
    await Deno.mkdir(`${folder}/b.code/inside`, { recursive: true });
    const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/c.code`] }).output();
    assert.ok(success);
    assert.deepEqual(newestFirst(folder).map(({ name }) => name), ["a.code"]);
    keepNewest(folder, 0);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["b.code", "c.code"]);
  }));
