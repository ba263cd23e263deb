// The devicetree that crosvm writes for a VM on Gunyah or GenieZone, node by node, with crosvm's
// `gunyah-vm-config` (docs/spec/phones.md §C3 and §C4).

import { EDGE_RISING, LEVEL_HIGH, LEVEL_LOW, PPI, SPI, TIMER_PPIS } from "../../../devicetree/gic.ts";
import { cells64, type Devicetree, devicetree, type DevicetreeNode, node } from "../../../devicetree/tree.ts";
import {
  CROSVM_BATTERY,
  CROSVM_CAM,
  CROSVM_DEVICETREE_SIZE,
  CROSVM_FIRMWARE,
  CROSVM_GICD,
  CROSVM_PCI_MEMORY,
  CROSVM_POOL_ALIGNMENT,
  CROSVM_RTC,
  CROSVM_SERIAL_SIZE,
  CROSVM_SERIALS,
  CROSVM_STALL,
  crosvmCpufreq,
  crosvmGicr,
  crosvmLines,
  crosvmPciSpi,
  crosvmRegions,
} from "./map.ts";
import { batteryNode, pl030Node, stallDetectorNode } from "./nodes.ts";
import { KiB } from "../../../../kit/support/values/sizes.ts";
import { isShared, type VmLayout } from "../layout.ts";
import { boardBell, type DriverTraits, linkNode } from "../nodes.ts";
import type { VmPlan } from "../vm-plan.ts";

const PHANDLE_GIC = 1, PHANDLE_POOL = 2, PHANDLE_CLOCK = 24, PHANDLE_CPU = 0x100, PHANDLE_FREQUENCIES = 0x1000;
const UART_HZ = 1_843_200, RTC_HZ = 3_141_592;
const RNG_SEED_SIZE = 256;
/** Size of the range in which the Resource Manager gives the VM addresses. */
const SIZE_MAX = 0x7_8000_0000;
/** Bytes between the end of RAM and the window for BARs of 64 bits. */
const PLATFORM_WINDOW = 0x4000_0000;
const ADDRESS_LIMIT = 2 ** 40;
/** Address spaces of `ranges` (PCI bus binding); the second one is prefetchable. */
const MEMORY_32 = 0x0200_0000, MEMORY_64 = 0x4300_0000;
/** The lowest bit of the CPUs in a PPI's specifier. */
const PPI_CPUS_SHIFT = 8;

/** Bytes of a record of a panic. */
const RAMOOPS_RECORD = 64 * KiB;

const serialName = (base: number) => `U6_16550A@${base.toString(16)}`;

/** Builds the tree of a VM. */
export function crosvmDevicetree(plan: VmPlan, layout: VmLayout, driver: DriverTraits = {}): Devicetree {
  const gicr = crosvmGicr(plan.vcpus);
  const tree = devicetree(node("", {
    "#address-cells": 2,
    "#size-cells": 2,
    "interrupt-parent": PHANDLE_GIC,
    compatible: "linux,dummy-virt",
  }, [
    chosen(plan, layout),
    node("config", { "kernel-address": plan.base + plan.image.offset, "kernel-size": plan.image.size }),
    node("memory", { device_type: "memory", reg: memoryRange(plan) }),
    ...reservedMemory(plan),
    node("cpus", { "#address-cells": 1, "#size-cells": 0 }, Array.from({ length: plan.vcpus }, (_, index) => cpu(plan, index))),
    node("intc", {
      compatible: "arm,gic-v3",
      "#interrupt-cells": 3,
      "interrupt-controller": true,
      reg: cells64(CROSVM_GICD.base, CROSVM_GICD.size, gicr.base, gicr.size),
      phandle: PHANDLE_GIC,
      "#address-cells": 2,
      "#size-cells": 2,
    }),
    node("timer", {
      compatible: "arm,armv8-timer",
      interrupts: TIMER_PPIS.flatMap((ppi) => [PPI, ppi, LEVEL_LOW | cpuMask(plan)]),
      "always-on": true,
    }),
    ...CROSVM_SERIALS.map(({ base, spi }) =>
      node(serialName(base), {
        compatible: "ns16550a",
        reg: cells64(base, CROSVM_SERIAL_SIZE),
        "clock-frequency": UART_HZ,
        interrupts: [SPI, spi, EDGE_RISING],
      })
    ),
    node("psci", { compatible: "arm,psci-0.2", method: "hvc" }),
    pci(plan),
    node("pclk@3M", { compatible: "fixed-clock", "#clock-cells": 0, "clock-frequency": RTC_HZ, phandle: PHANDLE_CLOCK }),
    pl030Node(CROSVM_RTC, PHANDLE_CLOCK),
    batteryNode(CROSVM_BATTERY),
    stallDetectorNode({ ...CROSVM_STALL, ppi: CROSVM_STALL.interrupt }, cpuMask(plan)),
    cpufreq(plan),
    vmConfig(plan, driver),
    node("__symbols__", { intc: "/intc" }),
  ]));
  // Drivers that give pages on demand lend the devicetree's range, so buffers of devices must not
  // be in the part that the blob leaves free.
  return { ...tree, reservations: [{ address: BigInt(plan.base + layout.devicetree), size: BigInt(CROSVM_DEVICETREE_SIZE) }] };
}

