// The last writer of memory or a register: the answer equals that of a run from the start that is
// looked at after every instruction, whichever states were kept.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import type { System } from "../../src/assembly/system/system.ts";
import type { SessionPlan } from "../../src/plans/plan.ts";
import { registerWrites } from "../../src/core/interface.ts";
import { EVERY_VM } from "../../src/queries/debugged-vms.ts";
import { type Access, type Accesses, AccessSearch, type Watched } from "../../src/recordings/accesses.ts";
import type { RunUpTo } from "../../src/recordings/back-to.ts";
import { isLater, type Milestone } from "../../src/recordings/history.ts";
import { momentOf, Past } from "../../src/recordings/past.ts";
import { loaded } from "../../src/snapshots/begin.ts";
import { filledPages } from "../../src/state/pages.ts";
import { PAGE_SIZE } from "../../src/support/sizes.ts";
import { Random } from "../support/random.ts";
import { demoPlan, runTo } from "../snapshots/systems.ts";
import { resultOf } from "./searches.ts";

/** The part of the run that is looked at. */
const FIRST = 115_000, HERE = 120_000;
const LENGTH = 8;

/** Places that differ between two machines, as many as wanted. */
function differing(before: System, after: System, count: number, random: Random): number[] {
  const found: number[] = [];
  for (const [page, bytes] of filledPages(after.machine)) {
    const old = before.machine.ram.bytes(page * PAGE_SIZE, PAGE_SIZE);
    for (let at = 0; at < PAGE_SIZE; at += LENGTH) {
      if (bytes.subarray(at, at + LENGTH).some((byte, index) => byte !== old[at + index])) found.push(page * PAGE_SIZE + at);
    }
  }
  return Array.from({ length: Math.min(count, found.length) }, () => found.splice(random.below(found.length), 1)[0]);
}

/** The run up to HERE, with states at these counts. */
function runWith(plan: SessionPlan, counts: readonly number[]): RunUpTo {
  const system = assemble(plan);
  const milestones = counts.map((instructions): Milestone => {
    runTo(system, instructions);
    const { boundary } = system.machine;
    return { at: boundary, instructions, moment: momentOf(system), inputs: 0, state: system.save(), memory: system.remember() };
  });
  const rerun = {
    milestone: (moment: unknown) => {
      const before = typeof moment === "number" ? moment : (moment as { instructions: number }).instructions;
      return milestones.findLast(({ instructions }) => instructions < before);
    },
    mayBeWritten: () => true,
    pastAt: (milestone: Milestone | undefined) => new Past(isLater(milestone) ? loaded(plan, milestone.state) : assemble(plan), []),
  };
  return { rerun, moment: HERE, instructions: HERE, at: 0 };
}

function searched(run: RunUpTo, watched: Watched, wanted: number, reach?: number): Accesses {
  return resultOf(new AccessSearch(run, watched, wanted, { reach }));
}

const values = ({ before, after }: Pick<Access, "before" | "after">) => [String(before), String(after)];

Deno.test("writes to memory are those that single steps from the start see", async () => {
  const plan = await demoPlan(), random = new Random(11);
  const past = new Past(assemble(plan), []), end = new Past(assemble(plan), []);
  assert.ok(past.advance(FIRST, Infinity) && end.advance(HERE, Infinity));
  const places = differing(past.system, end.system, 4, random);
  assert.equal(places.length, 4);
  const { ram } = past.system.machine, now = (pa: number) => ram.bytes(pa, LENGTH).slice();
  const last = new Map(places.map((pa) => [pa, now(pa)])), changes = new Map(places.map((pa): [number, Access[]] => [pa, []]));
  for (let count = FIRST + 1; count <= HERE; count++) {
    assert.ok(past.advance(count, Infinity));
    for (const [pa, before] of last) {
      const after = now(pa);
      if (after.every((byte, index) => byte === before[index])) continue;
      changes.get(pa)!.push({ at: count - 1, time: 0, before, after });
      last.set(pa, after);
    }
  }
  for (const counts of [[], [60_000, 113_000, 117_000]]) {
    const run = runWith(plan, counts);
    for (const pa of places) {
      const expected = changes.get(pa)!, watched: Watched = { kind: "memory", watch: { pa, length: LENGTH, kind: "write" } };
      const { accesses } = searched(run, watched, HERE - FIRST);
      const found = accesses.filter((one) => one.at >= FIRST && String(one.before) !== String(one.after));
      assert.deepEqual(found.map(values), expected.map(values), `pa 0x${pa.toString(16)}`);
      for (const [index, { at, by }] of found.entries()) {
        // Programs without instructions write between two instructions of others.
        assert.ok(at === expected[index].at || by && at === expected[index].at - 1, `${at} for ${expected[index].at}`);
      }
    }
  }
});

