// The keys of `[ui]` and `[history]`. Configurations and the user's own file have `[ui]`.

import * as v from "valibot";
import { wrong } from "../../../model/plans/config-fact.ts";
import { BUDGET_MAX, BUDGET_MIN, DISK_BUDGET_MAX } from "../../../model/plans/memory-budget.ts";
import { facts } from "../../../kit/support/values/described.ts";
import { entriesOf, keysOf } from "./key.ts";
import { THEMES } from "./names.ts";
import { sizeBetween } from "./sizes.ts";
import { boolean, mustBe, oneOf, table, text } from "./values.ts";

/**
 * A key that types nothing, but for those that are other keys in a terminal: tab, enter, backspace.
 */
const PREFIX_KEY = /^ctrl-[a-gk-ln-z\]\\^_]$/;

const SCREEN_KEY = /^\d$/;

/** A color as `#rrggbb`. */
const COLOR = /^#[0-9a-f]{6}$/i;

function isShade(value: unknown): boolean {
  const [color, entry] = Array.isArray(value) && value.length === 2 ? value : [value, 16];
  return typeof color === "string" && COLOR.test(color) && Number.isInteger(entry) && entry >= 16 && entry <= 255;
}

const DIRECT_COLOR = { type: "string", pattern: "^#[0-9a-fA-F]{6}$" };

/**
 * A direct color, optionally with its entry of the palette of 256, where the nearest one will not
 * do.
 */
const shade = v.pipe(
  v.custom<string | readonly [direct: string, entry: number]>(
    isShade,
    wrong("is not a color", 'use "#rrggbb", or ["#rrggbb", N] with an entry of 256 from 16 to 255'),
  ),
  facts({
    anyOf: [
      DIRECT_COLOR,
      { type: "array", items: [DIRECT_COLOR, { type: "integer", minimum: 16, maximum: 255 }], minItems: 2, maxItems: 2 },
    ],
  }),
);

const THEME = keysOf({
  based_on: {
    type: oneOf(THEMES.filter((name) => name !== "terminal")),
    doc: "the theme whose colors this one changes; each other key is a role",
  },
});
/** `[ui.themes.NAME]`: colors by role that replace those of another theme. */
export const ownTheme = v.objectWithRest(entriesOf(THEME), shade, mustBe("a table of colors"));

/** The names of actions and keys are the screens' to check. */
const bindings = v.record(v.string(), v.string(wrong("is not a key", 'names have dots: keys = { "machine.pause" = "P" }')), table);

export const UI = keysOf({
  theme: { type: v.optional(text), doc: "colors of the screens: auto, a theme of el2, or one of [ui.themes]" },
  themes: {
    type: v.optional(v.record(v.string(), ownTheme, table), {}),
    doc: "your own themes: colors by role that replace those of another theme",
  },
  mouse: { type: v.optional(boolean, true), doc: "false: the terminal keeps the mouse" },
  ascii: { type: v.optional(boolean), doc: "draw only ASCII, except guests' text" },
  background: {
    type: v.optional(oneOf(["theme", "terminal"]), "theme"),
    doc: "terminal: the page keeps the terminal's own background",
  },
  braille: { type: v.optional(boolean, true), doc: "false: graphs are drawn with blocks" },
  motion: { type: v.optional(oneOf(["on", "off"]), "on"), doc: "off: graphs advance only when a key is pressed" },
  layout: {
    type: v.optional(v.pipe(text, v.regex(SCREEN_KEY, wrong("is not a screen", 'use its key, "0" to "9"')))),
    doc: "the key of the screen at the start, if none is stored",
  },
  console_prefix: {
    type: v.optional(v.pipe(text, v.regex(PREFIX_KEY, wrong("is not a prefix key", "use ctrl- and a letter or ] \\ ^ _")))),
    doc: "the key that returns the keys from a guest",
  },
  keys: { type: v.optional(bindings, {}), doc: "a key for an action, by the action's name" },
});

export const HISTORY = keysOf({
  memory: {
    type: v.optional(sizeBetween(BUDGET_MIN, BUDGET_MAX, 1)),
    doc: "memory for states of the run, from which going back starts (160MiB by default); --memory-budget takes precedence",
    plan: "session",
    as: "historyMemory",
  },
  disk: {
    type: v.optional(sizeBetween(0, DISK_BUDGET_MAX, 1)),
    doc: "size of the file that takes states when the memory is full (1GiB by default); 0KiB: none; --disk-budget takes precedence",
    plan: "session",
    as: "diskBudget",
  },
});
