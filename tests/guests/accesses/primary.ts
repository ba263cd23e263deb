// The bare-metal guest of accesses.ts as the primary VM.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { GICD_BASE, GICR_BASE, PL011_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { type Behaviour, type BootPlan, PRIMARY_CONSOLE, type SessionPlan } from "../../../src/model/plans/plan.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { hashesOf, runTo } from "../../session/snapshots/systems.ts";
import { type GuestPlatform, reported, type Step, withSteps } from "./accesses.ts";

export const PRIMARY_PLATFORM: GuestPlatform = { uart: PL011_BASE, gicd: GICD_BASE, gicr: GICR_BASE };

/** The guest with its steps, on a platform with what `boot` adds. */
export function primaryPlan(
  program: Uint8Array,
  steps: readonly Step[],
  boot: Partial<BootPlan> = {},
  behaviour: Partial<Behaviour> = {},
): SessionPlan {
  const image = withSteps(program, PRIMARY_PLATFORM, steps);
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined, ...boot } as const;
  const common = { cpus: 1, memory: 64 * MiB, turbo: true, seed: 1 };
  return { ...common, behaviour: { check: true, ...behaviour }, what };
}

/** Runs to the machine's end; the primary's output. */
export function finish(system: ReturnType<typeof assemble>): string {
  let text = "";
  while (!system.ended()) {
    const result = system.machine.run(Infinity, 1_000);
    for (const { console, bytes } of system.consoles.drain()) if (console === PRIMARY_CONSOLE) text += new TextDecoder().decode(bytes);
    if (result.kind === "idle") system.machine.skipTo(result.next);
  }
  return text;
}

/** Values that the guest reports of its loads and interrupts. */
export const valuesOf = (text: string) => [...reported(text).values()].map(([value]) => Number(value));

/** Copies of a run that are saved and loaded on the way end as `whole` did. */
export function checkSaves(make: () => ReturnType<typeof assemble>, plan: SessionPlan, whole: ReturnType<typeof assemble>): void {
  const end = whole.instructions(), last = hashesOf(whole), system = make();
  for (const part of [0.1, 0.3, 0.5, 0.6, 0.9]) {
    runTo(system, Math.floor(end * part));
    const copy = assembleEmpty(plan);
    copy.load(system.save(), true);
    assert.equal(hashesOf(copy), hashesOf(system));
    finish(copy);
    assert.equal(hashesOf(copy), last, `saved after ${part} of its instructions`);
  }
}
