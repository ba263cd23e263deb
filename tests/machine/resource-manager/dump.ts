// The state of a whole system as plain data: what a refused request must leave as it was. Left out
// is what any request changes, whatever becomes of it: registers and scheduling of vCPUs,
// interrupts and packets on their way, the counters of handles and notifications, and the random
// numbers that were drawn.

import { dumpHypervisor } from "../hypervisor/dump.ts";
import type { System } from "./system.ts";

/** Objects that carry what is on its way: only their presence counts. */
const MOVING = ["thread", "vic", "msgqueue"];
/** Parts of the hypervisor that any request changes. */
const BUSY = ["machine", "scheduler", "natives", "random"];

/** Everything that a request may only change when it succeeds. */
export function dumpSystem({ hypervisor, rm }: System): unknown {
  const objects = Object.entries(dumpHypervisor(hypervisor)).flatMap(([name, fields]) => {
    const type = name.split("#")[0];
    if (BUSY.includes(type)) return [];
    if (MOVING.includes(type)) return [[name]];
    // Every earlier owner of memory is known until it is destroyed.
    return [[name, Object.entries(fields).filter(([field]) => !(name === "memory" && field.startsWith("owners")))]];
  });
  const { nextHandle: _handle, nextVdeviceHandle: _vdeviceHandle, notificationSequence: _sequence, entropy: _entropy, vms, ...rest } =
    structuredClone(rm.state);
  const settled = vms.map(({ link, ...vm }) => ({ ...vm, link: link?.receiveQueue }));
  return { objects, rm: { ...rest, vms: settled } };
}
