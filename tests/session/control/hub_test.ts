import assert from "node:assert/strict";
import fc from "fast-check";
import type { SessionClient } from "../../../src/session/worker/client.ts";
import { changes, CLIENT_KINDS, type ClientMessage, type ServerMessage } from "../../../src/session/control/conversation.ts";
import { SessionHub } from "../../../src/session/control/hub.ts";
import { problemIn } from "../../../src/model/queries/query.ts";
import type { Problem } from "../../../src/kit/support/problem.ts";
import { encodeMessage, MessageReader } from "../../../src/session/control/wire.ts";
import type { Request } from "../../../src/model/protocol/protocol.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const MIB = 1 << 20;

function machine(): SessionClient & { sent: Request[] } {
  const sent: Request[] = [];
  return { sent, send: (request) => sent.push(request), onEvent() {}, close() {} };
}

function hub(of: SessionClient, consoleLimit = MIB): SessionHub {
  return new SessionHub(of, { name: "test", what: "test", started: "", logs: undefined }, consoleLimit);
}

const BEHIND = { readOnly: false, follow: true, patient: false };

Deno.test("who joins later sees what the consoles showed", () => {
  const vm = machine(), session = hub(vm);
  vm.onEvent({ kind: "console", console: "a", bytes: bytes("before\n") });
  const heard: ServerMessage[] = [];
  session.join(BEHIND, (message) => heard.push(message));
  vm.onEvent({ kind: "console", console: "a", bytes: bytes("after\n") });
  assert.deepEqual(heard.map((message) => message.kind === "console" && new TextDecoder().decode(message.bytes)), ["before\n", "after\n"]);
});

Deno.test("who joins later hears of the last snapshot that was saved, and who is there of each", () => {
  const vm = machine(), session = hub(vm);
  const early: ServerMessage[] = [], late: ServerMessage[] = [];
  session.join(BEHIND, (message) => early.push(message));
  for (const path of ["/a.snap", "/b.snap"]) vm.onEvent({ kind: "saved", path });
  session.join(BEHIND, (message) => late.push(message));
  assert.deepEqual(early, ["/a.snap", "/b.snap"].map((path) => ({ kind: "saved", path })));
  assert.deepEqual(late, [{ kind: "saved", path: "/b.snap" }]);
});

const textOf = (message: ServerMessage) => message.kind === "console" ? new TextDecoder().decode(message.bytes) : message.kind;

Deno.test("a client that names consoles gets their output alone, earlier and later", () => {
  const vm = machine(), session = hub(vm);
  const show = (text: string) =>
    ["a", "b"].forEach((console) => vm.onEvent({ kind: "console", console, bytes: bytes(`${console} ${text}`) }));
  show("before");
  const heard: ServerMessage[] = [], options = { ...BEHIND, consoles: ["b", "none"] };
  assert.deepEqual(session.kept(options), { b: 8 });
  session.join(options, (message) => heard.push(message));
  show("after");
  assert.deepEqual(heard.map(textOf), ["b before", "b after"]);
});

Deno.test("a client learns which output of a console came before its last input", () => {
  const vm = machine(), session = hub(vm), show = (text: string) => vm.onEvent({ kind: "console", console: "a", bytes: bytes(text) });
  const { send } = session.join(BEHIND, () => {});
  assert.deepEqual(session.beforeInput(BEHIND), {});
  show("login: ");
  send({ kind: "input", console: "a", bytes: bytes("root\n") });
  show("# ");
  assert.deepEqual(session.beforeInput(BEHIND), { a: 7 });
  send({ kind: "act", id: 1, action: { kind: "console.break", console: "a" } });
  assert.deepEqual([session.beforeInput(BEHIND), session.kept(BEHIND)], [{ a: 9 }, { a: 9 }]);
  assert.deepEqual(session.beforeInput({ ...BEHIND, consoles: ["b"] }), {});
});

