// Values against the columns that declare them: rows of tables, and documents.

import assert from "node:assert/strict";
import type { Document } from "../../src/model/queries/documents.ts";
import { type Column, schemaName } from "../../src/model/queries/table.ts";

/** A value is what its column declares, in the form that JSON has it in. */
export function checkColumn(what: string, column: Column, value: unknown): void {
  if (value === null) return assert.equal(column.optional, true, `${what} is null`);
  switch (column.kind) {
    case "count":
    case "time":
    case "duration":
      return assert.match(String(value), /^\d+$/, what);
    case "address":
      return assert.match(String(value), /^0x[0-9a-f]+$/, what);
    case "id":
      return assert.match(String(value), /^[a-z]+:.+$/, what);
    case "number":
    case "rate":
    case "share":
    case "size":
      return assert.ok(typeof value === "number" && Number.isFinite(value), what);
    case "flag":
      return assert.equal(typeof value, "boolean", what);
    case "list":
      return assert.ok(Array.isArray(value) && value.every((one) => typeof one === "string"), what);
    case "detail":
      return assert.doesNotThrow(() => JSON.stringify(value), what);
    default:
      return assert.equal(typeof value, "string", what);
  }
}

/**
 * A line that a command has printed is a document of this kind, with all of its fields and no
 * other.
 */
export function checkDocument(document: Document, line: string): void {
  const { schema, ...fields } = JSON.parse(line);
  assert.equal(schema, schemaName(document));
  assert.deepEqual(Object.keys(fields).toSorted(), Object.keys(document.fields).toSorted(), schema);
  for (const [name, field] of Object.entries(document.fields)) checkColumn(`${schema} ${name}`, field, fields[name]);
}
