// Boxes and rules around panes: a title at the left, its modifiers at the right, a position below.

import type { Rectangle, Screen } from "../terminal/cells.ts";
import type { BoxFrame } from "../terminal/glyphs.ts";
import { fit, textWidth } from "../../../kit/support/text/text-width.ts";
import { drawPieces, type Piece, piecesWidth } from "./pieces.ts";
import type { Look, Role } from "./theme.ts";
import { afterVm, isOf, nameOf, vmOfName } from "../../../model/queries/ids.ts";

/** Title of a pane. */
export interface Title {
  readonly text: string;
  /** The VM that it is about: its letter and name follow the text. */
  readonly vm?: string;
  /** Text after the VM's name, in the VM's ink: `/0`. */
  readonly vmDetail?: string;
  /** Further subject. */
  readonly detail?: string;
  readonly count?: number | string;
  /** Sort, filter, rate, whether it follows: dropped from the left if space runs out. */
  readonly right?: readonly (readonly Piece[])[];
  /** Position, or hints: at the bottom right of a box, at the right of a rule. */
  readonly bottom?: readonly Piece[];
}

/** The VM and the rest of a vCPU's id, for a title; undefined for another id. */
export function vcpuTitle(id: unknown): { readonly vm: string; readonly vmDetail: string } | undefined {
  if (typeof id !== "string" || !isOf("vcpu", id)) return undefined;
  const name = nameOf(id);
  return { vm: vmOfName(name), vmDetail: afterVm(name) };
}

/** Meaning of a frame. */
export type FrameKind = "plain" | "focused" | "typing" | "past" | "danger";

const FRAME_INKS: Readonly<Record<FrameKind, Role>> = { plain: "border", focused: "accent", typing: "ok", past: "past", danger: "bad" };

/** A pane lower or narrower than this has a rule, however large the terminal is. */
const LEAST_BOX = { rows: 5, columns: 24 } as const;
/** From this size of the terminal on panes have boxes. */
const BOXED = { columns: 100, rows: 30 } as const;

/** Whether panes of a terminal have boxes. */
export function hasBoxes({ width, height }: { readonly width: number; readonly height: number }): boolean {
  return width >= BOXED.columns && height >= BOXED.rows;
}

/** Whether a cell is in an area. */
export function isInside({ x, y, width, height }: Rectangle, column: number, row: number): boolean {
  return column >= x && row >= y && column < x + width && row < y + height;
}

/** The area of a pane's content, inside its box or below its rule. */
export function insideOf(area: Rectangle, boxed: boolean): Rectangle {
  if (!isBox(area, boxed)) return { ...area, y: area.y + 1, height: Math.max(area.height - 1, 0) };
  return { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 };
}

/** Whether a pane has a box. */
export function isBox(area: Rectangle, boxed: boolean): boolean {
  return boxed && area.height >= LEAST_BOX.rows && area.width >= LEAST_BOX.columns;
}

/** How the frame of a pane looks. */
export interface FrameOptions {
  /** A box if there is room, else a rule. */
  readonly boxed: boolean;
  readonly kind: FrameKind;
  /** It has the keys, whatever the ink of its frame is. */
  readonly focus?: boolean;
}

/** Draws the box of a pane, or its rule. */
export function drawFrame(screen: Screen, look: Look, area: Rectangle, title: Title, options: FrameOptions): Rectangle {
  if (area.height < 1) return area;
  if (isBox(area, options.boxed)) drawBox(screen, look, area, title, options);
  else drawRule(screen, look, area, title, options);
  return insideOf(area, options.boxed);
}

function glyphsOf({ glyphs, otherLines }: Look, { focus }: FrameOptions): BoxFrame {
  return focus && otherLines ? glyphs.focused : glyphs.frame;
}

function drawBox(screen: Screen, look: Look, area: Rectangle, title: Title, options: FrameOptions): void {
  const { corners: [topLeft, topRight, bottomLeft, bottomRight], line, side } = glyphsOf(look, options);
  const style = look.style(FRAME_INKS[options.kind]), inner = area.width - 2, bottom = area.y + area.height - 1;
  screen.text(area.x, area.y, topLeft + line.repeat(inner) + topRight, style);
  for (let y = area.y + 1; y < bottom; y++) {
    screen.text(area.x, y, side, style);
    screen.text(area.x + area.width - 1, y, side, style);
  }
  screen.text(area.x, bottom, bottomLeft + line.repeat(inner) + bottomRight, style);
  drawTitle(screen, look, { ...area, x: area.x + 1, width: inner, height: 1 }, title, options, title.right ?? []);
  if (title.bottom) drawRight(screen, look, { ...area, x: area.x + 1, y: bottom, width: inner, height: 1 }, [title.bottom]);
}

