// Text in columns: grapheme clusters, how wide they are, and cuts between them. The one table of
// widths: lists, screens and the emulators of guests' consoles measure with it.

import { eastAsianWidth } from "get-east-asian-width";

/** Made when it is needed: that takes 10 ms, which most screens never pay. */
let segmenter: Intl.Segmenter | undefined;
/** Fewest columns for a beginning and an end of a name. */
const LEAST_MIDDLE = 5;
/** End of a text that was cut. */
const CUT = "…";

/** Whether a code point continues the cluster before it. */
export function continues(cluster: string, code: number): boolean {
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(cluster + String.fromCodePoint(code)).containing(cluster.length)?.index !== cluster.length;
}

/** The grapheme clusters of a text. */
export function clusters(text: string): Iterable<string> {
  return isSingle(text) ? text : segmented(text);
}

function* segmented(text: string): Generator<string> {
  segmenter ??= new Intl.Segmenter();
  for (const { segment } of segmenter.segment(text)) yield segment;
}

/**
 * Characters outside of ASCII that el2 itself draws: lines, blocks, shapes, braille, and a few
 * marks. One column wide in every terminal that el2 was tried in.
 */
export function isDrawing(code: number): boolean {
  return code >= 0x2500 && code < 0x2600 || code >= 0x2800 && code < 0x2900 || code === 0xb5 || code === 0xb7 || code === 0xd7 ||
    code === 0x2013 || code === 0x2026 || code >= 0x2190 && code <= 0x2193;
}

/** Codes of printable ASCII and of what el2 draws: never part of a larger cluster, one column. */
const SINGLE = Uint8Array.from({ length: 0x2900 }, (_, code) => code >= 0x20 && code < 0x7f || isNarrowDrawing(code) ? 1 : 0);

function isNarrowDrawing(code: number): boolean {
  return isDrawing(code) && eastAsianWidth(code) === 1;
}

/** Whether a code is printable ASCII or of what el2 draws. */
export function isSingleCode(code: number): boolean {
  return SINGLE[code] === 1;
}

/**
 * Whether each code unit of a text is a cluster of one column. The runtime's segmenter costs
 * microseconds per call and garbage that is expensive to collect, and a frame has thousands of such
 * texts.
 */
export function isSingle(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (SINGLE[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/** Marks, format characters and the inner parts of Korean syllables, which have no columns. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7ff]$/u;
/** No code below has more or less than one column. */
const FIRST_MARK = 0x300;
/** Makes an emoji of the character before it. */
const EMOJI_FORM = 0xfe0f;

/** Columns of one code point: 0, 1 or 2. */
export function codeWidth(code: number): 0 | 1 | 2 {
  if (code < FIRST_MARK) return 1;
  if (NO_WIDTH.test(String.fromCodePoint(code))) return 0;
  return eastAsianWidth(code) === 2 ? 2 : 1;
}

/**
 * Columns of one grapheme cluster: 1 or 2, those of its parts, as programs of guests and most
 * terminals count them; two letters of a flag, and a Thai vowel beside its consonant, have two.
 */
export function clusterWidth(cluster: string): 1 | 2 {
  let width = 0;
  for (const part of cluster) width += part.codePointAt(0) === EMOJI_FORM ? 1 : codeWidth(part.codePointAt(0)!);
  return width > 1 ? 2 : 1;
}

/** Columns of a text as `Screen.text` draws it. */
export function textWidth(text: string): number {
  if (isSingle(text)) return text.length;
  let width = 0;
  for (const cluster of clusters(text)) width += clusterWidth(cluster);
  return width;
}

/** `text` in at most `width` columns; a cut text ends in `…`, or in another character. */
export function fit(text: string, width: number, end = CUT): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return "";
  if (isSingle(text)) return text.slice(0, width - 1) + end;
  let out = "", used = 0;
  for (const cluster of clusters(text)) {
    const columns = clusterWidth(cluster);
    if (used + columns > width - 1) break;
    out += cluster;
    used += columns;
  }
  return out + end;
}

/** `text` without its first columns; half of a wide character is a blank. */
export function withoutColumns(text: string, columns: number): string {
  if (isSingle(text)) return text.slice(columns);
  let out = "", used = 0;
  for (const cluster of clusters(text)) {
    const before = used;
    used += clusterWidth(cluster);
    if (before >= columns) out += cluster;
    else if (used > columns) out += " ";
  }
  return out;
}

/** A name in at most `width` columns: cut in the middle, since many differ only at their ends. */
export function fitName(name: string, width: number): string {
  if (textWidth(name) <= width) return name;
  if (width < LEAST_MIDDLE) return fit(name, width);
  const all = [...clusters(name)], columns = all.map(clusterWidth);
  let first = 0, last = all.length, left = width - 1;
  // The beginning has one column more than the end.
  for (let front = true; first < last; front = !front) {
    const next = front ? columns[first] : columns[last - 1];
    if (next > left) break;
    left -= next;
    if (front) first++;
    else last--;
  }
  return all.slice(0, first).join("") + CUT + all.slice(last).join("");
}

/** `text` in exactly `width` columns, at the left, or at the right. */
export function pad(text: string, width: number, right = false): string {
  const shown = fit(text, width), blanks = " ".repeat(Math.max(width - textWidth(shown), 0));
  return right ? blanks + shown : shown + blanks;
}
