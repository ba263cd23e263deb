import assert from "node:assert/strict";
import { memoryLimits } from "../../../../../src/model/plans/memory-budget.ts";
import { SessionHub } from "../../../../../src/session/control/hub.ts";
import { SessionServer } from "../../../../../src/session/control/server.ts";
import type { SessionClient } from "../../../../../src/session/worker/client.ts";
import { Place } from "../../place.ts";

Deno.test("ls lists the sessions with what they run and how they are", async () => {
  await using place = new Place();
  await place.up("one");
  const { stdout } = await place.el2("ls");
  assert.match(stdout, /^name +what +state .*\none +demo +runs +/);

  const { data: [row] } = JSON.parse((await place.el2("ls", "--json")).stdout);
  assert.deepEqual([row.id, row.name, row.what], ["session:one", "one", "demo"]);
});

Deno.test("without a session ls prints nothing on stdout, and how to start one on stderr", async () => {
  await using place = new Place();
  const { code, stdout, stderr } = await place.el2("ls");
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /el2 up/);
});

Deno.test("ls with a session's name shows its memory by part, within the budget that it was given", async () => {
  await using place = new Place();
  await place.up("small", "demo", "--memory-budget", "32MiB", "--set", "history.disk=48MiB");
  const { schema, data } = await place.json("ls", "small");
  assert.equal(schema, "el2.session.memory/1");
  assert.deepEqual(
    data.map(({ id }) => id),
    ["ram", "code", "traces", "history", "history-disk", "inputs", "consoles"].map((part) => `memory:${part}`),
  );
  const limits = { ...memoryLimits(32 << 20), "history-disk": 48 << 20 };
  for (const { id, used, limit } of data) {
    const [, part] = String(id).split(":");
    assert.equal(limit, part === "ram" ? null : limits[part as keyof typeof limits], part);
    assert.ok(part === "ram" ? Number(used) > 64 << 20 : Number(used) <= Number(limit), `${part} ${used}`);
  }
  const { stdout } = await place.el2("ls", "small");
  assert.match(stdout, /^memory:traces +\S+ +9\.6M +\d+% +\d+ /m);
  const both = await place.el2("ls", "small", "--session", "small");
  assert.deepEqual([both.code, both.stderr], [2, "el2: ls: a name and --session both name the session; give one\n"]);
  const nobody = await place.el2("ls", "nobody");
  assert.deepEqual([nobody.code, nobody.stderr], [3, 'el2: no session called "nobody"; use small\n']);
  const wrong = await place.el2("up", "demo", "--memory-budget", "1MiB");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--memory-budget.*"1MiB" is outside/s);
});

Deno.test("a machine that an exception has ended is one line in ls, without the places of the exception", async () => {
  await using place = new Place();
  Deno.mkdirSync(`${place.folder}/el2`, { mode: 0o700 });
  const machine: SessionClient = { send() {}, onEvent() {}, close() {} };
  const hub = new SessionHub(machine, { name: "s", what: "test", started: "", logs: undefined }, 1);
  const server = await SessionServer.listen(hub, `${place.folder}/el2/s.sock`);
  try {
    machine.onEvent({ kind: "failed", message: "Error: another session uses disk x.img\n    at open (own-disks.ts:39:7)\n    at more" });
    const { code, stdout } = await place.el2("ls", "--columns", "name,state");
    assert.deepEqual([code, stdout], [0, "name state\ns    ended: Error: another session uses disk x.img\n"]);
  } finally {
    server.close();
  }
});
