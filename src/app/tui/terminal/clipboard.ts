// Sequences that put a text on the clipboard (OSC 52) or show it as a notice of the desktop (OSC 9,
// or 777 for terminals without 9). Inside tmux they are sent twice: plain, which it takes with
// `set-clipboard on`, and wrapped, which it passes to the terminal with `allow-passthrough on`.

import { encodeBase64 } from "../../../kit/support/values/base64.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";

/** Longer texts are more than terminals take. */
export const LONGEST_COPY = 64 * KiB;

/** Characters of a notice. */
const LONGEST_NOTICE = 200;
/** Terminals with OSC 777 and without OSC 9. */
const WITH_777 = /^(?:foot|rxvt)/;

/** The bytes that put a text on the clipboard. */
export function copySequence(text: string, tmux: boolean): string {
  return passed(`\x1b]52;c;${encodeBase64(new TextEncoder().encode(text))}\x07`, tmux);
}

/** The bytes that show a text as a notice, without control characters, which would end it. */
export function noticeSequence(text: string, tmux: boolean, term = ""): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replaceAll(/[\x00-\x1f\x7f-\x9f]+/g, " ").slice(0, LONGEST_NOTICE);
  return passed(WITH_777.test(term) ? `\x1b]777;notify;el2;${plain.replaceAll(";", ",")}\x07` : `\x1b]9;${plain}\x07`, tmux);
}

function passed(osc: string, tmux: boolean): string {
  return tmux ? `${osc}\x1bPtmux;${osc.replaceAll("\x1b", "\x1b\x1b")}\x1b\\` : osc;
}
