// The row of hints: which keys do what where the person is.

import type { Context, Keymap } from "./actions.ts";

/** From this width on all hints are shown. */
const WIDE = 104;

/** While the connection to the session is gone. */
export const LOST_HINTS = "r retry now  l log  s last snapshot  q leave";

/** While a guest gets the keys. */
export function typingHints(keymap: Keymap): string {
  return `keys go to the guest; ${keymap.keyOf("console.prefix")} then d takes them back`;
}

/** The keys of a context, as far as a row of so many columns has room for them. */
export function hintsOf(keymap: Keymap, context: Context, width: number): string {
  const hints = keymap.actions.filter((action) =>
    action.context === context && action.hint !== undefined && (width >= WIDE || !action.wide)
  );
  if (context === "window" || context === "prefix") {
    const prefix = keymap.keyOf(context === "window" ? "window.prefix" : "console.prefix");
    return `${prefix} then  ${hints.map(({ hint }) => hint).join("  ")}`;
  }
  return hints.map(({ keys, hint }) => `${keys[0]} ${hint}`).join("  ");
}
