import assert from "node:assert/strict";
import { ACTIONS } from "../../../../src/app/tui/actions/actions.ts";
import { KeyParser } from "../../../../src/app/tui/terminal/key-parser.ts";
import { textBytes } from "../../../../src/app/tui/terminal/keys.ts";
import { LONGEST_PASTE } from "../../../../src/app/tui/terminal/pasted-text.ts";

const names = (text: string) => new KeyParser().push(textBytes(text)).map((key) => key.name);

Deno.test("letters, control keys and sequences have names", () => {
  assert.deepEqual(names("aZ\r\t\x7f \x03\x1d"), ["a", "Z", "Enter", "Tab", "Backspace", "Space", "ctrl-c", "ctrl-]"]);
  assert.deepEqual(names("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[Z\x1b[1;5C"), ["Up", "Down", "PgUp", "PgDn", "S-Tab", "ctrl-Right"]);
  assert.deepEqual(names("é漢"), ["é", "漢"]);
});

Deno.test("a sequence may arrive in pieces", () => {
  const parser = new KeyParser();
  assert.deepEqual(parser.push(textBytes("\x1b[")), []);
  assert.equal(parser.state, "csi");
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

Deno.test("an end of a paste ends it: what follows in the same read are keys, a start inside is text", () => {
  const parser = new KeyParser();
  const keys = parser.push(textBytes("\x1b[200~a\x1b[20\x1b[200~\x1b\x1b[201~q\x1b[201~\x1b[A\x1b[200~b\x1b[201~"));
  assert.deepEqual(keys.map(({ name }) => name), ["Paste", "q", "Unknown", "Up", "Paste"]);
  assert.deepEqual([keys[0].bytes, keys[4].bytes], [textBytes("a\x1b[20\x1b[200~\x1b"), textBytes("b")]);
});

Deno.test("a paste is taken up to its limit in any pieces, and refused in words above it", () => {
  for (
    const [size, pieces, refused] of [
      [200 * 1024, 7, undefined],
      [LONGEST_PASTE, 65_536, undefined],
      [LONGEST_PASTE + 1, 65_536, "pasted text of 1025 KiB was refused: the limit is 1024 KiB"],
      [3 * LONGEST_PASTE, 8 * LONGEST_PASTE, "pasted text of 3072 KiB was refused: the limit is 1024 KiB"],
    ] as const
  ) {
    const parser = new KeyParser(), bytes = textBytes(`\x1b[200~${"x\x1b".repeat(size / 2)}${"x".repeat(size % 2)}\x1b[201~y`);
    const keys = [];
    for (let at = 0; at < bytes.length; at += pieces) keys.push(...parser.push(bytes.subarray(at, at + pieces)));
    assert.deepEqual(keys.map((key) => [key.name, key.bytes.length, key.refused]), [
      ["Paste", refused ? 0 : size, refused],
      ["y", 1, undefined],
    ]);
  }
});

Deno.test("what is not a known key has no character for a name, so that no prompt and no action takes it", () => {
  // F1, F5, F1 on a console of Linux, Shift-Enter, a side button, bytes that are not UTF-8.
  const inputs = ["\x1bOP", "\x1b[15~", "\x1b[[A", "\x1b[27;2;13~", "\x1b[<128;1;1M"].map(textBytes);
  for (const bytes of [...inputs, Uint8Array.of(0xc3, 0x71), Uint8Array.of(0xff), Uint8Array.of(0xe0, 0x80, 0x80)]) {
    const [unknown] = new KeyParser().push(bytes);
    assert.equal(unknown.name, "Unknown", `${bytes}`);
    assert.ok(unknown.bytes.length > 0, "a guest may know it");
  }
  assert.deepEqual(new KeyParser().push(Uint8Array.of(0xc3, 0x71)).map(({ name }) => name), ["Unknown", "q"]);
  assert.deepEqual(names("\x1bé\x1bx\x1b[1\r\x1b]0;a\x1b[A"), ["alt-é", "alt-x", "Unknown", "Enter", "Unknown", "Up"]);
});

Deno.test("strings of the terminal are reports; a sequence without an end is kept in part only", () => {
  assert.deepEqual(names("\x1bP1$r0m\x1b\\\x1b_a\x1b\\\x1b^a\x1b\\\x1b]11;?\x07x"), [...Array(4).fill("Report"), "x"]);
  for (const endless of [`\x1b]11;${"9".repeat(100_000)}`, `\x1b[${"9".repeat(100_000)}`]) {
    const parser = new KeyParser();
    assert.deepEqual(parser.push(textBytes(endless)), []);
    assert.deepEqual(parser.flush().map(({ name, bytes }) => [name, bytes.length]), [["Unknown", 0]]);
    assert.deepEqual(parser.push(textBytes("\x1b[A")).map(({ name }) => name), ["Up"]);
  }
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
