import assert from "node:assert/strict";
import { inShellApart, isPrompt, ShellOutput, typedLine } from "../../../src/app/scenarios/shell-run.ts";

/** Output and exit status of a command in the lines of a console. */
function outputOf(lines: readonly string[]) {
  const output = new ShellOutput(3);
  return { lines: lines.filter((line) => output.take(line)), status: output.status };
}

Deno.test("the output of a command is between the words that the shell prints, of which the kernel may tear one", () => {
  const typed = typedLine(inShellApart("it's\nall"), 3), echo = typed.split("\r");
  assert.ok(echo.every((line) => line.length < 900));
  for (let at = 0; at < typed.length; at++) {
    // Line editors break long lines anywhere.
    const output = outputOf([typed.slice(at)]);
    assert.deepEqual(output, { lines: [], status: undefined }, "the echo has none");
  }
  const begins = "el2-run-3:", ends = "el2-run-3=7", torn = "el2-ru[    1.500000] usb 1-1: reset";
  const wanted = { lines: ["a", "b"], status: 7 };
  for (const before of [[begins, begins], [begins, torn], [torn, "n-3:", begins]]) {
    for (const after of [[ends, ends], [ends, torn], [torn, "n-3=7", ends]]) {
      const lines = [...echo, ...before, "a", "b", ...after, "~ # "];
      assert.deepEqual(outputOf(lines).status, 7);
      assert.deepEqual(outputOf(lines).lines.filter((line) => line.length === 1), wanted.lines);
    }
  }
  assert.deepEqual(outputOf([begins, "el2-run-2=0", "el2-run-3="]).status, undefined, "another command, and half a word");
});

Deno.test("a prompt is one after which the kernel has printed, too; a line of output is none", () => {
  for (
    const end of ["~ # ", "a\r\n/ # ", "login: ", "~ # [    2.500000] random: crng init done\r\n", "$ [    2.500000] a\n[    2.600000] b\n"]
  ) {
    assert.ok(isPrompt(end), end);
  }
  for (const end of ["", "~ # ls", "~ # \r\n", "# [    2.500000] a\nb", "[    2.500000] # ", "[    2.500000] a: 5 # \n"]) {
    assert.ok(!isPrompt(end), end);
  }
});
