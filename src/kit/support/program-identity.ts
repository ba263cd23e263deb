// Which program this is: a state is only of use to the program that made it, and what was generated
// only where the same is generated.

import { VERSION } from "./version.ts";
import { node } from "./node-modules.ts";

/** Folder of the sources, if this is one of them; a bundle has only this file. */
const SOURCES = new URL("../../", import.meta.url);
const IN_SOURCES = import.meta.url.endsWith("/src/kit/support/program-identity.ts");

/**
 * The build replaces this text by a digest of the whole program (scripts/dist/split.ts), or by
 * digests of some folders, each after their names and a colon (scripts/prepare.ts).
 */
const PUT_IN = "digest of the program";
/** By folders; "" for the whole program. Empty if the program runs from its sources. */
const BUILT = new Map<string, string>();
for (const [, folders = "", digest] of PUT_IN.matchAll(/(?:([a-z,/-]+):)?\b([0-9a-f]{64})\b/g)) BUILT.set(folders, digest);

/**
 * A digest of version and code, in hexadecimal.
 * @param folders of the sources, instead of all; a bundle is one whole.
 */
export function programDigest(folders: readonly string[] = ["."]): string {
  const built = BUILT.get("") ?? BUILT.get(folders.join());
  if (built !== undefined) return built;
  if (BUILT.size) throw new Error(`the build has digests of ${[...BUILT.keys()].join(" and ")}, not of ${folders}`);
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
  if (BUILT.size) return false;
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
