// `el2 mem`: the memory of a session.

import { maybe, word } from "./argument.ts";
import { act, action, command, type Group, MESSAGE_MAX } from "./command.ts";
import { bytes, memoryPlace, PLACES_IN_MEMORY, size } from "./kinds.ts";
import { listArguments, listOfTable, listOfVm } from "./lists.ts";
import { bytes as someBytes, name } from "../queries/fields.ts";

/** Bytes of a page that a screen reads. */
const READ = 256;

export const MEMORY: Group = { name: "mem", doc: "the memory of a session: owners, parcels, limits" };

const ADDRESS = word(memoryPlace, `${PLACES_IN_MEMORY}, or a physical 0xADDRESS`);

export const MEM_MAP = listOfVm("mem.map", {
  doc: "list physical memory: owners and mappings",
  table: "mem.map",
  examples: ["mem map", "mem map ping"],
});

export const MEM_OWNER = command("mem.owner", {
  doc: "show the owner of a page, its extents and mappings",
  args: { address: ADDRESS, ...listArguments("mem.owner") },
  right: "looks",
  examples: ["mem owner pa:0x40000000", "mem owner ipa:ping/0x80000000"],
  lists: true,
  ask: ({ address }) => ({ table: "mem.owner", args: { at: address } }),
  printed: () => ({ full: true, fails: "none", list: "mem map" }),
  menus: [{ on: ["pa"], key: "o", label: "owner, extents and mappings", of: (id) => ({ address: id }) }],
});

export const MEM_READ = command("mem.read", {
  doc: "print bytes of memory",
  args: { address: ADDRESS, size: maybe(size(1, 65536), "number of bytes, such as 64, 0x140 or 4K") },
  right: "looks",
  examples: ["mem read ipa:ping/0x80000000 64", "mem read pa:0x40000000", "mem read ping:ticks 8"],
  ask: ({ address, size }) => ({ table: "mem.read", args: { at: address, size } }),
  menus: [{ on: ["pa"], key: "b", label: "read its first bytes", of: (id) => ({ address: id, size: READ }) }],
});

export const MEM_PARCELS = listOfVm("mem.parcels", {
  ofGunyah: "memory parcels",
  doc: "list memory parcels",
  table: "mem.parcels",
  examples: ["mem parcels", "mem parcels --filter state=blocked   those that cannot be reclaimed, and who holds them"],
});

export const MEM_LIMITS = listOfTable("mem.limits", {
  ofGunyah: "limited resources",
  doc: "list limited resources: used and maximum",
  table: "mem.limits",
  examples: ["mem limits"],
});

export const MEM_CHECK = command("mem.check", {
  ofGunyah: "owners of memory",
  doc: "check the invariants of memory ownership; exits with 1 on a violation",
  args: listArguments("mem.check"),
  right: "looks",
  examples: ["mem check"],
  lists: true,
  ask: () => ({ table: "mem.check", args: {} }),
  printed: () => ({ fails: "rows" }),
  menus: [{ on: ["pa", "parcel"], key: "k", label: "check the ownership invariants", of: () => ({}) }],
});

/** Writes RAM at a place in memory, as a debugger does. */
export const WRITE = action("mem.write", { at: name, bytes: someBytes(MESSAGE_MAX) });
export const MEM_WRITE = command("mem.write", {
  doc: "write bytes to memory, as a debugger does",
  args: { address: ADDRESS, bytes: word(bytes, "hexadecimal digits, or text: and text") },
  right: "changes",
  examples: ["mem write ipa:ping/0x80200000 00112233", "mem write pa:0x41a00000 text:hello"],
  steps: ({ address, bytes }) => act(WRITE.of({ at: address, bytes })),
  done: ({ address, bytes }) => `wrote ${bytes.length} bytes at ${address}`,
});

export const MEM_COMMANDS = [MEM_MAP, MEM_OWNER, MEM_READ, MEM_PARCELS, MEM_LIMITS, MEM_CHECK, MEM_WRITE];
