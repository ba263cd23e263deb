// Reads vdevice nodes: the virtual devices that a VM's devicetree asks for
// (docs/spec/resource-manager.md §7.3).

import { RmError } from "../../abi/rpc/errors.ts";
import {
  cellSizes,
  type DevicetreeNode,
  readCell,
  readCells,
  readNumber,
  readRanges,
  readString,
  readStrings,
} from "../../devicetree/tree.ts";
import { demand } from "../calls/refusals.ts";

export type VdeviceType =
  | "rm-rpc"
  | "doorbell"
  | "doorbell-source"
  | "message-queue"
  | "message-queue-pair"
  | "shm"
  | "shm-doorbell"
  | "virtio-mmio"
  | "iomem"
  | "vsmmu-v2"
  | "vrtc-pl031";

/** In the order in which the Resource Manager looks for them. */
export const VDEVICE_TYPES: readonly string[] = [
  "rm-rpc",
  "shm-doorbell",
  "shm",
  "doorbell-source",
  "doorbell",
  "message-queue",
  "message-queue-pair",
  "virtio-mmio",
  "iomem",
  "vsmmu-v2",
  "vrtc-pl031",
] satisfies VdeviceType[];

/** Strings of push-compatible; three places of an rm-rpc are the Resource Manager's (§6.3). */
export const PUSH_MAX = 6;
export const RPC_PUSH_MAX = 3;
/** Most context banks and stream mapping registers of a vSMMU. */
const VSMMU_MAX = 255;

/** Size and depth of a queue, where the node has none. */
const DEFAULT_MESSAGE_SIZE = 240;
const DEFAULT_QUEUE_DEPTH = 8;

/** An interrupt that the node asks for. */
interface VirqRequest {
  readonly intid: number;
  readonly edge: boolean;
}

/** A vdevice as its node describes it. */
export interface VdeviceConfig {
  readonly type: VdeviceType;
  /** Path of the vdevice node, for reasons. */
  readonly path: string;
  /** Path of the node to create, without unit address. */
  readonly generate: string | undefined;
  /** Strings in front of the node's own compatibles. */
  readonly pushCompatible: readonly string[];
  readonly label: number;
  /** The other end is the VM's owner; otherwise `peer` names a VM. */
  readonly peerDefault: boolean;
  readonly peer: string | undefined;
  readonly sourceCanClear: boolean;
  /**
   * doorbell: its sends are messages to the VM's ITS, and the VM has no end of it. Only el2 has
   * this property.
   */
  readonly msiSource: boolean;
  /** message-queue: this VM sends. */
  readonly isSender: boolean;
  readonly messageSize: number;
  readonly queueDepth: number;
  /** Interrupts in the order of the node; undefined if the Resource Manager chooses. */
  readonly virqs: readonly VirqRequest[] | undefined;
  /** rm-rpc: the VM has a console through the Resource Manager. */
  readonly consoleDev: boolean;
  /** shm, shm-doorbell, virtio-mmio, iomem: the buffer. */
  readonly memory: { readonly label: number; readonly base: number | undefined; readonly optional: boolean } | undefined;
  readonly dmaBase: bigint | undefined;
  /**
   * virtio-mmio: number of queues, the device's type where the hypervisor knows it, and whether DMA
   * is coherent.
   */
  readonly queues: number;
  readonly deviceType: number | undefined;
  readonly dmaCoherent: boolean;
  /**
   * iomem: path of an existing node to complete, and what the parcel must be for where it says so:
   * (self, peer) each.
   */
  readonly patch: string | undefined;
  readonly iomemRights: readonly number[] | undefined;
  readonly iomemAttributes: readonly number[] | undefined;
  /** iomem: the physical ranges that the parcel must consist of. */
  readonly iomemRanges: readonly { readonly address: bigint; readonly size: bigint }[] | undefined;
}

export function isVdevice(node: DevicetreeNode): boolean {
  return VDEVICE_TYPES.includes(readString(node, "vdevice-type") ?? "");
}

/**
 * Reads a node that `isVdevice`.
 * @throws Refusal with MEM_INVALID if a required property is missing.
 */
