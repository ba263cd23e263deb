// The devicetree of the platform as the primary VM finds it before the Resource Manager adds
// /hypervisor: QEMU's `virt` layout. Bindings: arm,gic-v3, arm,armv8-timer, arm,pmu,
// arm,psci-1.0, arm,pl011.

import { UART_16550_SIZE } from "../devices/uart-16550.ts";
import { batteryNode, pciHostNode, pl030Node, stallDetectorNode } from "../host/boot.ts";
import { FW_CFG_SIZE } from "../devices/fw-cfg.ts";
import { GICV2M_SIZE } from "../devices/gicv2m.ts";
import { FIRST_SPI, LEVEL_HIGH, MAINTENANCE_PPI, PPI, SPI, TIMER_PPIS } from "../devicetree/gic.ts";
import { pmuNode } from "../devicetree/pmu.ts";
import { cells, cells64, type Devicetree, devicetree, type DevicetreeNode, node } from "../devicetree/tree.ts";
import {
  BATTERY_BASE,
  BATTERY_INTID,
  EXTRA_SIZE,
  FIRST_PPI,
  FLASH_BASES,
  FW_CFG_BASE,
  GICD_BASE,
  GICD_SIZE,
  GICR_BASE,
  GICR_STRIDE,
  GITS_BASE,
  GITS_SIZE,
  PL011_BASE,
  PL011_INTID,
  PL011_SIZE,
  PL030_BASE,
  PL030_INTID,
  PL031_BASE,
  PL031_INTID,
  PL031_SIZE,
  RAM_BASE,
  STALL_BASE,
  STALL_INTID,
  V2M_BASE,
  V2M_COUNT,
  V2M_INTID,
  VIRTIO_MMIO_BASE,
  VIRTIO_MMIO_INTID,
  VIRTIO_MMIO_STRIDE,
} from "../hardware/memory-map.ts";

type PrimaryUart = "pl011" | "16550a";
/** Devices of crosvm's platform. */
type PlatformDevice = "pl030" | "stall-detector" | "battery" | "pvpanic";

/** The kernel or the ramdisk of a hypervisor's first VM, in memory. */
interface HypervisorModule {
  readonly kind: "kernel" | "ramdisk";
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  /** A kernel's command line. */
  readonly bootargs?: string;
}

/** Inputs of the tree. */
export interface PrimaryDevicetreeOptions {
  readonly cpus: number;
  /** Bytes of RAM. */
  readonly memory: number;
  /** Kernel command line. */
  readonly append?: string;
  readonly initrd?: { readonly start: number; readonly end: number };
  /** Files from which a hypervisor at EL2 starts its first VM; none unless given. */
  readonly modules?: readonly HypervisorModule[];
  /**
   * Seed of the kernel's random pool, 32 bytes. There is none for KASLR: a kernel at its link
   * address is easier to debug, and needs no page-table isolation.
   */
  readonly rngSeed: Uint8Array;
  /** Slots with virtio devices; 0 unless given. */
  readonly virtioSlots?: number;
  /** Whether there is a real time clock. */
  readonly clock?: boolean;
  /** The bus of virtio devices: with `pci` there is its host. */
  readonly bus?: "mmio" | "pci";
  /** The serial port; a PL011 unless given. */
  readonly uart?: PrimaryUart;
  /** Devices of crosvm's platform; none unless given. */
  readonly platformDevices?: readonly PlatformDevice[];
  /** The GIC's message-signaled interrupts; none unless given. */
  readonly msi?: "none" | "gicv2m" | "its";
  /**
   * Sizes of the banks of flash that firmware runs from, which finds fw_cfg as well; none unless
   * given.
   */
  readonly flash?: readonly number[];
  /** Whether EL2 has GenieZone's calls. */
  readonly geniezone?: boolean;
  /**
   * Whether the CPUs execute EL2: firmware is called by SMC then, and the GIC has the maintenance
   * interrupt of its virtual interface.
   */
  readonly atEl2?: boolean;
  /** Whether the CPUs have performance monitors. */
  readonly hasPmu?: boolean;
}

/** The bits of an interrupt specifier that name CPUs. */
const CPU_MASK_SHIFT = 8;
const PHANDLE_GIC = 1;
const PHANDLE_CLOCK = 2;
const PHANDLE_MESSAGES = 3;
const CLOCK_HZ = 24_000_000;
/** Clock of a 16550A. */
const SERIAL_CLOCK_HZ = 1_843_200;

