import assert from "node:assert/strict";
import { el2 } from "../program.ts";
import { wrapped } from "../../../../src/app/cli/common/common-options.ts";

Deno.test("paragraphs are broken at the width, joined where a line is too long; examples, lists and short ones stay", () => {
  const text = "Usage: el2 x\n\none two three four\nfive\n\nExamples:\n  el2 x --with a-long-line of words\nshort\nlines\n";
  assert.equal(
    wrapped(text, 12),
    "Usage: el2 x\n\none two\nthree four\nfive\n\nExamples:\n  el2 x --with a-long-line of words\nshort\nlines\n",
  );
  assert.equal(wrapped(text, 99), text);
  assert.equal(wrapped("a-word-over-the-width b", 8), "a-word-over-the-width\nb");
});

Deno.test("the paragraphs of help have at most 80 columns, where no terminal has more", async () => {
  for (const command of ["boot", "run", "profile", "coverage", "who", "find", "replay"]) {
    const { stdout } = await el2(command, "--help");
    for (const line of stdout.split("\n")) assert.ok(line.startsWith(" ") || line.length <= 80, `${command}: ${line}`);
  }
});
