// The nodes that vdevices become in the devicetree of a VM that starts
// (docs/spec/resource-manager.md §7.4).

import { cells64, type DevicetreeNode, ensureNode, findNode, node, type PropertyValue, setProperties } from "../../devicetree/tree.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { demand } from "../calls/refusals.ts";
import type { VdeviceConfig } from "../config/vdevice-config.ts";
import type { Parcel, PlacedParcel, Vdevice, VdeviceEnd, Vm } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Objects that a vdevice's node refers to. */
interface NodeContext {
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
  const nodes = new VdeviceNodes(root, device, context);
  switch (device.config.type) {
    case "rm-rpc":
      return nodes.rmRpc();
    case "message-queue-pair":
      return nodes.queuePair();
    case "message-queue":
      return nodes.queue();
    case "doorbell":
      return nodes.doorbell();
    case "doorbell-source":
      return nodes.doorbellSource();
    case "shm":
    case "shm-doorbell":
      return nodes.buffer();
    case "virtio-mmio":
      return nodes.virtioMmio();
    case "iomem":
      return describeIomem(root, device, context);
    case "vsmmu-v2":
    case "vrtc-pl031":
      return;
  }
}

type Properties = Record<string, PropertyValue>;

class VdeviceNodes {
  readonly #ends: readonly VdeviceEnd[];
  readonly #labels: Properties;

  constructor(readonly root: DevicetreeNode, readonly device: Vdevice, readonly context: NodeContext) {
    const { config, objects } = device;
    this.#ends = objects.flatMap((object) => object.ends).filter((end) => end.vmid === context.vm.vmid);
    this.#labels = { "qcom,label": config.label, label: config.label };
  }

  rmRpc(): void {
    this.#add("rm-rpc", this.#known("receive").cap, [...RM_RPC, QUEUE, CAPABILITY], this.#pair());
  }

  queuePair(): void {
    const { peerDefault, peer } = this.device.config;
    this.#add("qcom,message-queue-pair", this.#known("receive").cap, [QUEUE, CAPABILITY], {
      ...this.#pair(),
      "qcom,peer-vmid": peerDefault ? undefined : this.device.peer,
      peer,
      ...this.#labels,
    });
  }

  queue(): void {
    const { isSender, messageSize, queueDepth } = this.device.config;
    const end = this.#known(isSender ? "send" : "receive");
    this.#add("qcom,message-queue", end.cap, [QUEUE, CAPABILITY], {
      reg: cells64(end.cap),
      [isSender ? "is-sender" : "is-receiver"]: true,
      tx_message_size: messageSize,
      tx_queue_depth: queueDepth,
      interrupts: specifier(end),
      ...this.#labels,
    });
  }

  /** A doorbell whose sends are messages to the VM's ITS has no node. */
  doorbell(): void {
    const rx = this.#end("receive");
    if (rx !== undefined) this.#add("qcom,doorbell", rx.cap, ["qcom,gunyah-doorbell", CAPABILITY], this.#rung(rx));
  }

  doorbellSource(): void {
    const { cap } = this.#known("send");
    this.#add("qcom,doorbell-source", cap, ["qcom,gunyah-doorbell-source", CAPABILITY], { reg: cells64(cap), ...this.#labels });
  }

  /** The node of an optional buffer that was not lent has no memory. */
  buffer(): void {
    const { type, dmaBase } = this.device.config;
    const buffer = bufferOf(this.device, this.context);
    const bells: Properties = {};
    const [tx, rx] = [this.#end("send"), this.#end("receive")];
    if (tx !== undefined && rx !== undefined) {
      const [txHandle, rxHandle] = [this.context.phandle(), this.context.phandle()];
      const source = { reg: cells64(tx.cap), ...this.#labels, phandle: txHandle };
      this.#addAt("/hypervisor/qcom,doorbell-source", tx.cap, ["qcom,gunyah-doorbell-source", CAPABILITY], source);
      this.#addAt("/hypervisor/qcom,doorbell", rx.cap, ["qcom,gunyah-doorbell", CAPABILITY], { ...this.#rung(rx), phandle: rxHandle });
      Object.assign(bells, { "tx-doorbell": txHandle, "rx-doorbell": rxHandle });
    }
    this.#add("qcom,shm", undefined, [type === "shm" ? "qcom,shared-memory" : "qcom,gunyah-shm-doorbell"], {
      buffer,
      "memory-region": buffer,
      peer: this.device.peer,
      ...this.#labels,
      ...bells,
      dma_base: dmaBase === undefined ? undefined : cells64(dmaBase),
    });
  }

  virtioMmio(): void {
    const { config, peer, virtio } = this.device;
    const buffer = bufferOf(this.device, this.context);
    if (buffer === undefined) return;
    if (virtio === undefined) throw new Error(`${config.path} has no device`);
    const { ipa, virq, edge } = virtio.frontend;
    this.#add("qcom,virtio_mmio", ipa, ["virtio,mmio"], {
      reg: cells64(ipa, PAGE_SIZE),
      buffer,
      "memory-region": buffer,
      interrupts: virqSpecifier(virq, edge),
      ...this.#labels,
      dma_base: cells64(config.dmaBase ?? 0n),
      peer,
      "dma-coherent": config.dmaCoherent ? true : undefined,
    });
  }

  #end(role: VdeviceEnd["role"]): VdeviceEnd | undefined {
    return this.#ends.find((end) => end.role === role);
  }

  /** @throws Error if the VM has no such end */
  #known(role: VdeviceEnd["role"]): VdeviceEnd {
    const end = this.#end(role);
    if (end === undefined) throw new Error(`${this.device.config.path}: the VM has no end to ${role}`);
    return end;
  }

  #pair(): Properties {
    const { device: { config: { messageSize, queueDepth }, handle } } = this;
    const [tx, rx] = [this.#known("send"), this.#known("receive")];
    return {
      reg: cells64(tx.cap, rx.cap),
      interrupts: [...specifier(tx), ...specifier(rx)],
      "qcom,is-full-duplex": true,
      "qcom,tx-message-size": messageSize,
      "qcom,rx-message-size": messageSize,
      "qcom,tx-queue-depth": queueDepth,
      "qcom,rx-queue-depth": queueDepth,
      "qcom,free-irq-start": 0,
      "qcom,vdevice-handle": handle,
    };
  }

  #rung(rx: VdeviceEnd): Properties {
    return { reg: cells64(rx.cap), interrupts: specifier(rx), ...this.#labels };
  }

  /** Where the configuration says, else below /hypervisor. */
  #add(defaultName: string, unit: number | bigint | undefined, compatible: string[], properties: Properties): void {
    const { generate, pushCompatible } = this.device.config;
    this.#addAt(generate ?? `/hypervisor/${defaultName}`, unit, [...pushCompatible, ...compatible], properties);
  }

  #addAt(path: string, unit: number | bigint | undefined, compatible: string[], properties: Properties): void {
    const slash = path.lastIndexOf("/");
    const name = unit === undefined ? path.slice(slash + 1) : `${path.slice(slash + 1)}@${unit.toString(16)}`;
    ensureNode(this.root, path.slice(0, slash)).children.push(node(name, { compatible, ...properties }));
  }
}