/** The regions are adjacent, apart from the windows. */
function memoryRange(plan: VmPlan): Uint8Array {
  const [{ base }] = crosvmRegions(plan);
  return cells64(base, plan.base + plan.memory - base, ...(plan.windows ?? []).flatMap((window) => [window.base, window.size]));
}

/** The pool for buffers of devices, and the region for records of panics. */
function reservedMemory(plan: VmPlan): DevicetreeNode[] {
  const nodes = crosvmRegions(plan).flatMap(({ purpose, base, size }) => {
    if (purpose === "pool") return [poolNode(base, size)];
    return purpose === "pstore" ? [ramoopsNode(base, size)] : [];
  });
  return nodes.length === 0 ? [] : [node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true }, nodes)];
}

function poolNode(base: number, size: number): DevicetreeNode {
  return node(`restricted_dma_reserved@${base.toString(16)}`, {
    reg: cells64(base, size),
    phandle: PHANDLE_POOL,
    compatible: "restricted-dma-pool",
    alignment: cells64(CROSVM_POOL_ALIGNMENT),
  });
}

/** Binding reserved-memory/ramoops: a quarter is for the console, as much for programs. */
function ramoopsNode(base: number, size: number): DevicetreeNode {
  return node(`ramoops@${base.toString(16)}`, {
    compatible: "ramoops",
    reg: cells64(base, size),
    "record-size": RAMOOPS_RECORD,
    "console-size": size / 4,
    "pmsg-size": size / 4,
  });
}

function cpuMask({ vcpus }: VmPlan): number {
  return (1 << vcpus) - 1 << PPI_CPUS_SHIFT;
}

function chosen({ name, base, cmdline, initrd }: VmPlan, layout: VmLayout): DevicetreeNode {
  const start = initrd === undefined || layout.initrd === undefined ? undefined : base + layout.initrd, size = initrd?.length ?? 0;
  return node("chosen", {
    "linux,pci-probe-only": 1,
    // The Resource Manager replaces it with its own.
    "kaslr-seed": cells64(0),
    "rng-seed": seed(name),
    "stdout-path": `/${serialName(CROSVM_SERIALS[0].base)}`,
    bootargs: ["panic=-1", cmdline].filter((part) => part !== "").join(" "),
    "linux,initrd-start": start === undefined ? undefined : cells64(start),
    "linux,initrd-end": start === undefined ? undefined : cells64(start + size),
  });
}

