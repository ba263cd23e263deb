import assert from "node:assert/strict";
import { roleOf } from "../../src/tui/terminal/color.ts";
import { findingLines, pathLines } from "../../src/tui/panes/irq-findings.ts";
import { plainLook } from "../../src/tui/look/theme.ts";
import { phoneAnswer, phoneRows } from "./phone.ts";
import { Rig } from "./rig.ts";

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

Deno.test("a finding is a card: the sentence on badbg, why, and the way out", async () => {
  const rig = new Rig(80, 24, { ascii: false }, "direct");
  await rig.type("3");
  const lines = await rig.lines();
  const at = lines.findIndex((line) => /^ ! D debian\/27 storms: 48 211 per second, the limit is 10 000/.test(line));
  assert.match(lines[at + 1], /^ │ because its line from vtimer is high/);
  assert.match(lines[at + 2], /^ │ way out the handler sets CNTV_CVAL_EL0, or masks the timer/);
  const grounds = rig.screen.cells(at).map(({ background }) => roleOf(background));
  assert.equal(grounds.filter((role) => role === "badbg").length, 79, "all but the letter of the VM");
  assert.ok(rig.screen.cells(at + 1).every(({ background }) => roleOf(background) === "bg"));
});

Deno.test("each finding of the session becomes a card, and stops the path at its step", () => {
  const [row] = phoneRows("irq.ls");
  for (
    const [finding, sentence, step] of [
      ["cannot fire: disabled (ISENABLER30 bit 1)", /pending and disabled/, "enabled"],
      ["cannot fire: level-triggered while its source gives edges", /it is level-triggered/, "pending"],
      ["nothing raises it: no source is bound", /nothing raises it/, "source"],
      ["cannot fire: IROUTER names no vCPU", /it has no target/, "route"],
      ["cannot fire: group 1 is disabled in GICD_CTLR", /group 1 is disabled/, "group"],
      ["cannot fire: priority 0xa0 is masked by PMR 0x80", /its priority is masked/, "priority"],
      ["cannot fire: vCPU 3 does not exist", /its target does not exist/, "route"],
      ["waits: vcpu:rt/0 is powered off", /its vCPU is powered off/, "route"],
      ["storm: 48.2K/s over 10000", /storms: 48 211 per second/, "taken"],
    ] as const
  ) {
    const [card] = findingLines([{ ...row, finding }], LOOK, 100);
    assert.match(textOf(card), sentence);
    const stopped = pathLines({ ...row, finding }, LOOK).filter(({ tint }) => tint === "badbg");
    assert.deepEqual(stopped.map((line) => textOf(line).split(/ +/)[1]), [step]);
  }
  assert.ok(pathLines({ ...row, finding: null }, LOOK).every(({ tint }) => tint === undefined));
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
    const finding = "is pending and cannot fire: disabled (ISENABLER30 bit 1)";
    return {
      ...answer,
      rows: answer.rows.map((row) => row.id === "irq:host/961" ? { ...row, vm: "vm:host", finding } : { ...row, finding: null }),
    };
  };
  await rig.type("3");
  const lines = await rig.lines(), y = lines.findIndex((line) => line.includes("! H host/961 cannot be delivered"));
  assert.doesNotMatch(lines[y], /…/);
  assert.match(lines[y + 1], /^│ +(and )?disabled +│/);
  assert.equal(roleOf(rig.screen.cells(y + 1)[4].background), "badbg");
});
