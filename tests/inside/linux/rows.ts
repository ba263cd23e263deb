// The rows of an answer, typed; an answer that lacks something is a failure.

import assert from "node:assert/strict";
import { type Answer, rowsOf } from "../../../src/model/queries/query.ts";
import { checkColumn } from "../../support/columns.ts";
import type { Column, RowOf } from "../../../src/model/queries/table.ts";
import { type TableName, TABLES } from "../../../src/model/queries/tables.ts";

export type Row<N extends TableName> = RowOf<typeof TABLES[N]>;

export function rowsIn<N extends TableName>(table: N, answer: Answer): readonly Row<N>[] {
  assert.equal(answer.error, undefined);
  assert.deepEqual(answer.gaps ?? [], []);
  assert.equal(new Set(answer.rows.map(({ id }) => id)).size, answer.rows.length, `ids of ${table}: ${answer.rows.map(({ id }) => id)}`);
  for (const row of answer.rows) {
    for (const [name, value] of Object.entries(row)) {
      checkColumn(`${table}.${name}`, (TABLES[table].columns as Record<string, Column>)[name], value);
    }
  }
  return rowsOf(TABLES[table], answer) as readonly Row<N>[];
}
