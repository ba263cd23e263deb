// The limits of CONTRIBUTING that `deno task structure` counts: functions of 80 lines and of 6
// parameters, and few assertions that something is not null.

import assert from "node:assert/strict";
import { countsBelow, type Place } from "../../scripts/structure/counts.ts";

const SOURCE = new URL("../../src", import.meta.url).pathname;
const NON_NULL_MAX = 200;

Deno.test("functions of src/ have at most 80 lines, but for tables, and 6 parameters; few values are asserted to be there", async () => {
  const { longFunctions, manyParameters, nonNull } = await countsBelow(SOURCE, SOURCE);
  const named = (places: readonly Place[]) => places.map(({ file, text }) => `${file} ${text}`);
  assert.deepEqual(named(longFunctions), []);
  assert.deepEqual(named(manyParameters), []);
  assert.ok(nonNull.length > 0 && nonNull.length < NON_NULL_MAX, `${nonNull.length} non-null assertions`);
});
