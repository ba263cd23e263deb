// The screens as lines of text, for screen readers (`--plain`): header, panes and boxes give their
// lines, with commas between parts. A change is one line; changes of figures alone do not count.

import { SCREENS } from "../actions/screen-table.ts";
import type { FrameState } from "./frame/frame-state.ts";
import { spokenHeader } from "./frame/header.ts";
import type { Placed } from "../screens/screen-model.ts";
import type { SpokenLine } from "../look/speech.ts";
import type { Look } from "../look/theme.ts";

/** Columns of what is read, and rows at least of each pane. */
export const LINEAR = { columns: 110, rows: 24 } as const;
/** Wall time (ms) for which a row that was announced says nothing new by itself. */
const SILENCE = 10_000;
/** In front of the selected row. */
const SELECTED = "selected: ";

/** A screen as lines. */
export interface Linear {
  /** The shown place: when it changes, all lines are read. */
  readonly place: string;
  readonly lines: readonly string[];
  /** How the session is: its first line is read again when this changes. */
  readonly state: string;
  /** The answer to a key, or a message that came by itself: read at once. */
  readonly message: string;
}

/** The shown content as lines. `look` has no color and only ASCII. */
export function linearOf(look: Look, state: FrameState, placed: readonly Placed[]): Linear {
  const tab = SCREENS.find(({ key }) => key === state.screen);
  const message = state.overlay?.prompt?.text ?? state.message?.text ?? "";
  const session = `${state.state} ${state.newReasons} ${state.frozen !== undefined}`;
  const lines = [lineOf(spokenHeader(look, state)), `Screen ${state.screen}, ${tab?.title ?? ""}.`];
  if (state.lost) lines.push(`Connection lost ${state.lost.seconds} s ago. ${state.lost.message}.`);
  const { overlay, guide } = state;
  if (guide) lines.push(`Tour, step ${guide.position}: ${guide.text} ${guide.task.map(({ text }) => text).join("")}`);
  if (overlay) {
    lines.push(...linesOf(overlay.spoken(look, { width: LINEAR.columns, height: LINEAR.rows })));
    return { place: `${state.screen} ${lines.at(2) ?? ""}`, lines, state: session, message };
  }
  for (const { pane, area } of placed) {
    const height = Math.max(area.height - 1, 1), focused = pane === state.focus;
    const { text, vm, vmDetail = "", detail = "", count } = pane.title();
    const about = [text, vm === undefined ? "" : `${vm}${vmDetail}`, detail, count === undefined ? "" : String(count)];
    lines.push(`${about.filter((part) => part !== "").join(" ")}${focused ? ", has the keys" : ""}:`);
    lines.push(...linesOf(pane.spoken(look, { width: LINEAR.columns, height }, focused)));
  }
  return { place: `${state.screen} ${state.focus.name}`, lines, state: session, message };
}

function linesOf(lines: readonly SpokenLine[]): string[] {
  return lines.filter(({ parts }) => parts.length).map(lineOf);
}

function lineOf({ parts, selected }: SpokenLine): string {
  // Texts of guests and files reach a terminal without escape sequences.
  // deno-lint-ignore no-control-regex
  return (selected ? SELECTED : "") + parts.join(", ").replaceAll(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

/** Reads what has changed, line by line. */
export class Reader {
  #place = "";
  #message = "";
  #state = "";
  /** Lines of the last time, without figures, and when each was read by itself. */
  #known = new Set<string>();
  readonly #read = new Map<string, number>();

  /** The lines to be read at a wall time (ms). */
  take({ place, lines, state, message }: Linear, now: number): string[] {
    const known = this.#known, moved = place !== this.#place;
    this.#known = new Set(lines.flatMap((line) => [keyOf(line), keyOf(withoutMark(line))]));
    const said = message !== this.#message && message !== "" ? [message] : [];
    this.#place = place;
    this.#message = message;
    const first = state !== this.#state ? lines.slice(0, 1) : [];
    this.#state = state;
    if (moved) return [...lines, ...said];
    const changed = lines.slice(1).filter((line) => !known.has(keyOf(line)) && this.#mayBeRead(line, now));
    return [...first, ...changed, ...said];
  }

  /** A row that changes all the time is not read all the time; the selection always is. */
  #mayBeRead(line: string, now: number): boolean {
    if (line.startsWith(SELECTED)) return true;
    const name = keyOf(line.split(", ")[0]), last = this.#read.get(name);
    if (last !== undefined && now - last < SILENCE) return false;
    this.#read.set(name, now);
    return true;
  }
}

function withoutMark(line: string): string {
  return line.startsWith(SELECTED) ? line.slice(SELECTED.length) : line;
}

/** A line without what changes all the time. */
function keyOf(line: string): string {
  return line.replaceAll(/0x[0-9a-f]+|\d[\d ,.]*/g, "0");
}
