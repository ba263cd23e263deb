// What can go wrong the first time ends clean, with a message that names the way out.

import assert from "node:assert/strict";
import { el2Command } from "../support/el2.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

const RUNS: readonly (readonly [what: string, args: readonly string[], code: number, says: RegExp])[] = [
  ["a file that is not there", ["run", "nofile.toml"], 2, /nofile\.toml: there is no such file/],
  ["a folder", ["run", ROOT], 2, /this is a folder/],
  ["no argument", ["run"], 2, /missing required argument 'what'[\s\S]*--help shows/],
  ["a command with a typo", ["rnu"], 2, /unknown command "rnu"; did you mean "run"\?; there are .*\battach\b/],
  ["an image that is none", ["boot", `${ROOT}README.md`], 2, /not an arm64 Linux Image/],
  ["a guest that nobody has", ["guests", "fetch", "foo"], 2, /nothing of that name can be fetched; there is: debian/],
  ["a session name that can be no file", ["up", "demo", "--name", "a/b"], 2, /--name a\/b: letters, digits/],
  ["attach without a terminal", ["attach"], 2, /attach needs a terminal; without one: el2 console/],
  ["a session that is not there", ["vm", "ls", "--socket", "none"], 3, /no session at .*none\.sock; el2 ls shows the sessions/],
  ["a kind of events that is none", ["events", "--kinds", "bad"], 2, /no kind of events; there are hvc, rpc/],
];

for (const [what, args, code, says] of RUNS) {
  Deno.test(`first run: ${what}`, async () => {
    const [program, ...rest] = el2Command(...args);
    const folder = await Deno.makeTempDir();
    try {
      const env = { XDG_RUNTIME_DIR: folder, EL2_SOCKET: "", NO_COLOR: "1" };
      const run = await new Deno.Command(program, { args: rest, env, stdin: "null" }).output();
      const stderr = new TextDecoder().decode(run.stderr);
      assert.equal(run.code, code, stderr);
      assert.match(stderr, says);
      assert.match(stderr, /^el2: /);
      assert.doesNotMatch(stderr, /\n {4}at /);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("first run: no place for sockets", async () => {
  const [program, ...rest] = el2Command("up", "demo");
  const run = await new Deno.Command(program, { args: rest, env: { XDG_RUNTIME_DIR: "/dev/null", NO_COLOR: "1" }, stdin: "null" }).output();
  assert.equal(run.code, 2);
  assert.match(
    new TextDecoder().decode(run.stderr),
    /^el2: sessions need \/dev\/null\/el2: .*; set XDG_RUNTIME_DIR to a folder of your own\n$/,
  );
});
