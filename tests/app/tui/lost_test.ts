// A session whose connection is gone, and a read-only one.

import assert from "node:assert/strict";
import { roleOf } from "../../../src/app/tui/terminal/color.ts";
import { PHONE_SAMPLE } from "./phone.ts";
import { Rig, settle } from "./rig.ts";

Deno.test("a lost connection takes the colors of the body at every size; its box names the keys", async () => {
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]] as const) {
    const rig = new Rig(width, height, { ascii: false }, "direct");
    await rig.lines();
    rig.app.lost("session phone: its socket is gone");
    const lines = await rig.lines();
    const top = lines.findIndex((line) => line.includes("╭─ Connection lost ")), left = lines[top].indexOf("╭─ Connection lost ");
    const right = lines[top].indexOf("╮", left), bottom = lines.findIndex((line, y) => y > top && line[left] === "╰");
    assert.ok(top > 1 && right > left && bottom > top, `${width}x${height}`);
    assert.match(
      lines.slice(top, bottom).join("\n"),
      /connection lost 0 s ago;[^]*retry 1 in 3 s[^]*r retry now +l log +s open last snapshot +q quit/,
    );
    for (let y = 2; y < height - 2; y++) {
      rig.screen.cells(y).forEach(({ foreground, background }, x) => {
        if (y >= top && y <= bottom && x >= left && x <= right) return;
        assert.deepEqual([roleOf(foreground), roleOf(background)], ["text", "bg"], `${width}x${height} ${x},${y}`);
      });
    }
    assert.equal(roleOf(rig.screen.cells(0)[40].background), "badbg");
    assert.equal(roleOf(rig.screen.cells(top)[left].foreground), "bad");
  }
});

Deno.test("hints of a read-only session leave out keys that are off", async () => {
  for (const key of ["1", "2", "8", "9"]) {
    const [whole, reader] = [new Rig(200, 30), new Rig(200, 30, { readOnly: true })];
    await whole.type(key);
    await reader.type(key);
    const changing = / {2}(c console|p pause|b stop rule|t time|! danger|\. step|, step back|> next event)(?= {2})/g;
    assert.ok((await whole.lines()).at(-2)!.match(changing)!.length > 1, key);
    const hints = (await reader.lines()).at(-2)!;
    assert.equal(hints.match(changing), null, hints);
    assert.match(hints, /Enter open .*\? help$/);
  }
});

Deno.test("without a session, a toast offers no key", async () => {
  const rig = new Rig();
  rig.apply({ kind: "sample", sample: { ...PHONE_SAMPLE, reasons: PHONE_SAMPLE.reasons + 1 } });
  await settle();
  assert.match((await rig.lines()).at(-1)!, /REFUSED .*0 why {2}Esc dismiss/);
  rig.app.lost("session phone: its socket is gone");
  const last = (await rig.lines()).at(-1)!;
  assert.match(last, /REFUSED /);
  assert.doesNotMatch(last, /0 why|Esc dismiss/);
});

Deno.test("hints in the past begin with the ways through time, and leave out what the past refuses", async () => {
  const rig = new Rig(200, 30);
  await rig.lines();
  const hints = async () => (await rig.lines()).at(-2)!;
  assert.match(await hints(), / {2}p pause {2}/);
  rig.apply({ kind: "paused", paused: true });
  assert.match(await hints(), / {2}p continue {2}/);
  rig.apply({ kind: "paused", paused: true, past: true });
  assert.match(await hints(), /^ \. step {2}, step back {2}> next event {2}t time {2}Enter open .*\? help$/);
  assert.doesNotMatch(await hints(), /console|continue|pause|danger/);
});
