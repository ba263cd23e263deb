// Makes the objects of vdevices at VM_INIT, and removes them at a reset
// (docs/spec/resource-manager.md §8.2, rows 10 to 12).

import type { CapId } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { DoorbellRight, MsgqueueRight } from "../../abi/rights.ts";
import { msgqueueCreateInfo } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { createLink } from "../rpc/link.ts";
import { demand, Refusal, refuseAs } from "../calls/refusals.ts";
import type { BuiltVm, SecondaryVm, SharedObject, Vdevice, VdeviceEnd, Vm, VmRecord } from "../state/state.ts";
import { befriend } from "../rpc/status.ts";
import type { VdeviceConfig, VdeviceType } from "../config/vdevice-config.ts";
import { type EndVirq, takeVirq } from "./vdevice-virqs.ts";
import { createVirtioMmio, destroyVirtioMmio } from "./virtio-mmio.ts";
import { guidText } from "../config/vm-config.ts";

/** Objects are made kind by kind, in this order; within a kind in the order of the devicetree. */
const ORDER: readonly (readonly VdeviceType[])[] = [
  ["rm-rpc"],
  ["doorbell", "doorbell-source"],
  ["message-queue"],
  ["message-queue-pair"],
  ["shm", "shm-doorbell"],
  ["virtio-mmio"],
  ["iomem", "vsmmu-v2", "vrtc-pl031"],
];

/** The required type of the vdevice at the other end of a `peer`. */
const COUNTERPART: Partial<Record<VdeviceType, VdeviceType>> = {
  doorbell: "doorbell-source",
  "doorbell-source": "doorbell",
  "message-queue-pair": "message-queue-pair",
};

/**
 * Makes all vdevices of a VM.
 * @throws Refusal with NORESOURCE
 */
export function createVdevices(context: Context, vm: SecondaryVm, owner: BuiltVm): void {
  const configs = vm.config.vdevices;
  for (const types of ORDER) {
    for (const config of configs.filter(({ type }) => types.includes(type))) {
      const peer = config.peerDefault || config.peer === undefined ? owner : namedVm(context, config.peer);
      const device: Vdevice = { config, handle: 0, peer: peer?.vmid, objects: [], virtio: undefined, virqs: [] };
      vm.vdevices.push(device);
      refuseAs(RmError.NORESOURCE, `the objects of ${config.path} cannot be made`, () => createVdevice(context, vm, owner, device));
    }
  }
}

/** Largest depth and message size that msgqueue_configure has bits for. */
const QUEUE_FIELD_MAX = 0xffff;

function createVdevice(context: Context, vm: SecondaryVm, owner: BuiltVm, device: Vdevice): void {
  const { config } = device;
  const { path, queueDepth, messageSize } = config;
  const rule = "queue-depth or message-size does not fit into what msgqueue_configure takes";
  demand(Math.max(queueDepth, messageSize) <= QUEUE_FIELD_MAX, RmError.NORESOURCE, rule, { path, queueDepth, messageSize });
  switch (config.type) {
    case "rm-rpc":
      return createRmRpc(context, vm, device);
    case "doorbell":
    case "doorbell-source":
      return createDoorbell(context, vm, owner, device);
    case "message-queue":
      device.handle = nextVdeviceHandle(context);
      device.objects.push(createQueue(context, config));
      attachEnd(context, device, 0, vm, config.isSender ? "send" : "receive", takeVirq(device, vm, true, 0));
      attachEnd(context, device, 0, owner, config.isSender ? "receive" : "send", takeVirq(device, owner, false, 0));
      return;
    case "message-queue-pair":
      return createQueuePair(context, vm, owner, device);
    case "shm-doorbell":
      return createBufferDoorbells(context, vm, owner, device);
    case "virtio-mmio":
      device.handle = nextVdeviceHandle(context);
      return createVirtioMmio(context, vm, owner, device);
    // Buffers have no object: their parcels are mapped when the VM starts. The open platform reads
    // the node of a vSMMU but makes nothing.
    case "shm":
    case "iomem":
    case "vsmmu-v2":
      return;
    case "vrtc-pl031":
      throw new Refusal(RmError.NORESOURCE, "the platform has no virtual RTC", { path: config.path });
  }
}

/** The VM that a peer string names: `vm-name:`, `vm-uri:` or `vm-guid:`. */
function namedVm(context: Context, peer: string): Vm | undefined {
  const [, kind, value] = /^vm-(name|uri|guid):(.*)$/.exec(peer) ?? [];
  demand(kind !== undefined, RmError.MEM_INVALID, "a peer is none of vm-name, vm-uri and vm-guid", { peer });
  return context.state.vms.find((vm) => (kind === "name" ? vm.name : kind === "uri" ? vm.uri : guidText(vm.guid)) === value);
}

