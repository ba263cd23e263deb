// The native host's plan: its VMs with their images, as plain data (docs/design/workstation.md §3).
// The configuration is checked before a plan is made; the host takes a plan's numbers as they are.

import type { ErrnoName } from "../../abi/ioctl/errno.ts";
import type { PersonaName } from "../../abi/ioctl/personas.ts";
import type { VmPlan } from "../boards/vm-plan.ts";

export * from "../boards/vm-plan.ts";

/** Memory of the host that it shares with VMs. */
export interface SharedBuffer {
  readonly label: number;
  /** Bytes, whole pages. */
  readonly size: number;
  /** VMs that map it, and whether they may write. */
  readonly access: readonly { readonly vm: string; readonly write: boolean }[];
}

/** Differences between kernels of one generation (docs/spec/phones.md §A5). Plain data. */
export interface DriverQuirks {
  /** The largest block of contiguous kernel memory that is left is 2 to the power of this pages. */
  readonly maxOrder?: number;
  /** The errno of SET_BOOT_CONTEXT; undefined answers as the generation does. */
  readonly bootContext?: ErrnoName;
  /** The driver wakes vCPUs at their timers, as CHECK_EXTENSION reports (§D1). */
  readonly wakesAtTimers?: boolean;
  /** Percentage of the host's pages that cannot be pinned, as they lie in CMA areas. */
  readonly unpinnable?: number;
  /** Pages of 2 MiB that are left for the memory of VMs; undefined as many as fit. */
  readonly hugePages?: number;
  /**
   * Drivers do not pin the pages that they lend, and the host reclaims one this long after a VM has
   * started. Virtual ns; undefined pins them.
   */
  readonly reclaimAfter?: number;
  /** Greatest VMID that the secure world has an id for; undefined if it is not asked. */
  readonly scmMax?: number;
}

/**
 * Why a host with GenieZone's module has no /dev/gzvm: EL2 answers nothing to the module's first
 * call, or the platform's devicetree has no node for it.
 */
export const GZVM_PROBES = ["silent", "no-node"] as const;
/** One of `GZVM_PROBES`. */
export type GzvmProbe = typeof GZVM_PROBES[number];

/** The drivers of a host, whose VMMs run its VMs. */
interface HostDriver {
  /** Generation of /dev/gunyah. */
  readonly device: PersonaName;
  /** Whether there is /dev/gzvm too; or why it is missing, although the host has GenieZone. */
  readonly gzvm: boolean | GzvmProbe;
  /** RLIMIT_MEMLOCK of the VMMs, bytes. */
  readonly memlock: number;
  /** The kernel's differences from others of its generation. */
  readonly quirks?: DriverQuirks;
}

/** The native host and its VMs. */
export interface NativeHostPlan {
  /**
   * Bytes of RAM that the host keeps for itself, a multiple of 2 MiB. Its VMs' memory and files are
   * added.
   */
  readonly memory: number;
  /** How many of the primary VM's vCPUs take part, at most one for each physical CPU. */
  readonly vcpus: number;
  /** Started in this order. */
  readonly vms: readonly VmPlan[];
  /** None by default. */
  readonly buffers?: readonly SharedBuffer[];
  readonly driver: HostDriver;
}
