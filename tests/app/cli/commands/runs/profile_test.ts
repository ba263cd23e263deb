// Rows of `el2 profile`. The command: coverage_test.ts, as both commands count the same runs.

import assert from "node:assert/strict";
import { profileOf } from "../../../../../src/app/cli/commands/runs/profile.ts";
import type { ExecutedVm } from "../../../../../src/session/inspection/execution/executed.ts";

const vm: ExecutedVm = {
  vm: "one",
  instructions: 100,
  functions: new Map([
    [0n, { name: "cold", address: 0n, file: undefined, line: undefined, calls: 0, instructions: 0 }],
    [4n, { name: "hot", address: 4n, file: "a.c", line: 3, calls: 2, instructions: 75 }],
  ]),
  unexecuted: new BigUint64Array(),
  files: new Map([["a.c", new Map([[4, { executions: 5, instructions: 30, branches: new Map() }]])]]),
  blocks: [],
};

Deno.test("a profile has what was executed, the most first, and says how much of it has no name", () => {
  const rows = (by: "function" | "line" | "vm") =>
    profileOf([vm], by).map(({ name, source, calls, insn, share }) => [name, source, calls, insn, share]);
  assert.deepEqual(rows("function"), [["hot", "a.c:3", "2", "75", 0.75], ["?", null, null, "25", 0.25]]);
  assert.deepEqual(rows("line"), [["?", null, null, "70", 0.7], ["a.c:4", null, "5", "30", 0.3]]);
  assert.deepEqual(rows("vm"), [["one", null, null, "100", 1]]);
});
