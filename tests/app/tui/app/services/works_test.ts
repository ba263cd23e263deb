// Works: what a search that takes long leaves behind.

import assert from "node:assert/strict";
import { Rig } from "../../rig.ts";

Deno.test("why a search failed stays until it is seen, however long that takes", async () => {
  const rig = new Rig(120, 36), { answer } = rig;
  rig.answer = (query) =>
    query.table === "who" ? { ...answer(query), problem: { code: "query", what: "nothing wrote it" } } : answer(query);
  await rig.lines();
  await rig.type(":who pa:0x80000000\r");
  rig.time += 3_600_000;
  assert.match((await rig.lines()).at(-1)!, /FAILED .*nothing wrote it .*Esc dismiss/);
  await rig.press("esc");
  assert.doesNotMatch(await rig.text(), /nothing wrote it/);
});
