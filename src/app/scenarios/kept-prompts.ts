// States of machines at their prompts, which the cache keeps for scenarios of later processes. A
// state is found by all that its machine was made of, except the files of overlays that the guest
// can still get at its prompt. The machine is planned with the files of then, and those that have
// changed since are delivered to it.

import * as v from "valibot";
import type { CpioEntry } from "../../kit/formats/cpio.ts";
import { NoCacheFolder } from "../../kit/support/files/cache.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import { instantPath } from "../../session/snapshots/instant.ts";
import { foundPrompt } from "../../session/snapshots/prompt-file.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import type { Ramdisk } from "./scenario-root.ts";

/** The name of a ramdisk that is made for a scenario, in its table. */
export const RAMDISK = "root and overlay";
/** Seconds after which the clock of a state is wrong for tests. */
const AGE_MAX = 86_400;

const permissions = v.number(), path = v.string();
const LATE = v.variant("kind", [
  v.strictObject({ kind: v.literal("folder"), path, permissions }),
  v.strictObject({ kind: v.literal("file"), path, permissions, data: v.instance(Uint8Array) }),
  v.strictObject({ kind: v.literal("link"), path, target: v.string() }),
  v.strictObject({ kind: v.literal("device"), path, permissions, major: v.number(), minor: v.number() }),
]);
const MADE_OF = v.strictObject({ late: v.array(LATE), clock: v.optional(v.number()) });

/** The material of a kept state, except that of which the name of its file is a digest. */
interface MadeOf {
  readonly late: readonly CpioEntry[];
  /** Of the machine's start, seconds since 1970. */
  readonly clock?: number | undefined;
}

/** A state in the cache, or its place. */
export interface KeptPrompt {
  readonly path: string;
  readonly made: MadeOf;
  /** The file's content, unless the state is in the memory of the machines' thread. */
  readonly bytes?: Uint8Array;
}

/** A machine that begins at its prompt. */
export interface PreparedPlan {
  readonly plan: SessionPlan;
  /** Its state in the cache, for later processes, too. */
  readonly kept?: KeptPrompt;
  /** The change of the files of the guest, at its prompt. */
  readonly delivery?: Delivery | undefined;
}

/** The plan with its clock, if that shows the computer's time. */
export function withClock(plan: SessionPlan, clock: number | undefined): SessionPlan {
  const { what } = plan;
  return what.kind === "boot" && what.startsNow ? { ...plan, what: { ...what, clock } } : plan;
}

/** The states that this process may begin with. */
export class KeptPrompts {
  /** Those that the thread of the machines has in its memory. */
  readonly #inMemory = new Map<string, MadeOf>();
  /** Those whose guests took no files. */
  readonly #unusable = new Set<string>();

  /** The plan of a machine that begins with a kept state, if there is one. */
  async plan(plan: SessionPlan, ramdisk: Ramdisk | undefined): Promise<PreparedPlan> {
    const path = await unlessNoCache(() => instantPath(withRamdisk(plan, ramdisk?.with([])), "prompt"));
    if (path === undefined) return { plan };
    const clock = plan.what.kind === "boot" ? plan.what.clock : undefined, late = ramdisk?.late ?? [];
    const found = this.#found(path, clock), delivery = found && deliveryOf(found.made.late, late);
    if (!found || delivery === "large") return { plan, kept: { path, made: { late, clock } } };
    return { plan: withClock(withRamdisk(plan, ramdisk?.with(found.made.late)), found.made.clock), kept: found, delivery };
  }

  /** A scenario has left this state in the memory of its thread. */
  left({ path, made }: KeptPrompt): void {
    this.#inMemory.set(path, made);
    this.#unusable.delete(path);
  }

  /** A guest in this state took no files: the next one starts from the beginning. */
  refuse({ path }: KeptPrompt): void {
    this.#inMemory.delete(path);
    this.#unusable.add(path);
  }

  #found(path: string, clock: number | undefined): KeptPrompt | undefined {
    if (this.#unusable.has(path)) return undefined;
    const inMemory = this.#inMemory.get(path);
    if (inMemory) return { path, made: inMemory };
    const found = foundPrompt<MadeOf>(path, MADE_OF), started = found?.made.clock;
    const isOld = started !== undefined && clock !== undefined && Math.abs(clock - started) > AGE_MAX;
    return found && !isOld ? { path, ...found } : undefined;
  }
}

async function unlessNoCache<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof NoCacheFolder)) throw error;
    return undefined;
  }
}

/** The same plan with another ramdisk, which is the scenario's. */
function withRamdisk(plan: SessionPlan, initrd: Uint8Array | undefined): SessionPlan {
  const { what, table } = plan;
  if (initrd === undefined || what.kind !== "boot") return plan;
  return { ...plan, what: { ...what, initrd }, ...table && { table: { ...table, files: { ...table.files, [RAMDISK]: initrd } } } };
}
