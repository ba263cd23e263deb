// Copies to the user's clipboard through the terminal (OSC 52), inside tmux through that.

import { encodeBase64 } from "../../support/base64.ts";
import { KiB } from "../../support/sizes.ts";

/** Longer texts are more than terminals take. */
export const LONGEST_COPY = 64 * KiB;

/** The bytes that put a text on the clipboard. */
export function copySequence(text: string, tmux: boolean): string {
  const osc = `\x1b]52;c;${encodeBase64(new TextEncoder().encode(text))}\x07`;
  return tmux ? `\x1bPtmux;${osc.replaceAll("\x1b", "\x1b\x1b")}\x1b\\` : osc;
}
