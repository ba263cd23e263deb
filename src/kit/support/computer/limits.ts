// The limits that the system sets for this process: its own, and those of its control groups. Only
// launchers can read them: Deno lets no program with less than all rights look into /proc. el2 gets
// them in an environment variable.

import { amount, type Bound, BOUNDS, type GroupBound, NO_LIMIT, type ProcessBound, type Unmet } from "./needs.ts";

/** Holds `CODE=AMOUNT` for each bound; a number, in the unit of the bound, is a limit. */
export const LIMITS_VARIABLE = "EL2_LIMITS";

/** Reads a small text file of the system; undefined if it cannot be read. */
export type ReadText = (path: string) => string | undefined;

/** Limits by the code of their bound; Infinity without one. */
export type Limits = ReadonlyMap<string, number>;

/** The limits of this process. */
export function readLimits(read: ReadText): Limits {
  return new Map(BOUNDS.map((bound) => [bound.code, "row" in bound ? processLimit(read, bound) : groupLimit(read, bound)]));
}

function processLimit(read: ReadText, { row }: ProcessBound): number {
  const line = read("/proc/self/limits")?.split("\n").find((line) => line.startsWith(`${row} `));
  return numberOf(line?.slice(row.length).trim().split(/\s+/)[0]);
}

/** The least limit of the control groups, of version 1 and 2. */
function groupLimit(read: ReadText, { controller, files }: GroupBound): number {
  let least = Infinity;
  for (const line of read("/proc/self/cgroup")?.split("\n") ?? []) {
    const [, controllers, ...rest] = line.split(":");
    const v2 = controllers === "";
    if (!v2 && !controllers?.split(",").includes(controller)) continue;
    const [folder, file] = v2 ? ["/sys/fs/cgroup", files.v2] : [`/sys/fs/cgroup/${controller}`, files.v1];
    // In a container the path may be that of the whole computer: the files above it count as well.
    for (let path = rest.join(":");; path = path.slice(0, path.lastIndexOf("/"))) {
      least = Math.min(least, numberOf(read(`${folder}${path}/${file}`)?.trim()));
      if (path === "") break;
    }
  }
  return least;
}

function numberOf(text: string | undefined): number {
  return text !== undefined && /^\d+$/.test(text) && Number(text) < NO_LIMIT ? Number(text) : Infinity;
}

/** The variable's value for limits. */
export function limitsText(limits: Limits): string {
  return [...limits].map(([code, limit]) => `${code}=${limit === Infinity ? "unlimited" : limit}`).join(" ");
}

/** The limits that a launcher has found; undefined if none has. */
export function foundLimits(text: string | undefined): Limits | undefined {
  if (!text) return undefined;
  const words = text.trim().split(/\s+/);
  const valueOf = (code: string) => words.find((word) => word.startsWith(`${code}=`))?.slice(code.length + 1);
  return new Map(BOUNDS.map(({ code }) => [code, numberOf(valueOf(code))]));
}

/** The limits that are too low for the engine. */
export function lowLimits(limits: Limits): Unmet[] {
  const lowest = (bound: Bound) => ({ code: "bound" as const, bound, limit: limits.get(bound.code) ?? Infinity });
  return BOUNDS.map(lowest).filter(({ bound, limit }) => limit < bound.least);
}

/** The memory that the control group allows, bytes; Infinity without a limit. */
export function groupMemory(limits: Limits | undefined): number {
  return limits?.get("group-memory") ?? Infinity;
}

/** Why SIGKILL may have ended a process, which could not say so itself. */
export function killedText(limits?: Limits): string {
  const limit = groupMemory(limits);
  const group = limit === Infinity ? "" : ` (the control group allows ${amount(limit, "bytes")})`;
  return `killed, by a user or, for lack of memory, by the system${group}; if it was memory, use less --memory, or allow more`;
}
