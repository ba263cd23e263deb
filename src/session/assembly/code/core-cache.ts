// Blueprints of cores in the cache folder (`core/`): one start generates them, others read them.
// The file name follows from the generating sources, the runtime that executes them and the place
// of RAM. Without a readable and writable cache nothing is kept.
//
// The file: eight bytes of magic, a hash of the rest (a float of eight bytes), four bytes of length
// (all little-endian), JSON of that length (functions and handlers), the decoder's tables (numbers
// in the order of the computer), then the binary module. The hash finds damage.
// Writers to this folder are trusted (docs/threat-model.md).

import { type BlueprintStore, type CoreBlueprint, keepBlueprints, keepRegions } from "../../../cpu/core/boot.ts";
import { joined } from "../../../kit/support/values/bytes.ts";
import { readIfThere } from "../../../kit/support/files/cache.ts";
import { type CodeFolders, codeFolders } from "../../../kit/support/files/code-folders.ts";
import { writeCached } from "../../../kit/support/files/files.ts";
import { checkTrustedFolder } from "../../../kit/support/files/own-files.ts";
import { CodeCache } from "./code-cache.ts";
import { fileNameOf, generatingProgram } from "./generating-program.ts";
import { unlessUnusable } from "../../../kit/support/files/unusable.ts";
import { HASH_SIZE, hashOfBytes } from "../../../kit/support/values/word-hash.ts";

/** Files that are kept: a few sizes of RAM of a few versions. One has 0.3 MB. */
const KEPT = 16;

const MAGIC = new TextEncoder().encode("EL2CORE\n");
const LENGTH_AT = MAGIC.length + HASH_SIZE;
const HEAD_AT = LENGTH_AT + 4;

/** The JSON of a file: plain data, and the lengths (bytes) of the numbers after it. */
interface Head extends Pick<CoreBlueprint, "functions" | "handlers"> {
  readonly keys: number;
  readonly candidates: number;
}

/** The bytes of a file. */
export function encodeBlueprint({ code, functions, handlers, decoder }: CoreBlueprint): Uint8Array<ArrayBuffer> {
  const head: Head = { functions, handlers, keys: decoder.keys.byteLength, candidates: decoder.candidates.byteLength };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const start = new Uint8Array(HEAD_AT);
  start.set(MAGIC);
  new DataView(start.buffer).setUint32(LENGTH_AT, text.length, true);
  const bytes = joined([start, text, new Uint8Array(decoder.keys.buffer), new Uint8Array(decoder.candidates.buffer), code]);
  new DataView(bytes.buffer).setFloat64(MAGIC.length, hashOfRest(bytes), true);
  return bytes;
}

/** The content of a file; undefined if it is damaged. */
export function decodeBlueprint(bytes: Uint8Array<ArrayBuffer>): CoreBlueprint | undefined {
  if (bytes.length < HEAD_AT || MAGIC.some((byte, index) => bytes[index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (hashOfRest(bytes) !== view.getFloat64(MAGIC.length, true)) return undefined;
  let at = HEAD_AT + view.getUint32(LENGTH_AT, true);
  // The hash says that `encodeBlueprint` wrote it, and the file's name that this program did.
  const head: Head = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD_AT, at)));
  const numbers = (length: number) => new Int32Array(bytes.slice(at, at += length).buffer);
  const decoder = { keys: numbers(head.keys), candidates: numbers(head.candidates) };
  return { functions: head.functions, handlers: head.handlers, decoder, code: bytes.subarray(at) };
}

function hashOfRest(bytes: Uint8Array): number {
  return hashOfBytes(bytes.subarray(LENGTH_AT));
}

/** The blueprints in one folder. */
export class CoreCache implements BlueprintStore {
  /**
   * @param loaded when the program was read, ms since 1970: later changes are not part of what runs
   * @param trusted whether the folder was checked already
   */
  constructor(readonly folder: string, readonly loaded: number, readonly trusted = false) {}

  load(key: string): CoreBlueprint | undefined {
    const bytes = unlessUnusable("cores are not kept", () => {
      const path = this.#path(key);
      if (path === undefined) return undefined;
      // The content of this folder is executed.
      if (!this.trusted) checkTrustedFolder(this.folder);
      return readIfThere(path);
    });
    return bytes && decodeBlueprint(bytes);
  }

  keep(key: string, blueprint: CoreBlueprint): void {
    unlessUnusable("cores are not kept", () => {
      const path = this.#path(key);
      if (path === undefined) return;
      writeCached(path, encodeBlueprint(blueprint), KEPT);
    });
  }

  /** The file for a key; undefined if the program on disk may be another one by now. */
  #path(key: string): string | undefined {
    const program = generatingProgram(this.loaded);
    return program && `${this.folder}/${fileNameOf(program, key)}.core`;
  }
}

let code: CodeCache | undefined;

/** Writes what is not yet in the cache folder, before the process ends. */
export function saveRegions(): void {
  code?.save();
}

/**
 * Makes this thread read its cores and compiled regions from the cache folder, and keep new ones
 * there; does nothing without such a folder.
 * @param checked the folders, if another thread has found and checked them
 */
export function keepCores(checked?: CodeFolders): void {
  const { cores, code: regions } = checked ?? codeFolders(), trusted = checked !== undefined;
  if (cores !== undefined) keepBlueprints(new CoreCache(cores, performance.timeOrigin, trusted));
  if (regions === undefined) return;
  code = new CodeCache(regions, () => generatingProgram(performance.timeOrigin), undefined, trusted);
  keepRegions(code);
}
