// The last writer of memory or a register: the answer equals that of a run from the start that is
// looked at after every instruction, whichever states were kept.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import type { System } from "../../../../src/session/assembly/system/system.ts";
import type { SessionPlan } from "../../../../src/model/plans/plan.ts";
import { registerWrites } from "../../../../src/cpu/core/interface.ts";
import { EVERY_VM } from "../../../../src/model/queries/debugged-vms.ts";
import { type Accesses, AccessSearch } from "../../../../src/session/recordings/past/accesses.ts";
import type { PastAccess, Watched } from "../../../../src/session/recordings/looking/looking.ts";
import type { RunUpTo } from "../../../../src/session/recordings/past/back-to.ts";
import { isLater, type Milestone } from "../../../../src/session/recordings/past/history.ts";
import { momentOf, Past } from "../../../../src/session/recordings/past/past.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import { filledPages } from "../../../../src/session/state/pages.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { Random } from "../../../support/random.ts";
import { bootPlan, demoPlan, runTo } from "../../snapshots/systems.ts";
import { resultOf } from "../searches.ts";
import { LONG, longTest } from "../../../support/long.ts";

/** The part of the run that is looked at. */
const FIRST = LONG ? 115_000 : 118_000, HERE = 120_000;
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

/** The place of a machine, with its state. */
function milestoneOf(system: System): Milestone {
  const { boundary } = system.machine, memory = system.remember(), instructions = system.instructions();
  return { at: boundary, instructions, moment: momentOf(system), inputs: 0, state: system.save(), memory: () => memory };
}

