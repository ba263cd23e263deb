// The environment block that the recorded root VM found (docs/spec/observed.md §7).

import { asCapId, asIpa, type CapId } from "../../src/machine/abi/numbers.ts";
import { NO_CAP, type RootEnvironment } from "../../src/machine/abi/root-environment.ts";

/** The id of the `index`-th capability: they come in tables of 62 slots. */
export function capId(index: number): CapId {
  return asCapId(BigInt(Math.floor(index / 62) << 8 | index % 62));
}

/** Hardware interrupts that the platform forwards: PPIs 16..22, 24, 28, 29, 31 and SPIs 32..255. */
export const HWIRQS = [16, 17, 18, 19, 20, 21, 22, 24, 28, 29, 31, ...Array.from({ length: 224 }, (_, index) => 32 + index)];

/** The environment of the recorded machine. */
export function recordedEnvironment(): RootEnvironment {
  const vic_hwirq = Array.from({ length: 256 }, (_, irq) => {
    const index = HWIRQS.indexOf(irq);
    return index < 0 ? NO_CAP : capId(4 + index);
  });
  return {
    runtime_ipa: asIpa(0x8048_0000),
    app_ipa: asIpa(0x8048_b000),
    app_heap_ipa: asIpa(0x804e_5000),
    app_heap_size: 0x3_b000,
    vcpu_capid: asCapId(2n),
    timer_freq: 62_500_000,
    gicd_base: 0x0800_0000,
    gicr_base: 0x080a_0000,
    resources: {
      cspace_capid: asCapId(0n),
      partition_capid: asCapId(1n),
      vcpu_capid: asCapId(2n),
      free_ranges: [[0x4000_0000, 0x4000_0000], [0x8040_0000, 0x3d80_0000]],
      gicd_base: 0x0800_0000,
      gicr_stride: 0x2_0000,
      gicr_ranges: [[0x080a_0000, 8]],
      vic: asCapId(3n),
      vic_hwirq,
      addrspace_capid: asCapId(0x335n),
      sve_supported: true,
      me_ipa_base: asIpa(0x8048_0000),
      ipa_offset: 0,
      me_capid: asCapId(0x336n),
      me_size: 0xa_0000,
      boot_core: 0,
      usable_cores: 0xff,
      hlos_vm_base: 0x4000_0000,
      hlos_vm_size: 0x4000_0000,
      entry_hlos: asIpa(0x4100_0000),
      hlos_dt_base: asIpa(0x40f0_0000),
      hlos_ramfs_base: 0x4080_0000,
      device_me_base: 0,
      device_me_size: 0x4000_0000,
      watchdog_supported: 0,
      device_me_capid: asCapId(0x337n),
      uart_address: 0x0900_0000,
      uart_me_capid: asCapId(0x338n),
    },
  };
}
