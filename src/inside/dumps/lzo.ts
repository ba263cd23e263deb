// LZO1X, as makedumpfile packs pages (the stream: Linux, Documentation/staging/lzo.rst). An
// instruction copies bytes that were written before, then up to three literal ones.

import { PackedError } from "./file-memory.ts";

/** Literals after which another one follows in the same instruction, or a long run of them. */
const LONG_RUN = 4;

/**
 * Fills `into` with the unpacked bytes.
 * @throws PackedError where they do not fill it exactly
 */
export function unpackLzo(packed: Uint8Array, into: Uint8Array): void {
  let at = 0, written = 0, literals = 0;
  const byte = (): number => {
    if (at >= packed.length) throw new PackedError(`the stream ends inside of an instruction at byte ${at}`);
    return packed[at++];
  };
  /** A length whose field is 0 continues in the next bytes. */
  const length = (field: number, most: number): number => {
    if (field) return field;
    for (let more = most;; more += 255) {
      const next = byte();
      if (next) return more + next;
    }
  };
  const copyLiterals = (count: number) => {
    if (at + count > packed.length || written + count > into.length) {
      throw new PackedError(`${count} literal bytes at byte ${at} are too many`);
    }
    into.set(packed.subarray(at, at + count), written);
    at += count;
    written += count;
  };
  const copyMatch = (distance: number, count: number) => {
    if (distance > written || written + count > into.length) {
      throw new PackedError(`a copy of ${count} bytes from ${distance} before, at byte ${at}`);
    }
    // It may reach into what it writes itself.
    for (const end = written + count; written < end; written++) into[written] = into[written - distance];
  };
  if (packed[0] > 17) {
    const count = byte() - 17;
    copyLiterals(count);
    literals = Math.min(count, LONG_RUN);
  }
  for (;;) {
    const code = byte();
    if (code < 16 && literals === 0) {
      copyLiterals(3 + length(code, 15));
      literals = LONG_RUN;
      continue;
    }
    let after = code & 3;
    if (code < 16) {
      const high = byte() << 2, low = code >>> 2;
      if (literals === LONG_RUN) copyMatch(2049 + high + low, 3);
      else copyMatch(1 + high + low, 2);
    } else if (code < 64) {
      const isFar = code < 32, count = 2 + (isFar ? length(code & 7, 7) : length(code & 31, 31)), word = byte() | byte() << 8;
      const distance = isFar ? 16384 + ((code & 8) << 11) + (word >>> 2) : 1 + (word >>> 2);
      if (isFar && distance === 16384) break;
      copyMatch(distance, count);
      after = word & 3;
    } else {
      const count = code < 128 ? 3 + (code >>> 5 & 1) : 5 + (code >>> 5 & 3);
      copyMatch(1 + (byte() << 3) + (code >>> 2 & 7), count);
    }
    copyLiterals(after);
    literals = after;
  }
  if (written !== into.length) throw new PackedError(`${written} bytes, not ${into.length}`);
}
