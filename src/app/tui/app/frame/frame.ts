// The frame around a screen: header, tabs, panes in their boxes, hints, message.

import { drawFrame, drawThumb, type FrameKind, hasBoxes, insideOf } from "../../look/box.ts";
import type { Screen } from "../../terminal/cells.ts";
import { drawHints, drawMessage, placeMessage } from "./foot.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import { drawOverlay } from "../overlays/overlay-box.ts";
import { drawGuide, guideRows } from "./guide-strip.ts";
import type { FrameState, LostState } from "./frame-state.ts";
import { drawHeader, drawTabs } from "./header.ts";
import { LOST_HINTS } from "./hints.ts";
import { keyPieces, type Piece } from "../../look/pieces.ts";
import type { Body, Placed } from "../../screens/screen-model.ts";
import { drawScrubber } from "./scrubber.ts";
import type { Look } from "../../look/theme.ts";

/** Smallest terminal that shows the screen. */
export const MINIMUM = { columns: 60, rows: 16 } as const;

/** Rows at the top: the header, and the tabs. */
const TOP = 2;
/** Rows at the bottom: hints, and the message. */
const BOTTOM = 2;

/**
 * Draws all; `place` returns the panes and their places in the body. A terminal that is too small
 * gets a message.
 */
export function drawScreen(screen: Screen, look: Look, state: FrameState, place: (body: Body) => readonly Placed[]): void {
  look.dress(screen);
  if (screen.width < MINIMUM.columns || screen.height < MINIMUM.rows) return drawTooSmall(screen);
  // A frozen display keeps its body; so does one whose session is gone.
  const still = (state.frozen !== undefined || state.lost !== undefined) && screen.keep();
  if (!still) screen.clear();
  const rows = state.timeline ? 1 : 0;
  const strip = state.guide ? guideRows(state.guide, screen.width) : 0;
  const body = { x: 0, y: TOP, width: screen.width, height: screen.height - TOP - BOTTOM - rows - strip, boxed: hasBoxes(screen) };
  for (const y of [0, 1, screen.height - 2, screen.height - 1]) screen.fill({ x: 0, y, width: screen.width, height: 1 });
  drawHeader(screen, look, state);
  drawTabs(screen, look, state);
  if (!still && !state.overlay?.whole) { for (const placed of place(body)) drawPane(screen, look, placed, body.boxed, state); }
  const below = { ...body, y: body.y + body.height, height: strip };
  if (state.guide) drawGuide(screen, look, below, state.guide);
  if (state.timeline && !still) drawScrubber(screen, look, { ...body, y: below.y + strip, height: 1 }, state.timeline);
  if (state.lost) screen.dim(body);
  if (state.lost && !state.overlay) drawLost(screen, look, body, state.lost);
  if (state.overlay) {
    if (state.overlay.whole) screen.fill(body);
    state.overlay.draw(screen, body, look);
  }
  drawFoot(screen, look, state, still || state.overlay !== undefined || strip > 0);
}

function drawTooSmall(screen: Screen): void {
  screen.clear();
  screen.text(0, 0, `el2 needs ${MINIMUM.columns}x${MINIMUM.rows}; this is ${screen.width}x${screen.height}`.slice(0, screen.width));
}

function drawPane(screen: Screen, look: Look, { pane, area }: Placed, boxed: boolean, state: FrameState): void {
  if (area.height < 1) return;
  const focused = pane === state.focus && !state.away, past = state.state === "PAST";
  if (!boxed && area.x > 0) {
    for (let y = area.y; y < area.y + area.height; y++) screen.text(area.x - 1, y, look.glyphs.frame.side, look.style("border"));
  }
  if (pane.bare) return pane.draw(screen, area, look, { focused, boxed, past });
  const kind: FrameKind = state.typing && !state.away && pane.name === "console" ? "typing" : past ? "past" : focused ? "focused" : "plain";
  // The title says which part of the content is shown: that is known once it is drawn.
  pane.draw(screen, insideOf(area, boxed), look, { focused, boxed, past });
  drawFrame(screen, look, area, pane.title(), { boxed, kind, focus: focused });
  if (pane.scroll) drawThumb(screen, look, area, boxed, pane.scroll, kind);
}

function drawLost(screen: Screen, look: Look, body: Body, { message, seconds: since, next }: LostState): void {
  const lines: Piece[][] = [
    [{ text: `connection lost ${since} s ago; the machine may still run` }],
    [{ text: message, role: "dim" }],
    [{ text: "behind this box: the last frame, without colors", role: "dim" }],
    [{ text: `retry ${next.number} in ${next.seconds} s`, role: "strong" }],
    [],
    LOST_HINTS.flatMap(({ key, word }) => keyPieces(key, `${word}   `)),
  ];
  drawOverlay(screen, look, body, { title: { text: "Connection lost" }, kind: "danger", lines });
}

/** @param isCovered whether the last rows of the body belong to something else than panes */
function drawFoot(screen: Screen, look: Look, state: FrameState, isCovered: boolean): void {
  const messageRow = screen.height - 1, { prompt, cursor } = state.overlay ?? {};
  // Without a session, the keys of a toast do nothing.
  const message = state.message && (state.lost ? { ...state.message, keys: [] } : state.message);
  const placed = message && !prompt ? placeMessage(screen.width, look, message, isCovered ? 1 : undefined) : undefined;
  if (placed) drawMessage(screen, look, messageRow, placed);
  const hintRow = messageRow - (placed?.lines.length ?? 1);
  screen.fill({ x: 0, y: hintRow, width: screen.width, height: 1 });
  drawHints(screen, look, hintRow, state.hints);
  if (prompt) screen.text(1, messageRow, fit(prompt.text, screen.width - 1), look.style(prompt.role ?? "text"));
  if (cursor !== undefined) screen.cursor = { x: Math.min(1 + cursor, screen.width - 1), y: messageRow };
}
