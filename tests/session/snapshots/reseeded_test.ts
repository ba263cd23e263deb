// Copies of one snapshot: equal, or with random numbers of another seed, also in their past and in
// replays of them.

import assert from "node:assert/strict";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { alone, type SessionPlan } from "../../../src/model/plans/plan.ts";
import { momentOf } from "../../../src/session/recordings/past/past.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { beginAtState, beginSystem, loaded } from "../../../src/session/snapshots/begin.ts";
import { writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { assertPlanned } from "../../support/planned.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { ENTROPY_READER } from "./programs.ts";
import { hashesOf, runTo } from "./systems.ts";

const AT = 5_000, ON = 5_000;
const TEXT = `el2 = 1
[vm.reader]
image = "reader.bin"
memory = "4MiB"
devices = [{ kind = "pl011" }, { kind = "rng" }]
`;

/** The plan of a snapshot of a VM that reads random numbers. */
async function savedPlan(folder: string): Promise<SessionPlan> {
  Deno.writeFileSync(`${folder}/reader.bin`, new Uint8Array(Uint32Array.from(ENTROPY_READER).buffer));
  const result = await planText(TEXT, undefined, folder);
  assertPlanned(result);
  const { cpus, memory, seed, what, table } = result.run, plan = { cpus, memory, seed, turbo: true, what, table };
  const system = assemble(plan), path = `${folder}/a.snap`;
  runTo(system, AT);
  for (const _ of writeSnapshot(path, snapshotOf(system, plan, "a")));
  return { ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } };
}

function begun(plan: SessionPlan) {
  const begun = beginSystem(plan);
  assert.ok(!("refused" in begun));
  return begun;
}

function hashesAfter(system: System): string {
  runTo(system, AT + ON);
  return hashesOf(system);
}

Deno.test("two copies of a snapshot have equal random numbers; with another seed they have others, which the seed decides", () =>
  inFolder(async (folder) => {
    const plan = await savedPlan(folder), of = (seed: number) => hashesAfter(begun({ ...plan, seed }).system);
    const same = hashesAfter(begun(plan).system), [two, again, three] = [of(plan.seed + 1), of(plan.seed + 1), of(plan.seed + 2)];
    assert.equal(hashesAfter(begun(plan).system), same);
    assert.equal(two, again);
    assert.equal(new Set([same, two, three]).size, 3);
  }));

Deno.test("the past of a copy with another seed, and a replay of it from a kept state, begin with that seed's numbers", () =>
  inFolder(async (folder) => {
    const saved = await savedPlan(folder), plan = { ...saved, seed: saved.seed + 1 }, { system, state } = begun(plan);
    const run = new SessionRun(system, (from, left) => from ? loaded(alone(plan), from, left) : assemble(alone(plan)), state);
    const hashes = hashesAfter(system), moment = momentOf(system), past = run.pastAt(run.milestone(moment));
    while (!past.advance(moment, Infinity));
    assert.equal(hashesOf(past.system), hashes);
    assert.deepEqual(beginAtState(plan, system.keep())?.state?.fields, state?.fields);
  }));
