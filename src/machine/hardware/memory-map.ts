// The layout of memory: in the physical address space, and in the one Wasm memory that holds it
// (docs/design/decisions.md §8).
//
//   physical address                        Wasm memory
//   0x0000_0000  devices (QEMU "virt")      0           CPU state, tables of functions, TLB sets,
//   0x0900_0000    PL011, PL031, fw_cfg                 decoded instructions, stage-2 tables, vCPU
//   0x0a00_0000    virtio-mmio, 32 slots                contexts (src/cpu/core/state/cpu-state.ts)
//   0x4000_0000  primary VM's RAM           RAM_OFFSET  the byte at physical address 0x4000_0000;
//   hypervisorBase                          ...         from here on PA - RAM_BASE + RAM_OFFSET
//     + 0          hypervisor image (unused: this hypervisor is not code in guest memory)
//     + 0x40_0000  root partition
//     + 0x48_0000  memory of the Resource Manager, 0xa_0000 bytes
//     + 0x80_0000  end of RAM
//
// hypervisorBase is 0x8000_0000 as on the real platform, or the end of the primary's RAM where that
// reaches further.

import { MiB } from "../../kit/support/values/sizes.ts";

/** Physical address of the first byte of RAM. */
export const RAM_BASE = 0x4000_0000;
/** Physical addresses end below 2^32. */
export const PHYSICAL_END = 0x1_0000_0000;

/** The part of the Wasm memory that belongs to the core, from address 0. */
export const CORE_REGION_SIZE = 0x1080_0000;
/** Address in the Wasm memory of the byte at RAM_BASE. */
export const RAM_OFFSET = CORE_REGION_SIZE;

/** Device addresses of the platform. Firmware's flash: code, then variables. */
export const FLASH_BASES = [0, 0x0400_0000] as const;
/** Room for each. */
export const FLASH_MAX = 0x0400_0000;
export const PL011_BASE = 0x0900_0000;
export const PL011_SIZE = 0x1000;
/** INTID of the PL011's interrupt: SPI 1. */
export const PL011_INTID = 33;
export const PL031_BASE = 0x0901_0000;
export const PL031_SIZE = 0x1000;
/** INTID of the PL031's interrupt: SPI 2. */
export const PL031_INTID = 34;
export const FW_CFG_BASE = 0x0902_0000;
/** Devices of crosvm's platform, where `virt` has its platform bus: SPIs 112 and 113, PPI 15. */
export const PL030_BASE = 0x0c00_0000;
export const STALL_BASE = 0x0c01_0000;
export const BATTERY_BASE = 0x0c02_0000;
/** Bytes of each. */
export const EXTRA_SIZE = 0x1000;
export const PL030_INTID = 144;
export const BATTERY_INTID = 145;
export const STALL_INTID = 31;
/** INTID of PPI 0. */
export const FIRST_PPI = 16;
/** Slots of virtio-mmio devices, each with its own SPI. */
export const VIRTIO_MMIO_BASE = 0x0a00_0000;
export const VIRTIO_MMIO_STRIDE = 0x200;
export const VIRTIO_MMIO_SLOTS = 32;
/** INTID of slot 0: SPI 16. */
export const VIRTIO_MMIO_INTID = 48;
export const GICD_BASE = 0x0800_0000;
export const GICD_SIZE = 0x1_0000;
/** A GICv2m frame, where the machine has one, and the INTIDs that its messages raise. */
export const V2M_BASE = 0x0802_0000;
export const V2M_INTID = 80;
export const V2M_COUNT = 64;
/** Both frames of an ITS, where the machine has one. */
export const GITS_BASE = 0x0808_0000;
export const GITS_SIZE = 0x2_0000;
export const GICR_BASE = 0x080a_0000;
/** Bytes of one redistributor: RD and SGI frame. */
export const GICR_STRIDE = 0x2_0000;
/** Device addresses end here. */
export const DEVICE_END = RAM_BASE;

/** Physical CPUs that the platform can have (PLATFORM_MAX_CORES). */
export const MAX_CPUS = 8;

/** The hypervisor's region, relative to its base. */
const HYPERVISOR_IMAGE_SIZE = 0x40_0000;
const RESOURCE_MANAGER_OFFSET = 0x48_0000;
const HYPERVISOR_REGION_SIZE = 0x80_0000;
const HYPERVISOR_LOWEST_BASE = 0x8000_0000;
const HYPERVISOR_ALIGNMENT = 0x20_0000;

/** Memory that the root VM (the Resource Manager) runs in. */
export const RESOURCE_MANAGER_SIZE = 0xa_0000;

/** Sizes of the primary's RAM that a machine can have: a bare-metal program needs little. */
export const MINIMUM_PRIMARY_MEMORY = 8 * MiB;
/** The minimum for firmware, and for guests that use the addresses of the recorded platform. */
export const MINIMUM_PLATFORM_MEMORY = 64 * MiB;
export const MAXIMUM_PRIMARY_MEMORY = PHYSICAL_END - RAM_BASE - HYPERVISOR_REGION_SIZE;

/** The layout for one size of the primary's RAM. Physical addresses; ends are exclusive. */
export interface MemoryMap {
  readonly primarySize: number;
  readonly primaryEnd: number;
  readonly hypervisorBase: number;
  /** Memory of the root partition after the hypervisor image. */
  readonly rootBase: number;
  readonly resourceManagerBase: number;
  readonly ramEnd: number;
  /** Size of the Wasm memory in bytes, a multiple of 64 KiB. */
  readonly wasmSize: number;
}

/**
 * The memory map of a machine whose primary VM has `primarySize` bytes of RAM. Throws a RangeError
 * unless that is a multiple of 2 MiB from `MINIMUM_PRIMARY_MEMORY` to `MAXIMUM_PRIMARY_MEMORY`.
 */
export function memoryMap(primarySize: number): MemoryMap {
  if (
    !Number.isInteger(primarySize) || primarySize % HYPERVISOR_ALIGNMENT !== 0 || primarySize < MINIMUM_PRIMARY_MEMORY ||
    primarySize > MAXIMUM_PRIMARY_MEMORY
  ) {
    throw new RangeError(
      `memory of ${primarySize} bytes: a multiple of 2 MiB from ${MINIMUM_PRIMARY_MEMORY / MiB} MiB to ` +
        `${MAXIMUM_PRIMARY_MEMORY / MiB} MiB is possible`,
    );
  }
  const primaryEnd = RAM_BASE + primarySize;
  const hypervisorBase = Math.max(HYPERVISOR_LOWEST_BASE, primaryEnd);
  const ramEnd = hypervisorBase + HYPERVISOR_REGION_SIZE;
  return {
    primarySize,
    primaryEnd,
    hypervisorBase,
    rootBase: hypervisorBase + HYPERVISOR_IMAGE_SIZE,
    resourceManagerBase: hypervisorBase + RESOURCE_MANAGER_OFFSET,
    ramEnd,
    wasmSize: RAM_OFFSET + ramEnd - RAM_BASE,
  };
}