/**
 * The vdevice at the other end, if its VM exists already and names this one: same label, matching
 * type, naming this VM. The two VMs then are peers, and share the objects that the other VM made.
 */
function joinCounterpart(context: Context, vm: SecondaryVm, device: Vdevice): Vdevice | undefined {
  const { config } = device;
  const peer = device.peer === undefined ? undefined : context.vm(device.peer);
  if (peer === undefined || peer.vmid === vm.vmid) return undefined;
  const count = config.type === "message-queue-pair" ? 2 : 1;
  const counterpart = peer.vdevices.find((other) =>
    other.objects.length === count && other.config.type === COUNTERPART[config.type] && other.config.label === config.label &&
    !other.config.peerDefault &&
    other.config.peer !== undefined && namedVm(context, other.config.peer)?.vmid === vm.vmid &&
    other.config.messageSize === config.messageSize &&
    other.config.queueDepth === config.queueDepth && other.objects.every(({ ends }) => ends.every(({ vmid }) => vmid !== vm.vmid))
  );
  if (counterpart === undefined) return undefined;
  befriend(vm, peer);
  counterpart.peer = vm.vmid;
  return counterpart;
}

function createRmRpc(context: Context, vm: SecondaryVm, device: Vdevice): void {
  const { config } = device;
  demand(vm.link === undefined, RmError.NORESOURCE, "the VM has a link to the Resource Manager already", { path: config.path });
  const [tx, rx] = [takeVirq(device, vm, true, 0), takeVirq(device, vm, true, 1)];
  const { link, txCap, rxCap } = createLink(context, {
    vmid: vm.vmid,
    cspace: vm.objects.cspace,
    vic: vm.objects.vic,
    txVirq: tx.virq,
    rxVirq: rx.virq,
    depth: config.queueDepth,
    messageSize: config.messageSize,
  });
  vm.link = link;
  const end = (role: VdeviceEnd["role"], cap: CapId, { virq, edge }: EndVirq): VdeviceEnd => ({ vmid: vm.vmid, role, cap, virq, edge });
  device.objects.push({ kind: "msgqueue", cap: link.receiveQueue, ends: [end("send", txCap, tx)], gone: false });
  device.objects.push({ kind: "msgqueue", cap: link.sendQueue, ends: [end("receive", rxCap, rx)], gone: false });
  if (config.consoleDev) vm.console = { vmOpen: false, ownerOpen: false };
}

function createDoorbell(context: Context, vm: SecondaryVm, owner: BuiltVm, device: Vdevice): void {
  const { config } = device;
  const counterpart = config.peerDefault ? undefined : joinCounterpart(context, vm, device);
  device.handle = counterpart?.handle ?? nextVdeviceHandle(context);
  if (counterpart !== undefined) {
    device.objects.push(...counterpart.objects);
  } else {
    device.objects.push({ kind: "doorbell", cap: context.build("doorbell", () => {}), ends: [], gone: false });
  }
  if (config.msiSource && context.rules.vmMsis && vm.config.gic?.its !== undefined) {
    context.calls.vic_bind_msi_source({ vic: vm.objects.vic, msi_source: device.objects[0].cap });
    return attachEnd(context, device, 0, owner, "send", undefined);
  }
  // The source's end comes before the receiver's.
  const isSource = config.type === "doorbell-source";
  const parties: [BuiltVm, VdeviceEnd["role"]][] = isSource ? [[vm, "send"], [owner, "receive"]] : [[owner, "send"], [vm, "receive"]];
  for (const [party, role] of parties) {
    if (party !== vm && !config.peerDefault) continue;
    const virq = role === "receive" ? takeVirq(device, party, party === vm, 0) : undefined;
    attachEnd(context, device, 0, party, role, virq);
  }
}

/** One doorbell that the VM rings, and one that its owner rings. */
function createBufferDoorbells(context: Context, vm: SecondaryVm, owner: BuiltVm, device: Vdevice): void {
  for (const [source, receiver] of [[vm, owner], [owner, vm]]) {
    // Each doorbell has one, which nothing shows.
    nextVdeviceHandle(context);
    const index = device.objects.push({ kind: "doorbell", cap: context.build("doorbell", () => {}), ends: [], gone: false }) - 1;
    attachEnd(context, device, index, source, "send", undefined);
    // The node asks for the VM's interrupt, not for the owner's.
    attachEnd(context, device, index, receiver, "receive", takeVirq(device, receiver, receiver === vm, 0));
  }
}

