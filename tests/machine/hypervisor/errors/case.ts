// A case of a refusal.

import type { ErrorName } from "../../../../src/machine/abi/hypercall-errors.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import type { Args, World } from "./world.ts";

/** The defect of a call that would succeed otherwise, and its recorded reason. */
export interface Case {
  readonly error: ErrorName;
  /** For the messages of tests; the rule unless given. */
  readonly what?: string;
  /** The recorded rule, word by word. */
  readonly rule: string;
  /** The section that the reason cites, where that is not the call's. */
  readonly section?: string;
  /**
   * The argument whose object the reason is about, or `any` object; the call's first capability
   * unless given.
   */
  readonly object?: string;
  /** The change that a refusal still makes: a failed activation is for good. */
  readonly fails?: string;
  /**
   * `change` leaves the recipe's objects alone, so that cases can have them one after the other.
   */
  readonly harmless?: boolean;
  /** How the hypervisor differs from the usual one. */
  readonly behaviour?: Partial<Behaviour>;
  /** Prepares the world. Gives the arguments that differ from the recipe's. */
  readonly change: (w: World, args: Args) => Args | void;
}
