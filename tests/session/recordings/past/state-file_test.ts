// States of a recorded run in the cache: which are kept, and that a replay that begins with one is
// the run from its start, at its end and at each place of its past.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { Engine } from "../../../../src/session/engine/engine.ts";
import { type KeptRun, SessionRun } from "../../../../src/session/engine/session-run.ts";
import { alone, type SessionPlan } from "../../../../src/model/plans/plan.ts";
import type { Move } from "../../../../src/model/queries/move.ts";
import { type KeptMilestone, KeptState } from "../../../../src/session/recordings/past/history.ts";
import { Past } from "../../../../src/session/recordings/past/past.ts";
import type { Recording } from "../../../../src/session/recordings/file/recording.ts";
import { plannedRecording } from "../../../../src/app/cli/start/plans/saved-plans.ts";
import { recordingHeader } from "../../../../src/session/recordings/file/recording-writer.ts";
import { denserToEnd, openStates, StateFile, writableAtEnd, writeStates } from "../../../../src/session/recordings/past/state-file.ts";
import { beginAtState, beginSystem, type Begun } from "../../../../src/session/snapshots/begin.ts";
import { writeSnapshot } from "../../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../../src/session/snapshots/save.ts";
import { Page, PageMap } from "../../../../src/session/state/page-map.ts";
import { statesFile } from "../../../../src/kit/support/files/folder-names.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { machinesOf, portOf } from "../../engine/session-in-thread.ts";
import { demoPlan, hashesOf, runTo } from "../../snapshots/systems.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

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

const begun = (plan: SessionPlan, { state, memory }: KeptMilestone) => beginAtState(plan, state, memory)?.system;

/** The start of a run that begins with no snapshot. */
const START = { instructions: 0, time: 0 };

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

/** A session with a history in this thread. */
function started(plan: SessionPlan, { system, state }: Pick<Begun, "system" | "state">, kept?: KeptRun) {
  const ended = Promise.withResolvers<void>();
  let moved = () => {};
  const engine: Engine = new Engine(
    system,
    { ...plan, history: true },
    portOf(machinesOf(plan), (event) => {
      if (event.kind === "console") engine.taken(event.bytes.length);
      if (event.kind === "ended") ended.resolve();
      if (event.kind === "moved") moved();
    }),
    state,
    kept,
  );
  engine.start();
  const move: Moves = async (to) => {
    const done = new Promise<void>((resolve) => moved = resolve);
    engine.move(1, to);
    await done;
  };
  return { engine, ended: ended.promise, moved: move };
}

/** Runs a replay to its end, beginning with the last of a file's states. */
async function replayed({ plan, ...recording }: Recording, path: string): Promise<{ engine: Engine; file: StateFile; moved: Moves }> {
  const file = openStates(path)!, replay = { recording, verify: false, to: undefined, states: { path, begins: true } };
  const { states } = file, last = states.at(-1)!, there = beginAtState(plan, last.state, last.memory)!;
  const { engine, ended, moved } = started({ ...plan, replay }, there, { states, start: there.start });
  await ended;
  return { engine, file, moved };
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

/** A plan that begins with a snapshot of its machine. */
function fromSnapshot(plan: SessionPlan, folder: string): SessionPlan {
  const system = assemble(plan), path = `${folder}/a.snap`;
  runTo(system, 50_001);
  for (const _ of writeSnapshot(path, snapshotOf(system, plan, "")));
  return { ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } };
}

for (const from of ["its start", "a snapshot"]) {
  Deno.test(`a session from ${from} that is recorded leaves states: its first replay begins with that of the end`, () =>
    inFolder(async (folder) => {
      const whole = { ...await demoPlan(), turbo: true }, plan = from === "a snapshot" ? fromSnapshot(whole, folder) : whole;
      const path = `${folder}/a.rec`, record = { path, header: await recordingHeader(plan), states: `${folder}/` };
      const begun = beginSystem(plan);
      assert.ok("system" in begun);
      const { engine: session, ended } = started({ ...plan, record }, begun), first = session.present.instructions();
      const kept = new Set<number>(), history = () => session.present.memory().find(({ part }) => part === "history")!.used;
      /** So many states have been kept: each takes some memory. */
      const states = async (count: number) => {
        for (; kept.size <= count; kept.add(history())) await new Promise((resolve) => setTimeout(resolve, 10));
      };
      await states(1);
      session.input("hello", Uint8Array.of(0x74));
      await states(2);
      session.stop();
      await ended;
      const recording = await plannedRecording(path), bytes = Deno.readFileSync(path), end = recording.end!.end;
      const left = statesFile(record.states, createHash("sha256").update(bytes).digest("hex"));
      const { engine, file, moved } = await replayed(recording, left);
      using _file = file.file;
      const { moment, inputs } = file.states.at(-1)!;
      assert.deepEqual([inputs, moment], [1, { at: recording.end!.at, settled: true }]);
      assert.equal(hashesOf(engine.system), hashesOf(session.present));
      assert.deepEqual([engine.system.hashes.registers(), engine.system.hashes.memory()], [end.registers, end.memory]);
      assert.deepEqual(engine.present.places()[0], session.present.places()[0]);
      // Both before the first state and between two.
      const start = beginSystem(plan);
      assert.ok("system" in start);
      const past = new Past(start.system, recording.inputs), [one, two] = file.states.map(({ instructions }) => instructions);
      for (const count of [Math.floor((first + one) / 2), Math.floor((one + two) / 2)]) {
        while (!past.advance(count, Infinity));
        await moved({ kind: "instructions", count });
        assert.equal(hashesOf(engine.system), hashesOf(past.system), `${count}`);
      }
    }));
}

Deno.test("the end of a session waits for no more states than it can write", () => {
  const state = (...pages: number[]) => {
    const map = PageMap.EMPTY.with(pages.map((page) => [page, all[page]] as const));
    return { state: new KeptState(new Uint8Array(0), map) };
  };
  const all = Array.from({ length: 8 }, () => new Page(new Uint8Array(PAGE_SIZE))),
    states = [state(0, 1, 2, 3), state(4, 5), state(4, 5, 6)];
  const kept = [2, 3, 6, 7].map((pages) => writableAtEnd(states, pages * PAGE_SIZE).length);
  assert.deepEqual(kept, [0, 2, 2, 3]);
});

Deno.test("what was written before the state that a replay begins with is not known, and what was written later is", () =>
  inFolder(async (folder) => {
    const plan = { ...await demoPlan(), turbo: true }, path = `${folder}/a.states`;
    keep(path, { plan, inputs: [], checks: [], end: undefined });
    const { file, states } = openStates(path)!, present = begun(plan, states.at(-1)!)!;
    using _file = file;
    const run = new SessionRun(present, machinesOf(plan), undefined), never = { pa: present.machine.map.ramEnd - 8, length: 8 };
    run.begin({ states, start: START }, []);
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
