import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("gdb of a VM that there is not ends with 1, --events of one VM with 2, without a session with 3", async () => {
  await using place = new Place();
  assert.equal((await place.el2("gdb", "ping")).code, 3);
  await place.up("one");
  const none = await place.el2("gdb", "pign");
  assert.deepEqual([none.code, /pign/.test(none.stderr)], [1, true], none.stderr);
  const events = await place.el2("gdb", "ping", "--events", "kind=hvc");
  assert.deepEqual([events.code, /el2 gdb el2/.test(events.stderr)], [2, true], events.stderr);
});
