// Reads PNG images without filters, as el2 writes them.

import assert from "node:assert/strict";
import zlib from "node:zlib";

/** A part of a PNG. */
export interface Chunk {
  readonly name: string;
  readonly content: Uint8Array;
  readonly checksum: number;
}

/** The parts of a PNG. */
export function chunksOf(file: Uint8Array): Chunk[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength), chunks: Chunk[] = [];
  assert.equal(view.getBigUint64(0), 0x89504e470d0a1a0an);
  for (let at = 8; at < file.length;) {
    const size = view.getUint32(at), name = new TextDecoder().decode(file.subarray(at + 4, at + 8));
    chunks.push({ name, content: file.slice(at + 8, at + 8 + size), checksum: view.getUint32(at + 8 + size) });
    at += 12 + size;
  }
  return chunks;
}

/** Red, green and blue of each pixel, in rows from the top. */
export function pixelsOf(file: Uint8Array): { readonly width: number; readonly height: number; readonly pixels: Uint8Array } {
  const chunks = chunksOf(file), header = new DataView(chunks[0].content.buffer);
  const width = header.getUint32(0), height = header.getUint32(4), row = 1 + 3 * width;
  const rows = new Uint8Array(zlib.inflateSync(chunks[1].content));
  assert.equal(rows.length, height * row);
  const pixels = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    assert.equal(rows[y * row], 0);
    pixels.set(rows.subarray(y * row + 1, (y + 1) * row), y * width * 3);
  }
  return { width, height, pixels };
}