/** Bytes that differ between VMs, and are the same in every run (FNV-1a, then xorshift). */
function seed(name: string): Uint8Array {
  let state = 0x811c_9dc5;
  for (const byte of new TextEncoder().encode(name)) state = Math.imul(state ^ byte, 0x0100_0193);
  state ||= 1;
  return Uint8Array.from({ length: RNG_SEED_SIZE }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}

/** crosvm always has the node: of its device, or of hypercalls that only KVM has. */
function cpufreq({ vcpus, cpuFrequencies }: VmPlan): DevicetreeNode {
  if (cpuFrequencies === undefined) return node("cpufreq", { compatible: "virtual,kvm-cpufreq" });
  const { base, size } = crosvmCpufreq(vcpus);
  return node("cpufreq", { compatible: "qemu,virtual-cpufreq", reg: cells64(base, size) });
}

function cpu({ vcpus, cpuFrequencies }: VmPlan, index: number): DevicetreeNode {
  const phandle = PHANDLE_FREQUENCIES + index;
  return node(`cpu@${index.toString(16)}`, {
    device_type: "cpu",
    compatible: "arm,armv8",
    "enable-method": vcpus > 1 ? "psci" : undefined,
    reg: index,
    phandle: PHANDLE_CPU + index,
    "operating-points-v2": cpuFrequencies && phandle,
  }, cpuFrequencies && [operatingPoints(cpuFrequencies, index, phandle)]);
}

function operatingPoints(frequencies: readonly number[], cpu: number, phandle: number): DevicetreeNode {
  const points = frequencies.map((kHz) => kHz * 1000).map((hz) => node(`opp${hz}`, { "opp-hz": cells64(hz) }));
  return node(`opp_table${cpu}`, { phandle, compatible: "operating-points-v2" }, points);
}

function pci({ base, memory, devices = [], swiotlb, windows = [] }: VmPlan): DevicetreeNode {
  const last = windows.at(-1);
  const high = (last === undefined ? base + memory : last.base + last.size) + PLATFORM_WINDOW;
  // Bus and CPU addresses are the same.
  const window = (space: number, address: number, size: number) => [space, ...cells(address, address, size)];
  return node("pci", {
    compatible: "pci-host-cam-generic",
    device_type: "pci",
    ranges: [
      ...window(MEMORY_32, CROSVM_PCI_MEMORY.base, CROSVM_PCI_MEMORY.size),
      ...high < ADDRESS_LIMIT ? window(MEMORY_64, high, ADDRESS_LIMIT - high) : [],
    ],
    "bus-range": [0, 0],
    "#address-cells": 3,
    "#size-cells": 2,
    reg: cells64(CROSVM_CAM.base, CROSVM_CAM.size),
    "#interrupt-cells": 1,
    // Device 0 is the bridge.
    "interrupt-map": devices.flatMap((_, index) => [
      ...[index + 1 << 11, 0, 0, 1],
      ...[PHANDLE_GIC, 0, 0],
      ...[SPI, crosvmPciSpi(index), LEVEL_HIGH],
    ]),
    "interrupt-map-mask": [0xf800, 0, 0, 7],
    "dma-coherent": true,
    "memory-region": swiotlb === undefined ? undefined : PHANDLE_POOL,
  });
}

function cells(...numbers: number[]): number[] {
  return numbers.flatMap((number) => [Math.floor(number / 2 ** 32), number >>> 0]);
}

function vmConfig(plan: VmPlan, { wakesAtTimers = false }: DriverTraits): DevicetreeNode {
  return node("gunyah-vm-config", { "image-name": "crosvm-vm", "os-type": "linux" }, [
    node("memory", {
      "#address-cells": 2,
      "#size-cells": 2,
      "base-address": cells64(plan.base),
      "size-max": cells64(plan.sizeMax ?? SIZE_MAX),
      "firmware-address": plan.firmware && cells64(CROSVM_FIRMWARE.base),
    }),
    node("interrupts", { config: PHANDLE_GIC }),
    node("vcpus", { affinity: "proxy", "no-timer-wakeups": wakesAtTimers ? true : undefined }),
    node("vdevices", { generate: "/hypervisor" }, [
      ...crosvmLines(plan).map(boardBell),
      ...crosvmRegions(plan).flatMap((region, label) => isShared(region) ? [sharedNode(region.base, label)] : []),
      ...plan.links.map(linkNode),
    ]),
  ]);
}

/** A shared region as a vdevice: RM of older drivers accepts its parcel by that. */
function sharedNode(base: number, label: number): DevicetreeNode {
  return node(`shm-${label.toString(16)}`, { "vdevice-type": "shm", "peer-default": true, "dma_base": cells64(0) }, [
    node("memory", { optional: true, label, "#address-cells": 2, base: cells64(base) }),
  ]);
}
