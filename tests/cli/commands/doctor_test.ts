import assert from "node:assert/strict";
import { el2 } from "../program.ts";

Deno.test("doctor says of everything that it looked at whether it is well", async () => {
  const { stdout } = await el2("doctor", "--json");
  const { data } = JSON.parse(stdout);
  assert.deepEqual(data.map(({ id }: { id: string }) => id), ["platform", "terminal", "colours", "locale", "memory", "sockets", "images"]);
  for (const { ok, remedy } of data) assert.ok(ok || remedy !== "");
});
