// Rows about capabilities and the objects that they name, and the VMs that hold them.

import { ErrorCode, errorName } from "../../../../machine/abi/errors.ts";
import { rightNames } from "../../../../machine/abi/rights.ts";
import type { Capability, HypervisorObject } from "../../../../machine/hypervisor/inspect.ts";
import { Vmid } from "../guest-names.ts";
import type { View } from "../inspected.ts";
import { capId, objId, vmId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { CAPS, OBJECTS } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** Errors that are part of normal work: polling a queue returns them. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set([ErrorCode.MSGQUEUE_EMPTY, ErrorCode.MSGQUEUE_FULL]);

/** Every occupied slot, by VM. */
export function readCaps(view: View): RowOf<typeof CAPS>[] {
  const rows: RowOf<typeof CAPS>[] = [];
  for (const cspace of view.objects("cspace")) {
    const owner = view.cspaceOwner(cspace);
    for (const [id, capability] of cspace.capabilities()) rows.push(readCap(view, owner, id, capability));
  }
  return rows;
}

function readCap(view: View, owner: string, id: bigint, capability: Capability): RowOf<typeof CAPS> {
  const { object, rights, master } = capability;
  const use = view.hypervisor.capabilityUses.of(capability.lastCall);
  return {
    id: capId(owner, id),
    vm: vmId(owner),
    slot: hex(id),
    type: object?.type ?? "revoked",
    obj: object ? view.object(object) : null,
    rights: object ? rightNames(object.type, rights).split("|") : [],
    master,
    state: object?.state ?? null,
    holders: object?.holders.length ?? 0,
    used: use ? String(Math.round(use.time)) : null,
    res: use ? `${use.call} -> ${errorName(use.error)}` : null,
    err: use !== undefined && use.error !== ErrorCode.OK && !EXPECTED.has(use.error),
  };
}

/** Every object, in order of creation. */
export function readObjects(view: View): RowOf<typeof OBJECTS>[] {
  return [...view.hypervisor.objects].map((object) => ({
    id: objId(object.serial),
    type: object.type,
    name: view.object(object),
    state: object.state,
    references: object.references,
    size: object.heapBytes,
    holders: object.holders.map((holder) => capId(view.cspaceOwner(holder.cspace), holder.cspace.idOf(holder))),
  }));
}

/** The VMs that hold a capability with a right: `vm:NAME`. One may be there more than once. */
export const holdersOf = (view: View, object: HypervisorObject, right: number): string[] =>
  object.holders.filter(({ rights }) => rights & right).map(({ cspace }) => vmId(view.cspaceOwner(cspace)));

/** The same, each once, without the Resource Manager, which makes all objects. */
export function otherHolders(view: View, object: HypervisorObject, right: number): string[] {
  const manager = view.vm(Vmid.ResourceManager);
  return [...new Set(holdersOf(view, object, right))].filter((vm) => vm !== manager);
}
