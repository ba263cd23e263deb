// Frames of the socket: what is too long, too deep or not a message at all is refused with a
// reason, in time that is linear in what arrived.

import assert from "node:assert/strict";
import { largestFrame, readClientMessage, readServerMessage } from "../../../src/session/control/conversation.ts";
import { BadFrame, encodeMessage, MessageReader } from "../../../src/session/control/wire.ts";
import { REQUESTS } from "../../../src/model/protocol/requests.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { cpuTime } from "../../support/cpu-time.ts";

const frame = (text: string, length = text.length) => {
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.set(new TextEncoder().encode(text), 4);
  return bytes;
};
const read = (...frames: Uint8Array[]) => {
  const reader = new MessageReader(largestFrame);
  return frames.flatMap((bytes) => [...reader.push(bytes)].map(readClientMessage));
};

Deno.test("D4: what is not a message is refused with a reason", () => {
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array([255, 255, 255, 255]), /a frame of 4294967295 bytes/],
    [frame(""), /not JSON/],
    [frame("not json"), /not JSON/],
    [frame("null"), /no such kind of message: undefined/],
    [frame('{"kind":"query"'), /not JSON/],
    [frame('{"kind":"nothing"}'), /no such kind of message: "nothing"/],
    [frame('{"kind":"start","plan":{}}'), /no such kind of message: "start"/],
    [frame('{"kind":"__proto__"}'), /no such kind of message: "__proto__"/],
    [frame('{"kind":"constructor"}'), /no such kind of message: "constructor"/],
    [frame(`{"kind":"pause","a":${"[".repeat(5000)}`, 5020), /nested deeper than 32/],
    [frame(`{"kind":"pause","a":${'{"a":'.repeat(100)}1${"}".repeat(101)}`), /nested deeper than 32/],
    [frame(`{"kind":"act","id":1,"action":{"kind":"doorbell.ring","doorbell":"a","flags":{"$bigint":"${"9".repeat(5000)}"}}}`), /digits/],
    [frame(`{"kind":"symbols","id":1,"vm":"${"a".repeat(8000)}","kind":"pause"}`), /two kinds/],
    [frame("a".repeat(5000)), /a long message begins with/],
    [frame('{"kind":"watch","kinds":5}'), /watch: kinds/],
    [frame('{"kind":"query","id":1}'), /query: query/],
    [frame('{"kind":"query","id":1,"query":null}'), /query: query/],
    [frame('{"kind":"query","id":1,"query":{"table":"vm.ls"}}'), /query: query\.args/],
    [frame('{"kind":"query","id":1,"query":{"table":"none","args":{}}}'), /query: query\.table/],
    [frame('{"kind":"act","id":1,"action":null}'), /act: action/],
    [frame('{"kind":"stop-rule","id":1,"change":null}'), /stop-rule: change/],
    [frame('{"kind":"move","id":1,"to":null}'), /move: to/],
    [frame('{"kind":"taken","bytes":-1}'), /taken: bytes/],
    [frame('{"kind":"pause","more":1}'), /pause: more/],
  ];
  for (const [bytes, reason] of cases) {
    assert.throws(() => read(bytes), (error) => error instanceof BadFrame && reason.test(error.message), String(reason));
  }
});

Deno.test("a long frame is refused by its kind before it has arrived", () => {
  const begun = frame('{"kind":"pause","x":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1 << 20);
  assert.throws(() => read(begun), /pause: a frame of 1048576 bytes; at most 65536 are possible/);
  assert.deepEqual(read(frame('{"kind":"input","console":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1 << 20)), []);
});

Deno.test("messages before a bad one in the same piece are read", () => {
  const reader = new MessageReader(largestFrame);
  const got: unknown[] = [];
  const both = new Uint8Array([...encodeMessage({ kind: "pause" }), ...frame("x")]);
  assert.throws(() => {
    for (const one of reader.push(both)) got.push(one);
  }, BadFrame);
  assert.deepEqual(got, [{ kind: "pause" }]);
});

Deno.test("D4: reading a large frame in small pieces takes linear time", () => {
  const piece = new Uint8Array(65536).fill(0x61);
  const time = (pieces: number) => {
    const start = '{"kind":"symbols","id":1,"vm":"a","file":"';
    const reader = new MessageReader(largestFrame);
    const begun = cpuTime();
    const count = (bytes: Uint8Array) => [...reader.push(bytes)].length;
    let messages = count(frame(start, start.length + pieces * piece.length + 2));
    for (let i = 0; i < pieces; i++) messages += count(piece);
    messages += count(new TextEncoder().encode('"}'));
    assert.equal(messages, 1);
    return cpuTime() - begun;
  };
  time(16);
  // 60 MB took 32 s when each piece was copied with all before it.
  const large = time(960);
  assert.ok(large < 5000, `${large} ms of CPU time`);
});

Deno.test("D4: a large frame takes linear time, whatever its JSON is", () => {
  const size = MiB, start = '{"kind":"symbols","id":1,"vm":"a","file":';
  const bodies: Record<string, string> = {
    "escaped quotes": `"${'\\"'.repeat(size / 2)}"}`,
    "backslashes": `"${"\\\\".repeat(size / 2)}"}`,
    "short strings": `[${'"",'.repeat(size / 3)}""]}`,
    "lists": `[${"[],".repeat(size / 3)}[]]}`,
    "a string without an end": `"${'\\"'.repeat(size / 2)}`,
    "lists without an end": "[".repeat(size),
  };
  for (const [what, body] of Object.entries(bodies)) {
    const bytes = frame(start + body), begun = cpuTime();
    try {
      [...new MessageReader(largestFrame).push(bytes)];
    } catch (error) {
      assert.ok(error instanceof BadFrame, what);
    }
    const time = cpuTime() - begun;
    assert.ok(time < 5000, `${what}: ${time} ms of CPU time`);
  }
});

Deno.test("each kind of request says whether it changes anything, and no frame may be longer than symbols'", () => {
  for (const [kind, { right, frame: most, schema }] of Object.entries(REQUESTS)) {
    assert.ok(right === "reads" || right === "changes", kind);
    assert.equal(schema.entries.kind.literal, kind);
    assert.ok(most <= REQUESTS.symbols.frame, kind);
  }
});

Deno.test("a session's rows are checked against their table, and greetings of other versions are understood", () => {
  const answer = (rows: unknown[]) => ({
    kind: "answer",
    id: 1,
    answer: { table: "hash", at: { ns: "0", insn: "0" }, rows, dropped: 0 },
  });
  readServerMessage(answer([{ id: "hash:a", hash: "00" }]));
  for (const rows of [[{ id: "hash:a" }], [{ id: "hash:a", hash: 1 }], [null], [5]]) {
    assert.throws(() => readServerMessage(answer(rows)), BadFrame);
  }
  assert.deepEqual(readServerMessage({ kind: "welcome", version: 4, info: { name: "old", more: 1 } }), {
    kind: "welcome",
    version: 4,
    info: { name: "old" },
  });
});
