// Devicetree nodes of devices that crosvm's platform has, and that the primary VM may have, too
// (docs/spec/phones.md §C3).

import { EDGE_RISING, LEVEL_HIGH, PPI, SPI } from "../../../devicetree/gic.ts";
import { cells64, type DevicetreeNode, node } from "../../../devicetree/tree.ts";
import { PL030_ID } from "../../../devices/pl030.ts";
import { STALL_HZ, STALL_SECONDS } from "../../../devices/stall-detector.ts";

/** Bytes of its registers. */
interface RegisterRange {
  readonly base: number;
  readonly size: number;
}

/** @param clock phandle of its clock */
export function pl030Node({ base, size, spi }: RegisterRange & { readonly spi: number }, clock: number): DevicetreeNode {
  return node(`rtc@${base.toString(16)}`, {
    compatible: "arm,primecell",
    "arm,primecell-periphid": PL030_ID,
    reg: cells64(base, size),
    interrupts: [SPI, spi, LEVEL_HIGH],
    clocks: clock,
    "clock-names": "apb_pclk",
  });
}

export function batteryNode({ base, size, spi }: RegisterRange & { readonly spi: number }): DevicetreeNode {
  return node("goldfish_battery", {
    compatible: "google,goldfish-battery",
    reg: cells64(base, size),
    interrupts: [SPI, spi, LEVEL_HIGH],
  });
}

/** @param cpus the bits of the specifier that name CPUs */
export function stallDetectorNode({ base, size, ppi }: RegisterRange & { readonly ppi: number }, cpus = 0): DevicetreeNode {
  return node(`vmwdt@${base.toString(16)}`, {
    compatible: "qemu,vcpu-stall-detector",
    reg: cells64(base, size),
    "clock-frequency": STALL_HZ,
    "timeout-sec": STALL_SECONDS,
    interrupts: [PPI, ppi, EDGE_RISING | cpus],
  });
}
