import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("ls lists the sessions with what they run and how they are", async () => {
  await using place = new Place();
  await place.up("one");
  const { stdout } = await place.el2("ls");
  assert.match(stdout, /^one {2}demo {2}runs {2}clients 0/);

  const { data: [row] } = JSON.parse((await place.el2("ls", "--json")).stdout);
  assert.deepEqual([row.id, row.name, row.what], ["session:one", "one", "demo"]);
});

Deno.test("without a session ls prints nothing on stdout, and how to start one on stderr", async () => {
  await using place = new Place();
  const { code, stdout, stderr } = await place.el2("ls");
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /el2 up/);
});
