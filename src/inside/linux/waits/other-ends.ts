// The other ends of pipes and sockets for which programs wait, and the processes that have them
// open. A socket of family unix leads to its other end; the two ends of a connection inside of one
// kernel have each other's addresses.

import type { NamedTask, ProgramWait } from "../../../model/queries/facts/program-wait.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { isFifo } from "../structures/lookup.ts";
import { fileName, fileSystemOf } from "../structures/paths.ts";
import { type InetSocket, inetSocket, inodeOf, socketOf, unixPath, unixPeer } from "../structures/sockets.ts";
import { named } from "../structures/tasks.ts";
import { processesIn, tasksOf } from "./locks.ts";

const OF = "open files";
/** `sock.sk_rcvtimeo` without a timeout: MAX_SCHEDULE_TIMEOUT. */
const ENDLESS = (1n << 63n) - 1n;
/** Processes that a wait names, of those that have its file open or hold its lock. */
export const PEERS_MAX = 3;

export interface Opener {
  readonly process: Struct;
  readonly file: bigint;
  /** `file.f_mode`. */
  readonly mode: number;
}

/** Of an answer, by the address of the inode. */
const OPENERS = new WeakMap<Reading["memory"], ReadonlyMap<bigint, readonly Opener[]>>();

function openersIn(reading: Reading): ReadonlyMap<bigint, readonly Opener[]> {
  let known = OPENERS.get(reading.memory);
  if (!known) {
    const opened = reading.rows(OF, () => processesIn(tasksOf(reading)), (process) => {
      const files = reading.tried(OF, () => [...openFiles(reading, process)]) ?? [];
      return files.map(({ file }) => ({ process, file: file.address, inode: file.pointer("f_inode"), mode: file.number("f_mode") }));
    }).flat();
    OPENERS.set(reading.memory, known = Map.groupBy(opened, ({ inode }) => inode));
  }
  return known;
}

/**
 * Those who have an inode open.
 * @param mode bits of `file.f_mode`, of which one has to be set
 */
export function openersOf(reading: Reading, inode: Struct, mode: number): readonly Opener[] {
  return (openersIn(reading).get(inode.address) ?? []).filter((one) => (one.mode & mode) !== 0);
}

export const processesOf = (openers: readonly Opener[]): Struct[] => [...new Set(openers.map(({ process }) => process))];
export const namesOf = (openers: readonly Opener[]): NamedTask[] => processesOf(openers).slice(0, PEERS_MAX).map(named);

/** A wait, of whatever task. */
type Wait = Pick<ProgramWait, "for" | "what" | "peers">;

/** A wait with its task, and the only tasks of which one has to end it. */
export interface Found {
  readonly task: Struct;
  readonly wait: ProgramWait;
  readonly enders?: readonly Struct[];
  readonly isEndless?: boolean;
  /** A socket whose other end is not in this kernel. */
  readonly remote?: InetSocket | undefined;
}

export const found = (task: Struct, { for: kind, what, peers }: Wait): Found => (
  { task, wait: { task: named(task), vm: null, for: kind, what, peers, peers_vm: null } }
);

/** A wait for another end, with all processes that can end it; none if they are unknown. */
export interface EndWait extends Wait {
  readonly enders: readonly Struct[];
  /** It has no timeout. */
  readonly isEndless: boolean;
  readonly remote?: InetSocket;
}

const endOf = (kind: Wait["for"], what: string, openers: readonly Opener[], isKnown = true): EndWait => (
  { for: kind, what, peers: namesOf(openers), enders: isKnown ? processesOf(openers) : [], isEndless: isKnown }
);

/**
 * The wait for the other end of a pipe or a socket.
 * @param other the mode of the end that has to act
 */
export function endWait(reading: Reading, file: Struct, other: number): EndWait | undefined {
  const isRead = other === MODE_WRITE, inode = file.at("f_inode", "inode");
  if (!inode) return undefined;
  const pipe = isFifo(inode) ? inode.at("i_pipe", "pipe_inode_info") : undefined;
  if (!pipe) return socketWait(reading, inode, isRead ? "sender" : "receiver");
  const openers = openersOf(reading, inode, other), count = pipe.number(isRead ? "writers" : "readers");
  // Others are on their way between processes, and a path lets more open it.
  const isKnown = fileSystemOf(inode) === "pipefs" && new Set(openers.map((one) => one.file)).size === count;
  return endOf(isRead ? "writer" : "reader", fileName(reading, file), openers, isKnown);
}

/** The wait of a task for a socket's other end: for data, room or an answer. */
export function socketWait(reading: Reading, inode: Struct, kind: "sender" | "receiver" | "connection"): EndWait | undefined {
  if (fileSystemOf(inode) !== "sockfs") return undefined;
  const sock = socketOf(reading, inode), inet = sock && inetSocket(sock);
  const isEndless = sock?.big(kind === "sender" ? "sk_rcvtimeo" : "sk_sndtimeo") === ENDLESS;
  if (inet) {
    if (inet.peerPort === 0) return undefined;
    const other = otherSocket(reading, inet), wait = endOf(kind, `${inet.peer} (${inet.type})`, other?.openers ?? [], isEndless);
    return other ? wait : { ...wait, remote: inet };
  }
  const peer = sock && unixPeer(reading, sock), other = peer && inodeOf(reading, peer);
  if (!peer || !other) return undefined;
  const path = unixPath(reading, sock) ?? unixPath(reading, peer), name = `socket:[${inode.big("i_ino")}]`;
  return endOf(kind, path === null ? name : `${name} of ${path}`, openersOf(reading, other, MODE_READ | MODE_WRITE), isEndless);
}

/** The other end in a kernel, and those who have it open. */
export function otherSocket(reading: Reading, { local, peer, type }: InetSocket): { sock: Struct; openers: readonly Opener[] } | undefined {
  for (const address of openersIn(reading).keys()) {
    const inode = reading.struct("inode", address), sock = fileSystemOf(inode) === "sockfs" ? socketOf(reading, inode) : undefined;
    const other = sock && inetSocket(sock);
    if (other && other.type === type && other.local === peer && other.peer === local) {
      return { sock, openers: openersOf(reading, inode, MODE_READ | MODE_WRITE) };
    }
  }
  return undefined;
}

/** The name of an open file, with the address or the path of a socket. */
export function namedEnd(reading: Reading, file: Struct): string {
  const name = fileName(reading, file), inode = file.at("f_inode", "inode");
  const sock = inode && fileSystemOf(inode) === "sockfs" ? socketOf(reading, inode) : undefined, inet = sock && inetSocket(sock);
  if (inet) return `${inet.local} (${inet.type})`;
  const path = sock ? unixPath(reading, sock) : null;
  return path === null ? name : `${name} of ${path}`;
}
