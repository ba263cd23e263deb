// Every line of the checklist (docs/spec/resource-manager.md §14) has a test that is named after
// its number, "R12: ...", or is listed in docs/differences.md as "checklist line 12".

import assert from "node:assert/strict";

const TESTS = new URL("../", import.meta.url);
const DIFFERENCES = new URL("../../../../docs/differences.md", import.meta.url);
/** How many lines the checklist has. */
const LINES =
  Deno.readTextFileSync(new URL("../../../../docs/spec/resource-manager.md", import.meta.url)).split("\n## 14. ")[1].split("\n## ")[0]
    .match(
      /^\d+\. /gm,
    )!
    .length;

/** Numbers of the tests in a folder of tests and below it. */
function numbersIn(folder: URL): number[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return numbersIn(new URL(`${name}/`, folder));
    if (!name.endsWith("_test.ts")) return [];
    const text = Deno.readTextFileSync(new URL(name, folder));
    return [...text.matchAll(/Deno\.test\(\s*["`]R(\d+): /g)].map(([, number]) => Number(number));
  });
}

Deno.test("every line of the checklist has one test, or is listed as a difference", () => {
  const tested = numbersIn(TESTS);
  const listed = [...Deno.readTextFileSync(DIFFERENCES).matchAll(/checklist line (\d+)/g)].map(([, number]) => Number(number));
  const all = [...tested, ...listed].sort((a, b) => a - b);
  assert.deepEqual(all, Array.from({ length: LINES }, (_, index) => index + 1));
});
