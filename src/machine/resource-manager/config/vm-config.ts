// Reads a VM's configuration from its devicetree at VM_INIT: /gunyah-vm-config, the CPUs, the GIC
// and the vdevice nodes (docs/spec/resource-manager.md §7.1 to §7.3). The tree comes from the
// guest's owner and may contain anything.

import { asIpa, type Ipa } from "../../abi/numbers.ts";
import {
  cellSizes,
  type DevicetreeNode,
  findNode,
  findPhandle,
  readCell,
  readCells,
  readNumber,
  readRanges,
  readString,
  readStrings,
  walk,
} from "../../devicetree/tree.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { demand, Refusal } from "../calls/refusals.ts";
import { isVdevice, readVdevice, type VdeviceConfig } from "./vdevice-config.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The node of the configuration, by its usual name. */
export const CONFIG_PATH = "/gunyah-vm-config";

/** Longest name and URI, bytes. */
export const NAME_MAX = 79;
/** Deepest nesting that the Resource Manager reads. */
export const MAX_DEPTH = 16;
/** Addresses of guests end here, as recorded. */
const VM_ADDRESS_LIMIT = 2 ** 36;
/** base-address and size-max of the platform, where the configuration has none. */
export const DEFAULT_BASE_ADDRESS = 0x2880_0000;
const DEFAULT_SIZE_MAX = 0x07ff_ffff;
export const DEFAULT_FIRMWARE_SIZE_MAX = 0x40_0000;
/** The image parcel begins at a multiple of this. */
export const IMAGE_ALIGNMENT = 0x20_0000;

/** GIC frames, bytes. */
export const GICD_SIZE = 0x1_0000;
export const GICR_SIZE = 0x2_0000;
export const GITS_SIZE = 0x2_0000;
const GIC_FRAME_ALIGNMENT = 0x1_0000;

/** How the vCPUs are scheduled: `proxy` by `vcpu_run`, the others by the hypervisor. */
export type VcpuAffinity = "static" | "sticky" | "pinned" | "proxy";

interface GicConfig {
  readonly path: string;
  /** Where the devicetree puts the frames; undefined if the Resource Manager chooses. */
  readonly frames: { readonly gicd: Ipa; readonly gicr: Ipa } | undefined;
  /** Distance of the redistributors, bytes. */
  readonly stride: number;
  /** Where the frames of an ITS are; undefined without LPIs. */
  readonly its: Ipa | undefined;
}

/** The input of VM_INIT. */
export interface VmConfig {
  readonly name: string;
  readonly uri: string;
  readonly guid: Uint8Array;
  readonly noShutdown: boolean;
  readonly noReset: boolean;
  readonly crashFatal: boolean;
  readonly sensitive: boolean;
  /** vm-attrs that become options of the vCPUs. */
  readonly rasErrorHandler: boolean;
  readonly amuCountingDisabled: boolean;
  /** Properties that only a trusted configuration may have, by path. */
  readonly trustedOnly: readonly string[];
  /** IPA of the image parcel, a multiple of 2 MiB. */
  readonly baseAddress: Ipa;
  /** Most bytes of private memory from there. */
  readonly sizeMax: number;
  /** Bytes of memory under which the start is logged. */
  readonly sizeMin: number;
  /** Children of /reserved-memory that wait for a parcel of their label, bytes. */
  readonly reservedMemory: readonly {
    readonly path: string;
    readonly label: number;
    readonly ranges: readonly { base: Ipa; size: number }[];
  }[];
  /** IPA of a separate firmware parcel, and the maximum size of firmware. */
  readonly firmwareAddress: Ipa | undefined;
  readonly firmwareSizeMax: number;
  readonly affinity: VcpuAffinity;
  readonly affinityMap: readonly number[] | undefined;
  /** Signed offset to the owner's priority. */
  readonly priority: number;
  /** Microseconds; 0 where the configuration has none. */
  readonly timeslice: number;
  /** no-timer-wakeups: who runs its vCPUs wakes them at their timers. */
  readonly noTimerWakeups: boolean;
  readonly vcpus: readonly { readonly path: string; readonly boots: boolean }[];
  readonly psci: boolean;
  readonly gic: GicConfig | undefined;
  readonly vdevices: readonly VdeviceConfig[];
}

