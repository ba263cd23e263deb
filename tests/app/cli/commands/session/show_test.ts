// `el2 show`: everything about an object, by its id.

import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("show prints each kind of object in full, and refuses other words and absent objects", async () => {
  await using place = new Place();
  await place.up("one");
  await place.el2("pause");
  for (const list of [["vm", "ls"], ["vcpu", "ls"], ["irq", "ls"], ["caps", "ls"], ["queue", "ls"], ["rpc", "ls"], ["mem", "parcels"]]) {
    const [row] = (await place.json(...list)).data;
    assert.deepEqual((await place.json("show", String(row.id))).data.map(({ id }) => id), [row.id], list.join(" "));
  }
  const { stdout } = await place.el2("show", "vm:ping");
  assert.match(stdout, /^id +vm:ping\nvmid +0x/);
  const wrong = await place.el2("show", "ping");
  assert.deepEqual([wrong.code, wrong.stderr], [2, 'el2: show: "ping" is not an id; use for example vm:hello, vcpu:ping/0 or mq:289\n']);
  const none = await place.el2("show", "vm:nobody");
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  assert.match(none.stderr, /^el2: no object called "vm:nobody"/);
  const gone = await place.el2("vcpu", "show", "ping/0");
  assert.equal(gone.code, 2);
  assert.match(gone.stderr, /^el2: unknown command "show" of el2 vcpu; use el2 show vcpu:ping\/0/);
});
