// Mappings and open files of a process, and mounts.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { BadMemory } from "../kernel/memory.ts";
import { deviceOf, fileName, mountOf, pathOf, type Root, typeOf } from "./paths.ts";
import type { Reading } from "../kernel/reading.ts";
import { findTask } from "./tasks.ts";
import { mapleEntries, redBlackEntries } from "./trees.ts";
import type { Struct } from "../kernel/types.ts";

type MapRow = RowOf<LinuxTables["linux.maps"]>;
type FileRow = RowOf<LinuxTables["linux.files"]>;
type MountRow = RowOf<LinuxTables["linux.mounts"]>;

/** Flags of `vm_area_struct.vm_flags`. */
const READ = 1n, WRITE = 2n, EXECUTE = 4n, MAY_SHARE = 0x80n;
const MAPPINGS_MAX = 65_536, FILES_MAX = 65_536;
/** `file.f_mode`. */
export const MODE_READ = 1, MODE_WRITE = 2;
const NAME_MAX = 64;
/** `mount.mnt.mnt_flags` and `super_block.s_flags` of what is read-only. */
const MOUNT_READONLY = 0x40, BLOCK_READONLY = 1n;

/** The areas of a process, by address. */
export function* areasOf(reading: Reading, mm: Struct): Generator<Struct> {
  let count = 0;
  for (const area of mm.has("mm_mt") ? areasInTree(reading, mm) : areasInList(mm)) {
    if (++count > MAPPINGS_MAX) throw new BadMemory("invalid", "a process with too many mappings", mm.address);
    yield area;
  }
}

function* areasInTree(reading: Reading, mm: Struct): Generator<Struct> {
  for (const address of mapleEntries(reading, mm.inner("mm_mt", "maple_tree"))) yield reading.struct("vm_area_struct", address);
}

/** Those of kernels before 6.1. */
function* areasInList(mm: Struct): Generator<Struct> {
  for (let area = mm.at("mmap", "vm_area_struct"); area; area = area.at("vm_next", "vm_area_struct")) yield area;
}

export function readMaps(reading: Reading, pid: number): MapRow[] {
  const of = `mappings of ${pid}`, mm = reading.tried(of, () => findTask(reading, pid)?.at("mm", "mm_struct"));
  if (!mm) return [];
  let end = 0n;
  return reading.rows(of, () => areasOf(reading, mm), (area) => {
    const start = area.big("vm_start");
    if (start < end) throw new BadMemory("invalid", "mappings overlap, as in the middle of a change", start);
    end = area.big("vm_end");
    return areaRow(reading, mm, area, pid);
  });
}

function areaRow(reading: Reading, mm: Struct, area: Struct, pid: number): MapRow {
  const start = area.big("vm_start"), end = area.big("vm_end"), flags = area.big("vm_flags");
  const file = area.at("vm_file", "file"), inode = file?.at("f_inode", "inode");
  const letters = [[READ, "r"], [WRITE, "w"], [EXECUTE, "x"]] as const;
  return {
    id: formatId({ kind: "vma", vm: reading.vm, pid, address: start }),
    vm: vmId(reading.vm),
    start: hex(start, 16),
    end: hex(end, 16),
    size: Number(end - start),
    access: letters.map(([bit, letter]) => flags & bit ? letter : "-").join("") + (flags & MAY_SHARE ? "s" : "p"),
    offset: hex(file ? area.big("vm_pgoff") << BigInt(reading.kernel.tables.granule) : 0n),
    device: inode ? deviceOf(inode) : "00:00",
    inode: String(inode?.big("i_ino") ?? 0),
    file: file ? fileName(reading, file) : purposeOf(reading, mm, area, start, end) ?? null,
  };
}

/** The purpose of an area without a file. */
function purposeOf(reading: Reading, mm: Struct, area: Struct, start: bigint, end: bigint): string | undefined {
  if (area.big("vm_ops") !== 0n) {
    const special = area.at("vm_private_data", "vm_special_mapping");
    const name = special && reading.memory.has(special.address, 8) ? special.textAt("name", NAME_MAX) : undefined;
    if (name?.startsWith("[")) return name;
  }
  if (start <= mm.big("brk") && end >= mm.big("start_brk")) return "[heap]";
  const stack = mm.big("start_stack");
  return start <= stack && end >= stack ? "[stack]" : undefined;
}

export function readFiles(reading: Reading, pid: number): FileRow[] {
  const files = () => {
    const task = findTask(reading, pid);
    return task ? openFiles(reading, task) : [];
  };
  return reading.rows(`files of ${pid}`, files, ({ fd, file }): FileRow => {
    const mode = file.number("f_mode");
    return {
      id: formatId({ kind: "fd", vm: reading.vm, pid, number: fd }),
      vm: vmId(reading.vm),
      fd,
      file: fileName(reading, file),
      access: `${mode & MODE_READ ? "r" : ""}${mode & MODE_WRITE ? "w" : ""}`,
      position: String(file.big("f_pos")),
      flags: hex(file.number("f_flags")),
    };
  });
}

