// Choices of the hypervisor and its Resource Manager, as keys of a configuration ([machine]:
// `cap_ids`, `quirks`, `hypervisor_node`, `strict`, `check`; [rm]).

import type { HypervisorNode } from "../../abi/hypervisor-node.ts";
import { AUTH_NAMES, type AuthName } from "../../abi/rpc/messages/vm.ts";

/**
 * How capability ids look: numbers of slots, as in the recorded build, or scrambled for each
 * cspace, as in production (docs/spec/hypervisor.md §3.3).
 */
export const CAP_IDS = ["plain", "random"] as const;

/**
 * Where the recorded build deviates from its document: follow the document, or the build
 * (docs/differences.md).
 */
export const QUIRKS = ["fixed", "as-observed"] as const;

/** Result of turning off a watchdog that is off: phones differ (docs/spec/phones.md §D3). */
export const IDLE_WATCHDOG = ["accept", "refuse"] as const;

/**
 * Which hypercalls and properties of configurations there are: those of the recorded build, or also
 * those of the newer open drop (docs/spec/hypervisor.md §4.14).
 */
export const ABIS = ["recorded", "newer"] as const;

/** Widths of the addresses of VMs: that of the recorded build, and that of phones (§C1). */
export const IPA_BITS = [36, 40] as const;

/**
 * Message-signaled interrupts of the primary VM: none, as recorded; a GICv2m frame; or LPIs and an
 * ITS.
 */
export const MSI_KINDS = ["none", "gicv2m", "its"] as const;

/** Rules for shared parcels and the nodes of /reserved-memory (docs/spec/phones.md §A4). */
export const RESERVED_MEMORY_RULES = ["any", "must-match", "never"] as const;

/**
 * The memory that size-max of a VM's configuration limits: private memory, or all that the VM
 * accepts (docs/spec/phones.md §A3).
 */
export const SIZE_MAX_RULES = ["private", "span"] as const;

/** The choices of one machine. Plain data. */
export interface Behaviour {
  readonly capIds: typeof CAP_IDS[number];
  readonly quirks: typeof QUIRKS[number];
  /**
   * How the primary's drivers find the hypervisor. A choice of our Resource Manager: other ones
   * have their own.
   */
  readonly hypervisorNode: HypervisorNode;
  /**
   * Types of authentication that the platform takes VMs of, by our Resource Manager. Phones are
   * known that take protected VMs alone.
   */
  readonly auth: readonly AuthName[];
  readonly idleWatchdog: typeof IDLE_WATCHDOG[number];
  readonly abi: typeof ABIS[number];
  /** IPAs of all VMs are below 2 to the power of this. */
  readonly ipaBits: typeof IPA_BITS[number];
  /** Most parcels that our Resource Manager lets a VM own. */
  readonly parcels: number;
  /** Parcels that drivers of the primary VM hold from its boot on; they count for our manager. */
  readonly parcelsHeld: number;
  /**
   * How VM_START compares parcels with nodes of /reserved-memory: each node has a parcel; also each
   * shared parcel has a node of exactly its range; or not at all. By our Resource Manager.
   */
  readonly reservedMemory: typeof RESERVED_MEMORY_RULES[number];
  readonly sizeMax: typeof SIZE_MAX_RULES[number];
  /**
   * Bytes that our Resource Manager adds to VMs that are filled on demand, from 1 GiB up, which
   * they cannot execute (docs/spec/phones.md §A4).
   */
  readonly lowMemory: number;
  /** VMs can read how much time was stolen from their vCPUs (SMCCC PV time). */
  readonly pvTime: boolean;
  /** The primary VM has GenieZone's calls beside Gunyah's. */
  readonly geniezone: boolean;

  readonly msi: typeof MSI_KINDS[number];
  /** VICs of other VMs may have LPIs and an ITS, if their devicetree has one. */
  readonly vmMsis: boolean;
  /** Most stage-2 page tables of all VMs beyond the platform's, if that is bounded. */
  readonly pageTables?: number;
  /** Stop at the first call or access that no rule covers. */
  readonly strict: boolean;
  /** Check after every operation that what must hold does. */
  readonly check: boolean;
}

/** The default behavior of a machine. */
export const DEFAULT_BEHAVIOUR: Behaviour = {
  capIds: "plain",
  quirks: "fixed",
  hypervisorNode: "platform",
  auth: AUTH_NAMES,
  idleWatchdog: "accept",
  abi: "recorded",
  ipaBits: 36,
  parcels: 64,
  parcelsHeld: 0,
  reservedMemory: "any",
  sizeMax: "private",
  lowMemory: 0,
  pvTime: false,
  geniezone: false,
  msi: "none",
  vmMsis: false,
  strict: false,
  check: false,
};
