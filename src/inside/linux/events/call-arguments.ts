// Arguments of system calls in the words of the kernel's headers (include/uapi/asm-generic and
// include/uapi/linux).

import { textOf } from "../kernel/memory.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { type ArgumentKind, isText, signalName, type SystemCall } from "./system-calls.ts";

/** Names of bits, from the lowest; a value under `mask` is a choice instead, by its number. */
interface Flags {
  readonly mask?: number;
  readonly choice?: Readonly<Record<number, string>>;
  readonly bits: Readonly<Record<string, number>>;
}

/** Words of values that are one choice. */
type Choice = Readonly<Record<number, string>>;

const AT_FDCWD = -100;
const O_CREAT = 0o100, O_TMPFILE = 0o20000000;
/** Characters of a text that are shown; a path may have all that the kernel takes. */
const TEXT_MAX = 32, PATH_MAX = 4096;

/** Four flags have other numbers on arm64 (arch/arm64/include/uapi/asm/fcntl.h). */
const OPEN: Flags = {
  mask: 3,
  choice: { 0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE" },
  bits: {
    O_CREAT,
    O_EXCL: 0o200,
    O_NOCTTY: 0o400,
    O_TRUNC: 0o1000,
    O_APPEND: 0o2000,
    O_NONBLOCK: 0o4000,
    O_SYNC: 0o4010000,
    O_DSYNC: 0o10000,
    O_ASYNC: 0o20000,
    O_TMPFILE: 0o20040000,
    O_DIRECTORY: 0o40000,
    O_NOFOLLOW: 0o100000,
    O_DIRECT: 0o200000,
    O_LARGEFILE: 0o400000,
    O_NOATIME: 0o1000000,
    O_CLOEXEC: 0o2000000,
    O_PATH: 0o10000000,
  },
};

const FLAGS: Readonly<Record<ArgumentKind, Flags>> = {
  o: OPEN,
  O: { bits: OPEN.bits },
  r: { mask: 7, choice: { 0: "F_OK" }, bits: { R_OK: 4, W_OK: 2, X_OK: 1 } },
  a: {
    bits: {
      AT_SYMLINK_NOFOLLOW: 0x100,
      AT_REMOVEDIR: 0x200,
      AT_SYMLINK_FOLLOW: 0x400,
      AT_NO_AUTOMOUNT: 0x800,
      AT_EMPTY_PATH: 0x1000,
      AT_STATX_FORCE_SYNC: 0x2000,
      AT_STATX_DONT_SYNC: 0x4000,
      AT_RECURSIVE: 0x8000,
    },
  },
  P: { mask: 7, choice: { 0: "PROT_NONE" }, bits: { PROT_READ: 1, PROT_WRITE: 2, PROT_EXEC: 4, PROT_BTI: 0x10, PROT_MTE: 0x20 } },
  B: {
    mask: 3,
    choice: { 0: "MAP_FILE", 1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE" },
    bits: {
      MAP_FIXED: 0x10,
      MAP_ANONYMOUS: 0x20,
      MAP_GROWSDOWN: 0x100,
      MAP_DENYWRITE: 0x800,
      MAP_LOCKED: 0x2000,
      MAP_NORESERVE: 0x4000,
      MAP_POPULATE: 0x8000,
      MAP_NONBLOCK: 0x1_0000,
      MAP_STACK: 0x2_0000,
      MAP_HUGETLB: 0x4_0000,
      MAP_FIXED_NOREPLACE: 0x10_0000,
    },
  },
  c: {
    bits: {
      CLONE_NEWTIME: 0x80,
      CLONE_VM: 0x100,
      CLONE_FS: 0x200,
      CLONE_FILES: 0x400,
      CLONE_SIGHAND: 0x800,
      CLONE_PIDFD: 0x1000,
      CLONE_PTRACE: 0x2000,
      CLONE_VFORK: 0x4000,
      CLONE_PARENT: 0x8000,
      CLONE_THREAD: 0x1_0000,
      CLONE_NEWNS: 0x2_0000,
      CLONE_SYSVSEM: 0x4_0000,
      CLONE_SETTLS: 0x8_0000,
      CLONE_PARENT_SETTID: 0x10_0000,
      CLONE_CHILD_CLEARTID: 0x20_0000,
      CLONE_UNTRACED: 0x80_0000,
      CLONE_CHILD_SETTID: 0x100_0000,
      CLONE_NEWCGROUP: 0x200_0000,
      CLONE_NEWUTS: 0x400_0000,
      CLONE_NEWIPC: 0x800_0000,
      CLONE_NEWUSER: 0x1000_0000,
      CLONE_NEWPID: 0x2000_0000,
      CLONE_NEWNET: 0x4000_0000,
      CLONE_IO: 0x8000_0000,
    },
  },
  T: {
    mask: 0xf,
    choice: { 1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 4: "SOCK_RDM", 5: "SOCK_SEQPACKET", 10: "SOCK_PACKET" },
    bits: { SOCK_CLOEXEC: 0o2000000, SOCK_NONBLOCK: 0o4000 },
  },
  w: { bits: { WNOHANG: 1, WSTOPPED: 2, WEXITED: 4, WCONTINUED: 8, WNOWAIT: 0x100_0000 } },
  M: {
    bits: {
      MSG_OOB: 1,
      MSG_PEEK: 2,
      MSG_DONTROUTE: 4,
      MSG_TRUNC: 0x20,
      MSG_DONTWAIT: 0x40,
      MSG_EOR: 0x80,
      MSG_WAITALL: 0x100,
      MSG_NOSIGNAL: 0x4000,
      MSG_MORE: 0x8000,
      MSG_CMSG_CLOEXEC: 0x4000_0000,
    },
  },
};

const FUTEX_PRIVATE = 0x80, FUTEX_REALTIME = 0x100;
const FUTEX = ["WAIT", "WAKE", "FD", "REQUEUE", "CMP_REQUEUE", "WAKE_OP", "LOCK_PI", "UNLOCK_PI", "TRYLOCK_PI", "WAIT_BITSET"]
  .concat("WAKE_BITSET", "WAIT_REQUEUE_PI", "CMP_REQUEUE_PI", "LOCK_PI2");

const CHOICES: Readonly<Record<ArgumentKind, Choice>> = {
  S: { 0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END", 3: "SEEK_DATA", 4: "SEEK_HOLE" },
  F: {
    0: "F_DUPFD",
    1: "F_GETFD",
    2: "F_SETFD",
    3: "F_GETFL",
    4: "F_SETFL",
    5: "F_GETLK",
    6: "F_SETLK",
    7: "F_SETLKW",
    8: "F_SETOWN",
    9: "F_GETOWN",
    10: "F_SETSIG",
    11: "F_GETSIG",
    36: "F_OFD_GETLK",
    37: "F_OFD_SETLK",
    38: "F_OFD_SETLKW",
    1024: "F_SETLEASE",
    1025: "F_GETLEASE",
    1030: "F_DUPFD_CLOEXEC",
    1031: "F_SETPIPE_SZ",
    1032: "F_GETPIPE_SZ",
    1033: "F_ADD_SEALS",
    1034: "F_GET_SEALS",
  },
  E: { 1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD" },
  C: {
    0: "CLOCK_REALTIME",
    1: "CLOCK_MONOTONIC",
    2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID",
    4: "CLOCK_MONOTONIC_RAW",
    5: "CLOCK_REALTIME_COARSE",
    6: "CLOCK_MONOTONIC_COARSE",
    7: "CLOCK_BOOTTIME",
    8: "CLOCK_REALTIME_ALARM",
    9: "CLOCK_BOOTTIME_ALARM",
    11: "CLOCK_TAI",
  },
  V: {
    0: "MADV_NORMAL",
    1: "MADV_RANDOM",
    2: "MADV_SEQUENTIAL",
    3: "MADV_WILLNEED",
    4: "MADV_DONTNEED",
    8: "MADV_FREE",
    9: "MADV_REMOVE",
    10: "MADV_DONTFORK",
    11: "MADV_DOFORK",
    12: "MADV_MERGEABLE",
    14: "MADV_HUGEPAGE",
    15: "MADV_NOHUGEPAGE",
    16: "MADV_DONTDUMP",
    17: "MADV_DODUMP",
    20: "MADV_COLD",
    21: "MADV_PAGEOUT",
  },
  A: {
    0: "AF_UNSPEC",
    1: "AF_UNIX",
    2: "AF_INET",
    10: "AF_INET6",
    16: "AF_NETLINK",
    17: "AF_PACKET",
    31: "AF_BLUETOOTH",
    38: "AF_ALG",
    40: "AF_VSOCK",
  },
};

const number = (value: bigint) => Number(BigInt.asIntN(32, value));
const bits = (value: bigint) => value === 0n ? "0" : `0x${value.toString(16)}`;

/** Texts of values that came before: programs use few. */
const FLAG_TEXTS = new Map<Flags, Map<bigint, string>>();
const TEXTS_MAX = 1024;

function flagsText(flags: Flags, value: bigint): string {
  let texts = FLAG_TEXTS.get(flags);
  if (!texts) FLAG_TEXTS.set(flags, texts = new Map());
  let text = texts.get(value);
  if (text !== undefined) return text;
  text = newFlagsText(flags, value);
  if (texts.size < TEXTS_MAX) texts.set(value, text);
  return text;
}

function newFlagsText({ mask = 0, choice = {}, bits: names }: Flags, value: bigint): string {
  const chosen = mask === 0 ? undefined : choice[Number(value & BigInt(mask))];
  const words = chosen === undefined ? [] : [chosen];
  let rest = chosen === undefined ? value : value & ~BigInt(mask);
  for (const [name, bit] of Object.entries(names)) {
    const wanted = BigInt(bit);
    if ((rest & wanted) !== wanted) continue;
    words.push(name);
    rest &= ~wanted;
  }
  if (rest !== 0n || !words.length) words.push(bits(rest));
  return words.join("|");
}

/** CLONE_ flags. Their lowest byte is the signal that the child's end sends. */
function cloneText(value: bigint): string {
  const signal = Number(value & 0x7fn), rest = value & ~0x7fn;
  const words = rest === 0n ? [] : [flagsText(FLAGS.c, rest)];
  if (signal !== 0) words.push(signalName(signal));
  return words.join("|") || "0";
}

function futexText(value: number): string {
  const operation = FUTEX[value & 0x7f];
  if (operation === undefined) return String(value);
  const realtime = value & FUTEX_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "";
  return `FUTEX_${operation}${value & FUTEX_PRIVATE ? "_PRIVATE" : ""}${realtime}`;
}

/** A file descriptor, or the current folder. */
const descriptorText = (value: bigint) => number(value) === AT_FDCWD ? "AT_FDCWD" : String(number(value));

/** An argument that needs no memory. */
function wordText(kind: ArgumentKind, value: bigint): string {
  const flags = FLAGS[kind];
  switch (kind) {
    case "d":
      return String(BigInt.asIntN(64, value) > 0x7fff_ffffn ? BigInt.asIntN(64, value) : number(value));
    case "u":
      return String(value);
    case "f":
    case "D":
      return descriptorText(value);
    case "m":
      return value === 0n ? "0" : `0${(value & 0xffffn).toString(8).padStart(3, "0")}`;
    case "g":
      return signalName(number(value));
    case "c":
      return cloneText(value);
    case "U":
      return futexText(number(value));
  }
  if (flags) return flagsText(flags, BigInt.asUintN(32, value));
  return CHOICES[kind]?.[number(value)] ?? bits(value);
}

const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\" };

function quoted(text: string): string {
  // deno-lint-ignore no-control-regex
  const shown = text.replace(/[\x00-\x1f"\\\x7f-\x9f]/g, (one) => ESCAPES[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `"${shown}"`;
}

const PAGE_OFFSET = BigInt(PAGE_SIZE - 1);

/** The page of a program with an address; undefined if it is not in memory now. */
type PageAt = (address: bigint) => DataView | undefined;

/**
 * A program's text: its words up to that with the zero, or its bytes, cut if there are many more,
 * or what is known of it otherwise. An array of bytes takes 1.2 us to make, one of words 0.1.
 */
type ProgramText = { readonly words: readonly number[] } | { readonly bytes: Uint8Array; readonly isCut: boolean } | string;

/** The texts that a call's arguments lead to, by index; undefined: not in memory, or no text. */
export type ProgramTexts = readonly (ProgramText | undefined)[];

/** Whether a byte of a word is zero. */
const hasZero = (word: number) => (word - 0x0101_0101 & ~word & 0x8080_8080) !== 0;

/** A copy of a program's text; undefined if its page is not in memory now. */
function textAt(pageAt: PageAt, address: bigint, most: number): ProgramText | undefined {
  const page = pageAt(address), words: number[] = [];
  if (!page) return undefined;
  const offset = Number(address & PAGE_OFFSET), end = Math.min(offset + most, PAGE_SIZE);
  for (let at = offset; at + 4 <= end; at += 4) {
    const word = page.getInt32(at, true);
    words.push(word);
    if (hasZero(word)) return { words };
  }
  return longTextAt(pageAt, address, most);
}

/** The same of one that ends in another page, or is cut. */
function longTextAt(pageAt: PageAt, address: bigint, most: number): ProgramText | undefined {
  const parts: Uint8Array[] = [];
  let isCut = true;
  for (let at = address, left = most; left > 0 && isCut;) {
    const page = pageAt(at);
    if (!page) return undefined;
    const offset = Number(at & PAGE_OFFSET), size = Math.min(left, PAGE_SIZE - offset);
    let length = 0;
    while (length < size && page.getUint8(offset + length) !== 0) length++;
    isCut = length === size;
    parts.push(new Uint8Array(page.buffer, page.byteOffset + offset, length).slice());
    at += BigInt(size);
    left -= size;
  }
  return { bytes: parts.length === 1 ? parts[0] : joined(parts), isCut };
}

function shownText(text: ProgramText): string {
  if (typeof text === "string") return quoted(text);
  if ("words" in text) return quoted(textOf(new Uint8Array(Int32Array.from(text.words).buffer)));
  return `${quoted(textOf(text.bytes))}${text.isCut ? "..." : ""}`;
}

/** The texts that a call's arguments lead to, as far as they are in memory. */
export function textsOf({ kinds }: SystemCall, values: readonly bigint[], pageAt: PageAt): ProgramTexts {
  const texts: (ProgramText | undefined)[] = [];
  for (let index = 0; index < kinds.length; index++) {
    const kind = kinds[index], hasText = isText(kind) && values[index] !== 0n;
    texts.push(hasText ? textAt(pageAt, values[index], kind === "p" ? PATH_MAX : TEXT_MAX) : undefined);
  }
  return texts;
}

/** Whether a text of these was not in memory. */
export function lacksText({ kinds }: SystemCall, values: readonly bigint[], texts: ProgramTexts): boolean {
  for (let index = 0; index < kinds.length; index++) {
    if (isText(kinds[index]) && values[index] !== 0n && texts[index] === undefined) return true;
  }
  return false;
}

/** The arguments for display. */
export function argumentTexts({ name, kinds }: SystemCall, values: readonly bigint[], texts: ProgramTexts): string[] {
  const shown = kinds.map((kind, index) => {
    const text = texts[index];
    return text !== undefined ? shownText(text) : isText(kind) ? addressText(values[index]) : wordText(kind, values[index]);
  });
  // The mode has a meaning only if the call creates a file.
  const flags = name === "openat" ? Number(values[2] & 0xffff_ffffn) : -1;
  return name === "openat" && !(flags & O_CREAT) && (flags & O_TMPFILE) !== O_TMPFILE ? shown.slice(0, -1) : shown;
}

const addressText = (value: bigint) => value === 0n ? "NULL" : bits(value);