/** The open files of a task, by number. */
export function* openFiles(reading: Reading, task: Struct): Generator<{ fd: number; file: Struct }> {
  const table = task.at("files", "files_struct")?.at("fdt", "fdtable");
  if (!table) return;
  const files = table.pointer("fd");
  for (const fd of openNumbers(reading, table)) {
    const address = reading.memory.u64(files + BigInt(8 * fd));
    // It is being opened.
    if (address !== 0n) yield { fd, file: reading.struct("file", address) };
  }
}

/** Numbers in a word of `fdtable.open_fds`. */
const IN_WORD = 64;

function* openNumbers(reading: Reading, table: Struct): Generator<number> {
  const count = Math.min(table.number("max_fds"), FILES_MAX), bits = table.pointer("open_fds");
  for (let first = 0; first < count; first += IN_WORD) {
    const word = reading.memory.u64(bits + BigInt(first >> 3));
    for (let fd = first, left = word; left !== 0n; fd++, left >>= 1n) if (left & 1n) yield fd;
  }
}

/** How many files a task has open, if its table could hold so many; 0 otherwise. */
export function openCount(reading: Reading, task: Struct, limit: bigint): bigint {
  const table = task.at("files", "files_struct")?.at("fdt", "fdtable"), size = table?.number("max_fds") ?? 0;
  if (!table || size > FILES_MAX || BigInt(size) < limit) return 0n;
  return BigInt(openNumbers(reading, table).reduce((count) => count + 1, 0));
}

/** The mounts that process 1 sees. */
export function readMounts(reading: Reading): MountRow[] {
  const of = "mounts";
  return reading.rows(of, () => mountsOf(reading, of), ({ mount, root }) => mountRow(reading, mount, root));
}

function* mountsOf(reading: Reading, of: string): Generator<{ mount: Struct; root: Root }> {
  const init = findTask(reading, 1), fs = init?.at("fs", "fs_struct");
  const space = init?.at("nsproxy", "nsproxy")?.at("mnt_ns", "mnt_namespace");
  if (!space || !fs) return;
  const root = { mount: mountOf(reading, fs.pointer("root.mnt")).address, dentry: fs.pointer("root.dentry") };
  const mounts = space.has("mounts") && reading.struct("mount", 0n).has("mnt_node")
    ? redBlackEntries(reading, space.inner("mounts", "rb_root"), "mount", "mnt_node")
    : reading.list(of, space.addressOf("list"), "mount", "mnt_list");
  for (const mount of mounts) yield { mount, root };
}

/** A file system that process 1 sees, and can write. */
interface WritableMount {
  readonly path: string;
  readonly type: string;
  readonly block: Struct;
}

/** Each of these types once, by its first mount. */
export function* writableMounts(reading: Reading, types: ReadonlySet<string>): Generator<WritableMount> {
  const seen = new Set<bigint>();
  for (const { mount, root } of mountsOf(reading, "mounts")) {
    const block = mount.at("mnt.mnt_sb", "super_block"), top = mount.at("mnt.mnt_root", "dentry");
    if (!block || !top || seen.has(block.address) || isReadonly(mount, block)) continue;
    const type = typeOf(block), path = types.has(type) ? pathOf(reading, mount, top, root) : undefined;
    if (path === undefined) continue;
    seen.add(block.address);
    yield { path, type, block };
  }
}

const isReadonly = (mount: Struct, block: Struct): boolean =>
  (mount.number("mnt.mnt_flags") & MOUNT_READONLY) !== 0 || (block.big("s_flags") & BLOCK_READONLY) !== 0n;

/** Whether a file system of a disk is mounted. */
export function isMounted(reading: Reading, disk: string): boolean {
  return reading.rows("mounts", () => mountsOf(reading, "mounts"), ({ mount }) => mount.at("mnt.mnt_sb", "super_block"))
    .some((block) => block.text("s_id") === disk);
}

/** Undefined for a mount that the process cannot see. */
function mountRow(reading: Reading, mount: Struct, seen: Root): MountRow | undefined {
  const block = mount.at("mnt.mnt_sb", "super_block"), root = mount.at("mnt.mnt_root", "dentry");
  if (!block || !root) throw new BadMemory("invalid", "a mount without a file system", mount.address);
  const path = pathOf(reading, mount, root, seen);
  if (path === undefined) return undefined;
  return {
    id: formatId({ kind: "mount", vm: reading.vm, number: mount.number("mnt_id") }),
    vm: vmId(reading.vm),
    device: mount.textAt("mnt_devname") ?? "none",
    path,
    type: typeOf(block),
    access: isReadonly(mount, block) ? "ro" : "rw",
  };
}
