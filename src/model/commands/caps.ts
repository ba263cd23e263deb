// `el2 caps`: the capabilities of a session.

import { maybe } from "./argument.ts";
import { command, type Group } from "./command.ts";
import { idOf } from "./kinds.ts";
import { listArguments, listOfVm } from "./lists.ts";
import { isExactly } from "../queries/filters/filter.ts";
import { rowIn } from "../queries/rows.ts";
import type { Selected } from "../queries/table.ts";
import { CAPS } from "../queries/tables.ts";

export const CAPABILITIES: Group = { name: "caps", doc: "the capabilities of a session" };

/** The object of a capability's row, or an object itself. */
const objectOf = (id: string, selected: Selected) => rowIn(CAPS, selected)?.obj ?? id;

export const CAPS_LS = (() => {
  const list = listOfVm("caps.ls", {
    ofGunyah: "capabilities",
    doc: "list capabilities: object, rights, holders",
    table: "caps.ls",
    examples: ["caps ls ping", "caps ls --filter err=yes   those whose last use was refused"],
  });
  const menus: typeof list.menus = [
    {
      name: "caps.holders",
      on: ["cap", "obj"],
      key: "h",
      label: "holders: all capabilities to its object",
      of: (id, selected) => ({ filter: `obj=${objectOf(id, selected)}` }),
    },
    {
      name: "caps.refused",
      on: ["cap"],
      key: "r",
      label: "refusals: capabilities whose last use was refused",
      of: () => ({ filter: "err=yes" }),
    },
  ];
  return { ...list, menus };
})();

export const CAPS_GRAPH = command("caps.graph", {
  ofGunyah: "objects with capabilities",
  doc: "list objects, with the capabilities that hold each",
  args: { object: maybe(idOf("obj"), "obj:NUMBER or another id (default: all)"), ...listArguments("obj.ls") },
  right: "looks",
  examples: ["caps graph", "caps graph --filter type=msgqueue"],
  prints: { "obj.ls": {} },
  lists: true,
  ask: ({ object }) => ({
    table: "obj.ls",
    args: object === undefined ? {} : { filter: `${isExactly("id", object)} | ${isExactly("name", object)}` },
  }),
  menus: [{
    on: ["cap", "obj"],
    key: "g",
    label: "graph: its object and who holds it",
    of: (id, selected) => ({ object: objectOf(id, selected) }),
  }],
});

export const CAPS_COMMANDS = [CAPS_LS, CAPS_GRAPH];
