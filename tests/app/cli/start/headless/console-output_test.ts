// Consoles and reports of a run without a screen, where both go to one place.

import assert from "node:assert/strict";
import { A64, imageOf, SYSTEM_OFF } from "../../program.ts";
import { el2Command } from "../../../../support/el2.ts";

const letters = (text: string) => [...new TextEncoder().encode(text)].flatMap((byte) => [A64.loadW2(byte), A64.storeByte]);

Deno.test("the report on the end begins its own line, and nothing is added to what a console prints", async () => {
  const image = await Deno.makeTempFile({ prefix: "el2-test-" });
  const run = async (text: string, to: string) => {
    await Deno.writeFile(image, imageOf([A64.loadX1High(0x0900), ...letters(text), ...A64.loadW0(SYSTEM_OFF), A64.hvc]));
    const shell = ["-c", `"$@" ${to}`, "sh", ...el2Command("run", image, "--stdio", "--turbo")];
    const { stdout, stderr } = await new Deno.Command("/bin/sh", { args: shell, env: { NO_COLOR: "1" }, stdin: "null" }).output();
    return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  };
  const end = "el2: every VM has ended\n";
  try {
    assert.deepEqual(await run("login: ", ""), ["login: ", end]);
    assert.deepEqual(await run("login: ", "2>&1"), [`login: \n${end}`, ""]);
    assert.deepEqual(await run("off\n", "2>&1"), [`off\n${end}`, ""]);
  } finally {
    await Deno.remove(image);
  }
});
