// Compressed dumps as makedumpfile writes them, for tests.

import zlib from "node:zlib";
import { joined } from "../../../src/kit/support/values/bytes.ts";

const BITS = 8, DESCRIPTION = 24;
/** How a page is packed, and the flag for that. */
type Packing = readonly [flag: number, pack: (page: Uint8Array) => Uint8Array];
export const PACKINGS: Readonly<Record<"none" | "zlib" | "zstd", Packing>> = {
  none: [0, (page) => page],
  zlib: [1, (page) => zlib.deflateSync(page, { level: 1 })],
  zstd: [0x20, (page) => zlib.zstdCompressSync(page)],
};

interface KdumpOptions {
  readonly packing: Packing;
  readonly block?: number;
  /** The physical address of the first byte. */
  readonly address: number;
  /** Whether a page is left out. */
  readonly leaves?: (page: Uint8Array) => boolean;
  /** The first page and the one after the last, where the file is a part of a dump. */
  readonly part?: readonly [first: number, end: number];
}

const isZero = (page: Uint8Array) => page.every((byte) => byte === 0);

/** A dump of memory. */
export function kdumpOf(
  memory: Uint8Array,
  { packing: [flag, pack], block = 4096, address, leaves = isZero, part }: KdumpOptions,
): Uint8Array<ArrayBuffer> {
  const first = address / block, pages = first + memory.length / block, half = Math.ceil(pages / BITS / block) * block;
  const table = 2 * block + 2 * half, head = new Uint8Array(table), view = new DataView(head.buffer);
  head.set(new TextEncoder().encode("KDUMP   "));
  view.setInt32(8, 6, true);
  view.setInt32(428, block, true);
  view.setInt32(432, 1, true);
  view.setUint32(436, 2 * half / block, true);
  view.setUint32(440, pages, true);
  view.setBigUint64(block + 96, BigInt(pages), true);
  if (part) {
    view.setInt32(block + 12, 1, true);
    view.setBigUint64(block + 80, BigInt(part[0]), true);
    view.setBigUint64(block + 88, BigInt(part[1]), true);
  }
  const kept: number[] = [], pageOf = (page: number) => memory.subarray((page - first) * block, (page - first + 1) * block);
  for (let page = first; page < pages; page++) {
    const at = 2 * block + (page >>> 3), bit = 1 << (page & 7);
    head[at] |= bit;
    if (leaves(pageOf(page))) continue;
    head[at + half] |= bit;
    if (!part || page >= part[0] && page < part[1]) kept.push(page);
  }
  const descriptions = new Uint8Array(DESCRIPTION * kept.length),
    described = new DataView(descriptions.buffer),
    parts: Uint8Array[] = [head, descriptions];
  let at = table + descriptions.length;
  for (const [index, page] of kept.entries()) {
    const plain = pageOf(page), packed = pack(plain), isSmaller = packed.length < block, stored = isSmaller ? packed : plain;
    described.setBigUint64(DESCRIPTION * index, BigInt(at), true);
    described.setUint32(DESCRIPTION * index + 8, stored.length, true);
    described.setUint32(DESCRIPTION * index + 12, isSmaller ? flag : 0, true);
    parts.push(stored);
    at += stored.length;
  }
  return joined(parts);
}

/** A piece of a file: where it belongs, and its bytes. */
export type Piece = readonly [place: number, bytes: Uint8Array];

/** The same as it is written through a pipe, in pieces. */
export function flattenedOf(pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(4096);
  header.set(new TextEncoder().encode("makedumpfile"));
  header[23] = header[31] = 1;
  const pieceOf = (place: number, size: number) => {
    const bytes = new Uint8Array(16), view = new DataView(bytes.buffer);
    view.setBigInt64(0, BigInt(place));
    view.setBigInt64(8, BigInt(size));
    return bytes;
  };
  return joined([header, ...pieces.flatMap(([place, bytes]) => [pieceOf(place, bytes.length), bytes]), pieceOf(-1, -1)]);
}

/** Pieces of a file of so many bytes. */
export function piecesOf(bytes: Uint8Array, size: number): Piece[] {
  return Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, index) => [index * size, bytes.subarray(index * size, (index + 1) * size)],
  );
}

