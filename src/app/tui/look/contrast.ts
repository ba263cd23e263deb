// Which inks are drawn on which backgrounds, and the contrast (WCAG 2) that a theme gives each
// pair.

import { GROUNDS, type Role, VM_FILLS, VM_INKS } from "../terminal/roles.ts";
import type { ThemeColors } from "../terminal/color-scheme.ts";

/** The contrast that text needs. */
export const LEAST_CONTRAST = 4.5;

const READ: readonly Role[] = ["strong", "text", "dim", "accent", "ok", "warn", "bad", "past", "link", ...VM_INKS];

/** Which inks are drawn on which backgrounds. `faint` and `border` are decoration. */
const DRAWN_ON: ReadonlyMap<Role, readonly Role[]> = new Map<Role, readonly Role[]>([
  ...GROUNDS.map((ground): [Role, readonly Role[]] => [ground, READ]),
  ["badbg", ["strong", "text", "dim", "bad", "link", "accent"]],
  ["warnbg", ["strong", "text", "dim", "warn"]],
  ["okbg", ["strong", "text", "ok", "link", "accent"]],
  ["pastbg", ["strong", "text", "dim", "past", "accent", "warn", "bad", "link"]],
  ["accbg", ["strong", "text", "link", "accent"]],
  ["hitbg", ["strong"]],
  ...(["accent", "ok", "warn", "bad", "past"] as const).map((chip): [Role, readonly Role[]] => [chip, ["ink"]]),
  ...VM_FILLS.map((fill): [Role, readonly Role[]] => [fill, ["fink"]]),
]);

/** First entry of the palette of 256 that every terminal shows alike, and of its grays. */
const FIRST_FIXED = 16, FIRST_GRAY = 232, ENTRIES = 256;

/** Direct color of an entry of the palette of 256, from 16 on. */
function bitsOfEntry(index: number): number {
  if (index >= FIRST_GRAY) return (8 + 10 * (index - FIRST_GRAY)) * 0x010101;
  const level = (step: number) => step === 0 ? 0 : 55 + 40 * step;
  const at = index - FIRST_FIXED;
  return level(Math.floor(at / 36)) << 16 | level(Math.floor(at / 6) % 6) << 8 | level(at % 6);
}

const channels = (bits: number) => [bits >> 16 & 255, bits >> 8 & 255, bits & 255] as const;

/** Entries of the palette of 256, the nearest to a direct color first. */
function nearestEntries(bits: number): number[] {
  const wanted = channels(bits);
  const far = (index: number) => channels(bitsOfEntry(index)).reduce((sum, channel, at) => sum + (channel - wanted[at]) ** 2, 0);
  const entries = Array.from({ length: ENTRIES - FIRST_FIXED }, (_, index) => FIRST_FIXED + index);
  return entries.map((index) => ({ index, far: far(index) })).sort((a, b) => a.far - b.far).map(({ index }) => index);
}

/** Relative luminance of a direct color, 0 to 1. */
function luminance(bits: number): number {
  const linear = (value: number) => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const [red, green, blue] = channels(bits).map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Contrast of two direct colors: 1 to 21. */
export function contrast(a: number, b: number): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** A pair of roles that is hard to read. */
interface WeakPair {
  readonly ink: Role;
  readonly ground: Role;
  readonly depth: "direct" | "256";
  readonly contrast: number;
}

/** Roles that are drawn on a role's background, or that it is drawn on. */
function partnersOf(role: Role): Role[] {
  return [...DRAWN_ON].flatMap(([ground, inks]) => ground === role ? inks : inks.includes(role) ? [ground] : []);
}

/**
 * The entry of the palette of 256 for a role's direct color: the nearest that is legible with the
 * entries of the other roles, else the nearest.
 */
export function entryFor(role: Role, bits: number, colors: ThemeColors): number {
  const others = partnersOf(role).map((partner) => bitsOfEntry(colors[partner][1]));
  const entries = nearestEntries(bits);
  const isRead = (entry: number) => others.every((other) => contrast(bitsOfEntry(entry), other) >= LEAST_CONTRAST);
  return entries.find(isRead) ?? entries[0];
}

/** Pairs of a theme that have less contrast than text needs, the weakest first. */
export function weakPairs(colors: ThemeColors): WeakPair[] {
  const found: WeakPair[] = [];
  for (const [ground, inks] of DRAWN_ON) {
    for (const ink of inks) {
      const direct = contrast(colors[ink][0], colors[ground][0]);
      const indexed = contrast(bitsOfEntry(colors[ink][1]), bitsOfEntry(colors[ground][1]));
      if (direct < LEAST_CONTRAST) found.push({ ink, ground, depth: "direct", contrast: direct });
      if (indexed < LEAST_CONTRAST) found.push({ ink, ground, depth: "256", contrast: indexed });
    }
  }
  return found.sort((a, b) => a.contrast - b.contrast);
}
