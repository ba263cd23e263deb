// Names of keys, menus and boxes are there for the mouse: each test clicks or turns the wheel, and
// looks at the frame that follows.

import assert from "node:assert/strict";
import { Rig } from "../../rig.ts";

/** Presses the left button at a cell, from 0, and lets it go. */
const click = (x: number, y: number) => `\x1b[<0;${x + 1};${y + 1}M\x1b[<0;${x + 1};${y + 1}m`;
const WHEEL_DOWN = "\x1b[<65;40;12M";
const WHEEL_UP = "\x1b[<64;40;12M";

/** Where a text is in the frame. */
async function find(rig: Rig, text: string): Promise<readonly [x: number, y: number]> {
  const lines = await rig.lines(), y = lines.findIndex((line) => line.includes(text));
  assert.ok(y >= 0, `no "${text}" in\n${lines.join("\n")}`);
  return [lines[y].indexOf(text), y];
}

/** Clicks at a text of the frame. */
async function clickAt(rig: Rig, text: string): Promise<void> {
  await rig.type(click(...await find(rig, text)));
}

for (const [width, height] of [[80, 24], [120, 36], [200, 60]] as const) {
  Deno.test(`a click on a hint is its key, and on a box's key as well, at ${width}x${height}`, async () => {
    const rig = new Rig(width, height);
    await rig.keys("6");
    await clickAt(rig, "? help");
    assert.match(await rig.text(), /type to search/);
    await clickAt(rig, "Esc close");
    assert.doesNotMatch(await rig.text(), /type to search/);
  });

  Deno.test(`a click on a line of the palette runs it, the wheel moves its mark, at ${width}x${height}`, async () => {
    const rig = new Rig(width, height);
    await rig.keys(":");
    await rig.keys("screen");
    const [left, above] = await find(rig, "Commands");
    const marked = async () => (await rig.lines()).findIndex((line, y) => y > above && line.slice(left - 2, left + 2).includes(">"));
    const first = await marked();
    await rig.type(WHEEL_DOWN);
    assert.equal(await marked(), first + 3);
    await rig.type(WHEEL_UP + WHEEL_UP);
    assert.equal(await marked(), first, "the wheel ends at the first line");
    await rig.press("esc");
    await rig.keys(":rights");
    const [x] = await find(rig, "Commands");
    await rig.type(click(x + 2, first));
    assert.equal(rig.shown, "5");
    assert.doesNotMatch(await rig.text(), /Commands/);
  });

  Deno.test(`a click on a line of a menu runs it, one beside the menu leaves it, at ${width}x${height}`, async () => {
    const rig = new Rig(width, height);
    await rig.keys("2y");
    await rig.type(click(0, height - 3));
    assert.doesNotMatch(await rig.text(), /press a letter or Enter/);
    assert.deepEqual(rig.copied, []);
    await rig.keys("y");
    await clickAt(rig, " i ");
    assert.equal(rig.copied.length, 1);
    assert.doesNotMatch(await rig.text(), /press a letter or Enter/);
  });

  Deno.test(`a danger takes a click on its key and no other, at ${width}x${height}`, async () => {
    const rig = new Rig(width, height);
    await rig.type("gjjj!s");
    await clickAt(rig, "Stop vm:");
    assert.match(await rig.text(), /any other key/, "its title is no key");
    await clickAt(rig, "any other key");
    assert.doesNotMatch(await rig.text(), /any other key/);
    assert.equal(rig.acted.length, 0);
    await rig.type("!s");
    await clickAt(rig, "y  stop");
    assert.equal(rig.acted.length, 1);
  });
}

Deno.test("the wheel scrolls the help", async () => {
  const rig = new Rig();
  await rig.type("?");
  const before = await rig.lines();
  await rig.type(WHEEL_DOWN);
  const after = await rig.lines();
  assert.equal(after[10].slice(20, 90), before[13].slice(20, 90));
});

Deno.test("a click on the key of a pane that has not the keys is for this pane", async () => {
  const rig = new Rig(200, 60);
  await rig.keys("8\t");
  const scale = async () => /1 column +([^ ]+ [^ ]+)/.exec(await rig.text())![1];
  const before = await scale(), [x, y] = await find(rig, "+ - scale");
  await rig.type(click(x, y));
  assert.notEqual(await scale(), before);
  rig.time += 1000;
  await rig.type(click(x + 2, y));
  assert.equal(await scale(), before);
});

Deno.test("what lies below a box takes no click through it", async () => {
  const rig = new Rig();
  await rig.keys("8?");
  await rig.lines();
  const [x, y] = await find(rig, "Help");
  await rig.type(click(x, y + 4));
  assert.match(await rig.text(), /type to search/);
});

Deno.test("the answer to a click stays when the button is let go", async () => {
  const rig = new Rig(120, 36);
  await rig.keys("y");
  await clickAt(rig, "i  id");
  assert.match(await rig.text(), /copied: vm:\w+/);
});

Deno.test("a click on what a list or a console says of following follows", async () => {
  const rig = new Rig(120, 36);
  await rig.keys("7");
  await rig.keys("k");
  await clickAt(rig, "G follows");
  assert.match(await rig.text(), /Requests to the Resource Manager =.*o follows/);
});
