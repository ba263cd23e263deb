// Objects that keys of a configuration name: files, which are read, and devices. A failure is an
// error at the key.

import { symbolsAlone } from "../../inside/symbols/elf-symbols.ts";
import { isElf } from "../../kit/formats/elf.ts";
import { readDevicetree } from "../../machine/devicetree/reader.ts";
import { catalogPath } from "../catalog/catalog.ts";
import { type ConfigFact, ruled } from "../../model/plans/config-fact.ts";
import { NET } from "./keys/devices.ts";
import { planned } from "./keys/key.ts";
import type { FileDevice } from "./schema.ts";
import { cannotRead, readToEnd } from "../../kit/support/files/named-file.ts";
import { type Problem, problemOf, UserError, within } from "../../kit/support/problem.ts";
import { leadsInto } from "../../kit/support/files/real-place.ts";
import { node } from "../../kit/support/node-modules.ts";
import type { DiskImage } from "../../machine/virtio/plan.ts";
import { DEFAULT_NET_POLICY, type DevicePlan, type NetPolicy, PlanError } from "../../model/plans/plan.ts";

/** Where the files are that keys name. */
export interface Files {
  /** Folder of relative paths. */
  readonly folder: string;
  /** Files that need no reading, by the names that keys have for them. */
  readonly given?: Readonly<Record<string, Uint8Array>>;
  /** Images of disks that need no file, by their names. */
  readonly disks?: Readonly<Record<string, Uint8Array>>;
  /** Nothing else is read, and what devices name is looked for when the machine opens it. */
  readonly closed?: boolean;
  /** Notes what the plan takes. */
  readonly taken?: TakenFiles;
}

/** The files that a plan has taken, for a table that makes it again. */
export class TakenFiles {
  /** Contents by the names that keys have for them. */
  readonly contents = new Map<string, Uint8Array>();
  /** Those that keep variables of firmware, by their places. */
  readonly variables = new Map<string, Uint8Array>();
  /** Images of disks, by their names. */
  readonly images = new Map<string, Uint8Array>();
  /** Places of other disks by their names. */
  readonly disks = new Map<string, string>();

  /**
   * Notes a file that was read, as a plan needs it: whole, if two keys need it in two forms, such
   * as a packed kernel that is also a ramdisk.
   */
  read(name: string, content: Uint8Array, whole: Uint8Array): void {
    const before = this.contents.get(name);
    this.contents.set(name, before === undefined || before.length === content.length ? content : whole);
  }
}

/** The content of a file that needs no reading. */
function givenFile({ given = {} }: Files, reference: string): Uint8Array | undefined {
  return Object.hasOwn(given, reference) ? given[reference] : undefined;
}

/** The content of a file of a closed table. @throws UserError if it does not have the file */
export function closedFile(reference: string, files: Files): Uint8Array {
  const content = givenFile(files, reference);
  if (content === undefined) throw new UserError("its content is not there");
  return content;
}

/** Notes an error at a key of the table that is read. */
export type Refuse = (key: string, fact: ConfigFact) => void;

/**
 * The path of a file that a key names.
 * @throws Error if the catalog does not have it
 */
async function pathOf(reference: string, files: Files): Promise<string> {
  return reference.startsWith("catalog:") ? await catalogPath(reference) : inFolder(reference, files);
}

/** The place of something that a device may name. */
function placeOf(path: string | undefined, files: Files): string | undefined {
  return path === undefined ? undefined : inFolder(path, files);
}

/** A path that is relative to the folder of its configuration. */
export function inFolder(path: string, { folder }: Files): string {
  return path.startsWith("/") || folder === "." ? path : `${folder}/${path}`;
}

/**
 * Reads the file that a key names and makes something of it; a failure is an error at the key's
 * value.
 * @param kept the content of which a later plan makes the same
 */
