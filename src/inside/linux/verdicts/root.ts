// Causes of a root file system that a kernel has not mounted (init/do_mounts.c in its sources), in
// the order in which they are asked; the first that is the cause gives it.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { disksOf, diskSystems } from "../structures/disks.ts";
import { absentDrivers, type Driver } from "../structures/drivers.ts";
import { argument, RAMDISK_PROGRAM } from "./init.ts";
import { kernelLog } from "../structures/log.ts";
import { countFiles, rootOf } from "../structures/lookup.ts";
import type { Reading } from "../kernel/reading.ts";

/** A virtio disk of the VM. */
export interface GivenDisk {
  /** `dev:VM/blk0`. */
  readonly id: string;
  readonly bus: "mmio" | "pci";
}

/** A root that was not mounted. */
export interface SoughtRoot {
  /** The value of `root=`; undefined without one. */
  readonly root: string | undefined;
  /** The program with which a ramdisk begins, its files, and why it was not unpacked. */
  readonly program: string;
  readonly files: number;
  readonly refused: string | undefined;
  /** Names of the kernel's disks. */
  readonly disks: readonly string[];
  /** The VM's own; undefined if they are unknown, as in a dump. */
  readonly given: readonly GivenDisk[] | undefined;
  /** Those of drivers that the kernel lacks. */
  readonly lacks: (drivers: readonly Driver[]) => string[];
  /** File systems that the kernel knows. */
  readonly systems: () => readonly string[];
}

type Code = Extract<LinuxFinding["code"], `root-${string}`> | "ramdisk-bad" | "no-root";

interface RootRule {
  readonly code: Code;
  /** The question that tells it from the others. */
  readonly asks: string;
  readonly judge: (sought: SoughtRoot) => OfCode<LinuxFinding, Code> | undefined;
}

/** Declares a candidate: its finding has its code. */
const rootRule = <const C extends Code>(
  rule: RootRule & { readonly code: C; readonly judge: (sought: SoughtRoot) => OfCode<LinuxFinding, C> | undefined },
): RootRule => rule;

const BUSES: { readonly [B in GivenDisk["bus"]]: Driver } = {
  mmio: ["virtio_mmio", "virtio_mmio_probe"],
  pci: ["virtio_pci", "virtio_pci_probe"],
};
const VIRTIO_BLOCK: Driver = ["virtio_blk", "virtblk_probe"];
/** Drivers of a disk as a VM gets one. */
const VIRTIO = [BUSES.mmio, VIRTIO_BLOCK];
/** Drivers of disks, by the first letters of a disk's name. */
const DRIVERS: Readonly<Record<string, readonly Driver[]>> = {
  vd: VIRTIO,
  sd: [["sd_mod", "sd_probe"]],
  nv: [["nvme", "nvme_probe"]],
  mm: [["mmc_block", "mmc_blk_probe"]],
};
/** Disks, and their partitions and file systems, by name. */
const OF_DISK = /^(?:\/dev\/(?:vd|sd|hd|xvd|nvme|mmcblk|disk\/|mapper\/)|(?:PART)?(?:UUID|LABEL)=)/;
/** Names that the programs of a ramdisk look up. */
const BY_PROGRAMS = /^(?:UUID|LABEL)=|^\/dev\/(?:disk|mapper)\//;
/** Devices that are there without a disk. */
const NO_DISK = /^(?:loop|ram|zram|nbd|mtdblock)\d/;

const nameOf = (root: string): string | undefined => /^\/dev\/(.*)$/.exec(root)?.[1];

