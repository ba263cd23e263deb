// Folders of caches: which files stay.

import assert from "node:assert/strict";
import { keepNewest } from "../../src/support/cache.ts";
import { inFolder } from "./temporary-folder.ts";

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