/** Two queues: one to send, one to receive. */
function createQueuePair(context: Context, vm: SecondaryVm, owner: BuiltVm, device: Vdevice): void {
  const { config } = device;
  const counterpart = config.peerDefault ? undefined : joinCounterpart(context, vm, device);
  device.handle = counterpart?.handle ?? nextVdeviceHandle(context);
  if (counterpart !== undefined) device.objects.push(counterpart.objects[1], counterpart.objects[0]);
  else for (let count = 0; count < 2; count++) device.objects.push(createQueue(context, config));
  const [tx, rx] = [takeVirq(device, vm, true, 0), takeVirq(device, vm, true, 1)];
  attachEnd(context, device, 0, vm, "send", tx);
  attachEnd(context, device, 1, vm, "receive", rx);
  if (!config.peerDefault) return;
  const [ownerTx, ownerRx] = [takeVirq(device, owner, false, 0), takeVirq(device, owner, false, 1)];
  attachEnd(context, device, 1, owner, "send", ownerTx);
  attachEnd(context, device, 0, owner, "receive", ownerRx);
}

/** The next vdevice handle: a counter over the vdevices of all VMs. */
function nextVdeviceHandle({ state }: Context): number {
  const handle = state.nextVdeviceHandle;
  state.nextVdeviceHandle = (handle + 1) >>> 0;
  return handle;
}

function createQueue(context: Context, { queueDepth, messageSize }: VdeviceConfig): SharedObject {
  const cap = context.build("msgqueue", (queue) => {
    context.calls.msgqueue_configure({ msgqueue: queue, create_info: msgqueueCreateInfo(queueDepth, messageSize) });
  });
  return { kind: "msgqueue", cap, ends: [], gone: false };
}

/** Gives a VM its end of an object: a capability, and a vIRQ where it has one. */
function attachEnd(
  context: Context,
  device: Vdevice,
  index: number,
  vm: BuiltVm,
  role: VdeviceEnd["role"],
  virq: EndVirq | undefined,
): void {
  const object = device.objects[index];
  const cap = context.calls.copyCap(object.cap, vm.objects.cspace, rightsOf(object, role, device.config));
  object.ends.push({ vmid: vm.vmid, role, cap, virq: virq?.virq, edge: virq?.edge ?? true });
  if (virq !== undefined) bindVirq(context, object, role, vm.objects.vic, virq.virq);
}

/**
 * Binds the vIRQ of an end.
 * @throws HypercallFailure
 */
function bindVirq({ calls }: Context, { kind, cap }: SharedObject, role: VdeviceEnd["role"], vic: CapId, virq: number): void {
  if (kind === "doorbell") calls.doorbell_bind_virq({ doorbell: cap, vic, virq });
  else if (role === "send") calls.msgqueue_bind_send_virq({ msgqueue: cap, vic, virq });
  else calls.msgqueue_bind_receive_virq({ msgqueue: cap, vic, virq });
}

/** Takes the vIRQ of an end away. */
function unbindVirq({ undo }: Context, { kind, cap }: SharedObject, role: VdeviceEnd["role"]): void {
  if (kind === "doorbell") undo.doorbell_unbind_virq({ doorbell: cap });
  else if (role === "send") undo.msgqueue_unbind_send_virq({ msgqueue: cap });
  else undo.msgqueue_unbind_receive_virq({ msgqueue: cap });
}

function rightsOf(object: SharedObject, role: VdeviceEnd["role"], config: VdeviceConfig): number {
  if (object.kind === "msgqueue") return role === "send" ? MsgqueueRight.Send : MsgqueueRight.Receive;
  if (role === "receive") return DoorbellRight.Receive;
  return config.sourceCanClear ? DoorbellRight.Send | DoorbellRight.Receive : DoorbellRight.Send;
}

/**
 * Takes the VM's ends of a vdevice and its owner's; an object that another VM still has an end of
 * stays.
 */
export function destroyVdevice(context: Context, vm: VmRecord, device: Vdevice): void {
  const mine = (end: VdeviceEnd) => end.vmid === vm.vmid || end.vmid === vm.owner;
  for (const object of device.objects) {
    for (const end of object.ends.filter(mine)) {
      context.remove(end.cap, context.objectsOf(end.vmid).cspace);
      if (end.virq !== undefined) unbindVirq(context, object, end.role);
    }
    object.ends.splice(0, object.ends.length, ...object.ends.filter((end) => !mine(end)));
    if (object.ends.length > 0 || object.gone) continue;
    context.remove(object.cap);
    object.gone = true;
  }
  if (device.virtio !== undefined) destroyVirtioMmio(context, vm, device.virtio);
  device.virtio = undefined;
  for (const { vmid, virq } of device.virqs) context.vm(vmid)?.virqs.used.delete(virq);
  if (device.config.type !== "rm-rpc" || vm.link === undefined) return;
  context.freeVirq(vm.link.receiveVirq);
  context.freeVirq(vm.link.sendVirq);
  vm.link = undefined;
  vm.console = undefined;
}
