import assert from "node:assert/strict";
import { Standing } from "../../../src/session/engine/standing.ts";
import type { Answer, Query } from "../../../src/model/queries/query.ts";

const QUERY = { table: "queue.ls", args: {} } as const;

/** Numbers of the questions that are answered at a time. */
function at(standing: Standing, now: number, from: Parameters<Standing["answer"]>[2] = log()): number[] {
  return standing.due(now).filter(({ id, query }) => standing.answer(id, query, from)).map(({ id }) => id);
}

/** Asks a question, and answers it for the first time. */
function ask(standing: Standing, id: number, times: number, every: number, now: number): void {
  standing.add(id, QUERY, { times, every }, now);
  assert.ok(standing.answer(id, QUERY, log()));
}

Deno.test("a question is answered as often as it says, and no more", () => {
  const standing = new Standing();
  ask(standing, 1, 2, 0, 0);
  ask(standing, 2, 0, 0, 0);
  assert.deepEqual([at(standing, 200), at(standing, 400), at(standing, 600)], [[1], [1], []]);
});

Deno.test("a question that is asked for seldom is answered seldom, from its first answer on", () => {
  const standing = new Standing();
  ask(standing, 1, 9, 1000, 500);
  assert.deepEqual([1400, 1500, 1600, 2499, 2600, 3500, 3600].map((now) => at(standing, now).length), [0, 1, 0, 0, 1, 0, 1]);
});

Deno.test("what is forgotten is answered no more; what a client asks for too often ends in time", () => {
  const standing = new Standing();
  ask(standing, 1, 1e9, 0, 0);
  ask(standing, 2, 1e9, 0, 0);
  standing.forget(1);
  let answers = 0;
  while (at(standing, ++answers).includes(2)) assert.ok(answers < 1000);
  assert.equal(answers - 1, 100);
});

/** A log that has a row more at each look. */
function log(): { looks: (string | undefined)[]; answer(query: Query): Answer } {
  const looks: (string | undefined)[] = [];
  return {
    looks,
    answer({ table, args }) {
      looks.push("after" in args ? args.after : undefined);
      return { table, at: { ns: "0", insn: "0" }, rows: [], dropped: 0, cursor: String(looks.length) };
    },
  };
}

Deno.test("a question that goes onward asks for what follows its last answer, of the same machine only", () => {
  const standing = new Standing(), present = log(), past = log();
  const query = { table: "events", args: { limit: 9 } } as const;
  standing.add(1, query, { times: 5, every: 0, onward: true }, 0);
  standing.add(2, query, { times: 5, every: 0 }, 0);
  for (const from of [present, present, past, past, present]) standing.answer(1, query, from);
  assert.deepEqual([present.looks, past.looks], [[undefined, "1", undefined], [undefined, "1"]]);
  for (let look = 0; look < 2; look++) standing.answer(2, query, past);
  assert.deepEqual(past.looks.slice(2), [undefined, undefined], "another question has its own way");
});

Deno.test("a state is answered again only when it has changed, and as often as the client awaits; what happens always", () => {
  const standing = new Standing();
  const state: { load: number; cursor?: string } = { load: 0 };
  const machine = {
    answer: ({ table }: Query): Answer => ({
      table,
      at: { ns: "0", insn: "0" },
      rows: [{ id: "mq:1", load: state.load, waits: ["a"] }],
      dropped: 0,
      cursor: state.cursor,
    }),
  };
  standing.add(1, QUERY, { times: 5, every: 0 }, 0);
  assert.ok(standing.answer(1, QUERY, machine));
  const answered = () => at(standing, 0, machine).length;
  assert.deepEqual([answered(), answered(), answered()], [1, 0, 0], "once more: screens compare two answers");
  state.load++;
  assert.deepEqual([answered(), answered(), answered()], [1, 1, 0]);
  state.cursor = "7";
  assert.deepEqual([answered(), answered(), answered()], [1, 1, 0], "five in all");
});
