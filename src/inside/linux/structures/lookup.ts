// Files by their paths, if the kernel has them in memory: all files of a ramdisk, and those of a
// disk that were used. Names are in dentries, the first bytes of a file in the page cache.

import { textOf } from "../kernel/memory.ts";
import { nameOf } from "./paths.ts";
import type { Reading } from "../kernel/reading.ts";
import { arrayEntries } from "./trees.ts";
import type { Struct } from "../kernel/types.ts";

/** Links on the way to a file, and entries of a folder or a tree. */
const LINKS_MAX = 8, ENTRIES_MAX = 65_536;
const PATH_MAX = 4096;
/** Bits of `inode.i_mode`. */
const TYPE = 0o170000, FIFO = 0o010000, FOLDER = 0o040000, LINK = 0o120000;
export const EXECUTE = 0o111;

/** The entries of a folder. */
function* entriesOf(reading: Reading, folder: Struct): Generator<Struct> {
  if (folder.has("d_subdirs")) return yield* reading.list("files", folder.addressOf("d_subdirs"), "dentry", "d_child");
  // Since 6.8, each has a pointer to the next one.
  const offset = reading.struct("dentry", 0n).addressOf("d_sib"),
    next = (links: bigint) => reading.struct("hlist_node", links).pointer("next");
  for (let links = next(folder.addressOf("d_children")), count = 0; links !== 0n; links = next(links)) {
    if (++count > ENTRIES_MAX) return reading.gap({ code: "many", of: "files", limit: ENTRIES_MAX });
    yield reading.struct("dentry", links - offset);
  }
}

const inodeOf = (dentry: Struct) => dentry.at("d_inode", "inode");
export const isFifo = (inode: Struct) => (inode.number("i_mode") & TYPE) === FIFO;
export const isFolder = (inode: Struct) => (inode.number("i_mode") & TYPE) === FOLDER;

/** The root of a process; by default that of the kernel's own threads. */
export function rootOf(reading: Reading, task?: Struct): Struct | undefined {
  return (task ?? reading.global("task_struct", "init_task")).at("fs", "fs_struct")?.at("root.dentry", "dentry");
}

/** The inode of a path from a root; undefined if the kernel does not know it. */
export function lookUp(reading: Reading, root: Struct, path: string): Struct | undefined {
  let dentry = root, links = 0;
  const left = path.split("/").reverse();
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === "" || name === ".") continue;
    const found = name === ".." ? dentry.at("d_parent", "dentry") : [...entriesOf(reading, dentry)].find((one) => nameOf(one) === name);
    const inode = found && inodeOf(found);
    if (!found || !inode) return undefined;
    if ((inode.number("i_mode") & TYPE) !== LINK) {
      dentry = found;
      continue;
    }
    const target = linkOf(reading, inode);
    if (target === undefined || ++links > LINKS_MAX) return undefined;
    if (target.startsWith("/")) dentry = root;
    left.push(...target.split("/").reverse());
  }
  return inodeOf(dentry);
}

/** The path that a symbolic link has: in memory, or as the first bytes of the file. */
function linkOf(reading: Reading, inode: Struct): string | undefined {
  const text = inode.textAt("i_link", PATH_MAX);
  if (text !== undefined) return text;
  const bytes = bytesOf(reading, inode);
  return bytes && textOf(bytes);
}

/** How many files a tree has, without folders, and without its `dev`, which the kernel fills. */
export function countFiles(reading: Reading, root: Struct): number {
  let files = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder && files < ENTRIES_MAX; folder = folders.pop()) {
    for (const entry of entriesOf(reading, folder)) {
      const inode = inodeOf(entry);
      if (!inode || folder === root && nameOf(entry) === "dev") continue;
      if (isFolder(inode)) folders.push(entry);
      else files++;
    }
  }
  return files;
}

/** The first page of a file; undefined if it is not in memory. */
export function bytesOf(reading: Reading, inode: Struct): Uint8Array | undefined {
  const cache = inode.at("i_mapping", "address_space");
  if (!cache) return undefined;
  for (const page of arrayEntries(reading, cache.inner("i_pages", "xarray"))) {
    const number = pageNumber(reading, page);
    const bytes = number === undefined ? undefined : reading.memory.physical.page(number * 2 ** reading.kernel.tables.granule);
    return bytes?.subarray(0, Math.min(bytes.length, inode.number("i_size")));
  }
  return undefined;
}

/** The number of the physical page that a `struct page` describes. */
function pageNumber(reading: Reading, page: bigint): number | undefined {
  const { kernel, memory } = reading, info = kernel.info(memory), size = BigInt(reading.sizeOf("page"));
  const array = info?.symbols.get("vmemmap"), start = info?.number("VMEMMAP_START"), ram = info?.number("PHYS_OFFSET");
  if (size === 0n) return undefined;
  if (array !== undefined) return Number((page - array) / size);
  if (start === undefined || ram === undefined) return undefined;
  return Number((page - start) / size + (ram >> BigInt(kernel.tables.granule)));
}
