// The books are in the one file too: `deno task test:dist` runs this on it, CI on the clone.

import assert from "node:assert/strict";
import { el2Command } from "../support/el2.ts";

Deno.test("el2 reference spec hypervisor 4.4 prints that section of docs/spec/hypervisor.md, in the clone and from the one file", async () => {
  const book = await Deno.readTextFile(new URL("../../docs/spec/hypervisor.md", import.meta.url));
  const start = book.indexOf("### 4.4 "), end = book.indexOf("\n### 4.5 ", start);
  assert.ok(start > 0 && end > start);
  const [program, ...args] = el2Command("reference", "spec", "hypervisor", "4.4");
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd: folder, stdin: "null" }).output();
    assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
    assert.equal(new TextDecoder().decode(stdout), `${book.slice(start, end).trimEnd()}\n`);
  } finally {
    await Deno.remove(folder);
  }
});
