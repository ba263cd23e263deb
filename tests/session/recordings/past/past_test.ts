// The past is whole: whoever goes back finds what the first time showed, whatever was recorded by
// whom since.

import assert from "node:assert/strict";
import type { System } from "../../../../src/session/assembly/system/system.ts";
import { BUSY_KINDS } from "../../../../src/machine/abi/trace.ts";
import type { Row } from "../../../../src/model/queries/table.ts";
import { listQuery, type ListTable, listTables } from "../../../../src/model/queries/query.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { type Moment, momentOf, Past } from "../../../../src/session/recordings/past/past.ts";
import { demoPlan } from "../../snapshots/systems.ts";
import { Random } from "../../../support/random.ts";
import { Life, randomInput } from "../../engine/life.ts";
import { LONG } from "../../../support/long.ts";

/** Places of a run, and how often one of them is gone back to. */
const PLACES = LONG ? 100 : 20;
const DISTANCES = LONG ? 100 : 6;

/** The session's settings in the present, and digests that a test compares separately. */
const OTHERS = /^(stop|trace|time|hash|session)\b/;

/** The content of a machine in every table that needs no arguments. */
type Shown = Partial<Record<ListTable, readonly Row[]>>;

/** A rate is that between two looks. */
const RATES = new Set(["cpu", "exits_rate", "rate"]);

const withoutRates = (row: Row): Row => Object.fromEntries(Object.entries(row).filter(([name]) => !RATES.has(name))) as Row;

function shownBy(system: System): Shown {
  const shown: Shown = {};
  for (const table of listTables()) {
    if (OTHERS.test(table)) continue;
    const { rows, error } = system.inspector.answer(listQuery(table, { limit: 5000 }));
    if (error !== undefined) {
      assert.match(error, /^this query needs a session/);
      continue;
    }
    shown[table] = rows.map(withoutRates);
    // The busiest come first.
    if (table === "irq.ls") shown[table] = shown[table]?.toSorted((a, b) => String(a.id) < String(b.id) ? -1 : 1);
  }
  return shown;
}

/** A difference is one row, and not a list of thousands. */
function assertRows(rows: readonly Row[] = [], expected: readonly Row[] = [], what: string): void {
  const ids = new Set(rows.map(({ id }) => id)), wanted = new Set(expected.map(({ id }) => id));
  const missing = expected.filter(({ id }) => !ids.has(id)), more = rows.filter(({ id }) => !wanted.has(id));
  assert.deepEqual({ missing, more }, { missing: [], more: [] }, what);
  for (const [index, row] of expected.entries()) assert.deepEqual(rows[index], row, `${what}, row ${index}`);
}

for (const cpus of [1, 2]) {
  Deno.test(`every table of the past is what it was the first time, with ${cpus} physical CPU${cpus > 1 ? "s" : ""}`, async () => {
    const random = new Random(27 + cpus);
    const life = new Life(random, await demoPlan({ cpus }));
    const places: { readonly moment: Moment; readonly shown: Shown }[] = [];
    for (let place = 0; place < PLACES && !life.over; place++) {
      life.goOn();
      if (random.below(4) === 0) {
        life.system.inspector.watch(random.below(2) ? BUSY_KINDS : ["virq", "mem"], random.below(2) ? 500 : Infinity);
      }
      if (random.below(4) === 0) life.system.inspector.watch([]);
      life.system.inspector.renew();
      if (place > 16 && random.below(4) === 0) life.enter(randomInput(random));
      life.goOn();
      if (random.below(6) === 0) life.run.keepNow();
      places.push({ moment: momentOf(life.system), shown: shownBy(life.system) });
    }
    assert.ok(places.length > 15);
    assert.ok(places.at(-1)!.shown.why!.length > 1, "something was refused");
    for (let distance = 0; distance < DISTANCES; distance++) {
      const number = random.below(places.length);
      const { moment, shown } = places[number];
      const past = life.run.pastAt(life.run.milestone(moment));
      while (!past.advance(moment, Infinity));
      life.run.arrive(past);
      const again = shownBy(past.system);
      for (const table of listTables()) assertRows(again[table], shown[table], `${table} of place ${number}`);
    }
  });
}

Deno.test("a stop in the middle of a turn is found again, though guests had retired as many before it", async () => {
  const plan = await demoPlan({ cpus: 2 });
  const system = assemble(plan), { machine } = system;
  // No instruction executes while time passes; then a vCPU has its turn.
  for (let before = -1; !(machine.inTurn && before === system.instructions());) {
    before = system.instructions();
    if (machine.time > 0.5e9) system.stopAt(before);
    const result = machine.run(Infinity, 1);
    if (result.kind === "idle") machine.skipTo(result.next);
    system.stopAt(Infinity);
    assert.ok(machine.time < 5e9, "no turn was cut at its beginning");
    if (machine.inTurn && machine.boundary < 0.5e9) before = -1;
  }
  const past = new Past(assemble(plan), []);
  while (!past.advance(momentOf(system), Infinity));
  assert.deepEqual([momentOf(past.system), past.system.machine.time], [momentOf(system), machine.time]);
  assert.equal(past.system.hashes.registers(), system.hashes.registers());
});
