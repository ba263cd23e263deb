// The row of hints: the keys of the focused screen and pane.

import type { ActionName, Context } from "../../actions/actions.ts";
import type { Keymap } from "../../actions/keymap.ts";
import { SCREENS } from "../../actions/screen-table.ts";

/** A key, and what it does in a word or two. */
export interface Hint {
  readonly key: string;
  readonly word: string;
}

/** The word of a key that was pressed already, and gives the next ones their meaning. */
export const THEN = "then";

/** While the connection to the session is gone. */
export const LOST_HINTS: readonly Hint[] = [
  { key: "r", word: "retry now" },
  { key: "l", word: "log" },
  { key: "s", word: "open last snapshot" },
  { key: "q", word: "quit (exit 3)" },
];

/** Frequent actions on most screens, in the order of use; the rest follows. */
const USUAL = ["object.go", "pane.next", "object.why", "object.actions", "filter.edit", "list.view", "copy.menu"] as const;
const LATER = ["copy.menu", "danger.menu", "pane.zoom", "leave"] as const;

/** While a guest gets the keys. */
export function typingHints(keymap: Keymap): Hint[] {
  return [{ key: `${keymap.keyOf("console.prefix")} d`, word: "stop typing" }];
}

/** Names of the actions that are used on a screen, most useful first. */
export function usedOn(screen: string): ActionName[] {
  return [...new Set([...SCREENS.find(({ key }) => key === screen)?.hints ?? USUAL, ...LATER])];
}

/** Actions that change the machine: hints omit them in a read-only session. */
const CHANGING: ReadonlySet<string> = new Set([
  ...["console.enter", "machine.pause", "machine.stop-rule", "danger.menu"],
  ...["time.on", "time.back", "time.event-on", "time.event-back", "time.travel"],
]);

/** First in the past; and what the past refuses. */
const TRAVEL = ["time.on", "time.back", "time.event-on", "time.travel"] as const;
const PRESENT_ONLY: ReadonlySet<string> = new Set(["console.enter", "machine.pause", "danger.menu"]);

/** The state of the session on which hints depend. */
interface HintState {
  /** Nothing may be changed. */
  readonly readOnly?: boolean;
  readonly paused?: boolean;
  /** An earlier place of the run is shown. */
  readonly past?: boolean;
}

/** The keys of a context on a screen, most useful first; `? help` is always the last. */
export function hintsOf(keymap: Keymap, context: Context, screen: string, { readOnly, paused, past }: HintState = {}): Hint[] {
  const hinted = keymap.actions.filter((action) => action.context === context && action.hint !== undefined);
  const hint = ({ name, keys, hint = "" }: { name: string; keys: readonly string[]; hint?: string }): Hint => ({
    key: keys[0],
    word: paused && name === "machine.pause" ? "continue" : hint,
  });
  if (context === "window" || context === "prefix") {
    const prefix = keymap.keyOf(context === "window" ? "window.prefix" : "console.prefix");
    const own = hinted.map(({ hint: text = "" }): Hint => ({ key: text.split(" ", 1)[0], word: text.slice(text.indexOf(" ") + 1) }));
    return [{ key: prefix, word: THEN }, ...own];
  }
  if (context !== "lists") return hinted.map(hint);
  const used = past ? [...new Set([...TRAVEL, ...usedOn(screen)])].filter((name) => !PRESENT_ONLY.has(name)) : usedOn(screen);
  const names = used.filter((name) => !readOnly || !CHANGING.has(name));
  const found = names.flatMap((name) => hinted.filter((action) => action.name === name));
  return [...found, ...hinted.filter(({ name }) => name === "help.show")].map(hint);
}
