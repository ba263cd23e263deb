// scripts/start.ts: the program that it runs decides how the task ends.

import assert from "node:assert/strict";
import { inFolder } from "../support/temporary-folder.ts";

const START = new URL("../../scripts/start.ts", import.meta.url).pathname;

/** How a program ends that start.ts runs. */
async function endOf(
  program: string,
  start = START,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const file = await Deno.makeTempFile({ prefix: "el2-test-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const args = ["run", "-qRE", "--allow-run", start, `file://${file}`];
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
    /^el2: killed, by a user or, for lack of memory, by the system.*; if it was memory, use less --memory, or allow more\n$/,
  );
});

Deno.test("a task runs in a checkout whose path has a space", () =>
  inFolder(async (folder) => {
    await Deno.symlink(new URL("../..", import.meta.url), `${folder}/a checkout`);
    assert.deepEqual(await endOf("Deno.exit(3);", `${folder}/a checkout/scripts/start.ts`), { code: 3, stderr: "" });
  }));
