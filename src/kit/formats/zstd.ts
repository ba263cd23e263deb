// The extent of zstd frames (RFC 8878, section 3) and of their parts, without unpacking them.
// Streaming decompressors take truncated data for its end.

/** Bytes of a file or buffer: fewer at its end. */
export type ReadAt = (offset: number, size: number) => Uint8Array;

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

/**
 * The ends of the parts of the frame that begins at `start`: header and first block, each further
 * block, the checksum. Returns the end of the frame; undefined if none begins there, or it is cut
 * off.
 */
function* partEnds(readAt: ReadAt, start: number): Generator<number, number | undefined> {
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
      if (isThere(readAt, end)) yield end;
    }
    if (descriptor >> 2 & 1) end += CHECKSUM;
  }
  return isThere(readAt, end) ? end : undefined;
}

/** Whether there are bytes up to `end`. */
function isThere(readAt: ReadAt, end: number): boolean {
  return readAt(end - 1, 1).length === 1;
}

/** End of the frame that begins at `start`; undefined if none begins there, or it is cut off. */
export function zstdFrameEnd(readAt: ReadAt, start: number): number | undefined {
  const parts = partEnds(readAt, start);
  for (;;) {
    const { done, value } = parts.next();
    if (done) return value;
  }
}

/**
 * The parts of the frames up to the end of the data, without skippable frames. A part has at most
 * one block, and a checksum is another part.
 * @throws Error if there is something else, or a frame is cut off
 */
export function* zstdParts(readAt: ReadAt): Generator<Uint8Array> {
  let at = 0;
  do {
    const parts = partEnds(readAt, at), start = at;
    for (let done: boolean | undefined = false; !done;) {
      const part = parts.next();
      done = part.done;
      if (part.value === undefined) throw new Error("the zstd data is truncated or damaged");
      // A skippable frame is one part.
      if (part.value > at && !(done && at === start)) yield readAt(at, part.value - at);
      at = part.value;
    }
  } while (readAt(at, 1).length > 0);
}
