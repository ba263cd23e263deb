// Going back in a session: the past is the same run again.

import assert from "node:assert/strict";
import { encodeRequest } from "../../../src/machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { TAIL } from "../../../src/session/assembly/vms/consoles.ts";
import { momentOf, Past } from "../../../src/session/recordings/past/past.ts";
import { Random } from "../../support/random.ts";
import { planDemo } from "../../../src/app/configuration/plan-run.ts";
import { listQuery, type ListTable } from "../../../src/model/queries/query.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { writeElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { demoPlan } from "../snapshots/systems.ts";
import { LENGTH, Session } from "./session-in-thread.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { Move } from "../../../src/model/queries/move.ts";
import { problemText } from "../../../src/kit/support/problem.ts";
import { LONG } from "../../support/long.ts";

async function demo(options: Partial<SessionPlan> = {}): Promise<Session> {
  const result = await planDemo();
  assert.ok(result.ok);
  const { cpus, memory, seed, what, table } = result.run;
  return new Session({ cpus, memory, seed, turbo: true, what, table, ...options });
}

Deno.test("W52: an instruction on and one back restore the state hash, wherever the machine is", async () => {
  const session = await demo();
  await session.runAWhile();
  for (let step = 0; step < 3; step++) {
    const before = session.hashes;
    assert.equal(await session.move({ kind: "step", by: 1 }), undefined);
    const after = session.hashes;
    assert.notEqual(after, before);
    assert.equal(await session.move({ kind: "step", by: -1 }), undefined);
    assert.equal(session.hashes, before);
    assert.equal(await session.move({ kind: "step", by: 1 }), undefined);
    assert.equal(session.hashes, after);
  }
  session.engine.stop();
});

Deno.test("a long way on by instructions ends where it is when a client asks for that", async () => {
  const session = await demo();
  await session.runOn(1_000);
  session.engine.pause(true);
  await session.event("paused");
  const { engine } = session, before = engine.system.instructions(), by = 20_000_000;
  engine.move(1, { kind: "step", by });
  engine.move(2, { kind: "here" });
  const here = await session.event("moved");
  assert.deepEqual([here.id, here.error], [2, undefined]);
  const way = await session.event("moved");
  assert.deepEqual([way.id, way.error?.what], [1, "stopped before it got there"]);
  assert.ok(here.instructions >= before && here.instructions < before + by, `${here.instructions}`);
  // Several moments have one count, as host and RM retire no instructions.
  assert.equal(session.hashes, session.fromStart(momentOf(engine.present)));
  engine.stop();
});

Deno.test("back over the events of one turn that retires no instruction, one after the other", async () => {
  const session = await demo();
  await session.runAWhile(120_000);
  session.engine.act(1, { kind: "rpc.send", id: MEM_RECLAIM.id, payload: encodeRequest(MEM_RECLAIM, { handle: 1, flags: 0 }) });
  await session.event("acted");
  assert.equal(await session.move({ kind: "next-event", filter: `kind=rpc name=${MEM_RECLAIM.name}` }), undefined);
  for (let step = 0; step < 3; step++) {
    const before = session.engine.system.instructions();
    assert.equal(await session.move({ kind: "event", filter: "kind!=sched" }), undefined, `step ${step}`);
    assert.ok(session.engine.system.instructions() <= before);
  }
  session.engine.stop();
});

Deno.test("a place in the past is the same from wherever it is gone to, and now is where the machine was", async () => {
  const session = await demo();
  await session.runAWhile();
  const now = session.hashes;
  const total = session.engine.system.instructions();
  const places = [0.9, 0.2, 0.5].map((part) => Math.floor(part * total));
  const seen = new Map<number, string>();
  for (const count of [...places, ...places.toReversed()]) {
    assert.equal(await session.move({ kind: "instructions", count }), undefined);
    assert.equal(session.engine.system.instructions(), count);
    assert.equal(seen.get(count) ?? session.hashes, session.hashes);
    seen.set(count, session.hashes);
  }
  assert.equal(await session.move({ kind: "now" }), undefined);
  assert.equal(session.hashes, now);
  assert.equal(await session.move({ kind: "instructions", count: -1 }), "that is before the start");
  session.engine.stop();
});

