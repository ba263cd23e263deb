import assert from "node:assert/strict";
import type { Query } from "../../src/queries/query.ts";
import { Rig } from "./rig.ts";

const asked = (rig: Rig): Query[] => rig.requests.flatMap((request) => request.kind === "query" ? [request.query] : []);

Deno.test("a on a vCPU says how gdb debugs it; a program of ours has no instructions", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("ag");
  assert.match(await rig.text(), /in another terminal: el2 gdb debian --port 1234/);
  await rig.type("1gag");
  assert.match(await rig.text(), /vm:host executes no instructions: el2's own code runs there/);
});

Deno.test("v on a vCPU comes to its PSCI calls", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  for (let i = 0; i < 4; i++) await rig.type("v"), await rig.lines();
  assert.match(await rig.text(), /- PSCI calls/);
  assert.deepEqual(asked(rig).findLast(({ table }) => table === "events")?.args, {
    kinds: "psci",
    filter: "vcpu=vcpu:debian/0",
    limit: 200,
  });
});
