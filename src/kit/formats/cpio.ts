// Writer of cpio archives in the "newc" format, as the kernel's initramfs unpacker reads them
// (Documentation/driver-api/early-userspace/buffer-format.rst). Device nodes are just entries here,
// so no root is needed, and equal input gives equal bytes: owner 0, time 0, inode numbers in order.

import { joined } from "../support/values/bytes.ts";

/** One file of an archive. `path` has no leading slash; parents come before children. */
export type CpioEntry =
  | { path: string; kind: "folder"; permissions: number }
  | { path: string; kind: "file"; permissions: number; data: Uint8Array }
  | { path: string; kind: "link"; target: string }
  | { path: string; kind: "device"; permissions: number; major: number; minor: number };

/** S_IFMT values of the mode field. */
const FileType = { folder: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const;

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
/** Archives are padded to this, as cpio(1) does. */
const BLOCK = 512;

/** A newc archive of `entries`. Devices are character devices. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  const put = (bytes: Uint8Array, align: number) => {
    const padding = (align - (size + bytes.length) % align) % align;
    parts.push(bytes, new Uint8Array(padding));
    size += bytes.length + padding;
  };
  const text = new TextEncoder();
  const member = (inode: number, mode: number, path: string, data: Uint8Array, major = 0, minor = 0) => {
    const name = text.encode(`${path}\0`);
    // inode, mode, uid, gid, links, mtime, size, device major and minor, rdev major and minor, name
    // size, checksum
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
    const header = text.encode(MAGIC + fields.map((field) => field.toString(16).padStart(8, "0").toUpperCase()).join(""));
    put(joined([header, name]), 4);
    put(data, 4);
  };

  const none = new Uint8Array(0);
  entries.forEach((entry, index) => {
    const inode = index + 1;
    const type = FileType[entry.kind];
    switch (entry.kind) {
      case "folder":
        return member(inode, type | entry.permissions, entry.path, none);
      case "file":
        return member(inode, type | entry.permissions, entry.path, entry.data);
      case "link":
        return member(inode, type | 0o777, entry.path, text.encode(entry.target));
      case "device":
        return member(inode, type | entry.permissions, entry.path, none, entry.major, entry.minor);
    }
  });
  member(0, 0, TRAILER, none);
  put(none, BLOCK);

  return joined(parts);
}

/** Words of an archive's headers: where the next archive may begin. */
const ARCHIVE_ALIGN = 4;

/**
 * An initramfs of `archive` and these entries: the kernel unpacks one archive after another, and a
 * later file replaces an earlier one.
 */
export function withEntries(archive: Uint8Array, entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const own = writeCpio(entries);
  const start = Math.ceil(archive.length / ARCHIVE_ALIGN) * ARCHIVE_ALIGN;
  const joined = new Uint8Array(start + own.length);
  joined.set(archive);
  joined.set(own, start);
  return joined;
}
