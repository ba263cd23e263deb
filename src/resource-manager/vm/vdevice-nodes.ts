// The nodes that vdevices become in the devicetree of a VM that starts
// (docs/spec/resource-manager.md §7.4).

import { cells64, type DevicetreeNode, ensureNode, findNode, node, type PropertyValue, setProperties } from "../../devicetree/tree.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { demand } from "../calls/refusals.ts";
import type { Parcel, PlacedParcel, Vdevice, VdeviceEnd, Vm } from "../state/state.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";

/** Objects that a vdevice's node refers to. */
export interface NodeContext {
  readonly vm: Vm;
  /** Phandles of buffers under /reserved-memory, by their parcel. */
  readonly buffers: ReadonlyMap<Parcel, number>;
  readonly parcels: readonly PlacedParcel[];
  /** A phandle that the tree does not use. */
  readonly phandle: () => number;
}

const QUEUE = "qcom,gunyah-message-queue";
const CAPABILITY = "qcom,gunyah-capability";
const RM_RPC = ["gunyah-resource-manager", "qcom,resource-manager", "qcom,resource-manager-1-0"];

/**
 * Adds the node of a vdevice.
 * @throws Refusal with NORESOURCE if its buffer is missing
 */
export function describeVdevice(root: DevicetreeNode, device: Vdevice, context: NodeContext): void {
  const { config } = device;
  const ends = device.objects.flatMap((object) => object.ends).filter((end) => end.vmid === context.vm.vmid);
  const tx = ends.find(({ role }) => role === "send");
  const rx = ends.find(({ role }) => role === "receive");
  const labels = { "qcom,label": config.label, label: config.label };
  const addAt = (path: string, unit: number | bigint | undefined, compatible: string[], properties: Record<string, PropertyValue>) => {
    const slash = path.lastIndexOf("/");
    const name = unit === undefined ? path.slice(slash + 1) : `${path.slice(slash + 1)}@${unit.toString(16)}`;
    ensureNode(root, path.slice(0, slash)).children.push(node(name, { compatible, ...properties }));
  };
  const add = (defaultName: string, unit: number | bigint | undefined, compatible: string[], properties: Record<string, PropertyValue>) =>
    addAt(config.generate ?? `/hypervisor/${defaultName}`, unit, [...config.pushCompatible, ...compatible], properties);
  const queuePair = (): Record<string, PropertyValue> => ({
    reg: cells64(tx!.cap, rx!.cap),
    interrupts: [...specifier(tx!), ...specifier(rx!)],
    "qcom,is-full-duplex": true,
    "qcom,tx-message-size": config.messageSize,
    "qcom,rx-message-size": config.messageSize,
    "qcom,tx-queue-depth": config.queueDepth,
    "qcom,rx-queue-depth": config.queueDepth,
    "qcom,free-irq-start": 0,
    "qcom,vdevice-handle": device.handle,
  });
  switch (config.type) {
    case "rm-rpc":
      return add("rm-rpc", rx!.cap, [...RM_RPC, QUEUE, CAPABILITY], queuePair());
    case "message-queue-pair":
      return add("qcom,message-queue-pair", rx!.cap, [QUEUE, CAPABILITY], {
        ...queuePair(),
        "qcom,peer-vmid": config.peerDefault ? undefined : device.peer,
        peer: config.peer,
        ...labels,
      });
    case "message-queue": {
      const end = (tx ?? rx)!;
      return add("qcom,message-queue", end.cap, [QUEUE, CAPABILITY], {
        reg: cells64(end.cap),
        [tx === undefined ? "is-receiver" : "is-sender"]: true,
        tx_message_size: config.messageSize,
        tx_queue_depth: config.queueDepth,
        interrupts: specifier(end),
        ...labels,
      });
    }
    case "doorbell":
      if (rx === undefined) return;
      return add("qcom,doorbell", rx.cap, ["qcom,gunyah-doorbell", CAPABILITY], doorbell(rx, labels));
    case "doorbell-source":
      return add("qcom,doorbell-source", tx!.cap, ["qcom,gunyah-doorbell-source", CAPABILITY], { reg: cells64(tx!.cap), ...labels });
    case "shm":
    case "shm-doorbell": {
      // The node of an optional buffer that was not lent has no memory.
      const buffer = bufferOf(device, context);
      const bells: Record<string, PropertyValue> = {};
      if (tx !== undefined && rx !== undefined) {
        const [txHandle, rxHandle] = [context.phandle(), context.phandle()];
        const source = { reg: cells64(tx.cap), ...labels, phandle: txHandle };
        addAt("/hypervisor/qcom,doorbell-source", tx.cap, ["qcom,gunyah-doorbell-source", CAPABILITY], source);
        addAt("/hypervisor/qcom,doorbell", rx.cap, ["qcom,gunyah-doorbell", CAPABILITY], { ...doorbell(rx, labels), phandle: rxHandle });
        Object.assign(bells, { "tx-doorbell": txHandle, "rx-doorbell": rxHandle });
      }
      return add("qcom,shm", undefined, [config.type === "shm" ? "qcom,shared-memory" : "qcom,gunyah-shm-doorbell"], {
        buffer,
        "memory-region": buffer,
        peer: device.peer,
        ...labels,
        ...bells,
        dma_base: config.dmaBase === undefined ? undefined : cells64(config.dmaBase),
      });
    }
    case "virtio-mmio": {
      const buffer = bufferOf(device, context);
      if (buffer === undefined) return;
      const { frontend } = device.virtio!;
      return add("qcom,virtio_mmio", frontend.ipa, ["virtio,mmio"], {
        reg: cells64(frontend.ipa, PAGE_SIZE),
        buffer,
        "memory-region": buffer,
        interrupts: virqSpecifier(frontend.virq, frontend.edge),
        ...labels,
        dma_base: cells64(config.dmaBase ?? 0n),
        peer: device.peer,
        "dma-coherent": config.dmaCoherent ? true : undefined,
      });
    }
    case "iomem":
      return describeIomem(root, device, context);
    case "vsmmu-v2":
    case "vrtc-pl031":
      return;
  }
}

