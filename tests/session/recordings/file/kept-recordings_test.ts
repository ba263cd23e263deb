import assert from "node:assert/strict";
import { failureRecording } from "../../../../src/session/recordings/file/kept-recordings.ts";

Deno.test("of recordings of failed runs the newest ten stay in the state folder, and none is where none is wanted", async () => {
  const state = await Deno.makeTempDir();
  const before = Deno.env.get("XDG_STATE_HOME");
  Deno.env.set("XDG_STATE_HOME", state);
  try {
    for (let index = 0; index < 13; index++) {
      const path = failureRecording(`run ${index}`, undefined) ?? assert.fail("no place");
      await Deno.writeTextFile(path, "");
      await Deno.utime(path, 1000 + index, 1000 + index);
    }
    const names = [...Deno.readDirSync(`${state}/el2/recordings`)].map(({ name }) => Number(/^run-(\d+)-/.exec(name)?.[1]));
    assert.deepEqual(names.sort((a, b) => a - b), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert.equal(failureRecording("run", "none"), undefined);
    assert.match(failureRecording("run", `${state}/other`) ?? "", /\/other\/run-.*\.rec$/);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
    await Deno.remove(state, { recursive: true });
  }
});
