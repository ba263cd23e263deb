import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("caps ls lists a VM's capabilities, show one of them, caps graph the objects that they are to", async () => {
  await using place = new Place();
  await place.up("one");
  const caps = (await place.json("caps", "ls", "ping")).data;
  assert.ok(caps.length > 0 && caps.every(({ id }) => String(id).startsWith("cap:ping/")), JSON.stringify(caps));
  const [{ id, obj }] = caps;
  assert.deepEqual((await place.json("show", String(id))).data.map((row) => row.obj), [obj]);
  const objects = (await place.json("caps", "graph", String(obj))).data;
  assert.ok(JSON.stringify(objects).includes(String(id)), JSON.stringify(objects));
  const none = await place.el2("show", "cap:ping/0xffff");
  assert.deepEqual([none.code, none.stdout], [1, ""]);
});
