import assert from "node:assert/strict";
import { parseUiState } from "../../../../../src/app/tui/app/services/ui-state.ts";
import { Rig } from "../../rig.ts";

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
  assert.match(shown, /= vCPUs 2 =+ \/vm=debian +2 of 3/);
  await again.type("1");
  assert.match(await again.text(), /D {2}debian >/);
  assert.equal(again.app.state.theme, "nord");
  assert.equal(parseUiState("{broken"), undefined);
  assert.equal(parseUiState('{"screen":1}'), undefined);
});

Deno.test("W7: zoom gives a pane the whole body, and takes it back", async () => {
  const rig = new Rig(160, 48);
  await rig.type("2");
  const both = (await rig.lines()).slice(0, -2);
  await rig.type("z");
  const zoomed = await rig.text();
  assert.match(zoomed, /= vCPUs/);
  assert.doesNotMatch(zoomed, /[=-] Registers/);
  await rig.type("z");
  assert.deepEqual((await rig.lines()).slice(0, -2), both);
  // A pane that was left zoomed is complete again.
  await rig.type("z");
  const again = new Rig(160, 48, { state: parseUiState(JSON.stringify(rig.app.state)) });
  assert.deepEqual((await again.lines()).slice(0, -2), both);
});

Deno.test("the screen of a configuration is shown at the start; one that was kept beats it", () => {
  const rig = new Rig(160, 48, { layout: "4" });
  assert.equal(rig.shown, "4");
  assert.equal(new Rig(160, 48, { layout: "1", state: rig.app.state }).shown, "4");
});
