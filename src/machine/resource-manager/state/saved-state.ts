// The form of the Resource Manager's state, for one that comes from a file: anyone can make a file
// whose checksums are correct. Every list and field has the kind that state.ts gives it, and lists
// that belong together have lengths and members that fit.

import * as v from "valibot";
import type { CapId, Ipa, Pa, Vmid } from "../../abi/numbers.ts";
import { NO_CAP, type RootEnvironment } from "../../abi/root-environment.ts";
import { MemAttribute, TransType } from "../../abi/rpc/messages/memory.ts";
import { VmState } from "../../abi/rpc/messages/vm.ts";
import { PacketType, type RpcMessage } from "../../abi/rpc/packet.ts";
import { VDEVICE_TYPES, type VdeviceConfig, type VdeviceType } from "../config/vdevice-config.ts";
import type { VcpuAffinity, VmConfig } from "../config/vm-config.ts";
import { bytes, count, demand, type Form, inForm, isSize, list, maybe, object } from "../../../kit/support/values/forms.ts";
import type { Addresses, AddressRange } from "./addresses.ts";
import type { Numbers } from "./numbers.ts";
import {
  isWhole,
  type Parcel,
  type ResetStage,
  type RmState,
  type SharedObject,
  type Vdevice,
  type VmObjects,
  type VmRecord,
} from "./state.ts";

const bool = v.boolean();
const text = v.string();
const integer = v.pipe(v.number(), v.integer());
const ipa = v.custom<Ipa>(isSize, "it is not an address");
const pa = v.custom<Pa>(isSize, "it is not a physical address");
const vmid = v.custom<Vmid>((value) => isSize(value) && Number(value) <= 0xffff, "it is not a VMID");
const cap = v.custom<CapId>((value) => typeof value === "bigint" && value >= 0n && value <= NO_CAP, "it is not a capability");
const wide = v.pipe(v.bigint(), v.minValue(0n));
const setOf = <T>(one: Form<T>) => v.set(one) as v.GenericSchema<unknown, Set<T>>;

const ADDRESS_RANGE: Form<AddressRange> = v.strictObject({ base: ipa, size: count });
const PHYSICAL_RANGES: Form<(readonly [number, number])[]> = list(v.strictTuple([count, count]));
const NUMBERS: Form<Numbers> = v.strictObject({ first: count, last: count, used: setOf(count) });
const ADDRESSES: Form<Addresses> = v.strictObject({ limit: count, taken: list(ADDRESS_RANGE), reserved: list(ADDRESS_RANGE) });
const ACCESS = v.strictObject({ vmid, rights: count });

const ENVIRONMENT: Form<RootEnvironment> = v.strictObject({
  runtime_ipa: ipa,
  app_ipa: ipa,
  app_heap_ipa: ipa,
  app_heap_size: count,
  vcpu_capid: cap,
  timer_freq: count,
  gicd_base: count,
  gicr_base: count,
  resources: v.strictObject({
    cspace_capid: cap,
    partition_capid: cap,
    vcpu_capid: cap,
    addrspace_capid: cap,
    vic: cap,
    vic_hwirq: list(cap),
    free_ranges: PHYSICAL_RANGES,
    gicd_base: count,
    gicr_stride: count,
    gicr_ranges: PHYSICAL_RANGES,
    sve_supported: bool,
    me_capid: cap,
    me_ipa_base: ipa,
    me_size: count,
    ipa_offset: integer,
    boot_core: count,
    usable_cores: count,
    hlos_vm_base: count,
    hlos_vm_size: count,
    entry_hlos: ipa,
    hlos_dt_base: ipa,
    hlos_ramfs_base: count,
    device_me_capid: cap,
    device_me_base: count,
    device_me_size: count,
    watchdog_supported: count,
    uart_address: count,
    uart_me_capid: cap,
  }),
});

const MESSAGE: Form<RpcMessage> = v.strictObject({
  type: v.picklist(Object.values(PacketType)),
  sequence: count,
  id: count,
  payload: bytes,
});

const VDEVICE_CONFIG: Form<VdeviceConfig> = v.strictObject({
  type: v.picklist(VDEVICE_TYPES as readonly VdeviceType[]),
  path: text,
  generate: maybe(text),
  pushCompatible: list(text),
  label: count,
  peerDefault: bool,
  peer: maybe(text),
  sourceCanClear: bool,
  msiSource: bool,
  isSender: bool,
  messageSize: count,
  queueDepth: count,
  virqs: maybe(list(v.strictObject({ intid: count, edge: bool }))),
  consoleDev: bool,
  memory: maybe(v.strictObject({ label: count, base: maybe(count), optional: bool })),
  dmaBase: maybe(wide),
  queues: count,
  deviceType: maybe(count),
  dmaCoherent: bool,
  patch: maybe(text),
  iomemRights: maybe(list(count)),
  iomemAttributes: maybe(list(count)),
  iomemRanges: maybe(list(v.strictObject({ address: wide, size: wide }))),
});

