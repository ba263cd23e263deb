// `--memory-budget`: no part of a session remembers more than its share, the machine runs on as
// without one, and what is lost at a limit is said.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { EVENTS_KEPT, traceCapacities } from "../../../src/session/assembly/system/machine-memory.ts";
import { SessionHub } from "../../../src/session/control/hub.ts";
import { CODE_BYTES } from "../../../src/cpu/core/translator/region-set.ts";
import type { Engine } from "../../../src/session/engine/engine.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { TRACE_KINDS } from "../../../src/machine/abi/trace.ts";
import { BUDGET_MIN, CODE_FACTOR, DEFAULT_LIMITS, EVENT_BYTES, memoryLimits } from "../../../src/model/plans/memory-budget.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import type { Move } from "../../../src/model/queries/move.ts";
import type { SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { SESSION_MEMORY } from "../../../src/model/queries/tables.ts";
import { History } from "../../../src/session/recordings/past/history.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { Machine, RAM_BASE } from "../../cpu/core/program.ts";
import { demoPlan, ofPages } from "../snapshots/systems.ts";
import { startEngine } from "./session-in-thread.ts";

const MIB = 1 << 20;

Deno.test("a budget is divided, all parts together are within it, and none gets more than without one", () => {
  for (const budget of [BUDGET_MIN, 100 * MIB, 2 ** 36]) {
    const limits = memoryLimits(budget);
    const sum = Object.values(limits).reduce((total, bytes) => total + bytes, 0);
    assert.ok(sum <= budget, `${sum} of ${budget}`);
    for (const [part, bytes] of Object.entries(limits)) assert.ok(bytes <= DEFAULT_LIMITS[part as keyof typeof limits], part);
  }
  assert.deepEqual(memoryLimits(2 ** 40), DEFAULT_LIMITS);
  assert.deepEqual(memoryLimits(undefined), DEFAULT_LIMITS);
  assert.deepEqual(traceCapacities(DEFAULT_LIMITS.traces), { log: 100_000, readers: 65_536, recorded: 500_000 });
});

/** A machine's report on its memory. */
function memoryOf(system: Pick<Engine["present"], "inspector">) {
  const rows = rowsOf(SESSION_MEMORY, system.inspector.answer({ table: "session.memory", args: {} }));
  return Object.fromEntries(rows.map((row) => [row.id, row]));
}

Deno.test("under a budget events are dropped, counted, and take no more than their share; the machine runs as without one", async () => {
  const plan = await demoPlan();
  const [free, bound] = [plan, { ...plan, memoryBudget: BUDGET_MIN }].map((one) => {
    const system = assemble(one);
    system.traceBuffer.start(TRACE_KINDS);
    system.log.watch(TRACE_KINDS);
    for (let turn = 0; turn < 600; turn++) {
      const result = system.machine.run(Infinity, 1);
      if (result.kind === "idle") system.machine.skipTo(result.next);
      system.consoles.drain();
      system.events.drain();
    }
    return system;
  });
  assert.equal(bound.hashes.registers(), free.hashes.registers());
  assert.equal(bound.hashes.memory(), free.hashes.memory());
  const traces = memoryOf(bound)["memory:traces"];
  assert.equal(traces.limit, memoryLimits(BUDGET_MIN).traces);
  assert.ok(Number(traces.dropped) > 0, "the limit was reached");
  assert.ok(Number(traces.used) > Number(traces.limit) / 2 && Number(traces.used) <= Number(traces.limit), `${traces.used}`);
  assert.equal(Number(memoryOf(free)["memory:traces"].dropped), 0);
});

Deno.test("under a budget translated code makes room for other code, with the same results", () => {
  const eager = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;
  const [free, bound] = [new Machine(eager), new Machine({ ...eager, codeBytes: 2000 })];
  // Many loops, one after another, each hot.
  const loops = 60, steps = 400;
  for (const machine of [free, bound]) {
    for (let loop = 0; loop < loops; loop++) {
      machine.load(RAM_BASE + 0x1000 + 16 * loop, [
        ["movz x1, #0x3e8", 0xd2807d01],
        ["subs x1, x1, #0x1", 0xf1000421],
        ["b.ne", 0x54ffffe1],
        ["add x0, x0, x1", 0x8b010000],
      ]);
    }
    machine.run(1, RAM_BASE + 0x1000);
    for (let step = 0; step < steps; step++) machine.run(200);
  }
  assert.equal(bound.registers(), free.registers());
  const dropped = ({ core }: Machine) => core.counters.translator?.evicted;
  const bytes = bound.core.counters.codeBytes, all = free.core.counters.codeBytes;
  assert.ok(dropped(bound), "nothing was dropped");
  assert.ok(bytes < 3000 && bytes < all, `${bytes} of ${all}`);
  assert.equal(dropped(free), 0);
});

Deno.test("states for going back take no more than the limit, even one alone; the state of the start stays", () => {
  const limit = 100 * 4096;
  for (const origin of [undefined, ofPages(500)]) {
    const history = new History(origin, limit);
    for (let count = 1; count < 50; count++) {
      history.add({ at: 10 * count, instructions: count, moment: count, inputs: 0, state: ofPages(count % 10 === 0 ? 200 : 30) });
      assert.ok(history.bytes <= limit, `${history.bytes}`);
    }
    assert.ok(history.dropped > 30);
    assert.equal(history.before(1)?.state.pages, origin?.pages);
    assert.ok(history.length > (origin ? 1 : 0));
  }
});

Deno.test("states have the memory that is given for them, unless a budget divides into it", async () => {
  const system = assemble(await demoPlan()), states = 20 * 2 ** 20, again = () => system;
  const limitOf = (room: object) => new SessionRun(system, again, undefined, room).memory().find(({ part }) => part === "history")?.limit;
  assert.equal(limitOf({ states }), states);
  assert.equal(limitOf({ states, budget: BUDGET_MIN }), memoryLimits(BUDGET_MIN).history);
  assert.equal(limitOf({}), DEFAULT_LIMITS.history);
});

Deno.test("the limits without a budget are those of the parts", () => {
  assert.equal(DEFAULT_LIMITS.code, CODE_BYTES * CODE_FACTOR);
  assert.equal(DEFAULT_LIMITS.traces, EVENTS_KEPT * EVENT_BYTES);
});

Deno.test("console output of all clients' consoles together takes no more than the limit", () => {
  const machine = { send() {}, onEvent(_event: SessionEvent) {}, close() {} };
  const hub = new SessionHub(machine, { name: "s", what: "", started: "", logs: undefined }, 100_000);
  for (let round = 0; round < 100; round++) {
    for (const console of ["a", "b", "c", "d"]) machine.onEvent({ kind: "console", console, bytes: new Uint8Array(1000) });
  }
  let kept = 0;
  hub.join({ readOnly: true, follow: true, patient: false }, (message) => kept += message.kind === "console" ? message.bytes.length : 0);
  assert.ok(kept > 90_000 && kept <= 104_000, `${kept}`);
});

/** An engine in this thread under the least budget, and what it says. */
async function session() {
  const plan: SessionPlan = { ...await demoPlan(), turbo: true, memoryBudget: BUDGET_MIN };
  const events: SessionEvent[] = [];
  let wake = () => {};
  const engine = startEngine(plan, (state) => state ? loaded(plan, state) : assemble(plan), (event) => {
    events.push(event);
    wake();
  });
  const event = async <K extends SessionEvent["kind"]>(kind: K) => {
    for (;;) {
      const at = events.findIndex((one) => one.kind === kind);
      if (at >= 0) return events.splice(at, 1)[0] as Extract<SessionEvent, { kind: K }>;
      await new Promise<void>((resolve) => wake = resolve);
    }
  };
  const move = async (to: Move) => {
    engine.move(1, to);
    return (await event("moved")).error;
  };
  return { engine, event, events, move };
}

Deno.test("where too much has entered, the way back is gone: going back and recording the run so far are refused, and why", async () => {
  const { engine, event, events, move } = await session();
  while (engine.present.instructions() < 100_000) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let count = 0; count < 20; count++) engine.input("hello", new Uint8Array(100_000).fill(0x20));
  engine.pause(true);
  await event("paused");
  const lost = /^the run before now is forgotten: more than 1638KiB of input entered \(--memory-budget\)$/;
  assert.match(engine.lost ?? "", lost);
  for (const to of [{ kind: "step", by: -1 }, { kind: "instructions", count: 1000 }, { kind: "event", filter: "kind=rpc" }] as const) {
    assert.match((await move(to))?.what ?? "", lost);
  }
  assert.equal(await move({ kind: "step", by: 1 }), undefined, "forward it goes");
  engine.saveRecording(7, "/nonexistent/a.rec");
  assert.match((await event("acted")).error?.what ?? "", lost);
  const { used, dropped, what } = memoryOf(engine.present)["memory:inputs"];
  assert.equal(used, 0);
  assert.ok(Number(dropped) >= 16, `${dropped}`);
  assert.match(String(what), lost);
  engine.pause(false);
  const before = engine.present.instructions();
  while (engine.present.instructions() < before + 10_000) await new Promise((resolve) => setTimeout(resolve, 1));
  const told = events.flatMap((one) => one.kind === "events" ? one.events : []).filter(({ text }) => text.includes("is forgotten"));
  assert.equal(told.length, 1, "it is said once");
  engine.stop();
});

Deno.test("data of sockets counts as what it holds", async () => {
  const plan = await demoPlan();
  const run = new SessionRun(assemble(plan), () => assemble(plan), undefined, { budget: BUDGET_MIN });
  const limit = memoryLimits(BUDGET_MIN).inputs, size = 1460;
  let forgotten = 0;
  run.observe({ forgotten: () => forgotten++ });
  const count = Math.ceil(limit / size);
  for (let index = 0; index < count; index++) {
    run.enter({ at: index, settled: false }, { kind: "outside", source: 1, data: { kind: "data", bytes: new Uint8Array(size) } });
  }
  assert.equal(forgotten, 1);
  assert.deepEqual(run.inputs, []);
});
