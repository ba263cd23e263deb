// Queries to the terminal at the start, and its reports: whether its background is bright (OSC 11,
// and CSI ? 997 n whenever that changes), whether it takes a frame as one (DECRQM of mode 2026),
// and whether it has the focus. Nothing waits for an answer.

/** A terminal's report about itself. */
export type Report =
  | { readonly kind: "background"; readonly bright: boolean }
  | { readonly kind: "synchronized" }
  | { readonly kind: "focus"; readonly has: boolean };

/** Terminals that print unknown parts of an escape sequence. */
const UNASKED: ReadonlySet<string> = new Set(["linux", "dumb", ""]);

/** Whether a terminal of this name may be asked about itself. */
export function canBeAsked(term: string | undefined): boolean {
  return !UNASKED.has(term ?? "");
}

/** Asks for both. A string terminator ends the first, as every terminal takes it. */
export const ASK_SYNCHRONIZED = "\x1b[?2026$p";
export const ASK_BACKGROUND = "\x1b]11;?\x1b\\";

/** Mode 2026 is known where it is set (1), reset (2) or always set (3). */
// deno-lint-ignore no-control-regex
const MODE = /^\x1b\[\?2026;([0-4])\$y$/;
// deno-lint-ignore no-control-regex
const BACKGROUND = /^\x1b\]11;rgba?:([0-9a-f]+)\/([0-9a-f]+)\/([0-9a-f]+)/i;
/** Luminance from which a background is bright. */
const BRIGHT = 0.5;

/** Reports without parts: the focus, and whether colors are dark (1) or light (2). */
const WORDS: Readonly<Record<string, Report>> = {
  "\x1b[I": { kind: "focus", has: true },
  "\x1b[O": { kind: "focus", has: false },
  "\x1b[?997;1n": { kind: "background", bright: false },
  "\x1b[?997;2n": { kind: "background", bright: true },
};

/** A parsed report; undefined for one about something else. */
export function parseReport(text: string): Report | undefined {
  if (Object.hasOwn(WORDS, text)) return WORDS[text];
  const mode = MODE.exec(text);
  if (mode) return ["1", "2", "3"].includes(mode[1]) ? { kind: "synchronized" } : undefined;
  const background = BACKGROUND.exec(text);
  if (!background) return undefined;
  // One to four digits per channel, with all ones as the maximum.
  const [red, green, blue] = background.slice(1, 4).map((digits) => Number(`0x${digits}`) / (16 ** digits.length - 1));
  return { kind: "background", bright: 0.2126 * red + 0.7152 * green + 0.0722 * blue >= BRIGHT };
}

/** Whether `COLORFGBG` says that the background is bright; undefined if it says nothing. */
export function brightByEnvironment(colorfgbg: string | undefined): boolean | undefined {
  const last = colorfgbg?.split(";").at(-1);
  if (!last || !/^\d+$/.test(last)) return undefined;
  return last === "7" || last === "15";
}
