// The screen as cells, and the bytes that turn one screen into the next. A cell holds one grapheme
// cluster; wide ones are followed by a continuation cell. Colors are roles until a frame is made.

import { ColorMap, PAGE } from "./color-map.ts";
import { TERMINAL_THEME } from "./color-scheme.ts";
import { Attribute, type Color, type ColorDepth, ON_BLANKS, roleColor, type Style } from "./color.ts";
import { FrameRuns } from "./frame-runs.ts";
import { FrameWriter } from "./frame-writer.ts";
import { type SetName, swap } from "./glyphs.ts";
import { clusters as clustersOf, clusterWidth, codeWidth, isDrawing, isSingle } from "../../../kit/support/text/text-width.ts";
import type { Role } from "./roles.ts";
import { terminalCluster } from "../../../kit/support/text/terminal-text.ts";

export interface DrawnCell {
  readonly text: string;
  readonly foreground: Color;
  readonly background: Color;
  /** Bits of `Attribute`. */
  readonly attributes: number;
}

/** Cells in one row. */
export type CellSpan = Pick<Rectangle, "x" | "y" | "width">;

/** A rectangle of cells; x and y count from 0 at the top left. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const CONTINUATION = 0;
const SPACE = 32;
/** Cells whose character is this bit and an index hold a cluster of several code points. */
const CLUSTER = 0x80000000;
/** Unchanged cells that are cheaper to write again than to jump over. */
const REWRITTEN_GAP = 3;
/** Attributes that no cell has: it is drawn again. */
const STALE = 0xffff;
/** Text that keeps the background. */
const PAGE_INK: Style = { foreground: PAGE.foreground };

/**
 * Clusters of more than one code point, interned for the life of the program; guests can make many,
 * so the table is bounded.
 */
const clusters: string[] = [];
const clusterIds = new Map<string, number>();
const MAXIMUM_CLUSTERS = 65536;

function intern(cluster: string): number {
  let id = clusterIds.get(cluster);
  if (id === undefined) {
    if (clusters.length >= MAXIMUM_CLUSTERS) return cluster.codePointAt(0)!;
    id = clusters.push(cluster) - 1;
    clusterIds.set(cluster, id);
  }
  return (CLUSTER | id) >>> 0;
}

/** Cells of one row that stand for keys: a click on them presses these. */
interface Button extends CellSpan {
  /** Names of keys, with blanks between them. */
  readonly keys: string;
}

/** A drawing surface of the terminal's size, and what the terminal shows now. */
export class Screen {
  #width = 0;
  #height = 0;
  #back = new Plane(0);
  #front = new Plane(0);
  /** The terminal's content when it was first kept. */
  #kept: Plane | undefined;
  /** The terminal shows something of this size. */
  #shown = false;
  #repaint = true;
  #map: ColorMap;
  #glyphs: SetName = "full";
  /** Position of the terminal's own cursor, or undefined to hide it. */
  cursor: { x: number; y: number } | undefined;
  #shownCursor: { x: number; y: number } | undefined;
  #cursorKnown = false;
  /** The terminal takes a frame as one (DECSET 2026). */
  synchronized = false;
  /** The terminal shows hyperlinks. */
  links = false;
  /** Where cells with a hyperlink lead: all of a frame to one target. */
  #target = "";
  #shownTarget = "";
  /** Keys that clicks press, in the frame that is drawn. */
  #buttons: Button[] = [];

