// scripts/start.ts: the program that it runs decides how the task ends.

import assert from "node:assert/strict";

const START = new URL("../../scripts/start.ts", import.meta.url).pathname;

/** How a program ends that start.ts runs. */
async function endOf(program: string): Promise<{ readonly code: number; readonly stderr: string }> {
  const file = await Deno.makeTempFile({ prefix: "el2-test-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const args = ["run", "-qA", START, `file://${file}`];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("a task ends with the exit code of its program, and of one that a signal has ended with 128 and its number", async () => {
  assert.deepEqual(await endOf("Deno.exit(3);"), { code: 3, stderr: "" });
  const { code, stderr } = await endOf('Deno.kill(Deno.pid, "SIGKILL");');
  assert.equal(code, 128 + 9);
  assert.match(
    stderr,
    /^el2: killed, by somebody or by the system for lack of memory.*; if it was memory, use less --memory, or allow more\n$/,
  );
});
