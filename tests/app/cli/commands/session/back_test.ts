import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("what is typed while the past is shown is refused, as every change is", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  await place.json("back", "--by", "1000");
  const says = "el2: you are viewing the past, which takes no input; return to the present first (t n, el2 back --now)\n";
  for (const words of [["console", "hello", "--send", "x"], ["irq", "raise", "irq:hello/27"]]) {
    const { code, stderr } = await place.el2(...words);
    assert.deepEqual([code, stderr], [1, says], words.join(" "));
  }
  await place.json("back", "--now");
  assert.equal((await place.el2("console", "hello", "--send", "x")).code, 0);
  await place.json("resume");
  const { code, stderr } = await place.el2("snapshot", "save", "no/such/folder/a.snap");
  assert.deepEqual([code, stderr], [2, "el2: snapshot save no/such/folder/a.snap: no such folder\n"]);
});
