// The content of TLBs is in a state: a guest that has changed its tables, and has not invalidated
// yet, continues from there as the run does.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { DebugCore } from "../../../src/cpu/core/interface.ts";
import { ArchiveError } from "../../../src/machine/hardware/archive.ts";
import { KeptState } from "../../../src/session/recordings/past/history.ts";
import { StateFile, writeStates } from "../../../src/session/recordings/past/state-file.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { readSnapshot, writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { verifySnapshot } from "../../../src/session/snapshots/verify.ts";
import type { SystemState } from "../../../src/session/state/system-state.ts";
import { assembledPlan, TIERS } from "../../diagnosis/assembled-guest.ts";
import { rows } from "../inspection/system.ts";
import { hashesOf, runTo } from "../snapshots/systems.ts";
import { Random } from "../../support/random.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { LONG } from "../../support/long.ts";

const CONFIGURATION = 'el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n';

/** Pages of data and of code, which the guest still uses when their descriptors have changed. */
const guest = (change: string) => `
  entry 3, 0, 0x80210f03
  entry 3, 1, 0x80211f03
  entry 3, 2, 0x80212f03
  mov64 x0, 0x80212000
  adr x1, code
  ldp w2, w3, [x1]
  stp w2, w3, [x0]
  mmu_on
  no_vectors
  mov64 x9, 0x80200000
  mov64 x10, 0x80201000
  mov64 x13, 0x80202000
  mov64 x20, 0x80180000
  mov x11, #7
  str x11, [x9]
  ldr x11, [x9]
  str x11, [x10]
  blr x13
  mov64 x0, 0x80103000
  mov64 x2, 0x400
  ${change}
  dsb ishst
1: ldr x11, [x9]
  add x12, x12, x11
  str x12, [x10]
  blr x13
  str x14, [x20]
  b 1b
code:
  add x14, x14, #1
  ret`;

/** The guest's stores to the descriptors at X0; X2 is the access flag. */
const CHANGES = {
  "clears their access flags": [0, 8, 16].map((at) => `ldr x4, [x0, #${at}]\n  bic x4, x4, x2\n  str x4, [x0, #${at}]`).join("\n  "),
  "takes them away": "str xzr, [x0]\n  str xzr, [x0, #8]\n  str xzr, [x0, #16]",
  "exchanges pages": "ldp x4, x5, [x0]\n  str x5, [x0]\n  str x4, [x0, #8]",
};

/** The VM, and addresses that it neither executes nor accesses; the last one is physical. */
const VMID = 3, NOWHERE = 0x8030_0000n, NOWHERE_PA = 0x4000_0000;

/** Looks at a machine, with which its guest must continue as without them. */
const LOOKS: Readonly<Record<string, (core: DebugCore, stage2: number) => void>> = {
  "observed": (core, stage2) => core.stops.observe(stage2, NOWHERE),
  "a watchpoint": (core, stage2) => core.stops.insertWatchpoint(stage2, NOWHERE, 8, "access"),
  "watched memory": (core) => core.stops.watchMemory({ pa: NOWHERE_PA, length: 8, kind: "access" }),
  "watched registers": (core) => core.stops.watchRegisters(["mdscr_el1"]),
};
/** Instructions up to the state, when the descriptors have changed, and after it. */
const BEFORE = 40_000, AFTER = 5000;

function loaded(plan: SessionPlan, state: SystemState): GuestSystem {
  const system = assembleEmpty(plan) as GuestSystem;
  system.load(state, false);
  return system;
}

/** Runs a machine whose guest may fail. */
function continued(system: System): void {
  system.stopAt(BEFORE + AFTER);
  while (system.instructions() < BEFORE + AFTER && system.machine.run(Infinity, 64).kind === "turns");
}

/** Machines in the state of one, by what has kept it. */
function* copies(folder: string, system: GuestSystem, plan: SessionPlan): Generator<readonly [string, GuestSystem]> {
  const snapshot = snapshotOf(system, plan, "x"), { state } = snapshot, kept = KeptState.of(state);
  yield ["memory", loaded(plan, kept)];
  for (const _ of writeSnapshot(`${folder}/x.snap`, snapshot));
  const read = readSnapshot(`${folder}/x.snap`);
  assert.equal(verifySnapshot(plan, read), undefined);
  yield ["a snapshot", loaded(plan, read.state)];
  const place = { at: system.machine.boundary, instructions: system.instructions(), moment: system.instructions(), inputs: 0, spent: 0 };
  for (const _ of writeStates(`${folder}/x.states`, [{ ...place, state: kept }]));
  using file = Deno.openSync(`${folder}/x.states`);
  yield ["a file of states", loaded(plan, new StateFile(`${folder}/x.states`, file).states[0].state)];
}

const evidence = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0].because;

const CASES = Object.entries(CHANGES).flatMap(([what, change]) => TIERS.map((tier) => ({ what, change, tier })));

for (const [index, { what, change, tier }] of CASES.entries()) {
  if (index > 0 && tier === "interp" && !LONG) continue;
  Deno.test(`a guest that ${what} and does not invalidate continues from a state as the run did (${tier})`, () =>
    inFolder(async (folder) => {
      const plan = { ...await assembledPlan(folder, guest(change), CONFIGURATION), tier }, system = assemble(plan) as GuestSystem;
      runTo(system, BEFORE);
      const state = system.save(), { tlbs, ...without } = state;
      // Snapshots and files have the same bytes.
      const others = index === 0 || LONG ? [...copies(folder, system, plan)] : [["memory", loaded(plan, state)] as const];
      const empty = loaded(plan, without);
      const looked = Object.entries(LOOKS).map(([place, look]) => {
        const again = loaded(plan, state);
        const { stage2 } = [...again.hypervisor.scheduler.vcpus].find(({ addressSpace }) => addressSpace?.vmid === VMID)!.registers;
        look(again.core, stage2);
        return [place, again] as const;
      });
      runTo(system, BEFORE + AFTER);
      for (const [place, again] of others) assert.deepEqual(again.save().tlbs, tlbs, place);
      for (const [place, again] of [...others, ...looked]) {
        runTo(again, BEFORE + AFTER);
        assert.equal(hashesOf(again), hashesOf(system), place);
      }
      assert.deepEqual(evidence(others[0][1]), evidence(system));
      continued(empty);
      assert.notEqual(hashesOf(empty), hashesOf(system), "the guest does not need its TLB");
    }));
}

Deno.test("TLBs of a file that were changed are refused, or lead nowhere but to what their VMs may access", () =>
  inFolder(async (folder) => {
    const plan = await assembledPlan(folder, guest(CHANGES["takes them away"]), CONFIGURATION), system = assemble(plan);
    runTo(system, BEFORE);
    const state = system.save(), { tlbs } = state, random = new Random(3);
    assert.ok(tlbs && tlbs.length > 300, String(tlbs?.length));
    let refused = 0, taken = 0;
    for (let round = 0; round < (LONG ? 300 : 10); round++) {
      const changed = round === 0 ? tlbs.slice(0, random.below(tlbs.length)) : tlbs.slice();
      // Its beginning has no entries, and may be anything.
      changed[round % 2 ? random.below(changed.length) : random.below(64)] ^= 1 << random.below(8);
      const again = assembleEmpty(plan);
      try {
        again.load({ ...state, tlbs: changed }, false);
      } catch (error) {
        assert.ok(error instanceof ArchiveError, String(error));
        assert.match(error.message, /TLB/);
        refused++;
        continue;
      }
      taken++;
      continued(again);
    }
    assert.ok(refused > 1 && taken > 1, `${refused} refused, ${taken} taken`);
  }));
