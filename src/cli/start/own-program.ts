// This program once more, for what a screen has it do aside.

import type { OwnProgram } from "../../tui/own-program.ts";

/**
 * What el2 may do, wherever it starts itself: as the launcher and the tasks of deno.json have it.
 */
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run"];

/** What comes after Deno's path to start this program, whose module is `entry`. */
export function runtimeArguments(entry: URL): readonly string[] {
  return Deno.build.standalone ? [] : ["run", "-q", "--no-prompt", ...PERMISSIONS, entry.href];
}

/** Runs commands of this program, which is started as `entry` is. */
export function ownProgram(entry: URL): OwnProgram {
  return async (args) => {
    const env = { NO_COLOR: "1" };
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...runtimeArguments(entry), ...args], stdin: "null", env })
      .output();
    const text = new TextDecoder();
    return { answer: text.decode(stdout), complaint: text.decode(stderr) };
  };
}
