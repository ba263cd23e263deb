// Rows about VMs: state, load, and the devices that they see.

import { defectOf, driverProgress, statusOf } from "./driver-progress.ts";
import { SOURCE_STATES } from "../../../../model/queries/facts/source-state.ts";
import { VcpuOption } from "../../../../machine/abi/words.ts";
import { VmState } from "../../../../machine/abi/rpc/messages/vm.ts";
import type { AddressSpace, GzVm, Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import { findVm, type Vm } from "../../../../machine/resource-manager/interface.ts";
import { Vmid } from "../guest-names.ts";
import { ownBytes } from "./read-memory.ts";
import type { View } from "../inspected.ts";
import { NetDevice } from "../../../../machine/virtio/net/net.ts";
import { conId, devId, irqId, nameOf, vmId, whyId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { DEVICES, VMS } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { wayOutText } from "../../../../kit/support/text/way-out.ts";

const STATE_NAMES = new Map<number, string>(
  Object.entries(VmState).map(([name, state]) => [state, name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()]),
);

/** The word for a state of the Resource Manager's. */
export const vmStateWord = (state: number): string => STATE_NAMES.get(state) ?? String(state);

/** A VM without the verdict on it, its guests, and its memory, which takes long to count. */
export type VmFacts = Omit<RowOf<typeof VMS>, "verdict" | "healthy" | "doing" | "memory" | "guests" | "guest_vms">;

/** Every VM that the Resource Manager or the hypervisor knows. */
export function readVmFacts(view: View): VmFacts[] {
  const { state } = view.system.manager;
  // A VM that has ended or failed keeps its row, to show how it ended.
  const vmids = new Set([...view.hypervisor.addressSpaces.keys(), ...state.vms.map((vm) => vm.vmid), ...view.system.vms.gone()]);
  const vcpus = view.vcpus();
  const rows = [...vmids].sort((a, b) => a - b).map((vmid) => {
    const name = view.vmName(vmid);
    const vm = findVm(state, vmid);
    const own = vcpus.filter((vcpu) => vcpu.addressSpace?.vmid === vmid);
    const planned = view.system.vms.planned(name);
    const end = view.hypervisor.addressSpaces.has(vmid) || vm ? undefined : view.hypervisor.trace.reasons.endOf(name);
    // Of a primary VM with GenieZone's calls: the Resource Manager does not know it.
    const zoned = view.hypervisor.geniezone?.vmOf(vmid);
    const isPlatform = vmid === Vmid.Primary || vmid === Vmid.ResourceManager;
    return {
      id: vmId(name),
      vmid: hex(vmid),
      state: vm ? vmStateWord(vm.state) : goneState(view, vmid),
      via: isPlatform ? "native" : zoned ? "geniezone" : planned?.hypervisor ?? "gunyah",
      schedule: own.length || vm?.config || !planned ? scheduleOf(own, vm) : planned.schedule,
      owner: zoned ? view.vm(Vmid.Primary) : vm && !isPlatform ? view.vm(vm.owner) : null,
      vcpus: own.length,
      cpu: own.reduce((sum, vcpu) => sum + view.rate(`${view.vcpu(vcpu)} time`, vcpu.usage.time), 0) / 1e9,
      instructions: String(own.reduce((sum, vcpu) => sum + vcpu.usage.instructions, 0)),
      exit: view.system.vms.exitOf(name) ?? null,
      ended: end?.rule ?? null,
      why: end ? whyId(end.id) : null,
      ...consoleOf(view, name),
    };
  });
  return [...rows, ...withoutVmid(view, new Set(rows.map(({ id }) => nameOf(id))))];
}

/** Bytes of the memory of VMs, as their rows have it. */
export function memoryOfVms(view: View): (vm: VmFacts) => number | null {
  const { state } = view.system.manager, owned = ownBytes(view);
  return ({ id, vmid }) => {
    const number = Number(vmid), planned = view.system.vms.planned(nameOf(id))?.memory;
    if (planned !== undefined || vmid === null) return planned ?? null;
    const zoned = view.hypervisor.geniezone?.vmOf(number);
    return zoned ? givenMemory(zoned) : findVm(state, number)?.memorySize || owned.get(number) || null;
  };
}

/** Bytes that its driver has given a GenieZone VM. */
function givenMemory({ memory }: GzVm): number | null {
  const { private: hidden, shared } = memory.statistics();
  return hidden + shared || null;
}

function consoleOf({ system: { consoles } }: View, name: string): Pick<VmFacts, "console" | "input_refused" | "input_way_out"> {
  const console = consoles.of(name);
  if (console === undefined) return { console: null, input_refused: null, input_way_out: null };
  const { what, wayOut } = consoles.closed(console) ?? {};
  return { console: conId(console), input_refused: what ?? null, input_way_out: wayOutText(wayOut) ?? null };
}

/** VMs that have no VMID. */
function withoutVmid(view: View, listed: ReadonlySet<string>): VmFacts[] {
  return view.system.vms.withoutVmid(listed).map((name): VmFacts => {
    const planned = view.system.vms.planned(name)!;
    const end = view.hypervisor.trace.reasons.endOf(name);
    return {
      id: vmId(name),
      vmid: null,
      state: "failed",
      via: planned.hypervisor,
      schedule: planned.schedule,
      owner: null,
      vcpus: 0,
      cpu: 0,
      instructions: "0",
      exit: view.system.vms.exitOf(name) ?? null,
      ended: end?.rule ?? null,
      why: end ? whyId(end.id) : null,
      ...consoleOf(view, name),
    };
  });
}

/** The state of a VM that the Resource Manager does not know. */
function goneState(view: View, vmid: number): string {
  if (view.hypervisor.addressSpaces.has(vmid)) return "running";
  return view.system.vms.hasFailed(vmid) ? "failed" : "stopped";
}

/** The scheduler of a VM's vCPUs. */
export function scheduleOf(vcpus: readonly Vcpu[], vm?: Vm): "native" | "proxy" | "own" {
  if (vcpus.some((vcpu) => vcpu.native)) return "native";
  const proxy = vcpus.length ? vcpus.some((vcpu) => vcpu.settings.options & VcpuOption.VcpuRunScheduled) : vm?.config?.affinity === "proxy";
  return proxy ? "proxy" : "own";
}

/** The devices of one VM. */
export function readDevices(view: View, space: AddressSpace): RowOf<typeof DEVICES>[] {
  const name = view.vmName(space.vmid);
  const none = { ipa: null, size: null, peer: null, virq: null, reach: null, driver: null, defect: null, metrics: null };
  const rows: RowOf<typeof DEVICES>[] = space.devices.map(({ ipa, size, device }) => ({
    ...none,
    id: devId(name, hex(ipa)),
    vm: vmId(name),
    kind: device.name.split(" of ")[0].toLowerCase(),
    ipa: hex(ipa),
    size,
    by: "hypervisor",
  }));
  for (const { base, end } of space.vmmioRanges) {
    rows.push({
      ...none,
      id: devId(name, hex(base)),
      vm: vmId(name),
      kind: "emulated",
      ipa: hex(base),
      size: end - base,
      by: "its VMM",
    });
  }
  for (const { config, peer, objects } of findVm(view.system.manager.state, space.vmid)?.vdevices ?? []) {
    const end = objects.flatMap((object) => object.ends).find(({ vmid, virq }) => vmid === space.vmid && virq !== undefined);
    rows.push({
      ...none,
      id: devId(name, `${config.type}-${config.label > 0xffff ? hex(config.label) : config.label}`),
      vm: vmId(name),
      kind: config.type,
      by: "hypervisor",
      peer: peer === undefined ? null : view.vm(peer),
      virq: end?.virq === undefined ? null : irqId(name, end.virq),
    });
  }
  for (const slot of view.system.virtio) {
    const { vm, id, device, ipa, size, intid } = slot;
    if (vm !== name) continue;
    const status = statusOf(view, slot), defect = defectOf(slot, status);
    rows.push({
      ...none,
      id,
      vm: vmId(name),
      kind: `virtio-${device.name}`,
      reach: device instanceof NetDevice ? device.backend?.reach ?? null : null,
      ipa: ipa === undefined ? null : hex(ipa),
      size,
      by: "el2",
      virq: irqId(name, intid),
      driver: driverProgress(status),
      defect: defect ? SOURCE_STATES.text(defect) : null,
      metrics: { ...device.metrics() },
    });
  }
  return rows;
}
