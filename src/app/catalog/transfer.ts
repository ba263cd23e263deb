// Files from a mirror, by HTTP or HTTPS (through the proxies that HTTP_PROXY, HTTPS_PROXY and
// NO_PROXY name) or from a folder. A transfer that breaks continues where it was.

import { RefusedRedirect, requested } from "./redirects.ts";
import { fileSha256 } from "../../kit/support/files/cache.ts";
import { problemOf, UserError } from "../../kit/support/problem.ts";

export interface WantedFile {
  readonly size: number;
  /** Hex digits. */
  readonly sha256: string;
  /** Where size and hash are from, for errors: "the mirror's lists say" by default. */
  readonly by?: string;
}

/** Source of sizes and hashes by default. */
const LISTS = "the mirror's lists say";

/** Bytes that are there so far, of all. */
export type TransferProgress = (done: number, all: number) => void;

/** Breaks of a transfer in a row, without a byte between them, after which it ends. */
const BREAKS = 4;
/** Wall time (ms) until the first new attempt; each later one waits twice as long. */
const PAUSE = 250;

/** A mirror's answer is not what was asked for: another attempt has the same one. */
class WrongAnswer extends UserError {}

/** The mirror cannot answer now (429, 5xx): another attempt may have the file. */
class NoAnswerNow extends UserError {}

/**
 * Gets a file whose size and hash are known into `path`. Bytes of an earlier attempt in `path.part`
 * are kept, and so are those that came before a transfer broke.
 * @throws Error if the mirror does not answer, or sends something else; `path` is not written
 */
export async function transfer(url: string, path: string, wanted: WantedFile, progress?: TransferProgress): Promise<void> {
  const part = `${path}.part`, kept = await sizeOf(part);
  for (let breaks = 0;;) {
    const before = await sizeOf(part);
    try {
      if (before < wanted.size) await append(url, part, before, wanted.size, progress);
      break;
    } catch (error) {
      if (error instanceof WrongAnswer) {
        await Deno.remove(part).catch(unlessMissing);
        throw error;
      }
      breaks = await sizeOf(part) > before ? 0 : breaks + 1;
      if (breaks === BREAKS) throw error;
      await pause(breaks);
    }
  }
  if (await fileSha256(part) !== wanted.sha256) {
    await Deno.remove(part);
    // The bytes of the earlier attempt may be what is wrong.
    if (kept > 0) return await transfer(url, path, wanted, progress);
    throw new Error(`${url} is not what ${wanted.by ?? LISTS}`);
  }
  await Deno.rename(part, path);
}

/**
 * Gets a small file whose size is not known.
 * @throws Error if it has more than `most` bytes
 */
export async function fetchSmall(url: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  for (let breaks = 1;; breaks++) {
    try {
      return await wholeAnswer(url, most);
    } catch (error) {
      if (!(error instanceof NoAnswerNow) || breaks === BREAKS) throw error;
      await pause(breaks);
    }
  }
}

async function wholeAnswer(url: string, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = await answer(url, 0);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > most) throw new Error(`${url}: the mirror sends more than ${most} bytes`);
    pieces.push(piece);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/**
 * The size of a file that no list names.
 * @throws Error if the server does not say it, or says more than `most`
 */
export async function sizeAt(url: string, most: number): Promise<number> {
  const { ok, status, statusText, headers } = await requested(url, { method: "HEAD" }).catch((error) => {
    throw new Error(`${url}: ${reasonOf(error)}`);
  });
  if (!ok) throw new Error(`${url}: the server answers ${status} ${statusText}`.trimEnd());
  const size = Number(headers.get("content-length") ?? NaN);
  if (!Number.isSafeInteger(size)) throw new Error(`${url}: the server does not say how large it is`);
  if (size > most) throw new UserError(`${url} has ${size} bytes`, `at most ${most} are fetched`);
  return size;
}

function pause(breaks: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE * 2 ** breaks));
}

/** Appends what is missing from a file. */
async function append(url: string, part: string, before: number, size: number, progress: TransferProgress | undefined): Promise<void> {
  const { body, from } = await answer(url, before);
  using file = await Deno.open(part, { write: true, create: true });
  await file.truncate(from);
  await file.seek(from, Deno.SeekMode.Start);
  let done = from;
  for await (const piece of body) {
    done += piece.length;
    if (done > size) throw new WrongAnswer(`${url}: the mirror sends more than the ${size} bytes that its lists say`);
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    progress?.(done, size);
  }
  if (done < size) throw new Error(`${url}: the connection ended after ${done} of ${size} bytes`);
}

/** The bytes of a file from `start`, or from where the mirror begins. */
async function answer(url: string, start: number): Promise<{ body: AsyncIterable<Uint8Array<ArrayBuffer>>; from: number }> {
  if (url.startsWith("file:")) return await fileAnswer(url, start);
  let response: Response;
  try {
    response = await requested(url, { headers: start > 0 ? { range: `bytes=${start}-` } : {} });
  } catch (error) {
    if (error instanceof RefusedRedirect) throw new WrongAnswer(problemOf(error, url));
    const reason = reasonOf(error);
    // Proxies that intercept TLS have their own certificates.
    const wayOut = /certificate/i.test(reason) ? "name an http:// mirror: a signature protects what it sends" : undefined;
    throw new UserError(`${url}: ${reason}`, wayOut);
  }
  if (!response.ok) {
    await response.body?.cancel();
    const Kind = response.status === 429 || response.status >= 500 ? NoAnswerNow : WrongAnswer;
    throw new Kind(`${url}: the mirror answers ${response.status} ${response.statusText}`.trimEnd());
  }
  const from = response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? -1) : 0;
  if (from > start || from < 0) {
    await response.body?.cancel();
    throw new WrongAnswer(`${url}: the mirror sends another part of the file than was asked for`);
  }
  return { body: response.body ?? new ReadableStream({ start: (controller) => controller.close() }), from };
}

/** fetch says "fetch failed", and why in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${reasonOf(error.cause)}` : error.message;
}

async function fileAnswer(url: string, start: number) {
  try {
    const file = await Deno.open(new URL(url));
    await file.seek(start, Deno.SeekMode.Start);
    return { body: file.readable, from: start };
  } catch (error) {
    throw new WrongAnswer(
      `${url}: ${error instanceof Deno.errors.NotFound ? "no such file" : error instanceof Error ? error.message : error}`,
    );
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await Deno.stat(path).catch(unlessMissing))?.size ?? 0;
}

function unlessMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
