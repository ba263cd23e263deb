// VMs that shared memory with another one, and have ended: they have it mapped no more.

import type { SeenWord } from "../../../cpu/core/interface.ts";
import { paId, vmId } from "../../../model/queries/ids.ts";
import type { View } from "../readers/inspected.ts";
import { readOwner } from "../readers/objects/read-memory.ts";
import { absentOf } from "./absent-peers.ts";

/** VMs that have ended, and with which a VM shared memory. */
export function endedSharers(view: View, vm: string, { pa }: SeenWord): readonly string[] {
  if (readOwner(view, paId(pa)).every(({ parcel }) => parcel === null)) return [];
  const { plans } = view.system.vms, labels = new Set([...plans].flatMap(([name, { shares }]) => vmId(name) === vm ? shares : []));
  const peers = [...plans].flatMap(([name, { shares }]) => vmId(name) !== vm && shares.some((one) => labels.has(one)) ? [vmId(name)] : []);
  return absentOf(view, peers).gone;
}
