// The devicetree that el2's VMM writes for a VM: CPUs, memory, GICv3, timer, PSCI, console and
// virtio devices, and `gunyah-vm-config`, from which the Resource Manager makes the VM
// (docs/spec/resource-manager.md §7.1 to §7.3). RM adds /hypervisor at VM_START. Bindings:
// arm,gic-v3, arm,armv8-timer, arm,psci-1.0, arm,pl011.

import { LEVEL_HIGH, PPI, SPI, TIMER_PPIS } from "../../../devicetree/gic.ts";
import { pmuNode } from "../../../devicetree/pmu.ts";
import { cells64, type Devicetree, devicetree, type DevicetreeNode, node } from "../../../devicetree/tree.ts";
import { VirtioId } from "../../../virtio/device.ts";
import type { DevicePlan } from "../../../virtio/plan.ts";
import { backendLabel, bellLabel, DEVICE_BUFFER_LABEL } from "../labels.ts";
import type { VmLayout } from "../layout.ts";
import { type DriverTraits, linkNode, type VirtioModel } from "../nodes.ts";
import type { VmPlan } from "../vm-plan.ts";
import {
  virtioBase,
  VM_GICD_BASE,
  VM_GICD_SIZE,
  VM_GICR_BASE,
  VM_GICR_SIZE,
  VM_PL011_BASE,
  VM_PL011_SIZE,
  VM_PL011_SPI,
  VM_VIRTIO_SPI,
  VM_VIRTIO_STRIDE,
} from "./map.ts";

const PHANDLE_GIC = 1;
const PHANDLE_CLOCK = 2;
const CLOCK_HZ = 24_000_000;

const GIC_NAME = `intc@${VM_GICD_BASE.toString(16)}`;
const UART_NAME = `pl011@${VM_PL011_BASE.toString(16)}`;

/**
 * Builds the tree of a VM.
 * @param objects its devices, if the hypervisor has their registers
 */
export function guestDevicetree(
  plan: VmPlan,
  layout: VmLayout,
  objects: readonly VirtioModel[] = [],
  driver: DriverTraits = {},
): Devicetree {
  return devicetree(node("", {
    "#address-cells": 2,
    "#size-cells": 2,
    "interrupt-parent": PHANDLE_GIC,
    compatible: "linux,dummy-virt",
    model: `el2,${plan.name}`,
  }, [
    chosen(plan, layout),
    // Not memory@..: RM refuses a unit address here.
    node("memory", { device_type: "memory", reg: cells64(plan.base, plan.memory, ...windowCells(plan)) }),
    node("cpus", { "#address-cells": 1, "#size-cells": 0 }, range(plan.vcpus).map((index) => cpu(plan, index))),
    node("psci", { compatible: ["arm,psci-1.0", "arm,psci-0.2"], method: "hvc" }),
    node("timer", {
      compatible: ["arm,armv8-timer", "arm,armv7-timer"],
      "always-on": true,
      interrupts: TIMER_PPIS.flatMap((ppi) => [PPI, ppi, LEVEL_HIGH]),
    }),
    ...plan.hasPmu ? [pmuNode()] : [],
    node(GIC_NAME, {
      compatible: "arm,gic-v3",
      "#interrupt-cells": 3,
      "interrupt-controller": true,
      reg: cells64(VM_GICD_BASE, VM_GICD_SIZE, VM_GICR_BASE, VM_GICR_SIZE * plan.vcpus),
      phandle: PHANDLE_GIC,
    }),
    ...plan.console ? consoleNodes() : [],
    ...emulated(plan).map((_, slot) => virtioNode(slot)),
    ...plan.firmware ? [imageNode(plan)] : [],
    vmConfig(plan, layout, objects, driver),
  ]));
}

