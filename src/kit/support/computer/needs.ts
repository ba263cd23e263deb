// Requirements of the engine (Deno with V8) on this computer. Without one of them the engine ends
// with a dump, before a line of el2 is executed. One table: the launchers' checks, those of
// `el2 doctor` and the page of requirements are made from it.

import { GiB, KiB, MiB } from "../values/sizes.ts";

/** An amount that the system limits. */
export interface Bound {
  readonly code: string;
  /** The limited resource, as the first words of a sentence. */
  readonly what: string;
  /** The origin of the limit: a command of the shell, or the control group. */
  readonly by: string;
  /** The amount that the engine needs, in `unit`. */
  readonly least: number;
  readonly unit: "bytes" | "count";
  readonly wayOut: string;
}

/** A limit of each process, by its row in /proc/self/limits. */
export interface ProcessBound extends Bound {
  readonly row: string;
}

/** A limit of a control group and those above it: the controller, and its file in v2 and v1. */
export interface GroupBound extends Bound {
  readonly controller: string;
  readonly files: { readonly v2: string; readonly v1: string };
}

/** From here on, a number means no limit: version 1 of control groups writes it so. */
export const NO_LIMIT = 1e18;

export const PROCESS_BOUNDS: readonly ProcessBound[] = [
  {
    code: "address-space",
    what: "address space",
    by: "ulimit -v",
    row: "Max address space",
    least: 64 * GiB,
    unit: "bytes",
    wayOut: "ulimit -v unlimited (reserved address space is not used memory)",
  },
  {
    code: "data",
    what: "private memory",
    by: "ulimit -d",
    row: "Max data size",
    least: 4 * GiB,
    unit: "bytes",
    wayOut: "ulimit -d unlimited (memory that is not touched is not used)",
  },
  {
    code: "stack",
    what: "the stack",
    by: "ulimit -s",
    row: "Max stack size",
    least: MiB,
    unit: "bytes",
    wayOut: "ulimit -s 8192",
  },
  {
    code: "file-size",
    what: "the size of files",
    by: "ulimit -f",
    row: "Max file size",
    least: GiB,
    unit: "bytes",
    wayOut: "ulimit -f unlimited",
  },
  {
    code: "open-files",
    what: "the number of open files",
    by: "ulimit -n",
    row: "Max open files",
    least: 32,
    unit: "count",
    wayOut: "ulimit -n 1024",
  },
  {
    code: "processes",
    what: "the number of processes and threads",
    by: "ulimit -u",
    row: "Max processes",
    least: 32,
    unit: "count",
    wayOut: "ulimit -u unlimited",
  },
];

export const GROUP_BOUNDS: readonly GroupBound[] = [
  {
    code: "group-memory",
    what: "memory",
    by: "control group",
    controller: "memory",
    files: { v2: "memory.max", v1: "memory.limit_in_bytes" },
    least: 128 * MiB,
    unit: "bytes",
    wayOut: "give the container or service more (docker --memory, systemd MemoryMax=)",
  },
  {
    code: "group-processes",
    what: "the number of processes and threads",
    by: "control group",
    controller: "pids",
    files: { v2: "pids.max", v1: "pids.max" },
    least: 32,
    unit: "count",
    wayOut: "give the container or service more (docker --pids-limit, systemd TasksMax=)",
  },
];

export const BOUNDS: readonly (ProcessBound | GroupBound)[] = [...PROCESS_BOUNDS, ...GROUP_BOUNDS];

/** Requirements without an amount. */
export const CONDITIONS = {
  folder: { says: "the current folder no longer exists", wayOut: "cd to another one" },
  proc: { says: "/proc is not mounted, and the engine needs it", wayOut: "mount -t proc proc /proc" },
  code: {
    says: "memory cannot be made executable here, and the engine generates code",
    wayOut: "remove what denies it: MemoryDenyWriteExecute= of the systemd service, PR_SET_MDWE, a seccomp filter, or a rule of SELinux",
  },
  loader: {
    says: "the loader of glibc is missing: this system has musl, or static programs only",
    wayOut: "use a system or container image with glibc 2.27 or later, such as debian:stable-slim",
  },
} as const;

export type Condition = keyof typeof CONDITIONS;

/** Path of the loader that Deno's program for Linux names, by architecture. */
export const LOADERS = { x86_64: "/lib64/ld-linux-x86-64.so.2", aarch64: "/lib/ld-linux-aarch64.so.1" } as const;

/** A requirement that is not met. */
export type Unmet =
  | { readonly code: Condition }
  | { readonly code: "bound"; readonly bound: Bound; readonly limit: number };

/** An amount in whole units, as the launchers' shell says it too. */
export function amount(value: number, unit: Bound["unit"]): string {
  if (unit === "count") return String(value);
  for (const [name, size] of [["GiB", GiB], ["MiB", MiB]] as const) if (value >= size) return `${Math.floor(value / size)} ${name}`;
  return `${Math.floor(value / KiB)} KiB`;
}

/** The sentence of a limit that is too low; `limit` is an amount as text. */
export function boundText({ what, by, least, unit }: Bound, limit: string): string {
  return `${what} is limited to ${limit} (${by}), and the engine needs ${amount(least, unit)}`;
}

/** The problem. */
export function unmetText(unmet: Unmet): string {
  return unmet.code === "bound" ? boundText(unmet.bound, amount(unmet.limit, unmet.bound.unit)) : CONDITIONS[unmet.code].says;
}

/** The remedy. */
export function unmetWayOut(unmet: Unmet): string {
  return unmet.code === "bound" ? unmet.bound.wayOut : CONDITIONS[unmet.code].wayOut;
}
