// Filters over time where events are listed, where a machine stops and where the past is searched.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { parseEventFilter } from "../../../src/model/queries/filters/temporal-filter.ts";
import { EVENTS } from "../../../src/model/queries/tables.ts";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { BackTo } from "../../../src/session/recordings/past/back-to.ts";
import { Past } from "../../../src/session/recordings/past/past.ts";
import type { Milestone } from "../../../src/session/recordings/past/history.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import { demoPlan, runTo } from "../snapshots/systems.ts";

const FILTERS = [
  "kind=msg before kind=virq",
  "last kind=msg before kind=virq within 1ms",
  "kind=msg name=send without name=receive within 1us",
  "kind=virq again",
];

const ask = ({ inspector }: System, filter: string, after?: string) =>
  inspector.answer({ table: "events", args: { filter, after, limit: 100_000, kinds: "msg,virq" } });

Deno.test("a list of events has those that match over time, at once and in parts", async () => {
  const system = assemble(await demoPlan());
  runTo(system, 117_000);
  system.inspector.watch(["msg", "virq"]);
  runTo(system, 117_500);
  const parts = FILTERS.map((filter) => [ask(system, filter)]);
  for (let at = 117_600; at <= 118_500; at += 300) {
    runTo(system, at);
    for (const [index, answers] of parts.entries()) answers.push(ask(system, FILTERS[index], answers.at(-1)!.cursor));
  }
  const all = rowsOf(EVENTS, ask(system, ""));
  for (const [index, filter] of FILTERS.entries()) {
    const matcher = parseEventFilter(filter, EVENTS).start(), found = new Set(all.flatMap((row) => [...matcher.see(row)]));
    const decided = all.filter((row) => found.has(row)).map(({ id }) => id);
    for (const row of matcher.reached(system.machine.time)) found.add(row);
    assert.deepEqual(ask(system, filter).rows.map(({ id }) => id), all.filter((row) => found.has(row)).map(({ id }) => id), filter);
    assert.ok(found.size > 1, filter);
    // In parts a row comes with the event that decides it, or with the end of a first question.
    const inParts = new Set(parts[index].flatMap(({ rows }) => rows.map(({ id }) => id)));
    for (const id of decided) assert.ok(inParts.has(id), `${filter}: ${id}`);
  }
});

Deno.test("a wrong filter over time is an error of the question, marked at its place", async () => {
  const { error } = ask(assemble(await demoPlan()), "kind=msg without kind=virq");
  assert.match(error ?? "", /without needs a time[^]*\^/);
});

Deno.test("a machine stops at the event that decides a filter over time, and goes back to it", async () => {
  const plan = await demoPlan(), filter = "kind=msg name=receive after kind=msg name=send within 1ms";
  const system = assemble(plan), seen: number[] = [], states: Milestone[] = [];
  runTo(system, 110_000);
  const memory = system.remember();
  states.push({
    at: system.machine.boundary,
    instructions: 110_000,
    moment: 110_000,
    inputs: 0,
    state: system.save(),
    memory: () => memory,
  });
  const run = new Past(assemble(plan), []);
  run.system.stops.change({ kind: "event", filter });
  run.onHit = () => {
    seen.push(run.system.instructions());
    return false;
  };
  assert.ok(run.advance(120_000, Infinity));
  assert.ok(seen.length > 2, `${seen.length}`);
  const rerun = {
    milestone: (moment: unknown) => states.findLast(({ instructions }) => instructions < (moment as number)),
    mayBeWritten: () => true,
    pastAt: (from: Milestone | undefined) => new Past(from ? loaded(plan, from.state) : assemble(plan), []),
  };
  const way = new BackTo({ rerun, moment: 120_000, instructions: 120_000, at: 0 }, { kind: "event", filter });
  let reached;
  while (!reached) reached = way.advance(Infinity);
  assert.ok(reached !== "none");
  assert.equal(reached.past.system.instructions(), seen.at(-1));
  assert.equal(reached.count, seen.length, "it was counted from the start");
});
