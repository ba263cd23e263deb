// The two rows at the bottom: hints for keys, and messages.

import type { Screen } from "../../terminal/cells.ts";
import { fit, textWidth } from "../../../../kit/support/text/text-width.ts";
import { type Hint, THEN } from "./hints.ts";
import type { Message, MessageKind } from "./messages.ts";
import type { Look, Role } from "../../look/theme.ts";

/** A hint in its row. */
interface PlacedHint extends Hint {
  readonly x: number;
  /** Columns of key and word. */
  readonly width: number;
}

/** The hints that fit in a row: others are omitted from the right, except the last. */
function placeHints(columns: number, hints: readonly Hint[]): PlacedHint[] {
  const width = ({ key, word }: Hint) => textWidth(key) + (word ? 1 + textWidth(word) : 0);
  const last = hints.at(-1);
  let room = columns - 1 - (last ? width(last) : 0), x = 1;
  return hints.flatMap((hint) => {
    const own = width(hint), needed = own + 2, fits = hint === last || needed <= room;
    room = fits ? room - needed : 0;
    if (!fits) return [];
    const placed = { ...hint, x, width: own };
    x += needed;
    return [placed];
  });
}

/** Draws hints in one row. */
export function drawHints(screen: Screen, look: Look, y: number, hints: readonly Hint[]): void {
  for (const { key, word, x, width } of placeHints(screen.width, hints)) {
    const after = x + screen.text(x, y, key, look.key);
    if (word) screen.text(after, y, ` ${word}`, look.style("dim"));
    if (word !== THEN) screen.button({ x, y, width }, key);
  }
}

/** Columns of a toast's text that its keys leave. */
const LEAST_TEXT = 40;

/** How a toast looks: its chip, and the background of its row. */
interface ToastLook {
  readonly chip: (look: Look) => string;
  readonly fill: Role;
  readonly tint: Role;
}

const TOASTS: Readonly<Record<Exclude<MessageKind, "text">, ToastLook>> = {
  refused: { chip: () => " ! REFUSED ", fill: "bad", tint: "badbg" },
  bad: { chip: () => " ! ERROR ", fill: "bad", tint: "badbg" },
  failed: { chip: (look) => ` ${look.glyphs.marks.lost} FAILED `, fill: "bad", tint: "badbg" },
  ok: { chip: () => " DONE ", fill: "ok", tint: "okbg" },
  accent: { chip: () => " NOTE ", fill: "accent", tint: "accbg" },
  warn: { chip: () => " NOTE ", fill: "warn", tint: "warnbg" },
};

/** Draws the message: a toast on its background, or the last answer. */
export function drawMessage(screen: Screen, look: Look, y: number, { text, kind, keys, more }: Message): void {
  if (kind === "text") return void screen.text(1, y, fit(text, screen.width - 1), look.style("text"));
  const { chip, fill, tint } = TOASTS[kind];
  screen.tint({ x: 0, y, width: screen.width, height: 1 }, tint);
  let x = screen.text(0, y, chip(look), look.on(fill, "ink", true));
  if (more) x += screen.text(x, y, ` +${more}`, look.style("dim"));
  x++;
  let end = screen.width - 1;
  for (const { key, word } of [...keys].reverse()) {
    const width = textWidth(key) + textWidth(word) + 1;
    // A long text is cut rather than the keys left out, unless no character of it would be left.
    if (x + Math.min(textWidth(text), LEAST_TEXT) + 2 + width > end) break;
    screen.text(end - width, y, key, look.key);
    screen.text(end - width + textWidth(key) + 1, y, word, look.style("dim"));
    screen.button({ x: end - width, y, width }, key);
    end -= width + 2;
  }
  screen.text(x, y, fit(text, end - x), look.style("strong"));
}
