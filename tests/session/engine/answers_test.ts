// An answer that takes long is in pieces: others are answered meanwhile, while the machine waits,
// and it is about one place.

import assert from "node:assert/strict";
import type { Answer, Query } from "../../../src/model/queries/query.ts";
import { type InPieces, whole } from "../../../src/kit/support/values/work.ts";
import { bootPlan } from "../snapshots/systems.ts";
import { Session } from "./session-in-thread.ts";

const PLAN = await bootPlan({});
const LONG_ONE: Query = { table: "diagnose", args: {} }, SHORT: Query = { table: "mem.map", args: {} };

/** A session in whose machine one question is answered in so many pieces. */
async function sessionOf(pieces: number, meanwhile: (piece: number) => void = () => {}): Promise<Session> {
  const session = new Session(PLAN), { inspector } = session.engine.present;
  await session.runOn(1000);
  const answering = inspector.answering.bind(inspector);
  inspector.answering = function* (query): InPieces<Answer> {
    for (let piece = 1; query.table === LONG_ONE.table && piece < pieces; piece++) {
      meanwhile(piece);
      yield;
    }
    return yield* answering(query);
  };
  inspector.answer = (query) => whole(answering(query));
  return session;
}

Deno.test("other questions are answered between the pieces of an answer, while the machine waits", async () => {
  const session = await sessionOf(4), { engine } = session;
  const place = () => engine.present.instructions();
  engine.query(1, LONG_ONE);
  const begun = place(), answered: number[] = [];
  for (let id = 2; answered.at(-1) !== 1; id++) {
    engine.query(id, SHORT);
    answered.push((await session.event("answer")).id);
    if (answered.at(-1) !== 1) assert.equal(place(), begun);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.ok(answered.length > 3, `${answered}`);
  // Nobody waits any more.
  while (place() === begun) await new Promise((resolve) => setTimeout(resolve, 0));
  engine.halt();
});

Deno.test("an answer whose place is left between two pieces is made again at the new one, at once", async () => {
  let begun = 0;
  const session = await sessionOf(4, (piece) => {
    if (piece === 2) engine.present.machine.places++;
    if (piece === 1) begun++;
  });
  const { engine } = session;
  engine.query(1, LONG_ONE);
  const { answer } = await session.event("answer");
  assert.deepEqual([answer.error, answer.rows.length, begun], [undefined, 1, 1]);
  engine.halt();
});

Deno.test("what fails in a later piece is one answer that says so", async () => {
  const session = await sessionOf(4, (piece) => {
    if (piece === 2) throw new Error("defect of a reader");
  });
  const { engine } = session;
  Object.assign(engine.port, { contained: () => {} });
  engine.query(1, LONG_ONE);
  assert.match((await session.event("answer")).answer.error ?? "", /diagnose cannot be answered: .*defect of a reader/);
  engine.halt();
});
