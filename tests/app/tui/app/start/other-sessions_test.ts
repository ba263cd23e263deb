// Another session beside the one that is shown: `:run WHAT`, and the last snapshot of one that is
// lost.

import assert from "node:assert/strict";
import { Rig, settle } from "../../rig.ts";

/** An application whose sessions start when `started` or `refused` says so. */
function rigWithStart(width = 120) {
  const asked: [what: string, allowHost: boolean][] = [];
  const answers: PromiseWithResolvers<string>[] = [];
  const rig = new Rig(width, 36, {
    start: (what, allowHost) => {
      asked.push([what, allowHost]);
      const answer = Promise.withResolvers<string>();
      answers.push(answer);
      return answer.promise;
    },
  });
  const refused = async (message: string) => {
    answers.at(-1)!.reject(new Error(message));
    await settle();
  };
  const started = async (name: string) => {
    answers.at(-1)!.resolve(name);
    await settle();
  };
  return { rig, asked, refused, started };
}

Deno.test(":run WHAT starts a session and shows it; names keep their case and blanks", async () => {
  const { rig, asked, started } = rigWithStart();
  await rig.type(":run My Images/Image");
  assert.match(await rig.text(), /> run My Images\/Image +start and show another session; q returns/);
  await rig.press("enter");
  assert.match(await rig.text(), /starting My Images\/Image/);
  assert.deepEqual(rig.visited, []);
  await started("Image");
  await rig.type(":run before.snap --allow-host all\r");
  await started("before.snap");
  assert.deepEqual(asked, [["My Images/Image", false], ["before.snap", true]]);
  assert.deepEqual(rig.visited, ["Image", "before.snap"]);
});

Deno.test(":run starts one session at a time", async () => {
  const { rig, asked, started } = rigWithStart();
  await rig.type(":run one\r");
  await rig.type(":run two\r");
  assert.match(await rig.text(), /run: off: one is being started/);
  await started("one");
  await rig.type(":run two\r");
  assert.deepEqual(asked.map(([what]) => what), ["one", "two"]);
});

Deno.test("what is wrong with :run is said on the message row, or over the screen where it has no room; nothing is shown then", async () => {
  const { rig, refused } = rigWithStart(80);
  await rig.lines();
  await rig.type(":run nosuch\r");
  await refused("image nosuch: no such file, and no guest of this name");
  assert.match((await rig.lines()).at(-1)!, /^ ! ERROR {2}image nosuch: no such file, and no guest of this name/);
  await rig.type(":run bad.toml\r");
  await refused("bad.toml:3:8: cpus 99 is outside 1..8\n     bad.toml:6:9: vcpus 20 is over 8");
  assert.match(
    await rig.text(),
    /= run bad\.toml: nothing was started[^]*\n\| bad\.toml:3:8: cpus 99 is outside 1\.\.8 [^]*\n\| bad\.toml:6:9: vcpus 20 is over 8/,
  );
  await rig.press("esc");
  assert.match(await rig.text(), /= Virtual machines/);
  await rig.type(":run long.bin\r");
  await refused(`image long.bin: ${"why ".repeat(40)}and the way out`);
  assert.match(await rig.text(), /way out/, "the end of a long message is there too");
  assert.deepEqual(rig.visited, []);
});

Deno.test(":run is off with --read-only and if sessions cannot be started, and alone says what may follow it", async () => {
  const reader = new Rig(120, 36, { readOnly: true, start: () => assert.fail("not with --read-only") });
  await reader.type(":run Image\r");
  assert.match(await reader.text(), /run: off: read-only/);
  const alone = new Rig();
  await alone.type(":run Image\r");
  assert.match(await alone.text(), /run: off: sessions cannot be started here/);
  await alone.type(":run");
  assert.match(await alone.text(), /> run <what\.\.\.> +start and show/);
  await alone.press("enter");
  assert.match(await alone.text(), /run: "what" is missing; a configuration, image, name or snapshot/);
});

Deno.test("a screen begins with what it was told to say, until the first key", async () => {
  const rig = new Rig(120, 36, { greeting: "session Image runs; q returns to demo" });
  assert.match((await rig.lines()).at(-1)!, /^ session Image runs; q returns to demo/);
  await rig.type("j");
  assert.doesNotMatch(await rig.text(), /returns to demo/);
});

Deno.test("W83: s continues from the last snapshot of a lost session, with its machine's resources of this computer or without", async () => {
  for (const [key, allowHost] of [["s", false], ["h", true]] as const) {
    const { rig, asked, started } = rigWithStart();
    rig.apply({ kind: "saved", path: "/home/me/old.snap" });
    rig.apply({ kind: "saved", path: "/home/me/phone.snap" });
    await rig.lines();
    rig.app.lost("gone");
    await rig.type("s");
    assert.match(await rig.text(), /LOST[\s\S]*last snapshot: \/home\/me\/phone\.snap[\s\S]*continue from it/);
    await rig.type(key);
    await started("phone.snap");
    assert.deepEqual(asked, [["/home/me/phone.snap", allowHost]]);
    assert.deepEqual(rig.visited, ["phone.snap"]);
  }
});

Deno.test("W83: a defect of a lost session's last snapshot is reported, and the other keys still work", async () => {
  const { rig, asked, refused } = rigWithStart();
  await rig.lines();
  rig.app.lost("gone");
  await rig.type("s");
  assert.match(await rig.text(), /this session has no snapshot; save one with t s while it runs/);
  rig.apply({ kind: "saved", path: "/x.snap" });
  await rig.type("ss");
  await refused(`snapshot /x.snap: its machine needs host resources: ${"disk /x, ".repeat(20)}allow them with --allow-host`);
  assert.match(await rig.text(), /run \/x\.snap: nothing was started[\s\S]*allow them with --allow-host/);
  await rig.press("esc");
  assert.match(await rig.text(), /LOST[\s\S]*connection lost/);
  assert.deepEqual([asked.length, rig.visited], [1, []]);
  await rig.type("q");
  assert.equal(rig.left, true);
});

Deno.test("what was asked before the session was lost is not answered after it", async () => {
  const { rig } = rigWithStart();
  await rig.type("!s");
  assert.match(await rig.text(), /Stop vm:debian\? /);
  rig.app.lost("gone");
  rig.app.found();
  await rig.type("y");
  assert.deepEqual(rig.acted, []);
});
