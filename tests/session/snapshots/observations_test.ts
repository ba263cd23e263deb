// A snapshot carries what was observed of the run: events, reasons and ends of VMs are there after
// a load, with the same ids, and continue.

import assert from "node:assert/strict";
import * as v from "valibot";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { beginSystem, loaded } from "../../../src/session/snapshots/begin.ts";
import { writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { decodeMemory, encodeMemory } from "../../../src/session/assembly/system/run-memory.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { runUntil } from "../inspection/system.ts";
import { Random } from "../../support/random.ts";
import { contentOf, fileOf, holding, sectionsOf } from "./sections.ts";
import { LONG } from "../../support/long.ts";

/** Kind of the section of observations. */
const OBSERVED = 6;
const TABLES = ["why", "events", "rpc.ls", "vm.ls", "caps.ls", "diagnose"] as const;
const WATCHED = ["hvc", "virq"] as const;
const ROUNDS = LONG ? 3_000 : 30;

/** A VM that fails, as its START is refused, next to one that runs. */
async function failingPlan(): Promise<SessionPlan> {
  const vm = (name: string) => `[vm.${name}]\nimage = "hello.bin"\nmemory = "4MiB"\ncmdline = "ticks=50 ms=10"\n`;
  const planned = await planText(`el2 = 1\n${vm("x")}${vm("y")}`, undefined, "assets/guests");
  assert.ok(planned.ok);
  return { ...planned.run, turbo: true, inject: ["ioctl name=GH_VM_START nth=2 -> EPERM"] };
}

const observed = (system: System) => TABLES.map((table) => system.inspector.answer({ table, args: {} }).rows);

async function inFile(work: (path: string) => void): Promise<void> {
  const path = await Deno.makeTempFile({ prefix: "el2-observed-" });
  try {
    work(path);
  } finally {
    await Deno.remove(path);
  }
}

/** A machine at 30 ms in a file. */
function saved(plan: SessionPlan, path: string): GuestSystem {
  const system = assemble(plan) as GuestSystem;
  system.log.watch(WATCHED);
  runUntil(system, 30e6);
  for (const _done of writeSnapshot(path, snapshotOf(system, plan, "x")));
  return system;
}

Deno.test("events, reasons and ends of VMs are there after a load, and continue with the same ids", async () => {
  const plan = await failingPlan();
  await inFile((path) => {
    const first = saved(plan, path);
    const begun = beginSystem({ ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } });
    assert.ok("system" in begun);
    const second = begun.system as GuestSystem, then = observed(first);
    assert.ok(then.every(({ length }) => length > 0), JSON.stringify(then.map(({ length }) => length)));
    assert.deepEqual(observed(second), then);
    assert.deepEqual(second.events.drain().events, [], "what the first session has reported is not reported again");
    // Going back from there shows them, too, and no later ones.
    const run = new SessionRun(second, (state) => state ? loaded(plan, state) : assemble(plan), begun.state);
    second.log.watch(WATCHED);
    for (const system of [first, second]) runUntil(system, 60e6);
    assert.notDeepEqual(observed(second), then);
    assert.deepEqual(observed(second), observed(first));
    assert.deepEqual(observed(run.pastAt(run.milestone({ at: 30e6, settled: false })).system), then);
  });
});

Deno.test("a VM's problem that has not ended it is a part of a run's memory", async () => {
  const system = assemble(await failingPlan()) as GuestSystem;
  runUntil(system, 30e6);
  system.ends.note({ kind: "error", at: 30e6, vm: "y", message: "broken" });
  const memory = system.remember(), { ends } = decodeMemory(encodeMemory(memory));
  const problem = { message: "broken", reasons: memory.trace.reasons.count };
  assert.deepEqual([ends.problems.get("y"), ends.vmids], [problem, memory.ends.vmids]);
});

Deno.test("lives of VMs that are made again are a part of a run's memory", async () => {
  const memory = (assemble(await failingPlan()) as GuestSystem).remember(), lives = new Map([["x", { since: 1, bad: 2, brief: 3 }]]);
  assert.deepEqual(decodeMemory(encodeMemory({ ...memory, ends: { ...memory.ends, lives } })).ends.lives, lives);
});

