// The other ends of pipes and sockets for which programs wait, and the processes that have them
// open. A socket of family unix leads to its other end; the two ends of a connection inside of one
// kernel have each other's addresses.

import type { NamedTask, ProgramWait } from "../../../model/queries/facts/linux-finding.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { fileName, fileSystemOf } from "../structures/paths.ts";
import { type InetSocket, inetSocket, inodeOf, socketOf, unixPath, unixPeer } from "../structures/sockets.ts";
import { named, processes } from "../structures/tasks.ts";

const OF = "open files";
/** Processes that a wait names, of those that have its file open or hold its lock. */
export const PEERS_MAX = 3;

interface Opener {
  readonly process: Struct;
  /** `file.f_mode`. */
  readonly mode: number;
}

/** Of an answer, by the address of the inode. */
const OPENERS = new WeakMap<Reading["memory"], ReadonlyMap<bigint, readonly Opener[]>>();

function openersIn(reading: Reading): ReadonlyMap<bigint, readonly Opener[]> {
  let known = OPENERS.get(reading.memory);
  if (!known) {
    const opened = reading.rows(OF, () => processes(reading), (process) => {
      const files = reading.tried(OF, () => [...openFiles(reading, process)]) ?? [];
      return files.map(({ file }) => ({ process, inode: file.pointer("f_inode"), mode: file.number("f_mode") }));
    }).flat();
    OPENERS.set(reading.memory, known = Map.groupBy(opened, ({ inode }) => inode));
  }
  return known;
}

/**
 * The first processes that have an inode open.
 * @param mode bits of `file.f_mode`, of which one has to be set
 */
function openersOf(reading: Reading, inode: Struct, mode: number): NamedTask[] {
  const found = openersIn(reading).get(inode.address) ?? [];
  const open = new Set(found.filter((one) => (one.mode & mode) !== 0).map(({ process }) => process));
  return [...open].slice(0, PEERS_MAX).map(named);
}

/** A wait, of whatever task. */
type Wait = Pick<ProgramWait, "for" | "what" | "peers">;

/** A wait with its task, and the only task that can end it. */
export interface Found {
  readonly task: Struct;
  readonly wait: ProgramWait;
  readonly holder?: Struct;
  readonly isEndless?: boolean;
}

export const found = (task: Struct, wait: Wait): Found => ({ task, wait: { task: named(task), ...wait } });

/**
 * The wait for the other end of a pipe or a socket.
 * @param other the mode of the end that has to act
 */
export function endWait(reading: Reading, inode: Struct, other: number): Wait | undefined {
  const isRead = other === MODE_WRITE;
  if (inode.pointer("i_pipe") === 0n || fileSystemOf(inode) !== "pipefs") return socketWait(reading, inode, isRead ? "sender" : "receiver");
  return { for: isRead ? "writer" : "reader", what: `pipe:[${inode.big("i_ino")}]`, peers: openersOf(reading, inode, other) };
}

/** The wait of a task for a socket's other end: for data, room or an answer. */
export function socketWait(reading: Reading, inode: Struct, kind: "sender" | "receiver" | "connection"): Wait | undefined {
  if (fileSystemOf(inode) !== "sockfs") return undefined;
  const sock = socketOf(reading, inode), inet = sock && inetSocket(sock);
  if (inet) return inet.peerPort === 0 ? undefined : { for: kind, what: `${inet.peer} (${inet.type})`, peers: peersOf(reading, inet) };
  const peer = sock && unixPeer(reading, sock), other = peer && inodeOf(reading, peer);
  if (!peer || !other) return undefined;
  const path = unixPath(reading, sock) ?? unixPath(reading, peer), name = `socket:[${inode.big("i_ino")}]`;
  return { for: kind, what: path === null ? name : `${name} of ${path}`, peers: openersOf(reading, other, MODE_READ | MODE_WRITE) };
}

/** Processes of this kernel that have the other end. */
function peersOf(reading: Reading, { local, peer, type }: InetSocket): ProgramWait["peers"] {
  for (const address of openersIn(reading).keys()) {
    const inode = reading.struct("inode", address), sock = fileSystemOf(inode) === "sockfs" ? socketOf(reading, inode) : undefined;
    const other = sock && inetSocket(sock);
    if (other && other.type === type && other.local === peer && other.peer === local) {
      return openersOf(reading, inode, MODE_READ | MODE_WRITE);
    }
  }
  return [];
}

/** The name of an open file, with the address or the path of a socket. */
export function namedEnd(reading: Reading, file: Struct): string {
  const name = fileName(reading, file), inode = file.at("f_inode", "inode");
  const sock = inode && fileSystemOf(inode) === "sockfs" ? socketOf(reading, inode) : undefined, inet = sock && inetSocket(sock);
  if (inet) return `${inet.local} (${inet.type})`;
  const path = sock ? unixPath(reading, sock) : null;
  return path === null ? name : `${name} of ${path}`;
}
