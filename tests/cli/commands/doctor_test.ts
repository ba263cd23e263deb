import assert from "node:assert/strict";
import { el2 } from "../program.ts";

Deno.test("doctor says for each check whether it passed", async () => {
  const { stdout } = await el2("doctor", "--json");
  const { data } = JSON.parse(stdout);
  assert.deepEqual(data.map(({ id }: { id: string }) => id), ["platform", "terminal", "colours", "locale", "memory", "sockets", "images"]);
  for (const { ok, remedy } of data) assert.ok(ok || remedy !== "");
});
