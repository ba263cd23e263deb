// Initial ramdisks around busybox: an `/init` that is a script of busybox's shell, and kernel
// modules for it to load.

import { type CpioEntry, writeCpio } from "../../kit/formats/cpio.ts";
import type { KernelModule } from "./kernel-modules.ts";

/** A folder of an archive, for all to read. */
export function archiveFolder(path: string): CpioEntry {
  return { path, kind: "folder", permissions: 0o755 };
}

export function archiveFile(path: string, data: Uint8Array | string, permissions: number): CpioEntry {
  return { path, kind: "file", permissions, data: typeof data === "string" ? new TextEncoder().encode(data) : data };
}

/** The kernel opens it before it mounts /dev. */
export const CONSOLE_DEVICE = { path: "dev/console", kind: "device", permissions: 0o600, major: 5, minor: 1 } satisfies CpioEntry;

/** Modules in `/lib/modules`, where `order` lists them as insmod takes them. */
export function moduleFiles(modules: readonly KernelModule[]): CpioEntry[] {
  const order = modules.map((module) => `${module.file}\n`).join("");
  return [
    ...modules.map((module) => archiveFile(`lib/modules/${module.file}`, module.bytes, 0o644)),
    archiveFile("lib/modules/order", order, 0o644),
  ];
}

/** An initramfs with busybox as its only program, `init`, and modules (`moduleFiles`). */
export function busyboxArchive(
  busybox: Uint8Array,
  init: string,
  modules: readonly KernelModule[],
  more: readonly CpioEntry[] = [],
): Uint8Array {
  const library = modules.length === 0 ? [] : [...["lib", "lib/modules"].map(archiveFolder), ...moduleFiles(modules)];
  return writeCpio([
    ...["bin", "dev", "proc", "root", "sys", "tmp"].map(archiveFolder),
    archiveFile("bin/busybox", busybox, 0o755),
    CONSOLE_DEVICE,
    { path: "dev/null", kind: "device", permissions: 0o666, major: 1, minor: 3 },
    archiveFile("init", init, 0o755),
    ...library,
    ...more,
  ]);
}