/** 64 KiB of text, zeros, and copies from near and far, by `lzop -1`. */
export const LZO =
  "AL5sTnSSEyUiLjGhzRO+Eu1CaWbOJPwj19qNIJdhagaVbsKK1AMTaCjUVx48Xe5uXsBKkRFfXTtRPsJTpBatbuU4lBHQKJqjTPXANHxZyvCElfNhGwtQaNWY" +
  "BPkutymZVVd5mb54wBBmhwKZ5X9s0jW8+49Ene7iO+HszIy/9b++wgvb+Guc5U+FtgfPRulKSyr71OWPT+FcERKCGKMrGPdy34/Vekdb3uR0NJMmXJGd2Yvm" +
  "VFmKnQ8fDtQq3eDc2F6Qbq0c2avqngAAAAAAAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAIEYABC/wAwCY2NhYWKyAGJh3QBjpAFgA2QBAmJhYmJjrAQGYmNhYmNhY2FjnAEGYmNjYmFiYWNibAhwAXkDYnYHYWJgAwJhY2FiYWAEAmFhYWNh" +
  "kQBjYgNjYWAIAmFiY2JifAtgCmgFkQlhYAZjCmNjYXgDcA9sDngHAWFjY2NtBmKAAI0MY3gNcAxgCXgClApgFrgQhBRwFZwDbRFiiBFkFqAIZApwE2wVbQBi" +
  "hB10EH0PYpAjbB6WFWNjbR9hcBB0FWwMbCacBogjbCZuHGNiYBZ4G24RYmJkHmgJdA9gBXkjY2kNYmwLYBuhHWEQAAAAAAAAAAAAAAC64BIiEDMgAAhUNBA9" +
  "Y0l4eXoSwkpjYSAAAAAAAAAAAAAAAKPMNCAAAAAAAAAAAAAAAKKsYyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAGHcLhBb0MQQAAAAAAAAAAAAAAAmcCoAAwAAAAAAAAAAAAAAAAAAAAAAAAAAACAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACwAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAEQAA";

/** The same page, by `snappy_compress` of libsnappy. */
export const SNAPPY =
  "gIAE8NBsTnSSEyUiLjGhzRO+Eu1CaWbOJPwj19qNIJdhagaVbsKK1AMTaCjUVx48Xe5uXsBKkRFfXTtRPsJTpBatbuU4lBHQKJqjTPXANHxZyvCElfNhGwtQaNWY" +
  "BPkutymZVVd5mb54wBBmhwKZ5X9s0jW8+49Ene7iO+HszIy/9b++wgvb+Guc5U+FtgfPRulKSyr71OWPT+FcERKCGKMrGPdy34/Vekdb3uR0NJMmXJGd2YvmVFmK" +
  "nQ8fDtQq3eDc2F6Qbq0c2avqngAAAAAAAAAAAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4H" +
  "AP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAP4HAHoHAP4wQ/4wQ/4wQx4w" +
  "QxBjY2FhYgkFBGJhDQgNCgEZARQQYmFiYmMJJCBiY2FiY2FjYWMFEARiYwEcCGFjYgFEAQ0BHwU+HGFiYmFiYWFjAQUMYmFjYQELBQUAYwEZBGNhAUEQYWJjYmIB" +
  "YAFRASsFTQF2AWQBjAEfAX0FEAEBCGNjYwE0CQEFZABjDTYFSQEYBVYBsQG7DaIBrQFpAZQBCQWKEVoBUgkSAakJOwFsBGJhAYABUAFHAeUAYgHkAfwBxgV4AU0h" +
  "NAHoAfwBOSUIAWcBygVTAegJ0AmVAVAJiwERLVABEgEV/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE" +
  "/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE/rdE3rdEDsUM/hYN/hYN/hYN" +
  "/hYNnhYN/lhSFlhSCHh5eg6wUgRjYf40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40" +
  "Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40Df40DeI0Df4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4B" +
  "AP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAP4BAL4BAP40cY40cf5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5U" +
  "Vv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVv5UVt5UVg==";
