// The screens as lines of text, for screen readers (`--plain`): no frames, no pictures, columns
// apart by commas. A change is one line; changes of figures alone do not count.

import { SCREENS } from "../actions/screen-table.ts";
import { Screen } from "../terminal/cells.ts";
import type { FrameState } from "./frame/frame-state.ts";
import { drawHeader } from "./frame/header.ts";
import type { Placed } from "../screens/screen-model.ts";
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
  const header = drawn(look, 1, (screen) => drawHeader(screen, look, state));
  const message = state.overlay?.prompt?.text ?? state.message?.text ?? "";
  const session = `${state.state} ${state.newReasons} ${state.frozen !== undefined}`;
  const lines = [...header, `Screen ${state.screen}, ${tab?.title ?? ""}.`];
  if (state.lost) lines.push(`Connection lost ${state.lost.seconds} s ago. ${state.lost.message}.`);
  const { overlay, guide } = state;
  if (guide) lines.push(`Tour, step ${guide.position}: ${guide.text} ${guide.task.map(({ text }) => text).join("")}`);
  if (overlay) {
    const body = { x: 0, y: 0, width: LINEAR.columns, height: LINEAR.rows, boxed: false };
    lines.push(...drawn(look, LINEAR.rows, (screen) => overlay.draw(screen, body, look)));
    return { place: `${state.screen} ${lines.at(2) ?? ""}`, lines, state: session, message };
  }
  for (const { pane, area } of placed) {
    const height = Math.max(area.height - 1, 1), focused = pane === state.focus;
    const { text, vm, vmDetail = "", detail = "", count } = pane.title();
    const about = [text, vm === undefined ? "" : `${vm}${vmDetail}`, detail, count === undefined ? "" : String(count)];
    lines.push(`${about.filter((part) => part !== "").join(" ")}${focused ? ", has the keys" : ""}:`);
    const size = { x: 0, y: 0, width: LINEAR.columns, height };
    lines.push(
      ...drawn(look, height, (screen) => pane.draw(screen, size, look, { focused, boxed: false, past: state.past !== undefined })),
    );
  }
  return { place: `${state.screen} ${state.focus.name}`, lines, state: session, message };
}

/** The drawing on a screen of this many rows, as lines to be read. */
function drawn(look: Look, rows: number, draw: (screen: Screen) => void): string[] {
  const screen = new Screen(LINEAR.columns, rows, "none");
  look.dress(screen);
  draw(screen);
  return screen.toLines().map(readable).filter((line) => line !== "");
}

/** A row without lines of boxes and without pictures; its columns have commas. */
function readable(line: string): string {
  const selected = line.startsWith(">");
  const text = line.replace(/^[>|+ ]+/, "").replace(/[|+ ]+$/, "").split(/ {2,}/)
    .map((part) => part.split(" ").filter((word) => /[A-Za-z0-9!?%]/.test(word) && !isPicture(word)).join(" "))
    .filter((part) => part !== "").join(", ");
  return selected && text !== "" ? SELECTED + text : text;
}

/** A bar, a map or a lane: letters that stand for VMs, again and again. */
function isPicture(word: string): boolean {
  return /^(?=.*(.)\1\1)[A-Z#._%?!*@-]{4,}$/.test(word) || /^([a-z])\1{3,}$/.test(word);
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
