// Disks of crosvm, which reads several formats by their beginnings; a composite disk becomes the
// partitions of one of el2.

import { dirname, isAbsolute, join } from "node:path";
import {
  BadCompositeDisk,
  type CompositeComponent,
  type CompositeDisk,
  isCompositeDisk,
  readCompositeDisk,
} from "../../../kit/formats/composite-disk.ts";
import { isQcow2 } from "../../../kit/formats/qcow2.ts";
import { beginningOf, statIfReadable } from "../../../kit/support/files/named-file.ts";
import { problemOf, UserError } from "../../../kit/support/problem.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { PARTITIONS_MAX } from "../../../machine/virtio/plan.ts";
import type { Table } from "../config.ts";
import { type ForeignDisk, type ForeignMachine, START } from "./foreign-machine.ts";

/** Bytes of the file of a composite disk. */
const FILE_MAX = MiB;
/** The beginning of Android's sparse images (system/core/libsparse). */
const SPARSE = Uint8Array.of(0x3a, 0xff, 0x26, 0xed);

const isSparse = (start: Uint8Array) => SPARSE.every((byte, index) => start[index] === byte);

/** Adds a disk of crosvm's. */
export function addCrosvmDisk(machine: ForeignMachine, disk: ForeignDisk): void {
  const start = beginningOf(disk.path, START);
  if (start === undefined || !isCompositeDisk(start)) {
    checkImage(machine, disk.option, disk.path);
    return machine.disk(disk);
  }
  machine.partitionedDisk(disk, partitionsOf(machine, disk));
}

/** An image that crosvm knows by its beginning: it has to be one of el2's. */
export function checkImage(machine: ForeignMachine, option: string, path: string): void {
  const start = beginningOf(path, START), what = `${option} ${terminalWord(path)}`;
  if (start === undefined) return;
  if (isSparse(start)) throw new UserError(`${what}: a sparse image of Android`, "make it a raw one with simg2img");
  if (isQcow2(start) && !path.endsWith(".qcow2")) {
    machine.absent(what, "a qcow2 image is one by its name: rename it to *.qcow2, or it is read as raw");
  }
}

function partitionsOf(machine: ForeignMachine, { option, path, mode }: ForeignDisk): Table[] {
  const what = `${option} ${terminalWord(path)}`, { components, length } = compositeDisk(what, path);
  if (components.length > PARTITIONS_MAX) {
    throw new UserError(`${what}: lists ${components.length} files`, `a disk has up to ${PARTITIONS_MAX}`);
  }
  return components.map((component, index) => {
    const { offset } = component, image = imageOf(machine, what, component, dirname(path));
    const last = index === components.length - 1, end = offset + (statIfReadable(image)?.size ?? 0);
    if (last && end !== length) machine.absent(`${what}: ${length} bytes`, `the disk ends with its last file, at byte ${end}`);
    return { offset, image, mode: mode !== "ro" && component.writable ? mode : "ro" };
  });
}

function compositeDisk(what: string, path: string): CompositeDisk {
  const bytes = beginningOf(path, FILE_MAX + 1) ?? new Uint8Array();
  if (bytes.length > FILE_MAX) throw new UserError(`${what}: a composite disk of more than ${FILE_MAX} bytes`);
  try {
    return readCompositeDisk(bytes);
  } catch (error) {
    throw error instanceof BadCompositeDisk ? new UserError(problemOf(error, what)) : error;
  }
}

/** A file of a composite disk in a folder. */
function imageOf(machine: ForeignMachine, what: string, { path, fileOffset }: CompositeComponent, folder: string): string {
  const name = terminalWord(path);
  if (path.startsWith("/proc/")) {
    throw new UserError(`${what}: ${name} was open in another process`, "name the disk's files: the partitions of a vm_config.json");
  }
  if (fileOffset > 0) throw new UserError(`${what}: ${name} begins at its byte ${fileOffset}`, "copy that part into a file");
  const image = isAbsolute(path) ? path : join(folder, path), start = beginningOf(image, START);
  if (start !== undefined && isCompositeDisk(start)) throw new UserError(`${what}: ${name} is a composite disk in a composite disk`);
  checkImage(machine, what, image);
  return machine.file(what, image);
}
