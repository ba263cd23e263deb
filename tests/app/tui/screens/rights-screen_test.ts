import assert from "node:assert/strict";
import type { Query } from "../../../../src/model/queries/query.ts";
import type { Row } from "../../../../src/model/queries/table.ts";
import { phoneAnswer, phoneRows } from "../phone.ts";
import { Rig } from "../rig.ts";

/** The capabilities of the session; rm has one to debian/0 too. */
function withHolder(query: Query) {
  const answer = phoneAnswer({ ...query, args: {} });
  if (query.table !== "caps.ls") return answer;
  const rows = phoneRows("caps.ls");
  const other: Row = { ...rows[1], id: "cap:rm/0x411", vm: "vm:rm", rights: ["Lifecycle"], err: false, res: null };
  const all = [...rows, other];
  return { ...answer, rows: query.args.filter === undefined ? all : all.filter(({ obj }) => query.args.filter === `obj=${obj}`) };
}

Deno.test("capabilities: whose, to what, with which rights, and what the last use was answered", async () => {
  const rig = new Rig(120, 36);
  await rig.type("5");
  const text = await rig.text();
  assert.match(text, /H host\/0x0 +msgqueue +mq:0 +Send +2/);
  assert.match(text, /!H host\/0x3 +thread +debian\/0 +Affinity YieldTo +2 +12\.479000 vcpu_set_priority/);
});

Deno.test("in a wide terminal the rights that a Resource Manager has to a vCPU are whole", async () => {
  const rig = new Rig(400, 60), rights = "Power Affinity Priority Timeslice YieldTo BindVirq State Lifecycle WriteContext Disable Activate";
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return query.table === "caps.ls" ? { ...answer, rows: answer.rows.map((row) => ({ ...row, rights: rights.split(" ") })) } : answer;
  };
  await rig.type("5");
  assert.match(await rig.text(), new RegExp(`thread +debian/0 +${rights} `));
});

Deno.test("the other holders of the selected capability's object are listed below, with their rights", async () => {
  const rig = new Rig(120, 36);
  rig.answer = withHolder;
  await rig.type("5");
  assert.match(await rig.text(), /Other holders mq:0 -[^]*Nobody else holds this object/);
  await rig.keys("j");
  rig.time += 1000;
  rig.sample();
  assert.match(await rig.text(), /Other holders vcpu:debian\/0 -[^]*R rm\/0x411 -+ Lifecycle/);
});

Deno.test("holders lead to their object, their rights on the way; rights that do not fit continue below", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = withHolder;
  await rig.keys("5j");
  rig.time += 1000;
  rig.sample();
  assert.match(
    await rig.text(),
    /H host\/0x3 ─+ Affinity ─+┼▸ vcpu:debian\/0 .*\n│ +YieldTo +│ {2}thread, active .*\n│ R rm\/0x411 ─+ Lifecycle ─+┤ /,
  );
});

Deno.test("at 200 columns the other objects that a VM shares are below the graph", async () => {
  const rig = new Rig(200, 60, { ascii: false }, "direct");
  rig.answer = (query) => {
    if (query.table !== "obj.ls") return withHolder(query);
    const [first] = phoneRows("obj.ls");
    return {
      ...phoneAnswer(query),
      rows: [first, { ...first, id: "obj:42", type: "msgqueue", name: "mq:0", holders: ["cap:host/0x0", "cap:rm/0x9"] }],
    };
  };
  await rig.keys("5j");
  rig.time += 3000;
  rig.sample();
  const text = await rig.text();
  assert.match(text, /Also shared by host[^]*H host\/0x0 ─+▸ mq:0 +msgqueue +R rm\/0x9/);
  assert.doesNotMatch(text, /▸ vcpu:debian\/0 +thread/);
});

Deno.test("the screen of capabilities says that there are none, and which error occurred", async () => {
  for (
    const [error, expected] of [[undefined, /No rows match|No capability exists/], [
      "the machine has ended",
      /the machine has ended/,
    ]] as const
  ) {
    const rig = new Rig(120, 36);
    rig.answer = (query) => ({ ...phoneAnswer(query), rows: [], error });
    await rig.type("5");
    assert.match(await rig.text(), expected);
    assert.match(await rig.text(), /No capability is selected/);
  }
});
