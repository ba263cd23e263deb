// A way out: words and commands, `list them with` and `queue ls`. The commands are values, so that
// one can execute what a text names; the text is made where it is shown.

import { type Hint, hintText } from "./hint.ts";

export type WayOut = string | Hint | readonly (string | Hint)[];

/** A way out, as way`list them with ${hint("queue ls")}`; a text if it has no command. */
export function way(texts: TemplateStringsArray, ...values: readonly (WayOut | number)[]): WayOut {
  return joined(texts.flatMap((text, index) => index < values.length ? [text, ...partsOf(values[index])] : [text]));
}

/** A way out with its texts changed, and the words of its commands. */
export function mapWayOut(wayOut: WayOut, map: (text: string) => string): WayOut {
  return joined(partsOf(wayOut).map((part) => typeof part === "string" ? map(part) : { ...part, words: part.words.map(map) }));
}

export function wayOutText(wayOut: WayOut): string;
export function wayOutText(wayOut: WayOut | undefined): string | undefined;
export function wayOutText(wayOut: WayOut | undefined): string | undefined {
  return wayOut === undefined ? undefined : partsOf(wayOut).map((part) => typeof part === "string" ? part : hintText(part)).join("");
}

/** The commands that a way out names, in its order. */
export function hintsOf(wayOut: WayOut | undefined): Hint[] {
  return wayOut === undefined ? [] : partsOf(wayOut).filter((part) => typeof part !== "string");
}

function partsOf(wayOut: WayOut | number): readonly (string | Hint)[] {
  if (typeof wayOut === "number") return [String(wayOut)];
  return typeof wayOut === "string" || "command" in wayOut ? [wayOut] : wayOut;
}

/** Neighboring words as one text. */
function joined(parts: readonly (string | Hint)[]): WayOut {
  const all: (string | Hint)[] = [];
  for (const part of parts) {
    const last = all.at(-1);
    if (typeof part === "string" && typeof last === "string") all[all.length - 1] = last + part;
    else if (part !== "") all.push(part);
  }
  return all.length === 1 ? all[0] : all.length === 0 ? "" : all;
}