Deno.test("a place later than the present is refused with what leads there, and the machine runs on; a mark is a place", async () => {
  const session = await demo(), { engine } = session;
  await session.runAWhile();
  const now = engine.present.instructions(), { time } = engine.present.machine;
  assert.equal(
    await session.move({ kind: "instructions", count: now + 7 }),
    `instruction ${now + 7} is later than the present, instruction ${now}; el2 on --by 7 lets the machine run up to there`,
  );
  assert.match(
    await session.move({ kind: "time", at: time + 1e9 }) ?? "",
    /^t=\d+\.\d{6}s is later than the present, t=\d+\.\d{6}s; el2 resume /,
  );
  assert.match(await session.move({ kind: "mark", name: "there" }) ?? "", /^there is no mark "there"; el2 mark there makes one/);
  assert.equal(engine.present.instructions(), now);
  assert.equal(await session.move({ kind: "time", at: time / 2 }), undefined);
  assert.ok(engine.system.machine.time >= time / 2);
  const { hashes } = session;
  engine.mark(1, { name: "there" });
  assert.equal((await session.event("acted")).error, undefined);
  assert.equal(await session.move({ kind: "now" }), undefined);
  assert.equal(await session.move({ kind: "mark", name: "there" }), undefined);
  assert.equal(session.hashes, hashes);
  session.engine.stop();
});

Deno.test("in the past consoles are what they had shown there, also after a way on and a way back", async () => {
  const session = await demo();
  // A console shows something from 24,000 instructions on: a hundredth of the run comes later.
  await session.runAWhile(3_000_000);
  const total = session.engine.system.instructions();
  const textsOf = (tails: readonly { readonly console: string; readonly bytes: Uint8Array }[]) =>
    tails.map(({ console, bytes }) => `${console}: ${new TextDecoder().decode(bytes)}`);
  const present = session.engine.present.consoles.save(), now = textsOf(present);
  let shorter = 0;
  for (const part of [0.9, 0.01]) {
    const count = Math.floor(part * total);
    session.engine.move(1, { kind: "instructions", count });
    const { past, consoles = [] } = await session.event("paused");
    assert.equal(past, true);
    const again = new Past(session.again(), session.engine.inputs);
    while (!again.advance(count, Infinity));
    assert.deepEqual(textsOf(consoles), textsOf(again.system.consoles.save()), String(count));
    // A console that has shown much has lost its beginning by now.
    const long = new Set(present.filter(({ bytes }) => bytes.length === TAIL).map(({ console }) => console));
    const short = consoles.filter(({ console }) => !long.has(console));
    assert.ok(short.length > 0);
    for (const text of textsOf(short)) assert.ok(now.some((one) => one.startsWith(text)), text);
    if (textsOf(consoles).join().length < now.join().length) shorter++;
    await session.event("moved");
  }
  assert.ok(shorter > 0);
  session.engine.move(1, { kind: "now" });
  assert.equal((await session.event("paused")).consoles, undefined);
  session.engine.stop();
});

Deno.test("what is recorded of events, and stop rules, are the present's while the past is shown", async () => {
  const session = await demo();
  const { engine } = session;
  engine.trace(["sched"]);
  await session.runAWhile();
  const rows = async (table: ListTable) => {
    engine.query(1, listQuery(table, {}));
    return (await session.event("answer")).answer.rows;
  };
  const [stats, events] = [await rows("trace.stats"), await rows("trace.events")];
  assert.ok(events.length > 0);
  engine.stopRule(2, { kind: "event", filter: "kind=state" });
  assert.equal((await session.event("acted")).error, undefined);
  assert.equal(await session.move({ kind: "instructions", count: 100_000 }), undefined);
  assert.deepEqual([await rows("trace.stats"), await rows("trace.events")], [stats, events]);
  assert.equal((await rows("stop.ls")).length, 1);
  engine.stop();
});

Deno.test("random steps back land on the exact state, from states that are kept on the way", async () => {
  const session = await demo({ history: true });
  await session.runAWhile();
  const { system } = session.engine;
  const total = system.instructions();
  const random = new Random(5);
  const seen = new Map<number, string>();
  for (let round = 0; round < (LONG ? 500 : 4); round++) {
    const count = Math.max(0, total - random.below(total));
    assert.equal(await session.move({ kind: "instructions", count }), undefined);
    seen.set(count, session.hashes);
  }
  // The same by a machine that starts at the beginning and never stops on the way.
  for (const [count, hashes] of [...seen].sort(() => random.below(3) - 1)) {
    if (seen.size > 20 && random.below(10) > 0) continue;
    assert.equal(session.fromStart(count), hashes, `at ${count} instructions`);
  }
  for (let round = 0; round < (LONG ? 500 : 3); round++) {
    const [count, hashes] = [...seen][random.below(seen.size)];
    assert.equal(await session.move({ kind: "instructions", count }), undefined);
    assert.equal(session.hashes, hashes, `at ${count} instructions`);
  }
  session.engine.stop();
});

