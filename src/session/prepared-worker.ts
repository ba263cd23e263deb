// The prepared worker of a checkout: one file, made from the worker's modules (scripts/prepare.ts).
// Deno loads it with half of the CPU time that the 650 modules take. It is in a folder beside
// `main.ts`, with a list of the files that it was made from: if any of them has changed since, the
// worker runs from its sources.

/** Its folder, in the checkout. */
export const PREPARED_FOLDER = ".prepared/";
/** In that folder. */
export const PREPARED_WORKER = "worker.js";
/** In that folder: a `Preparation` as JSON. */
export const PREPARATION = "worker.json";

/** In the environment: every worker runs from its sources, if it is set to anything. */
export const FROM_SOURCES = "EL2_FROM_SOURCES";

/** A prepared worker's file, and the files that it was made from. */
export interface Preparation {
  /** The version of Deno that made it. */
  readonly deno: string;
  readonly worker: FileState;
  readonly sources: readonly FileState[];
}

/** A file's state: path in the checkout, bytes, time of its last change (ms since 1970). */
export type FileState = readonly [path: string, size: number, modified: number];

/** The worker that a checkout has. */
interface PreparedWorker {
  readonly module: URL;
  /** Whether its sources are the same as when it was made. It takes milliseconds to know. */
  isCurrent(): boolean;
  /** Later starts, if this user can change the checkout, do not find it any more. */
  forget(): void;
}

const ROOT_USER = 0;
const OTHERS_WRITE = 0o022;

/**
 * The prepared worker of a program; undefined if it has none, or others could have changed it. Its
 * sources may have changed.
 * @param entry the program's `main.ts`
 */
export function preparedWorker(entry: URL): PreparedWorker | undefined {
  if (!entry.pathname.endsWith("/main.ts")) return undefined;
  const checkout = pathOf(new URL(".", entry)), list = `${checkout}${PREPARED_FOLDER}${PREPARATION}`;
  return unlessDamaged(() => {
    if (!isOfOwner(`${checkout}${PREPARED_FOLDER}`, pathOf(entry))) return undefined;
    const { deno, worker, sources }: Preparation = JSON.parse(Deno.readTextFileSync(list));
    if (deno !== Deno.version.deno || !isAsItWas(checkout, worker)) return undefined;
    const isCurrent = () => unlessDamaged(() => sources.every((source) => isAsItWas(checkout, source))) ?? false;
    return {
      module: new URL(PREPARED_FOLDER + PREPARED_WORKER, entry),
      isCurrent,
      forget: () => unlessDamaged(() => Deno.removeSync(list)),
    };
  });
}

/** Result of `work`; undefined if a file is missing or damaged: the sources are always there. */
function unlessDamaged<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** How a file of a checkout is now. @throws an error of the system, or if it is not a file */
export function stateOf(checkout: string, path: string): FileState {
  // A link to the file counts as changed: what it leads to can change without it.
  const { isFile, size, mtime } = Deno.lstatSync(checkout + path);
  if (!isFile) throw new Error(`${checkout}${path} is not a regular file`);
  return [path, size, mtime?.getTime() ?? 0];
}

/** @throws if it is not there */
function isAsItWas(checkout: string, [path, size, modified]: FileState): boolean {
  const now = stateOf(checkout, path);
  return now[1] === size && now[2] === modified;
}

/**
 * Whether only the owner of the program, who can change its sources too, and root can change the
 * content of a folder.
 */
function isOfOwner(folder: string, program: string): boolean {
  // With a slash at its end, a path leads through the link that it may be.
  const { isDirectory, uid, mode } = Deno.lstatSync(folder.replace(/\/$/, ""));
  return isDirectory && (uid === ROOT_USER || uid === Deno.statSync(program).uid) && ((mode ?? 0) & OTHERS_WRITE) === 0;
}

function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname);
}