Deno.test("events whose texts are made when they are read are there after a load", async () => {
  const plan = await failingPlan();
  await inFile((path) => {
    const system = assemble(plan) as GuestSystem;
    system.log.watch(["syscall"]);
    runUntil(system, 30e6);
    class Call {
      readonly kind = "syscall";
      readonly time = 30e6;
      readonly name = "openat";
      get fields() {
        return { task: "cat", pid: 87, args: "AT_FDCWD" };
      }
      get result() {
        return { code: 3, name: "3", refused: false };
      }
    }
    system.hypervisor.trace.observed(new Call(), 30e6, 0);
    for (const _done of writeSnapshot(path, snapshotOf(system, plan, "x")));
    const begun = beginSystem({ ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } });
    assert.ok("system" in begun);
    const then = observed(system);
    assert.ok(then[TABLES.indexOf("events")].some(({ name }) => name === "openat"));
    assert.deepEqual(observed(begun.system as GuestSystem), then);
  });
});

Deno.test("times in which events were not recorded are there after a load, and in a past that begins there", async () => {
  const plan = await failingPlan();
  await inFile((path) => {
    const system = assemble(plan) as GuestSystem, times = (of: System) => of.inspector.answer({ table: "events", args: {} }).unrecorded;
    runUntil(system, 10e6);
    system.log.watch(WATCHED);
    runUntil(system, 20e6);
    system.log.watch([]);
    runUntil(system, 30e6);
    for (const _done of writeSnapshot(path, snapshotOf(system, plan, "x")));
    const begun = beginSystem({ ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } });
    assert.ok("system" in begun);
    const second = begun.system as GuestSystem, before = times(system);
    assert.deepEqual(before?.map(({ kind }) => kind), WATCHED);
    assert.deepEqual(times(second), before);
    const run = new SessionRun(second, (state) => state ? loaded(plan, state) : assemble(plan), begun.state);
    for (const one of [system, second]) {
      runUntil(one, 40e6);
      one.log.watch(WATCHED);
    }
    assert.equal(times(system)?.length, 4);
    assert.deepEqual(times(second), times(system), "what began before the file ends after it");
    assert.deepEqual(times(run.pastAt(run.milestone({ at: 30e6, settled: false })).system as GuestSystem), before);
    const memory = system.remember(), { unrecorded } = memory.events;
    for (const open of [[{ ...unrecorded.open[0], kind: "rpc" }], unrecorded.open.map((one) => ({ ...one, from: -1 }))]) {
      const changed = { ...memory.events, unrecorded: { ...unrecorded, open: open as typeof unrecorded.open } };
      assert.throws(() => decodeMemory(encodeMemory({ ...memory, events: changed })));
    }
  });
});

/** A VM of `nop; udf #0` without an exception table, next to one that runs. */
async function crashingPlan(): Promise<SessionPlan> {
  const folder = await Deno.makeTempDir({ prefix: "el2-observed-" });
  try {
    await Deno.writeFile(`${folder}/udf.bin`, Uint8Array.of(0x1f, 0x20, 0x03, 0xd5, 0, 0, 0, 0));
    await Deno.copyFile("assets/guests/hello.bin", `${folder}/hello.bin`);
    const vm = (name: string, image: string) => `[vm.${name}]\nimage = "${image}"\nmemory = "4MiB"\ncmdline = "ticks=100 ms=10"\n`;
    const planned = await planText(`el2 = 1\n${vm("udf", "udf.bin")}${vm("y", "hello.bin")}`, undefined, folder);
    assert.ok(planned.ok);
    return { ...planned.run, turbo: true };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the cause of a crash is the same fact after a load, and has a form", async () => {
  const plan = await crashingPlan();
  await inFile((path) => {
    const first = saved(plan, path);
    runUntil(first, 300e6);
    const memory = first.remember(), [[why, cause]] = memory.ends.causes;
    for (const _done of writeSnapshot(path, snapshotOf(first, plan, "x")));
    const begun = beginSystem({ ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } });
    assert.ok("system" in begun);
    const second = begun.system as GuestSystem;
    assert.equal(cause.code, "not-code");
    assert.deepEqual(second.ends.causeOf(why), cause);
    for (const table of ["vm.ls", "diagnose"] as const) {
      const [before, after] = [first, second].map((system) => system.inspector.answer({ table, args: {} }).rows);
      assert.deepEqual(after, before);
      assert.match(JSON.stringify(after), table === "diagnose" ? /"not-code"/ : /vm:udf/);
    }
    const changed = (causes: unknown) => encodeMemory({ ...memory, ends: { ...memory.ends, causes: causes as typeof memory.ends.causes } });
    for (
      const causes of [undefined, "causes", new Map([[why, { ...cause, code: "constructor" }]]), new Map([[why, { code: "not-code" }]])]
    ) {
      assert.throws(() => decodeMemory(changed(causes)), v.ValiError);
    }
    const unknown = { ...memory, ends: { ...memory.ends, unknown: 1 } };
    assert.throws(() => decodeMemory(encodeMemory(unknown)), v.ValiError, "what has no form is refused");
  });
});

