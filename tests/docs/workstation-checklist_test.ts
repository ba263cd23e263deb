// The workstation's checklist has 84 numbered statements (docs/design/checklist.md): each has
// a test named after its number, or is listed here.

import assert from "node:assert/strict";

const LAST = 84;

/** Statements without a test yet, with the reason. The list may only become shorter. */
const MISSING: Readonly<Record<number, string>> = {};

const TESTS = new URL("../", import.meta.url);

async function* testFiles(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* testFiles(url);
    else if (entry.name.endsWith("_test.ts")) yield url;
  }
}

Deno.test("every statement of the workstation's checklist has a test named after its number, or a reason why not yet", async () => {
  const tested = new Set<number>();
  for await (const file of testFiles(TESTS)) {
    for (const [, numbers] of (await Deno.readTextFile(file)).matchAll(/["'`]((?:W\d+(?:, )?)+): /g)) {
      for (const [, number] of numbers.matchAll(/W(\d+)/g)) tested.add(Number(number));
    }
  }
  const all = Array.from({ length: LAST }, (_, index) => index + 1);
  assert.deepEqual(all.filter((number) => !tested.has(number) && !(number in MISSING)), [], "neither tested nor listed as missing");
  assert.deepEqual(all.filter((number) => tested.has(number) && number in MISSING), [], "tested: take it off the list");
});
