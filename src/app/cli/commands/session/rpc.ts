// `el2 rpc`: requests to the resource manager.

import type { Command } from "@commander-js/extra-typings";
import { addDecode } from "./rpc-decode.ts";
import { addSend } from "./rpc-send.ts";
import type { CommandContext } from "../../common/command.ts";
import { BY_ID, type Group, registerGroup, VM_FILTER } from "../../common/group.ts";

export const RPC: Group = {
  name: "rpc",
  help: "requests to the resource manager",
  queries: [
    {
      ...VM_FILTER,
      name: "ls",
      help: "list requests to the resource manager, and its notifications",
      table: "rpc.ls",
      examples: ["rpc ls", "rpc ls --filter 'about=ping res!=ok'"],
    },
    {
      ...BY_ID,
      name: "show",
      help: "show a request or notification with all fields",
      table: "rpc.ls",
      argument: { name: "rpc", help: "rpc:NUMBER" },
      examples: ["rpc show rpc:46"],
    },
  ],
  actions: [],
  more(group, context) {
    addDecode(group, context);
    addSend(group, context);
  },
};

export function registerRpc(program: Command, context: CommandContext): void {
  registerGroup(program, context, RPC);
}
