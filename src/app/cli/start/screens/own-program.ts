// This program once more, for what a screen has it do aside.

import { runtimeArguments } from "../../common/runtime.ts";
import { LAUNCHER_VARIABLE } from "../../../../kit/support/computer/launcher.ts";
import type { OwnProgram } from "../../../tui/app/services/own-program.ts";

/** Runs commands of this program, which is started as `entry` is. */
export function ownProgram(entry: URL): OwnProgram {
  return async (args) => {
    // It ends with this program.
    const env = { NO_COLOR: "1", [LAUNCHER_VARIABLE]: String(Deno.pid) };
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: [...runtimeArguments(entry), ...args], stdin: "null", env })
      .output();
    const text = new TextDecoder();
    return { answer: text.decode(stdout), complaint: text.decode(stderr) };
  };
}
