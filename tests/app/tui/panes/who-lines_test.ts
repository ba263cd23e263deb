// An access, or an event, as lines of an answer.

import assert from "node:assert/strict";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { type Access, accessLines } from "../../../../src/app/tui/panes/who-lines.ts";

const ACCESS: Access = {
  ...{
    id: "insn:12",
    kind: "write",
    t: "39",
    insn: "12",
    by: "vcpu:ping/0",
    pc: null,
    symbol: "play+0x2c",
    source: null,
    instruction: "str x0, [x1]",
  },
  ...{ stack: ["play+0x2c"], before: "00", after: "10", text: "vcpu:ping/0 at play+0x2c", of: null },
} as unknown as Access;

Deno.test("an access has its values below the chain, and an event, which changes none, no heading for them", () => {
  const texts = (kind: Access["kind"]) =>
    accessLines({ ...ACCESS, kind }, "el2 who x", plainLook("dark", "direct", "full"), 80).map(({ text, pieces = [{ text }] }) =>
      pieces.map((piece) => piece.text).join("")
    ).join("\n");
  assert.match(texts("write"), /Values[^]*before +00\nafter +10\n/);
  assert.match(texts("read"), /Values[^]*before +00\n(?!after)/);
  assert.doesNotMatch(texts("event"), /Values|before/);
});
