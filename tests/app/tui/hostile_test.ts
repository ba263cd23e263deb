// Every screen and state of the screens while everything that a guest or a file may have chosen is
// hostile: no byte of it may be read as, or inside, a sequence by the terminal.

import assert from "node:assert/strict";
import { NOT_UTF8 } from "../../support/not-utf8.ts";
import type { Json, Row } from "../../../src/model/queries/table.ts";
import { TABLES } from "../../../src/model/queries/tables.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import { PHONE_SAMPLE } from "./phone.ts";
import { Rig, SCREENS } from "./rig.ts";
import { STATES } from "./states.ts";
import { LONG } from "../../support/long.ts";

/** The mark of what a guest supplied: el2 itself never writes it. */
const MARK = "qzx";
/** A color that is not one, title, clipboard, link, question, 8-bit CSI, text turned round. */
const HOSTILE = `\x1b[66;77m${MARK}\x1b]0;${MARK}\x07\x1b]52;c;${MARK}\x1b\\\x1b]8;;${MARK}\x1b\\\x1b[6n\x9b2J\x90${MARK}\x9c` +
  `\r\n\t\b\x7f\0\u202e${MARK}\u200b\u2066`;
/** The screens' own sequences: places, colors, modes; without a string. */
// deno-lint-ignore no-control-regex
const OWN = /\x1b\[\??[0-9;:]*[a-zA-Z]|\x1b[78]/g;
// deno-lint-ignore no-control-regex
const LEFT = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;

/** The columns that hold what a guest or a file may have chosen. */
const CHOSEN = new Set(["text", "list", "detail"]);

function spoiled(value: Json): Json {
  if (typeof value === "string") return value + HOSTILE;
  if (Array.isArray(value)) return value.map(spoiled);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, spoiled(one)]));
}

function spoiledAnswer(answer: Answer): Answer {
  const { columns } = TABLES[answer.table];
  const kind = (name: string) => (columns as Record<string, { readonly kind: string }>)[name]?.kind;
  const rows = answer.rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, CHOSEN.has(kind(name)) ? spoiled(value) : value])) as Row
  );
  return { ...answer, rows };
}

const SAMPLE = {
  ...PHONE_SAMPLE,
  vms: PHONE_SAMPLE.vms.map((vm) => ({
    ...vm,
    name: vm.name + HOSTILE,
    vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, pc: vcpu.pc + HOSTILE })),
    devices: vm.devices.map((device) => ({ ...device, id: device.id + HOSTILE, kind: device.kind + HOSTILE })),
  })),
};

function spoil(rig: Rig): void {
  const { answer } = rig;
  rig.answer = (query) => spoiledAnswer(answer(query));
  rig.actError = `no VM called "${HOSTILE}"`;
  for (const console of ["debian", "rt"]) {
    rig.apply({ kind: "console", console, bytes: Uint8Array.of(...textBytes(HOSTILE.repeat(3)), ...NOT_UTF8, ...textBytes(HOSTILE)) });
  }
  rig.apply({ kind: "sample", sample: SAMPLE });
}

/** Bytes that a terminal must not get. */
function assertHarmless(frame: string, what: string): void {
  const sequences = frame.match(OWN) ?? [];
  assert.ok(!sequences.some((sequence) => sequence.includes("66;77") || sequence.includes("\x1b[6n")), `${what}: a sequence of a guest's`);
  const text = frame.replaceAll(OWN, "");
  const wrong = LEFT.exec(text);
  assert.equal(wrong, null, `${what}: ${JSON.stringify(text.slice(Math.max(0, (wrong?.index ?? 0) - 30), (wrong?.index ?? 0) + 30))}`);
}

Deno.test("the check finds a guest's sequences", () => {
  for (const frame of ["\x1b[66;77m", "a\x1b]0;b", "\x9b2J", "\x1b[6n", "\u202e"]) assert.throws(() => assertHarmless(frame, ""));
  assertHarmless("\x1b[?2026h\x1b[2;3H\x1b[0;38;2;1;2;3mtext\x1b[?2026l", "own");
});

for (const [depth, ascii] of [...LONG ? [["16", true]] as const : [], ["direct", false]] as const) {
  Deno.test(`no byte of a guest is a sequence on any screen, in ${depth} colors`, async () => {
    let marked = 0;
    const states = [...SCREENS.map((key) => [`screen ${key}`, (rig: Rig) => rig.type(key)] as const), ...STATES];
    for (const [name, begin] of states) {
      const rig = new Rig(120, 36, { ascii, title: `phone${HOSTILE}` }, depth);
      spoil(rig);
      await rig.lines();
      let frames = rig.frame();
      await begin(rig);
      for (const keys of ["", "j\r"]) {
        if (keys) await rig.type(keys);
        rig.screen.invalidate();
        await rig.lines();
        frames += rig.frame();
      }
      assertHarmless(frames, name);
      if (frames.includes(MARK)) marked++;
    }
    assert.ok(marked >= states.length - 3, `${marked} of ${states.length} states show what a guest supplied`);
  });
}