function drawRule(screen: Screen, look: Look, area: Rectangle, title: Title, options: FrameOptions): void {
  screen.text(area.x, area.y, glyphsOf(look, options).line.repeat(area.width), look.style(FRAME_INKS[options.kind]));
  drawTitle(screen, look, { ...area, height: 1 }, title, options, [...title.right ?? [], ...title.bottom ? [title.bottom] : []]);
}

/** Columns between the end of the title and the right part at least: blank, line, line, blank. */
const BETWEEN = 4;

function drawTitle(
  screen: Screen,
  look: Look,
  area: Rectangle,
  title: Title,
  { kind, focus }: FrameOptions,
  right: readonly (readonly Piece[])[],
): void {
  // One cell of line at each end, and a blank next to it.
  const room = area.width - 4;
  const count = title.count === undefined ? "" : ` ${title.count}`;
  const tail = tailWidth(title);
  let shown = right;
  while (shown.length && textWidth(title.text) + tail + count.length + BETWEEN + rightWidth(shown) > room) shown = shown.slice(1);
  const text = fit(title.text, Math.max(room - count.length - tail, 0));
  if (text === "") return;
  let x = area.x + 1;
  x += screen.text(x, area.y, ` ${text}`, look.bold(kind === "past" || kind === "danger" ? FRAME_INKS[kind] : focus ? "accent" : "strong"));
  if (title.vm !== undefined) {
    const mark = look.vm(title.vm);
    x += screen.text(x, area.y, " ");
    x += screen.text(x, area.y, mark.letter, look.on(mark.fill, "fink", true));
    x += screen.text(x, area.y, ` ${title.vm}${title.vmDetail ?? ""}`, look.style(mark.ink));
  }
  if (title.detail !== undefined) x += screen.text(x, area.y, ` ${title.detail}`, look.style("text"));
  x += screen.text(x, area.y, count, look.style("dim"));
  screen.text(x, area.y, " ");
  drawRight(screen, look, area, shown);
}

function tailWidth({ vm, vmDetail = "", detail }: Title): number {
  return (vm === undefined ? 0 : textWidth(vm) + vmDetail.length + 3) + (detail === undefined ? 0 : textWidth(detail) + 1);
}

/** Parts are two blanks apart. */
function rightWidth(parts: readonly (readonly Piece[])[]): number {
  return parts.reduce((sum, pieces) => sum + piecesWidth(pieces), 0) + 2 * Math.max(parts.length - 1, 0);
}

function drawRight(screen: Screen, look: Look, area: Rectangle, parts: readonly (readonly Piece[])[]): void {
  const width = rightWidth(parts);
  if (width === 0 || width > area.width - 4) return;
  let x = area.x + area.width - width - 3;
  screen.text(x, area.y, " ");
  x++;
  parts.forEach((pieces, index) => {
    if (index > 0) x += screen.text(x, area.y, "  ");
    x += drawPieces(screen, look, x, area.y, pieces, area.x + area.width - x);
  });
  screen.text(x, area.y, " ");
}

/** Draws the thumb of a scrollbar on the right border if there are more rows than the box shows. */
export function drawThumb(screen: Screen, look: Look, area: Rectangle, boxed: boolean, scroll: Scroll, kind: FrameKind): void {
  const { top, height, count } = scroll;
  if (!isBox(area, boxed) || count <= height || height < 1) return;
  const track = area.height - 2, size = Math.max(1, Math.round(track * height / count));
  const from = count === height ? 0 : Math.round((track - size) * top / (count - height));
  for (let y = 0; y < size; y++) {
    screen.text(area.x + area.width - 1, area.y + 1 + from + y, look.glyphs.thumb, look.style(FRAME_INKS[kind]));
  }
}

/** The visible part of a pane's rows. */
export interface Scroll {
  readonly top: number;
  readonly height: number;
  readonly count: number;
}

/** A line across an overlay that meets its sides. */
export function drawJoinedLine(screen: Screen, look: Look, area: Rectangle): void {
  const { joints: [left, right] } = look.otherLines ? look.glyphs.focused : look.glyphs.frame, style = look.style("accent");
  screen.text(area.x, area.y, look.glyphs.frame.line.repeat(area.width), look.style("border"));
  screen.text(area.x - 1, area.y, left, style);
  screen.text(area.x + area.width, area.y, right, style);
}
