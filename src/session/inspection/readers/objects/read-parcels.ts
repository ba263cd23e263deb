// Rows about memory parcels and about everything that can run out.

import { TransType } from "../../../../machine/abi/rpc/messages/memory.ts";
import { formatId, nameOf, parcelId, vmId } from "../../../../model/queries/ids.ts";
import { accessText } from "../../../../model/queries/texts/format.ts";
import type { View } from "../inspected.ts";
import type { KnownParcel } from "../../trace/parcels-of-requests.ts";
import { isAlarm, type RowOf } from "../../../../model/queries/table.ts";
import { LIMITS, type PARCELS } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

const KINDS: Readonly<Record<number, string>> = {
  [TransType.Donate]: "donate",
  [TransType.Lend]: "lend",
  [TransType.Share]: "share",
};

/** Every parcel, those first whose owner was refused to reclaim them. */
export function readParcels(view: View): RowOf<typeof PARCELS>[] {
  const refused = view.refusedReclaims;
  const rows = view.parcels().map((parcel) => readParcel(view, parcel, refused.has(parcel.handle)));
  return rows.sort((a, b) => Number(b.state === "blocked") - Number(a.state === "blocked"));
}

function readParcel(view: View, parcel: KnownParcel, refused: boolean): RowOf<typeof PARCELS> {
  const holders = parcel.borrowers.filter((borrower) => borrower.accepted);
  const extent = parcel.extent === undefined ? undefined : view.rootObject(parcel.extent);
  return {
    id: parcelId(parcel.handle),
    kind: KINDS[parcel.transType] ?? String(parcel.transType),
    label: parcel.label,
    size: parcel.regions.reduce((sum, region) => sum + region.size, 0),
    state: refused && holders.length ? "blocked" : parcel.open ? "open" : holders.length ? "accepted" : "offered",
    owner: view.vm(parcel.owner),
    vm: parcel.borrowers.map(({ vmid }) => view.vm(vmid)),
    borrowers: parcel.borrowers.map((borrower) => borrowerText(view, borrower)),
    held_by: holders.map(({ vmid }) => view.vm(vmid)),
    extent: extent ? view.object(extent) : null,
    regions: parcel.regions.map(({ ownerIpa, offset, size }) => ({ ipa: hex(ownerIpa), offset: hex(offset), size })),
  };
}

/** `vm:rt rw mapped`. */
function borrowerText(view: View, { vmid, rights, accepted, mapped }: KnownParcel["borrowers"][number]): string {
  return `${view.vm(vmid)} ${accessText(rights)} ${mapped ? "mapped" : accepted ? "accepted" : "offered"}`;
}

/** Limited resources. */
export function readLimits(view: View): RowOf<typeof LIMITS>[] {
  const rows: RowOf<typeof LIMITS>[] = [];
  const add = (what: string, vm: string | null, used: number, limit: number | null, unit: string) => {
    const share = limit ? used / limit : null;
    const name = what.replaceAll(" ", "-");
    const id = formatId({ kind: "limit", vm: vm === null ? undefined : nameOf(vm), name });
    rows.push({ id, what, vm, used, limit, unit, share, over: isAlarm(LIMITS.columns.share, share) });
  };
  const { hypervisor } = view;
  add("root heap", null, hypervisor.rootPartition.heapUsed, hypervisor.rootPartition.heapSize, "bytes");
  add("hypervisor heap", null, hypervisor.privatePartition.heapUsed, hypervisor.privatePartition.heapSize, "bytes");
  add("free page tables", null, hypervisor.pageTables.left, null, "tables");
  const { limitOfVms, usedByVms } = hypervisor.pageTables;
  if (limitOfVms !== undefined) add("page tables of VMs", null, usedByVms, limitOfVms, "tables");
  add("objects", null, hypervisor.objects.size, null, "objects");
  const parcels = view.parcels();
  add("parcels", null, parcels.length, null, "parcels");
  add("regions of parcels", null, parcels.reduce((sum, parcel) => sum + parcel.regions.length, 0), null, "regions");
  for (const cspace of view.objects("cspace")) {
    add("capabilities", vmId(view.cspaceOwner(cspace)), cspace.used, cspace.maximum, "slots");
  }
  for (const { what, vmid, used, limit, unit } of view.system.manager.limits) {
    add(what, vmid === undefined ? null : view.vm(vmid), used, limit, unit);
  }
  for (const { vm, used, limit } of view.system.control.lockedMemory()) {
    add("locked memory", vmId(vm), used, limit === Number.MAX_SAFE_INTEGER ? null : limit, "bytes");
  }
  for (const space of hypervisor.addressSpaces.values()) {
    let pages = 0;
    for (const { size } of space.stage2.entries()) pages += size;
    add("mapped", view.vmOf(space), pages, null, "bytes");
  }
  return rows;
}
