// The two rows at the top: the session with its state, and the tabs of the screens.

import { screenOf, SCREENS } from "../../actions/screen-table.ts";
import type { Screen } from "../../terminal/cells.ts";
import type { FrameState, StateWord } from "./frame-state.ts";
import type { Glyphs } from "../../terminal/glyphs.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import { grouped, secondsText, speedPieces } from "../../look/numbers.ts";
import { drawPieces, type Piece, piecesWidth } from "../../look/pieces.ts";
import { type SpokenLine, spokenPieces } from "../../look/speech.ts";
import type { Look, Role } from "../../look/theme.ts";
import type { MachineSample } from "../../../../model/protocol/protocol.ts";

/** Columns of a session's name. */
const LONGEST_NAME = 16;
/** Blanks between parts. */
const GAP = 3;
/** Tabs have whole names from this width on, and names at all. */
const WHOLE_TABS = 106;
const SHORT_TABS = 80;

/** How a state looks: the shape of its chip, and its fill. */
const STATE_CHIPS: Readonly<Record<StateWord, readonly [mark: keyof Glyphs["marks"], fill: Role]>> = {
  LIVE: ["live", "ok"],
  PAUSED: ["paused", "warn"],
  PAST: ["past", "past"],
  REPLAY: ["replay", "accent"],
  ENDED: ["paused", "raised"],
  LOST: ["lost", "bad"],
};

/** A part of row 1, in the forms that it has: each shorter than the one before; empty: left out. */
type HeaderPart = readonly (readonly Piece[])[];

const value = (text: string): Piece => ({ text });
const unit = (text: string): Piece => ({ text, role: "dim" });

/** Draws row 1. */
export function drawHeader(screen: Screen, look: Look, state: FrameState): void {
  const ground: Role = state.state === "PAST" ? "pastbg" : state.state === "LOST" ? "badbg" : "raised";
  screen.fill({ x: 0, y: 0, width: screen.width, height: 1 }, ground);
  const left = leftParts(look, state), right = rightParts(state);
  const [, , speed, mips] = left, [cpus, vms, ...others] = right;
  // The order in which parts are dropped when space runs out.
  const steps: Step[] = [[cpus, 1], [vms, 1], [speed, 1], ...others.map((part): Step => [part, 1]), [mips, 1], [speed, 2]];
  const forms = shorten([...left, ...right], steps, screen.width);
  let x = drawPieces(screen, look, 0, 0, forms[0], screen.width);
  for (const pieces of forms.slice(1, left.length)) {
    if (pieces.length) x += GAP + drawPieces(screen, look, x + GAP, 0, pieces, screen.width - x - GAP);
  }
  let end = screen.width - 1;
  for (const pieces of forms.slice(left.length).reverse()) {
    if (!pieces.length) continue;
    const at = end - piecesWidth(pieces);
    if (at <= x) continue;
    drawPieces(screen, look, at, 0, pieces, end - at);
    end = at - GAP;
  }
}

/** Row 1 to be spoken. */
export function spokenHeader(look: Look, state: FrameState): SpokenLine {
  const parts = [...leftParts(look, state), ...rightParts(state)].map(([pieces]) => pieces);
  return { parts: parts.flatMap((pieces) => spokenPieces(pieces).parts) };
}

/** A part takes one of its shorter forms. */
type Step = readonly [part: HeaderPart, form: number];

/** Takes shorter forms of parts, in this order, until all fit. */
function shorten(parts: readonly HeaderPart[], steps: readonly Step[], width: number): (readonly Piece[])[] {
  const form = new Map(parts.map((part) => [part, 0]));
  const shown = () => parts.map((part) => part[form.get(part)!] ?? []);
  const needed = () => shown().reduce((sum, pieces) => sum + (pieces.length ? piecesWidth(pieces) + GAP : 0), 0);
  for (const [part, to] of steps) if (needed() > width && to < part.length) form.set(part, to);
  return shown();
}

function leftParts(look: Look, state: FrameState): HeaderPart[] {
  const { sample, speed, frozen } = state;
  const [mark, fill] = STATE_CHIPS[state.state];
  const ink: Role = fill === "raised" ? "strong" : "ink";
  const name: Piece[] = [
    { text: " el2 ", role: "ink", fill: "accent", bold: true },
    { text: ` ${fit(state.title, LONGEST_NAME)}  `, role: "strong", bold: true },
    { text: ` ${look.glyphs.marks[mark]} ${state.state} `, role: ink, fill, bold: true },
    ...state.readOnly ? [value(" "), { text: " READ-ONLY ", role: "ink", fill: "warn", bold: true } as const] : [],
    ...frozen === undefined ? [] : [value(" "), { text: ` FROZEN +${frozen} `, role: "ink", fill: "warn", bold: true } as const],
  ];
  if (!sample) return [[name], [[unit("starting")]], [[]], [[]]];
  const time: Piece[] = [{ text: secondsText(sample.time), role: "strong", bold: true }, unit(" s")];
  const factor = speed === undefined || speed < LEAST_SPEED ? "" : `×${speed < 10 ? speed.toFixed(2) : grouped(String(Math.round(speed)))}`;
  return [[name], [time], factor ? [[unit("speed "), value(factor)], [value(factor)], []] : [[]], [speedPieces(state.mips), []]];
}

