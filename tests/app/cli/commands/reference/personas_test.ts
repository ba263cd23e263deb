import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { PERSONA_NAMES } from "../../../../../src/machine/abi/ioctl/personas.ts";

Deno.test("personas prints a column for each generation, and with --json a line for each with its requests", async () => {
  const text = await el2("reference", "personas");
  assert.equal(text.code, 0, text.stderr);
  assert.deepEqual(text.stdout.split("\n")[0].trim().split(/\s+/), [...PERSONA_NAMES]);
  const rows = (await el2("reference", "personas", "--json")).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ name }) => name), [...PERSONA_NAMES]);
  for (const { device, requests } of rows) assert.equal(device, requests.length > 0);
});
