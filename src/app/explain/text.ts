// An explanation as text, in three parts: what happened, why, and what to try; and what the files
// do not say.

import type { Explanation } from "./explain.ts";
import type { Ranked } from "./rank.ts";
import type { Book, Explained } from "./forms/sign.ts";
import { type Hint, hint, hintText } from "../../kit/support/text/hint.ts";
import { wayOutText } from "../../kit/support/text/way-out.ts";

/** Points from which a cause is as good as certain, and from which it is likely. */
const SURE = 30, LIKELY = 20;
/** Causes whose advice is printed: those that come close to the first. */
const ADVICE_MAX = 3, CLOSE = 12;
/** Characters of a line that are shown again, and places that are listed. */
const SHOWN_MAX = 160, PLACES_MAX = 6;

export type Chance = "sure" | "likely" | "possible";

export function chanceOf({ points }: Ranked): Chance {
  return points >= SURE ? "sure" : points >= LIKELY ? "likely" : "possible";
}

/** The command that shows a section of a book. */
export function bookHint([name, section]: Book): Hint {
  return hint("reference spec", name, section);
}

/** The command that shows a mystery. */
export function mysteryHint(folder: string): Hint {
  return hint("test", `examples/mysteries/${folder}/mystery.test.toml`);
}

export function placeText({ at: { file, line }, text }: Explained): string {
  return line === 0 ? `${file}: ${text}` : `${file}:${line}`;
}

export function explanationText(explanation: Explanation): string {
  const { files, lines, causes, notes } = explanation;
  if (lines.length === 0) {
    return [`nothing in ${files.join(", ")} belongs to Gunyah, GenieZone, their VMMs or their guests`, ...notes].join("\n");
  }
  const close = causes.filter(({ points }) => points >= causes[0].points - CLOSE).slice(0, ADVICE_MAX);
  const advice = close.flatMap((one) => adviceText(one, causes.indexOf(one)));
  return [
    "what happened",
    ...lines.flatMap(lineText),
    "",
    ...causes.length === 0 ? ["why", ...noCauseText(lines)] : ["why, the likeliest first", ...causes.flatMap(causeText)],
    ...advice.length === 0 ? [] : ["", "what to try", ...advice],
    ...openText(explanation),
  ].join("\n");
}

function noCauseText(lines: readonly Explained[]): string[] {
  const failures = lines.filter(({ quiet }) => !quiet);
  return [
    failures.length === 0
      ? "  none of the lines that el2 knows is a failure"
      : `  el2 knows no cause of the failure in ${placesText(failures)}`,
  ];
}

function lineText(one: Explained): string[] {
  const { text, by, says, call, book, cut, count } = one, shown = text.trim();
  const marks = [
    ...call === undefined ? [] : [call],
    ...book ? [hintText(bookHint(book))] : [],
    ...count > 1 ? [`${count} lines like this`] : [],
    ...cut ? ["the line is cut off"] : [],
  ];
  return [
    `  ${placeText(one)}  ${by}: ${says}`,
    ...one.at.line === 0 ? [] : [`    | ${shown.length > SHOWN_MAX ? `${shown.slice(0, SHOWN_MAX)}…` : shown}`],
    ...marks.length === 0 ? [] : [`    ${marks.join("; ")}`],
  ];
}

function causeText(ranked: Ranked, index: number): string[] {
  const { cause: { id, says, certain, book }, lines, against } = ranked;
  return [
    `  ${index + 1}. ${chanceOf(ranked)}: ${says}`,
    `     ${id}${certain ? "" : ", a guess that fits"}; for: ${placesText(lines)}${
      against.length > 0 ? `; against: ${placesText(against)}` : ""
    }`,
    ...book ? [`     rule: ${hintText(bookHint(book))}`] : [],
  ];
}

function placesText(lines: readonly Explained[]): string {
  const places = [...new Set(lines.map(placeText))];
  return [...places.slice(0, PLACES_MAX), ...places.length > PLACES_MAX ? [`and ${places.length - PLACES_MAX} more`] : []].join(", ");
}

function adviceText({ cause: { tries, mystery } }: Ranked, index: number): string[] {
  const shown = mystery === undefined ? [] : [`see it here: ${hintText(mysteryHint(mystery))}`];
  return [...tries.map((one) => wayOutText(one)), ...shown].map((text) => `  ${index + 1}. ${text}`);
}

function openText({ causes, notes }: Explanation): string[] {
  const asks = new Set(causes.slice(0, ADVICE_MAX).flatMap(({ cause: { asks = [] } }) => asks.map((one) => wayOutText(one))));
  const all = [...asks, ...notes];
  return all.length === 0 ? [] : ["", "what these files do not say", ...all.map((one) => `  ${one}`)];
}
