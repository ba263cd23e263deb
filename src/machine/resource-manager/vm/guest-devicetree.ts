// The Resource Manager's additions to the devicetree of a secondary VM at its start
// (docs/spec/resource-manager.md §7.4).

import type { Ipa } from "../../abi/numbers.ts";
import { MemType, TransType } from "../../abi/rpc/messages/memory.ts";
import {
  cells,
  cells64,
  cellSizes,
  type DevicetreeNode,
  ensureNode,
  findChild,
  findNode,
  maxPhandle,
  node,
  readRanges,
  setProperties,
} from "../../devicetree/tree.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { demand } from "../calls/refusals.ts";
import type { AddressRange } from "../state/addresses.ts";
import type { Parcel, PlacedParcel, PreparedVm } from "../state/state.ts";
import { describeVdevice } from "./vdevice-nodes.ts";
import { GICD_SIZE, guidText, type VmConfig } from "../config/vm-config.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

interface GuestFacts {
  readonly vm: PreparedVm;
  readonly owner: number;
  readonly kaslrSeed: bigint;
  readonly parcels: readonly PlacedParcel[];
  /** Memory that the owner shares has a node of /reserved-memory already. */
  readonly mustMatch: boolean;
  /** Each node of /reserved-memory belongs to a parcel. */
  readonly compares: boolean;
}

/**
 * Adds everything to the tree.
 * @throws Refusal with NORESOURCE if the tree does not allow it
 */
export function extendGuestDevicetree(root: DevicetreeNode, facts: GuestFacts): void {
  const { vm, parcels } = facts;
  demand(findChild(root, "hypervisor") === undefined, RmError.NORESOURCE, "the devicetree has a node /hypervisor already");
  const chosen = findNode(root, "/chosen");
  demand(chosen !== undefined, RmError.NORESOURCE, "the devicetree has no node /chosen");
  const { gic } = vm.config;
  demand(gic !== undefined, RmError.NORESOURCE, "the devicetree has no GIC");

  const phandles = new Phandles(root);
  const buffers = describeReservedMemory(root, facts, phandles);
  setProperties(chosen, { "kaslr-seed": cells64(facts.kaslrSeed) });
  const low = vm.objects.lowPages.map(({ ipa }) => ({ base: ipa, size: PAGE_SIZE }));
  describeMemory(root, parcels, [...low, ...vm.paging?.ranges ?? []]);
  if (findNode(root, "/vsoc") === undefined) {
    root.children.push(node("vsoc", { "#address-cells": 2, "#size-cells": 2, ranges: true, compatible: "simple-bus" }));
  }
  if (vm.objects.vpmGroup === undefined) describeCpus(root, vm);
  describeHypervisor(root, facts);
  for (const device of vm.vdevices) describeVdevice(root, device, { vm, buffers, phandle: () => phandles.next(), parcels });
  if (gic.frames === undefined) describeGic(root, vm, gic);
}

/** Hands out phandles that the tree does not use. */
class Phandles {
  #last: number;

  constructor(root: DevicetreeNode) {
    this.#last = maxPhandle(root);
  }

  next(): number {
    return ++this.#last;
  }
}

/**
 * All memory of the VM, also what its owner gives later: sorted, with touching ranges merged, in
 * the root's cells.
 */
function describeMemory(root: DevicetreeNode, parcels: readonly PlacedParcel[], paged: readonly AddressRange[]): void {
  const memory = parcels.filter(({ parcel, kind }) => parcel.memType !== MemType.Io && kind !== "firmware");
  const ranges = mergeRanges([...memory.flatMap((placed) => placed.ranges), ...paged]);
  setProperties(ensureNode(root, "/memory"), { device_type: "memory", reg: encodeRanges(ranges, cellSizes(root)) });
}

/** Sorts ranges and joins those that touch or overlap. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: { base: Ipa; size: number }[] = [];
  for (const { base, size } of [...ranges].sort((a, b) => a.base - b.base)) {
    const last = merged.at(-1);
    if (last !== undefined && last.base + last.size >= base) last.size = Math.max(last.size, base + size - last.base);
    else merged.push({ base, size });
  }
  return merged;
}

/**
 * Ranges as `reg` has them.
 * @throws Refusal with NORESOURCE if a range exceeds the cells
 */
