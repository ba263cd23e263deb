// The state of one object as a text, so that the search for its changes need not read whole lists:
// an interrupt, a capability, a queue, a doorbell, a parcel, the owner and mappings of a page.

import type { TraceKind } from "../../../../machine/abi/trace.ts";
import { rightNames } from "../../../../machine/abi/rights.ts";
import { type HypercallName, HYPERCALLS } from "../../../../machine/abi/hypercalls.ts";
import { callBits, Intid, Irq, irqKey, type ObjectChanges, type VgicCpu } from "../../../../machine/hypervisor/inspect.ts";
import { type Id, parcelId, parseId } from "../../../../model/queries/ids.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { QueryError, type View } from "../inspected.ts";
import { readOwner } from "./read-memory.ts";
import { readParcels } from "./read-parcels.ts";

/** Objects whose changes can be searched for. */
type StatefulId = Id<"irq" | "cap" | "mq" | "db" | "parcel" | "pa">;

/** How the changes of an object are found. */
export interface ObjectState {
  /** Kinds of events at which it may change. */
  readonly kinds: readonly TraceKind[];
  /** The state now; `ABSENT` if there is no such object. */
  readonly read: (view: View) => string;
  /** Whether the object that has this id now may have changed in a part of the run before. */
  readonly mayChange: (view: View) => MayChange;
}

/** Whether an object may have changed by what happened in a part of a run. */
export type MayChange = (changes: ObjectChanges) => boolean;

/** The state of an object that does not exist. */
export const ABSENT = "does not exist";

/** The kinds of events at which each kind of object may change. */
const KINDS: Readonly<Record<StatefulId["kind"], readonly TraceKind[]>> = {
  irq: ["virq", "mmio", "trap", "hvc", "state", "psci", "msg"],
  cap: ["hvc", "state", "rpc"],
  mq: ["msg", "hvc", "state"],
  db: ["msg", "hvc", "state", "virq"],
  parcel: ["rpc", "hvc", "mem"],
  pa: ["mem", "hvc", "rpc", "ioctl"],
};

const isStateful = (id: Id | undefined): id is StatefulId => id !== undefined && Object.hasOwn(KINDS, id.kind);

/**
 * How the changes of the object with this id are found. `pa:ADDRESS` means the page's owner and
 * mappings.
 * @throws QueryError
 */
export function objectState(text: string): ObjectState {
  const id = parseId(text);
  if (!isStateful(id)) {
    throw new QueryError(`${JSON.stringify(text)} has no changes to search for`, "use irq:VM/INTID, cap:VM/SLOT, mq:N, db:N or parcel:N");
  }
  return {
    kinds: KINDS[id.kind],
    read: (view) => stateOf(view, id, text) ?? ABSENT,
    mayChange(view) {
      if (id.kind === "irq") return irqMayChange(view, id);
      const quiet = id.kind === "db" ? QUIET_CALLS & ~DOORBELL_CALLS : QUIET_CALLS;
      return ({ calls }) => (calls & ~quiet) !== 0n;
    },
  };
}

const bitsOf = (...names: HypercallName[]) => callBits(names.map((name) => HYPERCALLS[name].number));

/**
 * Calls that VMs make all the time, and that change no object but those that they name: neither
 * capabilities, parcels and mappings, nor names and VICs. Requests to the Resource Manager are
 * messages.
 */
const DOORBELL_CALLS = bitsOf("doorbell_send", "doorbell_receive");
const QUIET_CALLS = DOORBELL_CALLS | bitsOf(
  ...["hypervisor_identify", "scheduler_yield", "vcpu_run", "vcpu_run_check", "vpm_group_get_state", "prng_get_entropy"] as const,
  ...["virtio_mmio_backend_assert_virq", "virtio_mmio_backend_get_notification", "virtio_mmio_backend_get_queue_info"] as const,
);

/** LPIs have a part of their state in the guest's memory. */
function irqMayChange(view: View, { vm, intid, vcpu: index = 0 }: Id<"irq">): MayChange {
  const vic = vicOf(view, vm);
  if (!vic || intid >= Intid.SpiEnd) return () => true;
  const key = irqKey(vic.serial, intid < Intid.PrivateEnd ? index : undefined, intid);
  return ({ calls, irqs }) => irqs.has(key) || (calls & ~QUIET_CALLS) !== 0n;
}

