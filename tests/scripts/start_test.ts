// scripts/start.ts: the program that it runs decides how the task ends.

import assert from "node:assert/strict";

const START = new URL("../../scripts/start.ts", import.meta.url).pathname;

/** The exit code of a program that start.ts runs. */
async function codeOf(program: string): Promise<number> {
  const file = await Deno.makeTempFile({ prefix: "el2-test-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const args = ["run", "-q", "--allow-read", "--allow-env", "--allow-run", START, `file://${file}`];
    return (await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output()).code;
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("a task ends with the exit code of its program, and of one that a signal has ended with 128 and its number", async () => {
  assert.equal(await codeOf("Deno.exit(3);"), 3);
  assert.equal(await codeOf('Deno.kill(Deno.pid, "SIGKILL");'), 128 + 9);
});
