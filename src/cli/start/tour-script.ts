// Scripts of `el2 screenshot` and `el2 cast`: what happens on the screens, one step per line.

import { Failure } from "../common/failure.ts";
import { checkedEventFilter, parseDuration } from "../common/values.ts";
import { ComposeError, composeRequest, findRequest, splitFields } from "../../abi/rpc/text/compose.ts";
import { didYouMean } from "../../support/did-you-mean.ts";
import { bytesOfKey } from "../../tui/terminal/keys.ts";

/** A step of a script. */
export type TourStep =
  /** Presses keys: the bytes that a terminal sends for each. */
  | { readonly kind: "keys"; readonly keys: readonly string[] }
  /** Types a text. */
  | { readonly kind: "type"; readonly text: string }
  /** Lets time pass, ms. */
  | { readonly kind: "wait"; readonly ms: number }
  /** The machine runs to the first event that a filter lets through. */
  | { readonly kind: "until"; readonly filter: string }
  /** The machine runs until a vCPU is about to execute an instruction: `VM:SYMBOL`. */
  | { readonly kind: "reach"; readonly at: string }
  /** Types a line into a guest. */
  | { readonly kind: "input"; readonly console: string; readonly text: string }
  /** A request to the resource manager on behalf of the host VM. */
  | { readonly kind: "rpc"; readonly id: number; readonly payload: Uint8Array }
  | { readonly kind: "theme"; readonly name: string }
  /** A name of this place in the cast. */
  | { readonly kind: "mark"; readonly text: string };

/** Steps by their first word; each takes the rest of its line. */
const STEPS: Readonly<Record<string, (rest: string) => TourStep>> = {
  keys: (rest) => ({ kind: "keys", keys: keysOf(needed(rest, "keys 7 Enter")) }),
  type: (rest) => ({ kind: "type", text: needed(rest, "type /about=ping") }),
  wait: (rest) => ({ kind: "wait", ms: parseDuration(rest) / 1e6 }),
  until: (rest) => ({ kind: "until", filter: checkedEventFilter("until", needed(rest, "until kind=hvc vm=ping")) }),
  reach: (rest) => ({ kind: "reach", at: needed(rest, "reach debian:tick_sched_timer") }),
  input(rest) {
    const [, console, text] = /^(\S+) (.*)$/.exec(needed(rest, "input debian uname -a")) ?? [];
    if (console === undefined) throw new Failure(`"${rest}" is not CONSOLE TEXT; use for example input debian uname -a`);
    return { kind: "input", console, text };
  },
  rpc(rest) {
    const [name, ...fields] = needed(rest, "rpc MEM_RECLAIM handle=1 flags=0").split(/ +/);
    try {
      const request = findRequest(name);
      return { kind: "rpc", id: request.id, payload: composeRequest(request, splitFields(request, fields)) };
    } catch (error) {
      if (error instanceof ComposeError) throw new Failure(error.message);
      throw error;
    }
  },
  theme: (rest) => ({ kind: "theme", name: needed(rest, "theme light") }),
  mark: (rest) => ({ kind: "mark", text: needed(rest, "mark Who holds a page") }),
};

function needed(rest: string, example: string): string {
  if (rest === "") throw new Failure(`its value is missing; use for example ${example}`);
  return rest;
}

/**
 * Keys separated by blanks, as the bytes that a terminal sends: names such as `Enter`, letters, and
 * other words as they are typed.
 */
export function keysOf(text: string): string[] {
  return text.split(/ +/).filter((word) => word !== "").flatMap((word) => {
    const bytes = bytesOfKey(word);
    return bytes === undefined ? [...word] : [bytes];
  });
}

/**
 * The steps of a script. Empty lines and those that begin with `#` are ignored.
 * @param file its name, for errors
 * @throws Failure that names the line
 */
export function tourSteps(file: string, text: string): TourStep[] {
  return text.split("\n").flatMap((whole, index) => {
    const line = whole.trim();
    if (line === "" || line.startsWith("#")) return [];
    const [, word, rest] = /^(\S+)\s*(.*)$/.exec(line)!;
    try {
      if (!Object.hasOwn(STEPS, word)) {
        throw new Failure(`no step "${word}"${didYouMean(word, Object.keys(STEPS), `there are ${Object.keys(STEPS).join(", ")}`)}`);
      }
      return [STEPS[word](rest)];
    } catch (error) {
      // A duration that is not one throws commander's error.
      if (error instanceof Error && (error instanceof Failure || "exitCode" in error)) {
        throw new Failure(`${file}:${index + 1}: ${error.message}`);
      }
      throw error;
    }
  });
}

/** Whether a step changes the machine. */
export const changesMachine = ({ kind }: TourStep): boolean => ["until", "reach", "input", "rpc"].includes(kind);
