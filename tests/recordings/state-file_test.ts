// States of a recorded run in the cache: which are kept, and that a replay that begins with one is
// the run from its start, at its end and at each place of its past.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import { Engine } from "../../src/engine/engine.ts";
import { SessionRun } from "../../src/engine/session-run.ts";
import { alone, type SessionPlan } from "../../src/plans/plan.ts";
import type { Move } from "../../src/protocol/protocol.ts";
import type { KeptMilestone } from "../../src/recordings/history.ts";
import { Past } from "../../src/recordings/past.ts";
import type { Recording } from "../../src/recordings/recording.ts";
import { denserToEnd, openStates, StateFile, writeStates } from "../../src/recordings/state-file.ts";
import { beginAtState } from "../../src/snapshots/begin.ts";
import { machinesOf, portOf } from "../engine/session-in-thread.ts";
import { demoPlan, hashesOf, runTo } from "../snapshots/systems.ts";
import { inFolder } from "../support/temporary-folder.ts";

Deno.test("states are the denser the nearer to the end: some dozens of a run of hours", () => {
  const all = Array.from({ length: 4 * 3600 }, (_, index) => ({ spent: 250 * (index + 1) })), kept = denserToEnd(all), end = 3_600_000;
  assert.ok(kept.length > 40 && kept.length < 80, `${kept.length}`);
  assert.equal(kept.at(-1)!.spent, end);
  for (const [index, { spent }] of kept.entries()) {
    const before = kept[index - 1]?.spent ?? 0;
    assert.ok(spent - before <= Math.max(1000, (end - before) / 8) + 250, `${before} to ${spent}`);
  }
  assert.deepEqual(denserToEnd([]), []);
});

const begun = (plan: SessionPlan, { state, memory }: KeptMilestone) => beginAtState(plan, state, memory);

/** The length of a run, and states of it at these places. */
const HERE = 100_000, PLACES = [30_000, 60_000, 90_000];

/** A recorded run of the demo with typed input. */
function recorded(plan: SessionPlan): Recording {
  const system = assemble(alone(plan));
  runTo(system, PLACES[1] + 1);
  const at = system.machine.boundary, input = { kind: "console", console: "hello", bytes: Uint8Array.of(0x74) } as const;
  runTo(system, HERE);
  const check = { instructions: 0, registers: "" }, end = { ...check, own: false, code: 0, message: "stopped", memory: "", console: "" };
  return { plan, inputs: [{ at, settled: false, input }], checks: [], end: { at: system.machine.boundary, end } };
}

/** Keeps states of a recorded run in a file. */
function keep(path: string, { plan, inputs }: Recording): void {
  const past = new Past(assemble(alone(plan)), inputs), run = new SessionRun(past.system, machinesOf(plan), undefined);
  run.keepStates();
  for (const place of PLACES) {
    while (!past.advance(place, Infinity));
    for (const { input, ...at } of inputs.slice(run.inputs.length, past.entered)) run.enter(at, input);
    run.keepPresent(2000);
  }
  assert.equal([...writeStates(path, run.milestones)].length > 0, true);
}

type Moves = (to: Move) => Promise<void>;

/** Runs a replay to its end, beginning with the last of a file's states. */
async function replayed({ plan, ...recording }: Recording, path: string): Promise<{ engine: Engine; file: StateFile; moved: Moves }> {
  const file = openStates(path)!, replay = { recording, verify: false, to: undefined, states: { path, begins: true } };
  const ended = Promise.withResolvers<void>();
  let moved = () => {};
  const engine: Engine = new Engine(
    begun(plan, file.states.at(-1)!)!,
    { ...plan, history: true, replay },
    portOf(machinesOf(plan), (event) => {
      if (event.kind === "console") engine.taken(event.bytes.length);
      if (event.kind === "ended") ended.resolve();
      if (event.kind === "moved") moved();
    }),
    undefined,
    file.states,
  );
  engine.start();
  await ended.promise;
  const move = async (to: Move) => {
    const done = new Promise<void>((resolve) => moved = resolve);
    engine.move(1, to);
    await done;
  };
  return { engine, file, moved: move };
}

