// Lists as text.

import assert from "node:assert/strict";
import { listText, tsvRow } from "../../../../src/model/queries/texts/list-text.ts";
import { LIMITS, VCPUS } from "../../../../src/model/queries/tables.ts";
import { textWidth } from "../../../../src/kit/support/text/text-width.ts";

Deno.test("a limit of bytes is shown as a size, one of other things as a number, and a program gets both exactly", () => {
  const row = { vm: null, share: 0.05, over: false };
  const rows = [
    { ...row, id: "limit:root-heap", what: "root heap", used: 1917312, limit: 36700160, unit: "bytes" },
    { ...row, id: "limit:objects", what: "objects", used: 12297, limit: null, unit: "objects" },
  ];
  const [, heap, objects] = listText(LIMITS, rows, undefined).split("\n");
  assert.match(heap, /^limit:root-heap +1\.8M +35M bytes +5% -$/);
  assert.match(objects, /^limit:objects +12297 +- objects +5% -$/);
  assert.deepEqual(rows.map((row) => tsvRow(row, [["used", LIMITS.columns.used]])), ["1917312\n", "12297\n"]);
});

Deno.test("columns after wide and combining characters are aligned, and a cut line has the terminal's columns", () => {
  const row = { vm: null, share: 0.05, over: false, used: 1, limit: null, unit: "objects" };
  const rows = ["日本語", "e\u0301te\u0301", "plain", "🎉"].map((what, index) => ({ ...row, id: `limit:${index}`, what }));
  const shown = [["what", LIMITS.columns.what], ["id", LIMITS.columns.id]] as const;
  const columns = listText(LIMITS, rows, undefined, shown).split("\n").slice(1, -1).map((line) =>
    textWidth(line.slice(0, line.indexOf("limit:")))
  );
  assert.deepEqual(columns, [7, 7, 7, 7]);
  const cut = listText(LIMITS, rows, 6, shown).split("\n").slice(1, -1);
  assert.deepEqual(cut.map(textWidth), [5, 6, 6, 6], cut.join("\n"));
});

Deno.test("a column with much to say leaves room for those after it; ids and what is as wide as declared stay whole", () => {
  const row = { ...{ state: "wfi", wait: ["vcpu_wfi"], since: "1000", symbol: null, cpu: 0, exits: 1, exits_rate: 0, instructions: 0 } };
  const rows = ["vcpu:a-vm-with-a-long-name/0", "vcpu:b/0"].map((id) => ({
    ...{ ...row, id, pc: "0x0000000080002688" },
    wakes: ["timer irq:hello/27 in 998.9ms", "irq:hello/33 (db:280)", "irq:hello/34 (db:281)"],
  }));
  const lines = listText(VCPUS, rows, 119).split("\n").slice(0, -1);
  for (const line of lines) assert.ok(textWidth(line) <= 119, line);
  assert.match(lines[0], /^id +state +wait +since wakes +pc +cpu exits exits\/s$/);
  assert.match(lines[1], /^vcpu:a-vm-with-a-long-name\/0 waits +vcpu_wfi +\S+ timer irq:hello\/\S+ .*~ 0x0000000080002688 +0% +1 +0$/);
  // Where that does not help, the line is cut at its end.
  assert.match(listText(VCPUS, rows, 60), /wakes +\n[^]*timer i~\n|timer irq~?/);
});
