// The state of a whole system as plain data: what a refused request must leave as it was. Left out
// is what any request changes, whatever becomes of it: registers and scheduling of vCPUs,
// interrupts and packets on their way, the counters of handles and notifications, and the random
// numbers that were drawn.

import type { HypervisorObject } from "../../src/hypervisor/capabilities/object.ts";
import { dumpHypervisor } from "../../src/hypervisor/hypervisor-dump.ts";
import type { System } from "./system.ts";

/** Objects that carry what is on its way: only their presence counts. */
const MOVING: ReadonlySet<string> = new Set(["thread", "vic", "msgqueue"]);

/** Everything that a request may only change when it succeeds. */
export function dumpSystem({ hypervisor, rm }: System): unknown {
  const { memory, addressSpaces, hwirqs, virtioPages } = dumpHypervisor(hypervisor);
  const objects = [...hypervisor.objects].map(dumpObject);
  const { nextHandle: _handle, notificationSequence: _sequence, entropy: _entropy, vms, ...rest } = structuredClone(rm.state);
  const settled = vms.map(({ link, ...vm }) => ({ ...vm, link: link?.receiveQueue }));
  return { objects, memory, addressSpaces, hwirqs, virtioPages, rm: { ...rest, vms: settled } };
}

function dumpObject(object: HypervisorObject): unknown {
  if (MOVING.has(object.type)) return object.name;
  const { stage2, tables, ...dump } = object.dump();
  // A cspace forgets a table that is empty, but not that it had one.
  const used = Array.isArray(tables) ? tables.slice(0, 1 + tables.findLastIndex((table) => table !== undefined)) : tables;
  return { ...dump, tables: used, stage2: Array.isArray(stage2) ? merge(stage2) : stage2 };
}

/**
 * Entries of a table without the boundaries of blocks: a range that was taken apart and put
 * together is the same.
 */
function merge(entries: readonly [ipa: number, pa: number, size: number, flags: number][]): unknown {
  const merged: [number, number, number, number][] = [];
  for (const [ipa, pa, size, flags] of entries) {
    const last = merged.at(-1);
    if (last !== undefined && last[3] === flags && last[0] + last[2] === ipa && last[1] + last[2] === pa) last[2] += size;
    else merged.push([ipa, pa, size, flags]);
  }
  return merged;
}
