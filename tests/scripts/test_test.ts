// How the tests are spread over processes (scripts/test.ts), and the summary of them all.

import assert from "node:assert/strict";
import { batches, readSummary, summaryLine } from "../../scripts/test.ts";

Deno.test("batches: every file once, no batch of two folders, the longest folders first", () => {
  const files = Array.from({ length: 40 }, (_, i) => `tests/core/${i}_test.ts`);
  files.push("tests/layers_test.ts", "tests/cli/commands/diagnose_test.ts", "tests/cli/soak_test.ts");
  const all = batches(files);
  assert.deepEqual(all.flat().toSorted(), files.toSorted());
  assert.deepEqual(all[0], ["tests/cli/commands/diagnose_test.ts", "tests/cli/soak_test.ts"]);
  for (const batch of all) {
    assert.ok(batch.length > 0 && batch.length <= 12);
    assert.equal(new Set(batch.map((file) => file.split("/")[1])).size, 1);
  }
});

Deno.test("summaries of several processes become one line of the form that deno test prints", () => {
  const first = readSummary("running 1 test\nok | 12 passed (3 steps) | 0 failed (57s)\n");
  const second = readSummary("FAILED | 1 passed | 2 failed | 3 ignored (1m2s)\n");
  assert.deepEqual(first, { passed: 12, steps: 3, failed: 0, ignored: 0 });
  assert.deepEqual(second, { passed: 1, steps: 0, failed: 2, ignored: 3 });
  assert.ok(first && second);
  const line = summaryLine([first, second], false, 61.6);
  assert.equal(line, "FAILED | 13 passed (3 steps) | 2 failed | 3 ignored (1m2s)");
  assert.deepEqual(readSummary(line), { passed: 13, steps: 3, failed: 2, ignored: 3 });
  assert.equal(readSummary("running 1 test\n"), undefined);
});
