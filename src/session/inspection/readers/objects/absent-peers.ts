// VMs that a devicetree names as the other end of a queue or doorbell, or that share a network or
// memory, and that are not there: some have ended, others are yet to start.

import type { SeenWord } from "../../../../cpu/core/interface.ts";
import type { HypervisorObject } from "../../../../machine/hypervisor/inspect.ts";
import type { Vdevice } from "../../../../machine/resource-manager/interface.ts";
import { nameOf, paId, vmId } from "../../../../model/queries/ids.ts";
import type { View } from "../inspected.ts";
import { readOwner } from "./read-memory.ts";

interface AbsentPeers {
  /** Those that nobody starts again by himself. */
  readonly gone: readonly string[];
  /** Those that are made, or wait for a start. */
  readonly coming: readonly string[];
}

/** The VM that a vdevice names as its peer: `vm:NAME`. */
export function namedPeer({ config }: Vdevice): string | undefined {
  // VMs that other kinds of names mean are not known in advance.
  const [, name] = config.peerDefault ? [] : /^vm-name:(.*)$/.exec(config.peer ?? "") ?? [];
  return name === undefined ? undefined : vmId(name);
}

/** The VMs at the other end of an object that has only one left. */
export function absentPeers(view: View, object: HypervisorObject): AbsentPeers {
  const devices = view.system.manager.state.vms.flatMap(({ vdevices }) => vdevices);
  const named = devices.filter(({ objects }) => objects.some(({ cap }) => view.rootObject(cap) === object))
    .flatMap((device) => namedPeer(device) ?? []).filter((vm) => view.system.vms.plans.has(nameOf(vm)));
  return absentOf(view, named);
}

/** @param vms that are not there */
export function absentOf(view: View, vms: readonly string[]): AbsentPeers {
  const { gone = [], coming = [] } = Object.groupBy(new Set(vms), (vm) => mayCome(view, nameOf(vm)) ? "coming" : "gone");
  return { gone, coming };
}

/** Whether a VM that is not there will be made without a request, or waits for its first start. */
function mayCome({ system: { vms } }: View, name: string): boolean {
  if (vms.withoutVmid(new Set()).includes(name)) return false;
  if ([...vms.names].some(([vmid, known]) => known === name && vms.hasFailed(vmid))) return false;
  return vms.exitOf(name) === undefined || vms.planned(name)?.restarts === true;
}

/** The reason of a VM's last end, by its id. */
export const lastEnd = (view: View, vm: string) => view.hypervisor.trace.reasons.endOf(nameOf(vm));

/** The virtual time (ns) of that. */
export function endedAt(view: View, vm: string): string | null {
  const end = lastEnd(view, vm);
  return end ? String(end.time) : null;
}

/** VMs that have ended, and with which a VM shared memory. */
export function endedSharers(view: View, vm: string, { pa }: SeenWord): readonly string[] {
  if (readOwner(view, paId(pa)).every(({ parcel }) => parcel === null)) return [];
  const { plans } = view.system.vms, labels = new Set([...plans].flatMap(([name, { shares }]) => vmId(name) === vm ? shares : []));
  const peers = [...plans].flatMap(([name, { shares }]) => vmId(name) !== vm && shares.some((one) => labels.has(one)) ? [vmId(name)] : []);
  return absentOf(view, peers).gone;
}
