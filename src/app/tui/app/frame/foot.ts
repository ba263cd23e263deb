// The two rows at the bottom: hints for keys, and messages.

import type { Screen } from "../../terminal/cells.ts";
import { fit, textWidth } from "../../../../kit/support/text/text-width.ts";
import { type Hint, THEN } from "./hints.ts";
import { wrap } from "../../panes/row-lines.ts";
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

/** Rows of a long message at most; a refusal is whole on its own screen, and stays until a key. */
const MOST_ROWS = 4;
const rowsOf = ({ kind }: Message) => kind === "refused" ? 1 : MOST_ROWS;

/** A message with its places in rows of a width. */
export interface PlacedMessage {
  readonly message: Message;
  readonly lines: readonly string[];
  /** Keys that fit, the last at the right end. */
  readonly keys: readonly PlacedHint[];
}

/** Lays a message out in `rows` at most: what is longer is cut. */
export function placeMessage(columns: number, look: Look, message: Message, rows = rowsOf(message)): PlacedMessage {
  const start = toastStart(look, message), { keys, end } = placeKeys(columns, start, message), width = end - start;
  const lines = textWidth(message.text) <= width ? [message.text] : wrap(message.text, 0, width + 1);
  const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), lines.slice(rows - 1).join(" ")];
  return { message, lines: shown.map((line) => fit(line, width)), keys };
}

/** The first column of a toast's text. */
const toastStart = (look: Look, { kind, more }: Message) =>
  kind === "text" ? 1 : textWidth(TOASTS[kind].chip(look)) + (more ? textWidth(moreText(more)) : 0) + 1;

const moreText = (more: number) => ` +${more}`;

/** The keys that fit beside a text that begins at `start`, and the column where it ends. */
function placeKeys(columns: number, start: number, { text, kind, keys }: Message): { readonly keys: PlacedHint[]; readonly end: number } {
  let end = kind === "text" ? columns : columns - 1;
  const placed: PlacedHint[] = [];
  for (const hint of keys.toReversed()) {
    const width = textWidth(hint.key) + textWidth(hint.word) + 1;
    // A long text has more rows, or is cut, rather than the keys left out.
    if (start + Math.min(textWidth(text), LEAST_TEXT) + 2 + width > end) break;
    placed.push({ ...hint, x: end - width, width });
    end -= width + 2;
  }
  return { keys: placed, end };
}

/** Draws a message in the rows that end with `y`: a toast on its background, or the last answer. */
export function drawMessage(screen: Screen, look: Look, y: number, { message, lines, keys }: PlacedMessage): void {
  const { kind, more } = message, area = { x: 0, y: y - lines.length + 1, width: screen.width, height: lines.length };
  screen.fill(area);
  const start = toastStart(look, message), style = look.style(kind === "text" ? "text" : "strong");
  if (kind !== "text") {
    const { chip, fill, tint } = TOASTS[kind];
    screen.tint(area, tint);
    const x = screen.text(0, area.y, chip(look), look.on(fill, "ink", true));
    if (more) screen.text(x, area.y, moreText(more), look.style("dim"));
  }
  for (const { key, word, x, width } of keys) {
    screen.text(x, y, key, look.key);
    screen.text(x + textWidth(key) + 1, y, word, look.style("dim"));
    screen.button({ x, y, width }, key);
  }
  lines.forEach((line, row) => screen.text(start, area.y + row, line, style));
}
