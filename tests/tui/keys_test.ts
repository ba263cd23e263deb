import assert from "node:assert/strict";
import { ACTIONS } from "../../src/tui/app/actions.ts";
import { KeyParser, textBytes } from "../../src/tui/terminal/keys.ts";

const names = (text: string) => new KeyParser().push(textBytes(text)).map((key) => key.name);

Deno.test("letters, control keys and sequences have names", () => {
  assert.deepEqual(names("aZ\r\t\x7f \x03\x1d"), ["a", "Z", "Enter", "Tab", "Backspace", "Space", "ctrl-c", "ctrl-]"]);
  assert.deepEqual(names("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[Z\x1b[1;5C"), ["Up", "Down", "PgUp", "PgDn", "S-Tab", "ctrl-Right"]);
  assert.deepEqual(names("é漢"), ["é", "漢"]);
});

Deno.test("a sequence may arrive in pieces", () => {
  const parser = new KeyParser();
  assert.deepEqual(parser.push(textBytes("\x1b[")), []);
  assert.equal(parser.waiting, true);
  assert.deepEqual(parser.push(textBytes("A")).map((key) => key.name), ["Up"]);
});

Deno.test("a lone Esc is a key once nothing follows", () => {
  const parser = new KeyParser();
  assert.deepEqual(parser.push(textBytes("\x1b")), []);
  assert.deepEqual(parser.flush().map((key) => key.name), ["Esc"]);
});

Deno.test("a mouse report has its cell", () => {
  const [click, wheel] = new KeyParser().push(textBytes("\x1b[<0;5;7M\x1b[<64;1;1M"));
  assert.deepEqual([click.name, click.x, click.y], ["Click", 4, 6]);
  assert.equal(wheel.name, "WheelUp");
});

Deno.test("a paste is one key with its text", () => {
  const [paste] = new KeyParser().push(textBytes("\x1b[200~ls -l\r\x1b[201~"));
  assert.equal(paste.name, "Paste");
  assert.deepEqual(paste.bytes, textBytes("ls -l\r"));
});

Deno.test("no key has two actions in one context", () => {
  const seen = new Set<string>();
  for (const action of ACTIONS) {
    for (const key of action.keys) {
      const place = `${action.context} ${key}`;
      assert.ok(!seen.has(place), `${place} is bound twice`);
      seen.add(place);
    }
  }
});

Deno.test("W14: keys of other tools that destroy are bound to nothing in lists", () => {
  const bound = ACTIONS.filter((action) => action.context === "lists").flatMap((action) => action.keys);
  for (const key of ["d", "D", "r", "R", "X", "Delete"]) assert.ok(!bound.includes(key), key);
});
