// A session's plan: all bytes and choices that make a machine, resolved from command line and configuration before the machine starts.
// It is plain data, so that it can be posted to the worker, recorded and compared.

import type { Tier } from "../core/tiers.ts";
import type { NativeHostPlan } from "../host/plan.ts";

export { type Tier, TIERS } from "../core/tiers.ts";

/** Name of the primary VM, and of its console. */
export const PRIMARY_CONSOLE = "host";

/** `el2 boot`: an image is the primary VM. */
export interface BootPlan {
  readonly kind: "boot";
  /** arm64 Linux Image or ELF. */
  readonly image: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  /** A devicetree to use instead of the generated one. */
  readonly dtb: Uint8Array | undefined;
  /** Kernel command line. */
  readonly append: string | undefined;
}

/** `el2 run`: VMs under the native host. */
export interface RunPlan {
  readonly kind: "run";
  readonly host: NativeHostPlan;
}

/** What makes a machine. */
export interface SessionPlan {
  /** Physical CPUs, 1..8. */
  readonly cpus: number;
  /** Bytes of guest RAM: the primary's for `boot`, all guests together for `run`. */
  readonly memory: number;
  /** Skip idle time. */
  readonly turbo: boolean;
  /** What executes instructions; the interpreter where nothing is said. Guests see no difference. */
  readonly tier?: Tier;
  /** Seed of all guest-visible randomness. */
  readonly seed: number;
  /** End after this much virtual time (ns). */
  readonly duration: number | undefined;
  /** Instruction counts at which a state hash is wanted, ascending. */
  readonly hashAt: readonly number[];
  /** Name of the VM that a debugger has: the machine stops before its first instruction. */
  readonly debug?: string;
  readonly what: BootPlan | RunPlan;
}

/** A plan that cannot become a machine: the user's to mend. */
export class PlanError extends Error {}