function encodeRanges(ranges: readonly AddressRange[], sizes: { addressCells: number; sizeCells: number }): Uint8Array {
  const number = (value: number, width: number) => {
    demand(value < 2 ** (32 * width), RmError.NORESOURCE, "an address or a size does not fit into #address-cells or #size-cells", {
      value,
      cells: width,
    });
    const low = value % 2 ** 32;
    return Array.from({ length: width }, (_, index) => index === width - 1 ? low : index === width - 2 ? (value - low) / 2 ** 32 : 0);
  };
  return cells(...ranges.flatMap(({ base, size }) => [...number(base, sizes.addressCells), ...number(size, sizes.sizeCells)]));
}

/**
 * /reserved-memory: existing children belong to parcels by their label or address, other shared
 * parcels get one. By parcel: its phandle.
 */
function describeReservedMemory(root: DevicetreeNode, facts: GuestFacts, phandles: Phandles): Map<Parcel, number> {
  const buffers = new Map<Parcel, number>();
  let parent = findNode(root, "/reserved-memory");
  if (parent === undefined) {
    parent = node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true });
    root.children.push(parent);
  }
  const sizes = cellSizes(parent);
  for (const child of parent.children) {
    if (child.properties.has("size") && !child.properties.has("reg")) continue;
    const placed = facts.parcels.find((each) => each.kind === "shared" && belongs(child, each, sizes));
    // Memory that the owner gives page by page is in no parcel (docs/spec/phones.md §A4).
    if (placed === undefined && liesIn(child, facts.vm.paging?.ranges ?? [], sizes)) continue;
    if (placed === undefined && (!facts.compares || isFence(child, facts.vm, sizes))) continue;
    demand(placed !== undefined, RmError.NORESOURCE, "a child of /reserved-memory belongs to no parcel", { child: child.name });
    const exclusive = placed.parcel.acl.length === 1;
    const reusable = child.properties.has("reusable");
    demand(exclusive || !reusable, RmError.NORESOURCE, "shared memory is not reusable", { child: child.name });
    const phandle = phandles.next();
    buffers.set(placed.parcel, phandle);
    setProperties(child, {
      "qcom,rm-mem-handle": placed.parcel.handle,
      ...(child.properties.has("phandle") ? {} : { phandle }),
    });
  }
  for (const placed of facts.parcels) {
    if (placed.kind !== "shared" || buffers.has(placed.parcel)) continue;
    const [{ base, size }] = placed.ranges;
    const missing = facts.mustMatch && placed.parcel.transType === TransType.Share && placed.parcel.memType !== MemType.Io;
    demand(!missing, RmError.NORESOURCE, "a shared parcel has no node of /reserved-memory with exactly this reg", {
      address: base,
      size,
      label: placed.parcel.label,
    });
    const phandle = phandles.next();
    buffers.set(placed.parcel, phandle);
    parent.children.push(bufferNode(placed, facts, sizes, phandle));
  }
  const { firmware } = facts.vm;
  if (firmware !== undefined) {
    const reg = encodeRanges([{ base: firmware.ipa, size: firmware.size }], sizes);
    parent.children.push(node(`firmware@${firmware.ipa.toString(16)}`, { reg, "no-map": true, compatible: "qcom,vm-firmware" }));
  }
  return buffers;
}

/** Whether all of a child's memory is in one of the ranges. */
function liesIn(child: DevicetreeNode, ranges: readonly AddressRange[], sizes: { addressCells: number; sizeCells: number }): boolean {
  const reg = readRanges(child, "reg", sizes.addressCells, sizes.sizeCells) ?? [];
  return reg.length > 0 &&
    reg.every(({ address, size }) =>
      ranges.some((range) => Number(address) >= range.base && Number(address + size) <= range.base + range.size)
    );
}

