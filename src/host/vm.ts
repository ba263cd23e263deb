// One VM as the VM manager keeps it: where its memory is in the host, what the resource manager knows it as, and how far it has come.

import type { VmExitReason, VmState } from "./events.ts";
import type { VmPlan } from "./plan.ts";
import type { VmConsole } from "./vm-console.ts";

/**
 * A request to the resource manager in the life of a VM, in the order in which they are made
 * (spec/resource-manager.md sections 4.5 and 4.6): those up to `resources` create it, `firmware` only where it is protected, `start` starts
 * it, the last three give everything back.
 */
export type Step =
  | "allocate"
  | "lend"
  | "configure"
  | "firmware"
  | "init"
  | "resources"
  | "start"
  | "stop"
  | "reset"
  | "reclaim"
  | "deallocate";

/** What changes in a VM's life: plain data. */
export interface VmRecordState {
  state: VmState;
  /** The request whose reply is awaited. */
  step: Step | undefined;
  /** 0 before it has one. */
  vmid: number;
  /** Handle of the parcel that is its memory. */
  parcel: number | undefined;
  /** VM_RESET was accepted; the notification that it is complete is awaited. */
  resetting: boolean;
  /** How it ended last. */
  exit: VmExitReason | undefined;
  /** Accesses to no device that were reported; the first few are. */
  reported: number;
}

/** A VM of the plan. */
export interface VmRecord extends VmRecordState {
  readonly plan: VmPlan;
  /** Its memory in the host, IPA. */
  readonly memory: number;
  readonly console: VmConsole | undefined;
}

/** Takes the plain data out of a record. */
export function saveVm({ state, step, vmid, parcel, resetting, exit, reported }: VmRecord): VmRecordState {
  return { state, step, vmid, parcel, resetting, exit, reported };
}

/** The state of a VM of which nothing exists yet. */
export function newVmState(): VmRecordState {
  return { state: "creating", step: undefined, vmid: 0, parcel: undefined, resetting: false, exit: undefined, reported: 0 };
}
