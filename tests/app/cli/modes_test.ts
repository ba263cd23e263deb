// Modes of the files that commands make where the user's umask forbids nothing: what a run, a guest
// or a session has said is its user's alone (docs/threat-model.md, "Other users and a session").

import assert from "node:assert/strict";
import { runOnTerminal } from "./hostile.ts";
import { A64, imageOf, SYSTEM_OFF } from "./program.ts";
import { denoFolder } from "../../support/el2.ts";
import { inFolder } from "../../support/temporary-folder.ts";

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
    const done = async (...lines: string[]) => {
      const written = await runOnTerminal(folder, lines.map((line) => line.split(" ")), { umask: "0", env });
      for (const { args, code, text } of written) assert.equal(code, 0, `${args.join(" ")}\n${text}`);
      assert.equal(written.length, lines.length);
    };
    try {
      await done(
        "boot image.bin --turbo --record boot.rec",
        "run vm.toml --allow-host . --headless --turbo --for 1s",
        "boot image.bin --turbo --record again.rec",
        "up demo --name s",
        "snapshot save s.snapshot --session s",
        "record s.rec --session s",
        "trace export s.pcapng --recording s.rec",
        "screenshot s.svg --session s",
      );
      // While it runs, its sockets, token and logs are there.
      check(folder, before);
    } finally {
      await done("down s");
    }
    const made = check(folder, before);
    for (const name of ["boot.rec", "machine.rec", "again.rec", "s.rec", "s.snapshot", "a.log", "a.pcapng"]) {
      assert.ok(made.includes(`${folder}/${name}`), `${name} was made`);
    }
  }));

/** Files since `before`, all of which are the user's alone. */
function check(folder: string, before: ReadonlySet<string>): string[] {
  const made = [...below(folder)].filter((path) => !before.has(path));
  const open = made.filter((path) => ((Deno.lstatSync(path).mode ?? 0) & 0o077) !== 0);
  assert.deepEqual(open, []);
  return made;
}