Deno.test("who joins later gets all that the consoles have kept, as fast as it takes it, and what comes meanwhile after it", () => {
  const vm = machine(), session = hub(vm, 4 * MIB);
  const shown: Record<string, string> = { a: "", b: "" }, heard: Record<string, string> = { a: "", b: "" };
  const show = (console: string, text: string) => {
    vm.onEvent({ kind: "console", console, bytes: bytes(text) });
    shown[console] += text;
  };
  for (let i = 0; i < 6000; i++) for (const console of ["a", "b"]) show(console, `line ${i} ${".".repeat(100)}\n`);
  assert.deepEqual(session.kept(BEHIND), { a: shown.a.length, b: shown.b.length });
  assert.ok(shown.a.length + shown.b.length > MIB, "more than may be under way");
  let underWay = 0, most = 0;
  const client = session.join(BEHIND, (message) => {
    if (message.kind !== "console") return assert.notEqual(message.kind, "lost");
    heard[message.console] += new TextDecoder().decode(message.bytes);
    most = Math.max(most, underWay += message.bytes.length);
  });
  for (let i = 0; i < 50 || underWay > 0; i++) {
    if (i < 50) { for (const console of ["a", "b"]) show(console, `more ${i}\n`); }
    const bytes = Math.min(underWay, 10_000);
    underWay -= bytes;
    client.send({ kind: "taken", bytes });
  }
  assert.deepEqual(heard, shown);
  assert.ok(most <= MIB, `${most} bytes under way`);
});

Deno.test("a client that does not keep up gets what the console still keeps, and hears how much is lost; the machine is not held up", () => {
  const vm = machine(), session = hub(vm);
  const heard: ServerMessage[] = [];
  const slow = session.join(BEHIND, (message) => heard.push(message));
  for (let i = 0; i < 5; i++) vm.onEvent({ kind: "console", console: "a", bytes: new Uint8Array(MIB / 2) });
  assert.equal(heard.length, 2);
  assert.equal(vm.sent.filter(({ kind }) => kind === "taken").length, 5);
  slow.send({ kind: "taken", bytes: MIB });
  const later = heard.slice(2);
  assert.deepEqual(later[0], { kind: "lost", console: "a", bytes: MIB / 2 });
  assert.equal(later.reduce((sum, message) => sum + (message.kind === "console" ? message.bytes.length : 0), 0), MIB);
  vm.onEvent({ kind: "console", console: "a", bytes: bytes("x") });
  slow.send({ kind: "taken", bytes: MIB });
  assert.equal(textOf(heard.at(-1)!), "x");
});

Deno.test("a client of this process holds the machine until it has caught up", () => {
  const vm = machine(), session = hub(vm);
  const client = session.connect();
  for (let i = 0; i < 4; i++) vm.onEvent({ kind: "console", console: "a", bytes: new Uint8Array(MIB / 2) });
  const taken = () => vm.sent.reduce((sum, request) => sum + (request.kind === "taken" ? request.bytes : 0), 0);
  assert.equal(taken(), MIB);
  client.send({ kind: "taken", bytes: MIB });
  assert.equal(taken(), 2 * MIB);
});

Deno.test("answers go to who asked, under the number that it gave", () => {
  const vm = machine(), session = hub(vm);
  const heard: number[][] = [[], []];
  const clients = heard.map((list) => session.join(BEHIND, (message) => message.kind === "answer" && list.push(message.id)));
  for (const client of clients) client.send({ kind: "query", id: 7, query: { table: "vm.ls", args: {} } });
  const asked = vm.sent.flatMap((request) => request.kind === "query" ? [request.id] : []);
  assert.equal(new Set(asked).size, 2);
  const answer = { table: "vm.ls", at: { ns: "0", insn: "0" }, rows: [], dropped: 0 } as const;
  vm.onEvent({ kind: "answer", id: asked[1], answer });
  assert.deepEqual(heard, [[], [7]]);
});

Deno.test("the row of the consoles obeys the filter and limit of a question about memory", () => {
  const vm = machine(), session = hub(vm);
  vm.onEvent({ kind: "console", console: "a", bytes: bytes("before\n") });
  const heard: string[][] = [];
  const client = session.join(
    BEHIND,
    (message) => message.kind === "answer" && heard.push(message.answer.rows.map(({ id }) => String(id))),
  );
  for (const args of [{}, { filter: "part=ram" }, { filter: "used<100" }, { limit: 1 }]) {
    client.send({ kind: "query", id: 1, query: { table: "session.memory", args } });
    const asked = vm.sent.at(-1);
    assert.ok(asked?.kind === "query");
    const rows = args.filter === "used<100" ? [] : [{ id: "memory:ram", used: 1000 }];
    vm.onEvent({ kind: "answer", id: asked.id, answer: { table: "session.memory", at: { ns: "0", insn: "0" }, rows, dropped: 0 } });
  }
  assert.deepEqual(heard, [["memory:ram", "memory:consoles"], ["memory:ram"], ["memory:consoles"], ["memory:ram"]]);
});

