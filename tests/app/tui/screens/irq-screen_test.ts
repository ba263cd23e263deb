import assert from "node:assert/strict";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import { findingLines, pathLines } from "../../../../src/app/tui/panes/irq-findings.ts";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { phoneAnswer } from "../phone.ts";
import { Rig } from "../rig.ts";
import { IRQ_FINDINGS, type IrqFinding, type IrqStep } from "../../../../src/model/queries/facts/irq-finding.ts";
import { rowsOf } from "../../../../src/model/queries/query.ts";
import { IRQS } from "../../../../src/model/queries/tables.ts";

const LOOK = plainLook("dark", "none", "ascii");
const textOf = ({ text, pieces }: ReturnType<typeof pathLines>[number]) => pieces?.map((piece) => piece.text).join("") ?? text;

Deno.test("interrupts: whose, source, state, how often; a storm's rate and history are bad, what is off says so", async () => {
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  await rig.type("3");
  const lines = await rig.lines();
  assert.match(lines.join("\n"), /!D debian\/27 +PPI +vtimer +0xa0 +● +◐ pending +level +841 220 +48 211! /);
  assert.match(lines.join("\n"), /!H host\/961 .* off +◐ pending/);
  const storm = rig.screen.cells(lines.findIndex((line) => /debian\/27/.test(line)));
  const bad = storm.filter(({ foreground, text }) => roleOf(foreground) === "bad" && text !== " ").map(({ text }) => text).join("");
  assert.match(bad, /^!48211!▇$/);
});

Deno.test("a finding is a card: the sentence on badbg, and the way out", async () => {
  const rig = new Rig(80, 24, { ascii: false }, "direct");
  await rig.type("3");
  const lines = await rig.lines();
  const at = lines.findIndex((line) => /^ ! D debian\/27 storm: its line is high at each end/.test(line));
  assert.match(lines[at + 1], /^ │ way out the handler sets CNTV_CVAL_EL0 to a later time, or masks the timer/);
  const grounds = rig.screen.cells(at).map(({ background }) => roleOf(background));
  assert.equal(grounds.filter((role) => role === "badbg").length, 79, "all but the letter of the VM");
  assert.ok(rig.screen.cells(at + 1).every(({ background }) => roleOf(background) === "bg"));
});

Deno.test("each finding becomes a card with its words, and stops the path at its step", () => {
  const [row] = rowsOf(IRQS, phoneAnswer({ table: "irq.ls", args: {} }));
  for (
    const [fact, step] of [
      [{ code: "disabled", intid: 961 }, "enabled"],
      [{ code: "lpi-disabled" }, "enabled"],
      [{ code: "edge-source" }, "pending"],
      [{ code: "no-source" }, "source"],
      [{ code: "no-target" }, "route"],
      [{ code: "group-disabled", group: 1, intid: 961, other: false }, "group"],
      [{ code: "interface-disabled", group: 1 }, "group"],
      [{ code: "timer-masked", control: "CNTV_CTL_EL0" }, "source"],
      [{ code: "priority-masked", priority: 0xa0, pmr: 0x80 }, "priority"],
      [{ code: "no-vcpu", vcpu: 3 }, "route"],
      [{ code: "vcpu-off", vcpu: "vcpu:rt/0" }, "route"],
      [{ code: "storm", source: "vtimer" }, "taken"],
      [{ code: "sgi-storm" }, "taken"],
    ] as const satisfies readonly (readonly [IrqFinding, IrqStep])[]
  ) {
    const found = { ...row, fact }, [card, remedy] = findingLines([found], LOOK, 100);
    assert.ok(textOf(card).endsWith(IRQ_FINDINGS.text(fact)), textOf(card));
    assert.equal(remedy && textOf(remedy).includes(String(IRQ_FINDINGS.wayOutText(fact))), IRQ_FINDINGS.wayOutText(fact) && true);
    const stopped = pathLines(found, LOOK).filter(({ tint }) => tint === "badbg");
    assert.deepEqual(stopped.map((line) => textOf(line).split(/ +/)[1]), [step]);
  }
  assert.ok(pathLines({ ...row, fact: null }, LOOK).every(({ tint }) => tint === undefined));
});

Deno.test("the screen of interrupts says that it loads, that there are none, and which error occurred", async () => {
  for (const [error, expected] of [[undefined, /No interrupt is enabled/], ["the machine has ended", /the machine has ended/]] as const) {
    const rig = new Rig(120, 36);
    rig.answer = (query) => ({ ...phoneAnswer(query), rows: [], error });
    await rig.type("3");
    assert.match(await rig.text(), expected);
    assert.match(await rig.text(), /No problems found[^]*No interrupt is selected/);
  }
});

Deno.test("at 100x30 the sentence of a finding is continued on its background", async () => {
  const rig = new Rig(100, 30, { ascii: false }, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "irq.ls") return answer;
    const fact: IrqFinding = { code: "vcpu-off", vcpu: `vcpu:host/${"0".repeat(40)}` };
    return {
      ...answer,
      rows: answer.rows.map((row) => row.id === "irq:host/961" ? { ...row, vm: "vm:host", fact } : { ...row, fact: null }),
    };
  };
  await rig.type("3");
  const lines = await rig.lines(), y = lines.findIndex((line) => line.includes("! H host/961 waits: "));
  assert.doesNotMatch(lines[y], /…/);
  assert.match(lines[y + 1], /^│ +vcpu:host\/0{40} is +│/);
  assert.equal(roleOf(rig.screen.cells(y + 1)[4].background), "badbg");
});
