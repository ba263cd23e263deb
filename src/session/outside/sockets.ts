// The computer's network for NATs: sockets of node:net and node:dgram, which Deno has without
// unstable flags.

import type { Socket } from "node:net";
import type { OutsideNetwork, OutsideStream, StreamListener, UnixSockets } from "../../machine/virtio/outside-network.ts";
import { type Address, addressText, DNS_PORT, ip, parseIp, parseIp6 } from "../../kit/formats/ip-addresses.ts";
import { embedded } from "../../machine/virtio/net/nat/policy.ts";
import { node } from "../../kit/support/node-modules.ts";
import { computerResolvers } from "../../kit/formats/resolv-conf.ts";
import { Resolvers } from "./resolvers.ts";
import { checkSteadyFolder, checkTrustedSocket, lstatIfThere, NotOurs, removeIfThere } from "../../kit/support/files/own-files.ts";
import { closed, inClosedFolder } from "../../kit/support/files/own-socket.ts";
import { isOfSystem } from "../../kit/support/system-error.ts";

/** The network of the machine that this program runs on. */
export function computerSockets(): OutsideNetwork {
  const resolvers = new Resolvers(computerResolvers, later);
  const nameServer = resolvers.first;
  const isDns = (address: Address, port: number) => address === nameServer && port === DNS_PORT;
  return {
    connect(address, port, own, listener) {
      const socket = new node.net.Socket({ allowHalfOpen: true });
      socket.on("connect", () => listener.connected());
      listenTo(socket, listener);
      const host = addressText(isDns(address, port) ? resolvers.first : address);
      allowedBy(own, address).then((allowed) => {
        if (socket.destroyed) return;
        if (allowed) socket.connect({ host, port });
        else socket.destroy(new Error(`${host} is an address of this computer`));
      });
      return streamOf(socket, listener);
    },
    datagrams(address, port, own, receive, problem) {
      if (!isDns(address, port)) return datagrams(address, port, own, receive);
      return resolvers.datagrams((resolver, take) => datagrams(resolver, port, own, take), receive, problem);
    },
    datagramPort(port, receive, problem) {
      const socket = node.dgram.createSocket("udp4");
      socket.on("message", (bytes: Uint8Array, peer) => receive({ address: ip(peer.address), port: peer.port }, plainBytes(bytes)));
      socket.on("error", (error: Error) => problem(`cannot forward UDP port ${port} of 127.0.0.1: ${error.message}`));
      socket.bind(port, "127.0.0.1");
      return { send: (peer, bytes) => socket.send(bytes, peer.port, addressText(peer.address)), close: () => socket.close() };
    },
    listen(port, accept, problem) {
      const server = node.net.createServer({ allowHalfOpen: true }, (socket: Socket) => accepted(socket, accept));
      server.on("error", (error: Error) => problem(`cannot forward port ${port} of 127.0.0.1: ${error.message}`));
      server.listen(port, "127.0.0.1");
      return { close: () => server.close() };
    },
    later,
    nameServer,
  };
}

function later(milliseconds: number, action: () => void): () => void {
  const timer = setTimeout(action, milliseconds);
  return () => clearTimeout(timer);
}

/** A socket for datagrams to one peer, and its answers. */
function datagrams(address: Address, port: number, own: boolean, receive: (bytes: Uint8Array) => void) {
  const host = addressText(address);
  const socket = node.dgram.createSocket(socketType(address));
  // Others who know or guess the port may send, too: answers are the peer's alone.
  socket.on("message", (bytes: Uint8Array, from) => {
    if (from.port === port && addressOf(from.address) === address) receive(plainBytes(bytes));
  });
  // A peer that is not there answers by ICMP; a datagram is then lost, as on any network.
  socket.on("error", () => {});
  socket.unref();
  const allowed = allowedBy(own, address);
  let closed = false;
  return {
    send: (bytes: Uint8Array) => void allowed.then((may) => may && !closed && socket.send(bytes, port, host)),
    close: () => {
      closed = true;
      socket.close();
    },
  };
}

/** How long it is remembered whether an address is this computer's, ms, and of how many. */
const OWN_TIME = 30_000;
const OWN_MAX = 1024;
const known = new Map<Address, { readonly until: number; readonly own: Promise<boolean> }>();

