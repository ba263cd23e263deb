// A question on the terminal before anything is drawn on it.

import { report } from "../common/print.ts";

/** Asks for yes or no on stderr and stdin, which are a terminal; anything but yes is no. */
export function ask(question: string): boolean {
  report(`${question} [y/N]`);
  const answer = new Uint8Array(256);
  const count = Deno.stdin.readSync(answer);
  return /^y(es)?\s*$/i.test(new TextDecoder().decode(answer.subarray(0, count ?? 0)));
}
