// Lists of events: new rows are appended.

import assert from "node:assert/strict";
import { TablePane } from "../../../src/app/tui/panes/table-pane.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import { EVENTS, VCPUS } from "../../../src/model/queries/tables.ts";
import { phoneRows } from "./phone.ts";
import { Rig } from "./rig.ts";

const ROWS = phoneRows("events");

/** An answer with events of these numbers. */
function answer(numbers: readonly number[], after?: string, dropped = 0): Answer {
  const rows = numbers.map((number) => ({ ...ROWS[number % ROWS.length], id: `ev:${number}` }));
  return { table: "events", at: { ns: "0", insn: "0" }, rows, dropped, cursor: "x", ...after !== undefined && { after } };
}

function titleText(pane: TablePane): string {
  return JSON.stringify(pane.title());
}

function numbers(pane: TablePane): number[] {
  return pane.rows.map(({ id }) => Number(id.slice("ev:".length)));
}

const range = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

Deno.test("who follows events sees those that come behind the others, and as many as are asked for", () => {
  const pane = new TablePane({ name: "events", table: EVENTS, title: "events", stream: true });
  const limit = pane.queries()?.args.limit;
  assert.ok(limit && pane.onward);
  pane.receive(answer(range(0, 3)));
  pane.receive(answer([3, 4], "1.1", 7));
  pane.receive(answer([], "1.2"));
  assert.deepEqual(numbers(pane), [0, 1, 2, 3, 4]);
  assert.match(titleText(pane), /7 older gone/);
  pane.receive(answer(range(5, limit), "1.2"));
  assert.deepEqual(numbers(pane), range(5, limit));
  assert.equal(pane.selectedId, `ev:${limit + 4}`);
  pane.receive(answer([100]));
  assert.deepEqual(numbers(pane), [100], "an answer from the start replaces what was there");
  assert.doesNotMatch(titleText(pane), /lost/);
});

Deno.test("who looks around in events keeps more of them than who follows", () => {
  const pane = new TablePane({ name: "events", table: EVENTS, title: "events", stream: true });
  pane.receive(answer(range(0, 16)));
  pane.move(-1);
  assert.ok(pane.queries()!.args.limit! > 16);
  pane.receive(answer(range(16, 4), "1.1"));
  assert.deepEqual(numbers(pane), range(0, 20));
  assert.equal(pane.selectedId, "ev:14");
});

Deno.test("lists of what is there now are asked for whole", () => {
  const pane = new TablePane({ name: "vcpus", table: VCPUS, title: "vCPUs" });
  assert.equal(pane.onward, false);
});

Deno.test("in the past a stream goes until then", async () => {
  const rig = new Rig();
  await rig.type("9");
  assert.match(await rig.text(), /Events =+ o follows/);
  rig.apply({ kind: "paused", paused: true, past: true });
  assert.match(await rig.text(), /Events =+ until then/);
});
