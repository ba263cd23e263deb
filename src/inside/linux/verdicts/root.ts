// The root file system that the kernel did not find (init/do_mounts.c in its sources): what was
// given, and what it has.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { disksOf, diskSystems } from "../structures/disks.ts";
import { absentDrivers, type Driver } from "../structures/drivers.ts";
import { argument, RAMDISK_PROGRAM } from "./init.ts";
import { kernelLog } from "../structures/log.ts";
import { countFiles, rootOf } from "../structures/lookup.ts";
import type { Reading } from "../kernel/reading.ts";

/** Drivers of disks, by the first letters of a disk's name. */
const DRIVERS: Readonly<Record<string, readonly Driver[]>> = {
  vd: [["virtio_mmio", "virtio_mmio_probe"], ["virtio_blk", "virtblk_probe"]],
  sd: [["sd_mod", "sd_probe"]],
  nv: [["nvme", "nvme_probe"]],
  mm: [["mmc_block", "mmc_blk_probe"]],
};
/** Beginnings of the kernel's messages that it could not unpack the ramdisk. */
const NOT_UNPACKED = /^(?:Initramfs unpacking failed: |rootfs image is not initramfs \()([^;)]*)/;

/** The ramdisk that the kernel could not unpack, or not as a whole. */
export function ramdiskBad(reading: Reading): LinuxFinding | undefined {
  const reason = kernelLog(reading).map(({ text }) => NOT_UNPACKED.exec(text)?.[1]).find((one) => one !== undefined);
  return reason === undefined ? undefined : { code: "ramdisk-bad", reason, files: filesOf(reading) };
}

function filesOf(reading: Reading): number {
  const top = rootOf(reading);
  return top ? countFiles(reading, top) : 0;
}

export function rootNotFound(reading: Reading): LinuxFinding | undefined {
  const bad = ramdiskBad(reading);
  if (bad) return bad;
  const files = filesOf(reading);
  const root = argument(reading, "root");
  if (root === undefined) return { code: "no-root", program: argument(reading, "rdinit") ?? RAMDISK_PROGRAM, files };
  const disks = [...disksOf(reading)].map(({ name }) => name), [, name] = /^\/dev\/(.*)$/.exec(root) ?? [];
  if (name !== undefined && disks.includes(name)) {
    return { code: "root-unreadable", root, systems: reading.tried("file systems", () => [...diskSystems(reading)]) ?? [] };
  }
  return { code: "root-absent", root, disks, drivers: absentDrivers(reading, DRIVERS[name?.slice(0, 2) ?? ""] ?? []) };
}
