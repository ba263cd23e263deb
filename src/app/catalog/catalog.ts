// The catalog: guests that el2 has fetched, each a folder of files with a manifest of sizes and
// hashes. `guests/NAME` in the cache is a symbolic link to one complete version, so that a reader
// never sees half of one.

import { cacheFolder, exists, fileSha256, replaceLink } from "../../kit/support/files/cache.ts";
import { sha256 } from "../../kit/support/values/sha256.ts";
import { UserError } from "../../kit/support/problem.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../kit/support/text/way-out.ts";

interface CatalogFile {
  /** Name in the guest's folder, such as `Image` or `initrd`. */
  name: string;
  /** Bytes. */
  size: number;
  sha256: string;
}

/** A package that a guest was made from. */
export interface CatalogPackage {
  name: string;
  version: string;
  /** Hash of the .deb. */
  sha256: string;
}

/** `manifest.json` of a guest. */
export interface Manifest {
  schema: "el2.guest/1";
  /** Catalog name, such as `debian-bookworm`. */
  name: string;
  /** One line for display. */
  about: string;
  /** ISO 8601. */
  fetched: string;
  files: CatalogFile[];
  packages: CatalogPackage[];
  /** For a guest that a user has added: how to run it. */
  added?: { cmdline: string };
}

interface CatalogEntry {
  manifest: Manifest;
  folder: string;
}

/** Name of the release that `debian` alone means. */
export const DEFAULT_DEBIAN_RELEASE = "bookworm";

/** Debian releases whose kernels can be fetched. */
export const DEBIAN_RELEASES = ["bookworm", "trixie", "sid"] as const;

export type DebianRelease = typeof DEBIAN_RELEASES[number];

/** The full name of a catalog guest: `debian` is Debian's default release. */
function catalogName(name: string): string {
  return name === "debian" ? `debian-${DEFAULT_DEBIAN_RELEASE}` : name;
}

/** The guest of a release that has a disk. */
export function diskGuestName(release: string): string {
  return `debian-${release}-disk`;
}

function guestsFolder(): string {
  return `${cacheFolder()}/guests`;
}

/** All guests in the cache, by name. */
export async function catalogEntries(): Promise<CatalogEntry[]> {
  if (!await exists(guestsFolder())) return [];
  const names: string[] = [];
  for await (const entry of Deno.readDir(guestsFolder())) if (entry.isSymlink && !entry.name.startsWith(".")) names.push(entry.name);
  return await Promise.all(names.sort().map(async (name) => await readEntry(name)));
}

/**
 * The guest `name` (`debian`, `debian-trixie`).
 * @throws Error that names the command to fetch it when it is not in the cache.
 */
export async function catalogEntry(name: string): Promise<CatalogEntry> {
  const full = catalogName(name);
  const entry = await findEntry(full);
  if (entry) return entry;
  throw new UserError(`guest ${name} is not in the cache`, wayTo(full));
}

/** The guest of exactly this name; undefined if the cache has none. */
export async function findEntry(name: string): Promise<CatalogEntry | undefined> {
  return await exists(`${guestsFolder()}/${name}/manifest.json`) ? await readEntry(name) : undefined;
}

/**
 * The path of `catalog:GUEST/FILE`.
 * @throws Error if the reference is malformed, the guest is not in the cache, or it has no such
 * file.
 */
export async function catalogPath(reference: string): Promise<string> {
  const match = /^catalog:([^/]+)\/([^/]+)$/.exec(reference);
  if (!match) throw new Error(`"${reference}" is not of the form catalog:GUEST/FILE`);
  const [, guest, file] = match;
  const full = catalogName(guest);
  if (!await exists(`${guestsFolder()}/${full}/manifest.json`)) {
    throw new UserError(`${reference} is not in the cache`, wayTo(full));
  }
  const entry = await readEntry(full);
  if (!entry.manifest.files.some(({ name }) => name === file)) {
    throw new UserError(`guest ${guest} has no file ${file}`, `it has ${entry.manifest.files.map(({ name }) => name).join(", ")}`);
  }
  return `${entry.folder}/${file}`;
}

