// A disk that several images make: with a GUID partition table around them, laid out as crosvm does
// (disk/src/composite.rs), or each at the byte that its plan names.

import { GPT_ENTRIES, gptEnd, gptStart, gptTables } from "../../../kit/formats/gpt.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { KiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { DiskPartition, SectorSize } from "../plan.ts";
import type { BlockBacking } from "./backing.ts";
import { type DiskPiece, PiecesBacking } from "./pieces.ts";

/** Partitions begin at, and disks end at, multiples of these. */
const PARTITION = PAGE_SIZE, DISK = 64 * KiB;

const up = (size: number, unit: number) => Math.ceil(size / unit) * unit;

/** GUIDs of disks and partitions without one: the same in each run. Number 0 is the disk's. */
function ownGuid(slot: number, number: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
  return `656c3200-${hex(slot, 4)}-8000-8000-${hex(number, 12)}`;
}

/** Opens an image; `room`: bytes that an image of so many has on the disk. */
type OpenImage = (image: DiskPartition, room: (bytes: number) => number) => BlockBacking;

/**
 * @param slot of the device
 * @throws UserError if the images do not make a disk
 */
export function partitionedDisk(
  partitions: readonly DiskPartition[],
  open: OpenImage,
  { sector = 512, slot }: { readonly sector?: SectorSize | undefined; readonly slot: number },
): BlockBacking {
  const pieces = partitions.map((partition): DiskPiece => {
    const { label, offset = 0, image, mode } = partition, room = (bytes: number) => label === undefined ? bytes : up(bytes, PARTITION);
    const disk = open(partition, room), size = room(disk.size);
    const name = label === undefined ? `the image at byte ${offset}` : `partition ${JSON.stringify(label)}`;
    if (mode === "rw" && disk.size < size) throw tooShort(name, image, disk.size, size);
    return { name, offset, size, from: disk, to: disk.readOnly ? undefined : disk };
  });
  return partitions.some(({ offset }) => offset !== undefined) ? placed(pieces) : withTable(partitions, pieces, sector, slot);
}

/** An image has to have all bytes that guests may write. */
function tooShort(name: string, image: string, has: number, needs: number): UserError {
  const file = terminalWord(image), tool = image.endsWith(".qcow2") ? `qemu-img resize ${file} ${needs}` : `truncate -s ${needs} ${file}`;
  return new UserError(`${name}: disk ${file} has ${has} bytes, and needs ${needs} to be written`, `lengthen it with: ${tool}`);
}

/** An image ends where the next one begins. */
function placed(pieces: readonly DiskPiece[]): BlockBacking {
  const cut = pieces.map((piece, index): DiskPiece => {
    const next = pieces[index + 1]?.offset ?? Infinity;
    if (next <= piece.offset) throw new UserError(`two images are at byte ${next} of the disk`);
    return { ...piece, size: Math.min(piece.size, next - piece.offset) };
  });
  const last = cut[cut.length - 1];
  return new PiecesBacking(last.offset + last.size, cut);
}

function withTable(partitions: readonly DiskPartition[], images: readonly DiskPiece[], sector: SectorSize, slot: number): BlockBacking {
  if (images.length > GPT_ENTRIES) throw new UserError(`the disk has ${images.length} partitions`, `a table has room for ${GPT_ENTRIES}`);
  let end = up(gptStart(sector), PARTITION);
  const pieces = images.map((image): DiskPiece => {
    const offset = end;
    end += image.size;
    return { ...image, offset };
  });
  const size = up(end + gptEnd(sector), DISK);
  const entries = pieces.map(({ offset, size }, index) => {
    const { label = "", guid = ownGuid(slot, index + 1) } = partitions[index];
    return { label, guid, offset, size };
  });
  const tables = gptTables({ guid: ownGuid(slot, 0), sector, size, entries });
  return new PiecesBacking(size, [
    fixed("the partition table", 0, tables.start),
    ...pieces,
    fixed("the partition table", size - tables.end.length, tables.end),
  ]);
}

/** Bytes that are always the same. */
function fixed(name: string, offset: number, bytes: Uint8Array): DiskPiece {
  const read = (at: number, into: Uint8Array) => into.set(bytes.subarray(at, at + into.length));
  return { name, offset, size: bytes.length, from: { size: bytes.length, read } };
}
