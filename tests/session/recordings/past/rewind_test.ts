// Steps back of a debugger: they lead to the places that steps forward show.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../../src/session/assembly/system/guest-system.ts";
import { DEBUG_REGISTERS } from "../../../../src/machine/hypervisor/debug/debug-access.ts";
import { planCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { oneVm } from "../../../../src/model/queries/debugged-vms.ts";
import type { Milestone } from "../../../../src/session/recordings/past/history.ts";
import { Past } from "../../../../src/session/recordings/past/past.ts";
import { wayBack } from "../../../../src/session/recordings/past/rewind.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import { imageOf } from "../../../app/cli/program.ts";
import { bootPlan, demoPlan, hashesOf, runTo } from "../../snapshots/systems.ts";

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

/**
 * Sets SCTLR_EL1.EnIA and a key; then it signs a pointer (FEAT_PAuth), stores it and checks it,
 * again and again: mov, pacia, str, autia, ldr, add, b.
 */
const SIGNED = [0xd2a8_0609, 0xd538_1000, 0xb261_0000, 0xd518_1000, 0xd518_2109, 0xd503_3fdf].concat(
  [0xaa09_03e4, 0xdac1_00a4, 0xf900_0124, 0xdac1_10a4, 0xf940_0126, 0x9100_04a5, 0x17ff_fffa],
);
/**
 * Instructions before the loop: the image's branch over its header, and the beginning; those of the
 * loop, and of them up to the check.
 */
const BEFORE_LOOP = 1 + 6, LOOP = 7, CHECKED = 4, ROUNDS = 20;

Deno.test("steps back over a signature of a pointer and its check show the states before them", async () => {
  const what = { kind: "boot", image: imageOf(SIGNED), initrd: undefined, dtb: undefined, append: undefined } as const;
  const plan = await bootPlan({ cpu: planCpu("max"), what, memory: 64 << 20 }), vms = oneVm("host");
  const rerun = { milestone: () => undefined, mayBeWritten: () => true, pastAt: () => new Past(assemble(plan), []) };
  const start = BEFORE_LOOP + ROUNDS * LOOP, forward = assemble(plan) as GuestSystem, hashes: string[] = [];
  const register = (system: GuestSystem, index: number) => system.symbols.vcpus("host")[0].registers.getX(index);
  for (let at = start; at <= start + CHECKED; at++) {
    runTo(forward, at);
    hashes.push(hashesOf(forward));
  }
  const signed = register(forward, 6), plain = register(forward, 4);
  assert.notEqual(signed, plain);

  let system = assemble(plan) as GuestSystem;
  runTo(system, start + CHECKED);
  for (let at = start + CHECKED - 1; at >= start; at--) {
    const control = system.debugger.give(vms, false);
    const way = wayBack({ rerun, instructions: system.instructions(), vms, control }, 0);
    let stop;
    while (!stop) stop = way.advance(1000);
    assert.equal(stop.cause, "step");
    system = way.past.system as GuestSystem;
    assert.equal(hashesOf(system), hashes[at - start], `${at - start} instructions of the loop`);
  }

  // By the masks, a debugger finds the pointer.
  const [vcpu] = system.symbols.vcpus("host"), mask = DEBUG_REGISTERS.find(({ name }) => name === "PAUTH_CMASK")!.read(vcpu);
  assert.notEqual(mask, 0n);
  assert.equal(signed & ~mask, plain);
});
