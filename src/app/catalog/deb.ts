// Debian binary packages (deb(5)): an ar archive with two tar archives, one of control files and
// one of files. No file of a package is executed, and none is written outside of its folder.

import { readTar, type TarEntry } from "../../kit/formats/tar.ts";
import { joined } from "../../kit/support/values/bytes.ts";
import { exists } from "../../kit/support/files/cache.ts";
import { isInstalled } from "../../kit/support/computer/installed-programs.ts";
import { GiB, MiB } from "../../kit/support/values/sizes.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { throughTool } from "./tool.ts";
import { unxz } from "./xz.ts";
import { ungzip, unzstd } from "./zlib.ts";
import { UserError } from "../../kit/support/problem.ts";

/** Control fields by name; lines of a field are joined by line breaks. */
export type PackageFields = ReadonlyMap<string, string>;

/** An entry of a package's archive. */
export interface DebEntry {
  /** From the root, such as `/usr/bin/su`. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

interface ControlFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly permissions: number;
}

const AR_MAGIC = "!<arch>\n";
const ArHeader = { name: 16, size: [48, 10], total: 60 } as const;
/** Members of an archive until the wanted one; packages have three. */
const MEMBERS_MAX = 64;
/** Most bytes of an unpacked archive. */
const UNPACKED_MAX = { "control.tar": 64 * MiB, "data.tar": 8 * GiB } as const;
const CONTROL = "control";
const text = new TextDecoder();

/** The package in the file `path`. */
export class Deb {
  constructor(readonly path: string) {}

  /**
   * Its control files, `control` among them.
   * @throws Error if the file is not a package
   */
  async controlFiles(): Promise<ControlFile[]> {
    const files: ControlFile[] = [];
    for await (const { path, kind, permissions, data } of this.#member("control.tar")) {
      if (kind !== "file") continue;
      // The size that the header names may be more than there is.
      const pieces: Uint8Array[] = [];
      for await (const piece of data) pieces.push(piece.slice());
      files.push({ name: path.replace(/^\.\//, ""), bytes: joined(pieces), permissions });
    }
    return files;
  }

  /** Its control fields. */
  async fields(): Promise<PackageFields> {
    const control = (await this.controlFiles()).find(({ name }) => name === CONTROL);
    if (!control) throw new Error(`${this.path} has no control file`);
    return parseFields(text.decode(control.bytes));
  }

  /**
   * Unpacks its files into `folder`, which may hold other packages' files. All belong to the user
   * who runs el2.
   */
  async unpack(folder: string): Promise<DebEntry[]> {
    await makeTreeFolder(folder);
    const root = await Deno.realPath(folder);
    const entries: DebEntry[] = [], tree = new Tree(root);
    for await (const entry of this.#member("data.tar")) {
      const path = pathOf(entry.path);
      entries.push({ path, uid: entry.uid, gid: entry.gid });
      if (path !== "/") await tree.place(entry, path);
    }
    return entries;
  }

  async *#member(name: DebMember): AsyncGenerator<TarEntry> {
    const archive = isInstalled("dpkg-deb") ? memberByDpkg(this.path, name) : memberOf(this.path, name);
    yield* readTar(bounded(archive, this.path, UNPACKED_MAX[name]));
  }
}

/** The tar archives of a package. */
type DebMember = "control.tar" | "data.tar";

/**
 * A tar archive out of a package by the machine's dpkg-deb, which knows every compression by
 * itself.
 */
export function memberByDpkg(path: string, name: DebMember): AsyncIterable<Uint8Array> {
  return throughTool(["dpkg-deb", name === "data.tar" ? "--fsys-tarfile" : "--ctrl-tarfile", path]);
}

/** @throws Error as soon as there are more bytes */
async function* bounded(bytes: AsyncIterable<Uint8Array>, path: string, most: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of bytes) {
    size += piece.length;
    if (size > most) throw new Error(`${path} unpacks to more than ${formatSize(most)}`);
    yield piece;
  }
}

/** A tar archive out of a package, without dpkg. */
export async function* memberOf(path: string, name: DebMember): AsyncGenerator<Uint8Array> {
  const file = await Deno.open(path);
  try {
    const { offset, size, suffix } = await findMember(file, path, name);
    await file.seek(offset, Deno.SeekMode.Start);
    yield* decompressed(suffix, pieces(file, size));
  } finally {
    file.close();
  }
}

/** Fields of a paragraph as control files and lists of packages have them. */
export function parseFields(paragraph: string): PackageFields {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of paragraph.split("\n")) {
    if (/^\s/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ""}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    last = line.slice(0, colon);
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

/** Where the member is whose name is `name` and a suffix of its compression. */
async function findMember(file: Deno.FsFile, path: string, name: string): Promise<{ offset: number; size: number; suffix: string }> {
  const magic = await exactly(file, AR_MAGIC.length);
  if (!magic || text.decode(magic) !== AR_MAGIC) throw new Error(`${path} is not a Debian package`);
  let offset = AR_MAGIC.length;
  for (let members = 0; members < MEMBERS_MAX; members++) {
    await file.seek(offset, Deno.SeekMode.Start);
    const header = await exactly(file, ArHeader.total);
    if (!header) break;
    const member = text.decode(header.subarray(0, ArHeader.name)).trim().replace(/\/$/, "");
    const [start, length] = ArHeader.size;
    const digits = text.decode(header.subarray(start, start + length)).trimEnd(), size = Number(digits);
    if (!/^\d+$/.test(digits)) throw new Error(`${path} is malformed at byte ${offset}`);
    offset += ArHeader.total;
    if (member === name || member.startsWith(`${name}.`)) return { offset, size, suffix: member.slice(name.length + 1) };
    offset += size + size % 2;
  }
  throw new Error(`${path} has no ${name}`);
}

async function exactly(file: Deno.FsFile, size: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(size);
  for (let done = 0; done < size;) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) return undefined;
    done += count;
  }
  return bytes;
}

async function* pieces(file: Deno.FsFile, size: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let left = size; left > 0;) {
    const piece = new Uint8Array(Math.min(left, 1 << 16));
    const count = await file.read(piece);
    if (count === null) throw new Error("the package is truncated");
    left -= count;
    yield piece.subarray(0, count);
  }
}

