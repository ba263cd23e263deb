// State of VMs in the driver of /dev/gzvm and its EL2: plain data (docs/spec/geniezone.md §3 to
// §6).

import type { Pinned } from "../kernel/memory.ts";

/** A memory slot. Addresses are 64 bits wide; its pages are pinned from the call on. */
export interface Slot {
  readonly slot: number;
  /** Purposes: guest memory 1, firmware 2, static swiotlb 4. */
  readonly flags: number;
  readonly guestAddress: bigint;
  readonly size: bigint;
  readonly userAddress: bigint;
  readonly pinned: Pinned;
}

export interface GzvmIrqfd {
  readonly file: number;
  readonly eventfd: number;
  readonly gsi: number;
  readonly resample: { readonly file: number; readonly eventfd: number } | undefined;
}

export interface GzvmVm {
  readonly id: number;
  /** Id that EL2 gave it: 16 bits. */
  readonly el2Id: number;
  /** Id of its VM in the VM manager. */
  readonly gunyahVm: number;
  /** Memory object that holds the configuration, and its guest address. */
  config: { readonly object: number; readonly base: number } | undefined;
  slots: Slot[];
  /** The VM manager's vCPU by vCPU number. */
  vcpus: Record<number, number>;
  /**
   * Registers of the boot vCPU before the first RUN: index of the core register file (units of 4
   * bytes) and value.
   */
  registers: Record<number, bigint>;
  devices: Record<number, number>;
  irqfds: GzvmIrqfd[];
  protected: boolean;
  firmwareAddress: bigint | undefined;
  devicetree: { readonly address: bigint; readonly size: bigint } | undefined;
  started: boolean;
  /**
   * RUNs that wait for the first one to have started the VM: task and user address of the run
   * structure.
   */
  starting: { readonly task: number; readonly vcpu: number }[];
}

/** All of the driver. */
export interface GzvmState {
  vms: Record<number, GzvmVm>;
  /** VM of each of the VM manager's VMs. */
  ofGunyahVm: Record<number, number>;
  /** User address of the run structure of each RUN in progress. */
  runs: Record<number, bigint>;
  /** Number of calls to EL2 by name: for display and tests. */
  calls: Record<string, number>;
}

/** The state of an unused driver. */
export function newGzvmState(): GzvmState {
  return { vms: {}, ofGunyahVm: {}, runs: {}, calls: {} };
}
