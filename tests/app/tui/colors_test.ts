// Promises about colors: contrast, explicit entries, and few codes where a terminal has few colors.

import assert from "node:assert/strict";
import { ColorMap } from "../../../src/app/tui/terminal/color-map.ts";
import {
  Attribute,
  type ColorDepth,
  type Fade,
  fadedColor,
  palette,
  rgbOf,
  roleColor,
  roleOf,
} from "../../../src/app/tui/terminal/color.ts";
import { type Role, ROLES, VM_INKS } from "../../../src/app/tui/terminal/roles.ts";
import { contrast } from "../../../src/app/tui/look/contrast.ts";
import { checkLegible, THEME_NAMES, type ThemeName, themeOf } from "../../../src/app/tui/look/themes.ts";
import { LONG } from "../../support/long.ts";
import { everyFrame } from "./every-frame.ts";
import { Rig, SCREENS } from "./rig.ts";

const COLORED = THEME_NAMES.filter((name) => name !== "terminal");

/** Bits of what a terminal shows for a mapped color. */
function bitsOf(color: number): number {
  const direct = rgbOf(color);
  if (direct !== undefined) return direct;
  const index = color - 1;
  assert.ok(index >= 16, "the sixteen are the terminal's own");
  if (index >= 232) return (8 + 10 * (index - 232)) * 0x010101;
  const level = (step: number) => step === 0 ? 0 : 55 + 40 * step;
  const at = index - 16;
  return level(Math.floor(at / 36)) << 16 | level(Math.floor(at / 6) % 6) << 8 | level(at % 6);
}

function contrastOf(theme: ThemeName, depth: ColorDepth, ink: Role, ground: Role): number {
  const map = new ColorMap(themeOf(theme), depth);
  map.map(roleColor(ink), roleColor(ground), 0);
  return contrast(bitsOf(map.foreground), bitsOf(map.background));
}

for (const theme of COLORED) {
  Deno.test(`every ink of theme ${theme} has a contrast of 4.5 on what it is drawn on, in direct and 256 colors`, () => {
    checkLegible(theme, themeOf(theme).colors!);
  });
}

Deno.test("L9: every pair of ink and background that is drawn has a contrast of 4.5, in every theme", async () => {
  /** Each pair, and where it was seen. */
  const pairs = new Map<string, string>();
  for (const [width, height] of [...LONG ? [[80, 24]] : [], [120, 36]]) {
    for await (const [name, rig] of everyFrame(width, height, "direct")) {
      for (let y = 0; y < height; y++) {
        for (const { text, foreground, background } of rig.screen.cells(y)) {
          if (text.trim() === "") continue;
          const ink = roleOf(foreground), ground = roleOf(background);
          assert.ok(ink && ground, `${name}: ${text} in row ${y} has no role`);
          // Decoration, and amounts as shapes.
          if (ink === "faint" || ink === "border") assert.doesNotMatch(text, /[A-Za-z]/, `${name} row ${y}: ${ink} is no ink for ${text}`);
          else if (/^[A-Za-z0-9]/.test(text)) pairs.set(`${ink} ${ground}`, `${name} row ${y}`);
        }
      }
    }
  }
  for (const theme of COLORED) {
    for (const depth of ["direct", "256"] as const) {
      for (const [pair, place] of pairs) {
        const [ink, ground] = pair.split(" ") as [Role, Role];
        const found = contrastOf(theme, depth, ink, ground);
        assert.ok(found >= 4.5, `${theme} ${depth} ${pair}: ${found.toFixed(2)}, ${place}`);
      }
    }
  }
});

Deno.test("L10: in 256 colors a role is the entry that its theme has for it", () => {
  for (const name of COLORED) {
    const theme = themeOf(name), map = new ColorMap(theme, "256");
    for (const role of ROLES) {
      map.map(roleColor(role), roleColor("bg"), 0);
      assert.equal(map.foreground, palette(theme.colors![role][1]), `${name} ${role}`);
    }
  }
});