Deno.test("W53: the past refuses what is typed and done, and says how to get out", async () => {
  const session = await demo();
  await session.runAWhile();
  await session.move({ kind: "step", by: -1000 });
  const before = session.hashes;
  session.engine.input("hello", new TextEncoder().encode("t"));
  session.engine.act(7, { kind: "vm.stop", vm: "hello", force: true });
  assert.match(
    problemText((await session.event("acted")).error!),
    /the past, which takes no input; return to the present first \(t n, el2 back --now\)/,
  );
  assert.equal(session.hashes, before);
  session.engine.pause(false);
  assert.equal((await session.event("paused")).paused, false);
  session.engine.stop();
});

Deno.test("a break is an input of the run: it is there again in every machine that goes through the past", async () => {
  const session = await demo();
  await session.runAWhile();
  session.engine.act(7, { kind: "console.break", console: "hello" });
  assert.equal((await session.event("acted")).error, undefined);
  assert.equal(await session.move({ kind: "step", by: LENGTH }), undefined);
  session.engine.act(8, { kind: "console.break", console: "nobody" });
  assert.match(problemText((await session.event("acted")).error!), /no console nobody; there are hello, ping, pong/);
  const count = session.engine.system.instructions() - 1000;
  assert.equal(await session.move({ kind: "instructions", count }), undefined);
  assert.equal(session.hashes, session.fromStart(count));
  const typed = session.engine.inputs.filter(({ input }) => input.kind === "console");
  assert.notEqual(session.hashes, session.fromStart(count, typed), "without the break it is another run");
  session.engine.stop();
});

Deno.test("back to an event or an instruction shows that, and says what it is; what there is not leaves the session where it is", async () => {
  const session = await demo({ history: true });
  const filter = "kind=hvc vm=ping name=msgqueue_send";
  session.engine.stopRule(1, { kind: "event", filter });
  const passed: string[] = [];
  for (let count = 0; count < 5; count++) {
    passed.push((await session.event("stopped")).text);
    if (count < 4) session.engine.pause(false);
  }
  const back = async (to: Move) => {
    session.engine.move(1, to);
    return await session.event("moved");
  };
  for (const text of passed.slice(1, -1).toReversed()) assert.equal((await back({ kind: "event", filter })).text, text);

  const before = session.engine.system.instructions();
  const { pc } = session.engine.system.samples.sample(0).find(({ name }) => name === "ping")!.vcpus[0];
  const { instructions, text } = await back({ kind: "place", at: `ping:${pc}` });
  assert.equal(text, `vm:ping at ${pc}`);
  assert.ok(instructions < before, `${instructions}, from ${before}`);
  assert.equal(session.hashes, session.fromStart(instructions));

  assert.match((await back({ kind: "event", filter: "kind=state name=running" })).text ?? "", /running/);
  const here = session.hashes;
  assert.match(
    (await back({ kind: "event", filter: "kind=psci name=nothing" })).error?.what ?? "",
    /no such event or instruction between the start and here/,
  );
  assert.match((await back({ kind: "place", at: "nobody:0x0" })).error?.what ?? "", /nobody/);
  assert.equal(session.hashes, here);
  assert.equal(await session.move({ kind: "now" }), undefined);
  session.engine.stop();
});