const vicOf = (view: View, vm: string) =>
  view.objects("vic").find((one) => one.state === "active" && view.vmNameOf(one.vcpu(0)?.addressSpace) === vm);

function stateOf(view: View, id: StatefulId, text: string): string | undefined {
  switch (id.kind) {
    case "irq":
      return irqState(view, id);
    case "cap":
      return capState(view, id);
    case "mq":
      return queueState(view, text);
    case "db":
      return doorbellState(view, text);
    case "parcel":
      return parcelState(view, parcelId(id.handle));
    case "pa":
      return pageState(view, text);
  }
}

const words = (...parts: (string | false)[]) => parts.filter(Boolean).join(" ");

function irqState(view: View, { vm, intid, vcpu: index = 0 }: Id<"irq">): string | undefined {
  const vic = vicOf(view, vm);
  if (!vic) return undefined;
  if (intid >= Intid.SpiEnd) return lpiState(vic.gic.cpus, intid);
  const cpu = vic.gic.cpus[intid < Intid.PrivateEnd ? index : 0];
  if (!cpu) return undefined;
  const bank = vic.gic.bank(cpu, intid), flags = bank.flags[intid];
  const route = intid < Intid.PrivateEnd ? index : vic.gic.routeOf(intid);
  return words(
    flags & Irq.Enabled ? "enabled" : "disabled",
    bank.isPending(intid) && "pending",
    (flags & Irq.Active) !== 0 && "active",
    bank.sources.has(intid) && (flags & Irq.Source ? "line high" : "line low"),
    flags & Irq.Edge ? "edge" : "level",
    `priority ${hex(bank.priority[intid], 2)}`,
    route === undefined ? "to no vCPU" : `to vCPU ${route}`,
  );
}

function lpiState(cpus: readonly VgicCpu[], intid: number): string {
  const at = cpus.find(({ lpis }) => lpis?.pending.has(intid)), { lpis } = at ?? cpus[0];
  const configured = lpis?.configured(intid);
  return words(
    configured?.enabled ? "enabled" : "disabled",
    at !== undefined && `pending at vCPU ${at.index}`,
    configured !== undefined && `priority ${hex(configured.priority, 2)}`,
  );
}

function capState(view: View, { vm, slot }: Id<"cap">): string | undefined {
  for (const cspace of view.objects("cspace")) {
    if (view.cspaceOwner(cspace) !== vm) continue;
    for (const [id, { object, rights, master }] of cspace.capabilities()) {
      if (id !== slot) continue;
      return object ? words(view.object(object), object.state, rightNames(object.type, rights), master && "master") : "revoked";
    }
  }
  return undefined;
}

function queueState(view: View, id: string): string | undefined {
  const queue = view.objects("msgqueue").find((one) => view.object(one) === id);
  return queue && words(
    `${queue.count} of ${queue.depth} messages`,
    `sent ${queue.sent}`,
    `received ${queue.received}`,
    queue.state !== "active" && queue.state,
  );
}

function doorbellState(view: View, id: string): string | undefined {
  const doorbell = view.objects("doorbell").find((one) => view.object(one) === id);
  return doorbell && words(
    `flags ${hex(doorbell.flags)}`,
    `enabled ${hex(doorbell.enabled)}`,
    `ack ${hex(doorbell.autoAck)}`,
    doorbell.state !== "active" && doorbell.state,
  );
}

function parcelState(view: View, id: string): string | undefined {
  const parcel = readParcels(view).find((one) => one.id === id);
  return parcel &&
    words(parcel.kind, parcel.state, `of ${parcel.owner}`, parcel.borrowers.length > 0 && `to ${parcel.borrowers.join(", ")}`);
}

function pageState(view: View, place: string): string | undefined {
  const [page] = readOwner(view, place);
  return page &&
    words(`owner ${page.owner}`, page.parcel !== null && page.parcel, page.mapped.length ? page.mapped.join(", ") : "not mapped");
}
