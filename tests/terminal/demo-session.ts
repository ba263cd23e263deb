// A session of the demo in the background for tests of terminals, apart from the user's sessions.

import assert from "node:assert/strict";
import { el2With, type Outcome } from "../app/cli/program.ts";
import { el2Command } from "../support/el2.ts";
import { shellQuoted } from "../../src/kit/support/text/shell.ts";

/** The environment of programs that know the sessions of a folder alone. */
function environment(folder: string): Record<string, string> {
  return { XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: `${folder}/state`, LANG: "C.UTF-8" };
}

/** The command line for a shell, with its own runtime folder. */
export function shell(folder: string, ...args: string[]): string {
  // Colors are those of the test, whoever runs it.
  const set = Object.entries({ ...environment(folder), NO_COLOR: "" }).map(([name, value]) => `${name}=${value}`);
  return [...set, ...el2Command(...args).map(shellQuoted)].join(" ");
}

export function run(folder: string, ...args: string[]): Promise<Outcome> {
  return el2With(environment(folder), ...args);
}

/** Session `s`, ended with its scope. */
export async function session(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  assert.equal((await run(folder, "up", "demo", "--name", "s")).code, 0);
  return {
    folder,
    async [Symbol.asyncDispose]() {
      await run(folder, "down", "s");
      await Deno.remove(folder, { recursive: true });
    },
  };
}
