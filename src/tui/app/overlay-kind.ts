// The kind of an overlay.

import { DangerOverlay } from "./danger.ts";
import type { OverlayKind } from "./guide-chapters.ts";
import { HelpOverlay } from "./help.ts";
import { VerdictOverlay } from "./lines-overlay.ts";
import { MenuOverlay, type Overlay } from "./overlay.ts";
import { PaletteOverlay } from "./palette.ts";

/** The kinds, by their classes. */
const KINDS = [
  [VerdictOverlay, "verdict"],
  [PaletteOverlay, "palette"],
  [HelpOverlay, "help"],
  [DangerOverlay, "question"],
  [MenuOverlay, "menu"],
] as const;

/** The kind of what lies over a screen. */
export function overlayKind(overlay: Overlay | undefined): OverlayKind | "none" {
  if (!overlay) return "none";
  return KINDS.find(([of]) => overlay instanceof of)?.[1] ?? "other";
}
