import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { DOCUMENTS } from "../../../../../src/model/queries/documents.ts";
import { TABLES } from "../../../../../src/model/queries/tables.ts";

Deno.test("schema lists all tables and prints the JSON Schema of each", async () => {
  const { stdout } = await el2("reference", "schema");
  for (const name of Object.keys(TABLES)) assert.match(stdout, new RegExp(`^el2\\.${name.replace(".", "\\.")}/\\d+ `, "m"));
  const schema = JSON.parse((await el2("reference", "schema", "el2.mem.parcels/1")).stdout);
  assert.deepEqual(schema.required, ["schema", "session", "at", "data", "dropped"]);
  for (const { name, fields } of DOCUMENTS) {
    assert.match(stdout, new RegExp(`^el2\\.${name.replace(".", "\\.")}/\\d+ `, "m"));
    assert.deepEqual(JSON.parse((await el2("reference", "schema", name)).stdout).required, ["schema", ...Object.keys(fields)]);
  }
  assert.equal((await el2("reference", "schema", "nothing")).code, 2);
});
