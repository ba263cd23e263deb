// Consoles of secondary VMs by the command line: what is typed into one of several, the logs of
// all, and a recording of that.

import assert from "node:assert/strict";
import { ConsoleProgram } from "../../../support/console.ts";
import { el2Command } from "../../../support/el2.ts";
import { el2 } from "../program.ts";

const BLACKBOARD = new URL("../../../../assets/guests/blackboard.bin", import.meta.url).pathname;
const SECONDS = 120;

const CONFIGURATION = `el2 = 1
[machine]
record = "run.rec"
${
  ["a", "b"].map((name) =>
    `[vm.${name}]
image = "${BLACKBOARD}"
memory = "4MiB"
on_exit = "end-session"
devices = [{ kind = "pl011", log = "${name}.log" }]
`
  ).join("")
}[link]
board = { kind = "shm", label = 1, size = "4KiB", access = { a = "rw", b = "rw" } }
`;

Deno.test("the second VM's console takes what is typed, each VM's log has its console from the first byte, and the recording replays", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-secondary-" });
  try {
    await Deno.writeTextFile(`${folder}/el2.toml`, CONFIGURATION);
    const log = (name: string) => Deno.readTextFile(`${folder}/${name}.log`);
    await using program = new ConsoleProgram(
      el2Command("run", `${folder}/el2.toml`, "--stdio", "--console", "b", "--turbo", "--allow-host", "all"),
    );
    await program.expect(/^blackboard of 4 KiB, label 1$/m, SECONDS);
    await program.type("w written by b\nr");
    await program.expect(/^written\nwritten by b$/m, SECONDS);
    await program.type("o");
    await program.expect(/^bye$/m, SECONDS);
    const { code, stderr } = await program.end();
    assert.equal(code, 0, stderr);

    const shown = "blackboard of 4 KiB, label 1\nwritten\nwritten by b\nbye\n";
    assert.equal(program.text, shown);
    assert.equal((await log("b")).replaceAll("\r", ""), shown);
    assert.equal(await log("a"), "blackboard of 4 KiB, label 1\r\n");

    await Promise.all(["a", "b"].map((name) => Deno.remove(`${folder}/${name}.log`)));
    const replayed = await el2("replay", `${folder}/run.rec`, "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
    assert.deepEqual(
      replayed.stdout.split("\n").sort(),
      ["", "a| blackboard of 4 KiB, label 1", ...shown.trim().split("\n").map((line) => `b| ${line}`)].sort(),
    );
    await assert.rejects(log("b"), Deno.errors.NotFound, "a replay writes no log");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
