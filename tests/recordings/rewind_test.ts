// Steps back of a debugger: they lead to the places that steps forward show.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import type { GuestSystem } from "../../src/assembly/system/guest-system.ts";
import { oneVm } from "../../src/queries/debugged-vms.ts";
import type { Milestone } from "../../src/recordings/history.ts";
import { Past } from "../../src/recordings/past.ts";
import { wayBack } from "../../src/recordings/rewind.ts";
import { loaded } from "../../src/snapshots/begin.ts";
import { demoPlan, runTo } from "../snapshots/systems.ts";

const VM = "ping";
/** Instructions of all VMs after which the demo's VMs talk to each other. */
const TALKING = 40_000, TURNS = 400;

const ownOf = (system: GuestSystem) => system.symbols.vcpus(VM)[0]?.usage.instructions ?? 0;

Deno.test("a step back leads to where the instruction had just been retired, also from a kept state after that", async () => {
  const plan = await demoPlan(), present = assemble(plan) as GuestSystem;
  runTo(present, TALKING);
  // A state in which others have run since the vCPU's last instruction.
  let kept: { own: number; instructions: number; state: ReturnType<GuestSystem["save"]> } | undefined;
  let before = { own: ownOf(present), instructions: present.instructions() };
  const start = before.instructions;
  for (let turn = 0; turn < TURNS && !kept; turn++) {
    runTo(present, present.instructions() + 25);
    const here = { own: ownOf(present), instructions: present.instructions() };
    if (before.own > 0 && here.own === before.own && here.instructions > before.instructions) kept = { ...here, state: present.save() };
    before = here;
  }
  assert.ok(kept, "others run while the vCPU waits");
  while (ownOf(present) === kept.own) runTo(present, present.instructions() + 1);
  assert.equal(ownOf(present), kept.own + 1);

  const forward = assemble(plan) as GuestSystem;
  runTo(forward, start);
  while (ownOf(forward) < kept.own) runTo(forward, forward.instructions() + 1);
  assert.ok(forward.instructions() < kept.instructions);

  const { instructions, state } = kept;
  const milestone: Milestone = { at: present.machine.boundary, instructions, moment: instructions, inputs: 0, state };
  const rerun = {
    milestone: (moment: unknown) => typeof moment === "number" && moment > instructions ? milestone : undefined,
    mayBeWritten: () => true,
    pastAt: (from: Milestone | undefined) => new Past(from ? loaded(plan, from.state) : assemble(plan), []),
  };
  const vms = oneVm(VM), control = present.debugger.give(vms, false);
  const way = wayBack({ rerun, instructions: present.instructions(), vms, control }, 0);
  let stop;
  while (!stop) stop = way.advance(1000);
  assert.equal(stop.cause, "step");
  assert.equal(way.past.system.instructions(), forward.instructions());
  assert.equal(stop.pc, forward.symbols.vcpus(VM)[0].registers.pc);
  assert.equal(way.past.system.hashes.memory(), forward.hashes.memory());
});
