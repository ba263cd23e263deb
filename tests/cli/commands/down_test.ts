import assert from "node:assert/strict";
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