/** The least virtual time per wall time that two decimals show. */
const LEAST_SPEED = 0.005;
/** Less time (ns) than a row's decimals show. */
const SHORT = 1000;

/** The distance from a place of the past to now: in instructions where time would be zero. */
function distanceText({ past = 0, instructionsSince: count }: FrameState): string {
  if (past >= SHORT || count === 0) return `${secondsText(past)} s`;
  return `${grouped(String(count))} instruction${count === 1 ? "" : "s"}`;
}

function rightParts(state: FrameState): HeaderPart[] {
  const { sample, dropped, newReasons, past } = state;
  if (past !== undefined) {
    const before: Piece = { text: ` ${distanceText(state)} before now `, role: "ink", fill: "past", bold: true };
    return [[[{ text: "no input reaches guests", role: "past" }], []], [[before]]];
  }
  if (!sample) return [[[]], [[]]];
  const runs = sample.vms.filter(({ state }) => state === "RUNNING").length, { length: all } = sample.vms;
  // Once the machine has ended, none of them runs.
  const vms = state.state === "ENDED"
    ? [value(String(all)), unit(all === 1 ? " VM" : " VMs")]
    : [value(String(runs)), unit(` of ${all} VMs run`)];
  const cpus = sample.physicalCpus;
  const plural = newReasons === 1 ? "refusal" : "refusals";
  const refusal = (text: string): Piece[] => [{ text, role: "bad", fill: "badbg", bold: true }];
  return [
    [[value(String(cpus)), unit(cpus === 1 ? " pCPU" : " pCPUs")], []],
    [vms, []],
    ...dropped ? [[[{ text: `${grouped(String(dropped))} lost`, role: "warn" } as const]]] : [],
    newReasons ? [refusal(` ! ${newReasons} new ${plural} `), refusal(` ! ${newReasons} `)] : [[unit("no new refusal")], []],
  ];
}

export const TABS_ROW = 1;

/** A tab: its place in the row, and its word. */
interface Tab {
  readonly key: string;
  readonly x: number;
  readonly width: number;
  readonly word: string;
  readonly whole: boolean;
}

/** The screen of Linux. */
const LINUX = screenOf("task").key;

/** Columns of its tab. */
const LINUX_TAB = 9;

/** Whether a VM has a Linux kernel. */
export const hasLinux = (sample: MachineSample | undefined): boolean => sample?.vms.some(({ linux }) => linux) ?? false;

/** The tabs in a terminal of a width while a screen is shown. */
function tabsOf(columns: number, shown: string, linux: boolean): Tab[] {
  // One more tab needs more room for whole names, or has its key alone.
  const wholeFrom = WHOLE_TABS + (linux ? LINUX_TAB : 0);
  let x = columns >= wholeFrom ? 1 : 0;
  // That of Linux has a tab where a VM runs one, and while it is shown.
  return SCREENS.filter(({ key }) => key !== LINUX || linux || key === shown).map(({ key, title, short }) => {
    const whole = key === shown || columns >= wholeFrom;
    const word = whole ? title : columns >= SHORT_TABS + (key === LINUX ? LINUX_TAB : 0) ? short : "";
    const width = (whole ? 4 : word ? 3 : 2) + word.length;
    x += width;
    return { key, x: x - width, width, word, whole };
  });
}

/** The key of the tab at a column; undefined outside of the tabs. */
export function tabAt(columns: number, shown: string, linux: boolean, x: number): string | undefined {
  return tabsOf(columns, shown, linux).find((tab) => x >= tab.x && x < tab.x + tab.width)?.key;
}

export function drawTabs(screen: Screen, look: Look, { screen: shown, newReasons, sample }: FrameState): void {
  for (const { key, x: from, width, word, whole } of tabsOf(screen.width, shown, hasLinux(sample))) {
    const here = key === shown;
    let x = from;
    if (here) screen.tint({ x, y: TABS_ROW, width, height: 1 }, "sel");
    x += whole ? 1 : 0;
    x += screen.text(x, TABS_ROW, key, here ? look.key : look.style("accent"));
    if (word) x += screen.text(x, TABS_ROW, ` ${word}`, here ? look.bold("strong") : look.style("dim"));
    if (key === screenOf("why").key && newReasons) {
      screen.text(x + (whole && !here ? 1 : 0), TABS_ROW, look.options.glyphs === "full" ? "●" : "!", look.bold("bad"));
    }
  }
}
