// Waits for what a file gives: the other end of a pipe or a socket, and files of other kinds, which
// have one end. These are terminals, message queues, and the files of eventfd(2),
// timerfd_create(2), signalfd(2), inotify(7), pidfd_open(2) and io_uring(7), which share one inode.

import { durationText, hex } from "../../../kit/support/text/number-text.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import { fileName, fileSystemOf } from "../structures/paths.ts";
import { signalNames } from "./signals.ts";
import { inetSocket, socketFamily, socketOf, unixPath } from "../structures/sockets.ts";
import { kernelTime } from "../structures/clock.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { processesIn, tasksOf } from "./locks.ts";
import { type EndWait, endWait, namesOf, type Opener, openersOf, processesOf } from "./other-ends.ts";
import { namedByPid, pidNumber } from "./waiting.ts";

/** `hrtimer.state`. */
const ENQUEUED = 1;
const TYPE = 0o170000, CHARACTERS = 0o020000;
/** `sk_state` of a socket that listens. */
const LISTENS = 10;
/** Open files of a terminal, and faults of a file, that are looked at. */
const FILES_MAX = 64;

type FileWait = (reading: Reading, file: Struct, inode: Struct) => EndWait | undefined;

/** @param other the mode of the end that has to act */
export function fileEnd(reading: Reading, file: Struct, other: number): EndWait | undefined {
  const inode = file.at("f_inode", "inode");
  if (!inode) return undefined;
  const system = fileSystemOf(inode) ?? "", isRead = other === MODE_WRITE;
  const name = system === "anon_inodefs" ? anonymousName(fileName(reading, file)) : system;
  return endWait(reading, file, other) ?? NAMED[name]?.(reading, file, inode) ?? (
    system === "mqueue"
      ? queueWait(reading, file, inode, isRead)
      : (inode.number("i_mode") & TYPE) === CHARACTERS
      ? terminalWait(reading, file, isRead)
      : undefined
  );
}

/** By the type of file, or by its file system. */
const NAMED: Readonly<Record<string, FileWait>> = {
  eventfd: counterWait,
  timerfd: timerWait,
  signalfd: signalsWait,
  inotify: (reading, file, inode) => {
    const watched = file.at("private_data", "fsnotify_group")?.big("inotify_data.idr.idr_rt.xa_head");
    return ownedWait(reading, file, inode, "changes", watched === 0n ? "no file" : "files that it watches", watched === 0n);
  },
  pidfd: (reading, file) => processWait(reading, file.at("private_data", "pid")),
  // 6.9 gave these files inodes.
  pidfs: (reading, _, inode) => processWait(reading, inode.at("i_private", "pid")),
  io_uring: () => plainWait("completion", null),
  sockfs: clientWait,
};

/** A wait that nobody can end for certain. */
const plainWait = (kind: EndWait["for"], what: string | null): EndWait => ({ for: kind, what, peers: [], enders: [], isEndless: false });

/** The NAME in `anon_inode:[NAME]`, as files without an inode that is theirs are called. */
const anonymousName = (text: string) => text.replace(/^anon_inode:\[?(.*?)\]?$/, "$1");

/** A wait for a page that userfaultfd(2) has to bring. */
export function pageWait(reading: Reading, task: Struct): EndWait | undefined {
  for (const process of processesIn(tasksOf(reading))) {
    for (const { file } of openFiles(reading, process)) {
      const inode = file.at("f_inode", "inode");
      if (!inode || fileSystemOf(inode) !== "anon_inodefs" || anonymousName(fileName(reading, file)) !== "userfaultfd") continue;
      const address = faultIn(reading, file.at("private_data", "userfaultfd_ctx"), task);
      if (address !== undefined) return ownedWait(reading, file, inode, "page", hex(address), true);
    }
  }
  return undefined;
}

/** The address at which a task waits for a page; undefined if it waits elsewhere. */
function faultIn(reading: Reading, context: Struct | undefined, task: Struct): bigint | undefined {
  for (const queue of context ? ["fault_pending_wqh", "fault_wqh"] : []) {
    const waits = reading.list("faults", context?.addressOf(`${queue}.head`) ?? 0n, "userfaultfd_wait_queue", "wq.entry");
    const found = waits.take(FILES_MAX).find((one) => one.pointer("wq.private") === task.address);
    if (found) return found.big("msg.arg.pagefault.address");
  }
  return undefined;
}

/** Those who have a file open, of several that share an inode. */
function openersOfFile(reading: Reading, file: Struct, inode: Struct): readonly Opener[] {
  return openersOf(reading, inode, MODE_READ | MODE_WRITE).filter((one) => one.file === file.address);
}

/**
 * A wait that only a process which has the file open can end.
 * @param isEndless without such a process it never ends, if nothing else knows the file
 */
function ownedWait(
  reading: Reading,
  file: Struct,
  inode: Struct,
  kind: EndWait["for"],
  what: string | null,
  isEndless: boolean,
): EndWait {
  const openers = openersOfFile(reading, file, inode);
  // One that is on its way between processes, or that another thread uses now, counts as well.
  const isKnown = isEndless && usesOf(file) === openers.length;
  return { for: kind, what, peers: namesOf(openers), enders: isKnown ? processesOf(openers) : [], isEndless: isKnown };
}

