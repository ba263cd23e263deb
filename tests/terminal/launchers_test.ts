// Launchers on a terminal: whatever ends the program, the terminal is as it was.

import assert from "node:assert/strict";
import { launcher } from "../../scripts/install.ts";
import { writeProgram } from "../scripts/surroundings.ts";
import { eventually } from "../support/eventually.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { PRINT_MODES, SANE, SANE_MODES, TmuxTerminal } from "./tmux.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LINUX = { ignore: Deno.build.os !== "linux" };

/** A terminal that runs a launcher once for each line that is typed. */
async function shell(folder: string, command: string): Promise<TmuxTerminal> {
  const each = `while read -r line; do ${command}; echo "left with $?"; ${PRINT_MODES}; done`;
  return await TmuxTerminal.start(`export XDG_RUNTIME_DIR=${folder} XDG_STATE_HOME=${folder}/state; ${each}`, 100, 30);
}

/**
 * Writes a launcher of `deno task install` that notes its process in `launcher`, and that of its
 * engine in `pid`.
 */
function installed(folder: string): string {
  writeProgram(`${folder}/deno`, `#!/bin/sh\necho $$ > ${folder}/pid\nexec '${Deno.execPath()}' "$@"\n`);
  writeProgram(`${folder}/el2`, launcher(`${folder}/deno`, Deno.version.deno, ROOT));
  return `sh -c 'echo $$ > ${folder}/launcher; exec ${folder}/el2 "$@"' sh`;
}

const numberIn = async (file: string) => Number(await Deno.readTextFile(file));

/** Waits for screens of the demo. */
async function shown(terminal: TmuxTerminal): Promise<void> {
  await terminal.keys("Enter");
  await terminal.until(/Virtual machines[\s\S]*tick \d/);
  assert.deepEqual(await terminal.modes(), { cursor: false, alternate: true, mouse: true });
}

Deno.test("an installed launcher gives the terminal back after any end of the program", LINUX, () =>
  inFolder(async (folder) => {
    await using terminal = await shell(folder, `${installed(folder)} run demo`);
    for (const [signal, code] of [["SIGKILL", 137], ["SIGABRT", 134], ["SIGQUIT", 131], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      await shown(terminal);
      Deno.kill(await numberIn(`${folder}/pid`), signal);
      const said = signal === "SIGKILL" ? "el2: killed, by a user or, for lack of memory, by the system[^]*" : "";
      await terminal.until(new RegExp(`${said}left with ${code}\\n${SANE_MODES}`));
      assert.deepEqual(await terminal.modes(), SANE, signal);
    }
  }));

Deno.test(
  "a launcher passes on signals that it gets, and the program ends with one that is killed",
  LINUX,
  () =>
    inFolder(async (folder) => {
      await using terminal = await shell(folder, `${installed(folder)} run demo`);
      for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGKILL", undefined]] as const) {
        await shown(terminal);
        const pid = await numberIn(`${folder}/pid`);
        Deno.kill(await numberIn(`${folder}/launcher`), signal);
        await eventually(() => terminal.modes(), (modes) => JSON.stringify(modes) === JSON.stringify(SANE));
        await eventually(() => Deno.stat(`/proc/${pid}`).then(() => true, () => false), (alive) => !alive);
        await terminal.until(/^el2: ended by SIG(TERM|HUP)$/m);
        // The shell reads the next line then. A launcher that is killed ends before the program.
        if (code !== undefined) await terminal.until(new RegExp(`left with ${code}\\n${SANE_MODES}`));
      }
    }),
);

Deno.test(
  "keys for a guest on a terminal: a launcher gives that back when the program is killed; ctrl-C ends other commands",
  LINUX,
  () =>
    inFolder(async (folder) => {
      const el2 = installed(folder);
      await using terminal = await shell(folder, `${el2} run demo --stdio --console hello`);
      await terminal.keys("Enter");
      await terminal.until(/tick \d/);
      Deno.kill(await numberIn(`${folder}/pid`), "SIGKILL");
      await terminal.until(new RegExp(`left with 137\\n${SANE_MODES}`));
      assert.deepEqual(await terminal.modes(), SANE);
      await using other = await shell(folder, `${el2} run demo --headless`);
      await other.keys("Enter");
      await other.until(/tick \d/);
      await other.keys("C-c");
      await other.until(/el2: interrupted\nleft with 130\n/);
    }),
);

Deno.test("deno task gives the terminal back after any end of the program", LINUX, () =>
  inFolder(async (folder) => {
    const start = `${Deno.execPath()} run -qRE --allow-run --no-check ${ROOT}scripts/start.ts main.ts run demo`;
    await using terminal = await shell(folder, `sh -c 'echo $$ > ${folder}/launcher; exec ${start}'`);
    await shown(terminal);
    // Not every test may read /proc itself.
    const list = `cat /proc/${await numberIn(`${folder}/launcher`)}/task/*/children`;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", list], stderr: "null" }).output();
    const children = new TextDecoder().decode(stdout).split(" ").filter(Boolean);
    assert.equal(children.length, 1);
    Deno.kill(Number(children[0]), "SIGKILL");
    await terminal.until(new RegExp(`left with 137\\n${SANE_MODES}`));
    assert.deepEqual(await terminal.modes(), SANE);
  }));