/** Source of a guest's file: bytes, or a file in the cache's file system, which is moved. */
export type CatalogSource = Uint8Array | { readonly path: string };

/**
 * Adds a guest, or replaces an old version in one step. Returns its folder.
 */
export async function addToCatalog(manifest: Manifest, files: ReadonlyMap<string, CatalogSource>): Promise<string> {
  const versions = `${guestsFolder()}/.versions`;
  await Deno.mkdir(versions, { recursive: true });
  const fresh = `${manifest.name}-${crypto.randomUUID()}`;
  await Deno.mkdir(`${versions}/${fresh}`);
  for (const [name, source] of files) {
    const path = `${versions}/${fresh}/${name}`;
    await (source instanceof Uint8Array ? Deno.writeFile(path, source) : Deno.rename(source.path, path));
  }
  await Deno.writeTextFile(`${versions}/${fresh}/manifest.json`, JSON.stringify(manifest, undefined, 2) + "\n");
  const link = `${guestsFolder()}/${manifest.name}`;
  await replaceLink(link, `.versions/${fresh}`);
  await removeOldVersions(versions, manifest.name, fresh);
  return link;
}

/** Sizes and hashes of `files` as a manifest lists them. */
export async function catalogFiles(files: ReadonlyMap<string, CatalogSource>): Promise<CatalogFile[]> {
  return await Promise.all([...files].map(async ([name, source]) => {
    if (source instanceof Uint8Array) return { name, size: source.length, sha256: await sha256(source) };
    return { name, size: (await Deno.stat(source.path)).size, sha256: await fileSha256(source.path) };
  }));
}

/** Files of `entry` that are missing or differ from the manifest. */
export async function damagedFiles(entry: CatalogEntry): Promise<string[]> {
  const damaged: string[] = [];
  for (const { name, size, sha256: expected } of entry.manifest.files) {
    const path = `${entry.folder}/${name}`;
    if (!await exists(path) || (await Deno.stat(path)).size !== size || await fileSha256(path) !== expected) damaged.push(name);
  }
  return damaged;
}

async function readEntry(name: string): Promise<CatalogEntry> {
  const folder = `${guestsFolder()}/${name}`;
  const manifest = await readManifest(name, folder);
  if (manifest.schema !== "el2.guest/1") {
    throw new UserError(`${folder}/manifest.json has schema ${manifest.schema}`, "this el2 reads el2.guest/1");
  }
  return { manifest, folder };
}

async function readManifest(name: string, folder: string): Promise<Manifest> {
  try {
    return JSON.parse(await Deno.readTextFile(`${folder}/manifest.json`));
  } catch (error) {
    const isDamaged = error instanceof SyntaxError || error instanceof Deno.errors.NotFound;
    if (!isDamaged) throw error;
    throw new UserError(`guest ${name} has no manifest that can be read`, `remove ${folder}, and fetch or add the guest again`);
  }
}

/** Versions of `name` other than `current`, also those that an interrupted fetch left. */
async function removeOldVersions(versions: string, name: string, current: string): Promise<void> {
  const uuid = current.length - name.length;
  for await (const { name: version } of Deno.readDir(versions)) {
    const own = version.startsWith(`${name}-`) && version.length === name.length + uuid;
    if (own && version !== current) await Deno.remove(`${versions}/${version}`, { recursive: true });
  }
}

/** Ways to have a guest: those of Debian are fetched, others are added. */
function wayTo(name: string): WayOut {
  const release = DEBIAN_RELEASES.find((one) => name === `debian-${one}` || name === `debian-${one}-disk`);
  if (release === undefined) return way`${hint("guests ls")} lists those that are there; guests add adds one`;
  const which = release === DEFAULT_DEBIAN_RELEASE ? undefined : release;
  return way`run: ${hint("guests fetch", "debian", { release: which, disk: name.endsWith("-disk") || undefined })}`;
}
