// The two rows at the bottom: hints for keys, and messages.

import type { Screen } from "../terminal/cells.ts";
import { fit, textWidth } from "../terminal/graphemes.ts";
import type { Hint } from "./hints.ts";
import type { Message, MessageKind } from "./messages.ts";
import type { Look, Role } from "../look/theme.ts";

/** Draws hints in one row: those that do not fit are omitted from the right, except the last. */
export function drawHints(screen: Screen, look: Look, y: number, hints: readonly Hint[]): void {
  const width = ({ key, word }: Hint) => textWidth(key) + (word ? 1 + textWidth(word) : 0) + 2;
  const last = hints.at(-1);
  let room = screen.width - 1 - (last ? width(last) - 2 : 0);
  const shown = hints.slice(0, -1).filter((hint) => {
    const fits = width(hint) <= room;
    room = fits ? room - width(hint) : 0;
    return fits;
  });
  let x = 1;
  for (const { key, word } of last ? [...shown, last] : shown) {
    x += screen.text(x, y, key, look.key);
    if (word) x += screen.text(x, y, ` ${word}`, look.style("dim"));
    x += 2;
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
    end -= width + 2;
  }
  screen.text(x, y, fit(text, end - x), look.style("strong"));
}
