// How much of each limit is used (docs/spec/resource-manager.md §6.3), as a plain query:
// `el2 mem limits` shows it.

import { heapPageCount } from "./state/context.ts";
import { DYNAMIC_VMIDS } from "./handlers/lifecycle.ts";
import { RESERVED_MAX } from "./handlers/platform.ts";
import { NOTIFICATIONS_MAX, REPLIES_MAX } from "./rpc/link.ts";
import { REGIONS_MAX } from "./memory/parcel-regions.ts";
import type { Numbers } from "./state/numbers.ts";
import type { RmState } from "./state/state.ts";

export interface LimitUse {
  /** The counted objects: `parcels`. */
  readonly what: string;
  /** The VM that it is counted for; undefined if it is for all. */
  readonly vmid: number | undefined;
  readonly used: number;
  readonly limit: number;
  /** `parcels`, `pages`, `numbers`, … */
  readonly unit: string;
}

/**
 * Every limit of the Resource Manager itself, those of all VMs first, then VM by VM. Capabilities
 * are counted by the hypervisor's cspaces.
 */
export function limits(state: RmState, parcelsMax: number, heldBy: (vmid: number) => number): LimitUse[] {
  const { vms, parcels, environment } = state;
  const inUse = ({ used, first, last }: Numbers) => [...used].filter((number) => number >= first && number <= last).length;
  const dynamic = vms.filter(({ vmid }) => vmid >= DYNAMIC_VMIDS.first && vmid <= DYNAMIC_VMIDS.last).length;
  const all = (what: string, used: number, limit: number, unit: string): LimitUse => ({ what, vmid: undefined, used, limit, unit });
  const largest = parcels.reduce((most, { regions }) => Math.max(most, regions.length), 0);
  return [
    all("dynamic VMIDs", dynamic, DYNAMIC_VMIDS.last - DYNAMIC_VMIDS.first + 1, "numbers"),
    all("rm vIRQs", inUse(state.virqs), state.virqs.last - state.virqs.first + 1, "numbers"),
    all("rm heap", state.heapPages.size, environment === undefined ? 0 : heapPageCount(environment), "pages"),
    all("regions of the largest parcel", largest, REGIONS_MAX, "regions"),
    ...vms.flatMap((vm) => {
      const of = (what: string, used: number, limit: number, unit: string): LimitUse => ({ what, vmid: vm.vmid, used, limit, unit });
      const owned = parcels.filter(({ owner }) => owner === vm.vmid).length + heldBy(vm.vmid);
      return [
        of("parcels", owned, parcelsMax, "parcels"),
        ...vm.addresses === undefined ? [] : [of("reserved addresses", vm.addresses.reserved.length, RESERVED_MAX, "ranges")],
        of("vIRQs", inUse(vm.virqs), vm.virqs.last - vm.virqs.first + 1, "numbers"),
        ...vm.link === undefined ? [] : [
          of("waiting notifications", vm.link.notifications.length, NOTIFICATIONS_MAX, "messages"),
          of("waiting replies", vm.link.replies.length, REPLIES_MAX, "messages"),
        ],
      ];
    }),
  ];
}
