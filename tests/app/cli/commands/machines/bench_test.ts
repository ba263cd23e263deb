// `el2 bench` with one round: that it measures, not how much.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";

Deno.test("bench runs its guest to its end, and prints millions of instructions per second", async () => {
  const { code, stdout, stderr } = await el2("bench", "--json");
  assert.equal(code, 0, stderr);
  const { schema, rows, ratio } = JSON.parse(stdout);
  assert.deepEqual([schema, rows.length, rows[0].machine, ratio], ["el2.bench/1", 1, "el2 auto", null]);
  assert.ok(rows[0].mips > 1);
});
