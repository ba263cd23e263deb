// Every line of the specification's checklist (docs/spec/hypervisor.md §10) has a test that is
// named after its number, or is listed in docs/differences.md as `Hn` with its reason.

import assert from "node:assert/strict";

const FOLDER = new URL(".", import.meta.url);
const DIFFERENCES = new URL("../../../../docs/differences.md", import.meta.url);
/** How many lines the checklist has. */
const LINES =
  Deno.readTextFileSync(new URL("../../../../docs/spec/hypervisor.md", import.meta.url)).split("\n## 10. ")[1].split("\n## ")[0].match(
    /^\d+\. /gm,
  )!.length;

Deno.test("each line of the checklist has one test, or is a difference", async () => {
  const count = new Map<number, number>();
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (!name.endsWith("_test.ts")) continue;
    const text = await Deno.readTextFile(new URL(name, FOLDER));
    for (const [, number] of text.matchAll(/^Deno\.test\("H(\d+): /gm)) count.set(Number(number), (count.get(Number(number)) ?? 0) + 1);
  }
  const text = await Deno.readTextFile(DIFFERENCES);
  const differences = new Set([...text.matchAll(/\bH(\d+)\b/g)].map(([, number]) => Number(number)));
  const lines = Array.from({ length: LINES }, (_, index) => index + 1);
  assert.deepEqual(lines.filter((line) => !count.has(line) && !differences.has(line)), [], "neither tested nor a difference");
  assert.deepEqual([...count.keys()].filter((line) => line < 1 || line > LINES), [], "no such line");
  assert.deepEqual(lines.filter((line) => (count.get(line) ?? 0) > 1), [], "tested twice");
  assert.deepEqual(lines.filter((line) => count.has(line) && differences.has(line)), [], "tested, and a difference");
});
