import assert from "node:assert/strict";
import { Place } from "../../place.ts";
import { A64, imageOf, SYSTEM_OFF } from "../../program.ts";

Deno.test("pause stops virtual time, and is not an error if the machine is paused already", async () => {
  await using place = new Place();
  await place.up("one");
  const { at } = await place.json("pause");
  assert.deepEqual((await place.json("vcpu", "ls")).at, at);
  assert.deepEqual((await place.json("pause")).at, at);
  assert.match((await place.el2("ls")).stdout, /paused/);
});

Deno.test("pause and resume of a machine that has ended say so", async () => {
  await using place = new Place();
  const image = `${place.folder}/off.bin`;
  await Deno.writeFile(image, imageOf([...A64.loadW0(SYSTEM_OFF), A64.hvc]));
  await place.el2("up", image, "--name", "one");
  for (const command of ["pause", "resume"]) {
    const { code, stderr } = await place.el2(command);
    assert.deepEqual([code, stderr.slice(0, 28)], [1, "el2: the machine has ended: "], stderr);
  }
  await place.el2("down", "one");
});
