// Makes the objects behind vdevices at VM_INIT, and takes them away at a reset (spec/resource-manager.md §8.2, rows 10 to 12).

import { RmError } from "../abi/rpc/errors.ts";
import { DoorbellRight, MsgqueueRight } from "../abi/rights.ts";
import { msgqueueCreateInfo } from "../abi/words.ts";
import type { Context } from "./context.ts";
import { createLink } from "./link.ts";
import { allocateNumber, takeNumber } from "./numbers.ts";
import { refuseAs, require } from "./refusals.ts";
import type { SharedObject, Vdevice, VdeviceEnd, Vm } from "./state.ts";
import { NOT_BUILT, type VdeviceConfig, type VdeviceType } from "./vdevice-config.ts";

/** Objects are made kind by kind, in this order; within a kind in the order of the devicetree. */
const ORDER: readonly (readonly VdeviceType[])[] = [
  ["rm-rpc"],
  ["doorbell", "doorbell-source"],
  ["message-queue"],
  ["message-queue-pair"],
  ["shm"],
];

/** Makes all vdevices of a VM. @throws Refusal with NORESOURCE */
export function createVdevices(context: Context, vm: Vm, owner: Vm): void {
  const configs = vm.config!.vdevices;
  for (const config of configs) {
    require(!NOT_BUILT.has(config.type), RmError.NORESOURCE, `vdevices of type ${config.type} are not built`, { path: config.path });
    const named = config.peer !== undefined && !config.peerDefault;
    require(!named, RmError.NORESOURCE, "vdevices between two VMs that the owner is not part of are not built", { path: config.path });
  }
  for (const types of ORDER) {
    for (const config of configs.filter(({ type }) => types.includes(type))) {
      const device: Vdevice = { config, handle: vm.vdevices.length, peer: owner.vmid, objects: [] };
      vm.vdevices.push(device);
      refuseAs(RmError.NORESOURCE, `the objects of ${config.path} cannot be made`, () => createVdevice(context, vm, owner, device));
    }
  }
}

function createVdevice(context: Context, vm: Vm, owner: Vm, device: Vdevice): void {
  const { config } = device;
  switch (config.type) {
    case "rm-rpc":
      return createRmRpc(context, vm, device);
    case "doorbell":
      return createDoorbell(context, device, owner, vm, config.virqs?.[0]);
    case "doorbell-source":
      return createDoorbell(context, device, vm, owner, undefined);
    case "message-queue":
      if (config.isSender) createQueue(context, device, vm, owner, virqOf(vm, config, 0), virqOf(owner, undefined, 0));
      else createQueue(context, device, owner, vm, virqOf(owner, undefined, 0), virqOf(vm, config, 0));
      return;
    case "message-queue-pair": {
      // What the VM sends comes first, and so does its vIRQ.
      const [tx, rx] = [virqOf(vm, config, 0), virqOf(vm, config, 1)];
      const [peerTx, peerRx] = [virqOf(owner, undefined, 0), virqOf(owner, undefined, 1)];
      createQueue(context, device, vm, owner, tx, peerRx);
      createQueue(context, device, owner, vm, peerTx, rx);
      return;
    }
    // A plain shared buffer has no object: its parcel is mapped when the VM starts.
    case "shm":
      return;
  }
}

/** A vIRQ of a VM: the one that the devicetree asks for, or the lowest free one. @throws Refusal with NORESOURCE */
function virqOf(vm: Vm, config: VdeviceConfig | undefined, index: number): { virq: number; edge: boolean } {
  const asked = config?.virqs?.[index];
  if (asked !== undefined) {
    require(takeNumber(vm.virqs, asked.intid), RmError.NORESOURCE, "the vIRQ is taken", { vmid: vm.vmid, virq: asked.intid });
    return { virq: asked.intid, edge: asked.edge };
  }
  const virq = allocateNumber(vm.virqs);
  require(virq !== undefined, RmError.NORESOURCE, "the VM has no vIRQ left", { vmid: vm.vmid });
  return { virq, edge: true };
}