/** The decompressed bytes; the file's suffix names the compression. */
export function decompressed(suffix: string, bytes: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncIterable<Uint8Array> {
  switch (suffix) {
    case "":
      return bytes;
    case "gz":
      return ungzip(bytes);
    case "zst":
      return zstd(bytes);
    case "xz":
      return unxz(bytes);
    default:
      throw new UserError(`.${suffix} is an unknown compression`, "known are gz, xz and zst");
  }
}

async function* zstd(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packed = new Uint8Array(await new Response(ReadableStream.from(bytes)).arrayBuffer());
  yield* unzstd((offset, size) => packed.subarray(offset, offset + size));
}

/** `./usr/bin/` is `/usr/bin`. */
function pathOf(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw new Error(`a package's path ${JSON.stringify(name)} leads out of it`);
  return `/${parts.join("/")}`;
}

/** A tree that packages are unpacked into. */
class Tree {
  /** Real paths of folders by their path in packages. */
  readonly #folders = new Map<string, string>();

  /** @param root without links */
  constructor(readonly root: string) {}

  async place(entry: TarEntry, path: string): Promise<void> {
    const slash = path.lastIndexOf("/");
    const target = `${await this.#folder(path.slice(0, slash), path)}/${path.slice(slash + 1)}`;
    const there = await Deno.lstat(target).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    if (entry.kind === "folder") {
      // A link to a folder stays: merged systems have them.
      if (!there) await Deno.mkdir(target);
      if (!there?.isSymlink) await Deno.chmod(target, entry.permissions);
      return;
    }
    if (there) await Deno.remove(target);
    // A link may replace an empty folder.
    if (there && !there.isFile) this.#folders.clear();
    switch (entry.kind) {
      case "file":
        await writeFile(target, entry);
        return;
      case "symlink":
        return await Deno.symlink(entry.target, target);
      case "hardlink": {
        const source = await Deno.realPath(`${this.root}${pathOf(entry.target)}`);
        if (!source.startsWith(`${this.root}/`)) throw new Error(`a package's ${path} links to a file outside of it`);
        return await Deno.link(source, target);
      }
      default:
        throw new UserError(`a package has a ${entry.kind} ${path}`, "only files, folders and links are unpacked");
    }
  }

  /**
   * The real path of a folder, which is made if it does not exist: step by step, as a link on the
   * way may lead out of the tree.
   */
  async #folder(folder: string, path: string): Promise<string> {
    if (folder === "") return this.root;
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const slash = folder.lastIndexOf("/");
    const step = `${await this.#folder(folder.slice(0, slash), path)}/${folder.slice(slash + 1)}`;
    await makeTreeFolder(step);
    const real = await Deno.realPath(step);
    if (real !== this.root && !real.startsWith(`${this.root}/`)) throw new Error(`a package's ${path} leads out of it by a link`);
    this.#folders.set(folder, real);
    return real;
  }
}

async function writeFile(path: string, { permissions, modified, data }: TarEntry): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true });
  try {
    for await (const piece of data) for (let done = 0; done < piece.length;) done += await file.write(piece.subarray(done));
    await file.utime(modified, modified);
  } finally {
    file.close();
  }
  await Deno.chmod(path, permissions);
}

/**
 * Makes a folder of a guest's tree, if it does not exist, and those above it. The guest's own users
 * read them, such as systemd-network its network: they have their modes whatever the umask of el2's
 * user forbids.
 */
export async function makeTreeFolder(path: string): Promise<void> {
  const above = path.replace(/\/[^/]*$/, "");
  if (above !== "" && !await exists(above)) await makeTreeFolder(above);
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw error;
  }
  await Deno.chmod(path, 0o755);
}

/** Writes a file of such a tree, and makes the folders above it. */
export async function writeTreeFile(path: string, content: string | Uint8Array, permissions = 0o644): Promise<void> {
  await makeTreeFolder(path.replace(/\/[^/]*$/, ""));
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
  await Deno.chmod(path, permissions);
}
