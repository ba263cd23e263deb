// Where programs are looked for.

import assert from "node:assert/strict";
import { findProgram, isInstalled } from "../../../../src/kit/support/computer/installed-programs.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

Deno.test("a program is a file in a folder of the PATH, else in a further one that is named", async () => {
  await inFolder((folder) => {
    for (const name of ["on-path", "beside"]) {
      Deno.mkdirSync(`${folder}/${name}/folder`, { recursive: true });
      Deno.writeTextFileSync(`${folder}/${name}/tool`, "");
    }
    Deno.writeTextFileSync(`${folder}/beside/other`, "");
    const before = Deno.env.get("PATH") ?? "", beside = [`${folder}/beside`];
    try {
      Deno.env.set("PATH", `${folder}/missing::${folder}/beside/tool:${folder}/on-path`);
      assert.equal(findProgram("tool", beside), `${folder}/on-path/tool`);
      assert.equal(findProgram("other"), undefined);
      assert.equal(findProgram("other", beside), `${folder}/beside/other`);
      assert.deepEqual(["tool", "folder", "other"].map(isInstalled), [true, false, false]);
      Deno.env.delete("PATH");
      assert.equal(isInstalled("tool"), false);
      assert.equal(findProgram("tool", beside), `${folder}/beside/tool`);
    } finally {
      Deno.env.set("PATH", before);
    }
  });
});