const VM_CONFIG: Form<VmConfig> = v.strictObject({
  name: text,
  uri: text,
  guid: bytes,
  noShutdown: bool,
  noReset: bool,
  crashFatal: bool,
  sensitive: bool,
  rasErrorHandler: bool,
  amuCountingDisabled: bool,
  trustedOnly: list(text),
  baseAddress: ipa,
  sizeMax: count,
  sizeMin: count,
  reservedMemory: list(v.strictObject({ path: text, label: count, ranges: list(ADDRESS_RANGE) })),
  firmwareAddress: maybe(ipa),
  firmwareSizeMax: count,
  affinity: v.picklist<readonly VcpuAffinity[]>(["static", "sticky", "pinned", "proxy"]),
  affinityMap: maybe(list(count)),
  priority: integer,
  timeslice: count,
  noTimerWakeups: bool,
  vcpus: list(v.strictObject({ path: text, boots: bool })),
  psci: bool,
  gic: maybe(v.strictObject({ path: text, frames: maybe(v.strictObject({ gicd: ipa, gicr: ipa })), stride: count, its: maybe(ipa) })),
  vdevices: list(VDEVICE_CONFIG),
});

const OBJECTS: Form<VmObjects> = v.strictObject({
  cspace: cap,
  memory: cap,
  device: cap,
  addrspace: maybe(cap),
  infoPage: maybe(v.strictObject({ extent: cap, ipa, heapOffset: count })),
  lowPages: list(v.strictObject({ extent: cap, ipa, heapOffset: count })),
  vic: maybe(cap),
  vpmGroup: maybe(cap),
  vcpus: list(v.strictObject({
    cap,
    active: bool,
    ownerCap: maybe(cap),
    selfCap: maybe(cap),
    haltVirq: maybe(count),
    wakeupVirq: maybe(count),
    boots: bool,
    affinityIndex: count,
  })),
});

const SHARED_OBJECT: Form<SharedObject> = v.strictObject({
  kind: v.picklist(["doorbell", "msgqueue"]),
  cap,
  ends: list(v.strictObject({ vmid, role: v.picklist(["send", "receive"]), cap, virq: maybe(count), edge: bool })),
  gone: bool,
});

const VDEVICE: Form<Vdevice> = v.strictObject({
  config: VDEVICE_CONFIG,
  handle: count,
  peer: maybe(count),
  objects: list(SHARED_OBJECT),
  virtio: maybe(v.strictObject({
    cap,
    extent: cap,
    heapOffset: count,
    frontend: v.strictObject({ ipa, virq: count, edge: bool }),
    backend: v.strictObject({ vmid, ipa, cap, virq: count }),
  })),
  virqs: list(v.strictObject({ vmid, virq: count })),
});

const LINK: Form<NonNullable<VmRecord["link"]>> = v.strictObject({
  vmid,
  receiveQueue: cap,
  sendQueue: cap,
  receiveVirq: count,
  sendVirq: count,
  partial: maybe(v.strictObject({
    header: v.strictObject({ type: v.picklist(Object.values(PacketType)), fragments: count, sequence: count, id: count }),
    received: list(bytes),
  })),
  packets: list(bytes),
  replies: list(MESSAGE),
  notifications: list(MESSAGE),
});

const RESET_STAGES: readonly ResetStage[] = [
  "destroy-vdevices",
  "release-parcels",
  "release-irqs",
  "destroy-vm",
  "cleanup-vm",
  "completed",
];

const LAYOUT: Form<VmRecord["layout"]> = v.pipe(
  object,
  v.strictObject({ image: v.exactOptional(ADDRESS_RANGE), firmware: v.exactOptional(ADDRESS_RANGE) }),
);

const VM: Form<VmRecord> = v.strictObject({
  vmid,
  owner: vmid,
  state: v.picklist(Object.values(VmState)),
  osState: count,
  appStatus: count,
  name: text,
  uri: text,
  guid: bytes,
  crashMessage: maybe(bytes),
  peers: list(vmid),
  authType: count,
  image: maybe(v.strictObject({ handle: count, imageOffset: count, imageSize: count, dtOffset: count, dtSize: count })),
  memorySize: count,
  gic: maybe(v.strictObject({ gicd: ipa, gicr: ipa })),
  firmware: maybe(v.strictObject({ handle: count, offset: count, size: count, ipa })),
  layout: LAYOUT,
  paging: maybe(v.strictObject({
    ranges: list(ADDRESS_RANGE),
    sharedExtent: maybe(cap),
    caps: list(v.strictObject({ type: count, label: count, cap })),
  })),
  bootContext: v.strictObject({ entry: bool, context: bool }),
  config: maybe(VM_CONFIG),
  objects: maybe(OBJECTS),
  addresses: maybe(ADDRESSES),
  direct: bool,
  virqs: NUMBERS,
  vdevices: list(VDEVICE),
  accepted: list(count),
  link: maybe(LINK),
  console: maybe(v.strictObject({ vmOpen: bool, ownerOpen: bool })),
  reset: maybe(v.picklist(RESET_STAGES)),
});

