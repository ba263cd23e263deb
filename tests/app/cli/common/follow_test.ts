// Rows that a list prints as they come: those after the last one, and all of another life.

import assert from "node:assert/strict";
import { rowsAfter } from "../../../../src/app/cli/common/run-command.ts";

const FOLLOWED = { column: "sequence", time: "t" };
const row = (sequence: number, t: string) => ({ id: `log:x/${sequence}`, sequence, t });

Deno.test("the rows after the last one follow, or all that are left of an overflown ring", () => {
  const last = row(5, "50");
  assert.deepEqual(rowsAfter([last], last, FOLLOWED), []);
  assert.deepEqual(rowsAfter([last, row(6, "60")], last, FOLLOWED), [row(6, "60")]);
  assert.deepEqual(rowsAfter([row(9, "90"), row(10, "95")], last, FOLLOWED), [row(9, "90"), row(10, "95")]);
});

Deno.test("rows begin again after a reboot: the last one is no longer there, or is another one", () => {
  const last = row(5, "50");
  assert.equal(rowsAfter([], last, FOLLOWED), undefined);
  assert.equal(rowsAfter([row(5, "3"), row(6, "4")], last, FOLLOWED), undefined);
});
