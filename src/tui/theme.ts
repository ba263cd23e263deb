// Roles of the screen and how they look. Meaning is never in the colour alone: each role has a mark
// or word as well (docs/design/workstation.md §6).

import { Attribute, type Colour, palette, rgb, type Style } from "./cells.ts";
import { THEMES } from "../configuration/schema.ts";
import { ASCII_GLYPHS, BRAILLE_GLYPHS, type Glyphs, UNICODE_GLYPHS } from "./glyphs.ts";

/** What a piece of text means. */
export type Role =
  | "text"
  | "dim"
  | "heading"
  | "focusedHeading"
  | "bar"
  | "selected"
  | "running"
  | "waiting"
  | "refused"
  | "warning"
  | "link"
  | "changed"
  | "guest"
  | "lost";

/** The colours of a theme, by role; attributes are the same in all. 0 is the terminal's own. */
interface Colours {
  readonly running: Colour;
  readonly refused: Colour;
  readonly warning: Colour;
  readonly link: Colour;
}

/** Names of the themes: configurations name them too. */
export type ThemeName = typeof THEMES[number];
export const THEME_NAMES: readonly ThemeName[] = THEMES;

const THEME_COLOURS = {
  /** The terminal's own sixteen colours: right on dark and on light, as the person has set them. */
  terminal: { running: palette(2), refused: palette(1), warning: palette(3), link: palette(6) },
  dark: { running: rgb(0x7fd88f), refused: rgb(0xff7b7b), warning: rgb(0xe6c86e), link: rgb(0x6fc3df) },
  light: { running: rgb(0x1f6f2f), refused: rgb(0xb3141c), warning: rgb(0x7a5200), link: rgb(0x005f87) },
  "high-contrast": { running: rgb(0x00ff5f), refused: rgb(0xff5f5f), warning: rgb(0xffff00), link: rgb(0x00ffff) },
  solarized: { running: rgb(0x8fa300), refused: rgb(0xf0524f), warning: rgb(0xc49a00), link: rgb(0x2aa198) },
  gruvbox: { running: rgb(0xb8bb26), refused: rgb(0xfb4934), warning: rgb(0xfabd2f), link: rgb(0x8ec07c) },
  nord: { running: rgb(0xa3be8c), refused: rgb(0xe07a84), warning: rgb(0xebcb8b), link: rgb(0x88c0d0) },
  deuteranopia: { running: rgb(0x56b4e9), refused: rgb(0xe69f00), warning: rgb(0xf0e442), link: rgb(0xcc79a7) },
} as const satisfies Readonly<Record<ThemeName, Colours>>;

/** How everything looks: styles by role, and the glyphs. */
export class Look {
  readonly #styles: Readonly<Record<Role, Style>>;
  readonly glyphs: Glyphs;

  /**
   * @param ascii nothing but ASCII, whatever else is asked for
   * @param dots timelines have dots
   */
  constructor(readonly theme: ThemeName, readonly ascii: boolean, readonly dots = false) {
    const { running, refused, warning, link } = THEME_COLOURS[theme];
    this.glyphs = ascii ? ASCII_GLYPHS : dots ? BRAILLE_GLYPHS : UNICODE_GLYPHS;
    this.#styles = {
      text: {},
      dim: { attributes: Attribute.Dim },
      heading: { attributes: Attribute.Dim },
      focusedHeading: { attributes: Attribute.Bold },
      bar: { attributes: Attribute.Reverse },
      selected: { attributes: Attribute.Reverse },
      running: { foreground: running },
      waiting: { attributes: Attribute.Dim },
      refused: { foreground: refused, attributes: Attribute.Bold },
      warning: { foreground: warning },
      link: { foreground: link },
      changed: { attributes: Attribute.Bold },
      guest: { attributes: Attribute.Reverse | Attribute.Bold },
      lost: { attributes: Attribute.Dim },
    };
  }

  /** The same in other colours. */
  with(theme: ThemeName): Look {
    return new Look(theme, this.ascii, this.dots);
  }

  /** The style of a role. */
  style(role: Role): Style {
    return this.#styles[role];
  }

  /** The style of a role in a selected row. */
  selected(role: Role): Style {
    const style = this.#styles[role];
    return { ...style, attributes: (style.attributes ?? 0) & ~Attribute.Dim | Attribute.Reverse };
  }
}
