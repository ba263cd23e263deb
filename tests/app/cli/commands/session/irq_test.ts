import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("irq ls, show and top list interrupts; irq raise makes one pending, irq clear no longer", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const rows = (await place.json("irq", "ls", "ping")).data;
  assert.ok(rows.some(({ id }) => id === "irq:ping/27"), JSON.stringify(rows));
  const { id } = rows.find(({ kind, pend }) => kind === "spi" && pend === false)!;
  const raised = await place.el2("irq", "raise", String(id));
  assert.equal(raised.code, 0, raised.stderr);
  assert.equal((await place.json("show", String(id))).data[0].pend, true);
  assert.equal((await place.el2("irq", "clear", String(id))).code, 0);
  assert.equal((await place.json("show", String(id))).data[0].pend, false);
  const all = (await place.json("irq", "ls")).data;
  const only = all.find(({ intid }) => all.filter((one) => one.intid === intid).length === 1)!;
  const many = await place.el2("irq", "raise", "27");
  assert.deepEqual([many.code, /^el2: 27 is ambiguous; name one of irq:/.test(many.stderr)], [1, true], many.stderr);
  assert.equal((await place.el2("irq", "raise", String(only.intid))).code, 0);
  for (const row of (await place.json("irq", "top", "--for", "10ms", "--limit", "2")).data) assert.match(String(row.id), /^irq:/);
});
