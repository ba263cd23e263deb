// Consoles of several VMs as one text.

import assert from "node:assert/strict";
import { ConsoleText } from "../../../../src/session/debug/dap/consoles.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("consoles are one text, in which each line names its VM if several VMs print", () => {
  const consoles = new ConsoleText();
  assert.equal(consoles.text("rt", bytes("one\ntwo\n")), "one\ntwo\n");
  assert.equal(consoles.text("rt", bytes("half a ")), "half a ");
  assert.equal(consoles.text("linux", bytes("boots\r\n")), "\n[linux] boots\r\n");
  assert.equal(consoles.text("rt", bytes("line\nand\n")), "[rt] line\n[rt] and\n");
  const [first, rest] = [bytes("é\n").subarray(0, 1), bytes("é\n").subarray(1)];
  assert.equal(consoles.text("rt", first), "");
  assert.equal(consoles.text("linux", bytes("$ ")), "[linux] $ ");
  assert.equal(consoles.text("rt", rest), "\n[rt] é\n");
});