/** Builds the tree. */
export function primaryDevicetree(options: PrimaryDevicetreeOptions): Devicetree {
  const { bus, msi } = options;
  const uart = `${options.uart === "16550a" ? "serial" : "pl011"}@${PL011_BASE.toString(16)}`;
  const messages = msi === "gicv2m" || msi === "its" ? { phandle: PHANDLE_MESSAGES, isIts: msi === "its" } : undefined;
  return devicetree(node("", {
    "#address-cells": 2,
    "#size-cells": 2,
    "interrupt-parent": PHANDLE_GIC,
    compatible: "linux,dummy-virt",
    model: "el2",
  }, [
    node("psci", { compatible: ["arm,psci-1.0", "arm,psci-0.2", "arm,psci"], method: options.atEl2 ? "smc" : "hvc" }),
    node(`memory@${RAM_BASE.toString(16)}`, { device_type: "memory", reg: cells64(RAM_BASE, options.memory) }),
    node("cpus", { "#address-cells": 1, "#size-cells": 0 }, cpuNodes(options.cpus)),
    node("timer", {
      compatible: ["arm,armv8-timer", "arm,armv7-timer"],
      "always-on": true,
      interrupts: TIMER_PPIS.flatMap((ppi) => [PPI, ppi, LEVEL_HIGH]),
    }),
    ...options.hasPmu ? [pmuNode()] : [],
    node(`intc@${GICD_BASE.toString(16)}`, {
      compatible: "arm,gic-v3",
      "#interrupt-cells": 3,
      "interrupt-controller": true,
      "#redistributor-regions": 1,
      reg: cells64(GICD_BASE, GICD_SIZE, GICR_BASE, GICR_STRIDE * options.cpus),
      interrupts: options.atEl2 ? [PPI, MAINTENANCE_PPI, LEVEL_HIGH] : undefined,
      phandle: PHANDLE_GIC,
      // The interrupt map of a PCI host has cells for an address in the GIC.
      ...messages || bus === "pci" ? { "#address-cells": 2, "#size-cells": 2, ranges: true } : {},
    }, messageNodes(options)),
    node("apb-pclk", {
      compatible: "fixed-clock",
      "#clock-cells": 0,
      "clock-frequency": CLOCK_HZ,
      "clock-output-names": "clk24mhz",
      phandle: PHANDLE_CLOCK,
    }),
    uartNode(uart, options.uart),
    ...options.clock ? [clockNode()] : [],
    ...platformDeviceNodes(options.platformDevices ?? [], options.cpus, PHANDLE_CLOCK),
    ...options.flash ? firmwareNodes(options.flash) : [],
    ...virtioNodes(options.virtioSlots ?? 0),
    ...bus === "pci" ? [pciHostNode(PHANDLE_GIC, messages)] : [],
    ...options.geniezone ? [geniezoneNode()] : [],
    node("aliases", { serial0: `/${uart}` }),
    node("chosen", {
      bootargs: options.append,
      "stdout-path": `/${uart}`,
      "linux,initrd-start": options.initrd && cells64(options.initrd.start),
      "linux,initrd-end": options.initrd && cells64(options.initrd.end),
      "rng-seed": options.rngSeed,
      ...options.modules?.length && { "#address-cells": 2, "#size-cells": 2 },
    }, options.modules?.map(moduleNode)),
  ]));
}

/**
 * GenieZone's node, with the names of the early drivers and of the binding. `/hypervisor` is
 * Gunyah's, and Linux makes devices of what is in `/firmware`, too.
 */
function geniezoneNode(): DevicetreeNode {
  return node("firmware", {}, [node("hypervisor", { compatible: ["mediatek,geniezone-hyp", "mediatek,geniezone"] })]);
}

/** A boot module as Xen defined them (its docs/misc/arm/device-tree/booting.txt). */
function moduleNode({ kind, address, size, bootargs }: HypervisorModule): DevicetreeNode {
  return node(`module@${address.toString(16)}`, {
    compatible: [`multiboot,${kind}`, "multiboot,module"],
    reg: cells64(address, size),
    bootargs,
  });
}

