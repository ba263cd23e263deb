// The frame around a screen: state bar, tabs, panes with their titles, hints, message
// (docs/design/workstation.md §4).

import { SCREEN_LIST } from "./actions.ts";
import { fit, type Rectangle, type Screen } from "./cells.ts";
import type { Overlay } from "./overlay.ts";
import type { Line, Pane } from "./pane.ts";
import type { Placed } from "./screens.ts";
import type { Look } from "./theme.ts";
import type { MachineSample } from "../protocol/protocol.ts";
import { countText, timeText } from "../queries/format.ts";

/** Smallest terminal that shows the screen. */
export const MINIMUM = { columns: 60, rows: 16 } as const;

/** From this width on tabs have a row of their own. */
const WIDE = 100;

/** A session whose connection is gone. */
export interface LostState {
  readonly message: string;
  readonly seconds: number;
  /** The next try to reach it: its number, and seconds until then. */
  readonly next: { readonly number: number; readonly seconds: number };
}

/** What the session's machine does, in a word. */
export type StateWord = "LIVE" | "REPLAY" | "PAUSED" | "PAST" | "ENDED" | "LOST";

/** What the frame says. */
export interface FrameState {
  readonly title: string;
  /** Key of the screen that is shown. */
  readonly screen: string;
  readonly state: StateWord;
  readonly readOnly: boolean;
  /** How much came since the display was frozen. */
  readonly frozen: number | undefined;
  readonly lost: LostState | undefined;
  readonly sample: MachineSample | undefined;
  /** Virtual time over wall time. */
  readonly speed: number | undefined;
  readonly dropped: number;
  readonly newReasons: number;
  readonly focus: Pane;
  /** Keys go to a guest. */
  readonly typing: boolean;
  readonly hints: string;
  readonly overlay: Overlay | undefined;
  readonly message: Line;
}

/**
 * Draws all; `place` gives the panes and their places in the body. A terminal that is too small is
 * told so.
 */
export function drawFrame(screen: Screen, look: Look, state: FrameState, place: (body: Rectangle) => readonly Placed[]): void {
  if (screen.width < MINIMUM.columns || screen.height < MINIMUM.rows) return drawTooSmall(screen);
  // A frozen display keeps its body; so does one whose session is gone.
  const still = (state.frozen !== undefined || state.lost !== undefined) && screen.keep();
  if (!still) screen.clear();
  const top = drawBar(screen, look, state);
  const body = { x: 0, y: top, width: screen.width, height: screen.height - top - 2 };
  if (!still && !state.overlay?.whole) { for (const placed of place(body)) drawPane(screen, look, placed, state); }
  if (state.lost) drawLost(screen, look, body, state.lost);
  if (state.overlay) {
    if (state.overlay.whole) screen.fill(body);
    state.overlay.draw(screen, body, look);
  }
  drawFoot(screen, look, state);
}

function drawTooSmall(screen: Screen): void {
  screen.clear();
  screen.text(0, 0, `el2 needs ${MINIMUM.columns}x${MINIMUM.rows}; this is ${screen.width}x${screen.height}`.slice(0, screen.width));
}

function drawBar(screen: Screen, look: Look, state: FrameState): number {
  const wide = screen.width >= WIDE;
  const style = look.style("bar");
  screen.fill({ x: 0, y: 0, width: screen.width, height: 1 }, style);
  screen.text(0, 0, fit(` el2 ${state.title}  ${stateWords(state)}${facts(state, wide)}`, screen.width - (wide ? 2 : 24)), style);
  if (!wide) {
    const tab = SCREEN_LIST.find(({ key }) => key === state.screen)!;
    const text = `[${tab.key} ${tab.name}]  1..0  ?  : `;
    screen.text(screen.width - text.length, 0, text, style);
    return 1;
  }
  screen.text(screen.width - 2, 0, "?", style);
  screen.fill({ x: 0, y: 1, width: screen.width, height: 1 });
  let x = 0;
  for (const { key, name } of SCREEN_LIST) {
    const shown = key === state.screen;
    const text = shown ? `[${key} ${name}]` : ` ${key} ${name} `;
    const role = shown ? "focusedHeading" : name === "why" && state.newReasons ? "warning" : "dim";
    x += screen.text(x, 1, text, look.style(role)) + 1;
  }
  screen.text(x, 1, "  : palette  / filter", look.style("dim"));
  return 2;
}

function stateWords({ state, readOnly, frozen }: FrameState): string {
  return [state, readOnly ? "READ-ONLY" : "", frozen === undefined ? "" : `FROZEN +${frozen}`].filter(Boolean).join(" ");
}

function facts({ sample, speed, dropped, newReasons }: FrameState, wide: boolean): string {
  if (!sample) return "  starting";
  const load = sample.vms.reduce((sum, vm) => sum + vm.vcpus.reduce((all, vcpu) => all + vcpu.load, 0), 0) / sample.physicalCpus;
  const why = newReasons ? `why ${newReasons} new` : "why -";
  const factor = speed === undefined ? "" : ` x${speed < 10 ? speed.toFixed(2) : Math.round(speed)}`;
  const time = `t=${timeText(sample.time)}s${factor}`;
  if (!wide) return ` ${time} ${why} drop ${dropped}`;
  return `  ${time}  ${Math.round(sample.mips)} MIPS  pCPU ${Math.round(load * 100)}%  ${
    countText(sample.instructions)
  } instr  VMs ${sample.vms.length}  drop ${dropped}  ${why}`;
}

function drawPane(screen: Screen, look: Look, { pane, area }: Placed, state: FrameState): void {
  if (area.height < 1) return;
  const focused = pane === state.focus;
  const typing = state.typing && pane.name === "console";
  const title = `${focused ? "==" : "--"} ${pane.title()}`;
  if (area.x > 0) {
    for (let y = area.y; y < area.y + area.height; y++) {
      screen.text(area.x - 1, y, look.glyphs.divider, look.style("dim"));
    }
  }
  screen.text(area.x, area.y, fit(title, area.width), look.style(typing ? "guest" : focused ? "focusedHeading" : "heading"));
  pane.draw(screen, { ...area, y: area.y + 1, height: area.height - 1 }, look);
}

function drawLost(screen: Screen, look: Look, body: Rectangle, { message, seconds: since, next }: LostState): void {
  screen.dim(body);
  const lines = [
    `-- connection lost ${since}s ago; the machine may still run`,
    ` ${message}   last frame: grey`,
    ` retry ${next.number} in ${next.seconds}s   r now   l log   s open last snapshot   q leave (exit 3)`,
  ];
  lines.forEach((text, row) => {
    screen.fill({ ...body, y: body.y + row, height: 1 });
    screen.text(body.x, body.y + row, fit(text, body.width), look.style(row === 0 ? "warning" : "text"));
  });
}

function drawFoot(screen: Screen, look: Look, state: FrameState): void {
  const hintRow = screen.height - 2, messageRow = screen.height - 1;
  const { prompt, cursor } = state.overlay ?? {};
  const line = prompt ?? state.message;
  for (const y of [hintRow, messageRow]) screen.fill({ x: 0, y, width: screen.width, height: 1 });
  screen.text(0, hintRow, fit(` ${state.hints}`, screen.width), look.style("dim"));
  screen.text(0, messageRow, fit(` ${line.text}`, screen.width), look.style(line.role ?? "text"));
  if (cursor !== undefined) screen.cursor = { x: Math.min(1 + cursor, screen.width - 1), y: messageRow };
}