  constructor(width: number, height: number, readonly depth: ColorDepth) {
    this.#map = new ColorMap(TERMINAL_THEME, depth);
    this.resize(width, height);
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  /** How roles become colors. */
  get map(): ColorMap {
    return this.#map;
  }

  /** Takes a set of glyphs, and how roles become colors; other colors paint everything anew. */
  wear(map: ColorMap, glyphs: SetName): void {
    this.#glyphs = glyphs;
    if (map === this.#map) return;
    const before = this.#map;
    this.#map = map;
    this.#repaint ||= !map.equals(before);
  }

  /** Takes a new size; the next frame paints everything. */
  resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#back = new Plane(width * height);
    this.#front = new Plane(width * height);
    this.#kept = undefined;
    this.#shown = false;
    this.#repaint = true;
  }

  /** Makes the next frame paint everything. */
  invalidate(): void {
    this.#repaint = true;
  }

  /** Blanks everything that will be drawn. */
  clear(): void {
    this.#kept = undefined;
    this.#back.page();
    this.#buttons = [];
    this.cursor = undefined;
  }

  /**
   * Starts the next frame from the terminal's content when it was last cleared for drawing; false,
   * and blank, without content of this size.
   */
  keep(): boolean {
    this.cursor = undefined;
    if (!this.#kept && this.#shown) {
      this.#kept = new Plane(this.#width * this.#height);
      this.#kept.copy(this.#front);
    }
    if (this.#kept) this.#back.copy(this.#kept);
    else this.#back.page();
    return this.#kept !== undefined;
  }

  /** Fills a rectangle with blanks on a background; the page by default. */
  fill(area: Rectangle, background: Role = "bg"): void {
    this.#buttons = this.#buttons.filter(({ x, y, width }) =>
      y < area.y || y >= area.y + area.height || x + width <= area.x || x >= area.x + area.width
    );
    const style = { ...PAGE, background: roleColor(background) };
    for (let y = area.y; y < area.y + area.height; y++) {
      for (let x = area.x; x < area.x + area.width; x++) this.#put(x, y, SPACE, style);
    }
  }

  /** Makes cells a button: a click on them presses these keys, until others are drawn there. */
  button(span: CellSpan, keys: string): void {
    this.#buttons.push({ ...span, keys });
  }

  /** Names of the keys that a click at a cell presses, with blanks between them. */
  pressedAt(at: Pick<Rectangle, "x" | "y">): string | undefined {
    return this.#buttons.findLast(({ x, y, width }) => y === at.y && at.x >= x && at.x < x + width)?.keys;
  }

  /** Sets the background of a rectangle; its text stays. */
  tint(area: Rectangle, background: Role): void {
    const color = roleColor(background);
    for (let y = Math.max(area.y, 0); y < Math.min(area.y + area.height, this.#height); y++) {
      const end = Math.min(area.x + area.width, this.#width);
      for (let x = Math.max(area.x, 0); x < end; x++) this.#back.background[y * this.#width + x] = color;
    }
  }

  /** Gives the text of a rectangle an ink. */
  stain(area: Rectangle, ink: Role): void {
    const color = roleColor(ink);
    for (let y = Math.max(area.y, 0); y < Math.min(area.y + area.height, this.#height); y++) {
      const end = Math.min(area.x + area.width, this.#width);
      for (let x = Math.max(area.x, 0); x < end; x++) this.#back.foreground[y * this.#width + x] = color;
    }
  }

  /** Takes the colors out of a rectangle and dims what it shows. */
  dim(area: Rectangle): void {
    for (let y = area.y; y < area.y + area.height; y++) {
      for (let x = area.x; x < area.x + area.width; x++) {
        const at = y * this.#width + x;
        this.#back.foreground[at] = PAGE.foreground;
        this.#back.background[at] = PAGE.background;
        this.#back.attributes[at] = Attribute.Dim;
      }
    }
  }

  /**
   * Draws a text from (x, y) in at most `width` columns, cut hard at the end, on the background
   * that is there where the style has none. Control characters become `?`, so that no text can
   * carry an escape sequence, as does what turns text round. Returns the columns used.
   */
  text(x: number, y: number, text: string, style: Style = PAGE_INK, width = this.#width - x): number {
    let used = 0;
    if (style.link !== undefined) style = this.#linked(style, style.link);
    text = swap(text, this.#glyphs);
    if (isSingle(text)) {
      for (; used < text.length && used < width; used++) this.#put(x + used, y, text.charCodeAt(used), style);
      return used;
    }
    for (const cluster of clustersOf(text)) {
      const columns = clusterWidth(cluster);
      if (used + columns > width) break;
      this.cluster(x + used, y, cluster, columns, style);
      used += columns;
    }
    return used;
  }

  /** The style of a cell with a hyperlink; of one without, where the terminal shows none. */
  #linked({ foreground, background, attributes = 0 }: Style, target: string): Style {
    if (!this.links) return { foreground, background, attributes };
    this.#target = target;
    return { foreground, background, attributes: attributes | Attribute.Link };
  }

  /**
   * Draws one cluster whose width is known (from a guest console's emulator). A wide one that does
   * not fit is blank.
   */
  cluster(x: number, y: number, cluster: string, columns: number, style: Style): void {
    cluster = terminalCluster(cluster);
    // A mark without a letter would go to the cell before.
    if (columns > 0 && codeWidth(cluster.codePointAt(0)!) === 0) cluster = ` ${cluster}`;
    const code = cluster.codePointAt(0)!;
    const fits = columns < 2 || x >= 0 && x + 1 < this.#width;
    this.#put(x, y, !fits ? SPACE : cluster.length > (code > 0xffff ? 2 : 1) ? intern(cluster) : code, style);
    if (columns === 2) this.#put(x + 1, y, fits ? CONTINUATION : SPACE, style);
  }

  #put(x: number, y: number, character: number, style: Style): void {
    if (x < 0 || y < 0 || x >= this.#width || y >= this.#height) return;
    const at = y * this.#width + x, plane = this.#back;
    // Half of a wide cluster cannot stay: its other half becomes blank.
    if (plane.character[at] === CONTINUATION && character !== CONTINUATION && x > 0) plane.character[at - 1] = SPACE;
    if (x + 1 < this.#width && plane.character[at + 1] === CONTINUATION) plane.character[at + 1] = SPACE;
    plane.character[at] = character;
    plane.foreground[at] = style.foreground ?? PAGE.foreground;
    if (style.background !== undefined) plane.background[at] = style.background;
    plane.attributes[at] = style.attributes ?? 0;
  }

  /**
   * The bytes that change what the terminal shows into what was drawn, inside one synchronized
   * update where the terminal has them; empty when nothing changed.
   */
  frame(): string {
    const out = new FrameWriter(this.#map, this.#target);
    const back = this.#back, front = this.#front;
    if (this.#target !== this.#shownTarget) {
      front.attributes.forEach((bits, at) => {
        if (bits & Attribute.Link) front.attributes[at] = STALE;
      });
      this.#shownTarget = this.#target;
    }
    if (this.#repaint) {
      out.raw("\x1b[0m\x1b[2J");
      front.blank();
      this.#cursorKnown = false;
    }
    const runs = new FrameRuns(this.#repaint);
    for (let y = 0; y < this.#height; y++) this.#row(runs, y, back, front);
    runs.write(out);
    this.#back = front;
    this.#front = back;
    this.#repaint = false;
    this.#shown = true;
    const text = this.#withCursor(out);
    return text === "" || !this.synchronized ? text : `\x1b[?2026h${text}\x1b[?2026l`;
  }

  /** The frame with what it takes to hide the cursor while cells change, and to put it back. */
  #withCursor(out: FrameWriter): string {
    const { cursor } = this, before = this.#shownCursor, known = this.#cursorKnown;
    this.#shownCursor = cursor && { ...cursor };
    this.#cursorKnown = true;
    const changed = !out.empty;
    if (known && !changed && cursor?.x === before?.x && cursor?.y === before?.y) return "";
    const visible = !known || before !== undefined;
    const hide = visible && (changed || !cursor) ? "\x1b[?25l" : "";
    out.reset();
    const show = visible && !hide ? "" : "\x1b[?25h";
    return `${hide}${out.text}${cursor ? `\x1b[${cursor.y + 1};${cursor.x + 1}H${show}` : ""}`;
  }

  /** Collects what a row has to show anew. */
  #row(runs: FrameRuns, y: number, back: Plane, front: Plane): void {
    const start = y * this.#width;
    runs.begin(y);
    for (let x = 0; x < this.#width; x++) {
      const at = start + x;
      if (back.same(front, at) || this.#looksSame(back, front, at)) continue;
      // A change of the second half of a wide cluster is a change of the cluster.
      const first = back.character[at] === CONTINUATION && x > 0 ? x - 1 : x;
      const gap = first - runs.end;
      if (gap > 0 && gap <= REWRITTEN_GAP && this.#goesOn(runs, back, start, first)) {
        for (let column = runs.end; column < first; column++) this.#cell(runs, back, start, column);
      }
      this.#cell(runs, back, start, first);
      if (front.character[at] === CONTINUATION || !isRuly(front.character[at])) runs.keepOrder();
      if (x + 1 < this.#width && back.character[start + first + 1] === CONTINUATION) x = first + 1;
    }
  }

  /** Whether the cells between the last run and a column are a byte each in the style of that. */
  #goesOn(runs: FrameRuns, plane: Plane, start: number, end: number): boolean {
    for (let column = runs.end; column < end; column++) {
      const character = plane.character[start + column];
      if (character < SPACE || character > 0x7e) return false;
      this.#map.map(plane.foreground[start + column], plane.background[start + column], plane.attributes[start + column]);
      if (!runs.has(this.#map.foreground, this.#map.background, this.#map.attributes, character === SPACE)) return false;
    }
    return true;
  }

  /** Whether cells differ only in what this terminal does not show. */
  #looksSame(back: Plane, front: Plane, at: number): boolean {
    const character = back.character[at];
    if (character !== front.character[at]) return false;
    const map = this.#map;
    map.map(front.foreground[at], front.background[at], front.attributes[at]);
    const { foreground, background, attributes } = map;
    map.map(back.foreground[at], back.background[at], back.attributes[at]);
    if (background !== map.background) return false;
    if (character === SPACE) return ((attributes ^ map.attributes) & ON_BLANKS) === 0;
    return foreground === map.foreground && attributes === map.attributes;
  }

  #cell(runs: FrameRuns, plane: Plane, start: number, x: number): void {
    const at = start + x, character = plane.character[at];
    if (character === CONTINUATION) return;
    const map = this.#map;
    map.map(plane.foreground[at], plane.background[at], plane.attributes[at]);
    runs.add(x, textOf(character), map.foreground, map.background, map.attributes, character === SPACE);
    // Where the cursor is after such a cluster is not relied on, and it may cover what is next
    // to it.
    if (!isRuly(character)) {
      runs.keepOrder();
      runs.cut();
    }
  }

  /** The drawn text, one string per row without trailing blanks: for tests. */
  toLines(): string[] {
    return this.#lines(this.#back);
  }

  /** The cells of a drawn row, continuations of wide clusters left out: for pictures and tests. */
  cells(y: number): DrawnCell[] {
    const cells: DrawnCell[] = [];
    const plane = this.#back;
    for (let at = y * this.#width; at < (y + 1) * this.#width; at++) {
      if (plane.character[at] === CONTINUATION) continue;
      const [foreground, background] = [plane.foreground[at], plane.background[at]];
      cells.push({ text: textOf(plane.character[at]), foreground, background, attributes: plane.attributes[at] });
    }
    return cells;
  }

  /** The text of the last frame, likewise. */
  shownLines(): string[] {
    return this.#lines(this.#front);
  }

  #lines(plane: Plane): string[] {
    const lines: string[] = [];
    for (let y = 0; y < this.#height; y++) {
      let line = "";
      for (let x = 0; x < this.#width; x++) {
        const character = plane.character[y * this.#width + x];
        if (character !== CONTINUATION) line += textOf(character);
      }
      lines.push(line.trimEnd());
    }
    return lines;
  }
}

/** Whether all terminals agree on the width: on ASCII and on what el2 draws, not on the rest. */
function isRuly(character: number): boolean {
  return character < 0x80 || isDrawing(character);
}

/** The cluster of a cell. */
function textOf(character: number): string {
  return (character & CLUSTER) !== 0 ? clusters[character & 0x7fffffff] : String.fromCodePoint(character);
}

/** One screenful, a typed array a property. */
class Plane {
  readonly character: Uint32Array;
  readonly foreground: Uint32Array;
  readonly background: Uint32Array;
  readonly attributes: Uint16Array;

  constructor(cells: number) {
    this.character = new Uint32Array(cells).fill(SPACE);
    this.foreground = new Uint32Array(cells).fill(PAGE.foreground);
    this.background = new Uint32Array(cells).fill(PAGE.background);
    this.attributes = new Uint16Array(cells);
  }

  /** As a terminal is that was cleared. */
  blank(): void {
    this.character.fill(SPACE);
    this.foreground.fill(0);
    this.background.fill(0);
    this.attributes.fill(0);
  }

  /** As a page without anything on it. */
  page(): void {
    this.blank();
    this.foreground.fill(PAGE.foreground);
    this.background.fill(PAGE.background);
  }

  copy(other: Plane): void {
    this.character.set(other.character);
    this.foreground.set(other.foreground);
    this.background.set(other.background);
    this.attributes.set(other.attributes);
  }

  same(other: Plane, at: number): boolean {
    return this.character[at] === other.character[at] && this.foreground[at] === other.foreground[at] &&
      this.background[at] === other.background[at] && this.attributes[at] === other.attributes[at];
  }
}
