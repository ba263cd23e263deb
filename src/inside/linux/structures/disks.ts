// Disks and partitions: the inodes of the file system of block devices, each of which lies in a
// structure with its device (block/bdev.c in the kernel's sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const OF = "disks";
const NAME_MAX = 32, DISKS_MAX = 4096;
/** `file_system_type.fs_flags`. */
const REQUIRES_DEVICE = 1, SYSTEMS_MAX = 256;
/** Bits of `block_device.__bd_flags`: the partition's number, and read-only. */
const PARTITION = 0xff, READ_ONLY = 1 << 8;
/** Bytes of a sector. */
const SECTOR = 512;

interface Disk {
  readonly name: string;
  readonly device: Struct;
  readonly partition: number;
}

/** The block devices that have a disk. */
export function* disksOf(reading: Reading): Generator<Disk> {
  const block = reading.struct("super_block", reading.memory.u64(reading.address("blockdev_superblock")));
  const offset = reading.struct("bdev_inode", 0n).addressOf("vfs_inode");
  let disks = 0;
  for (const inode of reading.list(OF, block.addressOf("s_inodes"), "inode", "i_sb_list")) {
    const device = reading.struct("bdev_inode", inode.address - offset).inner("bdev", "block_device"),
      disk = device.at("bd_disk", "gendisk");
    if (!disk) continue;
    if (++disks > DISKS_MAX) return reading.gap({ code: "many", of: OF, limit: DISKS_MAX });
    const partition = device.has("bd_partno") ? device.number("bd_partno") : device.number("__bd_flags") & PARTITION;
    yield { name: nameOf(disk.text("disk_name"), partition), device, partition };
  }
}

/** A partition has its number at the end, after a letter where the disk's name ends in a digit. */
function nameOf(disk: string, partition: number): string {
  const name = disk.slice(0, NAME_MAX);
  return partition === 0 ? name : `${name}${/\d$/.test(name) ? "p" : ""}${partition}`;
}

/** Names of the file systems that the kernel knows and that need a disk. */
export function* diskSystems(reading: Reading): Generator<string> {
  let at = reading.memory.u64(reading.address("file_systems"));
  for (let count = 0; at !== 0n && count < SYSTEMS_MAX; count++) {
    const system = reading.struct("file_system_type", at);
    if (system.number("fs_flags") & REQUIRES_DEVICE) yield system.textAt("name", NAME_MAX) ?? "";
    at = system.pointer("next");
  }
}

/** The rows of `linux disks`: devices with a size, as /proc/partitions has them. */
export function readDisks(reading: Reading): RowOf<LinuxTables["linux.disks"]>[] {
  const rows = reading.rows(OF, () => disksOf(reading), ({ name, device, partition }) => {
    const size = device.number("bd_nr_sectors") * SECTOR;
    if (size === 0) return undefined;
    const readOnly = device.has("bd_read_only") ? device.number("bd_read_only") !== 0 : (device.number("__bd_flags") & READ_ONLY) !== 0;
    return {
      id: formatId({ kind: "disk", vm: reading.vm, name }),
      vm: vmId(reading.vm),
      name,
      size,
      partition,
      access: readOnly ? "ro" : "rw",
      openers: device.has("bd_openers.counter") ? device.signed("bd_openers.counter") : null,
    } as const;
  });
  return reading.sorted(rows, (a, b) => sortingName(a.name) < sortingName(b.name) ? -1 : 1);
}

/** A name that puts sda2 before sda10. Intl could, but its data would cost 10 ms of each start. */
const sortingName = (name: string) => name.replaceAll(/\d+/g, (digits) => digits.padStart(NAME_MAX, "0"));