Deno.test("changes of registers are those that single steps from the start see", async () => {
  const plan = await demoPlan(), past = new Past(assemble(plan), []), { system } = past;
  assert.ok(past.advance(FIRST, Infinity));
  const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
  const registers = control.vcpus().flatMap((vcpu) => {
    const id = `vcpu:${names.vcpu(vcpu)}`;
    return ["x0", "x3", "x19", "x29", "x30", "pstate", "elr_el1", "v0"].map((name) => {
      const read = system.inspector.registerOf(id, name);
      return { id, name, read, vcpu, last: read(vcpu), changes: [] as Access[] };
    });
  });
  for (let count = FIRST + 1; count <= HERE; count++) {
    assert.ok(past.advance(count, Infinity));
    for (const one of registers) {
      const after = one.read(one.vcpu);
      if (after !== one.last) one.changes.push({ at: count - 1, time: 0, before: one.last, after });
      one.last = after;
    }
  }
  const run = runWith(plan, [60_000, 117_000]);
  let changed = 0;
  for (const { id, name, read, changes } of registers) {
    if (!changes.length) continue;
    changed++;
    const { accesses } = searched(run, { kind: "register", vcpu: id, read }, changes.length);
    assert.deepEqual(accesses.map(values), changes.map(values), `${name} of ${id}`);
    for (const [index, { at, by, instruction }] of accesses.entries()) {
      assert.equal(instruction?.vcpu, id);
      assert.ok(by || at === changes[index].at, `${name} of ${id}: ${at} for ${changes[index].at}`);
    }
  }
  assert.ok(changed > 8, `${changed}`);
});

Deno.test("changes of system registers that only MSR makes are found at any distance", async () => {
  const plan = await demoPlan(), past = new Past(assemble(plan), []), { system } = past, end = 120_000;
  const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
  const last = new Map<string, bigint>(), changes = new Map<string, Access[]>();
  const registers = ["vbar_el1", "sctlr_el1", "ttbr0_el1", "cntv_cval_el0", "tpidr_el1", "mair_el1"];
  const readers = new Map<string, ReturnType<typeof system.inspector.registerOf>>();
  const reader = (id: string, name: string) => {
    const known = readers.get(name) ?? system.inspector.registerOf(id, name);
    readers.set(name, known);
    return known;
  };
  for (let count = 1; count <= end; count++) {
    assert.ok(past.advance(count, Infinity));
    for (const vcpu of control.vcpus()) {
      for (const name of registers) {
        const id = `vcpu:${names.vcpu(vcpu)}`, key = `${id} ${name}`, after = reader(id, name)(vcpu);
        const before = last.get(key);
        last.set(key, after);
        if (before === undefined || before === after) continue;
        changes.set(key, [...changes.get(key) ?? [], { at: count - 1, time: 0, before, after }]);
      }
    }
  }
  const run = { ...runWith(plan, [30_000, 90_000]), moment: end, instructions: end };
  assert.ok(changes.size >= 4, [...changes.keys()].join());
  for (const [key, expected] of changes) {
    const [id, name] = key.split(" "), read = system.inspector.registerOf(id, name);
    const watched = { kind: "register", vcpu: id, read, writes: registerWrites(name) } as const;
    // A register that is still zero at the end of a search is one whose vCPU was not there before.
    const { accesses } = searched(run, watched, expected.length, 1);
    assert.deepEqual(accesses.map(values), expected.map(values), key);
    for (const [index, { at, by, instruction }] of accesses.entries()) {
      assert.ok(by || at === expected[index].at && instruction?.vcpu === id, `${key}: ${at} for ${expected[index].at}`);
    }
  }
});

Deno.test("the search for a register that has not changed ends within its reach, and says where", async () => {
  const plan = await demoPlan(), run = runWith(plan, [60_000, 117_000]);
  const read = () => 7n;
  const { accesses, start } = searched(run, { kind: "register", vcpu: "vcpu:ping/0", read }, 1, 10_000);
  assert.deepEqual(accesses, []);
  assert.deepEqual([start?.at, start?.value], [HERE - 10_000, 7n]);
});