Deno.test("a step to the next event shows the events in their order, in the past and then in the machine, which runs for it", async () => {
  const session = await demo({ history: true });
  const filter = "kind=hvc vm=ping name=msgqueue_send";
  const go = async (to: Move) => {
    session.engine.move(1, to);
    return await session.event("moved");
  };
  // From the start of a machine that runs: the events as they happen.
  const passed: string[] = [];
  const places: number[] = [];
  for (let count = 0; count < 4; count++) {
    const { error, text, instructions } = await go({ kind: "next-event", filter });
    assert.equal(error, undefined);
    passed.push(text!);
    places.push(instructions);
  }
  assert.equal(new Set(passed).size, 4);
  assert.deepEqual(session.rows("stop.ls"), [], "no rule is left behind");
  // Back beyond all, and from one to the next.
  for (const text of passed.slice(0, -1).toReversed()) assert.equal((await go({ kind: "event", filter })).text, text);
  for (const [index, text] of passed.slice(1, -1).entries()) {
    const reached = await go({ kind: "next-event", filter });
    assert.deepEqual([reached.text, reached.instructions], [text, places[index + 1]]);
    assert.equal(session.hashes, session.fromStart(reached.instructions));
  }
  // The next move back leads to the event before, not to that of the first move.
  assert.equal((await go({ kind: "event", filter })).text, passed[1]);
  const end = await go({ kind: "next-event", filter: "kind=psci name=nothing" });
  assert.match(end.text ?? "", /now; no such event since/);
  assert.equal(session.engine.system, session.engine.present);
  assert.match((await go({ kind: "next-event", filter: "kind=" })).error?.what ?? "", /a value is missing/);
  assert.deepEqual(session.rows("stop.ls"), []);
  session.engine.move(2, { kind: "next-event", filter: "kind=psci name=nothing" });
  session.engine.pause(true);
  assert.match((await session.event("moved")).error?.what ?? "", /paused before such an event/);
  assert.deepEqual(session.rows("stop.ls"), []);
  session.engine.stop();
});

Deno.test("the places of a run are its start, the snapshots that were written, what is shown, and now", async () => {
  const session = await demo();
  await session.runAWhile();
  const file = await Deno.makeTempFile({ suffix: ".snap" });
  try {
    const now = session.engine.system.instructions();
    assert.equal(await session.move({ kind: "instructions", count: now - 5000 }), undefined);
    session.engine.snapshot(3, file, "demo");
    for (;;) {
      const { whole, error } = await session.event("snapshotted");
      assert.equal(error, undefined);
      if (whole) break;
    }
    assert.equal((await session.event("saved")).path, file);
    await session.move({ kind: "step", by: -1 });
    const kinds = () => session.rows("time.ls").map(({ kind, insn, file }) => [kind, Number(insn), file]);
    assert.deepEqual(kinds(), [
      ["start", 0, null],
      ["shown", now - 5001, null],
      ["snapshot", now - 5000, file],
      ["now", now, null],
    ]);
    await session.move({ kind: "now" });
    assert.deepEqual(kinds().map(([kind]) => kind), ["start", "snapshot", "now"]);
    // A snapshot that could not be written is not a place, nor is a temporary one.
    session.engine.snapshot(4, "/nowhere/x.snap", "demo");
    assert.ok((await session.event("snapshotted")).error);
    session.engine.snapshot(5, file, "demo", true);
    while (!(await session.event("snapshotted")).whole);
    assert.equal(kinds().length, 3);
    assert.equal(session.heard("saved"), false);
  } finally {
    await Deno.remove(file);
  }
  session.engine.stop();
});

Deno.test("a snapshot of a machine that has just stopped is refused, and is not a bug", async () => {
  const session = await demo();
  await session.runAWhile();
  session.engine.present.machine.stop({ kind: "crash", message: "its last VM has ended" });
  session.engine.snapshot(1, "/nowhere/x.snap", "demo");
  assert.equal((await session.event("snapshotted")).error?.what, "the machine has ended");
  session.engine.halt();
});

Deno.test("four snapshots are written at a time: each has a copy of the machine; one more is refused, and possible later", async () => {
  const session = await demo();
  await session.runAWhile();
  await inFolder(async (folder) => {
    for (let id = 1; id <= 5; id++) session.engine.snapshot(id, `${folder}/${id}`, "demo");
    const ends = new Map<number, string | undefined>();
    while (ends.size < 5) {
      const { id, whole, error } = await session.event("snapshotted");
      if (whole || error !== undefined) ends.set(id, error?.what);
    }
    assert.match(ends.get(5) ?? "", /^4 snapshots are being written already/);
    assert.deepEqual([1, 2, 3, 4].map((id) => ends.get(id)), [undefined, undefined, undefined, undefined]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["1", "2", "3", "4"]);
    session.engine.snapshot(6, `${folder}/6`, "demo", true);
    while (!(await session.event("snapshotted")).whole);
  });
  session.engine.stop();
});

