// Paths of open files and mounts, as the kernel itself makes them (fs/d_path.c in its sources).

import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const STEPS_MAX = 256, NAME_MAX = 255;
/** File systems whose files have a type and number instead of a path. */
const NUMBERED: Readonly<Record<string, string>> = { sockfs: "socket", pipefs: "pipe" };

/** The name of a dentry. */
export function nameOf(dentry: Struct): string {
  return dentry.memory.textIn(dentry.pointer("d_name.name"), Math.min(dentry.number("d_name.len"), NAME_MAX));
}

/** The mount that has a `vfsmount` in it. */
export function mountOf(reading: Reading, vfsmount: bigint): Struct {
  return reading.struct("mount", vfsmount - reading.struct("mount", 0n).addressOf("mnt"));
}

/** Where a process's paths begin. */
export interface Root {
  readonly mount: bigint;
  readonly dentry: bigint;
}

/** The path of a dentry in a mount; undefined if it is outside of `root`. */
export function pathOf(reading: Reading, mount: Struct, dentry: Struct, root?: Root): string | undefined {
  const names: string[] = [];
  let at = dentry, on = mount;
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    if (root && at.address === root.dentry && on.address === root.mount) return `/${names.reverse().join("/")}`;
    if (at.address === on.pointer("mnt.mnt_root")) {
      const parent = on.pointer("mnt_parent");
      if (parent === on.address || parent === 0n) return root ? undefined : `/${names.reverse().join("/")}`;
      at = reading.struct("dentry", on.pointer("mnt_mountpoint"));
      on = reading.struct("mount", parent);
      continue;
    }
    names.push(nameOf(at));
    const parent = at.pointer("d_parent");
    if (parent === at.address) return root ? undefined : `/${names.reverse().join("/")}`;
    at = reading.struct("dentry", parent);
  }
  throw new BadMemory("invalid", "a path has no end", dentry.address);
}

/** The name of an open file, as /proc shows it. */
export function fileName(reading: Reading, file: Struct): string {
  const dentry = file.at("f_path.dentry", "dentry"), vfsmount = file.pointer("f_path.mnt");
  if (!dentry || vfsmount === 0n) throw new BadMemory("invalid", "an open file without a path", file.address);
  const inode = dentry.at("d_inode", "inode"), system = inode && fileSystemOf(inode);
  const numbered = NUMBERED[system ?? ""];
  if (inode && numbered !== undefined) return `${numbered}:[${inode.big("i_ino")}]`;
  if (system === "anon_inodefs") return `anon_inode:${nameOf(dentry)}`;
  const path = pathOf(reading, mountOf(reading, vfsmount), dentry) ?? "";
  const root = dentry.pointer("d_parent") === dentry.address;
  const removed = dentry.big("d_hash.pprev") === 0n && (!root || path !== "/");
  return removed ? `${path} (deleted)` : path;
}

/** The name of the file system of a file; with its subtype, as in /proc/mounts. */
export function fileSystemOf(inode: Struct): string | undefined {
  const block = inode.at("i_sb", "super_block");
  return block && typeOf(block);
}

export function typeOf(block: Struct): string {
  const name = block.at("s_type", "file_system_type")?.textAt("name", NAME_MAX) ?? "";
  const more = block.textAt("s_subtype", NAME_MAX);
  return more ? `${name}.${more}` : name;
}

/** `MAJOR:MINOR` in hexadecimal, as /proc/PID/maps has it. */
export function deviceOf(inode: Struct): string {
  const device = inode.at("i_sb", "super_block")?.number("s_dev") ?? 0;
  return `${(device >>> 20).toString(16).padStart(2, "0")}:${(device & 0xf_ffff).toString(16).padStart(2, "0")}`;
}
