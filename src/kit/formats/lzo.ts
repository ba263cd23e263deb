// LZO1X, as makedumpfile packs pages and pstore its records (the stream: Linux,
// Documentation/staging/lzo.rst). An instruction copies bytes that were written before, then up to
// three literal ones.

import { Unpacking } from "./unpacking.ts";

/** Literals after which another one follows in the same instruction, or a long run of them. */
const LONG_RUN = 4;

/**
 * Unpacks a stream; how many bytes it has.
 * @throws PackedError where it is none, or has more than there is room for
 */
export function unpackLzo(packed: Uint8Array, into: Uint8Array): number {
  const stream = new Unpacking(packed, into);
  let literals = 0;
  /** A length whose field is 0 continues in the next bytes. */
  const length = (field: number, most: number): number => {
    if (field) return field;
    for (let more = most;; more += 255) {
      const next = stream.byte();
      if (next) return more + next;
    }
  };
  if (packed[0] > 17) {
    const count = stream.byte() - 17;
    stream.literals(count);
    literals = Math.min(count, LONG_RUN);
  }
  for (;;) {
    const code = stream.byte();
    if (code < 16 && literals === 0) {
      stream.literals(3 + length(code, 15));
      literals = LONG_RUN;
      continue;
    }
    let after = code & 3;
    if (code < 16) {
      const high = stream.byte() << 2, low = code >>> 2;
      if (literals === LONG_RUN) stream.copy(2049 + high + low, 3);
      else stream.copy(1 + high + low, 2);
    } else if (code < 64) {
      const isFar = code < 32, count = 2 + (isFar ? length(code & 7, 7) : length(code & 31, 31)), word = stream.byte() | stream.byte() << 8;
      const distance = isFar ? 16384 + ((code & 8) << 11) + (word >>> 2) : 1 + (word >>> 2);
      if (isFar && distance === 16384) break;
      stream.copy(distance, count);
      after = word & 3;
    } else {
      const count = code < 128 ? 3 + (code >>> 5 & 1) : 5 + (code >>> 5 & 3);
      stream.copy(1 + (stream.byte() << 3) + (code >>> 2 & 7), count);
    }
    stream.literals(after);
    literals = after;
  }
  return stream.written;
}
