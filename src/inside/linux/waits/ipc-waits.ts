// Waits for System V's messages and semaphores (ipc/ in the kernel's sources).

import type { VirtualMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { arrayEntries } from "../structures/trees.ts";
import { type Found, found } from "./other-ends.ts";
import { namedByPid, pidNumber, type Tasks } from "./waiting.ts";

/** `ipc_namespace.ids`. */
const SEMAPHORES = 0;
/** `struct sembuf` of semop(2): its size, where its second value is, and how many are looked at. */
const OPERATION = 6, CHANGE = 2n, OPERATIONS_MAX = 16;
const OBJECTS_MAX = 4096;

/** @param id of msgget(2) */
export const messageWait = (task: Struct, kind: "message" | "room", id: number): Found =>
  found(task, { for: kind, what: `the System V queue ${id}`, peers: [] });

/**
 * A wait of semop(2), with the process that has changed the semaphore last.
 * @param id of semget(2)
 * @param operations the address of its array
 */
export function semaphoreWait(
  reading: Reading,
  tasks: Tasks,
  task: Struct,
  { id, operations, count, memory }: { id: number; operations: bigint; count: number; memory: VirtualMemory | undefined },
): Found | undefined {
  const set = arrayOf(reading, task, id), size = reading.sizeOf("sem");
  if (!set || count > OPERATIONS_MAX || !memory?.has(operations, OPERATION * count)) return undefined;
  for (let index = 0; index < count; index++) {
    const at = operations + BigInt(OPERATION * index), number = memory.u16(at), change = BigInt.asIntN(16, BigInt(memory.u16(at + CHANGE)));
    if (number >= set.number("sem_nsems")) return undefined;
    const semaphore = reading.struct("sem", set.addressOf("sems") + BigInt(size * number)), value = BigInt(semaphore.signed("semval"));
    if (change === 0n ? value === 0n : value + change >= 0n) continue;
    const pid = semaphore.at("sempid", "pid"), last = pid && namedByPid(tasks, pidNumber(reading, pid));
    return found(task, { for: "semaphore", what: `${number} of the System V set ${id}`, peers: last ? [last] : [] });
  }
  return undefined;
}

/** The set of semaphores, which begins with its `kern_ipc_perm`. */
function arrayOf(reading: Reading, task: Struct, id: number): Struct | undefined {
  const array = task.at("nsproxy", "nsproxy")?.at("ipc_ns", "ipc_namespace")?.inner(`ids[${SEMAPHORES}].ipcs_idr.idr_rt`, "xarray");
  const address = array &&
    arrayEntries(reading, array).take(OBJECTS_MAX).find((one) => reading.struct("kern_ipc_perm", one).number("id") === id);
  return address === undefined ? undefined : reading.struct("sem_array", address);
}