Deno.test("a snapshot that its client gives up leaves the old file, says so, and makes room for another", async () => {
  const session = await demo();
  await session.runAWhile();
  await inFolder(async (folder) => {
    for (let id = 1; id <= 4; id++) {
      Deno.writeTextFileSync(`${folder}/${id}`, "old");
      session.engine.snapshot(id, `${folder}/${id}`, "demo");
    }
    session.engine.forget(2);
    const ends = new Map<number, string | undefined>();
    while (ends.size < 4) {
      const { id, whole, error } = await session.event("snapshotted");
      if (whole || error !== undefined) ends.set(id, error?.what);
    }
    assert.deepEqual([1, 2, 3, 4].map((id) => ends.get(id)), [undefined, "canceled", undefined, undefined]);
    assert.equal(Deno.readTextFileSync(`${folder}/2`), "old");
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["1", "2", "3", "4"]);
    session.engine.snapshot(5, `${folder}/2`, "demo", true);
    while (!(await session.event("snapshotted")).whole);
    assert.notEqual(Deno.readTextFileSync(`${folder}/2`), "old");
  });
  session.engine.stop();
});

Deno.test("symbol files that clients add to a session are bounded, and the places of snapshots", async () => {
  const plan = await demoPlan(), system = assemble(plan);
  const run = new SessionRun(system, () => assert.fail("no other machine"), undefined);
  const elf = writeElfSymbols([{ name: "entry", type: "T", address: 0x8000_0000n }]);
  for (let count = 0; count < 1024; count++) run.giveSymbols("hello", elf, undefined);
  assert.throws(() => run.giveSymbols("hello", elf, undefined), /a session takes at most 1024 symbol files, and 512MiB of them$/);
  for (let count = 0; count < 2000; count++) run.written({ kind: "snapshot", instructions: count, time: count, file: "/x" });
  const places = run.places(undefined).filter(({ kind }) => kind === "snapshot");
  assert.deepEqual([places.length, places.at(-1)?.instructions], [1024, 1999]);
});

Deno.test("a way to another place can be canceled: the place shown stays, and nothing continues by itself", async () => {
  const session = await demo();
  await session.runAWhile();
  const before = session.hashes;
  session.engine.move(1, { kind: "event", filter: "kind=psci name=nothing" });
  session.engine.move(2, { kind: "here" });
  assert.deepEqual([(await session.event("moved")).error?.what, (await session.event("moved")).error?.what], [
    undefined,
    "stopped before it got there",
  ]);
  assert.equal(session.hashes, before);
  await session.move({ kind: "instructions", count: 0 });
  session.engine.move(3, { kind: "next-event", filter: "kind=psci name=nothing" });
  session.engine.move(4, { kind: "here" });
  const [first, second] = [await session.event("moved"), await session.event("moved")];
  assert.deepEqual([first.error?.what, second.error?.what].toSorted(), ["stopped before it got there", undefined]);
  const place = session.hashes;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(session.hashes, place);
  assert.notEqual(session.engine.system, session.engine.present);
  session.engine.stop();
});

Deno.test("what happened before any guest has executed an instruction is gone back to from what happened later, whatever that was", async () => {
  const session = await demo();
  await session.runAWhile();
  const back = async (filter: string) => {
    session.engine.move(1, { kind: "event", filter });
    return await session.event("moved");
  };
  assert.match((await back("refused=yes kind=hvc")).text ?? "", /BUSY/);
  for (const kind of ["rpc", "ioctl"]) {
    const { instructions, text, error } = await back(`kind=${kind} name=${kind === "rpc" ? "VM_ALLOCATE" : "GH_CREATE_VM"}`);
    assert.equal(error, undefined);
    assert.equal(instructions, 0);
    assert.match(text ?? "", kind === "rpc" ? /VM_ALLOCATE/ : /GH_CREATE_VM/);
  }
  session.engine.stop();
});

Deno.test("a place that is shown has its virtual time: host and RM retire no instructions on the way", async () => {
  const session = await demo();
  await session.runAWhile();
  const times: number[] = [];
  for (const name of ["VM_START", "VM_ALLOCATE"]) {
    session.engine.move(1, { kind: "event", filter: `kind=rpc name=${name}` });
    const { time, instructions } = await session.event("moved");
    assert.equal(instructions, 0);
    times.push(time!);
  }
  assert.ok(times[0] > times[1], times.join(" "));
  session.engine.stop();
});