function uartNode(name: string, kind: PrimaryUart = "pl011"): DevicetreeNode {
  const interrupts = [SPI, PL011_INTID - FIRST_SPI, LEVEL_HIGH];
  if (kind === "16550a") {
    return node(name, {
      compatible: "ns16550a",
      reg: cells64(PL011_BASE, UART_16550_SIZE),
      interrupts,
      "clock-frequency": SERIAL_CLOCK_HZ,
    });
  }
  return node(name, {
    compatible: ["arm,pl011", "arm,primecell"],
    reg: cells64(PL011_BASE, PL011_SIZE),
    interrupts,
    clocks: [PHANDLE_CLOCK, PHANDLE_CLOCK],
    "clock-names": ["uartclk", "apb_pclk"],
  });
}

/** Only functions of PCI refer to them. */
function messageNodes({ msi, bus }: PrimaryDevicetreeOptions): DevicetreeNode[] {
  const phandle = bus === "pci" ? PHANDLE_MESSAGES : undefined;
  if (msi === "gicv2m") {
    return [node(`v2m@${V2M_BASE.toString(16)}`, {
      compatible: "arm,gic-v2m-frame",
      "msi-controller": true,
      reg: cells64(V2M_BASE, GICV2M_SIZE),
      "arm,msi-base-spi": V2M_INTID,
      "arm,msi-num-spis": V2M_COUNT,
      phandle,
    })];
  }
  if (msi !== "its") return [];
  return [node(`its@${GITS_BASE.toString(16)}`, {
    compatible: "arm,gic-v3-its",
    "msi-controller": true,
    "#msi-cells": 1,
    reg: cells64(GITS_BASE, GITS_SIZE),
    phandle,
  })];
}

function clockNode(): DevicetreeNode {
  return node(`pl031@${PL031_BASE.toString(16)}`, {
    compatible: ["arm,pl031", "arm,primecell"],
    reg: cells64(PL031_BASE, PL031_SIZE),
    interrupts: [SPI, PL031_INTID - FIRST_SPI, LEVEL_HIGH],
    clocks: [PHANDLE_CLOCK],
    "clock-names": ["apb_pclk"],
  });
}

/** One node for both banks, as `virt` has it. */
function firmwareNodes(banks: readonly number[]): DevicetreeNode[] {
  return [
    node(`flash@${FLASH_BASES[0].toString(16)}`, {
      compatible: "cfi-flash",
      reg: cells64(...banks.flatMap((size, index) => [FLASH_BASES[index], size])),
      "bank-width": 4,
    }),
    node(`fw-cfg@${FW_CFG_BASE.toString(16)}`, {
      compatible: "qemu,fw-cfg-mmio",
      reg: cells64(FW_CFG_BASE, FW_CFG_SIZE),
      "dma-coherent": true,
    }),
  ];
}

function cpuNodes(count: number) {
  return Array.from({ length: count }, (_, index) =>
    node(`cpu@${index.toString(16)}`, {
      device_type: "cpu",
      compatible: "arm,armv8",
      reg: cells(index),
      "enable-method": "psci",
    }));
}

/** Devicetree nodes of the first `count` slots. */
function virtioNodes(count: number): DevicetreeNode[] {
  return Array.from({ length: count }, (_, slot) => {
    const base = VIRTIO_MMIO_BASE + slot * VIRTIO_MMIO_STRIDE;
    return node(`virtio_mmio@${base.toString(16)}`, {
      compatible: "virtio,mmio",
      reg: cells64(base, VIRTIO_MMIO_STRIDE),
      interrupts: [SPI, VIRTIO_MMIO_INTID + slot - FIRST_SPI, LEVEL_HIGH],
      "dma-coherent": true,
    });
  });
}

/**
 * Nodes of crosvm's devices; pvpanic, a function of the PCI host, has none.
 * @param clock phandle of a clock
 */
function platformDeviceNodes(kinds: readonly PlatformDevice[], cpus: number, clock: number): DevicetreeNode[] {
  const spi = (intid: number) => intid - FIRST_SPI;
  return [
    ...kinds.includes("pl030") ? [pl030Node({ base: PL030_BASE, size: EXTRA_SIZE, spi: spi(PL030_INTID) }, clock)] : [],
    ...kinds.includes("stall-detector")
      ? [stallDetectorNode({ base: STALL_BASE, size: EXTRA_SIZE, ppi: STALL_INTID - FIRST_PPI }, (1 << cpus) - 1 << CPU_MASK_SHIFT)]
      : [],
    ...kinds.includes("battery") ? [batteryNode({ base: BATTERY_BASE, size: EXTRA_SIZE, spi: spi(BATTERY_INTID) })] : [],
  ];
}
