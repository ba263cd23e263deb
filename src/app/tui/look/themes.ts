// The themes: those of `assets/themes.json`, and `[ui.themes.NAME]` of a configuration, which have
// the same form: colors by role that replace those of another theme. Entries of 256 are chosen by
// hand in el2's, so that grays stay gray and neighbors stay apart. Illegible themes are refused.
// Slots of VMs are in `vm-marks.ts`.

import ours from "../../../../assets/themes.json" with { type: "json" };
import { entryFor, LEAST_CONTRAST, weakPairs } from "./contrast.ts";
import { TERMINAL_THEME, type Theme, type ThemeColors } from "../terminal/color-scheme.ts";
import { type Role, ROLES } from "../terminal/roles.ts";
import type { FileTheme } from "../../configuration/schema.ts";
import { THEMES } from "../../configuration/keys/names.ts";
import { didYouMean } from "../../../kit/support/text/did-you-mean.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";

/** Names of the themes: configurations name them too. */
export type ThemeName = typeof THEMES[number];
export const THEME_NAMES: readonly ThemeName[] = THEMES;

/** A theme of a configuration that cannot be used, and why. */
export class ThemeError extends UserError {}

/** A role's color: `#rrggbb`, and perhaps its entry of 256. */
type Change = string | readonly [direct: string, indexed: number];

const isRole = (name: string): name is Role => ROLES.some((role) => role === name);
const made = new Map<string, Theme>([["terminal", TERMINAL_THEME]]);

export function themeOf(name: ThemeName): Theme {
  let theme = made.get(name);
  if (!theme) {
    const { based_on: base = undefined, ...changes } = (ours as unknown as Record<ThemeName, Record<string, Change>>)[name];
    made.set(name, theme = { name, colors: changed(name, base as ThemeName | undefined, changes) });
  }
  return theme;
}

/** The theme of a name, built-in or user-defined; undefined for an unknown name. */
export function findTheme(name: string, own: readonly Theme[] = []): Theme | undefined {
  const ours = THEME_NAMES.find((one) => one === name);
  return ours ? themeOf(ours) : own.find((theme) => theme.name === name);
}

/**
 * The themes of a configuration.
 * @throws ThemeError
 */
export function ownThemes(themes: Readonly<Record<string, FileTheme>>): Theme[] {
  return Object.entries(themes).map(([name, { based_on: base, ...changes }]) => {
    const where = `[ui.themes.${name}]`, colors = changed(where, base, changes as Record<string, Change>);
    checkLegible(where, colors);
    return { name, colors };
  });
}

/** The colors of another theme with changes. @throws ThemeError for a name that is not a role */
function changed(where: string, base: ThemeName | undefined, changes: Readonly<Record<string, Change>>): ThemeColors {
  const colors = { ...base && themeOf(base).colors } as Record<Role, readonly [number, number]>;
  for (const [role, change] of Object.entries(changes)) {
    if (!isRole(role)) {
      throw new ThemeError(
        `${where}: "${role}" is not a role`,
        didYouMean(role, ROLES, `list the roles with ${hintText(hint("reference theme", ...base === undefined ? [] : [base]))}`),
      );
    }
    const [text, entry] = typeof change === "string" ? [change, undefined] : change;
    const direct = parseInt(text.slice(1), 16);
    colors[role] = [direct, entry ?? entryFor(role, direct, colors)];
  }
  return colors;
}

/** @throws ThemeError that names the pair with the least contrast, if that is too little */
export function checkLegible(where: string, colors: ThemeColors): void {
  const [weakest, ...more] = weakPairs(colors);
  if (!weakest) return;
  const { ink, ground, depth, contrast } = weakest;
  const others = more.length ? `, and ${more.length} more ${more.length === 1 ? "pair is" : "pairs are"} too weak` : "";
  const way = depth === "256" ? `choose its entry of 256, such as ${ink} = ["#rrggbb", 252]` : `change ${ink} or ${ground}`;
  throw new ThemeError(
    `${where}: ${ink} on ${ground} has a contrast of ${contrast.toFixed(2)} in ${depth === "256" ? "256 colors" : "direct color"}` +
      `${others}; text needs ${LEAST_CONTRAST}`,
    way,
  );
}
