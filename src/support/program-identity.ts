// Which program this is: a state is only of use to the program that made it, and what was generated
// only where the same is generated.

import { VERSION } from "./version.ts";
import { node } from "./node-modules.ts";

/** Folder of the sources, if this is one of them; a bundle has only this file. */
const SOURCES = new URL("../", import.meta.url);
const IN_SOURCES = import.meta.url.endsWith("/src/support/program-identity.ts");

/**
 * The build replaces this text by a digest of the whole program (scripts/dist/split.ts); where only
 * the worker is in one file, by that of some folders of the sources, after their names and a colon
 * (scripts/prepare.ts).
 */
const PUT_IN = "digest of the program";
const [, BUILT_FROM, BUILT] = /^(?:([a-z,]+):)?([0-9a-f]{64})$/.exec(PUT_IN) ?? [];

/**
 * A digest of version and code, in hexadecimal.
 * @param folders of the sources, instead of all; a bundle is one whole.
 */
export function programDigest(folders: readonly string[] = ["."]): string {
  if (BUILT_FROM !== undefined && BUILT_FROM !== folders.join()) throw new Error(`the digest of ${BUILT_FROM} is not that of ${folders}`);
  if (BUILT !== undefined) return BUILT;
  const hash = node.crypto.createHash("sha256").update(VERSION);
  for (const file of programFiles(folders)) hash.update(Deno.readFileSync(file));
  return hash.digest("hex");
}

/**
 * Whether any of these files was written after a time, in ms since 1970. Files inside an executable
 * have no time, and do not change.
 */
export function programChanged(after: number, folders: readonly string[] = ["."]): boolean {
  // The program that runs has its digest in it, whatever is on the disk by now.
  if (BUILT !== undefined) return false;
  return programFiles(folders).some((file) => (Deno.statSync(file).mtime?.getTime() ?? 0) > after);
}

function programFiles(folders: readonly string[]): URL[] {
  return IN_SOURCES ? folders.flatMap((folder) => sourcesIn(new URL(`${folder}/`, SOURCES))) : [new URL(import.meta.url)];
}

/**
 * Every source below a folder, in order of names. All at once: many small reads that wait for each
 * other take five times as long.
 */
function sourcesIn(folder: URL): URL[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourcesIn(new URL(`${name}/`, folder));
    return name.endsWith(".ts") ? [new URL(name, folder)] : [];
  });
}
