// Themes of a person: colors by role over another theme, readable or refused.

import assert from "node:assert/strict";
import { contrast } from "../../../src/app/tui/look/contrast.ts";
import { ownThemes, ThemeError, themeOf } from "../../../src/app/tui/look/themes.ts";
import { parseUiState } from "../../../src/app/tui/app/services/ui-state.ts";
import { Rig } from "./rig.ts";

const MINE = { mine: { based_on: "dark", accent: "#50c0ff", bg: ["#101018", 232] } } as const;

Deno.test("an own theme has its own colors, and those of the theme that it is based on", () => {
  const [{ name, colors }] = ownThemes(MINE);
  assert.equal(name, "mine");
  assert.deepEqual(colors!.accent, [0x50c0ff, 81], "the nearest entry of 256 that can be read");
  assert.deepEqual(colors!.bg, [0x101018, 232], "the entry that the file says");
  assert.deepEqual(colors!.text, themeOf("dark").colors!.text);
});

Deno.test("an own theme that cannot be read is refused with the pair, its contrast and a way out", () => {
  const refused = (theme: Record<string, string | [string, number]>) => {
    assert.throws(() => ownThemes({ mine: { based_on: "dark", ...theme } }), (error) => {
      assert.ok(error instanceof ThemeError);
      assert.match(error.message, /^\[ui\.themes\.mine\]: /);
      return true;
    });
    try {
      ownThemes({ mine: { based_on: "dark", ...theme } });
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  assert.match(refused({ dim: "#404040" }), /dim on sel has a contrast of \d\.\d\d in .*text needs 4\.5; change dim or sel/);
  assert.match(
    refused({ text: ["#ccd4e4", 236] }),
    /text on \w+ has a contrast of 1\.\d\d in 256 colors.*such as text = \["#rrggbb", 252\]/,
  );
  assert.match(
    refused({ acent: "#ffffff" }),
    /"acent" is not a role; did you mean "accent"\? List the roles with el2 reference theme dark/,
  );
});

Deno.test("contrast is that of WCAG 2", () => {
  assert.equal(contrast(0x000000, 0xffffff), 21);
  assert.equal(contrast(0x777777, 0x777777), 1);
  // 4.48 is the known contrast of #777777 on white.
  assert.equal(contrast(0x777777, 0xffffff).toFixed(2), "4.48");
});

Deno.test("an own theme is worn, is in the palette, and is kept by its name", async () => {
  const themes = ownThemes(MINE);
  const rig = new Rig(120, 36, { themes, theme: "mine" }, "direct");
  await rig.lines();
  assert.match(rig.frame(), /48;2;16;16;24/, "its page");
  await rig.type(":theme mi");
  assert.match(await rig.text(), /theme mine/);
  await rig.press("esc");
  await rig.type(":theme light");
  await rig.press("enter");
  await rig.type(":theme mine");
  await rig.press("enter");
  const state = parseUiState(JSON.stringify(rig.app.state))!;
  assert.equal(state.theme, "mine");
  const again = new Rig(120, 36, { themes, state }, "direct");
  await again.lines();
  assert.match(again.frame(), /48;2;16;16;24/);
  const without = new Rig(120, 36, { state }, "direct");
  await without.lines();
  assert.match(without.frame(), /48;2;15;19;27/, "a configuration that has it no more");
});

Deno.test("without motion graphs advance only when a key is pressed", async () => {
  for (const motion of [true, false]) {
    const rig = new Rig(120, 36, { motion, ascii: false }, "direct");
    await rig.press("esc");
    const machine = async () => (await rig.lines()).slice(3, 7).join("\n");
    const before = await machine();
    for (let second = 0; second < 5; second++) {
      rig.time += 1000;
      rig.sample();
    }
    assert.equal(await machine() === before, !motion, `motion ${motion}`);
    await rig.press("esc");
    assert.notEqual(await machine(), before);
  }
});

Deno.test("a theme of the command line, the environment or the configuration is not kept; a chosen one stays kept beside it", async () => {
  const given = new Rig(120, 36, { theme: "light" }, "direct");
  await given.lines();
  assert.equal(given.app.state.theme, undefined);
  await given.type(":theme nord\r");
  assert.equal(given.app.state.theme, "nord");
  const again = new Rig(120, 36, { theme: "light", state: given.app.state }, "direct");
  await again.lines();
  assert.equal(again.screen.map.theme.name, "light");
  assert.equal(again.app.state.theme, "nord");
});
