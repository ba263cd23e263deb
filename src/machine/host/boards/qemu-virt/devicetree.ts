// The devicetree that QEMU's port for Gunyah writes for a VM: that of `virt`, node by node, for the
// devices that the platform has here, with the `gunyah-vm-config` of its own (docs/spec/phones.md
// §C5).

import { LEVEL_HIGH, PPI, SPI, TIMER_PPIS } from "../../../devicetree/gic.ts";
import { pmuNode } from "../../../devicetree/pmu.ts";
import { cells64, type Devicetree, devicetree, type DevicetreeNode, node } from "../../../devicetree/tree.ts";
import type { VmLayout } from "../layout.ts";
import { boardBell, type DriverTraits, linkNode } from "../nodes.ts";
import type { VmPlan } from "../vm-plan.ts";
import {
  QEMU_DEVICETREE_SIZE,
  QEMU_FW_CFG,
  QEMU_GICD,
  QEMU_ITS,
  QEMU_RTC,
  QEMU_SLOTS,
  QEMU_UART,
  QEMU_V2M,
  qemuFlash,
  qemuGicr,
  qemuLines,
  qemuMessages,
} from "./map.ts";
import { pciHostNode } from "./pci.ts";

/** QEMU counts them from here, in the order in which it makes the nodes. */
const PHANDLE_CLOCK = 0x8000, PHANDLE_CPU = 0x8001, PHANDLE_GIC = 0x8100, PHANDLE_MESSAGES = 0x8101;
const CLOCK_HZ = 24_000_000;
/** Function ids of PSCI as QEMU lists them. */
const PSCI = { migrate: 0xc400_0005, cpu_on: 0xc400_0003, cpu_off: 0x8400_0002, cpu_suspend: 0xc400_0001 } as const;

const at = (name: string, address: number) => `${name}@${address.toString(16)}`;

/** Builds the tree of a VM. */
export function qemuDevicetree(plan: VmPlan, layout: VmLayout, driver: DriverTraits = {}): Devicetree {
  const gicr = qemuGicr(plan.vcpus);
  const tree = devicetree(node("", {
    "interrupt-parent": PHANDLE_GIC,
    model: "linux,dummy-virt",
    "#size-cells": 2,
    "#address-cells": 2,
    compatible: "linux,dummy-virt",
  }, [
    node("psci", { ...PSCI, method: "hvc", compatible: ["arm,psci-1.0", "arm,psci-0.2", "arm,psci"] }),
    // Not memory@..: the Resource Manager refuses a unit address here.
    node("memory", { reg: cells64(plan.base, plan.memory), device_type: "memory" }),
    ...flash(plan),
    node(at("fw-cfg", QEMU_FW_CFG.base), {
      "dma-coherent": true,
      reg: cells64(QEMU_FW_CFG.base, QEMU_FW_CFG.size),
      compatible: "qemu,fw-cfg-mmio",
    }),
    ...plan.hypervisor === "geniezone" ? [] : Array.from({ length: QEMU_SLOTS.count }, (_, slot) => virtioSlot(slot)),
    pciHostNode(PHANDLE_GIC, { phandle: PHANDLE_MESSAGES, isIts: plan.msi === "its" }),
    node(at("pl031", QEMU_RTC.base), {
      "clock-names": "apb_pclk",
      clocks: PHANDLE_CLOCK,
      interrupts: [SPI, QEMU_RTC.spi, LEVEL_HIGH],
      reg: cells64(QEMU_RTC.base, QEMU_RTC.size),
      compatible: ["arm,pl031", "arm,primecell"],
    }),
    node(at("pl011", QEMU_UART.base), {
      "clock-names": ["uartclk", "apb_pclk"],
      clocks: [PHANDLE_CLOCK, PHANDLE_CLOCK],
      interrupts: [SPI, QEMU_UART.spi, LEVEL_HIGH],
      reg: cells64(QEMU_UART.base, QEMU_UART.size),
      compatible: ["arm,pl011", "arm,primecell"],
    }),
    node(at("intc", QEMU_GICD.base), {
      phandle: PHANDLE_GIC,
      reg: cells64(QEMU_GICD.base, QEMU_GICD.size, gicr.base, gicr.size),
      "#redistributor-regions": 1,
      compatible: "arm,gic-v3",
      ranges: true,
      "#size-cells": 2,
      "#address-cells": 2,
      "interrupt-controller": true,
      "#interrupt-cells": 3,
    }, [plan.msi === "its" ? its() : messages(plan)]),
    cpus(plan),
    node("timer", {
      interrupts: TIMER_PPIS.flatMap((ppi) => [PPI, ppi, LEVEL_HIGH]),
      "always-on": true,
      compatible: ["arm,armv8-timer", "arm,armv7-timer"],
    }),
    ...plan.hasPmu ? [pmuNode()] : [],
    node("apb-pclk", {
      phandle: PHANDLE_CLOCK,
      "clock-output-names": "clk24mhz",
      "clock-frequency": CLOCK_HZ,
      "#clock-cells": 0,
      compatible: "fixed-clock",
    }),
    chosen(plan, layout),
    vmConfig(plan, driver),
  ]));
  if (plan.flash !== undefined) return tree;
  // Drivers that give pages on demand lend the devicetree's range: buffers of devices may not lie
  // in what the blob leaves of it.
  return { ...tree, reservations: [{ address: BigInt(plan.base + layout.devicetree), size: BigInt(QEMU_DEVICETREE_SIZE) }] };
}

