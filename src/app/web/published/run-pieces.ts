// The scripts of a published run, which its page loads one after the other: a page that connects to
// nothing loads no other kind of file. Writer and reader.

import { decodeBase64, encodeBase64 } from "../../../kit/support/values/base64.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";

/** The subject of a page, as JSON in it. */
export interface PublishedRun {
  /** Name of the recording's file. */
  readonly name: string;
  /** Bytes of the recording, compressed by gzip. */
  readonly packed: number;
  readonly pieces: number;
}

/** Bytes of a piece, a multiple of three: texts of base64 that follow each other. */
const PIECE = 3 * MiB;

/** The function that a piece calls with its number and its bytes in base64. */
const CALL = "el2Piece";

export const pieceName = (number: number): string => `run-${number}.js`;

/** The page's words about a recording, and the scripts with its bytes, by name. */
export function piecesOf(name: string, packed: Uint8Array): { readonly run: PublishedRun; readonly scripts: ReadonlyMap<string, string> } {
  const scripts = new Map<string, string>();
  for (let at = 0; at < packed.length; at += PIECE) {
    scripts.set(pieceName(scripts.size), `${CALL}(${scripts.size},"${encodeBase64(packed.subarray(at, at + PIECE))}")\n`);
  }
  return { run: { name, packed: packed.length, pieces: scripts.size }, scripts };
}

/**
 * The bytes of a published recording.
 * @param load executes a script of the page; it resolves false if there is none of that name
 * @param reached is called with the number of bytes that have come
 * @throws UserError that says how far it got
 */
export async function loadPieces(
  { name, packed, pieces }: PublishedRun,
  load: (script: string) => Promise<boolean>,
  reached: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const come: Uint8Array[] = [];
  let bytes = 0;
  const cut = (why: string) => new UserError(`${name}: ${why}: ${bytes} of ${packed} bytes have come`, "load the page again");
  Object.assign(globalThis, {
    [CALL](number: number, text: string) {
      if (number === come.length) bytes += come[come.push(decodeBase64(text)) - 1].length;
    },
  });
  for (let number = 0; number < pieces; number++) {
    const isThere = await load(pieceName(number));
    if (come.length > number) reached(bytes);
    else throw cut(`${pieceName(number)} is ${isThere ? "not whole" : "missing"}`);
  }
  if (bytes !== packed) throw cut("a part is not whole");
  return joined(come);
}
