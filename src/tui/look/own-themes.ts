// User-defined themes: `[ui.themes.NAME]` of a configuration gives roles of another theme other
// colors. Illegible ones are refused.

import { entryFor, LEAST_CONTRAST, weakPairs } from "./contrast.ts";
import { type Role, ROLES } from "../terminal/roles.ts";
import type { Shade, Theme, ThemeColors } from "../terminal/color-scheme.ts";
import { themeOf } from "./themes.ts";
import type { FileTheme } from "../../configuration/schema.ts";
import { didYouMean } from "../../support/did-you-mean.ts";

/** A theme of a configuration that cannot be used, and why. */
export class ThemeError extends Error {}

const isRole = (name: string): name is Role => ROLES.some((role) => role === name);

/**
 * The themes of a configuration.
 * @throws ThemeError
 */
export function ownThemes(themes: Readonly<Record<string, FileTheme>>): Theme[] {
  return Object.entries(themes).map(([name, theme]) => ownTheme(name, theme));
}

function ownTheme(name: string, { based_on: base, ...changes }: FileTheme): Theme {
  const where = `[ui.themes.${name}]`;
  const colors: Record<Role, Shade> = { ...themeOf(base).colors as ThemeColors };
  for (const [role, shade] of Object.entries(changes)) {
    if (!isRole(role)) {
      throw new ThemeError(`${where}: "${role}" is not a role${didYouMean(role, ROLES, `list the roles with el2 theme show ${base}`)}`);
    }
    const [text, entry] = typeof shade === "string" ? [shade, undefined] : shade as readonly [string, number];
    const direct = parseInt(text.slice(1), 16);
    colors[role] = [direct, entry ?? entryFor(role, direct, colors)];
  }
  const [weakest, ...more] = weakPairs(colors);
  if (!weakest) return { name, colors };
  const { ink, ground, depth, contrast } = weakest;
  const others = more.length ? `, and ${more.length} more ${more.length === 1 ? "pair is" : "pairs are"} too weak` : "";
  const way = depth === "256" ? `choose its entry of 256, such as ${ink} = ["#rrggbb", 252]` : `change ${ink} or ${ground}`;
  throw new ThemeError(
    `${where}: ${ink} on ${ground} has a contrast of ${contrast.toFixed(2)} in ${depth === "256" ? "256 colors" : "direct color"}` +
      `${others}; text needs ${LEAST_CONTRAST}; ${way}`,
  );
}
