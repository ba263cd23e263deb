import assert from "node:assert/strict";
import { ownerOf } from "../../../src/control/ownership.ts";
import { Place } from "../place.ts";

Deno.test("of two sessions one has to be named; down ends it and takes its socket away", async () => {
  await using place = new Place();
  await place.up("one");
  await place.up("two");
  const { code, stderr } = await place.el2("vm", "ls");
  assert.equal(code, 3);
  assert.match(stderr, /several sessions are running: one, two; name one: --session NAME/);
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
