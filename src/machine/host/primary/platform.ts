// Reads the native host's platform from its devicetree: its memory, CPUs, GIC and its link to the
// Resource Manager (docs/spec/resource-manager.md §7.5).

import { asCapId, type CapId } from "../../abi/numbers.ts";
import { FIRST_SPI } from "../../devicetree/gic.ts";
import { readDevicetree } from "../../devicetree/reader.ts";
import { type DevicetreeNode, findNode, readCell, readCells, readRanges, readStrings, walk } from "../../devicetree/tree.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The host VM's two message queues to and from the Resource Manager. */
export interface RmLink {
  /** Capabilities: the queue that the host sends to, and the one that it receives from. */
  readonly txCap: CapId;
  readonly rxCap: CapId;
  /** INTIDs: "not full" of the first, "not empty" of the second. */
  readonly txVirq: number;
  readonly rxVirq: number;
}

/** The platform of the host VM. Addresses are IPAs. */
export interface HostPlatform {
  readonly memory: { readonly base: number; readonly size: number };
  /** MPIDR_EL1 affinity of each CPU, by index. */
  readonly cpus: readonly number[];
  readonly gicd: number;
  readonly rm: RmLink;
}

/** Result of `readPlatform`. */
type PlatformResult = { readonly ok: true; readonly platform: HostPlatform } | { readonly ok: false; readonly problem: string };

/** Reads the platform from a flattened devicetree. */
export function readPlatform(blob: Uint8Array): PlatformResult {
  const read = readDevicetree(blob);
  if (!read.ok) return { ok: false, problem: `devicetree: ${read.problem}` };
  const { root } = read.tree;
  const memory = findMemory(root);
  const cpus = findNode(root, "/cpus")?.children.flatMap((cpu) => readCell(cpu, "reg") ?? []) ?? [];
  const gicd = findCompatible(root, "arm,gic-v3");
  const gicdRange = gicd && readRanges(gicd, "reg", 2, 2)?.[0];
  const link = findCompatible(root, "gunyah-resource-manager");
  const rm = link && readLink(link);
  if (memory === undefined) return { ok: false, problem: "devicetree: there is no memory" };
  if (cpus.length === 0) return { ok: false, problem: "devicetree: there is no CPU" };
  if (gicdRange === undefined) return { ok: false, problem: "devicetree: there is no arm,gic-v3 with reg" };
  if (rm === undefined) {
    return { ok: false, problem: "devicetree: there is no gunyah-resource-manager with two capabilities and interrupts" };
  }
  return { ok: true, platform: { memory, cpus, gicd: Number(gicdRange.address), rm } };
}

function findCompatible(root: DevicetreeNode, compatible: string): DevicetreeNode | undefined {
  for (const { node } of walk(root)) if (readStrings(node, "compatible")?.includes(compatible)) return node;
  return undefined;
}

function findMemory(root: DevicetreeNode): HostPlatform["memory"] | undefined {
  for (const child of root.children) {
    if (readStrings(child, "device_type")?.[0] !== "memory") continue;
    const range = readRanges(child, "reg", 2, 2)?.[0];
    if (range !== undefined) return { base: Number(range.address), size: Number(range.size) };
  }
  return undefined;
}

/**
 * `reg` holds two capability ids of two cells each, `interrupts` two specifiers of three: tx first.
 */
function readLink(link: DevicetreeNode): RmLink | undefined {
  const caps = readRanges(link, "reg", 2, 2)?.[0];
  const interrupts = readCells(link, "interrupts");
  if (caps === undefined || interrupts?.length !== 6) return undefined;
  return { txCap: asCapId(caps.address), rxCap: asCapId(caps.size), txVirq: interrupts[1] + FIRST_SPI, rxVirq: interrupts[4] + FIRST_SPI };
}

/** Bytes from `ipa` up to where readable memory ends, at most `length`. */
export function readAvailable(vcpu: NativeVcpu, ipa: number, length: number): Uint8Array {
  let available = 0;
  const pages: Uint8Array[] = [];
  for (; available < length; available += PAGE_SIZE) {
    const page = vcpu.read(ipa + available, PAGE_SIZE);
    if (page === undefined) break;
    pages.push(page);
  }
  const bytes = new Uint8Array(pages.length * PAGE_SIZE);
  pages.forEach((page, index) => bytes.set(page, index * PAGE_SIZE));
  return bytes;
}
