// Datagrams that arrive in fragments (RFC 791 section 3.2, RFC 8200 section 4.5), put together
// again. A sender that never completes them costs a bounded number of bytes.

import type { Address } from "./ip-addresses.ts";
import { behindExtensions, type Fragment, type IpPacket } from "./packets.ts";

/** Datagrams that may be incomplete at a time; the oldest makes room. */
const DATAGRAMS_MAX = 16;
/** Fragments of a datagram: more than senders make of 64 KiB on a link of 576 bytes. */
const FRAGMENTS_MAX = 128;
/** Bytes of a datagram without its header. */
const LENGTH_MAX = 65_535;

/** A datagram of which fragments are missing. */
interface Incomplete {
  readonly first: IpPacket;
  readonly pieces: { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Bytes that have come. */
  had: number;
  /** Bytes of the whole, once the last fragment has come. */
  length: number | undefined;
  /** Of the first fragment, once it has come. */
  protocol: number | undefined;
  readonly forget: () => void;
}

interface ReassemblyOptions {
  /** Calls back when the rest of a datagram is no longer waited for; gives what takes that back. */
  later(action: () => void): () => void;
  /** A datagram is given up, of which these bytes came. */
  dropped(packet: IpPacket, bytes: number): void;
}

/** The incomplete datagrams of one sender. */
export class Reassembly {
  readonly #datagrams = new Map<string, Incomplete>();

  constructor(readonly options: ReassemblyOptions) {}

  /** Whether something is waited for. */
  get busy(): boolean {
    return this.#datagrams.size > 0;
  }

  /** A packet that has come: the datagram that is whole now, if any. */
  add<A extends Address>(packet: IpPacket<A>): IpPacket<A> | undefined {
    const { fragment, payload, source, destination, protocol } = packet;
    if (!fragment) return packet;
    // Fragments of IPv6 may name different protocols; the first one counts.
    const key = `${source} ${destination} ${typeof source === "number" ? protocol : ""} ${fragment.id}`;
    const known = this.#datagrams.get(key) ?? this.#begin(key, packet);
    const { offset, more } = fragment, end = offset + payload.length;
    if (!fits(known, fragment, payload.length)) {
      this.#drop(key, known);
      return undefined;
    }
    known.pieces.push({ offset, bytes: payload.slice() });
    known.had += payload.length;
    if (!more) known.length = end;
    if (offset === 0) known.protocol = protocol;
    if (known.length !== known.had || known.protocol === undefined) return undefined;
    this.#forget(key, known);
    const bytes = new Uint8Array(known.had);
    for (const piece of known.pieces) bytes.set(piece.bytes, piece.offset);
    const content = typeof source === "number" ? { protocol, payload: bytes } : behindExtensions(known.protocol, bytes);
    return content && { hops: packet.hops, source, destination, ...content };
  }

  /** Forgets all. */
  close(): void {
    for (const [key, datagram] of this.#datagrams) this.#forget(key, datagram);
  }

  #begin(key: string, first: IpPacket): Incomplete {
    if (this.#datagrams.size >= DATAGRAMS_MAX) {
      const [oldest] = this.#datagrams;
      this.#drop(...oldest);
    }
    const forget = this.options.later(() => this.#drop(key, datagram));
    const datagram: Incomplete = { first, pieces: [], had: 0, length: undefined, protocol: undefined, forget };
    this.#datagrams.set(key, datagram);
    return datagram;
  }

  #forget(key: string, { forget }: Incomplete): void {
    this.#datagrams.delete(key);
    forget();
  }

  #drop(key: string, datagram: Incomplete): void {
    this.#forget(key, datagram);
    this.options.dropped(datagram.first, datagram.had);
  }
}

/** Whether a fragment of `length` bytes completes what has come: none overlaps another. */
function fits(known: Incomplete, { offset, more }: Fragment, length: number): boolean {
  const end = offset + length;
  if (length === 0 || end > LENGTH_MAX || more && length % 8 !== 0 || known.pieces.length >= FRAGMENTS_MAX) return false;
  if (known.length !== undefined && (!more || end > known.length)) return false;
  return known.pieces.every(({ offset: start, bytes }) => {
    const stop = start + bytes.length;
    return stop <= offset || start >= end && more;
  });
}