Deno.test("a replay that begins with a kept state ends as the run did, and each place of its past is the run's", () =>
  inFolder(async (folder) => {
    const plan = { ...await demoPlan(), turbo: true }, recording = recorded(plan), path = `${folder}/a.states`;
    keep(path, recording);
    const past = new Past(assemble(alone(plan)), recording.inputs), counts = [20_000, PLACES[0], 30_001, 80_000], end = recording.end!.at;
    const [before, first, next, between, last] = [...counts, { at: end, settled: true }].map((moment) => {
      while (!past.advance(moment, Infinity));
      return hashesOf(past.system);
    });
    const { engine, file, moved } = await replayed(recording, path);
    using _file = file.file;
    assert.deepEqual(file.states.map(({ instructions }) => instructions), PLACES);
    assert.equal(hashesOf(engine.system), last);
    for (const [count, hashes] of [[80_000, between], [30_001, next], [20_000, before]] as const) {
      await moved({ kind: "instructions", count });
      assert.equal(hashesOf(engine.system), hashes, `${count}`);
    }
    assert.deepEqual(engine.inputs, recording.inputs);
    const places = engine.present.places().map(({ kind, instructions, time }) => [kind, instructions, time]);
    assert.deepEqual(places[0], ["start", 0, assemble(plan).machine.time]);
    // It has come farther than the states: they are written again, with one of the end.
    for (const before = Deno.statSync(path).ino; Deno.statSync(path).ino === before;) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    using again = Deno.openSync(path);
    const { states } = new StateFile(path, again);
    assert.equal(hashesOf(begun(plan, states.at(-1)!)!), last);
    assert.equal(hashesOf(begun(plan, states[0])!), first);
  }));

Deno.test("what was written before the state that a replay begins with is not known, and what was written later is", () =>
  inFolder(async (folder) => {
    const plan = { ...await demoPlan(), turbo: true }, path = `${folder}/a.states`;
    keep(path, { plan, inputs: [], checks: [], end: undefined });
    const { file, states } = openStates(path)!, present = begun(plan, states.at(-1)!)!;
    using _file = file;
    const run = new SessionRun(present, machinesOf(plan), undefined), never = { pa: present.machine.map.ramEnd - 8, length: 8 };
    run.begin(states, []);
    run.keepStates();
    runTo(present, 95_000);
    const now = { instructions: 95_000 }, [first, , last] = PLACES.map((place) => run.milestone(place + 1));
    assert.equal(run.mayBeWritten(last, now, never), false);
    assert.equal(run.mayBeWritten(first, { instructions: PLACES[1] }, never), true);
    assert.equal(run.mayBeWritten(undefined, now, never), true);
  }));

Deno.test("a file of states that is damaged is not used: the replay runs from its start", () =>
  inFolder(async (folder) => {
    const plan = { ...await demoPlan(), turbo: true }, recording = recorded(plan), path = `${folder}/a.states`;
    keep(path, recording);
    const whole = Deno.readFileSync(path), changed = (at: number) => whole.with(at, whole[at] ^ 1);
    assert.equal(openStates(`${folder}/none`), undefined);
    for (const bytes of [whole.subarray(0, -1), whole.subarray(0, 100), new Uint8Array(0), changed(0), changed(whole.length - 30)]) {
      Deno.writeFileSync(path, bytes);
      assert.equal(openStates(path), undefined);
    }
    // Its reader would wait.
    Deno.removeSync(path);
    assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
    assert.equal(openStates(path), undefined);
    Deno.removeSync(path);
    Deno.writeFileSync(path, changed(5000));
    const { file, states } = openStates(path)!;
    using _file = file;
    assert.equal(begun(plan, states[0]), undefined);
  }));
