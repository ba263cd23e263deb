import assert from "node:assert/strict";
import type { Table } from "../../../../src/model/queries/table.ts";
import { fieldLines } from "../../../../src/app/tui/panes/row-lines.ts";

Deno.test("an inspector shows counts whole, sizes also in bytes, and units after a blank", () => {
  const table: Pick<Table, "columns"> = {
    columns: {
      id: { kind: "id", doc: "", width: 5 },
      exits: { kind: "count", doc: "", width: 5 },
      size: { kind: "size", doc: "", width: 5 },
      since: { kind: "duration", doc: "", width: 5 },
      load: { kind: "share", doc: "", width: 5 },
      none: { kind: "count", doc: "", width: 5 },
    },
  };
  const row = { id: "vcpu:a/0", exits: 12_345_678, size: 65_536, since: 1_000_000_000, load: 0.5, none: null };
  const lines = fieldLines({ table: table as Table, row }, 60).map(({ text }) => text);
  assert.deepEqual(lines, ["id    vcpu:a/0", "exits 12 345 678", "size  64K (65536 bytes)", "since 1.0 s", "load  50 %", "none  -"]);
});
