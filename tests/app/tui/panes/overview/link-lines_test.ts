import assert from "node:assert/strict";
import type { Row } from "../../../../../src/model/queries/table.ts";
import type { Query } from "../../../../../src/model/queries/query.ts";
import type { TableName } from "../../../../../src/model/queries/tables.ts";
import { phoneAnswer, phoneRows } from "../../phone.ts";
import { Rig } from "../../rig.ts";

const QUEUE = phoneRows("queue.ls").find(({ id }) => id === "mq:7")!;
const PARCEL = phoneRows("mem.parcels")[0];

/** The lines between the last row of the tree and the console. */
async function links(rig: Rig): Promise<string[]> {
  const lines = await rig.inside();
  const tree = lines.slice(0, lines.findIndex((line) => /^\+?[=-] Console/.test(line)));
  return tree.slice(tree.findLastIndex((line) => /^[> |]+R rm/.test(line.replaceAll(/  +/g, " "))) + 1).filter((line) =>
    !/^$|^\+/.test(line)
  );
}

/** A session with other queues and parcels. */
function rigWith(queues: readonly Row[], parcels: readonly Row[], width = 120, height = 36): Rig {
  const rig = new Rig(width, height);
  rig.answer = (query: Query) => {
    if (query.table === "queue.ls") return { ...phoneAnswer(query), rows: queues };
    if (query.table === "mem.parcels") return { ...phoneAnswer(query), rows: parcels };
    return phoneAnswer(query);
  };
  return rig;
}

/** The first answers come to the first picture; the room for them is found at the next. */
async function ready(rig: Rig): Promise<Rig> {
  await rig.lines();
  rig.sample();
  await rig.lines();
  return rig;
}

Deno.test("below the tree: queues and doorbells between VMs with their fill, parcels that cannot be taken back", async () => {
  const rig = await ready(new Rig());
  assert.deepEqual(await links(rig), [
    " mq:7 debian -> rt [###.....] 3/8  12/s    db:3 rt => debian 0x1 pending",
    "!parcel:0x12 share 64K of host  held by rt  reclaim refused",
  ]);
});

Deno.test("a queue below the tree is empty, full or partly full; a doorbell pends by the flags that raise its interrupt", async () => {
  const bell = phoneRows("queue.ls").find(({ id }) => id === "db:3")!;
  const rig = await ready(rigWith([
    { ...QUEUE, count: 0, rate: 0 },
    { ...QUEUE, id: "mq:8", count: 8, full: true, rate: 48_211 },
    { ...bell, flags: "0x4" },
    { ...bell, flags: "0x8000000000000000", enable: "0xffffffffffffffff" },
    { ...QUEUE, id: "mq:9", from: null, count: 1 },
  ], []));
  assert.deepEqual(await links(rig), [
    " mq:7 debian -> rt [........] 0/8  0/s    mq:8 debian -> rt [########] 8/8!  48.2K/s    db:3 rt => debian 0x4",
    " db:3 rt => debian 0x8000000000000000 pending    mq:9 ? -> rt [#.......] 1/8  12/s",
  ]);
});

Deno.test("what two lines below the tree have no room for is counted, with the screen that shows it", async () => {
  const queues = Array.from({ length: 20 }, (_, index) => ({ ...QUEUE, id: `mq:${100 + index}` }));
  const parcels = Array.from({ length: 5 }, (_, index) => ({ ...PARCEL, id: `parcel:0x${index + 1}` }));
  const rig = await ready(rigWith(queues, parcels));
  const lines = await links(rig);
  assert.equal(lines.length, 4);
  assert.match(lines[1], /mq:103 debian -> rt .* {4}16 more on screen 6$/);
  assert.match(lines[3], /^!parcel:0x2 .* {4}3 more on screen 4$/);
  assert.ok(lines.every((line) => line.length <= 120));
});

Deno.test("where there is room for one line below the tree, what it leaves out is counted", async () => {
  const rig = await ready(rigWith([QUEUE, { ...QUEUE, id: "mq:8" }, { ...QUEUE, id: "mq:9" }], [], 80, 20));
  await rig.keys("gh");
  assert.match((await rig.lines()).join("\n"), /R rm .*\n mq:7 debian -> rt \[###\.\.\.\.\.\] 3\/8 {2}12\/s {4}2 more on screen 6\n-/);
});

Deno.test("in a low terminal the rows of VMs come first, the lines below them where room is left", async () => {
  const low = await ready(new Rig(80, 21));
  assert.doesNotMatch((await low.lines()).join("\n"), /mq:7 debian|parcel:0x12/);
  // host folded: one line, and what cannot be taken back is more than how full a queue is.
  await low.lines(80, 20);
  await low.keys("gh");
  assert.match((await low.lines()).join("\n"), /R rm .*\n!parcel:0x12 share 64K of host/);
  await low.keys("gjh");
  assert.match((await low.lines()).join("\n"), /R rm .*\n mq:7 debian -> rt .*\n!parcel:0x12 share 64K of host/);
});

Deno.test("the lines below the tree change by themselves; a frame in which a queue fills has few bytes", async () => {
  const rig = await ready(new Rig());
  const second = async () => {
    rig.time += 1000;
    rig.sample();
    await rig.lines();
  };
  await second();
  rig.frame();
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    return query.table === "queue.ls"
      ? { ...answer, rows: answer.rows.map((row) => row.id === "mq:7" ? { ...row, count: 5 } : row) }
      : answer;
  };
  await second();
  assert.match(rig.screen.toLines().join("\n"), /mq:7 debian -> rt \[#####\.\.\.\] 5\/8/);
  const bytes = rig.frame().length;
  assert.ok(bytes > 0 && bytes < 200, `${bytes} bytes`);
});

Deno.test("the lines below the tree are asked for every other second, and at once when the machine is paused; events with every second picture", async () => {
  const rig = await ready(new Rig());
  const answered: TableName[] = [];
  const asked = () => answered.splice(0).sort();
  rig.answer = (query) => {
    answered.push(query.table);
    return phoneAnswer(query);
  };
  asked();
  rig.time += 2000;
  rig.sample();
  await rig.lines();
  assert.deepEqual(asked(), ["events", "mem.map", "mem.parcels", "queue.ls", "vcpu.ls", "vm.ls", "why"]);
  for (let picture = 0; picture < 9; picture++) {
    rig.time += 200;
    rig.sample();
    await rig.lines();
    assert.deepEqual(asked(), picture % 2 ? ["events"] : []);
  }
  rig.apply({ kind: "paused", paused: true });
  await rig.lines();
  assert.deepEqual(asked(), ["events", "mem.map", "mem.parcels", "queue.ls", "vcpu.ls", "vm.ls", "why"]);
});
