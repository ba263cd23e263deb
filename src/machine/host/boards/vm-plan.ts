// The plan of one VM, as plain data: its image, memory, vCPUs, devices and links. The configuration
// is checked before a plan is made; VMMs and boards take its numbers as they are.

import type { DevicePlan } from "../../virtio/plan.ts";

/** Image of a VM. Offsets are from the start of its memory. */
export interface VmImage {
  /** Bytes of the image as they lie in memory; zeros follow up to `size`. */
  readonly bytes: Uint8Array;
  /** Where `bytes` go. */
  readonly offset: number;
  /** Bytes that the image occupies when it runs, `.bss` included. */
  readonly size: number;
  /** The first instruction. */
  readonly entry: number;
}

/**
 * An object that two VMs share, as one of them sees it. `label` finds it in the devicetree, `peer`
 * is the other VM's name.
 */
export type VmLink =
  | { readonly kind: "message-queue-pair"; readonly label: number; readonly peer: string; readonly depth: number; readonly size: number }
  /** This VM is rung. */
  | { readonly kind: "doorbell"; readonly label: number; readonly peer: string; readonly sourceCanClear: boolean }
  /** This VM rings. */
  | { readonly kind: "doorbell-source"; readonly label: number; readonly peer: string; readonly sourceCanClear: boolean }
  /** It sees the `SharedBuffer` of this label. */
  | { readonly kind: "shared-memory"; readonly label: number };

/** When a VM is made: with the host, on request, or once another one runs. */
export type VmStart = "auto" | "manual" | { readonly after: string };

/** The action when a VM has exited. */
type OnExit = "stop" | "restart" | "end-session";

/** Firmware of protected VMs, as `VmImage` has it. */
export interface VmFirmware {
  readonly bytes: Uint8Array;
  /** Bytes that it occupies when it runs, from its first byte on. */
  readonly size: number;
}

/**
 * A VM whose vCPUs the hypervisor schedules, without the host (docs/spec/resource-manager.md §6.4).
 */
export interface OwnSchedule {
  readonly affinity: "static" | "sticky" | "pinned";
  /** A physical CPU for each vCPU. */
  readonly affinityMap: readonly number[];
  /** Offset to the owner's priority, below 0. */
  readonly priority: number;
  /** Microseconds. */
  readonly timeslice: number;
}

/** Platforms that VMMs build: each has a `Board` (`boards.ts`). */
export const VM_PLATFORMS = ["el2", "crosvm", "qemu-virt"] as const;
export type VmPlatform = typeof VM_PLATFORMS[number];

/** The code in a VM's first bank of flash, in which it starts. */
export interface VmFlash {
  readonly code: Uint8Array;
  /** Bytes of the bank. */
  readonly size: number;
  /** The file that keeps the second bank, if any. */
  readonly vars?: VariablesPlan;
}

/** A file that keeps a bank of flash, and its content at the start, as many bytes as the bank. */
export interface VariablesPlan {
  readonly path: string;
  readonly content: Uint8Array;
}

/** RAM of a VM apart from that at its base. IPA and bytes. */
interface MemoryWindow {
  readonly base: number;
  readonly size: number;
}

/** SHA-256 of a VM's image, and of the one that it should be a copy of. */
export interface StaleImage {
  readonly used: string;
  readonly built: string;
}

export interface VmPlan {
  readonly name: string;
  /** The hypervisor whose device its VMM uses; Gunyah by default. */
  readonly hypervisor?: "gunyah" | "geniezone";
  /** The board that the VMM builds: el2's own by default. */
  readonly platform?: VmPlatform;
  readonly image: VmImage;
  /** The image is not what was built. */
  readonly stale?: StaleImage;
  /**
   * A VM with firmware is protected: the firmware runs first, and the VM's memory comes back as
   * zeros. All such VMs have the same one.
   */
  readonly firmware: VmFirmware | undefined;
  readonly initrd: Uint8Array | undefined;
  /** Replaces our devicetree, has a `gunyah-vm-config`; at most `DEVICETREE_SIZE` bytes. */
  readonly devicetree?: Uint8Array;
  /** `/chosen/bootargs`. */
  readonly cmdline: string;
  /** Whether its semihosting calls are served; they are not by default. */
  readonly semihosting?: boolean;
  /** Bytes of RAM, a multiple of 2 MiB. */
  readonly memory: number;
  /**
   * Bytes at the end of RAM that the VM shares with its VMM, for DMA: a restricted-dma-pool, a
   * multiple of 2 MiB. None by default, and only on crosvm's platform.
   */
  readonly swiotlb?: number;
  /**
   * Bytes of RAM, before the pool, that keep their content when the VM starts again: ramoops, a
   * multiple of 2 MiB. None by default, and only on crosvm's platform.
   */
  readonly pstore?: number;
  /**
   * Kinds of devices that do not offer ACCESS_PLATFORM, as some vhost-user backends of protected
   * VMs: drivers then leave the pool out.
   */
  readonly withoutAccessPlatform?: readonly string[];
  /**
   * Frequencies (kHz, rising) that a virtual cpufreq device offers each vCPU. There is none by
   * default, and only on crosvm's platform.
   */
  readonly cpuFrequencies?: readonly number[];
  /** More RAM above it, each range a multiple of 2 MiB and apart from the others, by address. */
  readonly windows?: readonly MemoryWindow[];
  /** Whether its devicetree has the CPU's performance monitors; crosvm's never has them. */
  readonly hasPmu?: boolean;
  /** `size-max` of the configuration: none by default, crosvm's on its platform. Bytes. */
  readonly sizeMax?: number;
  /** How functions of QEMU's platform send interrupts; by default to a GICv2m frame. */
  readonly msi?: "its" | "gicv2m";
  /** The devicetree is at the start of RAM, as crosvm has it for a BIOS, which follows it. */
  readonly devicetreeFirst?: boolean;
  /**
   * Flag by which the VMM asks for comparisons of data in ADD_FUNCTION of ioeventfds; the driver's
   * by default.
   */
  readonly datamatchFlag?: number;
  /** Firmware in flash, which `virt` enters instead of an image: only on QEMU's platform. */
  readonly flash?: VmFlash;
  /** IPA of RAM, a multiple of 2 MiB. */
  readonly base: number;
  /** 1..8. */
  readonly vcpus: number;
  /** "proxy": the host's vCPUs run its vCPUs by vcpu_run. */
  readonly schedule: "proxy" | OwnSchedule;
  /**
   * Whether it has a serial port, its console: only with "proxy", as otherwise no VMM emulates it.
   */
  readonly console: boolean;
  /**
   * Its virtio devices, in the order of their slots. Their VMM shares the VM's memory where it may.
   * Registers are the VMM's with "proxy", else those of the hypervisor's virtio-mmio objects.
   */
  readonly devices?: readonly DevicePlan[];
  readonly links: readonly VmLink[];
  /** "auto" by default. */
  readonly start?: VmStart;
  readonly onExit: OnExit;
}
