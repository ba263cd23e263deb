// `el2 state`: the state of a session's machine as a whole.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../common/command.ts";
import { type Group, registerGroup } from "../common/group.ts";

export const STATE: Group = {
  name: "state",
  help: "the state of a session's machine as a whole",
  queries: [{ name: "hash", help: "digests of registers and memory", table: "hash", examples: ["state hash --json"] }],
  actions: [],
};

/** Adds the commands. */
export function registerState(program: Command, context: CommandContext): void {
  registerGroup(program, context, STATE);
}