function windowCells({ windows = [] }: VmPlan): number[] {
  return windows.flatMap(({ base, size }) => [base, size]);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function chosen(plan: VmPlan, layout: VmLayout): DevicetreeNode {
  const initrd = layout.initrd !== undefined && plan.initrd !== undefined ? plan.base + layout.initrd : undefined;
  return node("chosen", {
    bootargs: plan.cmdline,
    "stdout-path": plan.console ? `/${UART_NAME}` : undefined,
    "linux,initrd-start": initrd === undefined ? undefined : cells64(initrd),
    "linux,initrd-end": initrd === undefined ? undefined : cells64(initrd + (plan.initrd?.length ?? 0)),
  });
}

function cpu({ schedule }: VmPlan, index: number): DevicetreeNode {
  return node(`cpu@${index.toString(16)}`, {
    device_type: "cpu",
    compatible: "arm,armv8",
    reg: index,
    "enable-method": "psci",
    // There are none; RM wants the property where the hypervisor schedules.
    "cpu-idle-states": schedule === "proxy" ? undefined : true,
  });
}

function consoleNodes(): DevicetreeNode[] {
  return [
    node("apb-pclk", { compatible: "fixed-clock", "#clock-cells": 0, "clock-frequency": CLOCK_HZ, phandle: PHANDLE_CLOCK }),
    node(UART_NAME, {
      compatible: ["arm,pl011", "arm,primecell"],
      reg: cells64(VM_PL011_BASE, VM_PL011_SIZE),
      interrupts: [SPI, VM_PL011_SPI, LEVEL_HIGH],
      clocks: [PHANDLE_CLOCK, PHANDLE_CLOCK],
      "clock-names": ["uartclk", "apb_pclk"],
    }),
  ];
}

function virtioNode(slot: number): DevicetreeNode {
  return node(`virtio_mmio@${virtioBase(slot).toString(16)}`, {
    compatible: "virtio,mmio",
    reg: cells64(virtioBase(slot), VM_VIRTIO_STRIDE),
    interrupts: [SPI, VM_VIRTIO_SPI + slot, LEVEL_HIGH],
    "dma-coherent": true,
  });
}

/**
 * Where the firmware of a protected VM finds what it is to check and to enter, as Android's does.
 */
function imageNode({ base, image }: VmPlan): DevicetreeNode {
  return node("config", { "kernel-address": cells64(base + image.offset), "kernel-size": cells64(image.size) });
}

/**
 * RM takes cell sizes from the parent of the node that holds a number: they are here, not in
 * `memory`.
 */
function vmConfig(plan: VmPlan, layout: VmLayout, objects: readonly VirtioModel[], driver: DriverTraits): DevicetreeNode {
  const firmware = driver.firmwareApart ? layout.firmware : undefined;
  const place = firmware === undefined ? {} : { "firmware-address": cells64(plan.base + firmware) };
  return node("gunyah-vm-config", { "#address-cells": 2, "#size-cells": 2, "image-name": plan.name, "os-type": "linux" }, [
    node("memory", {
      "base-address": cells64(plan.base),
      "size-max": plan.sizeMax === undefined ? undefined : cells64(plan.sizeMax),
      ...place,
    }),
    node("interrupts", { config: `/${GIC_NAME}` }),
    vcpuConfig(plan.schedule, driver),
    node("vdevices", {}, [...interruptLines(plan).map(bell), ...plan.links.map(linkNode), ...objects.map(virtioObject)]),
  ]);
}

function vcpuConfig(schedule: VmPlan["schedule"], { wakesAtTimers }: DriverTraits): DevicetreeNode {
  if (schedule === "proxy") {
    return node("vcpus", { config: "/cpus", affinity: "proxy", "no-timer-wakeups": wakesAtTimers || undefined });
  }
  const { affinity, affinityMap, priority, timeslice } = schedule;
  return node("vcpus", {
    config: "/cpus",
    affinity,
    "affinity-map": affinityMap,
    "sched-priority": priority >>> 0,
    "sched-timeslice": timeslice,
  });
}

/** Virtio devices whose registers are the VMM's. */
function emulated({ schedule, devices = [] }: VmPlan): readonly DevicePlan[] {
  return schedule === "proxy" ? devices : [];
}

/**
 * The Resource Manager makes the object and places its page; its node is where a guest looks for
 * virtio devices.
 */
function virtioObject({ id, queueCount }: VirtioModel, slot: number): DevicetreeNode {
  return node(`virtio-${slot.toString(16)}`, {
    "vdevice-type": "virtio-mmio",
    generate: "/virtio_mmio",
    "qcom,label": backendLabel(slot),
    "peer-default": true,
    "vqs-num": queueCount,
    "virtio,device-type": id === VirtioId.Input ? id : undefined,
    "dma-coherent": true,
    interrupts: [SPI, VM_VIRTIO_SPI + slot, LEVEL_HIGH],
  }, [node("memory", { label: DEVICE_BUFFER_LABEL, "allocate-base": true })]);
}

/** SPIs that the VMM drives. */
function interruptLines(plan: VmPlan): number[] {
  return [...plan.console ? [VM_PL011_SPI] : [], ...emulated(plan).map((_, slot) => VM_VIRTIO_SPI + slot)];
}

/**
 * The doorbell by which the VMM drives an interrupt line: level-high, and the VMM lowers the level.
 */
function bell(spi: number): DevicetreeNode {
  return node(`bell-${spi.toString(16)}`, {
    "vdevice-type": "doorbell",
    generate: `/hypervisor/bell-${spi.toString(16)}`,
    "qcom,label": bellLabel(spi),
    "peer-default": true,
    "source-can-clear": true,
    interrupts: [SPI, spi, LEVEL_HIGH],
  });
}
