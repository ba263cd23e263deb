// The user of the memory of a kernel that has none left: candidates in the order in which they are
// asked; the first that has a large part of it gives the cause.

import type { LinuxFinding, TakenMemory, UsedMemory } from "../../../model/queries/facts/linux-finding.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { Reading } from "../kernel/reading.ts";
import { readMemoryUse } from "../structures/memory-use.ts";
import { readSlabs } from "../structures/slabs.ts";
import { readTasks } from "../structures/tasks.ts";
import { takenMemory } from "./taken-memory.ts";

/** Memory that is gone. Sizes are in bytes; those that cannot be read are 0. */
export interface GoneMemory {
  readonly total: number | null;
  /** Of the command line. */
  readonly taken: TakenMemory | null;
  /** Of files in memory, of the kernel's structures, and of programs. */
  readonly files: number;
  readonly kernel: number;
  readonly programs: number;
  /** The largest cache of structures, and the largest program. */
  readonly cache: () => string | null;
  readonly program: () => string | null;
}

type Cause = Pick<OfCode<LinuxFinding, "out-of-memory">, "taken" | "used">;

interface MemoryRule {
  readonly by: "option" | UsedMemory["by"];
  /** The question that tells it from the others. */
  readonly asks: string;
  readonly judge: (gone: GoneMemory) => Cause | undefined;
}

/** A use below one part of so many is not the cause. */
const PARTS = 3;

/** A candidate that has a part of the kernel's memory. */
const use = (
  by: UsedMemory["by"],
  asks: string,
  size: (gone: GoneMemory) => number,
  name: (gone: GoneMemory) => string | null,
): MemoryRule => ({
  by,
  asks,
  judge: (gone) =>
    gone.total !== null && PARTS * size(gone) >= gone.total ? { taken: null, used: { by, size: size(gone), name: name(gone) } } : undefined,
});

export const MEMORY_RULES: readonly MemoryRule[] = [
  {
    by: "option",
    asks: "does an option of the command line take a large part of the VM's memory?",
    judge: ({ taken }) => taken ? { taken, used: null } : undefined,
  },
  use("files", "are a large part files in memory, as those of a ramdisk?", ({ files }) => files, () => null),
  use("kernel", "are a large part the kernel's own structures?", ({ kernel }) => kernel, ({ cache }) => cache()),
  use("programs", "are a large part the memory of programs?", ({ programs }) => programs, ({ program }) => program()),
];

export function causeOfMemory(gone: GoneMemory): Cause {
  for (const { judge } of MEMORY_RULES) {
    const found = judge(gone);
    if (found) return found;
  }
  return { taken: null, used: null };
}

/** @param task the one that asked for more */
export function outOfMemory(reading: Reading, task: NamedTask): OfCode<LinuxFinding, "out-of-memory"> {
  const uses = new Map((reading.tried("memory", () => readMemoryUse(reading)) ?? []).map(({ name, bytes }) => [name, bytes]));
  const total = uses.get("MemTotal") ?? null, sizeOf = (name: string) => uses.get(name) ?? 0;
  const cause = causeOfMemory({
    total,
    taken: reading.tried("memory", () => takenMemory(reading)) ?? null,
    files: sizeOf("Shmem"),
    // The kernel has reclaimed what it could: the rest is in use.
    kernel: sizeOf("SUnreclaim") + sizeOf("SReclaimable"),
    programs: sizeOf("AnonPages"),
    cache: () => largest(reading.tried("caches", () => readSlabs(reading)) ?? [], ({ bytes }) => bytes)?.name ?? null,
    program: () => {
      const found = largest(reading.tried("tasks", () => readTasks(reading, false)) ?? [], ({ resident }) => resident ?? 0);
      return found ? `${found.name} (${found.pid})` : null;
    },
  });
  return { code: "out-of-memory", task, total, ...cause };
}

function largest<T>(all: readonly T[], size: (one: T) => number): T | undefined {
  return all.toSorted((one, other) => size(other) - size(one))[0];
}
