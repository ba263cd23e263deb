// Roles of the screen and how they look. Meaning is never in the colour alone: each role has a mark or word as well.

import { Attribute, palette, type Style } from "./cells.ts";

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
  | "link"
  | "changed"
  | "guest";

const STYLES: Record<Role, Style> = {
  text: {},
  dim: { attributes: Attribute.Dim },
  heading: { attributes: Attribute.Dim },
  focusedHeading: { attributes: Attribute.Bold },
  bar: { attributes: Attribute.Reverse },
  selected: { attributes: Attribute.Reverse },
  running: { foreground: palette(2) },
  waiting: { attributes: Attribute.Dim },
  refused: { foreground: palette(1), attributes: Attribute.Bold },
  link: { foreground: palette(6) },
  changed: { attributes: Attribute.Bold },
  guest: { foreground: palette(0), background: palette(3) },
};

/** The style of a role. */
export function style(role: Role): Style {
  return STYLES[role];
}