Deno.test("answers that repeat go to who asked until it goes, forgets, or has had them all", () => {
  const vm = machine(), session = hub(vm);
  const heard: [string, number][] = [];
  const [one, two] = ["one", "two"].map((name) =>
    session.join(BEHIND, (message) => message.kind === "answer" && heard.push([name, message.id]))
  );
  const query = { table: "vm.ls", args: {} } as const;
  const ask = (client: typeof one, id: number, times: number) => {
    client.send({ kind: "query", id, query, repeat: { times, every: 0 } });
    const last = vm.sent.at(-1);
    assert.ok(last?.kind === "query");
    return last.id;
  };
  const answer = (...ids: number[]) => {
    for (const id of ids) vm.onEvent({ kind: "answer", id, answer: { table: "vm.ls", at: { ns: "0", insn: "0" }, rows: [], dropped: 0 } });
    return heard.splice(0);
  };
  const [a, b, c] = [ask(one, 7, 2), ask(two, 7, 5), ask(two, 8, 5)];
  assert.deepEqual(answer(a, b, c, a, a, a), [["one", 7], ["two", 7], ["two", 8], ["one", 7], ["one", 7]]);
  two.send({ kind: "forget", id: 7 });
  assert.deepEqual(vm.sent.at(-1), { kind: "forget", id: b });
  assert.deepEqual(answer(b, c), [["two", 8]]);
  one.send({ kind: "forget", id: 8 });
  assert.notDeepEqual(vm.sent.at(-1), { kind: "forget", id: c }, "what others ask is theirs");
  two.leave();
  assert.deepEqual(vm.sent.at(-1), { kind: "forget", id: c });
  assert.deepEqual(answer(c), []);
});

Deno.test("a question that is asked as the machine ends is answered by it, unless it has failed", () => {
  for (const fails of [false, true]) {
    const vm = machine(), session = hub(vm);
    const heard: (string | undefined)[] = [];
    const client = session.join(BEHIND, (message) => message.kind === "answer" && heard.push(message.answer.error));
    client.send({ kind: "query", id: 1, query: { table: "vm.ls", args: {} } });
    const [asked] = vm.sent;
    assert.ok(asked.kind === "query");
    vm.onEvent(fails ? { kind: "failed", message: "a bug" } : { kind: "ended", end: { code: 0, message: "every VM has ended" } });
    vm.onEvent({ kind: "answer", id: asked.id, answer: { table: "vm.ls", at: { ns: "0", insn: "0" }, rows: [], dropped: 0 } });
    assert.deepEqual(heard, fails ? ["the machine has ended: a bug"] : [undefined]);
  }
});

Deno.test("when a machine ends, who waits for a first answer hears it; who has had answers keeps the last one", () => {
  const vm = machine(), session = hub(vm);
  const heard: [number, Problem | undefined][] = [];
  const client = session.join(BEHIND, (message) => message.kind === "answer" && heard.push([message.id, problemIn(message.answer)]));
  for (const id of [1, 2]) client.send({ kind: "query", id, query: { table: "vm.ls", args: {} }, repeat: { times: 5, every: 0 } });
  const [first] = vm.sent;
  assert.ok(first.kind === "query");
  vm.onEvent({ kind: "answer", id: first.id, answer: { table: "vm.ls", at: { ns: "0", insn: "0" }, rows: [], dropped: 0 } });
  const problem = { what: "disk a.img is gone", wayOut: "make it again" };
  vm.onEvent({ kind: "ended", end: { code: 2, message: "disk a.img is gone; make it again", problem } });
  assert.deepEqual(heard, [[1, undefined], [2, { what: "the machine has ended: disk a.img is gone", wayOut: "make it again" }]]);
  assert.deepEqual(session.info.ended, problem, "its way out stays apart from its text");
});