/** One node for both banks. */
function flash(plan: VmPlan): DevicetreeNode[] {
  const banks = qemuFlash(plan);
  if (banks.length === 0) return [];
  const reg = cells64(...banks.flatMap(({ base, size }) => [base, size]));
  return [node(at("flash", banks[0].base), { "bank-width": 4, reg, compatible: "cfi-flash" })];
}

function virtioSlot(slot: number): DevicetreeNode {
  const base = QEMU_SLOTS.base + slot * QEMU_SLOTS.stride;
  return node(at("virtio_mmio", base), {
    "dma-coherent": true,
    // Edge-triggered, as QEMU lists them.
    interrupts: [SPI, QEMU_SLOTS.spi + slot, 1],
    reg: cells64(base, QEMU_SLOTS.stride),
    compatible: "virtio,mmio",
  });
}

function its(): DevicetreeNode {
  return node(at("its", QEMU_ITS.base), {
    phandle: PHANDLE_MESSAGES,
    reg: cells64(QEMU_ITS.base, QEMU_ITS.size),
    "#msi-cells": 1,
    "msi-controller": true,
    compatible: "arm,gic-v3-its",
  });
}

/** The doorbell by which messages of devices reach the ITS; the VM does not see it. */
function messageBell(): DevicetreeNode {
  return node("messages", {
    "vdevice-type": "doorbell",
    generate: "/hypervisor/messages",
    label: QEMU_ITS.label,
    "peer-default": true,
    "el2,msi-source": true,
  });
}

function messages(plan: VmPlan): DevicetreeNode {
  const { spi, count } = qemuMessages(plan);
  return node(at("v2m", QEMU_V2M.base), {
    phandle: PHANDLE_MESSAGES,
    reg: cells64(QEMU_V2M.base, QEMU_V2M.size),
    "msi-controller": true,
    compatible: "arm,gic-v2m-frame",
    "arm,msi-base-spi": 32 + spi,
    "arm,msi-num-spis": count,
  });
}

function cpus({ vcpus }: VmPlan): DevicetreeNode {
  const all = Array.from({ length: vcpus }, (_, index) => index);
  const map = all.map((index) => node(`core${index}`, { cpu: PHANDLE_CPU + index }));
  return node("cpus", { "#size-cells": 0, "#address-cells": 1 }, [
    node("cpu-map", {}, [node("socket0", {}, [node("cluster0", {}, map)])]),
    ...all.map((index) =>
      node(at("cpu", index), {
        phandle: PHANDLE_CPU + index,
        reg: index,
        "enable-method": vcpus > 1 ? "psci" : undefined,
        compatible: "arm,armv8",
        device_type: "cpu",
      })
    ),
  ]);
}

function chosen({ base, cmdline, initrd }: VmPlan, layout: VmLayout): DevicetreeNode {
  const start = initrd === undefined || layout.initrd === undefined ? undefined : base + layout.initrd, size = initrd?.length ?? 0;
  return node("chosen", {
    "linux,initrd-end": start === undefined ? undefined : cells64(start + size),
    "linux,initrd-start": start === undefined ? undefined : cells64(start),
    bootargs: cmdline,
    "stdout-path": `/${at("pl011", QEMU_UART.base)}`,
  });
}

function vmConfig(plan: VmPlan, { wakesAtTimers = false }: DriverTraits): DevicetreeNode {
  return node("gunyah-vm-config", { "image-name": "qemu-vm", "os-type": "linux" }, [
    node("memory", { "#address-cells": 2, "#size-cells": 2, "base-address": cells64(plan.base) }),
    node("interrupts", { config: PHANDLE_GIC }),
    node("vcpus", { affinity: "proxy", "no-timer-wakeups": wakesAtTimers ? true : undefined }),
    node("vdevices", { generate: "/hypervisor" }, [
      ...qemuLines(plan).map(boardBell),
      ...plan.msi === "its" ? [messageBell()] : [],
      ...plan.links.map(linkNode),
    ]),
  ]);
}
