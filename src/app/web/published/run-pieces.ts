// The scripts of a published run, which its page loads one after the other: a page that connects to
// nothing loads no other kind of file. Writer and reader.

import type { PackedFiles } from "../engine/messages.ts";
import { encodeBase64 } from "../../../kit/support/values/base64.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";

/** The subject of a page, as JSON in it. */
export interface PublishedRun {
  /** Name of the recording's file. */
  readonly name: string;
  /** The machine runs anew and takes keys, instead of the recording's replay. */
  readonly live: boolean;
  /** The recording and the files of its run. */
  readonly files: readonly PublishedFile[];
}

/** The parts of a page. */
export interface PageSubject extends Pick<PublishedRun, "name" | "live"> {
  readonly packed: PackedFiles;
}

/** A file of the run, compressed by gzip. */
interface PublishedFile {
  readonly name: string;
  readonly packed: number;
  readonly pieces: number;
}

/** Bytes of a piece, a multiple of three: texts of base64 that follow each other. */
const PIECE = 3 * MiB;

/** The function that a piece calls with its number and its bytes in base64. */
const CALL = "el2Piece";

export const pieceName = (number: number): string => `run-${number}.js`;

/** The page's words about a recording, and the scripts with the bytes of its files, by name. */
export function piecesOf(
  { name, live, packed }: PageSubject,
): { readonly run: PublishedRun; readonly scripts: ReadonlyMap<string, string> } {
  const scripts = new Map<string, string>(), files: PublishedFile[] = [];
  for (const [file, bytes] of packed) {
    const first = scripts.size;
    for (let at = 0; at < bytes.length; at += PIECE) {
      scripts.set(pieceName(scripts.size), `${CALL}(${scripts.size},"${encodeBase64(bytes.subarray(at, at + PIECE))}")\n`);
    }
    files.push({ name: file, packed: bytes.length, pieces: scripts.size - first });
  }
  return { run: { name, live, files }, scripts };
}

/** Bytes of all files of a run, compressed. */
export const packedSize = ({ files }: PublishedRun): number => files.reduce((sum, { packed }) => sum + packed, 0);

/**
 * The files of a published run. Their scripts leave nothing behind.
 * @param load executes a script of the page; it resolves false if there is none of that name
 * @param reached is called with the number of bytes that have come
 * @throws UserError that says how far it got
 */
export async function loadPieces(
  run: PublishedRun,
  load: (script: string) => Promise<boolean>,
  reached: (bytes: number) => void,
): Promise<PackedFiles> {
  const all = packedSize(run), loaded = new Map<string, Uint8Array<ArrayBuffer>>();
  let number = 0, bytes = 0;
  const cut = (why: string) => new UserError(`${run.name}: ${why}: ${bytes} of ${all} bytes have come`, "load the page again");
  for (const { name, packed, pieces } of run.files) {
    const come: Uint8Array[] = [];
    for (const end = number + pieces; number < end; number++) {
      const { isThere, piece } = await loadPiece(number, load);
      if (!piece) throw cut(`${pieceName(number)} is ${isThere ? "not whole" : "missing"}`);
      come.push(piece);
      reached(bytes += piece.length);
    }
    const file = joined(come);
    if (file.length !== packed) throw cut("a part is not whole");
    loaded.set(name, file);
  }
  return loaded;
}

/** The bytes of a piece, if its script comes and is whole. */
async function loadPiece(number: number, load: (script: string) => Promise<boolean>) {
  let piece: Uint8Array | undefined;
  Reflect.set(globalThis, CALL, (called: number, text: string) => {
    if (called === number) piece = Uint8Array.fromBase64(text);
  });
  const isThere = await load(pieceName(number));
  Reflect.deleteProperty(globalThis, CALL);
  return { isThere, piece };
}
