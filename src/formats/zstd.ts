// The extent of zstd frames (RFC 8878, section 3): where they end, without unpacking them.
// Streaming decompressors take truncated data for its end.

/** Bytes of a file or buffer: fewer at its end. */
type ReadAt = (offset: number, size: number) => Uint8Array;

const MAGIC = 0xfd2fb528;
/** Skippable frames: the last four bits are free. */
const SKIPPABLE = 0x184d2a50, SKIPPABLE_HEADER = 8;
/** Magic number, descriptor, and the most that the rest of a header takes. */
const HEADER_MAX = 18;
/** Bytes of the optional fields of a header, by two bits each. */
const DICTIONARY_SIZES = [0, 1, 2, 4], CONTENT_SIZES = [0, 2, 4, 8];
const BLOCK_HEADER = 3, CHECKSUM = 4;
/** Kind of a block that is one byte, repeated. */
const RLE = 1;

/** End of the frame that begins at `start`; undefined if none begins there, or it is cut off. */
export function zstdFrameEnd(readAt: ReadAt, start: number): number | undefined {
  const head = readAt(start, HEADER_MAX);
  if (head.length < SKIPPABLE_HEADER) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength), magic = view.getUint32(0, true);
  let end = start;
  if ((magic & ~0xf) === SKIPPABLE) end += SKIPPABLE_HEADER + view.getUint32(4, true);
  else if (magic !== MAGIC) return undefined;
  else {
    const descriptor = head[4], single = descriptor >> 5 & 1;
    const content = CONTENT_SIZES[descriptor >> 6] || single;
    end += 5 + (1 - single) + DICTIONARY_SIZES[descriptor & 3] + content;
    for (let last = 0; !last;) {
      const bytes = readAt(end, BLOCK_HEADER);
      if (bytes.length < BLOCK_HEADER) return undefined;
      const header = bytes[0] | bytes[1] << 8 | bytes[2] << 16;
      last = header & 1;
      end += BLOCK_HEADER + ((header >> 1 & 3) === RLE ? 1 : header >> 3);
    }
    if (descriptor >> 2 & 1) end += CHECKSUM;
  }
  return readAt(end - 1, 1).length === 1 ? end : undefined;
}

/** Whether there are frames up to the end and nothing else. */
export function isWholeZstd(readAt: ReadAt): boolean {
  for (let at = 0;;) {
    const end = zstdFrameEnd(readAt, at);
    if (end === undefined) return false;
    if (readAt(end, 1).length === 0) return true;
    at = end;
  }
}
