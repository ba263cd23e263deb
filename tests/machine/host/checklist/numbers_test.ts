// Every line of the checklists of docs/spec/vm-manager.md §17 (V1..V83) and docs/spec/geniezone.md
// §13 (G1..G58) has a test that is named after its number, or is listed in docs/differences.md as
// "vm-manager line 28" or "geniezone line 7".

import assert from "node:assert/strict";

const FOLDER = new URL(".", import.meta.url);
const DIFFERENCES = new URL("../../../../docs/differences.md", import.meta.url);

function numbers(letter: string): number[] {
  const files = [...Deno.readDirSync(FOLDER)].filter(({ name }) => name.endsWith("_test.ts"));
  const name = new RegExp(`Deno\\.test\\(\\s*["\`]${letter}(\\d+): `, "g");
  return files.flatMap((file) => [...Deno.readTextFileSync(new URL(file.name, FOLDER)).matchAll(name)].map(([, number]) => Number(number)));
}

for (const [document, letter, lines] of [["vm-manager", "V", 83], ["geniezone", "G", 58]] as const) {
  Deno.test(`every line of the checklist of ${document} has one test, or is listed as a difference`, () => {
    const text = Deno.readTextFileSync(DIFFERENCES);
    const listed = [...text.matchAll(new RegExp(`${document} line (\\d+)`, "g"))].map(([, number]) => Number(number));
    const all = [...numbers(letter), ...listed].sort((a, b) => a - b);
    assert.deepEqual(all, Array.from({ length: lines }, (_, index) => index + 1));
  });
}
