// A disk file with partitions in a master boot record (UEFI specification 2.10, 5.2.1), as firmware
// and kernels read it.

const SECTOR = 512;
const MIB = 1 << 20;
/** Types of partitions. */
export const PartitionType = { Linux: 0x83, EfiSystem: 0xef } as const;

/** A partition: its content, or the file with it. */
export interface Partition {
  readonly type: number;
  readonly content: Uint8Array | string;
}

/** Makes the disk; what is zero in a partition stays a hole in the file. */
export function partitionedDisk(path: string, partitions: readonly Partition[]): void {
  using disk = Deno.openSync(path, { create: true, truncate: true, read: true, write: true });
  const record = new Uint8Array(SECTOR), view = new DataView(record.buffer);
  let start = MIB;
  partitions.forEach(({ type, content }, index) => {
    const size = typeof content === "string" ? Deno.statSync(content).size : content.length;
    const entry = 446 + 16 * index;
    view.setUint8(entry + 4, type);
    view.setUint32(entry + 8, start / SECTOR, true);
    view.setUint32(entry + 12, Math.ceil(size / SECTOR), true);
    if (typeof content === "string") copy(disk, start, content);
    else write(disk, start, content);
    start += Math.ceil(size / MIB) * MIB;
  });
  view.setUint16(510, 0xaa55, true);
  disk.truncateSync(start);
  write(disk, 0, record);
}

function copy(disk: Deno.FsFile, at: number, path: string): void {
  using file = Deno.openSync(path);
  const block = new Uint8Array(MIB), words = new Int32Array(block.buffer);
  for (let offset = at;;) {
    const read = file.readSync(block);
    if (read === null) return;
    const part = block.subarray(0, read);
    if (!isZero(words, read)) write(disk, offset, part);
    offset += read;
  }
}

function write(disk: Deno.FsFile, at: number, bytes: Uint8Array): void {
  disk.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += disk.writeSync(bytes.subarray(done));
}

function isZero(words: Int32Array, bytes: number): boolean {
  // Quicker than a method with a callback, as disks have gigabytes.
  for (let index = 0; index < bytes / 4; index++) if (words[index] !== 0) return false;
  return true;
}