/**
 * Reads the configuration.
 * @param limit addresses of the guest end here
 * @throws Refusal with MEM_INVALID if the tree cannot be read as one.
 */
export function readVmConfig(root: DevicetreeNode, limit = VM_ADDRESS_LIMIT): VmConfig {
  const nodes = [...walk(root)];
  demand(nodes.every(({ depth }) => depth <= MAX_DEPTH), RmError.MEM_INVALID, `the devicetree is nested deeper than ${MAX_DEPTH}`);
  for (const { node, path } of nodes) {
    const stray = readString(node, "device_type") === "memory" && path !== "/memory";
    demand(!stray, RmError.MEM_INVALID, "a node with device_type memory is not /memory", { path });
  }
  const config = findNode(root, "/gunyah-vm-config") ?? findNode(root, "/qcom,vm-config");
  demand(config !== undefined, RmError.MEM_INVALID, "the devicetree has no /gunyah-vm-config", { path: "/" });
  const name = readString(config, "image-name");
  demand(name !== undefined && name.length <= NAME_MAX, RmError.MEM_INVALID, "image-name is missing or too long", {
    path: CONFIG_PATH,
    property: "image-name",
    name,
  });

  const attributes = readStrings(config, "vm-attrs") ?? [];
  const crashFatal = attributes.includes("crash-fatal");
  const { idle, ...cpus } = readCpus(root, config);
  const psci = cpus.psci || nodes.some(({ node }) => isPsci(node));
  const scheduled = cpus.affinity === "proxy" || !psci || idle;
  demand(scheduled, RmError.MEM_INVALID, "a CPU has no cpu-idle-states, which PSCI needs where the hypervisor schedules", {
    path: "/cpus",
  });
  return {
    name,
    uri: readUri(config),
    guid: readGuid(config),
    crashFatal,
    noShutdown: crashFatal || attributes.includes("no-shutdown"),
    noReset: crashFatal || attributes.includes("no-reset"),
    rasErrorHandler: attributes.includes("ras-error-handler"),
    amuCountingDisabled: attributes.includes("amu-counting-disabled"),
    sensitive: config.properties.has("qcom,sensitive"),
    trustedOnly: readTrustedOnly(config),
    ...readMemory(config, limit),
    reservedMemory: readReservedMemory(root),
    ...cpus,
    psci,
    gic: readGic(root, config, limit),
    // An unknown type counts as none: the Resource Manager ignores the node.
    vdevices: nodes.filter(({ node }) => isVdevice(node)).map(({ node, path }) => readVdevice(node, path)),
  };
}

/**
 * Paths below /gunyah-vm-config of what an untrusted VM may not ask for
 * (docs/spec/resource-manager.md §7.2).
 */
export const TRUSTED_ONLY: readonly string[] = ["iomemory-ranges", "gic-irq-ranges", "memory/is-direct"];

function readTrustedOnly(config: DevicetreeNode): string[] {
  return TRUSTED_ONLY.filter((path) => {
    const slash = path.indexOf("/");
    const owner = slash < 0 ? config : findNode(config, path.slice(0, slash));
    return owner?.properties.has(path.slice(slash + 1)) ?? false;
  });
}

function readUri(config: DevicetreeNode): string {
  const uri = readString(config, "vm-uri") ?? "";
  return uri.length <= NAME_MAX ? uri : "";
}

function readGuid(config: DevicetreeNode): Uint8Array {
  const text = readString(config, "vm-guid");
  if (text === undefined) return new Uint8Array(16);
  demand(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text), RmError.MEM_INVALID, "vm-guid is not a GUID", {
    path: CONFIG_PATH,
    property: "vm-guid",
    text,
  });
  return Uint8Array.fromHex(text.replaceAll("-", ""));
}

