// Late files: files of overlays that a guest can still get at its prompt, as nothing on the way
// there has looked at them. That is known for el2's own inits, which use only the folders of a
// system. And their delivery: what has changed is typed at the prompt as an archive, compressed, in
// base64; where something is gone, in a shell script that removes it first.

import type { CpioEntry } from "../../kit/formats/cpio.ts";
import { fitsTar, tarBlocks, type WrittenEntry } from "../../kit/formats/tar-writer.ts";
import { node } from "../../kit/support/node-modules.ts";
import { shellQuoted } from "../../kit/support/text/shell.ts";
import { encodeBase64 } from "../../kit/support/values/base64.ts";
import { joined, sameBytes } from "../../kit/support/values/bytes.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

/** Folders at the top that an init uses, or over which it mounts something. */
const SYSTEM = ["bin", "boot", "dev", "etc", "init", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "tmp", "usr", "var"];
/** The home of the shell, which each root has. */
const HOME = "root";
/** A place of the system for files that are only data until somebody loads them. */
const MODULES = "lib/modules/";

/**
 * The entries of overlays that can come late; none if another file of an overlay may look at them.
 * @param root those of the root, as far as they are not its system's
 */
export function lateFiles(root: readonly CpioEntry[], overlay: readonly CpioEntry[]): CpioEntry[] {
  const kinds = new Map(root.map(({ path, kind }) => [path, kind]));
  const isLate = ({ path }: CpioEntry) => {
    const parts = path.split("/");
    if (SYSTEM.includes(parts[0]) || path === HOME || kinds.has(path)) return false;
    return parts.every((_, index) => (kinds.get(parts.slice(0, index).join("/")) ?? "folder") === "folder");
  };
  const late = overlay.filter(isLate), others = overlay.filter((entry) => !isLate(entry));
  return others.every(({ kind, path }) => kind === "folder" || path.startsWith(MODULES)) ? late : [];
}

/**
 * Characters of a line, and lines that are typed at a time: a terminal that nobody reads yet holds
 * 4,095.
 */
const LINES = /.{1,1000}/g, TOGETHER = 3;
/** Most characters: more take longer than a kernel's start. */
const TYPED_MAX = 256 * KiB;
/** Files of the guest on the way. */
const PACKED = "/.el2-changes.gz", SCRIPT = "/.el2-changes";
/** End of input in a terminal. */
const END = "\x04";

/** The line after which a command takes its input. */
export const TAKES = "el2-takes";

/** A command at the prompt, and what is typed piece by piece after it has shown `TAKES`. */
export interface Delivery {
  readonly command: string;
  readonly input: readonly string[];
}

const TAKEN = `stty -echo;echo;echo ${TAKES};base64 -d`;
/**
 * With few programs: a guest takes longer to start one than to unpack some files. A guest that
 * fails boots again, so nothing is left in order for it.
 */
const UNPACKED = `${TAKEN}|tar xzpf - -C /&&stty echo`;
const SCRIPTED = `${TAKEN}>${PACKED};stty echo;gunzip -c ${PACKED}>${SCRIPT}&&sh ${SCRIPT}&&rm ${PACKED} ${SCRIPT}`;

/** The change from some files to others; undefined without one, "large" if it is too much. */
export function deliveryOf(before: readonly CpioEntry[], after: readonly CpioEntry[]): Delivery | "large" | undefined {
  const there = new Map(before.map((entry) => [entry.path, entry])), wanted = new Map(after.map((entry) => [entry.path, entry]));
  const gone = [...there.values()].filter(({ path, kind }) => wanted.get(path)?.kind !== kind);
  const changed = [...wanted.values()].filter((entry) => !sameEntry(there.get(entry.path), entry));
  if (gone.length + changed.length === 0) return undefined;
  const files = changed.map(tarEntry);
  if (!files.every((file): file is WrittenEntry => file !== undefined && fitsTar(file))) return "large";
  const archive = tarBlocks(files, 0);
  if (gone.length === 0) return typedAs(UNPACKED, archive);
  const removed = gone.map(({ path }) => `rm -rf ${shellQuoted(`/${path}`)}\n`).join("");
  const unpack = (line: number) => `tail -n +${line} "$0" | tar -x -p -C / -f -\nexit\n`;
  const lines = `${removed}${unpack(0)}`.split("\n").length;
  return typedAs(SCRIPTED, [new TextEncoder().encode(removed + unpack(lines)), ...archive]);
}

function typedAs(command: string, parts: readonly Uint8Array[]): Delivery | "large" {
  const text = encodeBase64(node.zlib.gzipSync(joined(parts))), typed = text.match(LINES) ?? [];
  if (text.length > TYPED_MAX) return "large";
  const pieces = Array.from(
    { length: Math.ceil(typed.length / TOGETHER) },
    (_, index) => typed.slice(index * TOGETHER, (index + 1) * TOGETHER).map((line) => `${line}\n`).join(""),
  );
  return { command, input: [...pieces, END] };
}

function tarEntry(entry: CpioEntry): WrittenEntry | undefined {
  switch (entry.kind) {
    case "folder":
    case "file":
      return entry;
    case "link":
      return { ...entry, permissions: 0o777 };
    case "device":
      return undefined;
  }
}

function sameEntry(one: CpioEntry | undefined, other: CpioEntry): boolean {
  if (one?.kind === "link") return other.kind === "link" && one.target === other.target;
  if (one?.kind === "folder") return other.kind === "folder" && one.permissions === other.permissions;
  return one?.kind === "file" && other.kind === "file" && one.permissions === other.permissions && sameBytes(one.data, other.data);
}
