// Colors and styles of cells. Those of el2 are roles; those of guests are what the guests said.

import { type Role, ROLES } from "./roles.ts";

/**
 * A color in one number: 0 is the terminal's own, 1..256 is palette entry 0..255, 0x1000000 | rgb
 * is a direct color, 0x2000000 | fade << 8 | index is a role.
 */
export type Color = number;

const DIRECT = 0x1000000;
const ROLE = 0x2000000;

/** Palette entry as a color. */
export const palette = (index: number): Color => index + 1;

export const rgb = (value: number): Color => DIRECT | value;

const BY_ROLE = Object.fromEntries(ROLES.map((role, index) => [role, ROLE | index])) as Readonly<Record<Role, Color>>;

export const roleColor = (role: Role): Color => BY_ROLE[role];

/** How much of the page is in a color: none, a third, or more than a half. */
export const FADES = [0, 0.35, 0.6] as const;

/** An index of `FADES`. */
export type Fade = 0 | 1 | 2;

/** The color of a role, mixed with the page where the terminal has direct colors. */
export const fadedColor = (role: Role, fade: Fade): Color => BY_ROLE[role] | fade << 8;

/** The role of a color; undefined for colors of guests and the terminal's own. */
export function roleOf(color: Color): Role | undefined {
  return color >= ROLE ? ROLES[color & 0xff] : undefined;
}

/** The bits of a direct color; undefined for others. */
export function rgbOf(color: Color): number | undefined {
  return color >= DIRECT && color < ROLE ? color & 0xffffff : undefined;
}

/** Bits of `Style.attributes`. */
export const Attribute = { Bold: 1, Dim: 2, Italic: 4, Underline: 8, Reverse: 16, Strike: 32, Link: 64 } as const;

/** Bits that show on a blank cell. */
export const ON_BLANKS = Attribute.Underline | Attribute.Reverse | Attribute.Strike | Attribute.Link;

/** How text looks. */
export interface Style {
  readonly foreground?: Color;
  /** Undefined: keep the present one. */
  readonly background?: Color;
  /** Bits of `Attribute`. */
  readonly attributes?: number;
  /** Target of a hyperlink, in terminals that show them. */
  readonly link?: string;
}

/** How many colors the terminal shows. */
export type ColorDepth = "none" | "16" | "256" | "direct";

/** The colors that the environment promises. */
export function colorDepth(environment: (name: string) => string | undefined): ColorDepth {
  if (environment("NO_COLOR") || environment("TERM") === "dumb") return "none";
  if (/truecolor|24bit/.test(environment("COLORTERM") ?? "")) return "direct";
  return /256/.test(environment("TERM") ?? "") ? "256" : "16";
}