/** Whether a child keeps the VM off memory that it got below its RAM (docs/spec/phones.md §A4). */
function isFence(child: DevicetreeNode, vm: PreparedVm, sizes: { addressCells: number; sizeCells: number }): boolean {
  const reg = readRanges(child, "reg", sizes.addressCells, sizes.sizeCells) ?? [];
  const ends = reg.map(({ address, size }) => Number(address + size));
  return vm.objects.lowPages.length > 0 && reg.length > 0 && ends.every((end) => end <= vm.config.baseAddress);
}

function belongs(child: DevicetreeNode, { parcel, ranges }: PlacedParcel, sizes: { addressCells: number; sizeCells: number }): boolean {
  const label = child.properties.get("qcom,label");
  if (label?.length === 4) return new DataView(label.buffer, label.byteOffset).getUint32(0) === parcel.label;
  const reg = readRanges(child, "reg", sizes.addressCells, sizes.sizeCells);
  return reg?.length === ranges.length &&
    reg.every(({ address, size }, index) => Number(address) === ranges[index].base && Number(size) === ranges[index].size);
}

function bufferNode(
  placed: PlacedParcel,
  facts: GuestFacts,
  sizes: { addressCells: number; sizeCells: number },
  phandle: number,
): DevicetreeNode {
  const { parcel, ranges } = placed;
  const listed = parcel.acl.map(({ vmid }) => vmid).filter((vmid) => vmid !== facts.vm.vmid);
  const peers = parcel.transType === TransType.Share ? [parcel.owner, ...listed] : listed;
  const device = facts.vm.vdevices.find(({ config }) => config.memory?.label === parcel.label);
  return node(`buffer@${ranges[0].base.toString(16)}`, {
    reg: encodeRanges(ranges, sizes),
    "qcom,shared-memory": true,
    "no-map": true,
    peers,
    "qcom,rm-mem-handle": parcel.handle,
    phandle,
    "qcom,label": parcel.label,
    compatible: device === undefined || device.config.pushCompatible.length === 0 ? undefined : device.config.pushCompatible,
  });
}

/** Without PSCI the VM powers its CPUs on by hypercall. */
function describeCpus(root: DevicetreeNode, { config, objects }: PreparedVm): void {
  config.vcpus.forEach(({ path }, index) => {
    const cpu = findNode(root, path);
    const cap = objects.vcpus[index].selfCap;
    if (cpu !== undefined && cap !== undefined) setProperties(cpu, { "qcom,gunyah-capability": cells64(cap) });
  });
}

function describeHypervisor(root: DevicetreeNode, { vm, owner }: GuestFacts): void {
  const peers = vm.vdevices.flatMap(({ config }) => config.type === "message-queue-pair" && config.peer !== undefined ? [config.peer] : []);
  root.children.push(node("hypervisor", {
    "#address-cells": 2,
    "#size-cells": 0,
    compatible: ["gunyah-hypervisor", "qcom,gunyah-hypervisor-1.0", "qcom,gunyah-hypervisor", "simple-bus"],
  }, [
    node("qcom,gunyah-vm", {
      compatible: ["qcom,gunyah-vm-id-1.0", "qcom,gunyah-vm-id"],
      "qcom,vmid": vm.vmid,
      "qcom,owner-vmid": owner,
      "qcom,vendor": "Qualcomm",
      "qcom,image-name": vm.name,
      "qcom,vm-uri": vm.uri === "" ? undefined : vm.uri,
      "qcom,vm-guid": vm.guid.some((byte) => byte !== 0) ? guidText(vm.guid) : undefined,
      "qcom,peers": peers.length > 0 ? peers : undefined,
    }),
  ]));
}

/** A GIC without reg gets the addresses that the Resource Manager chose. */
function describeGic(root: DevicetreeNode, vm: PreparedVm, { path, stride }: NonNullable<VmConfig["gic"]>): void {
  const target = findNode(root, path);
  if (target === undefined || vm.gic === undefined) return;
  const parent = findNode(root, path.slice(0, path.lastIndexOf("/")) || "/") ?? root;
  const frames = [{ base: vm.gic.gicd, size: GICD_SIZE }, { base: vm.gic.gicr, size: stride * vm.config.vcpus.length }];
  setProperties(target, {
    "#redistributor-regions": 1,
    "redistributor-stride": cells64(stride),
    reg: encodeRanges(frames, cellSizes(parent)),
  });
}
