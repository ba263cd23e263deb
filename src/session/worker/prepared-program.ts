// The prepared program of a checkout: few files, made from its modules (scripts/prepare.ts). Deno
// loads them with half of the CPU time that the 900 modules of a worker take, or the 450 of the
// command line. They are in a folder beside `main.ts`, with a list of the files that they were made
// from: if any of them has changed since, the program runs from its sources.

import { PREPARED_FOLDER } from "../../kit/support/files/folder-names.ts";

/** In `PREPARED_FOLDER`: a `Preparation` as JSON. */
export const PREPARATION = "program.json";

/** In the environment: all of the program runs from its sources, if it is set to anything. */
export const FROM_SOURCES = "EL2_FROM_SOURCES";

/** Modules in a build of parts that are loaded alone: only values pass between them. */
export const PARTS = {
  worker: "worker/worker-main.js",
  jobs: "jobs/job-worker-main.js",
  compiler: "compiler/compiler-worker.js",
  opening: "cli/start/screens/opening.js",
  boot: "cli/boot.js",
  run: "cli/run.js",
  attach: "cli/attach.js",
  test: "cli/test.js",
  main: "cli/main.js",
} as const;

export type ProgramPart = keyof typeof PARTS;

/** A build, and the files that it was made from. */
export interface Preparation {
  /** The version of Deno that made it. */
  readonly deno: string;
  /** Its folder in the checkout, with a slash at its end. */
  readonly build: string;
  /** All of its files. */
  readonly made: readonly FileState[];
  readonly sources: readonly FileState[];
}

/** A file's state: path in the checkout, bytes, time of its last change (ms since 1970). */
export type FileState = readonly [path: string, size: number, modified: number];

/** The build that a checkout has. */
export interface PreparedProgram {
  readonly folder: URL;
  module(part: ProgramPart): URL;
  /**
   * Whether its sources are the same as when it was made. It takes some 20 ms to know, once. If
   * not, later starts do not find the build any more, if this user can change the checkout.
   */
  isCurrent(): boolean;
}

const ROOT_USER = 0;
const OTHERS = 0o077;

/** The build that a program uses; none, if the environment asks for the sources. See `buildOf`. */
export function preparedProgram(entry: URL): PreparedProgram | undefined {
  return Deno.env.get(FROM_SOURCES) ? undefined : buildOf(entry);
}

/**
 * The build of a checkout; undefined if there is none, it is damaged, or others could have changed
 * it. Its sources may have changed.
 * @param entry the program's `main.ts`
 */
export function buildOf(entry: URL): PreparedProgram | undefined {
  if (!entry.pathname.endsWith("/main.ts")) return undefined;
  const checkout = pathOf(new URL(".", entry)), list = `${checkout}${PREPARED_FOLDER}${PREPARATION}`;
  return unlessDamaged(() => {
    if (!isOfOwner(`${checkout}${PREPARED_FOLDER}`, pathOf(entry))) return undefined;
    const { deno, build, made, sources }: Preparation = JSON.parse(Deno.readTextFileSync(list));
    const areAsTheyWere = (files: readonly FileState[]) => files.every((file) => isAsItWas(checkout, file));
    if (deno !== Deno.version.deno || !build.startsWith(PREPARED_FOLDER) || !areAsTheyWere(made)) return undefined;
    const folder = new URL(build, entry);
    let isCurrent: boolean | undefined;
    return {
      folder,
      module: (part) => new URL(PARTS[part], folder),
      isCurrent() {
        if (isCurrent !== undefined) return isCurrent;
        isCurrent = unlessDamaged(() => areAsTheyWere(sources)) ?? false;
        if (!isCurrent) unlessDamaged(() => Deno.removeSync(list));
        return isCurrent;
      },
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
 * Whether only the owner of the program, who can change its sources too, and root can enter a
 * folder.
 */
function isOfOwner(folder: string, program: string): boolean {
  // With a slash at its end, a path leads through the link that it may be.
  const { isDirectory, uid, mode } = Deno.lstatSync(folder.replace(/\/$/, ""));
  return isDirectory && (uid === ROOT_USER || uid === Deno.statSync(program).uid) && ((mode ?? 0) & OTHERS) === 0;
}

function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname);
}
