// Events by millisecond and kind, as the rows of events have them.

import assert from "node:assert/strict";
import { assemble } from "../../../../../src/session/assembly/assemble.ts";
import { rowsOf } from "../../../../../src/model/queries/query.ts";
import type { RowOf } from "../../../../../src/model/queries/table.ts";
import { DENSITY, EVENTS } from "../../../../../src/model/queries/tables.ts";
import { demoPlan, runTo } from "../../../snapshots/systems.ts";

/** Counts by millisecond and kind: events, and the refused ones. */
function countsOf(events: readonly RowOf<typeof EVENTS>[]): Map<string, [number, number]> {
  const counts = new Map<string, [number, number]>();
  for (const { t, kind, refused } of events) {
    const key = `${Math.floor(Number(t) / 1e6)} ${kind}`, [all, bad] = counts.get(key) ?? [0, 0];
    counts.set(key, [all + 1, bad + Number(refused)]);
  }
  return counts;
}

Deno.test("the density counts the events of each millisecond and kind, at once and in parts", async () => {
  const system = assemble(await demoPlan()), { inspector } = system;
  inspector.watch(["hvc", "trap", "virq"]);
  const parts = new Map<string, [number, number]>();
  let after: string | undefined;
  for (let at = 20_000; at <= 120_000; at += 10_000) {
    runTo(system, at);
    const part = inspector.answer({ table: "density", args: { limit: 100_000, after } });
    for (const { t, kind, events, refused } of rowsOf(DENSITY, part)) {
      const key = `${Number(t) / 1e6} ${kind}`, [all, bad] = parts.get(key) ?? [0, 0];
      parts.set(key, [all + events, bad + refused]);
    }
    after = part.cursor;
  }
  const wanted = countsOf(rowsOf(EVENTS, inspector.answer({ table: "events", args: { limit: 100_000 } })));
  assert.ok(wanted.size > 3);
  const rows = rowsOf(DENSITY, inspector.answer({ table: "density", args: { limit: 100_000 } }));
  assert.deepEqual(new Map(rows.map(({ t, kind, events, refused }) => [`${Number(t) / 1e6} ${kind}`, [events, refused]])), wanted);
  assert.deepEqual(parts, wanted);
  assert.deepEqual(rows.map(({ t }) => Number(t)), rows.map(({ t }) => Number(t)).sort((a, b) => a - b));
  const calls = rowsOf(DENSITY, inspector.answer({ table: "density", args: { kinds: "hvc", filter: "events>1" } }));
  assert.ok(calls.length > 0 && calls.every(({ kind, events }) => kind === "hvc" && events > 1));
});
