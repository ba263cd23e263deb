// Questions about the past to a session: answered one after the other, while it runs on.

import assert from "node:assert/strict";
import { rowsOf } from "../../src/queries/query.ts";
import { WHO } from "../../src/queries/tables.ts";
import { SymbolSearch } from "../../src/symbols/vm-symbols.ts";
import { demoPlan } from "../snapshots/systems.ts";
import { Session } from "./session-in-thread.ts";

Deno.test("a question about the past that is not awaited any more is given up, and the next is answered", async () => {
  const session = new Session(await demoPlan()), { engine } = session;
  await session.runAWhile(120_000);
  const ask = (id: number, limit: number) => engine.query(id, { table: "who", args: { at: "ipa:hello/0x80000000", size: 4, limit } });
  ask(1, 1);
  ask(2, 5);
  ask(3, 5);
  engine.forget(1);
  engine.forget(2);
  const { id, answer } = await session.event("answer");
  assert.equal(id, 3);
  assert.deepEqual(rowsOf(WHO, answer).map(({ kind }) => kind), ["never", "write"]);
  assert.equal(session.heard("answer"), false);
  engine.stop();
});

Deno.test("a question about the past leaves the session as it is", async () => {
  const session = new Session(await demoPlan()), { engine } = session;
  await session.runAWhile(120_000);
  const before = session.hashes;
  const { rows } = await session.ask({ table: "who", args: { at: "reg:hello/0/x0", limit: 3 } });
  assert.equal(rows.length, 3);
  assert.equal(session.hashes, before);
  engine.stop();
});

Deno.test("a question about the past searches for a kernel's symbols in pieces", async () => {
  const session = new Session(await demoPlan()), { engine } = session, { symbols } = engine.present;
  await session.runAWhile(120_000);
  let left = 3;
  const pieces = function* () {
    for (; left > 0; left--) yield;
  };
  symbols.nameOf = () => {
    if (left > 0) throw new SymbolSearch(pieces());
    return "sought+0x4";
  };
  const [row] = rowsOf(WHO, await session.ask({ table: "who", args: { at: "reg:hello/0/x0" } }));
  assert.equal(row.symbol, "sought+0x4");
  engine.stop();
});
