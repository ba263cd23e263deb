// docs/scale.md: its columns follow from the CPU time of each scenario. `deno task bench scale`
// measures that.

import assert from "node:assert/strict";

const ROOT = new URL("../..", import.meta.url).pathname;

/** The rows of the page: the scenario, its CPU time (s), and what a core and a thousand do. */
const ROWS = Array.from(
  Deno.readTextFileSync(`${ROOT}docs/scale.md`).matchAll(
    /^\| `(\S+)`: [^|]*\| ([\d.]+) s +\| \d+ MB +\| ([\d,]+) +\| ([\d.]+) million +\|$/gm,
  ),
  ([, file, seconds, hour, millions]) => ({
    file,
    seconds: Number(seconds),
    hour: Number(hour.replace(",", "")),
    millions: Number(millions),
  }),
);

Deno.test("what one core and a thousand do in an hour follows from the CPU time of each scenario", () => {
  assert.equal(ROWS.length, 3);
  for (const { file, seconds, hour, millions } of ROWS) {
    assert.equal(hour, Number((3600 / seconds).toPrecision(2)), file);
    assert.equal(millions, hour * 1000 / 1e6, file);
    assert.ok(Deno.statSync(ROOT + file).isFile);
  }
});
