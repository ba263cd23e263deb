// The state of a machine at its first prompt in a file of the user's cache: machines of later
// processes begin with it. The output of consoles and the data of its maker come first, then a
// snapshot. Checksums find accidents; nobody else can write to the cache.

import * as v from "valibot";
import { decodePlain, encodePlain } from "../../machine/hardware/plain.ts";
import { sameBytes } from "../../kit/support/values/bytes.ts";
import { readIfThere } from "../../kit/support/files/cache.ts";
import { unlessUnusable } from "../../kit/support/files/unusable.ts";
import { warn } from "../../kit/support/warn.ts";
import { files } from "../../kit/support/files/files.ts";
import { node } from "../../kit/support/node-modules.ts";
import { problemOf, problemText } from "../../kit/support/problem.ts";
import { GiB } from "../../kit/support/values/sizes.ts";
import { readSnapshot, SnapshotError, type SnapshotFile, snapshotParts } from "./file.ts";
import { SNAPSHOTS_KEPT } from "./instant.ts";

const MAGIC = new TextEncoder().encode("EL2PROMPT/1\n");
/** After the magic number: the length of the first part and its CRC-32, 32 bits each. */
const HEAD = MAGIC.length + 8;
/** Bytes of all files together. */
const KEPT_BYTES = 4 * GiB;

/** Bytes that a console has shown. */
export interface ConsoleBytes {
  readonly console: string;
  readonly bytes: Uint8Array;
}

/** The part before the snapshot. */
interface PromptHead {
  /** Plain data of its maker. */
  readonly made: unknown;
  /** All that consoles had shown. */
  readonly shown: readonly ConsoleBytes[];
}

const SHOWN = v.strictObject({ console: v.string(), bytes: v.instance(Uint8Array) });
const PROMPT_HEAD = v.strictObject({ made: v.unknown(), shown: v.array(SHOWN) });

/** @throws Error if it cannot be written */
export function writePrompt(path: string, head: PromptHead, snapshot: SnapshotFile): void {
  using file = files().whole(path, { durable: false, newest: SNAPSHOTS_KEPT, newestBytes: KEPT_BYTES });
  const bytes = encodePlain(head), place = new DataView(new ArrayBuffer(HEAD - MAGIC.length));
  place.setUint32(0, bytes.length, true);
  place.setUint32(4, node.zlib.crc32(bytes), true);
  for (const part of [MAGIC, new Uint8Array(place.buffer), bytes]) file.write(part);
  for (const _ of snapshotParts((part) => file.write(part), snapshot, false));
  file.commit();
}

/** A file that was read up to its snapshot. */
interface PromptFile extends PromptHead {
  /** @throws SnapshotError */
  snapshot(): SnapshotFile;
}

/** @throws SnapshotError */
export function readPrompt(path: string, bytes: Uint8Array): PromptFile {
  const fail = (what: string): never => {
    throw new SnapshotError(`${path}: ${what}`);
  };
  if (bytes.length < HEAD || !sameBytes(bytes.subarray(0, MAGIC.length), MAGIC)) fail("not the state of a prompt");
  const view = new DataView(bytes.buffer, bytes.byteOffset + MAGIC.length), end = HEAD + view.getUint32(0, true);
  if (end > bytes.length) fail("it is truncated");
  const head = bytes.subarray(HEAD, end);
  if (node.zlib.crc32(head) !== view.getUint32(4, true)) fail("a checksum is wrong");
  return { ...checked(path, PROMPT_HEAD, () => decodePlain(head)), snapshot: () => readSnapshot(path, true, bytes.subarray(end)) };
}

/** @throws SnapshotError if the data of a file cannot be decoded, or has another form */
function checked<T>(path: string, form: v.GenericSchema<unknown, T>, decode: () => unknown): T {
  try {
    return v.parse(form, decode());
  } catch (error) {
    throw new SnapshotError(problemOf(error, path));
  }
}

/** Result of `work`; undefined, with a warning, if its file is damaged. */
export function unlessDamaged<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    warn(`${problemText(error.problem)}; the machine starts from the beginning`);
    return undefined;
  }
}

/**
 * A file and the data of its maker; undefined if there is no intact one.
 * @param form of the data: another version of its maker may have written another one
 */
export function foundPrompt<T>(
  path: string,
  form: v.GenericSchema<unknown, T>,
): { readonly bytes: Uint8Array; readonly made: T } | undefined {
  const bytes = unlessUnusable("states of prompts are not read", () => readIfThere(path));
  return bytes && unlessDamaged(() => {
    const { made } = readPrompt(path, bytes);
    return { bytes, made: checked(path, form, () => made) };
  });
}
