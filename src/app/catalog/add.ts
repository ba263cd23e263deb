// User-defined guests in the catalog: an image, perhaps with a ramdisk, a disk and a command line,
// under a name that `el2 run` takes.

import { addToCatalog, catalogFiles, type CatalogSource, findEntry, type Manifest } from "./catalog.ts";

/** File of the guest's image: an arm64 Linux Image, an ELF file or raw. */
const ADDED_IMAGE = "image";
/** File of its disk, raw. */
const ADDED_DISK = "disk";
const ADDED_INITRD = "initrd";
/** Command line by default, and with a disk. */
const DEFAULT_CMDLINE = "console=ttyAMA0", DISK_CMDLINE = `${DEFAULT_CMDLINE} root=/dev/vda`;

/** The parts of an added guest. */
interface AddedGuest {
  readonly name: string;
  /** One line for display. */
  readonly about: string;
  readonly image: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  /** Path of a raw disk in the cache, which is moved. */
  readonly disk?: string;
  readonly cmdline: string | undefined;
}

/** Why a guest cannot have this name; undefined if it can. It becomes a VM's name. */
export function wrongGuestName(name: string): string | undefined {
  if (!/^[a-z][a-z0-9-]{0,78}$/.test(name)) return "a guest's name has lower case letters, digits and -, and begins with a letter";
  if (name === "debian" || name.startsWith("debian-")) return "names that begin with debian belong to guests fetch";
  if (name === "demo" || name === "host" || name === "rm") return `${name} is el2's own`;
  return undefined;
}

/** Adds it, instead of one of the same name. */
export async function addGuest({ name, about, image, initrd, disk, cmdline }: AddedGuest): Promise<Manifest> {
  const files = new Map<string, CatalogSource>([[ADDED_IMAGE, image]]);
  if (initrd) files.set(ADDED_INITRD, initrd);
  if (disk !== undefined) files.set(ADDED_DISK, { path: disk });
  const manifest: Manifest = {
    schema: "el2.guest/1",
    name,
    about,
    fetched: new Date().toISOString(),
    files: await catalogFiles(files),
    packages: [],
    added: { cmdline: cmdline ?? (disk === undefined ? DEFAULT_CMDLINE : DISK_CMDLINE) },
  };
  await addToCatalog(manifest, files);
  return manifest;
}

/** The configuration that runs the guest that was added under a name; undefined if none was. */
export async function addedConfiguration(name: string): Promise<string | undefined> {
  const entry = wrongGuestName(name) === undefined ? await findEntry(name) : undefined;
  if (!entry?.manifest.added) return undefined;
  const { files, added } = entry.manifest;
  const has = (wanted: string) => files.some((file) => file.name === wanted);
  const initrd = has(ADDED_INITRD) ? `initrd = "catalog:${name}/${ADDED_INITRD}"\n` : "";
  // Changes stay in memory: the files in the cache keep the hashes of the manifest.
  const disk = has(ADDED_DISK)
    ? `devices = [{ kind = "pl011" }, { kind = "block", image = "catalog:${name}/${ADDED_DISK}", mode = "overlay" }]\n`
    : "";
  const cmdline = JSON.stringify(added.cmdline);
  return `el2 = 1\n[vm.${name}]\nimage = "catalog:${name}/${ADDED_IMAGE}"\n${initrd}${disk}cmdline = ${cmdline}\non_exit = "end-session"\n`;
}
