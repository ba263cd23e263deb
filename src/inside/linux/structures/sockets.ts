// Sockets, by the processes that have them open (include/net/sock.h in the kernel's sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { openFiles } from "./files.ts";
import { textOf } from "../kernel/memory.ts";
import { fileSystemOf } from "./paths.ts";
import type { Reading } from "../kernel/reading.ts";
import { processes } from "./tasks.ts";
import type { Struct } from "../kernel/types.ts";

type SocketRow = RowOf<LinuxTables["linux.sockets"]>;

const OF = "sockets";
/** Address families, types, and states of TCP, by number. */
const FAMILIES: Readonly<Record<number, string>> = { 1: "unix", 2: "inet", 10: "inet6", 16: "netlink", 17: "packet", 40: "vsock" };
const TYPES: Readonly<Record<number, string>> = { 1: "stream", 2: "dgram", 3: "raw", 5: "seqpacket" };
const STATES = [
  ...["", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "close", "close-wait", "last-ack", "listen"],
  ...["closing", "new-syn-recv"],
] as const;
const UNIX = 1, INET = 2, INET6 = 10, STREAM = 1, DATAGRAM = 2, PATH_MAX = 108, IPV4_SIZE = 4, IPV6_SIZE = 16;

interface Open {
  readonly process: Struct;
  readonly fd: number;
  readonly inode: Struct;
}

function* openSockets(reading: Reading): Generator<Open> {
  for (const process of processes(reading)) {
    for (const { fd, file } of openFiles(reading, process)) {
      const inode = file.at("f_inode", "inode");
      if (inode && fileSystemOf(inode) === "sockfs") yield { process, fd, inode };
    }
  }
}

export function readSockets(reading: Reading): SocketRow[] {
  // A socket that several processes have is listed with the first of them.
  const seen = new Set<bigint>();
  return reading.rows(OF, () => openSockets(reading), ({ process, fd, inode }) => {
    if (seen.has(inode.address)) return undefined;
    seen.add(inode.address);
    const sock = socketOf(reading, inode);
    if (!sock) return undefined;
    const family = sock.number("__sk_common.skc_family"), type = sock.number("sk_type"), isInet = family === INET || family === INET6;
    return {
      id: formatId({ kind: "socket", vm: reading.vm, number: inode.number("i_ino") }),
      vm: vmId(reading.vm),
      family: socketFamily(sock),
      type: TYPES[type] ?? String(type),
      state: isInet && type === STREAM ? STATES[sock.number("__sk_common.skc_state")] ?? null : null,
      ...(isInet ? inetEnds(sock, family) : { local: unixPath(reading, sock), peer: null }),
      pid: process.number("pid"),
      name: process.text("comm"),
      fd,
    };
  });
}

const socketOffset = (reading: Reading, field: "vfs_inode" | "socket") => reading.struct("socket_alloc", 0n).addressOf(field);

/** The socket of an inode; undefined while it has none. */
export const socketOf = (reading: Reading, inode: Struct): Struct | undefined =>
  reading.struct("socket", inode.address - socketOffset(reading, "vfs_inode") + socketOffset(reading, "socket")).at("sk", "sock");

/** The inode of a socket; undefined after it was closed. */
export function inodeOf(reading: Reading, sock: Struct): Struct | undefined {
  const socket = sock.pointer("sk_socket");
  if (socket === 0n) return undefined;
  return reading.struct("inode", socket - socketOffset(reading, "socket") + socketOffset(reading, "vfs_inode"));
}

/** The other end of a socket of family unix; undefined without one. */
export const unixPeer = (reading: Reading, sock: Struct): Struct | undefined =>
  sock.number("__sk_common.skc_family") === UNIX ? reading.struct("unix_sock", sock.address).at("peer", "sock") : undefined;

/** The name of a socket's address family. */
export function socketFamily(sock: Struct): string {
  const family = sock.number("__sk_common.skc_family");
  return FAMILIES[family] ?? String(family);
}

/** A socket of TCP or UDP; `peerPort` is 0 if it has no other end. */
export interface InetSocket {
  readonly type: "TCP" | "UDP";
  readonly local: string;
  readonly peer: string;
  readonly peerPort: number;
}

/** Undefined for those of other families and types. */
export function inetSocket(sock: Struct): InetSocket | undefined {
  const family = sock.number("__sk_common.skc_family"), type = sock.number("sk_type");
  if (family !== INET && family !== INET6 || type !== STREAM && type !== DATAGRAM) return undefined;
  const peerPort = sock.number("__sk_common.skc_dport");
  const { local, peer } = inetEnds(sock, family);
  return { type: type === STREAM ? "TCP" : "UDP", local: unmapped(local), peer: unmapped(peer), peerPort };
}

/** An address of IPv4 that a socket of IPv6 has (RFC 4291); its other end has it as it is. */
const MAPPED = /^\[0:0:0:0:0:ffff:([0-9a-f]+):([0-9a-f]+)\]/;
const unmapped = (end: string) =>
  end.replace(
    MAPPED,
    (_, ...halves: string[]) => halves.slice(0, 2).map((half) => parseInt(half, 16)).flatMap((half) => [half >> 8, half & 0xff]).join("."),
  );

/** Both ends. The local port is in the CPU's byte order, the peer's in that of the network. */
function inetEnds(sock: Struct, family: number): { local: string; peer: string } {
  const port = sock.number("__sk_common.skc_dport"), swapped = (port & 0xff) << 8 | port >>> 8;
  const [local, peer] = family === INET
    ? ["skc_rcv_saddr", "skc_daddr"].map((name) => ipv4(bytesAt(sock, name, IPV4_SIZE)))
    : ["skc_v6_rcv_saddr", "skc_v6_daddr"].map((name) => ipv6(bytesAt(sock, name, IPV6_SIZE)));
  return { local: `${local}:${sock.number("__sk_common.skc_num")}`, peer: `${peer}:${swapped}` };
}

const bytesAt = (sock: Struct, name: string, size: number) => sock.memory.bytes(sock.addressOf(`__sk_common.${name}`), size);
const ipv4 = (bytes: Uint8Array) => bytes.join(".");
const ipv6 = (bytes: Uint8Array) =>
  `[${Array.from({ length: IPV6_SIZE / 2 }, (_, index) => (bytes[2 * index] << 8 | bytes[2 * index + 1]).toString(16)).join(":")}]`;

/** The path of a socket of family unix; those in the abstract namespace begin with @. */
export function unixPath(reading: Reading, sock: Struct): string | null {
  if (sock.number("__sk_common.skc_family") !== UNIX) return null;
  const address = reading.struct("unix_sock", sock.address).at("addr", "unix_address");
  if (!address) return null;
  const size = Math.min(address.number("len") - 2, PATH_MAX);
  if (size <= 0) return null;
  const bytes = reading.memory.bytes(address.addressOf("name") + 2n, size);
  reading.spend(size >> 4);
  return bytes[0] === 0 ? `@${textOf(bytes.subarray(1))}` : textOf(bytes);
}
