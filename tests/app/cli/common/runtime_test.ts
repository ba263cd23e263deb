// How el2 starts itself once more, for a session in the background.

import assert from "node:assert/strict";
import { ALONE, runtimeArguments } from "../../../../src/app/cli/common/runtime.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

Deno.test("a program in one file starts itself without the configuration of a folder above it, as its launcher does", () =>
  inFolder(async (folder) => {
    const program = `${folder}/el2/el2.js`;
    Deno.mkdirSync(`${folder}/el2`);
    Deno.writeTextFileSync(program, 'console.log("started");');
    // Of somebody else, such as a project in whose folder the package is installed.
    for (const name of ["deno.json", "package.json"]) Deno.writeTextFileSync(`${folder}/${name}`, "{");
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...runtimeArguments(new URL(`file://${program}`))] })
      .output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.deepEqual([text(stdout), text(stderr)], ["started\n", ""]);
  }));

Deno.test("a checkout has its own configuration, with its lock file", () => {
  const args = runtimeArguments(new URL("file:///a%20b/main.ts"));
  assert.ok(args.includes("--lock=/a b/deno.lock"));
  for (const option of ALONE) assert.ok(!args.includes(option), option);
});
