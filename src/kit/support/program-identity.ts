// Which program this is: a state is only of use to the program that made it, and what was generated
// only where the same is generated.

import { VERSION } from "./version.ts";
import { node } from "./node-modules.ts";

/** Folder of the sources, if this is one of them; a bundle has only this file. */
const SOURCES = new URL("../../", import.meta.url);
const IN_SOURCES = import.meta.url.endsWith("/src/kit/support/program-identity.ts");

/**
 * The build replaces this text by what `identityText` makes: a digest of the whole program
 * (scripts/dist/split.ts), digests of some sources (scripts/prepare.ts), and where it was built.
 */
const PUT_IN = "digest of the program";
/** By sources; "" for the whole program. Empty if the program runs from its sources. */
const BUILT = new Map<string, string>();
for (const [, sources = "", digest] of PUT_IN.matchAll(/(?<!=)(?:([a-z0-9,./-]+):)?\b([0-9a-f]{64})\b/g)) BUILT.set(sources, digest);

/** Where a program was built. */
export interface BuildPlace {
  readonly commit?: string | undefined;
  /** Address of its releases, if it is one: below it, each has a folder with its tag's name. */
  readonly releases?: string | undefined;
}

export const BUILD: BuildPlace = {
  commit: / commit=([0-9a-f]{40,64})\b/.exec(PUT_IN)?.[1],
  releases: / releases=(https:\S+)/.exec(PUT_IN)?.[1],
};

/** The text that a build has in itself. */
export function identityText(whole: string | undefined, parts: ReadonlyMap<string, string>, { commit, releases }: BuildPlace = {}): string {
  const digests = Array.from(parts, ([sources, digest]) => `${sources}:${digest}`);
  const built = [commit && `commit=${commit}`, releases && `releases=${releases}`];
  return [whole, ...digests, ...built].filter(Boolean).join(" ");
}

/**
 * A digest of version and code, in hexadecimal.
 * @param folders of the sources, instead of all; a bundle is one whole.
 */
export function programDigest(folders: readonly string[] = ["."]): string {
  const built = BUILT.get(folders.join()) ?? BUILT.get("");
  return built ?? digestOf(folders, VERSION);
}

/** A digest of some sources, whatever the version; a build has it from them. */
export function sourcesDigest(sources: readonly string[]): string {
  return BUILT.get(sources.join()) ?? digestOf(sources, "");
}

function digestOf(sources: readonly string[], version: string): string {
  if (BUILT.size) throw new Error(`the build has digests of ${[...BUILT.keys()].join(" and ")}, not of ${sources}`);
  const hash = node.crypto.createHash("sha256").update(version);
  for (const file of programFiles(sources)) hash.update(Deno.readFileSync(file));
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

/** Files of folders, and files. */
function programFiles(sources: readonly string[]): URL[] {
  if (!IN_SOURCES) return [new URL(import.meta.url)];
  return sources.flatMap((path) => path.endsWith(".ts") ? [new URL(path, SOURCES)] : sourcesIn(new URL(`${path}/`, SOURCES)));
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
