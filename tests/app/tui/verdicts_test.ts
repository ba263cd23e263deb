// The overview says what is wrong with a VM, and what each VM is doing or waiting for.

import assert from "node:assert/strict";
import type { Query } from "../../../src/model/queries/query.ts";
import { phoneAnswer, wholeRow } from "./phone.ts";
import { Rig } from "./rig.ts";

const VERDICTS = [
  { id: "vm:host", verdict: null, healthy: true, doing: null },
  { id: "vm:debian", verdict: "runs", healthy: true, doing: "vcpu:debian/0 runs" },
  { id: "vm:rt", verdict: "spins", healthy: false, doing: "vcpu:rt/0 loops at 0x80000184" },
];

function rig(width: number, height: number, depth: "16" | "none" = "16"): Rig {
  const rig = new Rig(width, height, {}, depth);
  rig.answer = (query: Query) =>
    query.table === "vm.ls" ? { ...phoneAnswer(query), rows: VERDICTS.map((row) => wholeRow("vm.ls", row)) } : phoneAnswer(query);
  return rig;
}

for (const [width, height] of [[80, 24], [120, 36], [200, 60]]) {
  Deno.test(`the overview at ${width}x${height} names the verdict on a VM that makes no progress`, async () => {
    const lines = await rig(width, height).lines();
    const tree = lines.slice(lines.findIndex((line) => line.includes("Virtual machines")));
    const row = (name: string) => tree.find((line) => new RegExp(`^[|> ]+[A-Z] +${name}\\b`).test(line))!;
    assert.match(row("rt"), /spins: vcpu:rt\/0/);
    assert.doesNotMatch(row("rt"), /timer irq/);
    assert.match(row("debian"), /vcpu:debian\/0 runs/);
    assert.doesNotMatch(row("host"), /null|undefined/);
  });
}

Deno.test("a verdict that is not healthy is red, and its word is shown without color", async () => {
  const colored = rig(120, 36);
  await colored.lines();
  colored.screen.invalidate();
  // deno-lint-ignore no-control-regex -- an escape sequence is looked for
  assert.match(colored.frame(), /\x1b\[[0-9;]*91mspins: /);
  assert.match(await rig(120, 36, "none").text(), /spins: vcpu:rt\/0 loops/);
});

Deno.test("w on a VM that is not healthy shows the verdict as el2 diagnose does; Enter goes to what it names, Esc closes", async () => {
  const why = rig(120, 36), { answer } = why;
  const deadlock = {
    id: "vm:rt",
    verdict: "deadlocked",
    healthy: false,
    text: "waits for irq:rt/961 (mq:300), which vm:debian alone can cause, and that waits for vm:rt",
    evidence: ["vcpu:rt/0 waits for an interrupt (WFI)", "mq:300 is empty, and only vm:debian sends to it"],
    next: "el2 show mq:300",
  };
  why.answer = (query) => {
    if (query.table !== "diagnose") return answer(query);
    return { ...phoneAnswer(query), rows: query.args.filter === "id=vm:rt" ? [wholeRow("diagnose", deadlock)] : [], error: undefined };
  };
  const onTree = async () => {
    await why.lines();
    for (let tries = 0; !(await why.lines()).some((line) => /^[|]?>.* rt /.test(line)); tries++) {
      assert.ok(tries < 10);
      await why.type("j");
    }
  };
  await onTree();
  await why.type("w");
  const shown = await why.text();
  for (const part of [/Verdict/, /vm:rt deadlocked: waits for irq:rt\/961/, /mq:300 is empty/, /next: el2 show mq:300/]) {
    assert.match(shown, part);
  }
  await why.press("esc");
  assert.doesNotMatch(await why.text(), /next: el2 queue/);
  await why.type("w");
  await why.press("enter");
  const there = await why.text();
  assert.doesNotMatch(there, /next: el2 queue/);
  assert.match(there, /Message queues/);
});

for (const [width, height] of [[80, 24], [120, 36]]) {
  Deno.test(`a verdict that its column cuts is shown whole below the list once its VM is selected, at ${width}x${height}`, async () => {
    const doing = "vcpu:rt/0 waits for irq:rt/27, which vcpu:debian/0 would raise, which waits for mq:7, which vcpu:rt/0 would empty";
    const shown = rig(width, height);
    shown.answer = (query: Query) => {
      const rows = VERDICTS.map((row) => wholeRow("vm.ls", row.id === "vm:rt" ? { ...row, verdict: "deadlocked", doing } : row));
      return query.table === "vm.ls" ? { ...phoneAnswer(query), rows } : phoneAnswer(query);
    };
    assert.doesNotMatch(await shown.text(), /would empty/);
    await shown.type("gjjjjjj");
    const text = await shown.text();
    assert.match(text, /rt {2}deadlocked: vcpu:rt\/0 waits for irq:rt\/27, which [^]*vcpu:rt\/0 would empty/);
  });
}

Deno.test("i on a VM shows every field that the list of VMs has of it, and y copies a command that shows this VM", async () => {
  const rig = new Rig(120, 36), { answer } = rig;
  const row = {
    ...{ ...VERDICTS[2], vmid: "0x2d", state: "running", via: "gunyah", schedule: "proxy", owner: "vm:host", vcpus: 1, cpu: 0.5 },
    ...{ instructions: "100", memory: 0x40_0000, exit: null, ended: null, why: null, console: "con:rt/0" },
    ...{ input_refused: null, input_way_out: null, guests: null, guest_vms: null },
  };
  rig.answer = (query) =>
    query.table === "vm.ls" && query.args.filter === "id=vm:rt" ? { ...phoneAnswer(query), rows: [row] } : answer(query);
  for (let tries = 0; !(await rig.lines()).some((line) => /^[|]?>.* rt /.test(line)); tries++) {
    assert.ok(tries < 10);
    await rig.type("j");
  }
  await rig.type("i");
  const text = await rig.text();
  assert.match(text, /vm:rt/);
  assert.match(text, /verdict +spins/);
  assert.match(text, /memory +4M \(4194304 bytes\)/);
  assert.match(text, /via +gunyah/);
  await rig.press("esc");
  await rig.type("y");
  const menu = await rig.text();
  assert.match(menu, /el2 vm ls --filter id=vm:rt/);
  assert.doesNotMatch(menu, /vm:rt +- /);
});
