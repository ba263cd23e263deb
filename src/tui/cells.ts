// The screen as cells, and the bytes that turn one screen into the next. A cell holds one grapheme
// cluster; wide ones are followed by a continuation cell. Colours follow `Colour`.

import { eastAsianWidth } from "get-east-asian-width";

/**
 * A colour in one number: 0 is the terminal's own, 1..256 is palette entry 0..255, and 0x1000000 |
 * rgb is a direct colour.
 */
export type Colour = number;

/** Palette entry as a colour. */
export const palette = (index: number): Colour => index + 1;

/** Direct colour. */
export const rgb = (value: number): Colour => 0x1000000 | value;

/** Bits of `Style.attributes`. */
export const Attribute = { Bold: 1, Dim: 2, Italic: 4, Underline: 8, Reverse: 16, Strike: 32 } as const;

/** How a cell looks. */
export interface Style {
  readonly foreground?: Colour;
  readonly background?: Colour;
  /** Bits of `Attribute`. */
  readonly attributes?: number;
}

/** How many colours the terminal shows. */
export type ColourDepth = "none" | "16" | "256" | "direct";

/** A cell as it was drawn. */
export interface DrawnCell {
  readonly text: string;
  readonly foreground: Colour;
  readonly background: Colour;
  /** Bits of `Attribute`. */
  readonly attributes: number;
}

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

const segmenter = new Intl.Segmenter();

/** Lines, blocks and braille: one column everywhere. */
function isBoxDrawing(character: number): boolean {
  return character >= 0x2500 && character < 0x2600 || character >= 0x2800 && character < 0x2900;
}

/** Columns of one grapheme cluster: 0, 1 or 2. */
function clusterWidth(cluster: string): number {
  const code = cluster.codePointAt(0)!;
  if (code < 0x7f) return 1;
  return eastAsianWidth(code) === 2 || cluster.includes("\ufe0f") ? 2 : 1;
}

/** Columns of a text as `Screen.text` draws it. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += clusterWidth(segment);
  return width;
}

/** `text` in at most `width` columns; a cut text ends in `~`. */
export function fit(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return "";
  let out = "", used = 0;
  for (const { segment } of segmenter.segment(text)) {
    const columns = clusterWidth(segment);
    if (used + columns > width - 1) break;
    out += segment;
    used += columns;
  }
  return out + "~";
}

/** A drawing surface of the terminal's size, and what the terminal shows now. */
export class Screen {
  #width = 0;
  #height = 0;
  #back = new Plane(0);
  #front = new Plane(0);
  /** What the terminal showed when it was first to be kept. */
  #kept: Plane | undefined;
  /** The terminal shows something of this size. */
  #shown = false;
  #repaint = true;
  /** Where the terminal's own cursor stands, or undefined to hide it. */
  cursor: { x: number; y: number } | undefined;
  #shownCursor = "";

  constructor(width: number, height: number, readonly depth: ColourDepth) {
    this.resize(width, height);
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
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
    this.#back.blank();
    this.cursor = undefined;
  }

