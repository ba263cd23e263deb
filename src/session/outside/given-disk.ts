// A disk whose image is in memory, as a packed recording has it. Its bytes never change.

import { BadQcow2 } from "../../kit/formats/qcow2.ts";
import { Qcow2Disk } from "../../kit/formats/qcow2-disk.ts";
import { problemOf } from "../../kit/support/problem.ts";
import type { OpenDisk } from "./computer.ts";
import { DiskError } from "./disk-file.ts";

/**
 * A disk of an image, which is raw or qcow2 by the name of its file, as in `openDisk`.
 * @throws DiskError if it is not an image, or guests are to write it
 */
export function givenDisk(name: string, image: Uint8Array, mode: "ro" | "rw" | "overlay"): OpenDisk {
  if (mode === "rw") throw new DiskError(`disk ${name} is in memory, and cannot be written`, 'use mode "overlay"');
  if (image.length < 512) throw new DiskError(`disk ${name} has ${image.length} bytes, less than a sector`);
  const write = (): never => {
    throw new Error(`disk ${name} is read-only`);
  };
  const nothing = () => {};
  const common = { readOnly: true, savable: true, write, zero: write, flush: nothing, save: nothing, restore: nothing, close: nothing };
  if (!name.endsWith(".qcow2")) {
    return { ...common, size: image.length, read: (offset, into) => into.set(image.subarray(offset, offset + into.length)) };
  }
  try {
    const read = (offset: number, size: number) => image.subarray(offset, offset + size);
    const disk = new Qcow2Disk({ read, write, flush: nothing, size: () => image.length }, true);
    return { ...common, size: disk.size, read: (offset, into) => disk.read(offset, into) };
  } catch (error) {
    throw error instanceof BadQcow2 ? new DiskError(problemOf(error, `disk ${name}`)) : error;
  }
}
