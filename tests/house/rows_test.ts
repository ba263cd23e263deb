// Rows are typed to the last cell: src/app/tui has no row of an unknown table, no text made of what
// a column says is a text, and no row that is only hoped for.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";
import { TABLES } from "../../src/model/queries/tables.ts";
import type { Table } from "../../src/model/queries/table.ts";

/** Kinds of columns whose values are numbers, or anything. */
const OTHERS: ReadonlySet<string> = new Set(["number", "rate", "size", "share", "detail"]);

/** Columns that are numbers in no table. */
const tables: readonly Table[] = Object.values(TABLES);
const columns = tables.flatMap(({ columns }) => Object.entries(columns));
const others = new Set(columns.flatMap(([name, { kind }]) => OTHERS.has(kind) ? [name] : []));
const TEXTS = [...new Set(columns.map(([name]) => name))].filter((name) => !others.has(name));

/** `Row` of model/queries/table.ts, imported or named. */
const BARE = /import (?:type )?\{[^}]*\bRow\b[^}]*\} from "[^"]*\/queries\/table\.ts"/s;
const CAST = new RegExp(`\\bString\\(\\w+(?:\\(\\))?[?!]?(?:\\.row)?\\.(?:${TEXTS.join("|")})\\b`);
const HOPED = /\brow\(\)!/;

/** The violations of a source. */
function untyped(source: string): string[] {
  const found = BARE.exec(source) ? ["Row of any table"] : [];
  return [...found, ...source.split("\n").filter((line) => CAST.test(line) || HOPED.test(line)).map((line) => line.trim())];
}

Deno.test("each kind of columns with numbers is that of a column", () => {
  const kinds = new Set<string>(columns.map(([, { kind }]) => kind));
  assert.deepEqual([...OTHERS].filter((kind) => !kinds.has(kind)), []);
});

Deno.test("rows of the screens have the types of their tables, and nothing casts a cell", () => {
  const found = [...repositoryFiles("src/app/tui/", ".ts")].flatMap((path) =>
    untyped(Deno.readTextFileSync(new URL(path, ROOT))).map((line) => `${path}: ${line}`)
  );
  assert.deepEqual(found, []);
});

Deno.test("a row of any table, a cast cell and a row that is hoped for are found", () => {
  for (
    const line of [
      'import type { Row } from "../../queries/table.ts";',
      'import { type Json, type Row, textsOf } from "../../queries/table.ts";',
      "const text = String(row.err);",
      "const text = String(row()!.msg);",
      "const vm = String(selected.row.asked_by ?? '');",
      "return byteLines(row()!, width, look);",
    ]
  ) assert.equal(untyped(line).length, 1, line);
  for (
    const line of [
      'import type { RowOf, Selected } from "../../queries/table.ts";',
      "const text = grouped(String(row.count));",
      "const time = Number(row.t);",
      'import { beginRow } from "../look/row.ts";',
    ]
  ) assert.deepEqual(untyped(line), [], line);
});
