// Why the kernel does not execute a program (fs/binfmt_elf.c, fs/binfmt_script.c in its sources):
// from its inode, its first bytes and the interpreter that these name.

import { EM_AARCH64, isElf } from "../../../kit/formats/elf.ts";
import type { NotRun } from "../../../model/queries/facts/linux-finding.ts";
import { bytesText } from "../../../kit/support/text/byte-text.ts";
import { bytesOf, EXECUTE, isFolder, lookUp } from "../structures/lookup.ts";
import { textOf } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

/** ELF (System V ABI): places in the header and in program headers. */
const CLASS = 4, CLASS_64 = 2, MACHINE = 18;
const HEADERS_AT = 32, HEADER_COUNT = 56, HEADER_SIZE = 56, OFFSET = 8, FILE_SIZE = 32, HEADER_END = 64, PT_LOAD = 1, PT_INTERP = 3;
const MACHINES: Readonly<Record<number, string>> = {
  3: "i386",
  8: "MIPS",
  21: "PowerPC",
  22: "S/390",
  40: "AArch32",
  62: "x86-64",
  243: "RISC-V",
};
/** Bytes of a program that are shown. */
const SHOWN = 4;

/** Undefined if no defect is found. */
export function whyNotRun(reading: Reading, root: Struct, path: string): NotRun | undefined {
  const inode = lookUp(reading, root, path);
  if (!inode) return { code: "missing" };
  if (isFolder(inode)) return { code: "folder" };
  const mode = inode.number("i_mode");
  if ((mode & EXECUTE) === 0) return { code: "mode", mode: (mode & 0o7777).toString(8).padStart(4, "0") };
  const size = inode.number("i_size");
  if (size === 0) return { code: "empty" };
  const bytes = bytesOf(reading, inode);
  return bytes && (isElf(bytes) ? elfDefect(reading, root, bytes, size) : otherDefect(reading, root, bytes));
}

function elfDefect(reading: Reading, root: Struct, bytes: Uint8Array, size: number): NotRun | undefined {
  if (bytes.length < HEADER_END) return { code: "cut" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), machine = view.getUint16(MACHINE, true);
  if (machine !== EM_AARCH64 || bytes[CLASS] !== CLASS_64) {
    return { code: "architecture", machine: MACHINES[machine] ?? `ELF machine ${machine}` };
  }
  const first = Number(view.getBigUint64(HEADERS_AT, true)), count = view.getUint16(HEADER_COUNT, true);
  for (let at = first; at < first + count * HEADER_SIZE && at + HEADER_SIZE <= bytes.length; at += HEADER_SIZE) {
    const kind = view.getUint32(at, true), start = Number(view.getBigUint64(at + OFFSET, true));
    const length = Number(view.getBigUint64(at + FILE_SIZE, true));
    // A segment of zeros alone may begin past the end.
    if (kind === PT_LOAD && length > 0 && start + length > size) return { code: "cut" };
    if (kind === PT_INTERP) {
      const interpreter = textOf(bytes.subarray(start, start + length));
      if (interpreter !== "" && !lookUp(reading, root, interpreter)) return { code: "no-interpreter", interpreter };
    }
  }
  return undefined;
}

/** The kernel ends an interpreter's name at a space or a tab: a CR before the LF is part of it. */
function otherDefect(reading: Reading, root: Struct, bytes: Uint8Array): NotRun | undefined {
  const [line] = textOf(bytes).split("\n", 1), [, interpreter] = /^#![ \t]*([^ \t]+)/.exec(line) ?? [];
  if (interpreter === undefined) return { code: "format", bytes: bytesText(bytes.subarray(0, SHOWN)) };
  return lookUp(reading, root, interpreter) ? undefined : { code: "no-interpreter", interpreter };
}
