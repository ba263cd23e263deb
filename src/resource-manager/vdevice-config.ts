// Reads vdevice nodes: the virtual devices that a VM's devicetree asks for (spec/resource-manager.md §7.3).

import { RmError } from "../abi/rpc/errors.ts";
import { cellSizes, type DevicetreeNode, readCell, readCells, readNumber, readString, readStrings } from "../devicetree/tree.ts";
import { require } from "./refusals.ts";

/** Kinds of vdevices that are known; `NOT_BUILT` says which are refused. */
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

const TYPES: readonly string[] = [
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

/** Kinds that VM_INIT refuses by name. The platform has no vRTC; the others wait. */
export const NOT_BUILT: ReadonlySet<VdeviceType> = new Set<VdeviceType>(["shm-doorbell", "virtio-mmio", "iomem", "vsmmu-v2", "vrtc-pl031"]);

/** Size and depth of a queue, where the node has none. */
const DEFAULT_MESSAGE_SIZE = 240;
const DEFAULT_QUEUE_DEPTH = 8;

/** An interrupt that the node asks for. */
export interface VirqRequest {
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
  /** The other end is the VM's owner; else `peer` names a VM. */
  readonly peerDefault: boolean;
  readonly peer: string | undefined;
  readonly sourceCanClear: boolean;
  /** message-queue: this VM sends. */
  readonly isSender: boolean;
  readonly messageSize: number;
  readonly queueDepth: number;
  /** Interrupts in the order of the node; undefined where the Resource Manager chooses. */
  readonly virqs: readonly VirqRequest[] | undefined;
  /** rm-rpc: the VM has a console through the Resource Manager. */
  readonly consoleDev: boolean;
  /** shm: the buffer. */
  readonly memory: { readonly label: number; readonly base: number | undefined; readonly optional: boolean } | undefined;
  readonly dmaBase: bigint | undefined;
}

/** Reads the node. @throws Refusal with MEM_INVALID where a property that it needs is missing. */
export function readVdevice(node: DevicetreeNode, path: string): VdeviceConfig {
  const type = readString(node, "vdevice-type");
  require(type !== undefined && TYPES.includes(type), RmError.MEM_INVALID, "a vdevice has an unknown type", { path, type });
  const generate = readString(node, "generate");
  const config: VdeviceConfig = {
    type: type as VdeviceType,
    path,
    generate,
    pushCompatible: readStrings(node, "push-compatible") ?? [],
    label: readCell(node, "qcom,label") ?? readCell(node, "label") ?? 0,
    peerDefault: node.properties.has("peer-default"),
    peer: readString(node, "peer"),
    sourceCanClear: node.properties.has("source-can-clear"),
    isSender: node.properties.has("is-sender"),
    messageSize: readCell(node, "message-size") ?? DEFAULT_MESSAGE_SIZE,
    queueDepth: readCell(node, "queue-depth") ?? DEFAULT_QUEUE_DEPTH,
    virqs: readInterrupts(node),
    consoleDev: node.properties.has("console-dev"),
    memory: readMemory(node),
    dmaBase: readNumber(node, "dma_base", 2),
  };
  check(config, node);
  return config;
}

/** Paths of nodes to create: absolute, of a few components, none of them empty. */
const GENERATE = /^(\/[^/@]+){1,8}$/;

function check(config: VdeviceConfig, node: DevicetreeNode): void {
  const needs = (condition: boolean, rule: string) => require(condition, RmError.MEM_INVALID, rule, { path: config.path });
  needs(config.generate === undefined || GENERATE.test(config.generate), "generate is no path of a node to create");
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
    case "shm":
    case "shm-doorbell":
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
