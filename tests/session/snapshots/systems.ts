// Systems to save: plans of small machines, and how far a machine runs.

import assert from "node:assert/strict";
import { planDemo } from "../../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { Page, PageMap } from "../../../src/session/state/page-map.ts";
import type { SystemState } from "../../../src/session/state/system-state.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { withTable } from "../../support/plan-tables.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";

const HELLO = new URL("../../../assets/guests/hello.bin", import.meta.url);

/** The demo: three VMs under the native host. */
export async function demoPlan(options: Partial<SessionPlan> = {}): Promise<SessionPlan> {
  const result = await planDemo();
  assert.ok(result.ok);
  const { cpus, memory, seed, what, table } = result.run;
  return withTable({ cpus, memory, seed, turbo: true, what, table, ...options });
}

/** A bare-metal program as the primary VM. */
export async function bootPlan(options: Partial<SessionPlan> = {}): Promise<SessionPlan> {
  const what = { kind: "boot", image: await Deno.readFile(HELLO), initrd: undefined, dtb: undefined, append: undefined } as const;
  return withTable({ cpus: 1, memory: 8 << 20, seed: 7, turbo: true, what, ...options });
}

/**
 * Runs a machine until its guests have retired exactly this many instructions, in the middle of a
 * turn or not.
 */
export function runTo(system: System, instructions: number): void {
  system.stopAt(instructions);
  while (system.instructions() < instructions) {
    const result = system.machine.run(Infinity, 64);
    system.consoles.drain();
    system.events.drain();
    assert.notEqual(result.kind, "stopped");
    if (result.kind !== "idle") continue;
    assert.notEqual(result.next, Infinity);
    system.machine.skipTo(result.next);
  }
  system.stopAt(Infinity);
}

/** A state with `count` separate pages, and nothing else. */
export function ofPages(count: number): SystemState {
  return {
    fields: new Uint8Array(0),
    pages: PageMap.EMPTY.with(Array.from({ length: count }, (_, page) => [page, new Page(new Uint8Array(PAGE_SIZE))] as const)),
  };
}

/** All that two machines in the same state have in common. */
export function hashesOf(system: System): string {
  const { boundary, time, settled } = system.machine;
  return [system.instructions(), boundary, settled, time, system.hashes.registers(), system.hashes.memory()].join(" ");
}
