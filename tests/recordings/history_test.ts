// Which states of a run are kept, and from which one a place is reached.

import assert from "node:assert/strict";
import { History, type Milestone } from "../../src/recordings/history.ts";
import type { SystemState } from "../../src/state/system-state.ts";
import { ofPages } from "../snapshots/systems.ts";

const EMPTY: SystemState = { fields: new Uint8Array(0), pages: new Map() };

const milestone = (instructions: number, state = EMPTY): Milestone => ({
  at: 10 * instructions,
  instructions,
  moment: instructions,
  inputs: 0,
  state,
});

Deno.test("a place is reached from the last state before it, never from one with its own count", () => {
  const history = new History();
  assert.equal(history.before(100), undefined);
  for (const count of [300, 100, 200]) history.add(milestone(count));
  assert.equal(history.before(200)?.instructions, 100);
  assert.equal(history.before(201)?.instructions, 200);
  assert.equal(history.before({ at: 3000, settled: true })?.instructions, 200);
  assert.equal(history.before({ at: 3001, settled: false })?.instructions, 300);
  assert.equal(history.before(100), undefined);
});

Deno.test("a session that began with a state is never without it", () => {
  const history = new History(EMPTY);
  for (let count = 1; count < 500; count++) history.add(milestone(1000 * count));
  assert.equal(history.before(0)?.state.pages, EMPTY.pages);
  assert.ok(history.length < 60, `${history.length} states`);
});

Deno.test("states that share their pages cost nothing; others thin out what there is", () => {
  const history = new History();
  const shared = ofPages(20_000);
  for (let count = 1; count <= 20; count++) history.add(milestone(count, shared));
  assert.equal(history.length, 20);
  for (let count = 21; count <= 24; count++) history.add(milestone(count, ofPages(20_000)));
  assert.ok(history.length < 20, `${history.length} states`);
});

Deno.test("fields of a state are kept compressed, counted, and given back whole", () => {
  const history = new History(), fields = new Uint8Array(160_000);
  for (let at = 0; at < fields.length; at += 100) fields[at] = at / 100;
  for (let count = 1; count <= 60; count++) history.add(milestone(count, { fields, pages: new Map() }));
  assert.deepEqual(new Uint8Array(history.before(61)!.state.fields), fields);
  assert.ok(history.bytes > 1000 && history.bytes < history.length * fields.length / 20, `${history.bytes} bytes`);
});
