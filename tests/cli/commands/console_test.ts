import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("console --expect waits for what a guest says, --send types", async () => {
  await using place = new Place();
  await place.up("one");
  // On a busy machine the guests may not have been made yet.
  for (let tries = 0; tries < 50 && !(await place.el2("console", "hello")).stdout.startsWith("hello from EL1"); tries++);
  const { code, stdout } = await place.el2("console", "hello", "--send", "x", "--expect", "typed 'x'", "--timeout", "20s");
  assert.equal(code, 0);
  assert.equal(stdout, "typed 'x'\n");
  assert.match((await place.el2("console", "hello")).stdout, /^hello from EL1/);
});

Deno.test("console --send to a VM that was killed ends with 1, and the session continues", async () => {
  await using place = new Place();
  await place.up("one");
  assert.equal((await place.el2("vm", "kill", "ping")).code, 0);
  for (let tries = 0; tries < 50; tries++) {
    const [ping] = (await place.json("vm", "ls", "--filter", "id=vm:ping")).data;
    if (ping.state === "stopped") break;
  }
  const typed = await place.el2("console", "ping", "--send", "f");
  assert.deepEqual([typed.code, typed.stderr], [1, "el2: con:ping: the VM has stopped; start it again with el2 vm start ping\n"]);
  assert.match((await place.el2("why", "--about", "vm:ping")).stdout, /vm:ping ended: forced/);
  const [pong] = (await place.json("vm", "ls", "--filter", "id=vm:pong")).data;
  assert.equal(pong.state, "running");
});
