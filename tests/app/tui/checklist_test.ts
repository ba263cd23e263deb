// The look has 55 numbered checks (docs/design/checklist.md): each has a test named after its
// number, or is listed here until it has.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../../support/files.ts";

const LAST = 55;

/** Checks without a test yet. The list may only become shorter. */
const TO_BUILD: readonly number[] = [];

Deno.test("every check of the look has a test named after its number, or is still to be built", async () => {
  const tested = new Set<number>();
  for (const file of repositoryFiles("tests/app/tui/", "_test.ts")) {
    const text = await Deno.readTextFile(new URL(file, ROOT));
    for (const [, numbers] of text.matchAll(/["'`]((?:L\d+(?:, )?)+): /g)) {
      for (const [, number] of numbers.matchAll(/L(\d+)/g)) tested.add(Number(number));
    }
  }
  const all = Array.from({ length: LAST }, (_, index) => index + 1);
  assert.deepEqual(all.filter((number) => !tested.has(number) && !TO_BUILD.includes(number)), [], "neither tested nor to be built");
  assert.deepEqual(TO_BUILD.filter((number) => tested.has(number)), [], "tested: take it off the list");
});