export function readVdevice(node: DevicetreeNode, path: string): VdeviceConfig {
  const generate = readString(node, "generate");
  const config: VdeviceConfig = {
    type: readString(node, "vdevice-type") as VdeviceType,
    path,
    generate,
    pushCompatible: readStrings(node, "push-compatible") ?? [],
    label: readCell(node, "qcom,label") ?? readCell(node, "label") ?? 0,
    peerDefault: node.properties.has("peer-default"),
    peer: readString(node, "peer"),
    // VMMs write the second.
    sourceCanClear: node.properties.has("source-can-clear") || node.properties.has("source-can-clean"),
    msiSource: node.properties.has("el2,msi-source"),
    isSender: node.properties.has("is-sender"),
    messageSize: readCell(node, "message-size") ?? DEFAULT_MESSAGE_SIZE,
    queueDepth: readCell(node, "queue-depth") ?? DEFAULT_QUEUE_DEPTH,
    virqs: readInterrupts(node),
    consoleDev: node.properties.has("console-dev"),
    memory: readMemory(node),
    dmaBase: readNumber(node, "dma_base", 2),
    queues: readCell(node, "vqs-num") ?? 1,
    deviceType: readCell(node, "virtio,device-type"),
    dmaCoherent: node.properties.has("dma-coherent"),
    patch: readString(node, "patch"),
    iomemRights: readCells(node, "qcom,rm_acl"),
    iomemAttributes: readCells(node, "qcom,rm_attributes"),
    iomemRanges: readRanges(node, "qcom,rm_sglist", 2, 2),
  };
  check(config, node);
  return config;
}

/** Paths of nodes to create: absolute, of a few components, none of them empty. */
const GENERATE = /^(\/[^/@]+){1,8}$/;

function check(config: VdeviceConfig, node: DevicetreeNode): void {
  const needs = (condition: boolean, rule: string) =>
    demand(condition, RmError.MEM_INVALID, rule, { path: config.path }, { section: "7.3" });
  needs(config.generate === undefined || GENERATE.test(config.generate), "generate is not the path of a node to create");
  const pushed = config.type === "rm-rpc" ? RPC_PUSH_MAX : PUSH_MAX;
  needs(config.pushCompatible.length <= pushed, `push-compatible has more than ${pushed} strings`);
  switch (config.type) {
    case "rm-rpc":
      needs(config.generate !== undefined, "rm-rpc has no generate");
      break;
    case "doorbell":
    case "doorbell-source":
    case "message-queue-pair":
      needs(config.peerDefault || config.peer !== undefined, `${config.type} has neither peer-default nor peer`);
      break;
    case "message-queue":
      needs(config.peerDefault, "message-queue has no peer-default");
      needs(config.isSender !== node.properties.has("is-receiver"), "message-queue is not exactly one of is-sender and is-receiver");
      break;
    case "iomem":
      needs(config.generate !== undefined || config.patch !== undefined, "iomem has neither generate nor patch");
      needs(config.peerDefault, "iomem has no peer-default");
      needs(config.memory !== undefined, "iomem has no child memory with a label and allocate-base");
      for (const pair of [config.iomemRights, config.iomemAttributes]) {
        needs(pair === undefined || pair.length === 2, "qcom,rm_acl and qcom,rm_attributes are two numbers each: self, peer");
      }
      break;
    case "vsmmu-v2":
      for (const property of ["num-cbs", "num-smrs"]) {
        const number = readCell(node, property);
        needs(number === undefined || number <= VSMMU_MAX, `${property} is over ${VSMMU_MAX}`);
      }
      break;
    case "shm":
    case "shm-doorbell":
    case "virtio-mmio":
      needs(config.peerDefault, `${config.type} has no peer-default`);
      needs(config.memory !== undefined, `${config.type} has no child memory with a label and one of base and allocate-base`);
      break;
  }
}

/** Interrupt classes of a GIC specifier: where their INTIDs begin. */
const CLASS_BASE = [32, 16, 4096, 1056];

function readInterrupts(node: DevicetreeNode): VirqRequest[] | undefined {
  const cells = readCells(node, "interrupts");
  if (cells === undefined || cells.length === 0 || cells.length % 3 !== 0) return undefined;
  const requests: VirqRequest[] = [];
  for (let at = 0; at < cells.length; at += 3) {
    const [kind, number, flags] = cells.slice(at, at + 3);
    const trigger = flags & 0xf;
    // Anything else is ignored as a whole, and the Resource Manager chooses.
    if (CLASS_BASE[kind] === undefined || (trigger !== 1 && trigger !== 4)) return undefined;
    requests.push({ intid: CLASS_BASE[kind] + number, edge: trigger === 1 });
  }
  return requests;
}

function readMemory(node: DevicetreeNode): VdeviceConfig["memory"] {
  const memory = node.children.find((child) => child.name === "memory");
  const label = memory && readCell(memory, "label");
  if (memory === undefined || label === undefined) return undefined;
  // VMMs set the cell sizes in the memory node itself; without them the parent's count.
  const addressCells = readCell(memory, "#address-cells") ?? cellSizes(node).addressCells;
  const base = readNumber(memory, "base", addressCells);
  if ((base !== undefined) === memory.properties.has("allocate-base")) return undefined;
  return { label, base: base === undefined ? undefined : Number(base), optional: memory.properties.has("optional") };
}
