// The limits of CONTRIBUTING that `deno task structure` counts: functions of 80 lines and of 6
// parameters, and few assertions that something is not null.

import assert from "node:assert/strict";
import { countsBelow, type Place } from "../../scripts/structure/counts.ts";

const SOURCE = new URL("../../src", import.meta.url).pathname;
const NON_NULL_MAX = 200;
/** Drawing functions that take a screen, a look, a place of three numbers, and what they draw. */
const MANY_PARAMETERS = [
  ...["bars.ts drawStacked", "box.ts drawFrame", "box.ts drawBox", "box.ts drawRule", "box.ts drawTitle", "list.ts drawCell"],
  ...["console-view.ts markHits", "lanes-pane.ts drawVcpu", "memory-map.ts drawLabel", "memory-pane.ts drawCells"],
];
const LONG = ["vcpu-screen.ts vcpuScreen"];

Deno.test("functions of src/ have at most 80 lines, but for tables, and 6 parameters; few values are asserted to be there", async () => {
  const { longFunctions, manyParameters, nonNull } = await countsBelow(SOURCE, SOURCE);
  const others = (places: readonly Place[], known: readonly string[]) =>
    places.filter(({ file, text }) => !known.includes(`${file.split("/").at(-1)} ${text.split(":")[0]}`)).map(({ file, text }) =>
      `${file} ${text}`
    );
  assert.deepEqual(others(longFunctions, LONG), []);
  assert.deepEqual(others(manyParameters, MANY_PARAMETERS), []);
  assert.ok(nonNull.length > 0 && nonNull.length < NON_NULL_MAX, `${nonNull.length} non-null assertions`);
});
