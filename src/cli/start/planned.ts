// Plans for arguments of users: a configuration, an image, a guest of the catalog.

import { Failure } from "../common/failure.ts";
import { DISK_GUEST_MEMORY, diskGuestBoot } from "../../catalog/boot.ts";
import { planRun, type RunResult } from "../../configuration/plan-run.ts";
import { phoneBehaviour, type PhoneName } from "../../configuration/phones.ts";
import { DEFAULT_UI, type FileUi } from "../../configuration/schema.ts";
import { DEFAULT_BEHAVIOUR, type DevicePlan, type SessionPlan } from "../../plans/plan.ts";

/**
 * The plan for an argument of `el2 up`, as for `run`. Nothing is written yet.
 * @throws Failure with all errors
 */
export async function plannedOf(what: string, phone?: PhoneName): Promise<Planned> {
  return await diskGuest(what, { phone }) ?? checked(await planRun(what, phoneChange(phone)));
}

/** A phone's profile as a change of a configuration. */
export function phoneChange(phone: PhoneName | undefined): string[] {
  return phone === undefined ? [] : [`machine.phone=${phone}`];
}

/** The options of `el2 run` for a guest with a disk. */
interface DiskGuestOptions {
  readonly set?: readonly string[];
  /** Devices after the disk, and the first option that asks for them. */
  readonly more?: { readonly devices: readonly DevicePlan[]; readonly option: string };
  readonly phone?: PhoneName;
}

/**
 * A Debian with a disk, which is the primary VM. Undefined if `what` names none that is in the
 * cache.
 */
export async function diskGuest(what: string, { set = [], more, phone }: DiskGuestOptions): Promise<Planned | undefined> {
  const boot = await diskGuestBoot(what, { more: more?.devices });
  if (!boot) {
    if (!more) return undefined;
    throw new Failure(`${more.option}: ${what} is not a guest with a disk in the cache; make one with el2 guests fetch debian --disk`);
  }
  if (set.length > 0) throw new Failure(`--set ${set[0]}: ${what} has no configuration; use the options of el2 boot ${what}`);
  const machine = { cpus: 1, memory: DISK_GUEST_MEMORY, turbo: false, seed: 1 };
  const behaviour = phone && { behaviour: { ...DEFAULT_BEHAVIOUR, ...phoneBehaviour(phone) } };
  return { plan: { ...machine, ...behaviour, what: boot }, ui: DEFAULT_UI, record: undefined };
}

/**
 * The plan of a configuration; on a terminal its errors are shown on a screen while the user mends
 * them.
 */
export async function mended(what: string, changes: readonly string[]): Promise<Planned> {
  const first = await planRun(what, changes);
  if (first.ok || !what.endsWith(".toml") || !Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return checked(first);
  const { showConfigErrors } = await import("./screens.ts");
  const right = await showConfigErrors(what, async () => {
    const result = await planRun(what, changes);
    return result.ok ? [] : result.errors;
  });
  if (!right) throw new Failure(first.errors.join("\n     "));
  return checked(await planRun(what, changes));
}

/** A machine, and its configuration's settings of the screens and of a recording. */
export interface Planned {
  readonly plan: SessionPlan;
  readonly ui: FileUi;
  /** File that the run is to be recorded to, by `recorded` once the plan is complete. */
  readonly record: string | undefined;
}

export function checked(result: RunResult): Planned {
  if (!result.ok) throw new Failure(result.errors.join("\n     "));
  const { ui, recordTo: record, ...plan } = result.run;
  return { plan, ui, record };
}
