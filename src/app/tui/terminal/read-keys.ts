// Reads keys from a terminal whose input arrives in pieces, over time. Only a lone Esc ends soon:
// it is a key and the start of all sequences. Everything else has a second for its rest.

import { type InputState, KeyParser } from "./key-parser.ts";
import type { Key } from "./keys.ts";

/** How long an Esc waits for the rest of a sequence, ms; over ssh that may be another packet. */
export const ESCAPE_WAIT = 50;
const SLOW_ESCAPE_WAIT = 150;
/** How long the rest of a sequence, character or paste may take, ms. */
export const REST_WAIT = 1000;
/**
 * Part of each wait, ms, that begins anew when the program was busy longer than that: bytes that
 * have come meanwhile are read first.
 */
const GRACE = 10;

/** Calls back after a time in ms; the returned function cancels that. */
export type After = (ms: number, call: () => void) => () => void;

const byClock: After = (ms, call) => {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
};

/** How keys are read; tests replace the clock. */
export interface ReadingOptions {
  /** How long an Esc waits, ms. */
  readonly escapeWait?: number;
  readonly after?: After;
}

/** How long (ms) an Esc waits: `ESCDELAY` as in other programs, else by the link. */
export function escapeWait(environment: (name: string) => string | undefined): number {
  const wanted = environment("ESCDELAY") ?? "";
  if (/^\d{1,4}$/.test(wanted)) return Math.min(Math.max(Number(wanted), 1), REST_WAIT);
  return environment("SSH_CONNECTION") === undefined ? ESCAPE_WAIT : SLOW_ESCAPE_WAIT;
}

/** Hands over each key of an input; a promise of `take` is awaited first. Ends with the input. */
export async function readKeys(
  input: AsyncIterable<Uint8Array>,
  take: (key: Key) => void | Promise<void>,
  { escapeWait = ESCAPE_WAIT, after = byClock }: ReadingOptions = {},
): Promise<void> {
  const parser = new KeyParser();
  let cancel = () => {};
  const wait = (state: InputState) => {
    const grace = Math.min(GRACE, escapeWait), whole = state === "esc" ? escapeWait : REST_WAIT;
    cancel = after(whole - grace, () => {
      cancel = after(grace, () => parser.flush().forEach(take));
    });
  };
  try {
    for await (const bytes of input) {
      cancel();
      for (const key of parser.push(bytes)) {
        const taken = take(key);
        if (taken) await taken;
      }
      if (parser.state !== "ground") wait(parser.state);
    }
  } finally {
    cancel();
  }
}
