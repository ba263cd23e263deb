// Maps the roles of cells to a terminal's colors. Every role has an entry for each depth, so
// nothing is searched; only guests' colors that the terminal lacks are rounded.

import { Attribute, type Color, type ColorDepth, FADES, palette, rgb, rgbOf, roleColor, roleOf } from "./color.ts";
import { GROUNDS, type Role, ROLES, TINTS, VM_FILLS } from "./roles.ts";
import { BASIC, BASIC_ON_BRIGHT, type Theme, type ThemeColors } from "./color-scheme.ts";

const { Bold, Dim, Reverse } = Attribute;

/** Backgrounds that only terminals with many colors show. */
const SHADES: ReadonlySet<Role> = new Set<Role>([...GROUNDS, ...TINTS].filter((role) => role !== "sel" && role !== "hitbg"));
const FILLS: ReadonlySet<Role> = new Set<Role>(VM_FILLS);
/** Inks with less weight where colors are missing. */
const WEAK: ReadonlySet<Role> = new Set<Role>(["dim", "faint", "border"]);

const BLACK = 0, GREY = 8, WHITE = 15;

function sameColors(one: ThemeColors | undefined, other: ThemeColors | undefined): boolean {
  return one === other || one !== undefined && other !== undefined &&
      ROLES.every((role) => one[role].every((color, at) => color === other[role][at]));
}

/** The mapping of one theme at one depth. The fields hold what was mapped last. */
export class ColorMap {
  foreground: Color = 0;
  background: Color = 0;
  /** Bits of `Attribute`. */
  attributes = 0;
  /** Colors by fade and role, if each role has its own color. */
  readonly #colors: readonly (readonly Color[])[] | undefined;
  /** The theme's page is bright, so that of the terminal is, too. */
  readonly #bright: boolean;

  /** @param painted whether the page has the theme's background, or the terminal's own */
  constructor(readonly theme: Theme, readonly depth: ColorDepth, readonly painted = true) {
    const column = depth === "direct" ? rgb : depth === "256" ? palette : undefined;
    this.#bright = theme.colors !== undefined && isBright(theme.colors.bg[0]);
    if (!column || !theme.colors) return;
    const { colors } = theme;
    const own = ROLES.map((role) => role === "bg" && !painted ? 0 : column(colors[role][depth === "direct" ? 0 : 1]));
    const mixed = (page: number) => ROLES.map((role) => rgb(mix(colors[role][0], colors.bg[0], page)));
    this.#colors = FADES.map((page) => page > 0 && depth === "direct" ? mixed(page) : own);
  }

  /** Whether another maps all colors to the same ones. */
  equals({ theme, depth, painted }: ColorMap): boolean {
    return depth === this.depth && painted === this.painted && (theme === this.theme || sameColors(theme.colors, this.theme.colors));
  }

  /** Maps the colors and attributes of a cell. */
  map(foreground: Color, background: Color, attributes: number): void {
    this.attributes = attributes;
    if (this.#colors) {
      this.foreground = this.#color(foreground, this.#colors);
      this.background = this.#color(background, this.#colors);
    } else if (this.depth === "none") {
      this.#none(roleOf(foreground), roleOf(background));
    } else {
      this.#basic(foreground, background);
    }
  }

  #color(color: Color, colors: readonly (readonly Color[])[]): Color {
    return color >= 0x2000000 ? colors[color >> 8 & 3][color & 0xff] : this.#ofGuest(color);
  }

  /** Sixteen colors, the terminal's own: tints are left out, the selection is reverse. */
  #basic(foreground: Color, background: Color): void {
    const ink = roleOf(foreground), ground = roleOf(background);
    this.foreground = ink === undefined ? this.#ofGuest(foreground) : basicColor(ink, this.#bright);
    this.background = 0;
    // Without its color, a warning is still heavier than what surrounds it.
    if (ink === "warn" && this.#bright) this.attributes |= Bold;
    if (ink === "dim") this.attributes |= Dim;
    if (ground === undefined) {
      this.background = this.#ofGuest(background);
    } else if (ground === "sel") {
      this.foreground = 0;
      this.attributes = this.attributes & ~Dim | Reverse;
    } else if (!SHADES.has(ground)) {
      this.background = basicColor(ground, false);
      this.attributes &= ~Dim;
      if (ink === undefined || !FILLS.has(ink)) this.foreground = palette(BASIC[ground] === GREY ? WHITE : BLACK);
    }
    // Many terminals draw bold black as gray.
    if (ink !== undefined && this.foreground === palette(BLACK)) this.attributes &= ~Bold;
  }

  /** Attributes alone. */
  #none(ink: Role | undefined, ground: Role | undefined): void {
    this.foreground = this.background = 0;
    if (ink === "strong") this.attributes |= Bold;
    if (ink !== undefined && WEAK.has(ink)) this.attributes |= Dim;
    if (ground !== undefined && !SHADES.has(ground)) this.attributes = this.attributes & ~Dim | Reverse;
  }

  #ofGuest(color: Color): Color {
    const direct = rgbOf(color);
    if (this.depth === "direct") return color;
    const index = direct === undefined ? color - 1 : cube(direct);
    if (index < 0) return 0;
    return palette(this.depth === "16" && index > 15 ? basicOf(index) : index);
  }
}

/** A mix of two direct colors, with this share (0 to 1) of the other. */
function mix(color: number, other: number, share: number): number {
  const channel = (shift: number) => Math.round((color >> shift & 255) * (1 - share) + (other >> shift & 255) * share) << shift;
  return channel(16) | channel(8) | channel(0);
}

/** Whether a direct color is nearer to white than to black. */
function isBright(color: number): boolean {
  return (color >> 16 & 255) + (color >> 8 & 255) + (color & 255) > 3 * 128;
}

/** The terminal's own color for a role, of its sixteen; `bright`: for an ink on a bright page. */
function basicColor(role: Role, bright: boolean): Color {
  const index = bright && role in BASIC_ON_BRIGHT ? BASIC_ON_BRIGHT[role] : BASIC[role];
  return index === undefined ? 0 : palette(index);
}

/** Entry of the 6x6x6 cube for a direct color. */
function cube(value: number): number {
  const step = (channel: number) => Math.round((channel & 255) / 51);
  return 16 + 36 * step(value >> 16) + 6 * step(value >> 8) + step(value);
}

/** One of the sixteen basic colors for an entry of the cube or the gray ramp. */
function basicOf(index: number): number {
  if (index >= 232) return index < 238 ? 0 : index < 244 ? 8 : index < 250 ? 7 : 15;
  const at = index - 16, red = Math.floor(at / 36), green = Math.floor(at / 6) % 6, blue = at % 6;
  const bright = Math.max(red, green, blue) > 3 ? 8 : 0;
  return (red > 2 ? 1 : 0) + (green > 2 ? 2 : 0) + (blue > 2 ? 4 : 0) + bright;
}

/** The page: content of a cleared screen. */
export const PAGE = { foreground: roleColor("text"), background: roleColor("bg"), attributes: 0 } as const;
