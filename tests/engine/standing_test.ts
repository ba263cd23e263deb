import assert from "node:assert/strict";
import { Standing } from "../../src/engine/standing.ts";
import type { Answer, Query } from "../../src/queries/query.ts";

const QUERY = { table: "queue.ls", args: {} } as const;

/** Numbers of the questions that are answered at a time. */
function at(standing: Standing, now: number): number[] {
  return standing.due(now).map(({ id }) => id);
}

Deno.test("a question is answered as often as it says, and no more", () => {
  const standing = new Standing();
  standing.add(1, QUERY, { times: 2, every: 0 }, 0);
  standing.add(2, QUERY, { times: 0, every: 0 }, 0);
  assert.deepEqual([at(standing, 200), at(standing, 400), at(standing, 600)], [[1], [1], []]);
});

Deno.test("a question that is asked for seldom is answered seldom, from its first answer on", () => {
  const standing = new Standing();
  standing.add(1, QUERY, { times: 9, every: 1000 }, 500);
  assert.deepEqual([1400, 1500, 1600, 2499, 2600, 3500, 3600].map((now) => at(standing, now).length), [0, 1, 0, 0, 1, 0, 1]);
});

Deno.test("what is forgotten is answered no more; what a client asks for too often ends in time", () => {
  const standing = new Standing();
  standing.add(1, QUERY, { times: 1e9, every: 0 }, 0);
  standing.add(2, QUERY, { times: 1e9, every: 0 }, 0);
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
      looks.push(args.after);
      return { table, at: { ns: "0", insn: "0" }, rows: [], dropped: 0, cursor: String(looks.length) };
    },
  };
}

Deno.test("a question that goes onward asks for what is behind its last answer, of the same machine only", () => {
  const standing = new Standing(), present = log(), past = log();
  const query = { table: "events", args: { limit: 9 } } as const;
  standing.add(1, query, { times: 5, every: 0, onward: true }, 0);
  standing.add(2, query, { times: 5, every: 0 }, 0);
  for (const from of [present, present, past, past, present]) standing.answer(1, query, from);
  assert.deepEqual([present.looks, past.looks], [[undefined, "1", undefined], [undefined, "1"]]);
  for (let look = 0; look < 2; look++) standing.answer(2, query, past);
  assert.deepEqual(past.looks.slice(2), [undefined, undefined], "another question has its own way");
});