/** The run up to HERE, with states at these counts. */
function runWith(plan: SessionPlan, counts: readonly number[]): RunUpTo {
  const system = assemble(plan);
  const milestones = counts.map((instructions): Milestone => {
    runTo(system, instructions);
    return milestoneOf(system);
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

const values = ({ before, after }: Pick<PastAccess, "before" | "after">) => [String(before), String(after)];

Deno.test("writes to memory are those that single steps from the start see", async () => {
  const plan = await demoPlan(), random = new Random(11);
  const past = new Past(assemble(plan), []), end = new Past(assemble(plan), []);
  assert.ok(past.advance(FIRST, Infinity) && end.advance(HERE, Infinity));
  const places = differing(past.system, end.system, 4, random);
  assert.equal(places.length, 4);
  const { ram } = past.system.machine, now = (pa: number) => ram.bytes(pa, LENGTH).slice();
  const last = new Map(places.map((pa) => [pa, now(pa)])), changes = new Map(places.map((pa): [number, PastAccess[]] => [pa, []]));
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

Deno.test("a search by single steps keeps a state on its way, where the next stretch and the next question begin", async () => {
  const plan = await demoPlan(), plain = runWith(plan, []), kept: Milestone[] = [], begun: number[] = [];
  const before = (moment: unknown) => kept.findLast(({ instructions }) => instructions < (moment as number));
  const run: RunUpTo = {
    ...plain,
    rerun: {
      ...plain.rerun,
      milestone: before,
      pastAt(from) {
        begun.push(from?.instructions ?? 0);
        return plain.rerun.pastAt(from);
      },
      landing: (_past, target) => before(target) ? undefined : target - 50_000,
      keepPast: ({ system }) => void kept.push(milestoneOf(system)),
    },
  };
  const system = assemble(plan), id = "vcpu:hello/0";
  runTo(system, FIRST);
  for (const name of ["x30", "v31"]) {
    const watched: Watched = { kind: "register", vcpu: id, read: system.inspector.registerOf(id, name) };
    assert.deepEqual(searched(run, watched, 1), searched(plain, watched, 1), name);
  }
  assert.deepEqual(begun.slice(0, 2), [0, kept[0].instructions]);
  assert.equal(kept.length, 1);
});

Deno.test("changes of registers are those that single steps from the start see", async () => {
  const plan = await demoPlan(), past = new Past(assemble(plan), []), { system } = past;
  assert.ok(past.advance(FIRST, Infinity));
  const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
  const registers = control.vcpus().flatMap((vcpu) => {
    const id = `vcpu:${names.vcpu(vcpu)}`;
    return ["x0", "x3", "x19", "x29", "x30", "sp_el1", "pstate", "elr_el1", "v0"].map((name) => {
      const read = system.inspector.registerOf(id, name);
      return { id, name, read, vcpu, last: read(vcpu), changes: [] as PastAccess[] };
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
    // By single steps, and by stops before the instructions that may write it.
    for (const writes of new Set([undefined, registerWrites(name)])) {
      const { accesses } = searched(run, { kind: "register", vcpu: id, read, writes }, changes.length);
      assert.deepEqual(accesses.map(values), changes.map(values), `${name} of ${id}`);
      for (const [index, { at, by, instruction }] of accesses.entries()) {
        assert.equal(instruction?.vcpu, id);
        assert.ok(by || at === changes[index].at, `${name} of ${id}: ${at} for ${changes[index].at}`);
      }
    }
  }
  assert.ok(changed > 8, `${changed}`);
});

/** Changes of registers of all vCPUs, by `vcpu:VM/INDEX NAME`, seen after every instruction. */
function changesOf(plan: SessionPlan, end: number, names: readonly string[]): { system: System; changes: Map<string, PastAccess[]> } {
  const past = new Past(assemble(plan), []), { system } = past;
  const control = system.debugger.give(EVERY_VM, false);
  const last = new Map<string, bigint>(), changes = new Map<string, PastAccess[]>();
  const readers = new Map<string, ReturnType<typeof system.inspector.registerOf>>();
  const reader = (id: string, name: string) => {
    const known = readers.get(name) ?? system.inspector.registerOf(id, name);
    readers.set(name, known);
    return known;
  };
  for (let count = 1; count <= end; count++) {
    assert.ok(past.advance(count, Infinity));
    for (const vcpu of control.vcpus()) {
      for (const name of names) {
        const id = `vcpu:${control.services.names.vcpu(vcpu)}`, key = `${id} ${name}`, after = reader(id, name)(vcpu);
        const before = last.get(key);
        last.set(key, after);
        if (before === undefined || before === after) continue;
        changes.set(key, [...changes.get(key) ?? [], { at: count - 1, time: 0, before, after }]);
      }
    }
  }
  return { system, changes };
}

/** All changes are found as they were seen; how many interrupts made. */
function checkChanges(run: RunUpTo, { system, changes }: ReturnType<typeof changesOf>): number {
  let interrupts = 0;
  for (const [key, expected] of changes) {
    const [id, name] = key.split(" "), read = system.inspector.registerOf(id, name);
    const watched = { kind: "register", vcpu: id, read, writes: registerWrites(name) } as const;
    // A register that is still zero at the end of a search is one whose vCPU was not there before.
    const { accesses } = searched(run, watched, expected.length, 1);
    assert.deepEqual(accesses.map(values), expected.map(values), key);
    for (const [index, { at, by, instruction }] of accesses.entries()) {
      const seen = expected[index].at, isRight = by?.code === "interrupt" ? at === seen || at === seen - 1 : at === seen;
      if (by?.code === "interrupt") interrupts++;
      assert.ok(by?.code === "hypervisor" || isRight && instruction?.vcpu === id, `${key}: ${at} for ${seen}`);
    }
  }
  return interrupts;
}

longTest("changes of system registers that only MSR and exceptions make are found at any distance", async () => {
  const plan = await demoPlan(), end = 120_000;
  const names = ["vbar_el1", "sctlr_el1", "ttbr0_el1", "cntv_cval_el0", "tpidr_el1", "mair_el1", "elr_el1", "spsr_el1"];
  const seen = changesOf(plan, end, names);
  assert.ok(seen.changes.size >= 4, [...seen.changes.keys()].join());
  const interrupts = checkChanges({ ...runWith(plan, [30_000, 90_000]), moment: end, instructions: end }, seen);
  assert.ok(interrupts > 10, `${interrupts}`);
});

/** In a loop: SVC, UDF, an abort of data, a trapped register, BRK, an abort of an instruction. */
const EXCEPTIONS = [
  ["adr x0, #0x800", 0x10004000],
  ["msr vbar_el1, x0", 0xd518c000],
  ["svc #0x1", 0xd4000021],
  ["udf #0x0", 0],
  ["movz x1, #0x10", 0xd2800201],
  ["ldr x2, [x1]", 0xf9400022],
  ["mrs x3, s3_0_c15_c3_0", 0xd538f303],
  ["brk #0x0", 0xd4200000],
  ["blr x1", 0xd63f0020],
  ["b", 0x17fffff9],
] as const;
/** After the instruction; after SVC and an abort of an instruction, to ELR and LR. */
const HANDLER = [
  ["mrs x10, esr_el1", 0xd538520a],
  ["lsr x10, x10, #26", 0xd35afd4a],
  ["mrs x11, elr_el1", 0xd538402b],
  ["cmp x10, #0x15", 0xf100555f],
  ["b.eq", 0x540000c0],
  ["cmp x10, #0x21", 0xf100855f],
  ["csel x11, x30, x11, eq", 0x9a8b03cb],
  ["b.eq", 0x54000040],
  ["add x11, x11, #0x4", 0x9100116b],
  ["msr elr_el1, x11", 0xd518402b],
  ["eret", 0xd69f03e0],
] as const;

Deno.test("changes of the registers of exceptions are found whichever instruction or exit causes them", async () => {
  const image = new Uint32Array(0x300);
  image.set(EXCEPTIONS.map(([, word]) => word));
  image.set(HANDLER.map(([, word]) => word), 0xa00 / 4);
  const { what, ...plan } = await bootPlan(), end = 1000;
  const boot = { ...plan, what: { ...what, image: new Uint8Array(image.buffer), raw: true } as SessionPlan["what"] };
  const seen = changesOf(boot, end, ["elr_el1", "spsr_el1", "esr_el1", "far_el1"]);
  assert.equal(seen.changes.size, 4);
  const classes = new Set(seen.changes.get("vcpu:host/0 esr_el1")!.map(({ after }) => Number(after) >>> 26));
  assert.deepEqual([...classes].toSorted((a, b) => a - b), [0, 0x15, 0x21, 0x25, 0x3c]);
  checkChanges({ ...runWith(boot, [300]), moment: end, instructions: end }, seen);
});

/** Stores so many times, then never again. */
const storesOf = (times: readonly [text: string, word: number]) =>
  [
    ["adr x1, #0x800", 0x10004001],
    ["str x2, [x1]", 0xf9000022],
    ["add x2, x2, #0x1", 0x91000442],
    times,
    ["b.ne", 0x54ffffa1],
    ["b", 0x14000000],
  ] as const;
const FEW = ["cmp x2, #0xfff", 0xf13ffc5f] as const, MANY = ["cmp x2, #0xfff, lsl #12", 0xf17ffc5f] as const;

Deno.test("the last of many writes are the same whether all are wanted or few, soon after them and long after", async () => {
  const { what, ...given } = await bootPlan();
  for (
    const [times, end, counts, writes] of [[MANY, 40_000, [], 10_000], [FEW, 60_000, [20_000], 4095], [FEW, 4e5, [1e5, 3e5], 4095]] as const
  ) {
    const image = new Uint32Array(0x300);
    image.set(storesOf(times).map(([, word]) => word));
    const plan = { ...given, what: { ...what, image: new Uint8Array(image.buffer), raw: true } } as SessionPlan;
    let machines = 0;
    const { rerun, ...place } = runWith(plan, counts),
      pastAt = (milestone: Milestone | undefined) => {
        machines++;
        return rerun.pastAt(milestone);
      };
    const run = { ...place, rerun: { ...rerun, pastAt }, moment: end, instructions: end };
    const past = new Past(assemble(plan), []);
    assert.ok(past.advance(6, Infinity));
    const pa = past.system.inspector.ramAt(`ipa:host/${past.system.symbols.vcpus("host")[0].registers.getX(1)}`, LENGTH)[0];
    const watched: Watched = { kind: "memory", watch: { pa, length: LENGTH, kind: "write" } };
    const { accesses } = searched(run, watched, writes), all = machines;
    assert.equal(accesses.length, writes);
    for (const wanted of [1, 3, 100]) {
      machines = 0;
      assert.deepEqual(searched(run, watched, wanted).accesses.map(values), accesses.slice(-wanted).map(values), `${wanted} before ${end}`);
      assert.ok(machines > all, "the end of a busy stretch is searched first");
    }
    const [{ at }] = accesses.slice(-100), before = new AccessSearch(run, watched, 2, { before: { at, order: 0 } });
    assert.deepEqual(resultOf(before).accesses, accesses.slice(-102, -100));
  }
});

Deno.test("the search for a register that has not changed ends within its reach, and says where", async () => {
  const plan = await demoPlan(), run = runWith(plan, [60_000, 117_000]);
  const read = () => 7n;
  const { accesses, start } = searched(run, { kind: "register", vcpu: "vcpu:ping/0", read }, 1, 10_000);
  assert.deepEqual(accesses, []);
  assert.deepEqual([start?.at, start?.value], [HERE - 10_000, 7n]);
});
