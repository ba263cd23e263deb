import assert from "node:assert/strict";
import { NamedLines } from "../../../../../src/app/cli/start/headless/named-lines.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Lines of what is written, as `name| text`. */
function collect(): { lines: NamedLines; out: string[] } {
  const out: string[] = [];
  return { out, lines: new NamedLines((console, line) => out.push(`${console}| ${new TextDecoder().decode(line)}`)) };
}

Deno.test("lines of consoles come whole, each after its name, however their output is cut", () => {
  const { lines, out } = collect();
  lines.write("a", bytes("one\r\ntw"));
  lines.write("b", bytes("other"));
  lines.write("a", bytes("o\n"));
  lines.finish();
  assert.deepEqual(out, ["a| one\n", "a| two\n", "b| other\n"]);
});

Deno.test("a line without end is cut at 4 KiB, never within a character, and marked on both sides", () => {
  const { lines, out } = collect();
  for (let count = 0; count < 100; count++) lines.write("a", bytes("日".repeat(1000)));
  assert.ok(out.length > 60, "it waits for no line break");
  lines.write("a", bytes("\nnext\n"));
  assert.equal(out.at(-1), "a| next\n");
  const parts = out.slice(0, -1);
  for (const [index, part] of parts.entries()) {
    assert.ok(part.length < 4096 + 20);
    assert.equal(part.startsWith("a| …"), index > 0);
    assert.equal(part.endsWith("…\n"), index < parts.length - 1);
  }
  assert.equal(parts.map((part) => part.slice(3).replaceAll(/[…\n]/g, "")).join(""), "日".repeat(100_000));
});
