// The large files of a recording's plan, which are in the cache under their SHA-256.

import { exists } from "../../../kit/support/files/cache.ts";
import { files, storedFile } from "../../../kit/support/files/files.ts";
import { readToEnd } from "../../../kit/support/files/named-file.ts";
import { sha256 } from "../../../kit/support/values/sha256.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";
import { RecordingError } from "./recording.ts";

/** Size in bytes from which a file is kept in the cache. */
export const LARGE = 64 * KiB;

/**
 * A plan with marks instead of large files, which are put into the cache. A file or a part that the
 * plan has in several places is stored once.
 */
export function storeFiles(plan: unknown): Promise<unknown> {
  const known = new Map<unknown, Promise<unknown>>();
  const stored = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array && value.length < LARGE) return value;
    let mark = known.get(value);
    if (mark === undefined) known.set(value, mark = value instanceof Uint8Array ? storeFile(value) : mapped(value, stored));
    return mark;
  };
  return Promise.resolve(stored(plan));
}

async function storeFile(bytes: Uint8Array): Promise<unknown> {
  const hash = await sha256(bytes);
  files().store(hash, bytes);
  return { $file: hash };
}

/** Files of a run that are available, by their SHA-256. */
export type GivenFiles = (sha256: string) => Promise<Uint8Array | undefined>;

/**
 * A plan with its files. Each is read once, wherever it is named.
 * @throws RecordingError if one is not in the cache, or was changed there
 */
export async function loadFiles(path: string, plan: object, given: GivenFiles = () => Promise.resolve(undefined)): Promise<object> {
  const known = new Map<string, Promise<Uint8Array>>();
  const loaded = (value: unknown): unknown => {
    if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
    const hash = (value as { $file?: unknown }).$file;
    if (typeof hash !== "string") return mapped(value, loaded);
    let file = known.get(hash);
    if (file === undefined) known.set(hash, file = loadFile(path, hash, given));
    return file;
  };
  return await loaded(plan) as object;
}

/** A file that recordings of a folder share, by its hash. */
const sharedFile = (recording: string, hash: string): string => `${recording.slice(0, recording.lastIndexOf("/") + 1)}${SHARED}/${hash}`;

/** The folder of such files beside their recordings. */
export const SHARED = "images";

async function loadFile(path: string, hash: string, given: GivenFiles): Promise<Uint8Array> {
  const known = await given(hash);
  if (known) return known;
  const isHash = /^[0-9a-f]{64}$/.test(hash), shared = sharedFile(path, hash), cached = storedFile(hash);
  const file = isHash && !await exists(cached) && await exists(shared) ? shared : cached;
  if (!isHash || !await exists(file)) {
    const shown = isHash ? hash : JSON.stringify(hash.slice(0, 64));
    throw new RecordingError(`${path}: a file of the run, SHA-256 ${shown}, is not in the cache`, `copy it to ${isHash ? shared : cached}`);
  }
  const bytes = readToEnd(file);
  if (await sha256(bytes) !== hash) throw new RecordingError(`${path}: ${file} was changed`, "its SHA-256 does not match its name");
  return bytes;
}

/** A list or an object with each part replaced. */
export async function mapped(value: object, replaced: (part: unknown) => unknown): Promise<unknown> {
  if (Array.isArray(value)) return await Promise.all(value.map(replaced));
  const parts = Object.entries(value).map(async ([name, part]) => [name, await replaced(part)] as const);
  return Object.fromEntries(await Promise.all(parts));
}
