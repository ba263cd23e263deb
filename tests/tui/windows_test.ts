import assert from "node:assert/strict";
import { parseUiState } from "../../src/tui/app/ui-state.ts";
import { Rig } from "./rig.ts";

Deno.test("W7: screen, filters, folds and colors survive leave and attach", async () => {
  const rig = new Rig();
  await rig.type("gjjjh2");
  await rig.lines();
  await rig.type("/vm=debian\r:theme nord\r");
  const state = parseUiState(JSON.stringify(rig.app.state));
  assert.ok(state);
  const again = new Rig(120, 36, { state });
  const shown = await again.text();
  assert.equal(again.shown, "2");
  assert.match(shown, /= vCPUs 2 =+ \/vm=debian 2 of 3/);
  await again.type("1");
  assert.match(await again.text(), /D {2}debian >/);
  assert.equal(again.app.state.theme, "nord");
  assert.equal(parseUiState("{broken"), undefined);
  assert.equal(parseUiState('{"screen":1}'), undefined);
});

/** Each thing that can be done to splits, and what it leaves on the screen. */
const SPLITS: readonly (readonly [what: string, keys: string, shown: RegExp])[] = [
  ["split side by side", "2\x17v", /= vCPUs[^\n]*\+\+- Interrupts/],
  ["split one above the other", "2\x17s", /= vCPUs[^]*\n\+- Interrupts/],
  ["the other half", "2\x17v\x17o", /- vCPUs[^\n]*\+\+= Interrupts/],
  ["another screen in a half", "2\x17v\x17o7", /- vCPUs[^\n]*\+\+= Requests/],
  ["an object in a split", "7o", /= Requests[^]*- (Parcels|Virtual machines|Refusals)/],
  ["more room", "2\x17v\x17+\x17+", /= vCPUs[^\n]{70,}\+\+- Interrupts/],
  ["less room by an arrow", "2\x17v\x17\x1b[D\x17\x1b[D", /= vCPUs[^\n]{30,60}\+\+- Interrupts/],
  ["even", "2\x17v\x17+\x17=", /= vCPUs[^\n]{70,73}\+\+- Interrupts/],
  ["close", "2\x17v\x17q", /^(?![^]*- vCPUs)[^]*= Interrupts/],
  ["save and load", "2\x17v\x17w3\x17q1\x173", /= vCPUs[^\n]*\+\+- Interrupts/],
  ["filters and folds in halves", "1gjjjh\x17v/vm=debian\r\x17o/state=run\r", /\/state=run[^]*\/vm=debian[^]*debian >/],
];

for (const [what, keys, shown] of SPLITS) {
  Deno.test(`W7: ${what}: it is shown, and survives leave and attach, down to the cell`, async () => {
    const rig = new Rig(160, 48);
    for (const key of keys.match(/\x1b\[[A-D]|[^]/g)!) {
      await rig.type(key);
      await rig.lines();
    }
    // All but the hint, and which row is selected.
    const body = (lines: string[]) => lines.slice(0, -2).map((line) => line.replaceAll(/\|>/g, "| ").replaceAll(/\d+ of \d+/g, ""));
    const before = await rig.lines();
    assert.match(before.join("\n"), shown);
    const again = new Rig(160, 48, { state: parseUiState(JSON.stringify(rig.app.state)) });
    assert.deepEqual(body(await again.lines()), body(before));
  });
}

Deno.test("W7: zoom gives a half the whole body, and takes it back", async () => {
  const rig = new Rig(160, 48);
  await rig.keys("2\x17v");
  const both = (await rig.lines()).slice(0, -2);
  await rig.type("z");
  const zoomed = await rig.text();
  assert.match(zoomed, /= vCPUs/);
  assert.doesNotMatch(zoomed, /[=-] Interrupts/);
  await rig.type("z");
  assert.deepEqual((await rig.lines()).slice(0, -2), both);
  // A pane that was left zoomed is complete again.
  await rig.type("z");
  const again = new Rig(160, 48, { state: parseUiState(JSON.stringify(rig.app.state)) });
  assert.deepEqual((await again.lines()).slice(0, -2), both);
});

Deno.test("ctrl-w v shows a second screen, o goes to it, q closes it", async () => {
  const rig = new Rig(160, 48);
  await rig.type("2");
  await rig.lines();
  await rig.type("\x17v");
  const both = await rig.text();
  assert.match(both, /= vCPUs[^\n]*\+\+- Interrupts/);
  await rig.type("\x17o");
  assert.match(await rig.text(), /- vCPUs[^\n]*\+\+= Interrupts/);
  await rig.type("\x17+");
  const wider = (await rig.lines()).find((line) => line.includes("= Interrupts"))!;
  assert.ok(wider.indexOf("++= ") > both.split("\n").find((line) => line.includes("- Interrupts"))!.indexOf("++- "));
  await rig.type("\x17q");
  const one = await rig.text();
  assert.equal(rig.shown, "2");
  assert.doesNotMatch(one, /[=-] Interrupts/);
});

Deno.test("a layout of the configuration is shown at the start; one that was kept, with its halves, beats it", async () => {
  const rig = new Rig(160, 48, { layout: "2|3" });
  assert.match(await rig.text(), /= vCPUs[^\n]*\+\+- Interrupts/);
  await rig.type("\x17o");
  const { state } = rig.app;
  assert.deepEqual([state.layout, state.screen], ["2|3", "3"]);
  const again = new Rig(160, 48, { layout: "1", state });
  assert.match(await again.text(), /- vCPUs[^\n]*\+\+= Interrupts/);
  assert.match(await new Rig(160, 48, { layout: "2/3" }).text(), /= vCPUs[^]*\n\+- Interrupts/);
  assert.equal(new Rig(160, 48, { layout: "4" }).shown, "4");
});

Deno.test("ctrl-w w saves a layout under a digit, ctrl-w and the digit shows it, also after leave and attach", async () => {
  const rig = new Rig(160, 48);
  await rig.keys("2\x17v\x17w3");
  assert.match(await rig.text(), /ctrl-w 3 now loads 2\|3/);
  await rig.keys("\x17q1");
  assert.doesNotMatch(await rig.text(), /[=-] Interrupts/);
  const again = new Rig(160, 48, { state: parseUiState(JSON.stringify(rig.app.state)) });
  await again.keys("\x174");
  assert.match(await again.text(), /no layout is saved under 4/);
  await again.keys("\x173");
  assert.match(await again.text(), /= vCPUs[^\n]*\+\+- Interrupts/);
});