/** A GUID as text, lower case. */
export function guidText(guid: Uint8Array): string {
  return guid.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

type MemoryConfig = Pick<VmConfig, "baseAddress" | "sizeMax" | "sizeMin" | "firmwareAddress" | "firmwareSizeMax">;

function readMemory(config: DevicetreeNode, limit: number): MemoryConfig {
  const memory = findNode(config, "/memory");
  // Numbers of a node have their parent's cell sizes; a property of another length is ignored.
  const { addressCells, sizeCells } = cellSizes(config);
  const base = memory && readNumber(memory, "base-address", addressCells);
  const max = memory && readNumber(memory, "size-max", sizeCells);
  const given = base ?? BigInt(DEFAULT_BASE_ADDRESS);
  const aligned = given % BigInt(PAGE_SIZE) === 0n && given < BigInt(limit);
  demand(aligned, RmError.MEM_INVALID, "base-address is not page aligned or out of range", {
    path: `${CONFIG_PATH}/memory`,
    property: "base-address",
    base: given,
  });
  const baseAddress = asIpa(Math.ceil(Number(given) / IMAGE_ALIGNMENT) * IMAGE_ALIGNMENT);
  const rest = limit - baseAddress;
  const sizeMax = max !== undefined ? Number(max) : base !== undefined ? rest : DEFAULT_SIZE_MAX;
  const firmware = memory && readNumber(memory, "firmware-address", addressCells);
  const firmwareMax = memory && readNumber(memory, "firmware-size-max", sizeCells);
  return {
    baseAddress,
    sizeMax: Math.min(sizeMax, rest),
    sizeMin: Number((memory && readNumber(memory, "size-min", sizeCells)) ?? 0n),
    firmwareAddress: firmware === undefined ? undefined : asIpa(Number(firmware)),
    firmwareSizeMax: Math.min(Number(firmwareMax ?? DEFAULT_FIRMWARE_SIZE_MAX), DEFAULT_FIRMWARE_SIZE_MAX),
  };
}

function readReservedMemory(root: DevicetreeNode): VmConfig["reservedMemory"] {
  const parent = findNode(root, "/reserved-memory");
  if (parent === undefined) return [];
  const { addressCells, sizeCells } = cellSizes(parent);
  return parent.children.flatMap((child) => {
    const label = readCell(child, "qcom,label");
    const ranges = readRanges(child, "reg", addressCells, sizeCells);
    if (label === undefined || ranges === undefined) return [];
    const numbers = ranges.map(({ address, size }) => ({ base: asIpa(Number(address)), size: Number(size) }));
    return [{ path: `/reserved-memory/${child.name}`, label, ranges: numbers }];
  });
}

function isPsci(node: DevicetreeNode): boolean {
  return readStrings(node, "compatible")?.some((text) => text === "arm,psci-0.2" || text === "arm,psci-1.0") ?? false;
}

const AFFINITIES: readonly VcpuAffinity[] = ["static", "sticky", "pinned", "proxy"];

function readCpus(root: DevicetreeNode, config: DevicetreeNode) {
  const settings = findNode(config, "/vcpus");
  const path = (settings && readString(settings, "config")) ?? "/cpus";
  const parent = findNode(root, path);
  demand(parent !== undefined, RmError.MEM_INVALID, "the node of the CPUs does not exist", {
    path: `${CONFIG_PATH}/vcpus`,
    property: "config",
    cpus: path,
  });
  const vcpus: { path: string; boots: boolean }[] = [];
  let psci = false;
  let idle = true;
  for (const cpu of parent.children) {
    if (readString(cpu, "device_type") !== "cpu") continue;
    const status = readString(cpu, "status");
    if (status?.startsWith("fail")) continue;
    const known = status === undefined || status === "okay" || status === "disabled";
    demand(known, RmError.MEM_INVALID, "a CPU has an unknown status", { path: `${path}/${cpu.name}`, property: "status", status });
    const boots = status === "okay" || (status === undefined && vcpus.length === 0);
    const method = readString(cpu, "enable-method") ?? readString(parent, "enable-method");
    const startable = boots || method === "psci" || method === "qcom,gunyah-hvc";
    demand(startable, RmError.MEM_INVALID, "a secondary CPU has no enable-method", { path: `${path}/${cpu.name}`, method });
    psci ||= method === "psci" || cpu.properties.has("cpu-idle-states");
    idle &&= cpu.properties.has("cpu-idle-states");
    vcpus.push({ path: `${path}/${cpu.name}`, boots });
  }
  demand(vcpus.some(({ boots }) => boots), RmError.MEM_INVALID, "no CPU boots", { path });
  const affinity = AFFINITIES.find((each) => settings && readString(settings, "affinity") === each) ?? "static";
  const affinityMap = settings && readCells(settings, "affinity-map");
  const mapped = affinity === "proxy" || affinityMap?.length === vcpus.length;
  demand(mapped, RmError.MEM_INVALID, "affinity-map does not name a core for each vCPU", {
    path: `${CONFIG_PATH}/vcpus`,
    property: "affinity-map",
    affinity,
    vcpus: vcpus.length,
  });
  return {
    vcpus,
    psci,
    idle,
    affinity,
    affinityMap,
    priority: (settings && readCell(settings, "sched-priority") || 0) | 0,
    timeslice: settings && readCell(settings, "sched-timeslice") || 0,
    noTimerWakeups: settings?.properties.has("no-timer-wakeups") ?? false,
  };
}

function readGic(root: DevicetreeNode, config: DevicetreeNode, limit: number): GicConfig | undefined {
  const settings = findNode(config, "/interrupts");
  const path = settings && readString(settings, "config");
  const named = path?.startsWith("/") ? findNode(root, path) : undefined;
  const phandle = (settings && readCell(settings, "config")) ?? readCell(root, "interrupt-parent");
  const node = named ?? (phandle === undefined ? undefined : findPhandle(root, phandle));
  if (node === undefined) return undefined;
  const gicPath = [...walk(root)].find((each) => each.node === node)?.path ?? "/";

  const wrong = (rule: string): never => {
    throw new Refusal(RmError.MEM_INVALID, `the GIC's node ${rule}`, { path: gicPath });
  };
  if (!readStrings(node, "compatible")?.includes("arm,gic-v3")) wrong("is not compatible with arm,gic-v3");
  if (!node.properties.has("interrupt-controller")) wrong("is not an interrupt-controller");
  if (readCell(node, "#interrupt-cells") !== 3) wrong("has #interrupt-cells other than 3");
  if ((readCell(node, "#redistributor-regions") ?? 1) !== 1) wrong("has more than one redistributor region");
  const stride = Number(readNumber(node, "redistributor-stride", 2) ?? BigInt(GICR_SIZE));
  if (stride < GICR_SIZE || stride % GIC_FRAME_ALIGNMENT !== 0) wrong("has an invalid redistributor-stride");
  if (!node.properties.has("reg")) return { path: gicPath, frames: undefined, stride, its: undefined };

  const parent = findNode(root, gicPath.slice(0, gicPath.lastIndexOf("/")) || "/") ?? root;
  const { addressCells, sizeCells } = cellSizes(parent);
  const ranges = readRanges(node, "reg", addressCells, sizeCells);
  const [gicd, gicr] = ranges?.map(({ address }) => asIpa(Number(address))) ?? [];
  const valid = [gicd, gicr].every((base) => base !== undefined && base % GIC_FRAME_ALIGNMENT === 0 && base < limit);
  if (!valid) wrong("has a reg that is not a distributor and redistributors");
  return { path: gicPath, frames: { gicd, gicr }, stride, its: readIts(node, wrong) };
}

/** The first ITS below the GIC's node, whose addresses are those of the GIC's parent. */
function readIts(gic: DevicetreeNode, wrong: (rule: string) => never): Ipa | undefined {
  const its = gic.children.find((child) => readStrings(child, "compatible")?.includes("arm,gic-v3-its"));
  if (its === undefined) return undefined;
  const { addressCells, sizeCells } = cellSizes(gic);
  const [range] = readRanges(its, "reg", addressCells, sizeCells) ?? [];
  const base = range === undefined ? undefined : Number(range.address);
  const valid = base !== undefined && base % GIC_FRAME_ALIGNMENT === 0 && base < VM_ADDRESS_LIMIT;
  return valid ? asIpa(base) : wrong("has an ITS without a valid reg");
}
