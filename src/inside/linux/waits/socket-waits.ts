// Waits of programs on sockets that have another end: a socket of family unix leads to it, and the
// two ends of a TCP connection in one kernel have each other's addresses.

import type { ProgramWait } from "../../../model/queries/facts/linux-finding.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE } from "../structures/files.ts";
import { fileSystemOf } from "../structures/paths.ts";
import { type InetSocket, inetSocket, inodeOf, socketOf, unixPath, unixPeer } from "../structures/sockets.ts";
import { openersOf, openInodes } from "./openers.ts";

type Wait = Pick<ProgramWait, "for" | "what" | "peers">;

/** The wait of a task for data, room or an answer of a socket's other end; undefined without one. */
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
  for (const address of openInodes(reading)) {
    const inode = reading.struct("inode", address), sock = fileSystemOf(inode) === "sockfs" ? socketOf(reading, inode) : undefined;
    const other = sock && inetSocket(sock);
    if (other && other.type === type && other.local === peer && other.peer === local) {
      return openersOf(reading, inode, MODE_READ | MODE_WRITE);
    }
  }
  return [];
}
