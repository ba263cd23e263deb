// A folder of this computer as entries of an initramfs: files, folders and links with their
// permissions, all of them root's.

import { archiveFile, archiveFolder } from "../catalog/busybox-archive.ts";
import type { CpioEntry } from "../../kit/formats/cpio.ts";
import { cannotRead, readToEnd } from "../../kit/support/files/named-file.ts";
import { UserError } from "../../kit/support/problem.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { GiB } from "../../kit/support/values/sizes.ts";

/** Entries of an archive. */
const ENTRIES_MAX = 200_000;
/** Bytes of its files: a guest has them in memory twice while it starts. */
const BYTES_MAX = 2 * GiB;
const PERMISSIONS = 0o7777;

/** A folder that no guest can have: the user's to fix. */
class FolderError extends UserError {}

/** The entries of folders, one laid over the other. */
export class FolderArchive {
  readonly entries: CpioEntry[] = [];
  readonly #paths = new Set<string>();
  #bytes = 0;

  /** Whether a path, without a leading slash, is among the entries. */
  has(path: string): boolean {
    return this.#paths.has(path);
  }

  add(entry: CpioEntry): void {
    if (this.entries.length === ENTRIES_MAX) throw new FolderError(`more than ${ENTRIES_MAX} files`, "name a smaller folder");
    this.entries.push(entry);
    this.#paths.add(entry.path);
  }

  /** Adds a folder and those that it is in, unless they are there. */
  addFolder(path: string): void {
    const names = path.split("/").filter((name) => name !== "");
    for (const [index] of names.entries()) {
      const part = names.slice(0, index + 1).join("/");
      if (!this.has(part)) this.add(archiveFolder(part));
    }
  }

  /**
   * Adds the content of a folder below a place of the guest.
   * @param empty names in the folder whose content is left out
   * @throws UserError that names what cannot be read, or cannot be in a guest
   */
  addContent(folder: string, place: string, empty: readonly string[] = []): void {
    const below = place.split("/").filter((name) => name !== "").join("/");
    this.addFolder(below);
    this.#addContent(folder, below, empty);
  }

  #addContent(folder: string, below: string, empty: readonly string[] = []): void {
    const names = named(folder, () => [...Deno.readDirSync(folder)].map(({ name }) => name)).sort();
    for (const name of names) {
      const path = below === "" ? name : `${below}/${name}`;
      if (empty.includes(name)) this.addFolder(path);
      else this.#addNamed(`${folder}/${name}`, path);
    }
  }

  #addNamed(source: string, path: string): void {
    const status = named(source, () => Deno.lstatSync(source));
    const permissions = (status.mode ?? 0o755) & PERMISSIONS;
    if (status.isDirectory) {
      this.add({ path, kind: "folder", permissions });
      return this.#addContent(source, path);
    }
    if (status.isSymlink) return this.add({ path, kind: "link", target: named(source, () => Deno.readLinkSync(source)) });
    if (!status.isFile) throw new FolderError(`${source}: is not a file, a folder or a link`, "remove it from the folder");
    this.#bytes += status.size;
    if (this.#bytes > BYTES_MAX) throw new FolderError(`${source}: more than ${formatSize(BYTES_MAX)}`, "name a smaller folder");
    this.add(archiveFile(path, named(source, () => readToEnd(source)), permissions));
  }
}

/** @throws UserError that names the file */
function named<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new FolderError(cannotRead(error, path));
  }
}
