import assert from "node:assert/strict";
import { SessionHub } from "../../../../../src/session/control/hub.ts";
import { ownerOf } from "../../../../../src/session/control/ownership.ts";
import { besideSocket } from "../../../../../src/session/control/places.ts";
import { SessionServer } from "../../../../../src/session/control/server.ts";
import { Place } from "../../place.ts";

Deno.test("of two sessions one has to be named; down ends it and takes its socket away", async () => {
  await using place = new Place();
  await place.up("one");
  await place.up("two");
  const { code, stderr } = await place.el2("vm", "ls");
  assert.equal(code, 3);
  assert.match(stderr, /several sessions are running: one, two; name one: --session NAME/);
  const nobody = await place.el2("down", "nope");
  assert.deepEqual([nobody.code, nobody.stderr], [3, 'el2: no session called "nope"; use one of one, two\n']);
  assert.match((await place.el2("down")).stderr, /several sessions are running: one, two; name one: el2 down NAME\n$/);
  const named = (...words: string[]) => place.json("mem", "limits", ...words).then(({ session }) => session);
  assert.equal(await named("--session", "two"), "two");
  // The word that it had before.
  assert.equal(await named("--socket", "one"), "one");
  assert.equal(await named("--socket=two"), "two");
  assert.doesNotMatch((await place.el2("vm", "ls", "--help")).stdout, /--socket/);
  {
    assert.equal((await place.el2("down", "two")).code, 0);
    assert.throws(() => Deno.statSync(`${place.folder}/el2/two.sock`), Deno.errors.NotFound);
    assert.doesNotMatch((await place.el2("ls")).stdout, /two/);
  }
});

Deno.test("a session whose process was killed leaves nothing: ls says so once and clears up, down by its name as well", async () => {
  await using place = new Place();
  const left = () => [...Deno.readDirSync(`${place.folder}/el2`)].map(({ name }) => name);
  const kill = async (name: string) => {
    await place.up(name);
    const { data } = JSON.parse((await place.el2("ls", "--json")).stdout) as { data: { name: string; pid: number }[] };
    const { pid } = data.find((session) => session.name === name)!;
    Deno.kill(pid, "SIGKILL");
    // Its lock goes with it.
    while (ownerOf(`${place.folder}/el2/${name}.sock`)) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(left().includes(`${name}.sock`));
  };
  await kill("one");
  assert.match((await place.el2("ls")).stderr, /^el2: the process of session one was killed; its sockets and logs are removed\n/);
  assert.deepEqual(left(), []);
  assert.equal((await place.el2("ls")).stderr, "el2: no session is running; start one with el2 up demo\n");
  await kill("two");
  const { code, stderr } = await place.el2("down", "two");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /was killed before; removed what it left/);
  assert.deepEqual(left(), []);
});

Deno.test("down waits until the session has left its name, and then removes what it has left", async () => {
  await using place = new Place();
  const folder = `${place.folder}/el2`, socket = `${folder}/slow.sock`, { token, log } = besideSocket(socket);
  Deno.mkdirSync(folder, { mode: 0o700 });
  const machine = { send() {}, onEvent() {}, close() {} };
  const hub = new SessionHub(machine, { name: "slow", what: "test", started: "", logs: undefined }, 1);
  const server = await SessionServer.listen(hub, socket);
  Deno.writeTextFileSync(log, "");
  // A busy computer may leave a session alone after it has ended its connections.
  const { removeSync } = Deno;
  hub.onDown = () => {
    Deno.removeSync = (path, options) => {
      if (path === token) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
      removeSync(path, options);
    };
    server.close();
    Deno.removeSync = removeSync;
  };
  const { code, stderr } = await place.el2("down", "slow");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual([...Deno.readDirSync(folder)], []);
});
