// Commands of the user's own file: no other file starts a program, and each program is bounded.

import assert from "node:assert/strict";
import { el2Refused } from "../../program.ts";
import { commandOptions } from "../../../../../src/app/cli/start/look/own-commands.ts";
import { environmentValue, Programs } from "../../../../../src/app/cli/start/look/run-program.ts";
import type { FileCommand } from "../../../../../src/app/configuration/keys/commands.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const IMAGE = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname;

Deno.test("a configuration that names programs is refused with the way out, and none runs", () =>
  inFolder(async (folder) => {
    const cases = [
      [`[[hook]]\nname = "evil"\non = "kind=rpc"\n`, /unknown key "hook"; to start programs on events, use el2 events --follow --json/],
      [
        `[[ui.command]]\nname = "evil"\nkey = "Z"\n`,
        /unknown key "command" in \[ui\]; commands belong in your own ~\/\.config\/el2\/ui\.toml/,
      ],
    ] as const;
    for (const [table, message] of cases) {
      const file = `${folder}/el2.toml`;
      await Deno.writeTextFile(file, `el2 = 1\n[vm.a]\nimage = "${IMAGE}"\n${table}run = ["touch", "${folder}/mark"]\n`);
      for (const args of [["run", file, "--headless", "--for", "1ms"], ["up", file, "--name", "s"]]) {
        const { code, stderr } = await el2Refused(args);
        assert.equal(code, 2, args.join(" "));
        assert.match(stderr, message, args.join(" "));
      }
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["el2.toml"]);
  }));

Deno.test("text of guests reaches a command's program as data: control characters are marked, and none of it becomes an argument", () =>
  inFolder(async (folder) => {
    const text = `$(touch ${folder}/mark); \`touch ${folder}/mark\` \x1b]0;title\x07\0 ${"x".repeat(9000)}`;
    const command: FileCommand = { name: "c", run: [], confirm: false, output: "pane", timeout: 5000, read_only: false };
    const { runCommand, close } = commandOptions([command], "s");
    const { problem, output } = await runCommand(command, ["sh", "-c", 'printf "%s" "$EL2_COMMAND $EL2_SESSION $EL2_ROW_TEXT"'], { text });
    assert.equal(problem, undefined);
    assert.equal(output, `c s ${environmentValue(text)}`);
    assert.ok(!/[\0-\x1f]/.test(output) && output.includes("^[]0;title^G^@") && output.length < 5000);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    assert.equal((await runCommand(command, ["./none"], undefined)).problem, `there is no program ${Deno.cwd()}/./none`);
    await close();
  }));

/** Whether a process exists that is not only waited for. */
async function runs(pid: number): Promise<boolean> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => undefined);
  return text !== undefined && !text.includes(") Z ");
}

Deno.test("a program that takes too long is ended with what it has started, and leaves no zombie", () =>
  inFolder(async (folder) => {
    const programs = new Programs();
    const start = { folder, env: {}, timeout: 2000 };
    const ended = await programs.run({ ...start, run: ["sh", "-c", "trap '' TERM; sleep 60 & echo $! $$; wait; sleep 60"] });
    assert.equal(ended.problem, "ended after 2 s, its timeout");
    const pids = ended.output.trim().split(" ").map(Number);
    assert.equal(pids.length, 2);
    for (const pid of pids) assert.equal(await runs(pid), false, `${pid}`);
    assert.equal(await Deno.stat(`/proc/${pids[1]}`).then(() => true, () => false), false, "its parent has waited for it");
    // A child that keeps the output open does not keep el2 waiting.
    const left = await programs.run({ ...start, timeout: 60_000, run: ["sh", "-c", "sleep 60 & echo $!"] });
    assert.equal(left.problem, undefined);
    Deno.kill(Number(left.output), "SIGKILL");
    const much = await programs.run({ ...start, timeout: 60_000, run: ["sh", "-c", "head -c 1000000 /dev/zero"] });
    assert.deepEqual([much.cut, much.output.length], [true, 256 * 1024]);
    const open = programs.run({ ...start, timeout: 60_000, run: ["sleep", "60"] });
    await programs.close();
    assert.equal((await open).problem, "ended by SIGKILL");
    assert.equal((await programs.run({ ...start, run: ["true"] })).problem, "el2 is ending");
  }));