function createRmRpc(context: Context, vm: Vm, device: Vdevice): void {
  const { config } = device;
  require(vm.link === undefined, RmError.NORESOURCE, "the VM has a link to the resource manager already", { path: config.path });
  const [tx, rx] = [virqOf(vm, config, 0), virqOf(vm, config, 1)];
  const { link, txCap, rxCap } = createLink(context, {
    vmid: vm.vmid,
    cspace: vm.objects!.cspace,
    vic: vm.objects!.vic!,
    txVirq: tx.virq,
    rxVirq: rx.virq,
    depth: config.queueDepth,
    messageSize: config.messageSize,
  });
  vm.link = link;
  const end = (role: VdeviceEnd["role"], cap: bigint, { virq, edge }: typeof tx): VdeviceEnd => ({ vmid: vm.vmid, role, cap, virq, edge });
  device.objects.push({ kind: "msgqueue", cap: link.receiveQueue, ends: [end("send", txCap, tx)] });
  device.objects.push({ kind: "msgqueue", cap: link.sendQueue, ends: [end("receive", rxCap, rx)] });
  if (config.consoleDev) vm.console = { vmOpen: false, ownerOpen: false };
}

function createDoorbell(
  context: Context,
  device: Vdevice,
  source: Vm,
  receiver: Vm,
  asked: { intid: number; edge: boolean } | undefined,
): void {
  const { calls } = context;
  const cap = calls.create("doorbell");
  const doorbell: SharedObject = { kind: "doorbell", cap, ends: [] };
  device.objects.push(doorbell);
  calls.activate(cap);
  const rights = DoorbellRight.Send | (device.config.sourceCanClear ? DoorbellRight.Receive : 0);
  const sourceCap = calls.copyCap(cap, source.objects!.cspace, rights);
  doorbell.ends.push({ vmid: source.vmid, role: "send", cap: sourceCap, virq: undefined, edge: true });
  const receiverCap = calls.copyCap(cap, receiver.objects!.cspace, DoorbellRight.Receive);
  const { virq, edge } = virqOf(receiver, asked && device.config, 0);
  doorbell.ends.push({ vmid: receiver.vmid, role: "receive", cap: receiverCap, virq, edge });
  calls.do("doorbell_bind_virq", cap, receiver.objects!.vic!, virq);
}

interface EndVirq {
  readonly virq: number;
  readonly edge: boolean;
}

function createQueue(context: Context, device: Vdevice, sender: Vm, receiver: Vm, senderVirq: EndVirq, receiverVirq: EndVirq): void {
  const { calls } = context;
  const cap = calls.create("msgqueue");
  const queue: SharedObject = { kind: "msgqueue", cap, ends: [] };
  device.objects.push(queue);
  calls.do("msgqueue_configure", cap, msgqueueCreateInfo(device.config.queueDepth, device.config.messageSize));
  calls.activate(cap);
  const sendCap = calls.copyCap(cap, sender.objects!.cspace, MsgqueueRight.Send);
  queue.ends.push({ vmid: sender.vmid, role: "send", cap: sendCap, ...senderVirq });
  const receiveCap = calls.copyCap(cap, receiver.objects!.cspace, MsgqueueRight.Receive);
  queue.ends.push({ vmid: receiver.vmid, role: "receive", cap: receiveCap, ...receiverVirq });
  calls.do("msgqueue_bind_send_virq", cap, sender.objects!.vic!, senderVirq.virq);
  calls.do("msgqueue_bind_receive_virq", cap, receiver.objects!.vic!, receiverVirq.virq);
}

/** Takes a vdevice's capabilities from both sides, frees its vIRQs and deletes its objects. */
export function destroyVdevice(context: Context, vm: Vm, device: Vdevice): void {
  for (const object of device.objects) {
    for (const end of object.ends) {
      const holder = context.vm(end.vmid);
      if (holder?.objects === undefined) continue;
      context.calls.deleteFrom(holder.objects.cspace, end.cap);
      if (end.virq !== undefined) holder.virqs.used.delete(end.virq);
    }
    context.calls.delete(object.cap);
  }
  if (device.config.type !== "rm-rpc" || vm.link === undefined) return;
  context.freeVirq(vm.link.receiveVirq);
  context.freeVirq(vm.link.sendVirq);
  vm.link = undefined;
  vm.console = undefined;
}
