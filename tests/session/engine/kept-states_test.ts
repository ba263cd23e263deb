// A state that cannot be kept, restored or written is a reported problem of what wants it; the run
// continues.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { ContainedBug, System } from "../../../src/session/assembly/system/system.ts";
import { Engine } from "../../../src/session/engine/engine.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { Standing } from "../../../src/session/engine/standing.ts";
import { alone, type SessionPlan } from "../../../src/model/plans/plan.ts";
import type { SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { type Moment, momentOf } from "../../../src/session/recordings/past/past.ts";
import { PageFile } from "../../../src/session/state/page-file.ts";
import type { SystemState } from "../../../src/session/state/system-state.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { bootPlan, demoPlan, hashesOf, runTo } from "../snapshots/systems.ts";
import { UnsavableError } from "../../../src/session/state/parts.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import type { OverlayBacking } from "../../../src/machine/virtio/block/backing.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { problemText } from "../../../src/kit/support/problem.ts";

const BROKEN = new Error("left: 65536 is not a whole number from 0 to 1024");

/** A machine one of whose parts cannot be saved while `broken`. */
function fragile(plan: SessionPlan): { system: ReturnType<typeof assemble>; state: { broken: boolean } } {
  const system = assemble(plan), [part] = system.parts, state = { broken: false };
  const save = part.save.bind(part);
  part.save = () => {
    if (state.broken) throw BROKEN;
    return save();
  };
  return { system, state };
}

Deno.test("states that a bug keeps from being kept are reported once, and the way back is from the others", async () => {
  const plan = await bootPlan(), { system, state } = fragile(plan), problems: unknown[] = [];
  const again = (from?: SystemState) => from ? loaded(alone(plan), from) : assemble(alone(plan));
  const run = new SessionRun(system, again, undefined);
  run.observe({ problem: (error) => problems.push(error) });
  runTo(system, 1_000);
  run.keepNow();
  state.broken = true;
  for (const count of [2_000, 3_000]) {
    runTo(system, count);
    run.keepNow();
  }
  assert.deepEqual(problems, [BROKEN]);
  const moment = momentOf(system), past = run.pastAt(run.milestone(moment));
  assert.equal(past.system.instructions(), 1_000);
  while (!past.advance(moment, Infinity));
  assert.equal(hashesOf(past.system), hashesOf(system));
});

Deno.test("a state that cannot be restored is reported, and the way back begins before it", async () => {
  const plan = await bootPlan(), system = assemble(plan), problems: unknown[] = [];
  let refuses = false;
  const again = (from?: SystemState) => {
    if (from && refuses) throw BROKEN;
    return from ? loaded(alone(plan), from) : assemble(alone(plan));
  };
  const run = new SessionRun(system, again, undefined);
  run.observe({ problem: (error) => problems.push(error) });
  for (const count of [1_000, 2_000, 3_000]) {
    runTo(system, count);
    run.keepNow();
  }
  runTo(system, 4_000);
  refuses = true;
  const moment = momentOf(system), past = run.pastAt(run.milestone(moment));
  assert.deepEqual(problems, [BROKEN]);
  assert.equal(past.system.instructions(), 0);
  while (!past.advance(moment, Infinity));
  assert.equal(hashesOf(past.system), hashesOf(system));
  assert.equal(run.milestone(moment), undefined, "they are forgotten");
});

Deno.test("a snapshot that a bug prevents is an error of the request, and the machine continues", () =>
  inFolder(async (folder) => {
    const plan = await bootPlan(), { system, state } = fragile(plan), events: SessionEvent[] = [], bugs: ContainedBug[] = [];
    const port = {
      post: (event: SessionEvent) => void events.push(event),
      together: (work: () => void) => work(),
      standing: new Standing(),
      guarded: (work: () => void) => work(),
      contained: (bug: ContainedBug) => void bugs.push(bug),
      requested: () => false,
      lags: () => false,
      again: (): System => assemble(alone(plan)),
    };
    const engine = new Engine(system, plan, port);
    engine.start();
    engine.pause(true);
    state.broken = true;
    engine.snapshot(7, `${folder}/a.snapshot`, "a");
    const answer = events.find((event) => event.kind === "snapshotted");
    assert.match(problemText(answer!.error!), /the machine cannot be saved: Error: left: 65536 .*the machine continues/);
    assert.deepEqual(bugs.map(({ where, error }) => [where, error]), [["the snapshot", BROKEN]]);
    assert.equal(events.some(({ kind }) => kind === "failed" || kind === "ended"), false);
    engine.stop();
  }));

Deno.test("a disk with more changes than states may have: none is kept, a snapshot is refused by name, the way back is from before", async () => {
  const plan = await bootPlan(), system = assemble(plan), problems: unknown[] = [];
  const run = new SessionRun(system, () => assemble(alone(plan)), undefined);
  run.observe({ problem: (error) => problems.push(error) });
  runTo(system, 1_000);
  run.keepNow();
  const disk = { changed: 0 }, kept = () => run.memory().find(({ part }) => part === "history")!.used, sizes: number[] = [];
  system.overlays.push(disk);
  for (const [count, changed] of [[2_000, 100 * MiB], [3_000, 300 * MiB]]) {
    runTo(system, count);
    disk.changed = changed;
    run.keepNow();
    sizes.push(kept());
  }
  assert.equal(sizes[1], sizes[0]);
  runTo(system, 4_000);
  assert.equal(run.milestone(momentOf(system))!.instructions, 2_000);
  assert.deepEqual(problems, []);
  assert.ok(system.save());
  disk.changed = 2048 * MiB + 1;
  assert.throws(() => system.save(), new UnsavableError('the disks in mode "overlay" have 2GiB of changes', "a state can have 512MiB"));
  assert.equal(system.memory().find(({ part }) => part === "disks")?.used, disk.changed);
});

Deno.test("the changes of a disk in mode overlay are those of its machine", async () => {
  await inFolder(async (folder) => {
    const image = `${folder}/disk.img`;
    Deno.writeFileSync(image, new Uint8Array(1 << 20));
    const { what, ...plan } = await bootPlan();
    const system = assemble({ ...plan, what: { ...what, devices: [{ kind: "block", image, mode: "overlay" }] } as SessionPlan["what"] });
    const [overlay] = system.overlays as OverlayBacking[];
    overlay.write(4096, new Uint8Array(8192).fill(1));
    assert.equal(system.overlaid, 8192);
  });
});

Deno.test("states whose pages are in a file, as there is little memory, are those that were kept", () =>
  inFolder(async (folder) => {
    const plan = await demoPlan(), system = assemble(plan), places: { moment: Moment; hashes: string }[] = [];
    const file = PageFile.inFolder(folder, 64 * MiB),
      again = (state?: SystemState) => state ? loaded(alone(plan), state) : assemble(alone(plan));
    using _file = file.file;
    const run = new SessionRun(system, again, undefined, { budget: MiB, file });
    run.keepStates();
    for (let count = 20_000; count <= 200_000; count += 20_000) {
      runTo(system, count);
      run.keepNow();
      places.push({ moment: momentOf(system), hashes: hashesOf(system) });
    }
    const [memory, disk] = ["history", "history-disk"].map((part) => run.memory().find((one) => one.part === part)!);
    assert.ok(memory.used <= 1.2 * memory.limit! && disk.used > 0 && disk.used <= disk.limit!, `${memory.used}, ${disk.used}`);
    assert.equal(memory.dropped, 0);
    for (const { moment, hashes } of places) {
      const past = run.pastAt(run.milestone(moment));
      while (!past.advance(moment, Infinity));
      assert.equal(hashesOf(past.system), hashes);
    }
  }));

Deno.test("states that have no room are a long way back, which is said once, with the limit that is enough", async () => {
  const plan = await bootPlan(), system = assemble(plan), told: string[] = [];
  const run = new SessionRun(system, () => assemble(alone(plan)), undefined, { states: 4096 });
  run.observe({ far: (why) => told.push(why) });
  const row = () => run.memory().find(({ part }) => part === "history")!.what;
  for (const count of [1_000, 2_000, 3_000]) {
    runTo(system, count);
    run.keepPresent(1_400);
    if (count === 1_000) assert.deepEqual(told, []);
  }
  assert.deepEqual(told, ["going back may have to run for 2.8 s: one state needs 64MiB on the disk (--disk-budget, or disk in [history])"]);
  assert.equal(row(), told[0].replace("2.8", "4.2"), "what is shown is the way now");
});

Deno.test("the first state is kept after four fifths of the reach of going back", async () => {
  const plan = await bootPlan(), system = assemble(plan);
  runTo(system, 1_000);
  for (const { reach, first } of [{ reach: undefined, first: 800 }, { reach: 2500, first: 2000 }]) {
    const run = new SessionRun(system, () => assemble(alone(plan)), undefined, { reach });
    run.keepPresent(first - 1);
    assert.equal(run.milestones.length, 0);
    run.keepPresent(1);
    assert.equal(run.milestones.length, 1);
  }
});
