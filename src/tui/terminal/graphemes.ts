// Text in columns: grapheme clusters, how wide they are, and cuts between them.

import { eastAsianWidth } from "get-east-asian-width";

/** Made when it is needed: that takes 10 ms, which most screens never pay. */
let segmenter: Intl.Segmenter | undefined;
/** End of a text that was cut. */
const CUT = "…";

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

/**
 * Whether each code unit of a text is a cluster of one column. The runtime's segmenter costs
 * microseconds per call and garbage that is expensive to collect, and a frame has thousands of such
 * texts.
 */
export function isSingle(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (SINGLE[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/** Columns of one grapheme cluster: 1 or 2. */
export function clusterWidth(cluster: string): number {
  const code = cluster.codePointAt(0)!;
  if (code < 0x7f) return 1;
  return eastAsianWidth(code) === 2 || cluster.includes("\ufe0f") ? 2 : 1;
}

/** Columns of a text as `Screen.text` draws it. */
export function textWidth(text: string): number {
  if (isSingle(text)) return text.length;
  let width = 0;
  for (const cluster of clusters(text)) width += clusterWidth(cluster);
  return width;
}

/** `text` in at most `width` columns; a cut text ends in `…`. */
export function fit(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return "";
  if (isSingle(text)) return text.slice(0, width - 1) + CUT;
  let out = "", used = 0;
  for (const cluster of clusters(text)) {
    const columns = clusterWidth(cluster);
    if (used + columns > width - 1) break;
    out += cluster;
    used += columns;
  }
  return out + CUT;
}

/** `text` in exactly `width` columns, at the left, or at the right. */
export function pad(text: string, width: number, right = false): string {
  const shown = fit(text, width), blanks = " ".repeat(Math.max(width - textWidth(shown), 0));
  return right ? blanks + shown : shown + blanks;
}
