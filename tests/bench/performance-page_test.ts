// docs/performance.md is made of a document of all benches.

import assert from "node:assert/strict";
import { ROOT } from "../support/files.ts";
import { performancePage, readBenches } from "../../bench/performance-page.ts";

const machine = { processor: "A processor", processors: 2, load: 0.5, deno: "2.9.6", v8: "14.0" };
const document = (benches: unknown) => JSON.stringify({ schema: "el2.bench.all/1", date: "2026-11-22", machine, benches });

Deno.test("each figure is a row with its median, its range and whether its goal was reached", () => {
  const benches = readBenches(document({
    core: {
      schema: "el2.bench.core/2",
      table: [
        { what: "nine kernels, geomean", unit: "times", values: [1.4, 1.6, 1.5], least: 1.5 },
        { what: "worst", unit: "times", values: [0.9], least: 1 },
      ],
    },
    memory: { table: [{ what: "idle", unit: "MiB", values: [108.4], most: 110 }, { what: "peak", unit: "MiB", values: [301] }] },
  }));
  assert.ok(typeof benches !== "string", String(benches));
  const page = performancePage(benches);
  assert.match(page, /Measured on 2026-11-22: A processor, 2 processors/);
  assert.match(page, /^\| nine kernels, geomean \| 1\.50 x \(1\.40 x to 1\.60 x\) \| at least 1\.50 x \|$/m);
  assert.match(page, /^\| worst \| 0\.90 x \| at least 1\.00 x: not reached \|$/m);
  assert.match(page, /^\| idle \| 108 MiB \| at most 110 MiB \|$/m);
  assert.match(page, /^\| peak \| 301 MiB \| {2}\|$/m);
});

Deno.test("a text that is not such a document is refused with its defect", () => {
  assert.match(String(readBenches("{")), /^is not JSON: /);
  assert.match(String(readBenches("{}")), /^is not a document of all benches: schema: /);
  assert.match(String(readBenches(document({ core: {} }))), /^is not a document of all benches: benches\.core\.table: /);
  assert.match(String(readBenches(document({ core: { table: [{ what: "x", unit: "s", values: [] }] } }))), /values: /);
});

Deno.test("the page in docs has a table for each bench", () => {
  const page = Deno.readTextFileSync(new URL("docs/performance.md", ROOT));
  const main = Deno.readTextFileSync(new URL("bench/main.ts", ROOT));
  const [, ofAll] = /^const benches: .* = \{\n([^]*?)^\};/m.exec(main)!;
  const names = [...ofAll.matchAll(/^ {2}(\w+): \{ run: /gm)].map(([, name]) => name);
  assert.ok(names.length > 0);
  for (const name of names) assert.match(page, new RegExp(`^## ${name}$`, "m"));
});
