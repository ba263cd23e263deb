// Sources in a tracefile: the names are a guest's, and genhtml shows what it finds there.

import assert from "node:assert/strict";
import { tracedName } from "../../../../../src/app/cli/commands/runs/coverage.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("a source that is not below the working folder is marked, also behind a link or a path with ..", () =>
  inFolder((top) => {
    const before = Deno.cwd(), folder = Deno.realPathSync(top);
    Deno.mkdirSync(`${folder}/work`);
    Deno.writeTextFileSync(`${folder}/secret`, "");
    Deno.symlinkSync(`${folder}/secret`, `${folder}/work/link.c`);
    Deno.writeTextFileSync(`${folder}/work/a.c`, "");
    Deno.chdir(`${folder}/work`);
    try {
      for (const own of ["a.c", "none/b.c", `${folder}/work/a.c`, "./x/../a.c", "<built-in>"]) assert.equal(tracedName(own), own);
      assert.equal(tracedName("/etc/passwd"), "outside/etc/passwd");
      assert.equal(tracedName("../secret"), `outside${folder}/secret`);
      assert.equal(tracedName("link.c"), `outside${folder}/work/link.c`);
    } finally {
      Deno.chdir(before);
    }
  }));
