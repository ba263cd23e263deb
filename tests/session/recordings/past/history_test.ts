// Which states of a run are kept, and from which one a place is reached.

import assert from "node:assert/strict";
import { History, type Milestone } from "../../../../src/session/recordings/past/history.ts";
import { PageFile } from "../../../../src/session/state/page-file.ts";
import { Page, PageMap } from "../../../../src/session/state/page-map.ts";
import type { SystemState } from "../../../../src/session/state/system-state.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { ofPages } from "../../snapshots/systems.ts";

const EMPTY: SystemState = { fields: new Uint8Array(0), pages: PageMap.EMPTY };

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

Deno.test("of states with the same count the furthest is kept: the end of a run, reached by waiting, is the last", () => {
  const history = new History(),
    moments: Milestone["moment"][] = [
      { at: 1000, settled: false },
      { at: 1000, settled: true },
      { at: 1000, settled: false },
      { turn: 1000, instructions: 100 },
      { at: 1000, settled: true },
      { at: 1500, settled: false },
      { turn: 1200, instructions: 100 },
    ];
  const kept = moments.map((moment) => {
    const at = typeof moment === "object" && "turn" in moment ? moment.turn : typeof moment === "object" && "at" in moment ? moment.at : 0;
    history.add({ ...milestone(100), at, moment });
    assert.equal(history.length, 1);
    return moments.indexOf(history.milestones[0].moment);
  });
  assert.deepEqual(kept, [0, 1, 1, 3, 3, 5, 5]);
  assert.equal(history.before({ at: 1000, settled: true }), undefined);
});

Deno.test("a session that began with a state is never without it", () => {
  const history = new History(EMPTY);
  for (let count = 1; count < 500; count++) history.add(milestone(1000 * count));
  assert.equal(history.before(0)?.state.pages, EMPTY.pages);
  assert.equal(history.length, 500);
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
  for (let count = 1; count <= 60; count++) history.add(milestone(count, { fields, pages: PageMap.EMPTY }));
  assert.deepEqual(new Uint8Array(history.before(61)!.state.fields), fields);
  assert.ok(history.bytes > 1000 && history.bytes < history.length * fields.length / 20, `${history.bytes} bytes`);
});

Deno.test("states that are missed least go first: what remains is spread over the whole run, and its bytes are counted", () => {
  const history = new History(undefined, 61 * PAGE_SIZE);
  let pages = PageMap.EMPTY;
  for (let count = 1; count <= 500; count++) {
    // Each state changes two pages, of which the next state changes one.
    pages = pages.with([count % 16, (count + 1) % 16].map((page) => [page, new Page(new Uint8Array(PAGE_SIZE))]));
    history.add({ ...milestone(count), state: { fields: EMPTY.fields, pages } }, 250 * count);
    assert.ok(history.bytes <= 61 * PAGE_SIZE, `${history.bytes} bytes after ${count}`);
    if (count === 20) assert.equal(Math.floor(history.bytes / PAGE_SIZE), 40);
  }
  assert.equal(history.upTo(500)!.instructions, 500, "the last one stays");
  const kept = new Set(Array.from({ length: 500 }, (_, count) => history.upTo(count)?.instructions ?? 0));
  const places = [...kept], ways = places.slice(1).map((place, index) => place - places[index]);
  assert.ok(Math.max(...ways) <= 8 * Math.min(...ways.slice(0, -2)), ways.join());
});

Deno.test("a state between two others is weighed by its place between them", () => {
  const history = new History();
  history.add(milestone(1000), 100);
  history.add(milestone(2000), 200);
  // Two looks at one place: a state near another one is missed least.
  for (const count of [1010, 1500]) history.add(milestone(count));
  const shared = ofPages(1);
  for (let count = 1; count <= 1021; count++) history.add({ ...milestone(2000 + 1000 * count), state: shared }, 200 + 100 * count);
  assert.equal(history.upTo(1499)!.instructions, 1000);
  assert.equal(history.upTo(1999)!.instructions, 1500);
});

Deno.test("pages that have no room in memory go into a file, and none is lost while that has room", () =>
  inFolder((folder) => {
    const file: PageFile = PageFile.inFolder(folder, 400 * PAGE_SIZE);
    using _file = file.file;
    const history = new History(undefined, 41 * PAGE_SIZE, file);
    const keep = (count: number) => {
      const pages = PageMap.EMPTY.with([[7, new Page(new Uint8Array(PAGE_SIZE).fill(count))], [
        count,
        new Page(new Uint8Array(PAGE_SIZE).fill(1)),
      ]]);
      history.add({ ...milestone(count), state: { fields: EMPTY.fields, pages } }, 250 * count);
      assert.ok(history.bytes <= 41 * PAGE_SIZE && history.stored <= file.room, `${history.bytes}, ${history.stored} after ${count}`);
    };
    for (let count = 100; count < 250; count++) keep(count);
    assert.deepEqual([history.length, history.dropped], [150, 0]);
    for (let count = 100; count < 250; count++) {
      const { pages } = history.upTo(count)!.state;
      assert.deepEqual([...pages].map(([page, { bytes }]) => [page, bytes[5]]), [[7, count], [count, 1]]);
    }
    for (let count = 250; count < 400; count++) keep(count);
    assert.ok(history.dropped > 0 && history.length > 100, `${history.length}`);
    history.clear();
    assert.deepEqual([history.bytes, history.stored], [0, 0]);
  }));

Deno.test("a history that is too small knows the longest way between its states, and the room with which that is a second", () => {
  /** 200 states, 250 ms apart, in which the same twelve pages of 240 change. */
  const filled = (limit: number): History => {
    const history = new History(undefined, limit);
    let { pages } = ofPages(240);
    for (let count = 1; count <= 200; count++) {
      pages = pages.with(Array.from({ length: 12 }, (_, page) => [page, new Page(new Uint8Array(PAGE_SIZE))]));
      history.add({ ...milestone(count), state: { fields: EMPTY.fields, pages } }, 250 * count);
    }
    return history;
  };
  const history = filled(300 * PAGE_SIZE), longest = history.farthest(50_000);
  const kept = [0, ...Array.from({ length: 200 }, (_, count) => history.upTo(count + 1)?.instructions ?? 0)];
  const ways = kept.map((place, index) => 250 * (place - (kept[index - 1] ?? 0)));
  assert.equal(longest, Math.max(...ways));
  assert.ok(longest > 1500, `${longest}`);
  assert.equal(history.farthest(90_000), 40_000, "the way to the present counts");
  const room = history.roomFor(1000, 50_000)!;
  assert.ok(filled(room).farthest(50_000) <= 1000);
  assert.equal(history.roomFor(1, 50_000), undefined, "too many states");
});

Deno.test("a state that alone is larger than the limit is remembered by its size", () => {
  const history = new History(undefined, 20 * PAGE_SIZE);
  history.add({ ...milestone(1), state: ofPages(30) }, 2000);
  assert.ok(history.length === 0 && history.unfit! >= 30 * PAGE_SIZE, `${history.unfit}`);
  assert.equal(history.farthest(2500), 2500);
  history.add({ ...milestone(2), state: ofPages(10) }, 2500);
  assert.equal(history.unfit, undefined);
});
