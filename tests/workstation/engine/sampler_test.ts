import assert from "node:assert/strict";
import type { Past } from "../../../src/workstation/record/past.ts";
import { Sampler } from "../../../src/workstation/engine/sampler.ts";
import { Shown } from "../../../src/workstation/engine/shown.ts";
import type { MachineSample } from "../../../src/workstation/protocol.ts";
import type { System } from "../../../src/workstation/system.ts";

/** A machine that stands still, and the times over which its loads are asked for. */
function still(time: number, instructions: number): { readonly system: System; readonly elapsed: number[] } {
  const elapsed: number[] = [];
  const system = {
    machine: { time, cpus: [{}] },
    core: {},
    inspector: { renew: () => {} },
    instructions: () => instructions,
    sample: (since: number) => {
      elapsed.push(since);
      return [];
    },
  } as unknown as System;
  return { system, elapsed };
}

Deno.test("rates are of one machine: another place of the run, and a session that begins with a state, has none in its first sample", () => {
  const present = still(9e9, 5_000_000_000), past = still(1e9, 1_000_000);
  const shown = new Shown(present.system);
  const samples: MachineSample[] = [];
  const sampler = new Sampler(shown, (event) => event.kind === "sample" && samples.push(event.sample));
  sampler.sample();
  shown.past = { system: past.system } as Past;
  sampler.sample();
  shown.past = undefined;
  sampler.sample();
  assert.deepEqual(samples.map(({ mips }) => mips), [0, 0, 0]);
  assert.deepEqual([present.elapsed, past.elapsed], [[0, 0], [0]]);
});
