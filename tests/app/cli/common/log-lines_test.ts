import assert from "node:assert/strict";
import { LogLines } from "../../../../src/app/cli/common/log-lines.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const AT = new Date("2026-01-02T03:04:05.006Z");

Deno.test("lines of several consoles have their time and their VM's name, names as wide as the longest", () => {
  const lines = new LogLines(false);
  lines.align(["a", "bcd"]);
  assert.equal(lines.add("a", bytes("one\r\ntw"), AT), "03:04:05.006 a   one\n");
  assert.equal(lines.add("bcd", bytes("three\n"), undefined), "-            bcd three\n");
  assert.equal(lines.add("a", bytes("o\n"), new Date(AT.getTime() + 1000)), "03:04:05.006 a   two\n");
});

Deno.test("a character that comes in pieces stays one, and an empty line is a line", () => {
  const lines = new LogLines(false);
  assert.equal(lines.add("a", bytes("ü").subarray(0, 1), AT), "");
  assert.equal(lines.add("a", bytes("ü").subarray(1), AT), "");
  assert.equal(lines.add("a", bytes("\n\n"), AT), "03:04:05.006 a ü\n03:04:05.006 a \n");
});

Deno.test("a line that is not finished is printed once it is old enough, and a line is never endless", () => {
  const lines = new LogLines(false);
  assert.equal(lines.add("a", bytes("login: "), AT), "");
  assert.equal(lines.unfinished(new Date(AT.getTime() - 1)), "");
  assert.equal(lines.unfinished(AT), "03:04:05.006 a login: \n");
  assert.equal(lines.unfinished(AT), "");
  const long = lines.add("a", bytes("x".repeat(100_000)), AT);
  assert.equal(long.split("\n").length - 1, Math.floor(100_000 / 4096));
});

Deno.test("text of a guest cannot move the cursor, and colors come only from el2", () => {
  assert.equal(new LogLines(false).add("a", bytes("\x1b[2J\x9bx\u202ey\tz\n"), AT), "03:04:05.006 a ^[[2J<U+009B>x<U+202E>y\tz\n");
  const colored = new LogLines(true).add("a\x1b]0;t", bytes("\x1b[31mred\n"), AT);
  // deno-lint-ignore no-control-regex
  assert.deepEqual([...colored.matchAll(/\x1b(.{2,4}?m)/g)].map(([, code]) => code), ["[2m", "[0m", "[36m", "[0m"]);
  assert.match(colored, /\^\[\[31mred\n$/);
});