/** The child `memory` of a vdevice that has one by its type. */
function memoryOf({ memory, path }: VdeviceConfig): NonNullable<VdeviceConfig["memory"]> {
  if (memory === undefined) throw new Error(`${path} has no memory`);
  return memory;
}

/**
 * The phandle of the buffer of a vdevice; undefined if it is optional and was not lent.
 * @throws Refusal with NORESOURCE
 */
function bufferOf({ config }: Vdevice, { buffers }: NodeContext): number | undefined {
  const { label, optional } = memoryOf(config);
  const buffer = [...buffers].find(([parcel]) => parcel.label === label)?.[1];
  const rule = `the buffer of a ${config.type} vdevice was not lent`;
  demand(buffer !== undefined || optional, RmError.NORESOURCE, rule, { label }, { code: "buffer-not-lent" });
  return buffer;
}

/**
 * Device memory that was lent: a new node, or an existing one that is completed. Without a parcel
 * there is no node.
 */
function describeIomem(root: DevicetreeNode, { config, peer }: Vdevice, { parcels }: NodeContext): void {
  const { label } = memoryOf(config);
  const placed = parcels.find(({ kind, parcel }) => kind === "iomem" && parcel.label === label);
  if (placed === undefined) return;
  const target = iomemNode(root, config);
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

function iomemNode(root: DevicetreeNode, { patch, generate }: VdeviceConfig): DevicetreeNode | undefined {
  if (patch !== undefined) return findNode(root, patch);
  return generate === undefined ? undefined : ensureNode(root, generate);
}

function specifier({ virq, edge, cap }: VdeviceEnd): number[] {
  if (virq === undefined) throw new Error(`the end of capability 0x${cap.toString(16)} has no vIRQ`);
  return virqSpecifier(virq, edge);
}

/** A GIC specifier: class, number, trigger. */
function virqSpecifier(intid: number, edge: boolean): number[] {
  const trigger = edge ? 1 : 4;
  if (intid < 32) return [1, intid - 16, trigger];
  if (intid < 1024) return [0, intid - 32, trigger];
  return intid < 4096 ? [3, intid - 1056, trigger] : [2, intid - 4096, trigger];
}