  /**
   * What will be drawn starts as what the terminal showed when it was last cleared for drawing;
   * false, and blank, where nothing of this size was shown.
   */
  keep(): boolean {
    this.cursor = undefined;
    if (!this.#kept && this.#shown) {
      this.#kept = new Plane(this.#width * this.#height);
      this.#kept.copy(this.#front);
    }
    if (this.#kept) this.#back.copy(this.#kept);
    else this.#back.blank();
    return this.#kept !== undefined;
  }

  /** Fills a rectangle with blanks of a style. */
  fill(area: Rectangle, style: Style = {}): void {
    for (let y = area.y; y < area.y + area.height; y++) {
      for (let x = area.x; x < area.x + area.width; x++) this.#put(x, y, SPACE, style);
    }
  }

  /** Takes the colours out of a rectangle and dims what it shows. */
  dim(area: Rectangle): void {
    for (let y = area.y; y < area.y + area.height; y++) {
      for (let x = area.x; x < area.x + area.width; x++) {
        const at = y * this.#width + x;
        this.#back.foreground[at] = this.#back.background[at] = 0;
        this.#back.attributes[at] = Attribute.Dim;
      }
    }
  }

  /**
   * Draws a text from (x, y) in at most `width` columns, cut hard at the end. Control characters
   * become `?`, so that no text can carry an escape sequence. Returns the columns used.
   */
  text(x: number, y: number, text: string, style: Style = {}, width = this.#width - x): number {
    let used = 0;
    if (/^[\x20-\x7e]*$/.test(text)) {
      for (; used < text.length && used < width; used++) this.#put(x + used, y, text.charCodeAt(used), style);
      return used;
    }
    for (const { segment } of segmenter.segment(text)) {
      const code = segment.codePointAt(0)!;
      const columns = clusterWidth(segment);
      if (used + columns > width) break;
      if (code < 32 || code >= 0x7f && code < 0xa0) this.#put(x + used, y, 63, style);
      else this.cluster(x + used, y, segment, columns, style);
      used += columns;
    }
    return used;
  }

  /**
   * Draws one cluster whose width somebody else has measured (a guest console's emulator). A wide
   * one that does not fit is blank.
   */
  cluster(x: number, y: number, cluster: string, columns: number, style: Style): void {
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
    plane.foreground[at] = style.foreground ?? 0;
    plane.background[at] = style.background ?? 0;
    plane.attributes[at] = style.attributes ?? 0;
  }

  /**
   * The bytes that change what the terminal shows into what was drawn, inside one synchronized
   * update (DECSET 2026); empty when nothing changed.
   */
  frame(): string {
    const out = new FrameText(this.depth);
    const back = this.#back, front = this.#front;
    if (this.#repaint) {
      out.raw("\x1b[0m\x1b[2J");
      front.blank();
    }
    for (let y = 0; y < this.#height; y++) this.#row(out, y, back, front);
    this.#back = front;
    this.#front = back;
    this.#repaint = false;
    this.#shown = true;
    const cursor = this.cursor ? `\x1b[${this.cursor.y + 1};${this.cursor.x + 1}H\x1b[?25h` : "\x1b[?25l";
    if (out.empty && cursor === this.#shownCursor) return "";
    this.#shownCursor = cursor;
    return `\x1b[?2026h\x1b[?25l${out.text}\x1b[0m${cursor}\x1b[?2026l`;
  }

  #row(out: FrameText, y: number, back: Plane, front: Plane): void {
    const start = y * this.#width;
    let written = -1;
    for (let x = 0; x < this.#width; x++) {
      const at = start + x;
      if (back.same(front, at)) continue;
      // A change of the second half of a wide cluster is a change of the cluster.
      const first = back.character[at] === CONTINUATION && x > 0 ? x - 1 : x;
      if (first <= written) continue;
      const gap = first - written - 1;
      if (written < 0 || gap > REWRITTEN_GAP) out.move(first, y);
      else for (let skipped = written + 1; skipped < first; skipped++) this.#cell(out, back, start + skipped);
      this.#cell(out, back, start + first);
      written = first + (x + 1 < this.#width && back.character[start + first + 1] === CONTINUATION ? 1 : 0);
      // Terminals disagree about the width of what is not ASCII: never rely on where the cursor is
      // after it.
      if (back.character[start + first] >= 0x80 && !isBoxDrawing(back.character[start + first])) {
        if (written + 1 < this.#width) out.move(written + 1, y);
      }
    }
  }

  #cell(out: FrameText, plane: Plane, at: number): void {
    const character = plane.character[at];
    if (character === CONTINUATION) return;
    out.style(plane.foreground[at], plane.background[at], plane.attributes[at]);
    out.raw((character & CLUSTER) !== 0 ? clusters[character & 0x7fffffff] : String.fromCodePoint(character));
  }

  /** The drawn text, a string a row without trailing blanks: for tests. */
  toLines(): string[] {
    return this.#lines(this.#back);
  }

  /** The cells of a drawn row, continuations of wide clusters left out: for pictures. */
  cells(y: number): DrawnCell[] {
    const cells: DrawnCell[] = [];
    const plane = this.#back;
    for (let at = y * this.#width; at < (y + 1) * this.#width; at++) {
      const character = plane.character[at];
      if (character === CONTINUATION) continue;
      const text = (character & CLUSTER) !== 0 ? clusters[character & 0x7fffffff] : String.fromCodePoint(character);
      cells.push({ text, foreground: plane.foreground[at], background: plane.background[at], attributes: plane.attributes[at] });
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
        if (character === CONTINUATION) continue;
        line += (character & CLUSTER) !== 0 ? clusters[character & 0x7fffffff] : String.fromCodePoint(character);
      }
      lines.push(line.trimEnd());
    }
    return lines;
  }
}

/** One screenful, a typed array a property. */
class Plane {
  readonly character: Uint32Array;
  readonly foreground: Uint32Array;
  readonly background: Uint32Array;
  readonly attributes: Uint16Array;

  constructor(cells: number) {
    this.character = new Uint32Array(cells).fill(SPACE);
    this.foreground = new Uint32Array(cells);
    this.background = new Uint32Array(cells);
    this.attributes = new Uint16Array(cells);
  }

  blank(): void {
    this.character.fill(SPACE);
    this.foreground.fill(0);
    this.background.fill(0);
    this.attributes.fill(0);
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

/** Text of a frame under construction, with the terminal's current style. */
class FrameText {
  text = "";
  #foreground = 0;
  #background = 0;
  #attributes = 0;

  constructor(readonly depth: ColourDepth) {}

  get empty(): boolean {
    return this.text === "";
  }

  raw(text: string): void {
    this.text += text;
  }

  move(x: number, y: number): void {
    this.text += `\x1b[${y + 1};${x + 1}H`;
  }

  style(foreground: Colour, background: Colour, attributes: number): void {
    if (this.depth === "none") foreground = background = 0;
    if (foreground === this.#foreground && background === this.#background && attributes === this.#attributes) return;
    const codes: string[] = [];
    // Attributes are switched off by a reset only: terminals agree best on that.
    const reset = (this.#attributes & ~attributes) !== 0;
    if (reset) codes.push("0");
    if (reset || attributes !== this.#attributes) {
      [1, 2, 3, 4, 7, 9].forEach((code, bit) => attributes & 1 << bit && codes.push(String(code)));
    }
    if (reset ? foreground !== 0 : foreground !== this.#foreground) codes.push(colourCode(foreground, 30, this.depth));
    if (reset ? background !== 0 : background !== this.#background) codes.push(colourCode(background, 40, this.depth));
    this.#foreground = foreground;
    this.#background = background;
    this.#attributes = attributes;
    this.text += `\x1b[${codes.join(";")}m`;
  }
}

/** SGR parameters of a colour; `base` is 30 for the foreground, 40 for the background. */
function colourCode(colour: Colour, base: number, depth: ColourDepth): string {
  if (colour === 0) return String(base + 9);
  if (colour >= 0x1000000) {
    const value = colour & 0xffffff;
    if (depth === "direct") return `${base + 8};2;${value >> 16};${value >> 8 & 255};${value & 255}`;
    colour = palette(nearestCube(value));
  }
  let index = colour - 1;
  if (depth === "16" && index > 15) index = nearestBasic(index);
  if (index < 8) return String(base + index);
  if (index < 16) return String(base + 60 + index - 8);
  return `${base + 8};5;${index}`;
}

/** Entry of the 6x6x6 cube nearest to a direct colour. */
function nearestCube(value: number): number {
  const step = (channel: number) => Math.round((channel & 255) / 51);
  return 16 + 36 * step(value >> 16) + 6 * step(value >> 8) + step(value);
}

/** One of the sixteen basic colours for an entry of the cube or the grey ramp. */
function nearestBasic(index: number): number {
  if (index >= 232) return index < 238 ? 0 : index < 244 ? 8 : index < 250 ? 7 : 15;
  const cube = index - 16, red = Math.floor(cube / 36), green = Math.floor(cube / 6) % 6, blue = cube % 6;
  const bright = Math.max(red, green, blue) > 3 ? 8 : 0;
  return (red > 2 ? 1 : 0) + (green > 2 ? 2 : 0) + (blue > 2 ? 4 : 0) + bright;
}
