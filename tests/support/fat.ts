// A FAT16 file system as bytes, for firmware that reads its files: each file is one run of
// clusters, so that a reader may ask for all of it at once (Microsoft's FAT specification 1.03).

const SECTOR = 512;
const CLUSTER = 16 * SECTOR;
const ROOT_ENTRIES = 512;
const ENTRY_SIZE = 32;
const FATS = 2;
const MEDIA = 0xf8;
const DIRECTORY = 0x10;
const END = 0xffff;
/** FAT16 has at least as many clusters. */
const CLUSTERS_MIN = 4096;
const FIRST_CLUSTER = 2;

/** A file, or a folder with what is in it. Names have the form 8.3, in upper case. */
export type FatEntry = Uint8Array | { readonly [name: string]: FatEntry };

/** A disk that is one FAT16 file system without partitions. */
export function fatDisk(root: { readonly [name: string]: FatEntry }): Uint8Array {
  const used = clustersOf(root) - clustersFor(Object.keys(root).length * ENTRY_SIZE);
  const clusters = Math.max(CLUSTERS_MIN, used + 1);
  const fatSectors = Math.ceil((clusters + FIRST_CLUSTER) * 2 / SECTOR);
  const rootAt = (1 + FATS * fatSectors) * SECTOR, dataAt = rootAt + ROOT_ENTRIES * ENTRY_SIZE;
  const disk = new Uint8Array(dataAt + clusters * CLUSTER);
  const view = new DataView(disk.buffer);
  disk.set([0xeb, 0x3c, 0x90, ...ascii("EL2TESTS")]);
  view.setUint16(11, SECTOR, true);
  view.setUint8(13, CLUSTER / SECTOR);
  view.setUint16(14, 1, true);
  view.setUint8(16, FATS);
  view.setUint16(17, ROOT_ENTRIES, true);
  view.setUint8(21, MEDIA);
  view.setUint16(22, fatSectors, true);
  view.setUint32(32, disk.length / SECTOR, true);
  view.setUint8(38, 0x29);
  disk.set(ascii("EL2        FAT16   "), 43);
  view.setUint16(510, 0xaa55, true);

  const next = (cluster: number, value: number) => {
    for (let fat = 0; fat < FATS; fat++) view.setUint16((1 + fat * fatSectors) * SECTOR + 2 * cluster, value, true);
  };
  next(0, 0xff00 | MEDIA);
  next(1, END);
  let free = FIRST_CLUSTER;
  const allocate = (bytes: number): number => {
    const first = free;
    free += clustersFor(bytes);
    for (let cluster = first; cluster < free; cluster++) next(cluster, cluster + 1 === free ? END : cluster + 1);
    return first;
  };
  const at = (cluster: number) => dataAt + (cluster - FIRST_CLUSTER) * CLUSTER;
  const write = (place: number, name: string, attribute: number, cluster: number, size: number) => {
    const [stem, extension = ""] = name === "." || name === ".." ? [name] : name.split(".");
    disk.set(ascii(stem.padEnd(8) + extension.padEnd(3)), place);
    view.setUint8(place + 11, attribute);
    // 2026-01-31.
    view.setUint16(place + 24, 46 << 9 | 1 << 5 | 31, true);
    view.setUint16(place + 26, cluster, true);
    view.setUint32(place + 28, size, true);
  };
  const fill = (folder: { readonly [name: string]: FatEntry }, place: number, cluster: number) => {
    for (const [name, entry] of Object.entries(folder)) {
      if (entry instanceof Uint8Array) {
        const first = allocate(entry.length);
        disk.set(entry, at(first));
        write(place, name, 0, first, entry.length);
      } else {
        const first = allocate((2 + Object.keys(entry).length) * ENTRY_SIZE);
        write(place, name, DIRECTORY, first, 0);
        write(at(first), ".", DIRECTORY, first, 0);
        write(at(first) + ENTRY_SIZE, "..", DIRECTORY, cluster, 0);
        fill(entry as { readonly [name: string]: FatEntry }, at(first) + 2 * ENTRY_SIZE, first);
      }
      place += ENTRY_SIZE;
    }
  };
  fill(root, rootAt, 0);
  return disk;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function clustersFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / CLUSTER));
}

function clustersOf(entry: FatEntry): number {
  if (entry instanceof Uint8Array) return clustersFor(entry.length);
  const entries = Object.values(entry);
  return clustersFor((2 + entries.length) * ENTRY_SIZE) + entries.reduce((sum, each) => sum + clustersOf(each), 0);
}
