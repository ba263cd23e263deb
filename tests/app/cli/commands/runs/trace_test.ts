import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { readPackets } from "../../../../kit/formats/read-pcapng.ts";
import { PATIENCE } from "../../../../support/patience.ts";

Deno.test("a trace is recorded, counted, and written in the format that the file's name says; unrecorded, what events lists is written", async () => {
  await using place = new Place();
  await place.up("one");
  const nothing = await place.el2("trace", "export", `${place.folder}/none.pcapng`);
  assert.deepEqual([nothing.code, nothing.stderr], [1, "el2: no messages are recorded; start recording with el2 trace start\n"]);
  assert.equal((await place.el2("trace", "export", `${place.folder}/none.txt`)).code, 2);
  const none = await place.el2("trace", "stop");
  assert.deepEqual([none.code, none.stderr], [1, "el2: no events are recorded; start recording with el2 trace start\n"]);
  const kept = `${place.folder}/kept.ndjson`, filter = ["--filter", "kind=rpc name=VM_START"];
  const unrecorded = await place.el2("trace", "export", kept, ...filter);
  assert.match(unrecorded.stderr, /^el2: these events are kept always; el2 trace start records all kinds/);
  const listed = (await place.el2("events", "--json", ...filter)).stdout.trimEnd().split("\n").flatMap((line) => JSON.parse(line).data);
  assert.deepEqual((await Deno.readTextFile(kept)).trimEnd().split("\n").map((line) => JSON.parse(line)), listed);
  const started = await place.json("trace", "start", "--kinds", "hvc,msg");
  assert.deepEqual(started.data.map(({ id }) => id), ["trace:hvc", "trace:msg"]);
  const events = async () => (await place.json("trace", "stats")).data.reduce((sum, row) => sum + Number(row.events), 0);
  for (const limit = Date.now() + PATIENCE; await events() === 0;) assert.ok(Date.now() < limit, "nothing is recorded");
  const stopped = await place.json("trace", "stop");
  const others = await place.el2("trace", "export", kept, ...filter);
  assert.deepEqual([others.code, others.stderr], [1, "el2: no events are recorded; count the recorded events with el2 trace stats\n"]);
  const count = stopped.data.reduce((sum, row) => sum + Number(row.events), 0);
  for (
    const [name, first] of [["rows.ndjson", '{"id":"ev:'], ["calls.pftrace", "\n"], ["calls.json", "{"], ["messages.pcapng", "\n\r\r\n"]]
  ) {
    const file = `${place.folder}/${name}`;
    const { code, stderr } = await place.el2("trace", "export", file);
    assert.equal(code, 0, stderr);
    const messages = name.endsWith(".pcapng") && readPackets(await Deno.readFile(file)).length;
    assert.ok(stderr.startsWith(messages === false ? `el2: ${count} events, ` : `el2: ${messages} messages, `), stderr);
    const written = new TextDecoder().decode(await Deno.readFile(file));
    assert.ok(written.startsWith(first), name);
    if (name === "rows.ndjson") assert.equal(written.trimEnd().split("\n").length, count);
  }
});

Deno.test("trace calls lists the hypercalls that were recorded", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("trace", "start", "--kinds", "hvc");
  const calls = async () => (await place.json("trace", "calls", "--vm", "ping", "--limit", "3")).data;
  for (const limit = Date.now() + PATIENCE; (await calls()).length < 3;) assert.ok(Date.now() < limit, "nothing is recorded");
  for (const row of await calls()) assert.deepEqual([row.kind, row.vm], ["hvc", "vm:ping"]);
  const none = await place.el2("trace", "calls", "--vm", "nobody|vm=ping");
  assert.deepEqual([none.code, none.stdout], [1, ""], none.stderr);
});