function doorbell(rx: VdeviceEnd, labels: Record<string, PropertyValue>): Record<string, PropertyValue> {
  return { reg: cells64(rx.cap), interrupts: specifier(rx), ...labels };
}

/**
 * The phandle of the buffer of a vdevice; undefined if it is optional and was not lent.
 * @throws Refusal with NORESOURCE
 */
function bufferOf({ config }: Vdevice, { buffers }: NodeContext): number | undefined {
  const { label, optional } = config.memory!;
  const buffer = [...buffers].find(([parcel]) => parcel.label === label)?.[1];
  demand(buffer !== undefined || optional, RmError.NORESOURCE, `the buffer of a ${config.type} vdevice was not lent`, { label });
  return buffer;
}

/**
 * Device memory that was lent: a new node, or an existing one that is completed. Without a parcel
 * there is no node.
 */
function describeIomem(root: DevicetreeNode, { config, peer }: Vdevice, { parcels }: NodeContext): void {
  const placed = parcels.find(({ kind, parcel }) => kind === "iomem" && parcel.label === config.memory!.label);
  if (placed === undefined) return;
  const target = config.patch === undefined ? ensureNode(root, config.generate!) : findNode(root, config.patch);
  demand(target !== undefined, RmError.NORESOURCE, "the node that an iomem vdevice completes does not exist", { path: config.patch });
  setProperties(target, {
    "#address-cells": 2,
    "#size-cells": 2,
    compatible: config.pushCompatible.length > 0 ? config.pushCompatible : undefined,
    reg: cells64(...placed.ranges.flatMap(({ base, size }) => [base, size])),
    peer,
    "qcom,rm-mem-handle": cells64(placed.parcel.handle),
    "qcom,rm-acl": config.iomemRights,
    "qcom,rm-attributes": config.iomemAttributes,
    "qcom,label": config.label,
  });
}

function specifier({ virq, edge }: VdeviceEnd): number[] {
  return virqSpecifier(virq!, edge);
}

/** A GIC specifier: class, number, trigger. */
function virqSpecifier(intid: number, edge: boolean): number[] {
  const trigger = edge ? 1 : 4;
  if (intid < 32) return [1, intid - 16, trigger];
  if (intid < 1024) return [0, intid - 32, trigger];
  return intid < 4096 ? [3, intid - 1056, trigger] : [2, intid - 4096, trigger];
}
