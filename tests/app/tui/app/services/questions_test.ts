// The screens' questions while the user only watches.

import assert from "node:assert/strict";
import type { Request } from "../../../../../src/model/protocol/protocol.ts";
import { Rig } from "../../rig.ts";
import { phoneAnswer } from "../../phone.ts";

/** A rig whose screen has all its answers. */
async function looking(screen: string): Promise<Rig> {
  const rig = new Rig(80, 24);
  await rig.type(screen);
  await rig.lines();
  rig.requests.length = 0;
  return rig;
}

async function samples(rig: Rig, count: number): Promise<Request["kind"][]> {
  for (let sample = 0; sample < count; sample++) {
    rig.time += 200;
    rig.sample();
    await Promise.resolve();
  }
  return rig.requests.splice(0).map(({ kind }) => kind);
}

Deno.test("who only looks asks a vCPU's list and registers once in 25 pictures, and has new answers in each", async () => {
  const rig = await looking("2");
  let answers = 0;
  rig.answer = (query) => {
    answers++;
    return phoneAnswer(query);
  };
  assert.deepEqual(await samples(rig, 24), []);
  assert.equal(answers, 48);
  assert.deepEqual((await samples(rig, 2)).filter((kind) => kind === "query").length, 2);
});

Deno.test("a list that changes stays up to date beside one that does not", async () => {
  const rig = await looking("1");
  rig.sparing = true;
  let changes = 0;
  rig.answer = (query) => {
    const { rows, ...answer } = phoneAnswer(query), isChanging = query.table === "vcpu.ls";
    return { ...answer, rows: isChanging ? rows.map((row) => ({ ...row, symbol: `work+${changes}` })) : rows, cursor: undefined };
  };
  for (changes = 1; changes <= 120; changes++) {
    rig.time += 5000;
    await samples(rig, 1);
  }
  assert.match((await rig.lines()).join("\n"), /work\+120\b/);
});

Deno.test("a screen that was left is answered no more; one that comes is answered at once", async () => {
  const rig = await looking("2");
  const asked: string[] = [];
  await rig.type("3");
  await rig.lines();
  const kinds = rig.requests.splice(0).map(({ kind }) => kind);
  assert.equal(kinds.filter((kind) => kind === "forget").length, 2);
  rig.answer = (query) => {
    asked.push(query.table);
    return phoneAnswer(query);
  };
  assert.deepEqual(await samples(rig, 2), []);
  assert.ok(asked.length && asked.every((table) => table === "irq.ls"), asked.join());
});

Deno.test("another selection has its answer without a picture, and from then on with each", async () => {
  const rig = await looking("2");
  const asked: unknown[] = [];
  rig.answer = (query) => {
    if (query.table === "vcpu.regs") asked.push(query.args.vcpu);
    return phoneAnswer(query);
  };
  await rig.type("j");
  await rig.lines();
  assert.equal(asked.length, 1);
  await samples(rig, 3);
  assert.equal(asked.length, 4);
  assert.equal(new Set(asked).size, 1);
});

Deno.test("the newest rows fill a screen of a machine that rests, however high it is and becomes", async () => {
  const rig = new Rig(120, 60);
  const row = (number: number) => ({ ...phoneAnswer({ table: "rpc.ls", args: {} }).rows[0], id: `rpc:${number}` });
  rig.answer = (query) => {
    if (query.table !== "rpc.ls") return phoneAnswer(query);
    const { limit = 100 } = query.args;
    return { ...phoneAnswer(query), table: "rpc.ls", rows: Array.from({ length: limit }, (_, index) => row(1000 - limit + index)) };
  };
  await rig.type("7");
  const shown = async (height: number) => new Set((await rig.lines(120, height)).join("\n").match(/\brpc:\d+/g)).size;
  const first = await shown(60);
  assert.ok(first > 16, `${first}`);
  assert.ok(await shown(120) > first + 20);
});