export const ROOT_RULES: readonly RootRule[] = [
  rootRule({
    code: "ramdisk-bad",
    asks: "was the ramdisk unpacked?",
    judge: ({ refused, files }) => refused === undefined ? undefined : { code: "ramdisk-bad", reason: refused, files },
  }),
  rootRule({
    code: "no-root",
    asks: "does the command line name a root?",
    judge: ({ root, program, files }) => root === undefined ? { code: "no-root", program, files } : undefined,
  }),
  rootRule({
    code: "root-unreadable",
    asks: "has the kernel this disk?",
    judge: ({ root = "", disks, systems }) =>
      disks.includes(nameOf(root) ?? "") ? { code: "root-unreadable", root, systems: systems() } : undefined,
  }),
  rootRule({
    code: "root-without-disk",
    asks: "has the VM a disk at all?",
    judge: ({ root = "", disks, given, lacks }) =>
      given?.length === 0 && OF_DISK.test(root) && withoutFixed(disks).length === 0
        ? { code: "root-without-disk", root, drivers: lacks(VIRTIO) }
        : undefined,
  }),
  rootRule({
    code: "root-without-driver",
    asks: "has the kernel a driver for the VM's disks, or for what the name stands for?",
    judge({ root = "", disks, given, lacks }) {
      if (withoutFixed(disks).length > 0) return undefined;
      const named = DRIVERS[nameOf(root)?.slice(0, 2) ?? ""] ?? [], buses = [...new Set((given ?? []).map(({ bus }) => BUSES[bus]))];
      const drivers = lacks(buses.length > 0 ? [...buses, VIRTIO_BLOCK] : named);
      return drivers.length > 0 ? { code: "root-without-driver", root, devices: (given ?? []).map(({ id }) => id), drivers } : undefined;
    },
  }),
  rootRule({
    code: "root-by-programs",
    asks: "is it a name that only the programs of a ramdisk look up?",
    judge: ({ root = "", disks }) => BY_PROGRAMS.test(root) ? { code: "root-by-programs", root, disks: withoutFixed(disks) } : undefined,
  }),
  rootRule({
    code: "root-absent",
    asks: "which disks has it instead?",
    judge: ({ root = "", disks }) => ({ code: "root-absent", root, disks: withoutFixed(disks) }),
  }),
];

const withoutFixed = (disks: readonly string[]) => disks.filter((name) => !NO_DISK.test(name));

/** The cause of a root that was not mounted. */
export function causeOfRoot(sought: SoughtRoot): LinuxFinding | undefined {
  for (const { judge } of ROOT_RULES) {
    const found = judge(sought);
    if (found) return found;
  }
  return undefined;
}

/** Beginnings of the kernel's messages that it could not unpack the ramdisk. */
const NOT_UNPACKED = /^(?:Initramfs unpacking failed: |rootfs image is not initramfs \()([^;)]*)/;

/** Why the ramdisk was not unpacked, or not as a whole: the kernel's own words. */
const refusedRamdisk = (reading: Reading): string | undefined =>
  kernelLog(reading).map(({ text }) => NOT_UNPACKED.exec(text)?.[1]).find((one) => one !== undefined);

function filesOf(reading: Reading): number {
  const top = rootOf(reading);
  return top ? countFiles(reading, top) : 0;
}

/** The ramdisk that the kernel could not unpack, or not as a whole. */
export function ramdiskBad(reading: Reading): LinuxFinding | undefined {
  const reason = refusedRamdisk(reading);
  return reason === undefined ? undefined : { code: "ramdisk-bad", reason, files: filesOf(reading) };
}

/** @param given the VM's disks; undefined if they are unknown */
export function rootNotFound(reading: Reading, given: readonly GivenDisk[] | undefined): LinuxFinding | undefined {
  return causeOfRoot({
    root: argument(reading, "root"),
    program: argument(reading, "rdinit") ?? RAMDISK_PROGRAM,
    files: filesOf(reading),
    refused: refusedRamdisk(reading),
    disks: [...disksOf(reading)].map(({ name }) => name),
    given,
    lacks: (drivers) => absentDrivers(reading, drivers),
    systems: () => reading.tried("file systems", () => [...diskSystems(reading)]) ?? [],
  });
}
