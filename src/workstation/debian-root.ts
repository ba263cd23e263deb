// The files of a Debian system from its packages, and dpkg's record of them: what `dpkg --unpack` of all packages leaves, without root and
// without running anything of theirs. What their scripts do is done inside the guest (`first-boot.ts`).

import { createHash } from "node:crypto";
import { debFields, type PackageFields, unpackDeb } from "./apt.ts";
import { exists, sha256 } from "./cache.ts";
import type { CatalogPackage } from "./catalog.ts";
import { runTool } from "./tool.ts";

/** Who a file belongs to in the guest. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A tree of files that belongs to whoever made it, and what it is to be in the guest. */
export interface RootTree {
  readonly folder: string;
  /** Owners other than root, by path from the tree's root, such as `/usr/bin/passwd`. */
  readonly owners: ReadonlyMap<string, Owner>;
  readonly packages: readonly CatalogPackage[];
}

/** An entry of a package's archive. */
export interface DebEntry {
  /** From the root, such as `/usr/bin/su`. */
  readonly path: string;
  readonly owner: string;
  readonly group: string;
}

/** Folders that are links into /usr in a merged system; packages of releases before trixie still have files in them. */
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
  await Deno.mkdir(`${folder}/${DPKG}/info`, { recursive: true });
  const status: string[] = [];
  const entries: DebEntry[] = [];
  const packages: CatalogPackage[] = [];
  for (const [index, deb] of debs.entries()) {
    progress?.(Math.round(100 * index / debs.length), "unpacking");
    const fields = await debFields(deb);
    const own = await debEntries(deb);
    await unpackDeb(deb, folder);
    await keepControl(deb, fields, own, folder);
    entries.push(...own);
    packages.push({ name: fields.get("Package")!, version: fields.get("Version")!, sha256: await sha256(await Deno.readFile(deb)) });
    status.push(await statusParagraph(fields, folder));
  }
  progress?.(100, "unpacking");
  await mergeUsr(folder);
  for (const name of ["available", "diversions", "statoverride"]) await Deno.writeTextFile(`${folder}/${DPKG}/${name}`, "");
  await Deno.writeTextFile(`${folder}/${DPKG}/status`, status.join("\n"));
  return { folder, owners: await ownersOf(entries, folder), packages };
}

/** What the archive of a .deb holds. */
export async function debEntries(deb: string): Promise<DebEntry[]> {
  const listing = await runTool(["dpkg-deb", "-c", deb]);
  return listing.split("\n").filter((line) => line !== "").map((line) => {
    // drwxr-xr-x root/root         0 2023-04-23 21:23 ./usr/bin/
    const match = /^(.)\S{9}\s+([^\s/]+)\/(\S+)\s+\S+\s+\S+\s+\S+\s+\.(\/.*)$/.exec(line);
    if (!match) throw new Error(`dpkg-deb lists ${deb} in a way that is not known: ${line}`);
    const [, type, owner, group, text] = match;
    const name = type === "l" ? text.split(" -> ")[0] : type === "h" ? text.split(" link to ")[0] : text;
    return { path: unescaped(name).replace(/(.)\/$/, "$1"), owner, group };
  });
}

/** tar's listing writes bytes that are no printable ASCII as `\ooo`, and a backslash as two. */
function unescaped(name: string): string {
  if (!name.includes("\\")) return name;
  const bytes: number[] = [];
  for (const [part, octal, other] of name.matchAll(/\\([0-7]{3})|\\(.)|[^\\]/gsu)) {
    if (octal !== undefined) bytes.push(parseInt(octal, 8));
    else bytes.push(...new TextEncoder().encode(other ?? part));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** `libc6:arm64` for a package that can be there for several architectures, `bash` for others: the name of its files in dpkg's folder. */
function infoName(fields: PackageFields): string {
  const name = fields.get("Package")!;
  return fields.get("Multi-Arch") === "same" ? `${name}:${fields.get("Architecture")}` : name;
}

/** Puts a package's control files and the list of its paths where dpkg looks for them. */
async function keepControl(deb: string, fields: PackageFields, entries: readonly DebEntry[], folder: string): Promise<void> {
  const info = `${folder}/${DPKG}/info`;
  const control = `${folder}.control`;
  await runTool(["dpkg-deb", "-e", deb, control]);
  for await (const { name } of Deno.readDir(control)) {
    if (!NOT_KEPT.includes(name)) await Deno.rename(`${control}/${name}`, `${info}/${infoName(fields)}.${name}`);
  }
  await Deno.remove(control, { recursive: true });
  const list = entries.map(({ path }) => path === "/" ? "/.\n" : `${path}\n`).join("");
  await Deno.writeTextFile(`${info}/${infoName(fields)}.list`, list);
}

/** The package's paragraph of dpkg's status: unpacked, not configured. */
async function statusParagraph(fields: PackageFields, folder: string): Promise<string> {
  const lines = [`Package: ${fields.get("Package")}`, "Status: install ok unpacked"];
  for (const [name, value] of fields) if (name !== "Package") lines.push(`${name}: ${value.replaceAll("\n", "\n ")}`);
  const conffiles = `${folder}/${DPKG}/info/${infoName(fields)}.conffiles`;
  if (await exists(conffiles)) {
    // A conffile that is in its place with the package's own hash is one that nobody has changed.
    const paths = (await Deno.readTextFile(conffiles)).split("\n").filter((path) => path.startsWith("/"));
    const hashed = await Promise.all(paths.map(async (path) => {
      return ` ${path} ${createHash("md5").update(await Deno.readFile(folder + path)).digest("hex")}`;
    }));
    lines.push("Conffiles:", ...hashed);
  }
  return lines.join("\n") + "\n";
}

/** Makes /bin, /sbin and /lib* links into /usr, and moves there what packages have put into them. */
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
    await Deno.mkdir(target.replace(/\/[^/]*$/, ""), { recursive: true });
    return await Deno.rename(source, target);
  }
  for (const entry of await Array.fromAsync(Deno.readDir(source))) {
    const [from, to] = [`${source}/${entry.name}`, `${target}/${entry.name}`];
    if (entry.isDirectory) await moveInto(from, to);
    else await Deno.rename(from, to);
  }
  await Deno.remove(source);
}

/** Owners other than root. Names are those of base-passwd, the only ones that packages may use. */
async function ownersOf(entries: readonly DebEntry[], folder: string): Promise<Map<string, Owner>> {
  const users = await idsOf(`${folder}/usr/share/base-passwd/passwd.master`);
  const groups = await idsOf(`${folder}/usr/share/base-passwd/group.master`);
  const id = (ids: ReadonlyMap<string, number>, name: string, path: string) => {
    const found = ids.get(name);
    if (found === undefined) throw new Error(`${path} belongs to ${name}, whom base-passwd does not know`);
    return found;
  };
  const owners = new Map<string, Owner>();
  for (const { path, owner, group } of entries) {
    if (owner === "root" && group === "root") continue;
    owners.set(mergedPath(path), { uid: id(users, owner, path), gid: id(groups, group, path) });
  }
  return owners;
}

/** Where a package's path is in the merged tree. */
function mergedPath(path: string): string {
  return MERGED.includes(path.split("/")[1]) ? `/usr${path}` : path;
}

/** Numbers by name of a file like /etc/passwd. */
async function idsOf(path: string): Promise<Map<string, number>> {
  const lines = (await Deno.readTextFile(path)).split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.split(":")[0], Number(line.split(":")[2])]));
}
