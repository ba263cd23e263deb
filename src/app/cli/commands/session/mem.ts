// `el2 mem`: the memory of a session.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { BY_ID, type Group, registerGroup, VM_FILTER } from "../../common/group.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { checkedPlace, parseBytes, parseSizeIn } from "../../common/values.ts";

const ADDRESS_ARGUMENT = { name: "address", help: "pa:ADDRESS, ipa:VM/ADDRESS, or a physical 0xADDRESS" } as const;

export const MEM: Group = {
  name: "mem",
  help: "the memory of a session: owners, parcels, limits",
  queries: [
    {
      ...VM_FILTER,
      name: "map",
      help: "list physical memory: owners and mappings",
      table: "mem.map",
      examples: ["mem map", "mem map ping"],
    },
    {
      ...BY_ID,
      name: "owner",
      help: "show the owner of a page, its extents and mappings",
      table: "mem.owner",
      argument: ADDRESS_ARGUMENT,
      list: "map",
      query: (at) => ({ at: checkedPlace("mem owner", at!) }),
      examples: ["mem owner pa:0x40000000", "mem owner ipa:ping/0x80000000"],
    },
    {
      ...VM_FILTER,
      name: "parcels",
      help: "list memory parcels",
      table: "mem.parcels",
      examples: ["mem parcels", "mem parcels --filter state=blocked"],
    },
    {
      ...BY_ID,
      name: "parcel",
      help: "show everything about a parcel",
      table: "mem.parcels",
      argument: { name: "parcel", help: "parcel:HANDLE" },
      list: "parcels",
      examples: ["mem parcel parcel:0x1"],
    },
    {
      name: "blocked",
      help: "list parcels that cannot be reclaimed, and the VMs that hold them",
      table: "mem.parcels",
      query: () => ({ filter: "state=blocked" }),
      none: "no parcel is blocked: no VM holds one that its owner wants back",
      examples: ["mem blocked"],
    },
    { name: "limits", help: "list limited resources: used and maximum", table: "mem.limits", examples: ["mem limits"] },
    {
      name: "check",
      help: "check the invariants of memory ownership; exits with 1 on a violation",
      table: "mem.check",
      failsOnRows: true,
      examples: ["mem check"],
    },
  ],
  actions: [
    {
      name: "write",
      help: "write bytes to memory, as a debugger does",
      arguments: [ADDRESS_ARGUMENT, { name: "bytes", help: "hexadecimal digits, or text: and text" }],
      action: (at, bytes) => ({ kind: "mem.write", at: checkedPlace("mem write", at), bytes: parseBytes(bytes) }),
      done: (at, bytes) => `wrote ${parseBytes(bytes).length} bytes at ${at}`,
      examples: ["mem write ipa:ping/0x80200000 00112233", "mem write pa:0x41a00000 text:hello"],
    },
  ],
  more: addRead,
};

export function registerMem(program: Command, context: CommandContext): void {
  registerGroup(program, context, MEM);
}

/** Adds `mem read`. */
function addRead(group: Command): void {
  const command = withSessionOptions(group.command("read").description("print bytes of memory"))
    .argument("<address>", ADDRESS_ARGUMENT.help)
    .argument("[size]", "number of bytes, such as 64, 0x140 or 4K", parseSizeIn(1, 65536))
    .addHelpText("after", examplesText(["mem read ipa:ping/0x80000000 64", "mem read pa:0x40000000"]));
  command.action(async (at, size) => {
    using open = await openSession(command.opts());
    await answer(open, { table: "mem.read", args: { at: checkedPlace("mem read", at), size } }, command.opts().json ?? false);
  });
}
