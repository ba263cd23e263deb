import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { eventually } from "../../../../support/eventually.ts";

Deno.test("events prints as many as it is told, of the kinds and the filter that are named", async () => {
  await using place = new Place();
  await place.up("one");
  const { code, stdout, stderr } = await place.el2(
    "events",
    "--follow",
    "--kinds",
    "hvc",
    "--filter",
    "kind=hvc vm=ping",
    "--limit",
    "3",
    "--json",
  );
  assert.equal(code, 0, stderr);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ data: [row] }) => [row.kind, row.vcpu]), Array(3).fill(["hvc", "vcpu:ping/0"]));
  const alone = "kind=hvc without kind=rpc within 1us";
  const overTime = await place.el2("events", "--follow", "--kinds", "hvc", "--filter", alone, "--vm", "ping", "--limit", "3", "--json");
  assert.equal(overTime.code, 0, overTime.stderr);
  assert.deepEqual(overTime.stdout.trimEnd().split("\n").map((line) => JSON.parse(line).data[0].vm), Array(3).fill("vm:ping"));
  const list = await place.el2("events", "--follow", "--kinds", "sched,hvc", "--limit", "40");
  const [heading, ...rows] = list.stdout.trimEnd().split("\n"), kind = / kind +text/.exec(heading);
  assert.match(heading, /^id +t +pcpu +vcpu +kind +text/);
  assert.equal(rows.length, 40);
  // Columns grow with their values, and none is narrower below than above.
  const at = rows.map((row) => / (?:sched|hvc|rpc) /.exec(row)?.index ?? assert.fail(row));
  assert.deepEqual(at, at.toSorted((a, b) => a - b));
  assert.ok(at[0] >= kind!.index, heading);
  const wrong = await place.el2("events", "--kinds", "hcv");
  assert.deepEqual([wrong.code, /hcv/.test(wrong.stderr)], [2, true]);
});

Deno.test("events and trace calls say where events were not recorded: a line, a field of the row's document, a report", async () => {
  await using place = new Place();
  await place.up("one");
  const looked = async () => {
    const calls = await place.el2("events", "--follow", "--kinds", "hvc", "--filter", "kind=hvc vm=ping", "--limit", "1", "--json");
    assert.equal(calls.code, 0, calls.stderr);
    return JSON.parse(calls.stdout).data[0];
  };
  const first = await looked();
  // Guests run a second of their time at once: one must pass that nobody watches.
  const isUnseen = ({ stdout }: { readonly stdout: string }) => Number(JSON.parse(stdout).at.ns) > Number(first.end) + 2e9;
  await eventually(() => place.el2("vm", "ls", "--json"), isUnseen);
  const second = await looked(), ofPing = ["events", "--filter", "kind=hvc vm=ping"] as const;
  assert.equal((await place.el2("pause")).code, 0);
  const others = await place.el2("events", "--filter", "kind=rpc");
  assert.doesNotMatch(others.stdout, /recorded/, "those that the list shows are there");
  const documents = (await place.el2(...ofPing, "--json")).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const [{ data: [row], unrecorded: [span] }] = documents.filter(({ unrecorded }) => unrecorded);
  assert.deepEqual([Object.keys(span), span.kind, span.some], [["from", "to", "kind", "some"], "hvc", false]);
  const list = (await place.el2(...ofPing)).stdout.split("\n"), at = list.indexOf("-- not recorded: hvc --");
  assert.ok(at > 1 && list[at + 1].startsWith(row.id), list.join("\n"));
  assert.ok(BigInt(first.end) <= BigInt(span.from) && BigInt(span.from) < BigInt(span.to) && BigInt(span.to) <= BigInt(second.end));
  const tsv = await place.el2(...ofPing, "-o", "tsv");
  assert.equal(tsv.stdout.trimEnd().split("\n").length, documents.length + 1);
  assert.match(tsv.stderr, new RegExp(`^el2: incomplete: not recorded: hvc, before ${row.id}$`, "m"));
  assert.match((await place.el2("trace", "calls", "--vm", "ping")).stderr, /^el2: incomplete: not recorded: hvc, before ev:hvc/m);
  assert.equal(JSON.parse((await place.el2("trace", "calls", "--vm", "ping", "--json")).stdout).unrecorded.at(-1).to, span.to);
});
