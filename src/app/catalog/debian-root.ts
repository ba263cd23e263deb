// The files of a Debian system from its packages, and dpkg's database of them: the result of `dpkg
// --unpack` of all packages, without root and without running their scripts, which run inside the
// guest (`debian-first-boot.ts`).

import { exists } from "../../kit/support/files/cache.ts";
import { node } from "../../kit/support/node-modules.ts";
import { sha256 } from "../../kit/support/values/sha256.ts";
import type { CatalogPackage } from "./catalog.ts";
import { Deb, type DebEntry, makeTreeFolder, type PackageFields, writeTreeFile } from "./deb.ts";

/** Owner of a file in the guest. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A tree of files owned by the user who made it, with their owners and modes in the guest. */
export interface RootTree {
  readonly folder: string;
  /** Owners other than root, by path from the tree's root, such as `/usr/bin/passwd`. */
  readonly owners: ReadonlyMap<string, Owner>;
  readonly packages: readonly CatalogPackage[];
}

/**
 * Folders that are links into /usr in a merged system; packages of releases before trixie still
 * have files in them.
 */
const MERGED = ["bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"];
const DPKG = "var/lib/dpkg";
/** Files of a package's control part that dpkg does not keep. */
const NOT_KEPT = ["control"];

/** Unpacks `debs` into the new folder `folder`. */
export async function unpackRoot(
  debs: readonly string[],
  folder: string,
  progress?: (percent: number, what: string) => void,
): Promise<RootTree> {
  await makeTreeFolder(`${folder}/${DPKG}/info`);
  const status: string[] = [];
  const entries: DebEntry[] = [];
  const packages: CatalogPackage[] = [];
  for (const [index, deb] of debs.entries()) {
    progress?.(Math.round(100 * index / debs.length), "unpacking packages");
    const file = new Deb(deb);
    const fields = await file.fields();
    const own = await file.unpack(folder);
    await keepControl(file, fields, own, folder);
    entries.push(...own);
    packages.push({ name: fields.get("Package")!, version: fields.get("Version")!, sha256: await sha256(await Deno.readFile(deb)) });
    status.push(await statusParagraph(fields, folder));
  }
  progress?.(100, "unpacking packages");
  await mergeUsr(folder);
  for (const name of ["available", "diversions", "statoverride"]) await writeTreeFile(`${folder}/${DPKG}/${name}`, "");
  await writeTreeFile(`${folder}/${DPKG}/status`, status.join("\n"));
  return { folder, owners: ownersOf(entries), packages };
}

/**
 * `libc6:arm64` for a package that can be there for several architectures, `bash` for others: the
 * name of its files in dpkg's folder.
 */
function infoName(fields: PackageFields): string {
  const name = fields.get("Package")!;
  return fields.get("Multi-Arch") === "same" ? `${name}:${fields.get("Architecture")}` : name;
}

/** Puts a package's control files and the list of its paths where dpkg looks for them. */
async function keepControl(deb: Deb, fields: PackageFields, entries: readonly DebEntry[], folder: string): Promise<void> {
  const info = `${folder}/${DPKG}/info`;
  for (const { name, bytes, permissions } of await deb.controlFiles()) {
    if (NOT_KEPT.includes(name)) continue;
    await writeTreeFile(`${info}/${infoName(fields)}.${name}`, bytes, permissions);
  }
  const list = entries.map(({ path }) => path === "/" ? "/.\n" : `${path}\n`).join("");
  await writeTreeFile(`${info}/${infoName(fields)}.list`, list);
}

/** The package's paragraph of dpkg's status: unpacked, not configured. */
async function statusParagraph(fields: PackageFields, folder: string): Promise<string> {
  const lines = [`Package: ${fields.get("Package")}`, "Status: install ok unpacked"];
  for (const [name, value] of fields) if (name !== "Package") lines.push(`${name}: ${value.replaceAll("\n", "\n ")}`);
  const conffiles = `${folder}/${DPKG}/info/${infoName(fields)}.conffiles`;
  if (await exists(conffiles)) {
    // A conffile with the package's own hash has not been changed.
    const paths = (await Deno.readTextFile(conffiles)).split("\n").filter((path) => path.startsWith("/"));
    const hashed = await Promise.all(paths.map(async (path) => {
      return ` ${path} ${node.crypto.createHash("md5").update(await Deno.readFile(folder + path)).digest("hex")}`;
    }));
    lines.push("Conffiles:", ...hashed);
  }
  return lines.join("\n") + "\n";
}

/**
 * Makes /bin, /sbin and /lib* links into /usr, and moves there what packages have put into them.
 */
async function mergeUsr(folder: string): Promise<void> {
  for (const name of MERGED) {
    const path = `${folder}/${name}`;
    const found = await Deno.lstat(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    if (found?.isSymlink || !found && !await exists(`${folder}/usr/${name}`)) continue;
    if (found) await moveInto(path, `${folder}/usr/${name}`);
    await Deno.symlink(`usr/${name}`, path);
  }
}

/** Moves a folder's content to `target`, which may have folders of the same names. */
async function moveInto(source: string, target: string): Promise<void> {
  if (!await exists(target)) {
    await makeTreeFolder(target.replace(/\/[^/]*$/, ""));
    return await Deno.rename(source, target);
  }
  for (const entry of await Array.fromAsync(Deno.readDir(source))) {
    const [from, to] = [`${source}/${entry.name}`, `${target}/${entry.name}`];
    if (entry.isDirectory) await moveInto(from, to);
    else await Deno.rename(from, to);
  }
  await Deno.remove(source);
}

/**
 * Owners other than root. Numbers are those of base-passwd, the only ones that packages may use.
 */
function ownersOf(entries: readonly DebEntry[]): Map<string, Owner> {
  const others = entries.filter(({ uid, gid }) => uid !== 0 || gid !== 0);
  return new Map(others.map(({ path, uid, gid }) => [mergedPath(path), { uid, gid }]));
}

/** Where a package's path is in the merged tree. */
function mergedPath(path: string): string {
  return MERGED.includes(path.split("/")[1]) ? `/usr${path}` : path;
}
