// Settings of a kernel below /proc/sys (fs/proc/proc_sysctl.c in its sources): folders are
// red-black trees of names, and an entry has the address of what it sets. They are found where the
// kernel's symbols have no data.

import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

/** Type and permissions of an entry that is a folder. */
const TYPE = 0xf000, FOLDER = 0x4000;
const LEVELS_MAX = 64, NAME_MAX = 64;

/** The address of a setting's value, by its path; undefined if the kernel has none. */
export function settingAt(reading: Reading, ...path: readonly string[]): bigint | undefined {
  let folder = reading.global("ctl_table_root", "sysctl_table_root").inner("default_set.dir", "ctl_dir");
  for (const [index, name] of path.entries()) {
    const found = find(reading, folder, name);
    if (!found) return undefined;
    const { header, entry } = found, isFolder = (entry.number("mode") & TYPE) === FOLDER, isLast = index === path.length - 1;
    if (isFolder === isLast) return undefined;
    if (isLast) return entry.pointer("data");
    // The header is the first field of its folder.
    folder = reading.struct("ctl_dir", header.address);
  }
  return undefined;
}

/** The entry of a name in a folder, and the header of its table. */
function find(reading: Reading, folder: Struct, wanted: string): { readonly header: Struct; readonly entry: Struct } | undefined {
  const offset = reading.struct("ctl_node", 0n).addressOf("node"), size = BigInt(reading.sizeOf("ctl_node"));
  const entries = BigInt(reading.sizeOf("ctl_table"));
  for (let at = folder.pointer("root.rb_node"), level = 0; at !== 0n; level++) {
    if (level === LEVELS_MAX) throw new BadMemory("invalid", "a tree is too high", at);
    const node = reading.struct("ctl_node", at - offset), header = node.at("header", "ctl_table_header");
    if (!header) throw new BadMemory("invalid", "an entry without a header", at);
    const number = (node.address - header.pointer("node")) / size;
    const entry = reading.struct("ctl_table", header.pointer("ctl_table") + number * entries), name = entry.textAt("procname", NAME_MAX);
    if (name === wanted) return { header, entry };
    // The kernel compares bytes, and then lengths, and so are texts of ASCII compared.
    at = reading.struct("rb_node", at).pointer(wanted < (name ?? "") ? "rb_left" : "rb_right");
  }
  return undefined;
}