/**
 * Whether an address is one of this computer's: a socket can be bound to it. Asking for the
 * interfaces takes a permission that el2 does not have. Where the answer is not known, such as
 * without a free descriptor, it is yes.
 */
function isOwn(address: Address): Promise<boolean> {
  const now = performance.now(), before = known.get(address);
  if (before && before.until > now) return before.own;
  if (known.size >= OWN_MAX) known.clear();
  const own = new Promise<boolean>((resolve) => {
    const socket = node.dgram.createSocket(socketType(address));
    const tell = (own: boolean) => {
      socket.close();
      resolve(own);
    };
    socket.on("error", ({ code }: Error & { code?: string }) => {
      if (code !== "EADDRNOTAVAIL") known.delete(address);
      tell(code !== "EADDRNOTAVAIL");
    });
    socket.bind(0, addressText(address), () => tell(true));
  });
  known.set(address, { until: now + OWN_TIME, own });
  return own;
}

function socketType(address: Address): "udp4" | "udp6" {
  return typeof address === "number" ? "udp4" : "udp6";
}

/**
 * Whether a connection to an address is allowed that may be this computer's only with `own`; one
 * that is translated to IPv4 may lead back to it.
 */
async function allowedBy(own: boolean, address: Address): Promise<boolean> {
  if (own) return true;
  const inside = embedded(address);
  return !await isOwn(address) && (inside === undefined || !await isOwn(inside));
}

/** Unix sockets of the machine that this program runs on. */
export function unixSockets(): UnixSockets {
  return {
    connect(path, listener) {
      const socket = new node.net.Socket({ allowHalfOpen: true });
      socket.on("connect", () => listener.connected());
      listenTo(socket, listener);
      const problem = untrusted(() => checkTrustedSocket(path));
      if (problem === undefined) socket.connect({ path });
      else queueMicrotask(() => socket.destroy(new Error(problem)));
      return streamOf(socket, listener);
    },
    listen(path, accept, problem) {
      const server = node.net.createServer({ allowHalfOpen: true }, (socket: Socket) => accepted(socket, accept));
      const report = (text: string) => problem(`socket ${path}: ${text}`);
      server.on("error", (error: Error) => report(error.message));
      let inode: number | null | undefined;
      const refused = untrusted(() => {
        checkSteadyFolder(node.path.dirname(path));
        if (lstatIfThere(path)) throw new NotOurs("exists", "remove it, or name another one");
        inode = inClosedFolder(path, (first) => {
          // It is bound when `listen` returns.
          server.listen(first);
          const number = closed(first);
          // Unlike a rename, this replaces nothing.
          Deno.linkSync(first, path);
          return number;
        });
      });
      if (refused !== undefined) {
        server.close();
        queueMicrotask(() => report(refused));
      }
      return {
        close() {
          // Until it is closed, no other file gets its inode.
          if (inode !== undefined && lstatIfThere(path)?.ino === inode) removeIfThere(path);
          server.close();
        },
      };
    },
  };
}

/** The reason of a check that refuses. */
function untrusted(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error) || !(error instanceof NotOurs || isOfSystem(error))) throw error;
    return error.message;
  }
}

/** The address that a socket names. */
function addressOf(text: string): Address | undefined {
  return parseIp(text) ?? parseIp6(text.replace(/%.*/, ""));
}

function listenTo(socket: Socket, listener: StreamListener): void {
  let problem: string | undefined;
  socket.setNoDelay(true);
  socket.on("data", (bytes: Uint8Array) => listener.data(plainBytes(bytes)));
  socket.on("end", () => listener.ended());
  socket.on("drain", () => listener.drained());
  socket.on("error", (error: Error) => problem = error.message);
  socket.on("close", () => listener.closed(problem));
}

/** A copy that is not a Buffer, whose JSON differs. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

/** A connection that the computer has made. */
function accepted(socket: Socket, accept: (stream: OutsideStream) => StreamListener): void {
  const listener: StreamListener = accept(streamOf(socket, { full: () => listener.full() }));
  listenTo(socket, listener);
}

function streamOf(socket: Socket, listener: Pick<StreamListener, "full">): OutsideStream {
  return {
    // The writer is in the middle of a guest's access: the socket's reaction must come later.
    write: (bytes) => void (socket.write(bytes) || queueMicrotask(() => listener.full())),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}