Deno.test("panics with their cause, tasks that ended their VM, and logs that nothing has shown can be read again", async () => {
  const plan = await crashingPlan();
  await inFile((path) => {
    const first = saved(plan, path);
    runUntil(first, 300e6);
    const memory = first.remember(), because = { code: "console-absent", named: ["hvc0"], has: [] } as const;
    const task = { name: "init", pid: 1 }, cause = { code: "panic-called", by: "do_exit", task } as const, log = [{ t: "1", text: "x" }];
    const panic = { message: null, cause }, place = { pc: 0n, text: "" };
    const work = {
      vcpu: "x/0",
      how: "system-off",
      at: place,
      instructions: 1,
      exception: undefined,
      inHandler: false,
      called: [],
    } as const;
    const ends = {
      ...memory.ends,
      work: new Map([["x", { ...work, panic, by: { task, by: "reboot" as const }, unshown: because, log }]]),
      panics: new Map([[1, { ...panic, then: "reset" as const }]]),
      unshown: new Map([[1, { then: "power-off" as const, because }]]),
      logs: new Map([[1, log]]),
      problems: new Map([["x", { message: "out of memory", reasons: 2 }]]),
    };
    assert.deepEqual(decodeMemory(encodeMemory({ ...memory, ends })).ends, ends);
    const unknown = { ...panic, cause: { code: "constructor" } };
    const hostile = { ...ends, panics: new Map([[1, { ...unknown, then: "reset" }]]) } as unknown as typeof ends;
    assert.throws(() => decodeMemory(encodeMemory({ ...memory, ends: hostile })), v.ValiError);
  });
});

Deno.test("observations that were changed are refused, or the machine runs with them", async () => {
  const plan = await failingPlan(), random = new Random(20);
  await inFile((path) => {
    saved(plan, path);
    const sections = sectionsOf(Deno.readFileSync(path)), at = sections.findIndex(({ kind }) => kind === OBSERVED);
    const content = contentOf(sections[at]);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const changed = content.slice();
      changed[random.below(changed.length)] = random.below(256);
      Deno.writeFileSync(path, fileOf(sections.with(at, holding(sections[at], changed, false))));
      const begun = beginSystem({ ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } });
      if ("refused" in begun) {
        assert.match(begun.refused.what, /its list of events cannot be read: /);
        refused++;
        continue;
      }
      runUntil(begun.system as GuestSystem, 32e6);
      observed(begun.system);
    }
    assert.ok(refused > 0);
  });
});

Deno.test("an operation inside itself is refused", async () => {
  const plan = await failingPlan();
  await inFile((path) => {
    const { memory } = snapshotOf(saved(plan, path), plan, "x");
    const [step] = memory.trace.reasons.ring.flatMap((one) => "operation" in one ? [one.operation] : []);
    Object.assign(step, { parent: step });
    assert.throws(() => decodeMemory(encodeMemory(memory)), /operations are inside each other/);
  });
});
