// Events from the native host to its session, as plain data that can cross a worker: console bytes,
// states of VMs, failures. States follow the Resource Manager's VM states
// (docs/spec/resource-manager.md §4.1) as the owner of the VMs sees them.

import { ExitType } from "../../abi/rpc/messages/vm.ts";

/**
 * Life of a VM of the native host.
 *
 * - `creating`: VMID, memory and objects are being made (LOAD, INIT);
 * - `ready`: created, not started (READY);
 * - `running`: its vCPUs are scheduled (RUNNING);
 * - `exited`: it ended and is being torn down (EXITED, RESETTING);
 * - `stopped`: torn down, its memory is the host's again;
 * - `failed`: a step was refused, or its VMM gave it up as it ran; an `error` event said which one,
 *   or why.
 */
export const VM_PHASES = ["creating", "ready", "running", "exited", "stopped", "failed"] as const;
export type VmPhase = typeof VM_PHASES[number];

/** Why a VM exited: the exit types of VM_EXITED (docs/spec/resource-manager.md §4.3). */
export const VM_EXIT_REASONS = [
  "exit",
  "system-off",
  "system-reset",
  "system-reset2",
  "watchdog",
  "fault",
  "hardware-error",
  "forced",
  "unknown",
] as const;

/** One of `VM_EXIT_REASONS`. */
export type VmExitReason = typeof VM_EXIT_REASONS[number];

const EXIT_REASONS: Readonly<Record<number, VmExitReason>> = {
  [ExitType.VmExit]: "exit",
  [ExitType.PlatformOff]: "system-off",
  [ExitType.PlatformReset]: "system-reset",
  [ExitType.PsciSystemReset2]: "system-reset2",
  [ExitType.WatchdogBite]: "watchdog",
  [ExitType.SoftwareError]: "fault",
  [ExitType.AsyncHwError]: "hardware-error",
  [ExitType.VmStopForced]: "forced",
};

/** Why a VM exited, by the exit type of VM_EXITED. */
export function exitReason(type: number): VmExitReason {
  return EXIT_REASONS[type] ?? "unknown";
}

/**
 * One thing that happened in the native host. `at` is virtual time in ns; `vm` is the name in the
 * configuration.
 */
export type HostEvent =
  | { readonly kind: "console"; readonly at: number; readonly vm: string; readonly bytes: Uint8Array }
  /** A guest has cleared its console's receive interrupts, and characters are left. */
  | { readonly kind: "cleared"; readonly at: number; readonly vm: string }
  | {
    readonly kind: "state";
    readonly at: number;
    readonly vm: string;
    readonly vmid: number;
    readonly state: VmPhase;
    readonly exit?: VmExitReason;
  }
  | { readonly kind: "error"; readonly at: number; readonly vm?: string; readonly message: string }
  /** An exception in el2 itself in a device (`dev:VM/blk0`), which is out of order from now on. */
  | { readonly kind: "bug"; readonly at: number; readonly device: string; readonly error: unknown }
  /**
   * No VM is left that will ever run again. `crashed` names those that did not shut themselves
   * down.
   */
  | { readonly kind: "finished"; readonly at: number; readonly crashed: readonly string[] };

/** Receives each event at once, in order. It must not call back into the host. */
export type HostEvents = (event: HostEvent) => void;

/**
 * Exits that a guest chose: PSCI SYSTEM_OFF, VM_EXIT, or the stop that its owner asked for.
 * Everything else counts as a crash.
 */
export function endedByOwnWill(exit: VmExitReason): boolean {
  return exit === "exit" || exit === "system-off" || exit === "forced";
}
