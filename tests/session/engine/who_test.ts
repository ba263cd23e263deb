// Questions about the past to a session: answered one after the other, while it runs on.

import assert from "node:assert/strict";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { REGISTERS, WHO } from "../../../src/model/queries/tables.ts";
import { SymbolSearch } from "../../../src/inside/symbols/vm-symbols.ts";
import { imageOf } from "../../app/cli/program.ts";
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

Deno.test("a long search says how much of the run it has searched, more each time", async () => {
  const session = new Session(await demoPlan()), { engine } = session, { now } = performance;
  await session.runAWhile(120_000);
  // A second passes from one look at the clock to the next: each piece is reported.
  let time = now.call(performance);
  performance.now = () => time += 1000;
  try {
    engine.query(1, { table: "who", args: { at: "reg:hello/0/x0", limit: 10_000 } });
    const { id, done, all } = await session.event("searching"), later = await session.event("searching");
    assert.equal(id, 1);
    assert.equal(all, engine.present.instructions());
    assert.ok(done <= later.done && later.done <= all, `${done} ${later.done} of ${all}`);
  } finally {
    performance.now = now;
    engine.stop();
  }
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

/** Two words of memory, the second of which gets the first through registers. */
const COPIES = [0x10000002, 0xd2824681, 0xf9004041, 0xf9404043, 0xaa0303e4, 0xf9004444, 0x14000000];

/** A session whose host VM has executed these instructions and is paused, and where its PC is. */
async function pausedAfter(...instructions: number[]): Promise<{ readonly session: Session; readonly pc: bigint }> {
  const what = { kind: "boot", image: imageOf(instructions), initrd: undefined, dtb: undefined, append: undefined } as const;
  const session = new Session({ cpus: 1, memory: 8 << 20, seed: 1, turbo: true, what });
  // As far as that: a turn of the machine would execute millions, which each question goes through.
  session.engine.pause(true);
  await session.event("paused");
  assert.equal(await session.move({ kind: "step", by: 100 }), undefined);
  return { session, pc: session.engine.present.symbols.vcpus("host")[0].registers.pc };
}

Deno.test("a source line has been executed wherever it has code, and each place of it is gone back to", async () => {
  const { session, pc } = await pausedAfter(...COPIES), { engine } = session;
  const pieces = [2n, 4n].map((index) => pc - 4n * (BigInt(COPIES.length - 1) - index));
  engine.present.symbols.codeOf = () => pieces;
  const rows = rowsOf(WHO, await session.ask({ table: "who", args: { at: "host:a.c:1", access: "exec", size: 4, limit: 9 } }));
  assert.deepEqual(
    rows.slice(1).map(({ kind, pc, before }) => [kind, BigInt(pc ?? 0), before]),
    [["exec", pieces[0], "41 40 00 f9"], ["exec", pieces[1], "e4 03 03 aa"]],
  );
  for (const piece of pieces.toReversed()) {
    assert.equal(await session.move({ kind: "place", at: "host:a.c:1" }), undefined);
    assert.equal(engine.system.symbols.vcpus("host")[0].registers.pc, piece);
  }
  engine.stop();
});

Deno.test("a value is followed back to the instruction that computed it, through stores, loads and moves", async () => {
  const { session } = await pausedAfter(...COPIES), { engine } = session;
  const place = rowsOf(REGISTERS, await session.ask({ table: "vcpu.regs", args: { vcpu: "vcpu:host/0" } })).find(({ id }) =>
    id.endsWith("/x2")
  )!;
  const at = `va:host/0x${(BigInt(place.value) + 0x88n).toString(16)}`;
  const chain = rowsOf(WHO, await session.ask({ table: "who", args: { at, size: 8, back: 20 } }));
  assert.deepEqual(chain.map(({ instruction }) => instruction?.split(/\s+/).join(" ")), [
    "str x4, [x2, #136]",
    "mov x4, x3",
    "ldr x3, [x2, #128]",
    "str x1, [x2, #128]",
    "mov x1, #0x1234",
  ]);
  assert.deepEqual(chain.map(({ of }) => of?.split(":")[0]), ["va", "reg", "reg", "pa", "reg"]);
  assert.deepEqual(chain.map(({ after }) => after.includes("1234") || after.startsWith("34 12")), [true, true, true, true, true]);
  const short = rowsOf(WHO, await session.ask({ table: "who", args: { at, size: 8, back: 2 } }));
  assert.deepEqual(short, chain.slice(0, 2));
  engine.stop();
});

/**
 * A word A, a pointer to it, A again, a word B, the pointer to B, another A, another B: A is 0x80
 * bytes after the first instruction, B 0x88, the pointer 0x90.
 */
const POINTED = [
  ...[0x10000002, 0xd2824681, 0xf9004041, 0x91020045, 0xf9004845, 0xf9004041, 0xd28000e6],
  ...[0xf9004446, 0x91022047, 0xf9004847, 0xd2800128, 0xf9004048, 0xf9004448, 0x14000000],
];

Deno.test("who print finds the writes that change a value, wherever its pointers lead meanwhile", async () => {
  const { session, pc } = await pausedAfter(...POINTED), { engine } = session;
  const pointer = `0x${(pc - 4n * BigInt(POINTED.length - 1) + 0x90n).toString(16)}`, at = `host:**(unsigned long **)${pointer}`;
  const history = async (limit: number) => rowsOf(WHO, await session.ask({ table: "who", args: { at, access: "print", limit } }));
  const [first, ...changes] = await history(9);
  assert.equal(first.kind, "never");
  assert.match(first.before ?? "", /^<no vm:host/);
  assert.deepEqual(changes.map(({ kind, instruction, before, after }) => [kind, instruction?.split(/\s+/).join(" "), before, after]), [
    ["change", undefined, "<no vm:host; there are vm:rm>", "<not mapped>"],
    ["change", "str x5, [x2, #144]", "<not mapped>", "4660"],
    ["change", "str x7, [x2, #144]", "4660", "7"],
    ["change", "str x8, [x2, #136]", "7", "9"],
  ]);
  const [last] = await history(1);
  assert.deepEqual({ ...last, stack: null }, { ...changes[3], stack: null });
  const value = async (id: string) => {
    const [, count] = id.split(":");
    const { rows } = await session.ask({ table: "print", args: { at, before: { kind: "instructions", count: Number(count) } } });
    return rows[0]?.value;
  };
  assert.deepEqual(await Promise.all(changes.slice(2).map(({ id }) => value(id))), ["4660", "7"]);
  const wrong = await session.ask({ table: "who", args: { at: "host/0:$x0", access: "print" } });
  assert.match(wrong.error ?? "", /variables and registers of a frame come and go; name the VM alone/);
  engine.stop();
});
