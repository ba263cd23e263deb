// Which program this is: a state is only of use to the program that made it.

import { createHash } from "node:crypto";
import { VERSION } from "../version.ts";

/** Folder of the sources, where this is one of them; in a bundle this file is all there is. */
const SOURCES = new URL("../../", import.meta.url);
const IN_SOURCES = import.meta.url.endsWith("/src/workstation/snapshot/program-identity.ts");

/** A digest of version and code. */
export async function programIdentity(): Promise<string> {
  const hash = createHash("sha256").update(VERSION);
  for (const file of IN_SOURCES ? await sourcesIn(SOURCES) : [new URL(import.meta.url)]) hash.update(await Deno.readFile(file));
  return hash.digest("hex");
}

/** Every source below a folder, in order of names. */
async function sourcesIn(folder: URL): Promise<URL[]> {
  const files: URL[] = [];
  const entries = await Array.fromAsync(Deno.readDir(folder));
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (isDirectory) files.push(...await sourcesIn(new URL(`${name}/`, folder)));
    else if (name.endsWith(".ts")) files.push(new URL(name, folder));
  }
  return files;
}
