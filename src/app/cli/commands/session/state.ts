// `el2 state`: hash the state of a session's whole machine.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { type Group, registerGroup } from "../../common/group.ts";

export const STATE: Group = {
  name: "state",
  help: "hash the state of a session's whole machine",
  queries: [{ name: "hash", help: "print hashes of registers and memory", table: "hash", examples: ["state hash --json"] }],
  actions: [],
};

export function registerState(program: Command, context: CommandContext): void {
  registerGroup(program, context, STATE);
}
