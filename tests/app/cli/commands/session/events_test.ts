import assert from "node:assert/strict";
import { Place } from "../../place.ts";

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
