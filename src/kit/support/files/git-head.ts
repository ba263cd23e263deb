// The commit that a checkout has, from git's files (gitrepository-layout): nothing is executed for
// it.

import { unlessUnusable } from "./unusable.ts";

/** Bytes of a file of git that names one thing. */
const NAME_MAX = 4096;
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** The commit; undefined if the checkout is not git's, or keeps its branches in another form. */
export function headCommit(checkout: URL): string | undefined {
  return unlessUnusable("the checkout's commit is unknown", () => commitOf(decodeURIComponent(checkout.pathname)));
}

function commitOf(checkout: string): string | undefined {
  // A work tree beside the repository has a file that names its folder.
  const git = gitFolder(`${checkout}.git`), head = git && line(`${git}/HEAD`);
  if (git === undefined || head === undefined) return undefined;
  const [, branch] = /^ref: (refs\/[\w./-]+)$/.exec(head) ?? [];
  if (branch === undefined) return COMMIT.test(head) ? head : undefined;
  const common = line(`${git}/commondir`), shared = common === undefined ? git : common.startsWith("/") ? common : `${git}/${common}`;
  const commit = line(`${shared}/${branch}`) ?? packed(`${shared}/packed-refs`, branch);
  return commit !== undefined && COMMIT.test(commit) ? commit : undefined;
}

function gitFolder(path: string): string | undefined {
  const status = statusOf(path);
  if (status?.isDirectory) return path;
  const [, folder] = status?.isFile ? /^gitdir: (\/.+)$/.exec(line(path) ?? "") ?? [] : [];
  return folder;
}

/** The content of a file of one line. */
function line(path: string): string | undefined {
  const status = statusOf(path);
  return status?.isFile && status.size <= NAME_MAX ? Deno.readTextFileSync(path).trimEnd() : undefined;
}

function packed(path: string, branch: string): string | undefined {
  if (!statusOf(path)?.isFile) return undefined;
  const found = Deno.readTextFileSync(path).split("\n").find((one) => one.endsWith(` ${branch}`));
  return found?.slice(0, found.indexOf(" "));
}

function statusOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
