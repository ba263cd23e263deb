// PNG images (ISO/IEC 15948) of 8 bits per channel, without transparency.

import { joined } from "../support/bytes.ts";
import { node } from "../support/node-modules.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes of a pixel. */
export const RGB = 3;
const TRUECOLOR = 2, EIGHT_BITS = 8;

/**
 * The file of an image.
 * @param pixels red, green and blue of each pixel, in rows from the top
 */
export function png(width: number, height: number, pixels: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([EIGHT_BITS, TRUECOLOR], 8);
  // Each row begins with its filter: none.
  const rows = new Uint8Array(height * (1 + width * RGB));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width * RGB, (y + 1) * width * RGB), y * (1 + width * RGB) + 1);
  const signature = Uint8Array.from(SIGNATURE);
  return joined([signature, chunk("IHDR", header), chunk("IDAT", node.zlib.deflateSync(rows)), chunk("IEND", new Uint8Array())]);
}

/** A part of the file: its length, name, content, and the checksum of name and content. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + content.length), view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, node.zlib.crc32(bytes.subarray(4, 8 + content.length)));
  return bytes;
}
