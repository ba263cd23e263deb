import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("irq ls, show and top list interrupts; irq raise makes one pending", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const rows = (await place.json("irq", "ls", "ping")).data;
  assert.ok(rows.some(({ id }) => id === "irq:ping/27"), JSON.stringify(rows));
  const { id } = rows.find(({ kind, pend }) => kind === "spi" && pend === false)!;
  const raised = await place.el2("irq", "raise", String(id));
  assert.equal(raised.code, 0, raised.stderr);
  assert.equal((await place.json("irq", "show", String(id))).data[0].pend, true);
  for (const row of (await place.json("irq", "top", "--for", "10ms", "--limit", "2")).data) assert.match(String(row.id), /^irq:/);
});