/** Parameters of every SGR sequence of a text. */
function codesOf(frame: string): number[] {
  // deno-lint-ignore no-control-regex
  return [...frame.matchAll(/\x1b\[([0-9;]*)m/g)].flatMap(([, list]) => list.split(";").map(Number));
}

Deno.test("L11: with 16 colors only codes of 16 colors and of bold, dim and reverse are written", async () => {
  const isAllowed = (code: number) =>
    code >= 30 && code <= 37 || code >= 39 && code <= 47 || code === 49 || code >= 90 && code <= 97 || code >= 100 && code <= 107 ||
    [0, 1, 2, 7, 22, 27].includes(code);
  for await (const [name, rig] of everyFrame(120, 36, "16")) {
    rig.screen.invalidate();
    assert.deepEqual(codesOf(rig.frame()).filter((code) => !isAllowed(code)), [], name);
  }
});

Deno.test("with 16 colors black ink on chips is not bold: many terminals draw that as gray", () => {
  const map = new ColorMap(themeOf("terminal"), "16");
  let black = 0;
  for (const ground of ROLES) {
    for (const ink of ROLES) {
      map.map(roleColor(ink), roleColor(ground), Attribute.Bold);
      if (map.foreground !== palette(0)) continue;
      black++;
      assert.equal(map.attributes & Attribute.Bold, 0, `${ink} on ${ground}`);
    }
  }
  assert.ok(black > 0);
});

Deno.test("L47: a frame resets the terminal's style at most twice", async () => {
  for (const depth of LONG ? ["direct", "256", "16", "none"] as const : ["direct", "16"] as const) {
    for await (const [name, rig] of everyFrame(120, 36, depth)) {
      rig.screen.invalidate();
      // deno-lint-ignore no-control-regex
      assert.ok((rig.frame().match(/\x1b\[0m/g) ?? []).length <= 2, `${name} ${depth}`);
    }
  }
});

Deno.test("L50: with the terminal's own background no code paints the page", async () => {
  for (const [depth, code] of [["direct", "48;2;15;19;27"], ["256", "48;5;233"]] as const) {
    for (const painted of [true, false]) {
      const rig = new Rig(80, 24, { painted }, depth);
      await rig.lines();
      rig.screen.invalidate();
      assert.equal(rig.frame().includes(code), painted, depth);
    }
  }
});

Deno.test("L51: light and dark have the same text", async () => {
  for (const key of SCREENS) {
    const [dark, light] = await Promise.all((["dark", "light"] as const).map(async (theme) => {
      const rig = new Rig(120, 36, { theme }, "direct");
      await rig.type(key);
      return await rig.lines();
    }));
    assert.deepEqual(light, dark, key);
  }
});

Deno.test("16 colors on a bright page: inks are dark or the terminal's own, fills keep their colors, a warning is bold", () => {
  const dark = new ColorMap(themeOf("dark"), "16"), light = new ColorMap(themeOf("light"), "16");
  const tooBright = new Set([3, 6, 7, 9, 10, 11, 12, 13, 14, 15].map((index) => palette(index)));
  for (const role of ["accent", "ok", "warn", "bad", "past", "link", ...VM_INKS.slice(0, 8)] as const) {
    light.map(roleColor(role), roleColor("bg"), 0);
    assert.ok(!tooBright.has(light.foreground), role);
    dark.map(roleColor(role), roleColor("bg"), 0);
    assert.notEqual(dark.foreground, 0, role);
  }
  light.map(roleColor("warn"), roleColor("bg"), 0);
  assert.equal(light.attributes & Attribute.Bold, Attribute.Bold);
  for (const fill of ["ok", "warn", "fill3"] as const) {
    light.map(roleColor("ink"), roleColor(fill), 0);
    const { foreground, background } = light;
    dark.map(roleColor("ink"), roleColor(fill), 0);
    assert.deepEqual([foreground, background], [dark.foreground, dark.background], fill);
  }
});

Deno.test("what is older in a history is nearer to the page in direct color, and has the same color in all others", () => {
  const shades = (theme: ThemeName, depth: ColorDepth) => {
    const map = new ColorMap(themeOf(theme), depth);
    return ([0, 1, 2] as Fade[]).map((fade) => {
      map.map(fadedColor("fill2", fade), roleColor("bg"), 0);
      return map.foreground;
    });
  };
  for (const theme of COLORED) {
    const page = themeOf(theme).colors!.bg[0];
    const [whole, weaker, weakest] = shades(theme, "direct").map((color) => contrast(rgbOf(color)!, page));
    assert.ok(whole > weaker && weaker > weakest && weakest > 1.3, `${theme}: ${whole} ${weaker} ${weakest}`);
    for (const depth of ["256", "16", "none"] as const) assert.equal(new Set(shades(theme, depth)).size, 1, `${theme} ${depth}`);
  }
  assert.equal(roleOf(fadedColor("fill2", 2)), "fill2");
});