const PARCEL: Form<Parcel> = v.strictObject({
  handle: count,
  owner: vmid,
  // As the message had it: only that of device memory means anything.
  memType: count,
  transType: v.picklist(Object.values(TransType)),
  label: count,
  open: bool,
  sanitizedAtCreate: bool,
  sanitizeAtReclaim: bool,
  memInfoTag: maybe(count),
  extent: cap,
  borrowers: list(v.strictObject({
    vmid,
    rights: count,
    attribute: v.picklist(Object.values(MemAttribute)),
    accepted: bool,
    gone: bool,
    mapped: bool,
    ipas: list(ipa),
    contiguous: bool,
  })),
  acl: list(ACCESS),
  attributes: list(v.strictObject({ attribute: v.picklist(Object.values(MemAttribute)), vmid })),
  regions: list(v.strictObject({ ownerIpa: ipa, offset: pa, size: count })),
});

/** The state, with VMs that may lack what their states say. */
type SavedState = Omit<RmState, "vms"> & { readonly vms: VmRecord[] };

const STATE: Form<SavedState> = v.strictObject({
  environment: maybe(ENVIRONMENT),
  memoryParent: cap,
  vms: list(VM),
  virqs: NUMBERS,
  heapPages: setOf(count),
  parcels: list(PARCEL),
  assigned: list(v.strictObject({ base: pa, size: count, vms: list(v.strictObject({ vmid: count, rights: count })) })),
  nextHandle: count,
  nextVdeviceHandle: count,
  loans: list(v.strictObject({ handle: count, irq: count, owner: vmid, borrower: vmid, label: count, accepted: bool })),
  irqHandleBase: count,
  notificationSequence: count,
  exits: list(v.strictObject({
    vmid,
    exited: maybe(v.strictObject({ type: count, reason: bytes })),
    request: maybe(v.strictObject({ vmid, sequence: count, id: count })),
    vcpu: count,
  })),
  running: bool,
  firmware: maybe(v.strictObject({ ipa, size: count })),
  firmwareLocked: bool,
  wakeAt: maybe(v.pipe(v.number(), v.finite())),
  delayed: list(v.strictObject({ at: v.pipe(v.number(), v.finite()), vmid, message: MESSAGE })),
  entropy: wide,
});

/**
 * The same value, as the state that it is: objects that two fields share stay one.
 * @throws Error that names the field and its defect
 */
export function checkedState(state: unknown): RmState {
  const checked = inForm(STATE, state);
  checkVms(checked);
  checkParcels(checked);
  return checked;
}

function checkVms(state: SavedState): asserts state is RmState {
  const { vms, parcels, exits, running } = state;
  demand(new Set(vms.map((vm) => vm.vmid)).size === vms.length, "vms", "two have one VMID");
  for (const [index, vm] of vms.entries()) {
    const held = vm.accepted.every((handle) =>
      parcels.some((parcel) => parcel.handle === handle && parcel.borrowers.some((borrower) => borrower.vmid === vm.vmid))
    );
    demand(held, `vms.${index}.accepted`, "it names a parcel that the VM does not borrow");
    demand(isWhole(vm), `vms.${index}.state`, "the VM lacks an object, an address or a configuration that it has in this state");
  }
  const ended = exits.every((exit) => vms.some((vm) => vm.vmid === exit.vmid && vm.objects !== undefined));
  demand(ended, "exits", "a VM that is being ended does not exist");
  demand(!running || exits.length > 0, "running", "no VM is being ended");
}

function checkParcels({ vms, parcels }: RmState): void {
  demand(new Set(parcels.map(({ handle }) => handle)).size === parcels.length, "parcels", "two have one handle");
  const placing = new Set(vms.filter(({ addresses }) => addresses !== undefined).map((vm) => vm.vmid));
  for (const [index, { borrowers, regions }] of parcels.entries()) {
    for (const [at, borrower] of borrowers.entries()) {
      const place = `parcels.${index}.borrowers.${at}`, placed = borrower.ipas.length;
      demand(borrower.mapped ? placed === regions.length : placed <= regions.length, place, "it has other addresses than regions");
      demand(!borrower.mapped || borrower.accepted, place, "a mapped parcel was not accepted");
      demand(placed === 0 || placing.has(borrower.vmid), place, "its VM has no addresses to give");
    }
  }
}
