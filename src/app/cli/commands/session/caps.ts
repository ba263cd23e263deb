// `el2 caps`: the capabilities of a session.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { BY_ID, type Group, registerGroup, VM_FILTER } from "../../common/group.ts";
import { isExactly } from "../../../../model/queries/filters/filter.ts";

export const CAPS: Group = {
  name: "caps",
  help: "the capabilities of a session",
  queries: [
    { ...VM_FILTER, name: "ls", help: "list capabilities: object, rights, holders", table: "caps.ls", examples: ["caps ls ping"] },
    {
      ...BY_ID,
      name: "show",
      help: "show everything about a capability",
      table: "caps.ls",
      argument: { name: "cap", help: "cap:VM/SLOT" },
      examples: ["caps show cap:rm/0x1"],
    },
    {
      name: "refused",
      help: "list capabilities whose last use was refused",
      table: "caps.ls",
      query: () => ({ filter: "err=yes" }),
      none: "no capability was refused in its last use",
      examples: ["caps refused"],
    },
    {
      name: "graph",
      help: "list objects, with the capabilities that hold each",
      table: "obj.ls",
      argument: { name: "object", help: "obj:NUMBER or another id (default: all)", optional: true },
      query: (id) => id === undefined ? {} : { filter: `${isExactly("id", id)} | ${isExactly("name", id)}` },
      examples: ["caps graph", "caps graph --filter type=msgqueue"],
    },
  ],
  actions: [],
};

export function registerCaps(program: Command, context: CommandContext): void {
  registerGroup(program, context, CAPS);
}
