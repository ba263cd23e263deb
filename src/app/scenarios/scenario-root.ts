// The initial ramdisk of a scenario's machine: a root (a Debian's of the catalog, or a folder), and
// folders laid over it. They are read at each start.

import { archiveFile, CONSOLE_DEVICE } from "../catalog/busybox-archive.ts";
import { catalogPath } from "../catalog/catalog.ts";
import { DEBIAN_NAMES } from "../configuration/plan-run.ts";
import { hostPathOf, type HostResource } from "../../model/plans/host-resources.ts";
import { type CpioEntry, withEntries, writeCpio } from "../../kit/formats/cpio.ts";
import { readToEnd } from "../../kit/support/files/named-file.ts";
import { UserError } from "../../kit/support/problem.ts";
import { FolderArchive } from "./folder-archive.ts";
import { lateFiles } from "./delivery.ts";

/** A folder, and its place in the guest. */
export interface OverlayFolder {
  /** As the scenario means it: relative to the working folder. */
  readonly folder: string;
  readonly place: string;
}

/** The root file system of a scenario's machine. */
export interface RootChoice {
  /** A Debian of the catalog, or the path of a folder. */
  readonly root: string | undefined;
  /** Path of a ramdisk that is there instead. */
  readonly initrd: string | undefined;
  readonly overlays: readonly OverlayFolder[];
}

/** The script of kselftest's install target, in the folder of the tests. */
const RUN_KSELFTEST = "run_kselftest.sh";
/** Shells of a root file system, by the layouts of distributions. */
const SHELLS = ["bin/sh", "usr/bin/sh"];

/** Folders in which a guest mounts something. Their content is left out: in /dev it is devices. */
const MOUNTED = ["dev", "proc", "run", "sys"];

/**
 * PID 1 of a folder without /init: a shell on the console, with what a distribution mounts first.
 */
const INIT = `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t tmpfs tmp /tmp
cd /root
exec sh -i
`;

/** Whether a root is a guest's, which has a kernel, too. */
export function isGuestRoot(root: string | undefined): root is string {
  return root !== undefined && DEBIAN_NAMES.includes(root);
}

/** A file of a guest, as keys name it. */
export function guestFile(guest: string, file: string): string {
  return `catalog:${guest}/${file}`;
}

/** The folders that a root names, for the consent of the user. */
export function rootUse({ root, overlays }: RootChoice): HostResource[] {
  const folders = overlays.map(({ folder }) => folder);
  return [...root === undefined || isGuestRoot(root) ? [] : [root], ...folders].map((folder) => hostPathOf("folder", folder, false));
}

/** A ramdisk that was made for a scenario. */
export interface Ramdisk {
  readonly bytes: Uint8Array;
  /** Folders of the guest that have a kselftest's script. */
  readonly kselftests: readonly string[];
  /** Its files that a guest can still get at its prompt. */
  readonly late: readonly CpioEntry[];
  /** The ramdisk with other late files. */
  with(late: readonly CpioEntry[]): Uint8Array;
}

/**
 * Makes the ramdisk.
 * @throws UserError
 */
export async function ramdiskOf(choice: RootChoice): Promise<Ramdisk> {
  const { root, initrd, overlays } = choice;
  const archive = new FolderArchive();
  const hasOwnInit = root === undefined || !isGuestRoot(root) && addRoot(archive, root);
  const rooted = [...archive.entries];
  for (const { folder, place } of overlays) archive.addContent(placeOf(folder), place);
  const kselftests = archive.entries.flatMap(({ path }) =>
    `/${path}`.endsWith(`/${RUN_KSELFTEST}`) ? [`/${path.slice(0, -RUN_KSELFTEST.length - 1)}`] : []
  );
  const base = isGuestRoot(root)
    ? readToEnd(await catalogPath(guestFile(root, "initrd-virtio")))
    : initrd === undefined
    ? undefined
    : readToEnd(initrd);
  const late = new Set(hasOwnInit ? [] : lateFiles(rooted, archive.entries.slice(rooted.length)));
  const early = archive.entries.filter((entry) => !late.has(entry));
  const ramdisk = (others: Iterable<CpioEntry>) => {
    const entries = [...early, ...others];
    return base === undefined ? writeCpio(entries) : withEntries(base, entries);
  };
  return { bytes: ramdisk(late), kselftests, late: [...late], with: ramdisk };
}

/** Adds a root's content. Returns whether it has an init. */
function addRoot(archive: FolderArchive, root: string): boolean {
  archive.addContent(placeOf(root), "", MOUNTED);
  if (!SHELLS.some((path) => archive.has(path))) {
    throw new UserError(`root ${root}: it has no /bin/sh`, "name the folder of a root file system");
  }
  for (const path of [...MOUNTED, "root", "tmp"]) archive.addFolder(path);
  if (!archive.has("dev/console")) archive.add(CONSOLE_DEVICE);
  const hasInit = archive.has("init");
  if (!hasInit) archive.add(archiveFile("init", INIT, 0o755));
  return hasInit;
}

/** Where a folder is, as the user has been asked for it: without links. */
function placeOf(folder: string): string {
  return hostPathOf("folder", folder, false).place;
}
