import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("el2 find lists executions, values and events page by page, and answers clearly where it cannot", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const find = async (...words: string[]) => (await place.json("find", ...words)).data;

  // The first instruction of a VM is executed once, and nothing is before that.
  const [start, first, ...more] = await find("ping:0x80000000");
  assert.deepEqual([start.kind, first.kind, first.by, more.length], ["never", "exec", "vcpu:ping/0", 0]);

  const filter = "kind=hvc name=msgqueue_send vm=ping",
    ids = (rows: readonly Record<string, unknown>[]) => rows.map(({ id }) => String(id));
  const latest = await find("--event", filter, "--limit", "4");
  assert.equal(latest.length, 4);
  for (const { kind, by, text } of latest) {
    assert.deepEqual([kind, by, /^msgqueue_send /.test(String(text))], ["event", "vcpu:ping/0", true]);
  }
  const [later, earlier] = [
    await find("--event", filter, "--limit", "2"),
    await find("--event", filter, "--limit", "2", "--at", ids(latest)[2]),
  ];
  assert.deepEqual([...ids(earlier), ...ids(later)], ids(latest));

  const [change] = (await place.json("who", "reg:ping/0/x0")).data, value = String(change.after);
  const found = await find("reg:ping/0/x0", "--value", value, "--limit", "2");
  assert.equal(ids(found).at(-1), change.id);
  for (const { after } of found) assert.equal(after, value);

  const says = async (code: number, ...words: string[]) => {
    const said = await place.el2("find", ...words);
    assert.deepEqual([said.code, said.stdout], [code, ""], words.join(" "));
    return said.stderr;
  };
  assert.match(await says(2), /give a target or --event/);
  assert.match(await says(2, "ping:0x80000000", "--size", "4"), /--size needs --value/);
  assert.match(await says(2, "--event", "kind=hvc", "--value", "1"), /mutually exclusive/);
  assert.match(await says(2, "--event", "kind=nope"), /no "nope"; there are hvc/);
  assert.match(await says(1, "ipa:ping/0x80001000", "--size", "1", "--value", "256"), /1 byte cannot have the value 0x100; give a size/);
  assert.match(await says(1, "irq:ping/27", "--value", "1"), /only memory and registers have values/);
});
