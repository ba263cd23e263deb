import assert from "node:assert/strict";
import { Place } from "../place.ts";

Deno.test("of two sessions one has to be named; down ends it and takes its socket away", async () => {
  await using place = new Place();
  await place.up("one");
  await place.up("two");
  const { code, stderr } = await place.el2("vm", "ls");
  assert.equal(code, 3);
  assert.match(stderr, /several sessions are running: one, two; name one: --socket NAME/);
  assert.match((await place.el2("down")).stderr, /several sessions are running: one, two; name one: el2 down NAME\n$/);
  assert.equal((await place.el2("vm", "ls", "--socket", "two")).code, 0);
  {
    assert.equal((await place.el2("down", "two")).code, 0);
    assert.throws(() => Deno.statSync(`${place.folder}/el2/two.sock`), Deno.errors.NotFound);
    assert.doesNotMatch((await place.el2("ls")).stdout, /two/);
  }
});