Deno.test("a machine that has failed answers nothing: who asks hears so at once, and its consoles can be read", () => {
  const vm = machine(), session = hub(vm);
  vm.onEvent({ kind: "console", console: "a", bytes: bytes("before") });
  vm.onEvent({ kind: "failed", message: "gc is not defined\n    at x.ts" });
  const heard: ServerMessage[] = [], sent = vm.sent.length, says = "the machine has failed: gc is not defined";
  const client = session.join(BEHIND, (message) => heard.push(message));
  assert.deepEqual(heard.map(textOf), ["before", "failed"]);
  client.send({ kind: "query", id: 1, query: { table: "vm.ls", args: {} } });
  client.send({ kind: "move", id: 2, to: { kind: "now" } });
  client.send({ kind: "debug-attach", vms: { kind: "vm", vm: "a" } });
  client.send({ kind: "forget", id: 1 });
  assert.deepEqual(heard.slice(2).map((message) => message.kind === "answer" ? [message.id, message.answer.error] : message), [
    [1, says],
    [2, says],
    { kind: "debug-attached", error: { what: says } },
  ]);
  assert.equal(vm.sent.length, sent, "a machine that has failed was asked");
});

Deno.test("the session records what any client watches, within the largest budget", () => {
  const vm = machine(), session = hub(vm);
  const one = session.join(BEHIND, () => {}), two = session.join(BEHIND, () => {});
  const last = () => vm.sent.at(-1);
  one.send({ kind: "watch", kinds: ["hvc"], budget: 100 });
  assert.deepEqual(last(), { kind: "watch", kinds: ["hvc"], budget: 100 });
  two.send({ kind: "watch", kinds: ["sched"] });
  assert.deepEqual(last(), { kind: "watch", kinds: ["hvc", "sched"] });
  two.leave();
  assert.deepEqual(last(), { kind: "watch", kinds: ["hvc"], budget: 100 });
  // None at all is a budget, too.
  one.send({ kind: "watch", kinds: ["hvc"], budget: 0 });
  assert.deepEqual(last(), { kind: "watch", kinds: ["hvc"], budget: 0 });
  one.leave();
  assert.deepEqual(last(), { kind: "watch", kinds: [] });
});

Deno.test("W62: a read-only client changes nothing", () => {
  const vm = machine(), session = hub(vm);
  const heard: ServerMessage[] = [];
  const client = session.join({ ...BEHIND, readOnly: true }, (message) => heard.push(message));
  client.send({ kind: "input", console: "a", bytes: bytes("x") });
  client.send({ kind: "pause" });
  client.send({ kind: "act", id: 1, action: { kind: "queue.flush", queue: "mq:1" } });
  client.send({ kind: "down" });
  assert.deepEqual(vm.sent, []);
  assert.ok(heard.length === 4 && heard.every(({ kind }) => kind === "refused"));
});

Deno.test("W62: a read-only client does not change what other clients see: recorded events, names of symbols", () => {
  const vm = machine(), session = hub(vm);
  const heard: ServerMessage[] = [];
  const client = session.join({ ...BEHIND, readOnly: true }, (message) => heard.push(message));
  client.send({ kind: "trace", kinds: [] });
  client.send({ kind: "trace", kinds: ["hvc"] });
  client.send({ kind: "symbols", id: 1, vm: "a", file: new Uint8Array(4) });
  assert.deepEqual(vm.sent, []);
  assert.deepEqual(heard.map((message) => message.kind === "refused" && message.request), ["trace", "trace", "symbols"]);
});

Deno.test("W62: the kinds of requests that a read-only client may make", () => {
  const allowed = CLIENT_KINDS.filter((kind) => !changes({ kind } as ClientMessage));
  // A new kind changes something until it is listed here, with its effect on others: `watch` and
  // `taken` count for the client itself, `query` and `forget` change nothing.
  assert.deepEqual(allowed, ["hello", "taken", "query", "forget", "watch"]);
});

Deno.test("messages survive the wire in any pieces: bytes, numbers of 64 bits, text", () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt({ min: -(1n << 128n), max: 1n << 128n }),
    fc.uint8Array({ maxLength: 50 }),
  );
  const message = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(value, fc.array(value, { maxLength: 4 })), { maxKeys: 5 });
  fc.assert(fc.property(fc.array(message, { maxLength: 4 }), fc.array(fc.nat(30), { minLength: 1 }), (messages, cuts) => {
    const all = messages.map(encodeMessage).reduce((a, b) => Uint8Array.from([...a, ...b]), new Uint8Array());
    const reader = new MessageReader();
    const read: unknown[] = [];
    for (let at = 0, i = 0; at < all.length; i++) {
      const length = cuts[i % cuts.length] + 1;
      read.push(...reader.push(all.subarray(at, at + length)));
      at += length;
    }
    // Dictionaries of fast-check have no prototype; those from the wire have.
    assert.deepEqual(read.map((one) => ({ ...one as object })), messages.map((one) => ({ ...one })));
  }));
});
