// Prepared states: machines of one plan that begin where the first of them had come to a prompt,
// one after the other. The state stays in this thread, and may come from a file of an earlier
// process; each machine takes the memory of the one before, of which only the pages that differ are
// written again.

import { encodePlain } from "../../machine/hardware/plain.ts";
import { node } from "../../kit/support/node-modules.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { unlessUnusable } from "../../kit/support/files/unusable.ts";
import { bare, type SessionPlan } from "../../model/plans/plan.ts";
import { assembleEmpty } from "../assembly/assemble.ts";
import type { GuestSystem } from "../assembly/system/guest-system.ts";
import type { LeftMemory } from "../assembly/system/system.ts";
import { UnsavableError } from "../state/parts.ts";
import type { SnapshotFile } from "./file.ts";
import { type ConsoleBytes, readPrompt, unlessDamaged, writePrompt } from "./prompt-file.ts";
import { withDigests, withoutTable } from "./instant.ts";
import { snapshotOf } from "./save.ts";

/** States that are kept: each has the RAM that its guests use. */
const KEPT = 2;

/** A machine in a prepared state. */
export interface PreparedMachine {
  readonly system: GuestSystem;
  /** All that its consoles had shown. */
  readonly shown: readonly ConsoleBytes[];
}

/** A state of a machine, and all that its consoles had shown. */
interface Prepared {
  readonly snapshot: SnapshotFile;
  readonly shown: readonly ConsoleBytes[];
}

/** The states of a thread. */
export class PreparedStates {
  /** The newest last. */
  #kept: { readonly key: string; readonly prepared: Prepared }[] = [];
  /** Memory for the next machine. */
  #left: { readonly key: string; readonly memory: LeftMemory } | undefined;

  /**
   * The key of a plan: a digest of all that its machine is made of. Versions of el2 do not meet in
   * one thread.
   */
  async keyOf(plan: SessionPlan): Promise<string> {
    return await digestOf({ ...bare(plan), inject: plan.inject });
  }

  /**
   * The key of a state that belongs in a file, without a look at the files of its plan.
   * @param path a digest of what its machine is made of, but for this
   * @param made plain data
   */
  async keyOfFile(path: string, made: unknown): Promise<string> {
    return await digestOf({ path, made });
  }

  /** A machine in the state of this key. */
  begin(key: string, plan: SessionPlan): PreparedMachine | undefined {
    const prepared = this.#kept.find((one) => one.key === key)?.prepared;
    const left = this.#left?.key === key ? this.#left.memory : undefined;
    this.#left = undefined;
    if (!prepared) return undefined;
    const system = assembleEmpty(plan, false, left), { snapshot: { state, memory }, shown } = prepared;
    system.load(state, true);
    system.recall(memory);
    system.core.forgetWritten();
    // A state shows the ends of its consoles again.
    system.consoles.drain();
    return { system, shown };
  }

  /** Keeps the state of a machine, which is between two turns. Returns why it cannot. */
  keep(key: string, system: GuestSystem, plan: SessionPlan, shown: readonly ConsoleBytes[]): Problem | undefined {
    try {
      this.#add(key, { snapshot: snapshotOf(system, withoutTable(plan), "prompt", system.keep()), shown });
      system.core.forgetWritten();
      return undefined;
    } catch (error) {
      if (!(error instanceof UnsavableError)) throw error;
      return error.problem;
    }
  }

  #add(key: string, prepared: Prepared): void {
    this.#kept = [...this.#kept.slice(1 - KEPT), { key, prepared }];
  }

  /** Adds the state of a file, unless there is one, or the file is damaged. */
  read(key: string, path: string, bytes: Uint8Array): void {
    if (this.#kept.some((one) => one.key === key)) return;
    unlessDamaged(() => {
      const { snapshot, shown } = readPrompt(path, bytes);
      this.#add(key, { snapshot: snapshot(), shown });
    });
  }

  /** Writes the state of this key, which a machine has left, with what it was made of. */
  write(key: string, path: string, made: unknown): void {
    const prepared = this.#kept.find((one) => one.key === key)?.prepared;
    if (!prepared) return;
    const { snapshot, shown } = prepared;
    unlessUnusable("the state of a prompt is not kept", () => writePrompt(path, { made, shown }, snapshot));
  }

  /** Takes the memory of a machine that began with a state, or left it, and is no longer used. */
  leave(key: string, system: GuestSystem): void {
    const pages = this.#kept.find((one) => one.key === key)?.prepared.snapshot.state.pages;
    const memory = pages && system.leave(pages);
    this.#left = memory && { key, memory };
  }
}

async function digestOf(value: unknown): Promise<string> {
  return node.crypto.createHash("sha256").update(encodePlain(await withDigests(value))).digest("hex");
}
