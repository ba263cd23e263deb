// The kind of an overlay.

import { DangerOverlay } from "./overlays/danger.ts";
import type { OverlayKind } from "./guide/guide-chapters.ts";
import { HelpOverlay } from "./help.ts";
import { VerdictOverlay } from "./overlays/lines-overlay.ts";
import { MenuOverlay, type Overlay } from "./overlays/overlay.ts";
import { PaletteOverlay } from "./overlays/palette.ts";
import { WhoOverlay } from "./overlays/who-overlay.ts";

/** The kinds, by their classes. */
const KINDS = [
  [VerdictOverlay, "verdict"],
  [WhoOverlay, "who"],
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