export async function load<T>(
  key: string,
  reference: string | undefined,
  files: Files,
  refuse: Refuse,
  make: (file: Uint8Array) => T | Promise<T>,
  kept: (made: T, file: Uint8Array) => Uint8Array = (_, file) => file,
): Promise<T | undefined> {
  if (reference === undefined) return undefined;
  const file = await contentOf(key, reference, files, refuse);
  if (file === undefined) return undefined;
  try {
    const made = await make(file);
    files.taken?.read(reference, kept(made, file), file);
    return made;
  } catch (error) {
    refuse(key, problemFact(error, `${key} ${reference}`));
    return undefined;
  }
}

/**
 * The symbols of an ELF file, which may be packed with xz or zstd, as distributions have modules.
 * @throws Error that names the defect of the file, or that it has no symbols
 */
export async function symbolsIn(file: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  if (isElf(file)) return symbolsAlone(file);
  const { unpackedImage } = await import("../catalog/added-files.ts");
  return symbolsAlone(await unpackedImage(file.slice()));
}

async function contentOf(key: string, reference: string, files: Files, refuse: Refuse): Promise<Uint8Array | undefined> {
  const given = givenFile(files, reference);
  if (given !== undefined) return given;
  if (files.closed) {
    refuse(key, ruled(`${key} ${reference}: its content is not there`));
    return undefined;
  }
  let path: string;
  try {
    path = await pathOf(reference, files);
  } catch (error) {
    refuse(key, problemFact(error));
    return undefined;
  }
  try {
    return readToEnd(path);
  } catch (error) {
    refuse(key, { code: "rule", ...cannotRead(error, `${key} ${reference}`) });
    return undefined;
  }
}

/**
 * The path of the log that a device names; a log that could not be written is an error at the
 * devices.
 */
export function logOf(devices: readonly FileDevice[] | undefined, files: Files, refuse: Refuse): string | undefined {
  const log = devices?.find((device) => device.kind === "pl011")?.log;
  if (log === undefined || files.closed) return undefined;
  const path = inFolder(log, files);
  const problem = cannotWrite(path, node.path.dirname(log));
  if (problem !== undefined) refuse("devices", { code: "rule", ...within(`log ${log}`, problem) });
  return path;
}

/**
 * Refuses files that el2 writes in a folder that a guest may change: the guest could put a link
 * there, which the next run would follow.
 */
export function refuseInShared(files: readonly string[], devices: readonly DevicePlan[], refuse: Refuse): void {
  const shared = devices.flatMap((device) => device.kind === "9p" && device.mode === "rw" ? [device.folder] : []);
  for (const file of files) {
    const folder = shared.find((each) => leadsInto(node.path.dirname(file), each));
    if (folder === undefined) continue;
    const wayOut = 'name a file elsewhere, or share the folder with mode "ro"';
    refuse("devices", ruled(`${file} is in ${folder}, which a guest may change`, wayOut));
  }
}

/**
 * Why a file in a folder of this name could not be written, and the way out, found without making
 * the file.
 */
function cannotWrite(path: string, folder: string): Problem | undefined {
  try {
    const { isDirectory, isFile } = Deno.statSync(path);
    if (isDirectory) return { what: "is a folder", wayOut: "name a file in it" };
    // Opening another kind of file, such as a pipe, may block.
    if (isFile) Deno.openSync(path, { append: true }).close();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory) return { what: `${folder} is not a folder`, wayOut: "name another file" };
    if (!(error instanceof Deno.errors.NotFound)) return { ...problemOf(error), wayOut: "name a writable file" };
  }
  try {
    Deno.statSync(node.path.dirname(path));
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { what: `no folder ${folder}`, wayOut: "create it, or name another file" };
    return { ...problemOf(error), wayOut: "name a writable file" };
  }
}

/** The problem of an error; `of`: what it is about. */
export function problemFact(error: unknown, of?: string): ConfigFact {
  return { code: "rule", ...problemOf(error, of) };
}

/**
 * A devicetree of the user's, which may have `room` bytes.
 * @throws PlanError
 */
