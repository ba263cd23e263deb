// How everything looks: styles by role, glyphs, and the marks of VMs. Meaning is never in the color
// alone: each role has a mark or a word as well.

import { ColorMap } from "../terminal/color-map.ts";
import { Attribute, type ColorDepth, type Fade, fadedColor, roleColor, type Style } from "../terminal/color.ts";
import type { Screen } from "../terminal/cells.ts";
import { type Glyphs, glyphsOf, type SetName } from "../terminal/glyphs.ts";
import { type Role, ROLES } from "../terminal/roles.ts";
import type { Theme } from "../terminal/color-scheme.ts";
import { findTheme, THEME_NAMES, type ThemeName, themeOf } from "./themes.ts";
import { type VmMark, VmMarks } from "./vm-marks.ts";
import { withoutKind } from "../../../model/queries/ids.ts";

export { THEME_NAMES, type ThemeName };
export type { Role };

interface LookOptions {
  readonly theme: Theme;
  readonly depth: ColorDepth;
  readonly glyphs: SetName;
  /** Graphs have braille; otherwise blocks. */
  readonly braille?: boolean;
  /** The page has the theme's background; otherwise the terminal's own. */
  readonly painted?: boolean;
  readonly vms?: VmMarks;
}

/** The user's wishes for the look, and the terminal's abilities. */
export interface LookWish {
  /** Name of the theme that the user asks for; without one the terminal's background decides. */
  readonly theme?: string;
  /** Themes of the configuration. */
  readonly themes?: readonly Theme[];
  /** The environment says that the terminal's background is bright. */
  readonly bright?: boolean;
  readonly ascii?: boolean;
  /** Only what every console draws: no rounded corners, no braille. */
  readonly blocks?: boolean;
  /** Graphs have braille; without it they have blocks. */
  readonly braille?: boolean;
  /** The page has the theme's background. */
  readonly painted?: boolean;
}

export function lookFor({ theme, themes, bright, ascii, blocks, braille, painted }: LookWish, depth: ColorDepth): Look {
  return new Look({
    theme: findTheme(theme ?? "", themes) ?? themeOf(bright ? "light" : "dark"),
    depth,
    glyphs: ascii ? "ascii" : blocks ? "blocks" : "full",
    braille: braille ?? true,
    painted: painted ?? true,
  });
}

const STYLES = Object.fromEntries(
  ROLES.map((role): [Role, Style] => [role, { foreground: roleColor(role), attributes: role === "strong" ? Attribute.Bold : 0 }]),
) as Readonly<Record<Role, Style>>;

const KEY: Style = { foreground: roleColor("accent"), attributes: Attribute.Bold };

export class Look {
  readonly glyphs: Glyphs;
  readonly map: ColorMap;
  readonly vms: VmMarks;

  constructor(readonly options: LookOptions) {
    this.glyphs = glyphsOf(options.glyphs, options.braille);
    this.map = new ColorMap(options.theme, options.depth, options.painted);
    this.vms = options.vms ?? new VmMarks();
  }

  /** The same with some changes; itself without any. */
  with(changes: Partial<LookOptions>): Look {
    const names = Object.keys(changes) as (keyof LookOptions)[];
    return names.every((name) => this.options[name] === changes[name]) ? this : new Look({ ...this.options, vms: this.vms, ...changes });
  }

  /** Colors cannot be the only mark: bars and lanes have letters too. */
  get letters(): boolean {
    return this.options.depth === "none" || this.options.glyphs === "ascii";
  }

  /** The pane with the keys has other lines: a color alone would not show. */
  get otherLines(): boolean {
    return this.options.depth === "none" || this.options.glyphs !== "full";
  }

  /** A screen shows this look from its next frame on. */
  dress(screen: Screen): void {
    screen.wear(this.map, this.glyphs.name);
  }

  /** The style of an ink, on the existing background. */
  style(role: Role): Style {
    return STYLES[role];
  }

  /** The style of a weaker ink, on the existing background. */
  faded(role: Role, fade: Fade): Style {
    return { foreground: fadedColor(role, fade), attributes: 0 };
  }

  /** The style of an ink in bold. */
  bold(role: Role): Style {
    return { ...STYLES[role], attributes: Attribute.Bold };
  }

  /** The style of a key in hints. */
  get key(): Style {
    return KEY;
  }

  /** The style of an ink on its own background. */
  on(background: Role, role: Role, bold = false): Style {
    return { foreground: roleColor(role), background: roleColor(background), attributes: bold ? Attribute.Bold : 0 };
  }

  /** The mark of a VM, by its name or `vm:NAME`. */
  vm(name: string): VmMark {
    return this.vms.of(withoutKind("vm", name));
  }
}

/** The look of a theme for tests and for screens without a session. */
export function plainLook(theme: ThemeName, depth: ColorDepth, glyphs: SetName): Look {
  return new Look({ theme: themeOf(theme), depth, glyphs });
}
