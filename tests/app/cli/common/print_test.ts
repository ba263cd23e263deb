// Lists on a terminal.

import assert from "node:assert/strict";
import { fieldsText, printRows } from "../../../../src/app/cli/common/print.ts";
import type { ListOptions } from "../../../../src/app/cli/common/list-options.ts";
import type { ListRow } from "../../../../src/model/queries/table.ts";
import { MEMORY_OWNER, RPCS } from "../../../../src/model/queries/tables.ts";

/** Text of a list. @param columns of the terminal; undefined without one */
function printed(rows: readonly ListRow[], columns: number | undefined, options: ListOptions = {}): string {
  const { isTerminal, writeSync } = Deno.stdout, { consoleSize } = Deno;
  let text = "";
  Object.assign(Deno, { consoleSize: () => ({ columns, rows: 40 }) });
  Object.assign(Deno.stdout, {
    isTerminal: () => columns !== undefined,
    writeSync(bytes: Uint8Array) {
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  });
  try {
    printRows(RPCS, rows, undefined, options);
  } finally {
    Object.assign(Deno, { consoleSize });
    Object.assign(Deno.stdout, { isTerminal, writeSync });
  }
  return text;
}

Deno.test("a terminal shows the latency of requests only if one took time; other outputs have every column", () => {
  const row = (id: string, latency: string): ListRow => ({ id, t: "1000", vm: "vm:host", seq: "0x1", msg: "VM_START", latency, res: "ok" });
  const native = [row("rpc:1", "0"), row("rpc:2", "0")], foreign = [...native, row("rpc:3", "2500")];
  assert.doesNotMatch(printed(native, 120), /latency/);
  assert.match(printed(foreign, 120), /latency[^]* 2\.5us/);
  assert.match(printed(native, undefined), /latency/);
  assert.match(printed(native, 120, { output: "tsv" }), /\tlatency\t/);
  assert.match(printed(native, 120, { columns: ["id", "latency"] }), /^id +latency\n/);
});

Deno.test("a row in full has a line for each column, but not for what applies to few rows", () => {
  const row = { id: "pa:0x1000", owner: "vm:a", parcel: null, mapped: ["ipa:a/0x0 rw"], access: "exclusive", chain: [], offset: null };
  const fields = (guests: readonly string[] | null) =>
    fieldsText(MEMORY_OWNER, { ...row, guests }).split("\n").map((line) => line.slice(0, 6));
  assert.deepEqual(fields(null), ["id    ", "owner ", "parcel", "mapped", "access", "chain ", "offset", ""]);
  assert.deepEqual(fields([])[4], "guests");
});