export function checkedDevicetree(file: Uint8Array, room: number): Uint8Array {
  if (file.length > room) throw new PlanError(`it has ${file.length} bytes, but there is room for ${room}`);
  const read = readDevicetree(file);
  if (!read.ok) throw new PlanError(`this is not a devicetree: ${read.problem}`);
  return file;
}

type FileCard = Extract<FileDevice, { kind: "net" }>;

/** The policy of a card's NAT; undefined for the default. */
export function policyOf(card: FileCard): NetPolicy | undefined {
  const given = planned(NET, "policy", card);
  return Object.keys(given).length > 0 ? { ...DEFAULT_NET_POLICY, ...given } : undefined;
}

/** An image of a closed table, with its bytes if the table has them. */
function givenImage<T extends DiskImage>(disk: T, { disks = {}, taken }: Files): T {
  if (!Object.hasOwn(disks, disk.image)) return disk;
  const content = disks[disk.image];
  taken?.images.set(disk.image, content);
  return { ...disk, content };
}

/** An image of a disk at its place; undefined if it is not there. */
async function planImage<T extends DiskImage>(disk: T, files: Files, refuse: (fact: ConfigFact) => void): Promise<T | undefined> {
  try {
    const path = await pathOf(disk.image, files);
    // The catalog replaces a guest by a new folder; the old one is there as long as it is used.
    const image = disk.image.startsWith("catalog:") ? await Deno.realPath(path) : path;
    const { isFile, isDirectory } = await Deno.stat(image);
    if (isFile) {
      files.taken?.disks.set(disk.image, image);
      return { ...disk, image };
    }
    refuse(ruled(`image ${disk.image}: ${isDirectory ? "is a folder" : "is not a regular file"}`));
  } catch (error) {
    const { NotFound, NotCapable } = Deno.errors;
    if (error instanceof NotFound) refuse(ruled(`image ${disk.image}: no such file`));
    // Deno opens devices of the computer with all rights alone, and so does not el2.
    else if (error instanceof NotCapable) refuse(ruled(`image ${disk.image}: is not a regular file`));
    else refuse(problemFact(error));
  }
  return undefined;
}

/**
 * The virtio device that an entry of `devices` asks for; undefined for the PL011, and where
 * something is wrong.
 */
export async function planDevice(
  device: FileDevice,
  cid: number,
  files: Files,
  refuse: (fact: ConfigFact) => void,
): Promise<DevicePlan | undefined> {
  switch (device.kind) {
    case "pl011":
      return undefined;
    case "block": {
      const { kind, image, mode, partitions, sector } = device, own = { kind, ...sector && { sector } };
      const images = partitions ?? (image === undefined ? [] : [{ image, mode }]);
      const found = files.closed
        ? images.map((one) => givenImage(one, files))
        : await Promise.all(images.map((one) => planImage(one, files, refuse)));
      const taken = found.filter((one) => one !== undefined), [first] = taken;
      if (first === undefined || taken.length < images.length) return undefined;
      return partitions ? { ...own, partitions: taken } : { ...own, ...first };
    }
    case "vsock":
      return { cid, ...device, path: placeOf(device.path, files) };
    case "net": {
      const { kind, backend, forward, capture } = device;
      const policy = policyOf(device), [given] = Object.keys(planned(NET, "policy", device));
      if (given !== undefined && backend !== "user") refuse(ruled(`${given}: only backend "user" has a policy`));
      return { kind, backend, forward, capture: placeOf(capture, files), ...policy && { policy } };
    }
    case "9p": {
      if (files.closed) return device;
      const shared = inFolder(device.folder, files);
      const found = await Deno.stat(shared).catch(() => undefined);
      if (found?.isDirectory === true) return { ...device, folder: shared };
      refuse(ruled(`folder ${device.folder}: no such folder`));
      return undefined;
    }
    case "rng":
    case "console":
    case "balloon":
    case "input":
      return device;
  }
}
