// Memory parcels, reconstructed from the requests about them: the only source if the Resource
// Manager is a separate program.

import { ParcelMessage } from "../../../machine/abi/rpc/messages/all.ts";
import { TransType } from "../../../machine/abi/rpc/messages/memory.ts";
import type { TraceEvent, TraceFields } from "../../../machine/abi/trace.ts";
import type { Parcel } from "../../../machine/resource-manager/interface.ts";
import type { EventLog } from "./event-log.ts";

/** Known properties of a parcel. */
export type KnownParcel = Pick<Parcel, "handle" | "transType" | "label" | "open"> & {
  readonly owner: number;
  /** Undefined if the capability is unknown. */
  readonly extent: Parcel["extent"] | undefined;
  readonly borrowers: readonly KnownBorrower[];
  readonly regions: readonly { readonly ownerIpa: number; readonly offset: number; readonly size: number }[];
};

/** A VM of its access list. */
interface KnownBorrower {
  readonly vmid: number;
  readonly rights: number;
  accepted: boolean;
  mapped: boolean;
}

const CREATES = new Map<string, number>((["Donate", "Lend", "Share"] as const).map((kind) => [ParcelMessage[kind], TransType[kind]]));
const KINDS = new Set(["rpc"] as const);

/** The parcels that exist after the kept requests. */
export function parcelsOfRequests(log: EventLog): KnownParcel[] {
  const parcels = new Map<number, KnownParcel>();
  for (const event of [...log.newest(KINDS)].reverse()) if (event.result?.code === 0) take(parcels, event);
  return [...parcels.values()];
}

function take(parcels: Map<number, KnownParcel>, { name, fields, result }: TraceEvent): void {
  const handle = number(fields.handle), from = number(fields.from), about = number(fields.vmid);
  const kind = CREATES.get(name);
  if (kind !== undefined) return create(parcels, kind, from, number(result?.fields?.handle), fields);
  switch (name) {
    case ParcelMessage.Append: {
      const parcel = parcels.get(handle);
      if (parcel) parcels.set(handle, { ...parcel, regions: [...parcel.regions, ...regionsOf(fields)] });
      return;
    }
    case ParcelMessage.Accept:
      return place(parcels.get(handle), from, true);
    case ParcelMessage.Release:
      return place(parcels.get(handle), from, false);
    case ParcelMessage.Reclaim:
      return void parcels.delete(handle);
    // The Resource Manager accepts in the name of a VM that starts, and gives back for one that
    // ends.
    case ParcelMessage.VmStart:
      for (const parcel of parcels.values()) place(parcel, about, true);
      return;
    case ParcelMessage.VmReset:
      for (const parcel of parcels.values()) place(parcel, about, false);
  }
}

function create(parcels: Map<number, KnownParcel>, transType: number, owner: number, handle: number, fields: TraceFields): void {
  const borrowers = listOf(fields.acl).map((entry) => ({
    vmid: number(entry.vmid),
    rights: number(entry.rights),
    accepted: false,
    mapped: false,
  }))
    .filter(({ vmid }) => vmid !== owner);
  parcels.set(handle, {
    handle,
    transType,
    label: number(fields.label),
    open: false,
    owner,
    extent: undefined,
    borrowers,
    regions: regionsOf(fields),
  });
}

function place(parcel: KnownParcel | undefined, vmid: number, accepted: boolean): void {
  const borrower = parcel?.borrowers.find((one) => one.vmid === vmid);
  if (borrower) borrower.accepted = borrower.mapped = accepted;
}

function regionsOf({ sgl }: TraceFields): KnownParcel["regions"] {
  return listOf(sgl).map(({ address, size }) => ({ ownerIpa: number(address), offset: 0, size: number(size) }));
}

const number = (value: unknown): number => typeof value === "bigint" ? Number(value) : typeof value === "number" ? value : -1;
const listOf = (value: unknown): readonly TraceFields[] => Array.isArray(value) ? value as readonly TraceFields[] : [];
