// Screen 2: registers that change, the line of the PC, and why a vCPU exits.

import assert from "node:assert/strict";
import type { DrawnCell } from "../../../../src/app/tui/terminal/cells.ts";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import type { Query } from "../../../../src/model/queries/query.ts";
import { phoneAnswer, wholeRow } from "../phone.ts";
import { Rig } from "../rig.ts";

const rows = (rig: Rig) => Array.from({ length: rig.screen.height }, (_, y) => rig.screen.cells(y));
const textOf = (cells: readonly DrawnCell[]) => cells.map(({ text }) => text).join("");

async function screen(width: number, height: number): Promise<Rig> {
  const rig = new Rig(width, height, { ascii: false }, "direct");
  await rig.type("2");
  await rig.lines();
  return rig;
}

Deno.test("L33: registers that have changed are marked, the others are not; leading zeros are faint", async () => {
  const rig = await screen(120, 36);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "vcpu.regs") return answer;
    return { ...answer, rows: answer.rows.map((row) => row.name === "x0" ? { ...row, value: "0x0000000000000002" } : row) };
  };
  rig.time += 5000;
  rig.sample();
  await rig.lines();
  const marked = rows(rig).flat().filter(({ background }) => roleOf(background) === "warnbg");
  assert.equal(marked.map(({ text }) => text).join(""), "*0000000000000002");
  const line = rows(rig).find((cells) => textOf(cells).includes("esr_el1"))!;
  const at = textOf(line).indexOf("0000000056000000");
  assert.deepEqual(line.slice(at, at + 16).map(({ foreground }) => roleOf(foreground)), [
    ...Array(8).fill("faint"),
    ...Array(8).fill("text"),
  ]);
});

Deno.test("L34: the line of the PC is in sight on its background, branches and their targets stand out", async () => {
  for (const [width, height] of [[120, 36], [200, 60]] as const) {
    const rig = await screen(width, height);
    const line = rows(rig).find((cells) => textOf(cells).includes("f2c4  ret"))!;
    const at = textOf(line).indexOf("ret ");
    // It is the selected row of a pane without the keys.
    assert.equal(roleOf(line[at].background), "selq");
    assert.equal(roleOf(line[at].foreground), "vm1");
    await rig.keys("\t\tj");
    const after = rows(rig).find((cells) => textOf(cells).includes("f2c4  ret"))!;
    assert.equal(roleOf(after[at].background), "accbg", `${width}`);
    const target = rows(rig).find((cells) => textOf(cells).includes("<arch_cpu_idle>"))!;
    assert.equal(roleOf(target[textOf(target).indexOf("<arch")].foreground), "link");
  }
});

Deno.test("a PC that has moved is selected again, wherever one has looked meanwhile", async () => {
  const rig = await screen(120, 36);
  await rig.keys("\t\tkk");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "code") return answer;
    return { ...answer, rows: answer.rows.map((row, index) => ({ ...row, pc: index === 3 })) };
  };
  rig.time += 5000;
  rig.sample();
  await rig.lines();
  const line = rows(rig).find((cells) => textOf(cells).includes("<arch_cpu_idle>"))!;
  assert.equal(roleOf(line[textOf(line).indexOf("<arch")].background), "sel");
});

Deno.test("exits are counted by reason, the most frequent first, with share, rate and bar", async () => {
  const rig = await screen(120, 36);
  const event = (id: number, kind: string, name: string) =>
    wholeRow("events", { id: `ev:${id}`, t: "1", kind, name, args: "mq:7", vcpu: "vcpu:debian/0" });
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "events") return answer;
    return {
      ...answer,
      after: undefined,
      rows: [event(1, "hvc", "msgqueue_send"), event(2, "trap", "WFI"), event(3, "trap", "WFI"), event(4, "trap", "WFI")],
    };
  };
  rig.time += 5000;
  rig.sample();
  const text = await rig.text();
  assert.match(text, /Exits D debian\/0 .* of the last 4/);
  assert.match(text, /trap WFI +▆{8,} +75 % +1 462 /);
  assert.match(text, /hvc {2}msgqueue_send +▆+ +25 % +487 /);
  assert.ok(text.indexOf("trap WFI") < text.indexOf("hvc  msgqueue_send"));
});

Deno.test("PSTATE has its flags, exception level and masks in letters", async () => {
  const rig = await screen(120, 36);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "vcpu.regs") return answer;
    return {
      ...answer,
      rows: [{
        id: "reg:debian/0/pstate",
        name: "pstate",
        value: "0x600003c5",
        words: "nZCv EL1h DAIF",
        parts: ["nZCv", "EL1h", "DAIF"],
        group: "general",
      }],
    };
  };
  rig.time += 5000;
  rig.sample();
  assert.match(await rig.text(), /nZCv EL1h DAIF/);
});

const asked = (rig: Rig): Query[] => rig.requests.flatMap((request) => request.kind === "query" ? [request.query] : []);

Deno.test("a on a vCPU says how gdb debugs it; a program of ours has no instructions", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.type("ag");
  assert.match(await rig.text(), /in another terminal: el2 gdb debian prints the command for gdb/);
  await rig.type("1gag");
  assert.match(await rig.text(), /vm:host executes no instructions: el2's own code runs there/);
});

Deno.test("v on a vCPU comes to its PSCI calls", async () => {
  const rig = new Rig();
  await rig.type("2");
  await rig.lines();
  await rig.keys("v");
  assert.match(await rig.text(), /- PSCI calls/);
  assert.deepEqual(asked(rig).findLast(({ table }) => table === "events")?.args, {
    kinds: "psci",
    filter: "vcpu=vcpu:debian/0",
    limit: 200,
  });
});

Deno.test("v on a vCPU comes to its timers, which are in sight at 200x60: control, compare value, when due", async () => {
  const wide = await screen(200, 60);
  assert.match(await wide.text(), /Timers D debian\/0[^]*virtual +at 12\.482 +ENABLE +27 +000000002e805b1e/);
  assert.match(await wide.text(), /physical +now +ENABLE IMASK +30 +0000000000000000/);
  const rig = await screen(120, 36);
  assert.doesNotMatch(await rig.text(), /Timers/);
  await rig.keys("vv");
  assert.match(await rig.text(), /Timers D debian\/0 2[^]*virtual +at 12\.482/);
  assert.deepEqual(asked(rig).findLast(({ table }) => table === "vcpu.timers")?.args, { vcpu: "vcpu:debian/0" });
});

Deno.test("from 160 columns on a vCPU's wait for a timer and three interrupts is whole", async () => {
  const rig = new Rig(160, 48);
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "vcpu.ls") return answer;
    const waits = [
      { code: "timer", irq: "irq:rt/27", intid: 27, in_ns: 998e6 },
      ...[33, 960, 962].map((intid) => ({ code: "irq", irq: `irq:rt/${intid}`, intid })),
    ];
    return { ...answer, rows: answer.rows.map((row) => row.vm === "vm:rt" ? { ...row, waits } : row) };
  };
  await rig.type("2");
  assert.match(await rig.text(), /timer irq 27 at 13\.479, irq 33, 960, 962 {2,}0x0000000080000184/);
});

Deno.test("at 100x30 registers have two columns", async () => {
  const rig = new Rig(100, 30);
  await rig.type("2");
  assert.match(await rig.text(), /x0 +0000000000000001 x1 +ffff0000c0a81000\|/);
});
