// Modes of the files that commands make where the user's umask forbids nothing: what a run, a guest
// or a session has said is its user's alone (docs/threat-model.md, "Other users and a session").

import assert from "node:assert/strict";
import { A64, imageOf, type Outcome, SYSTEM_OFF } from "./program.ts";
import { denoFolder, el2Command } from "../support/el2.ts";
import { inFolder } from "../support/temporary-folder.ts";

/** Files that are made to be shown to others. */
const FOR_OTHERS = /\.(svg|toml|xml)$/;

/** Runs a command with umask 0. */
async function el2(folder: string, env: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const command = new Deno.Command("sh", {
    args: ["-c", 'umask 0; exec "$@"', "sh", ...el2Command(...args)],
    ...{ cwd: folder, stdin: "null", env: { NO_COLOR: "1", ...env } },
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** All files and sockets below a folder. */
function* below(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* below(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

Deno.test("files that commands make have mode 0600, whatever the umask is", () =>
  inFolder(async (folder) => {
    const words = [A64.loadX1High(0x0900), A64.loadW2(65), A64.storeByte, A64.loadW2(10), A64.storeByte];
    Deno.writeFileSync(`${folder}/image.bin`, imageOf([...words, ...A64.loadW0(SYSTEM_OFF), A64.hvc]));
    Deno.writeTextFileSync(
      `${folder}/vm.toml`,
      `el2 = 1
machine.record = "machine.rec"
[vm.a]
image = "image.bin"
devices = [{ kind = "pl011", log = "a.log" }, { kind = "net", backend = "none", capture = "a.pcapng" }]
`,
    );
    for (const name of ["run", "home"]) Deno.mkdirSync(`${folder}/${name}`, { mode: 0o700 });
    const before = new Set(below(folder));
    const env = {
      HOME: `${folder}/home`,
      XDG_RUNTIME_DIR: `${folder}/run`,
      XDG_STATE_HOME: "",
      XDG_CACHE_HOME: "",
      EL2_CACHE: `${folder}/cache`,
      DENO_DIR: denoFolder(),
    };
    const done = async (...args: string[]) => {
      const { code, stdout, stderr } = await el2(folder, env, ...args);
      assert.equal(code, 0, `${args.join(" ")}\n${stdout}${stderr}`);
    };
    await done("boot", "image.bin", "--turbo", "--record", "boot.rec");
    await done("run", "vm.toml", "--allow-host", ".", "--headless", "--turbo", "--for", "1s");
    await done("record", "again.rec", "--", "boot", "image.bin", "--turbo");
    await done("up", "demo", "--name", "s");
    try {
      await done("snapshot", "save", "s.snapshot", "--session", "s");
      await done("record", "s.rec", "--session", "s");
      await done("trace", "export", "s.pcapng", "--recording", "s.rec");
      await done("screenshot", "s.svg", "--session", "s");
      // While it runs, its sockets, token and logs are there.
      check(folder, before);
    } finally {
      await el2(folder, env, "down", "s");
    }
    const made = check(folder, before);
    for (const name of ["boot.rec", "machine.rec", "again.rec", "s.rec", "s.snapshot", "a.log", "a.pcapng"]) {
      assert.ok(made.includes(`${folder}/${name}`), `${name} was made`);
    }
  }));

/** Files since `before`, all of which are the user's alone. */
function check(folder: string, before: ReadonlySet<string>): string[] {
  const made = [...below(folder)].filter((path) => !before.has(path));
  const open = made.filter((path) => ((Deno.lstatSync(path).mode ?? 0) & 0o077) !== 0 && !FOR_OTHERS.test(path));
  assert.deepEqual(open, []);
  return made;
}