/** Those who can add to an epoll. */
export function ownersOf(reading: Reading, file: Struct): Pick<EndWait, "enders" | "isEndless"> {
  const inode = file.at("f_inode", "inode");
  if (!inode) return { enders: [], isEndless: false };
  const { enders, isEndless } = ownedWait(reading, file, inode, "events", null, true);
  return { enders, isEndless };
}

/** 6.13 counts from 0. */
const usesOf = (file: Struct) => file.has("f_ref") ? file.signed("f_ref.refcnt.counter") + 1 : file.signed("f_count.counter");

/** The kernel itself may add to a counter that it has a second reference to. */
function counterWait(reading: Reading, file: Struct, inode: Struct): EndWait {
  const isOwn = file.at("private_data", "eventfd_ctx")?.number("kref.refcount.refs.counter") === 1;
  return ownedWait(reading, file, inode, "counter", null, isOwn);
}

function timerWait(reading: Reading, file: Struct, inode: Struct): EndWait {
  const context = file.at("private_data", "timerfd_ctx");
  const isSet = [context?.number("t.tmr.state"), context?.number("t.alarm.state")].some((state) => ((state ?? 0) & ENQUEUED) !== 0);
  if (!context || !isSet) return ownedWait(reading, file, inode, "timer", null, context !== undefined);
  return plainWait("timer", timeLeft(reading, context.inner("t.tmr", "hrtimer")) ?? "a while");
}

/**
 * The time until a timer of high resolution expires, as text; null if it is due, and in a dump,
 * which has no clock.
 */
export function timeLeft(reading: Reading, timer: Struct): string | null {
  const offset = timer.at("base", "hrtimer_clock_base")?.big("offset") ?? 0n, now = kernelTime(reading);
  if (now === undefined) return null;
  const left = BigInt.asIntN(64, timer.big("node.expires") - offset) - now;
  return left > 0n ? durationText(Number(left)) : null;
}

/** `signalfd_ctx` has the signals that are not waited for. */
function signalsWait(_: Reading, file: Struct): EndWait | undefined {
  const set = file.at("private_data", "signalfd_ctx")?.big("sigmask.sig[0]");
  return set === undefined ? undefined : plainWait("signals", signalNames(BigInt.asUintN(64, ~set)));
}

/** @param pid `struct pid` */
function processWait(reading: Reading, pid: Struct | undefined): EndWait | undefined {
  const task = pid && namedByPid(tasksOf(reading), pidNumber(reading, pid));
  return task && { ...plainWait("process", null), peers: [task] };
}

/** A wait at a socket that has no other end: for a client, or for data from anybody. */
function clientWait(reading: Reading, _file: Struct, inode: Struct): EndWait | undefined {
  const sock = socketOf(reading, inode);
  if (!sock) return undefined;
  const inet = inetSocket(sock), path = unixPath(reading, sock);
  const what = inet ? `${inet.local} (${inet.type})` : path ?? `socket:[${inode.big("i_ino")}] (${socketFamily(sock)})`;
  return plainWait(sock.number("__sk_common.skc_state") === LISTENS ? "client" : "data", what);
}

function queueWait(reading: Reading, file: Struct, inode: Struct, isRead: boolean): EndWait {
  const openers = openersOf(reading, inode, isRead ? MODE_WRITE : MODE_READ);
  return { ...plainWait(isRead ? "message" : "room", `the queue ${fileName(reading, file)}`), peers: namesOf(openers) };
}

/** Input of a terminal, or room in it. The keeper of a pseudo terminal is its other end. */
function terminalWait(reading: Reading, file: Struct, isRead: boolean): EndWait | undefined {
  const read = file.at("f_op", "file_operations")?.pointer("read_iter") ?? 0n;
  if (read === 0n || reading.placeOf(read)?.symbol.name !== "tty_read") {
    return isRead ? plainWait("input", fileName(reading, file)) : undefined;
  }
  const tty = file.at("private_data", "tty_file_private")?.at("tty", "tty_struct");
  if (!tty) return undefined;
  const name = `/dev/${tty.text("name")}`, link = tty.at("link", "tty_struct");
  if (!isRead && tty.has("flow.stopped") && tty.number("flow.stopped") !== 0) return plainWait("start", name);
  return { ...plainWait(isRead ? "input" : "output", name), peers: link ? namesOf(terminalOpeners(reading, link)) : [] };
}

function terminalOpeners(reading: Reading, tty: Struct): Opener[] {
  const files = reading.list("terminals", tty.addressOf("tty_files"), "tty_file_private", "list").take(FILES_MAX);
  return files.flatMap((one) => {
    const file = one.at("file", "file"), inode = file?.at("f_inode", "inode");
    return file && inode ? openersOfFile(reading, file, inode) : [];
  }).toArray();
}
