// The flattened form in which makedumpfile and QEMU write a dump through a pipe: pieces, each after
// its place and size (makedumpfile(8), -F). A later piece may write over an earlier one.

import { begins, DumpStart } from "../../kit/support/files/written-files.ts";
import { firstIndex } from "../../kit/support/values/in-order.ts";
import { DumpError, type DumpSource } from "./file-memory.ts";

const HEADER = 4096, PIECE_HEADER = 16;
/** Pieces that are read: a writer gathers megabytes. */
const PIECES_MAX = 1 << 18;
/** Moves of pieces that are put in order: some write over the first one. */
const MOVES_MAX = 1 << 27;
/** Bytes that a file may have after it is put together. */
const SIZE_MAX = 2 ** 46;

/** Whether a file begins so. */
export const isFlattened = (beginning: Uint8Array): boolean => begins(beginning, DumpStart.flattened);

/** A piece: its place in the dump, and in the file. */
interface Piece {
  readonly place: number;
  readonly size: number;
  readonly at: number;
}

/**
 * The dump that the pieces make.
 * @throws DumpError
 */
export function putTogether(source: DumpSource): DumpSource {
  const pieces: Piece[] = [], header = new Uint8Array(PIECE_HEADER), view = new DataView(header.buffer);
  for (let at = HEADER; at + PIECE_HEADER <= source.size;) {
    source.read(at, header);
    const place = Number(view.getBigInt64(0)), size = Number(view.getBigInt64(8));
    if (place < 0) break;
    if (!(size > 0 && place + size <= SIZE_MAX)) throw new DumpError(`${source.name}: byte ${at}: a piece of ${size} bytes at ${place}`);
    if (pieces.push({ place, size, at: at + PIECE_HEADER }) > PIECES_MAX) {
      throw new DumpError(`${source.name}: more than ${PIECES_MAX} pieces`, "put it together: makedumpfile -R DUMP < FILE");
    }
    at += PIECE_HEADER + size;
  }
  return {
    name: source.name,
    size: pieces.reduce((end, { place, size }) => Math.max(end, place + size), 0),
    read: readerOf(source, pieces),
  };
}

/** Reads pieces as one file; what none has is zero. */
function readerOf(source: DumpSource, pieces: readonly Piece[]): DumpSource["read"] {
  const sorted = piecesOnce(source.name, pieces);
  return (from, into) => {
    into.fill(0);
    const end = from + into.length;
    for (let index = firstAfter(sorted, from); index < sorted.length && sorted[index].place < end; index++) {
      const { place, size, at } = sorted[index], start = Math.max(place, from), stop = Math.min(place + size, end);
      source.read(at + start - place, into.subarray(start - from, stop - from));
    }
  };
}

/** Index of the first piece that ends after a place. */
const firstAfter = (pieces: readonly Piece[], place: number): number =>
  firstIndex(pieces.length, (index) => pieces[index].place + pieces[index].size > place);

/** Pieces in order, of each byte the one that was written last. @throws DumpError */
function piecesOnce(name: string, pieces: readonly Piece[]): Piece[] {
  const isInOrder = pieces.every(({ place }, index) => index === 0 || place >= pieces[index - 1].place + pieces[index - 1].size);
  if (isInOrder) return [...pieces];
  const kept: Piece[] = [];
  let left = MOVES_MAX;
  for (const piece of pieces) {
    // Most pieces follow all others, or write over a few of the last.
    const end = piece.place + piece.size, first = firstAfter(kept, piece.place);
    let after = first;
    while (after < kept.length && kept[after].place < end) after++;
    const begun = kept[first], ended = kept[after - 1];
    const before = after > first && begun.place < piece.place ? { ...begun, size: piece.place - begun.place } : undefined;
    const rest = after > first ? ended.place + ended.size - end : 0;
    left -= kept.length - first;
    if (left < 0) throw new DumpError(`${name}: its pieces are in no order`, "put it together: makedumpfile -R DUMP < FILE");
    kept.splice(first, after - first, piece);
    if (rest > 0) kept.splice(first + 1, 0, { place: end, size: rest, at: ended.at + ended.size - rest });
    if (before) kept.splice(first, 0, before);
  }
  return kept;
}
