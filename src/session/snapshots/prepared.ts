// Prepared states: machines of one plan that begin where the first of them had come to a prompt,
// one after the other. The state stays in this thread, and each machine takes the memory of the one
// before, of which only the pages that differ are written again.

import { encodePlain } from "../../machine/hardware/plain.ts";
import { node } from "../../kit/support/node-modules.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { bare, type SessionPlan } from "../../model/plans/plan.ts";
import { assembleEmpty } from "../assembly/assemble.ts";
import type { GuestSystem } from "../assembly/system/guest-system.ts";
import type { LeftMemory, RunMemory } from "../assembly/system/system.ts";
import type { SystemState } from "../state/system-state.ts";
import { UnsavableError } from "../state/parts.ts";
import { withDigests } from "./instant.ts";

/** States that are kept: each has the RAM that its guests use. */
const KEPT = 2;

/** Bytes that a console has shown. */
export interface ConsoleBytes {
  readonly console: string;
  readonly bytes: Uint8Array;
}

/** A machine in a prepared state. */
export interface PreparedMachine {
  readonly system: GuestSystem;
  /** All that its consoles had shown. */
  readonly shown: readonly ConsoleBytes[];
}

interface Prepared {
  readonly key: string;
  readonly state: SystemState;
  readonly memory: RunMemory;
  /** All that consoles had shown. */
  readonly shown: readonly ConsoleBytes[];
}

/** The states of a thread. */
export class PreparedStates {
  /** The newest last. */
  #kept: Prepared[] = [];
  /** Memory for the next machine. */
  #left: { readonly key: string; readonly memory: LeftMemory } | undefined;

  /**
   * The key of a plan: a digest of all that its machine is made of. Versions of el2 do not meet in
   * one thread.
   */
  async keyOf(plan: SessionPlan): Promise<string> {
    const wanted = await withDigests({ ...bare(plan), inject: plan.inject });
    return node.crypto.createHash("sha256").update(encodePlain(wanted)).digest("hex");
  }

  /** A machine in the state of this key. */
  begin(key: string, plan: SessionPlan): PreparedMachine | undefined {
    const prepared = this.#kept.find((one) => one.key === key);
    const left = this.#left?.key === key ? this.#left.memory : undefined;
    this.#left = undefined;
    if (!prepared) return undefined;
    const system = assembleEmpty(plan, false, left);
    system.load(prepared.state, true);
    system.recall(prepared.memory);
    system.core.forgetWritten();
    // A state shows the ends of its consoles again.
    system.consoles.drain();
    return { system, shown: prepared.shown };
  }

  /** Keeps the state of a machine, which is between two turns. Returns why it cannot. */
  keep(key: string, system: GuestSystem, shown: readonly ConsoleBytes[]): Problem | undefined {
    try {
      const prepared = { key, state: system.keep(), memory: system.remember(), shown };
      system.core.forgetWritten();
      this.#kept = [...this.#kept.slice(1 - KEPT), prepared];
      return undefined;
    } catch (error) {
      if (!(error instanceof UnsavableError)) throw error;
      return error.problem;
    }
  }

  /** Takes the memory of a machine that began with a state, or left it, and is no longer used. */
  leave(key: string, system: GuestSystem): void {
    const pages = this.#kept.find((one) => one.key === key)?.state.pages;
    const memory = pages && system.leave(pages);
    this.#left = memory && { key, memory };
  }
}
