// Arguments of `el2 find`. Its answers: who_test.ts, in the session of another command.

import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("el2 find takes a target or events, and values of a target alone", async () => {
  await using place = new Place();
  const says = async (...words: string[]) => {
    const { code, stdout, stderr } = await place.el2("find", ...words);
    assert.deepEqual([code, stdout], [2, ""], words.join(" "));
    return stderr;
  };
  assert.match(await says(), /give a target or --event/);
  assert.match(await says("ping:0x80000000", "--size", "4"), /--size needs --value/);
  assert.match(await says("--event", "kind=hvc", "--value", "1"), /mutually exclusive/);
  assert.match(await says("--event", "kind=nope"), /no "nope"; use one of hvc/);
});
