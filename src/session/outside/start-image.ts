// Disks as they were at the start of a run, as images for machines that repeat it elsewhere.

import { CLUSTER, writeQcow2 } from "../../kit/formats/qcow2-writer.ts";
import { files } from "../../kit/support/files/files.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** A disk's bytes at the start of a run, as far as a guest has read them. */
export interface StartImage {
  readonly size: number;
  /** Blocks of a page that have been read. */
  readonly blocks: Iterable<number>;
  read(offset: number, into: Uint8Array): void;
}

/**
 * Writes images of disks, in pieces.
 * @throws Error if one cannot be written
 */
export function* writeStartImages(disks: readonly StartImage[], pathOf: (number: number) => string): Generator<number> {
  for (const [number, disk] of disks.entries()) {
    const clusters = new Set<number>();
    for (const block of disk.blocks) clusters.add(Math.floor(block * PAGE_SIZE / CLUSTER));
    using file = files().whole(pathOf(number), { durable: false });
    yield* writeQcow2(disk, [...clusters], (bytes) => file.write(bytes));
    file.commit();
  }
}
