// The colors of a theme by role, and the terminal's own sixteen, which stand for all themes where a
// terminal has no more. `look/themes.ts` has the themes.

import type { Role } from "./roles.ts";
/** A role's direct color, and its entry of 256. */
type Shade = readonly [direct: number, indexed: number];

export type ThemeColors = Readonly<Record<Role, Shade>>;

export interface Theme {
  readonly name: string;
  /** Undefined: the terminal's own sixteen colors, on its own background. */
  readonly colors: ThemeColors | undefined;
}

/**
 * Inks of sixteen on a bright page, where the bright ones and yellow cannot be read: the terminal's
 * own ink, or a darker color. Fills stay as they are.
 */
export const BASIC_ON_BRIGHT: Readonly<Partial<Record<Role, number | undefined>>> = {
  accent: 4,
  ok: 2,
  warn: undefined,
  bad: 1,
  past: 5,
  link: 4,
  vm0: 4,
  vm1: 5,
  vm2: undefined,
  vm3: undefined,
  vm5: 2,
  vm6: 4,
  vm7: undefined,
};

/**
 * The terminal's own sixteen colors by role, in all themes. Undefined is its ink, or its
 * background: bright white would be unreadable on a white page.
 */
export const BASIC: Readonly<Record<Role, number | undefined>> = {
  bg: undefined,
  raised: undefined,
  overlay: undefined,
  sel: undefined,
  selq: undefined,
  badbg: undefined,
  warnbg: undefined,
  okbg: undefined,
  pastbg: undefined,
  accbg: undefined,
  hitbg: 11,
  strong: undefined,
  text: undefined,
  dim: undefined,
  faint: 8,
  border: 8,
  accent: 14,
  ok: 10,
  warn: 11,
  bad: 9,
  past: 13,
  link: 6,
  ink: 0,
  fink: 0,
  g0: 6,
  g1: 6,
  g2: 6,
  g3: 6,
  vm0: 12,
  vm1: 13,
  vm2: 3,
  vm3: 14,
  vm4: 5,
  vm5: 10,
  vm6: 6,
  vm7: 7,
  hyp: 8,
  fill0: 12,
  fill1: 13,
  fill2: 3,
  fill3: 14,
  fill4: 5,
  fill5: 10,
  fill6: 6,
  fill7: 7,
  fillhyp: 8,
};

/** The terminal's own sixteen colors, on its own background. */
export const TERMINAL_THEME: Theme = { name: "terminal", colors: undefined };
