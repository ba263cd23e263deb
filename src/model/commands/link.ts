// A place of a recorded run as a link, FILE.rec#to=PLACE&screen=NAME&select=ID&filter=FILTER: its
// values are read by the kinds of a command line.

import { type Argument, ArgumentError, type GivenOf, type Kind, maybe, option, valuesOf } from "./argument.ts";
import { command } from "./command.ts";
import { choice, eventFilter, file, phrase, placeOfRun, PLACES_OF_RUN, text } from "./kinds.ts";
import { kindOf } from "../queries/ids.ts";
import { filterError } from "../queries/filters/temporal-filter.ts";
import type { PlaceOfRun } from "../queries/move.ts";
import { type Answer, rowsOf } from "../queries/query.ts";
import { PLACES, TABLE_NAMES, TABLES } from "../queries/tables.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { type Hint, hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** The names of screens, in the order of their tabs. */
export const SCREEN_NAMES = ["over", "vcpu", "irq", "mem", "caps", "queue", "rpc", "sched", "event", "why", "linux"] as const;

/** Characters of a link's part after `#`. */
const LONGEST = 4096;

/** The id of any object. */
const objectId: Kind<string> = {
  ...text,
  parse: (typed) => {
    if (kindOf(typed) !== undefined) return typed;
    throw new ArgumentError(`"${typed}" is not an id`, way`use for example vm:ping; ${hint("vm ls")} prints ids of VMs`);
  },
};

/** A filter of rows of any table: the screen knows which. */
const rowFilter: Kind<string> = {
  ...phrase,
  parse: (typed) => TABLE_NAMES.some((name) => !filterError(typed, TABLES[name])) ? typed : eventFilter.parse(typed),
};

/** The parts of a place. */
const PLACE = {
  to: option(placeOfRun, `the place: ${PLACES_OF_RUN} (default: the place that the session shows)`, { value: "place" }),
  screen: option(choice(...SCREEN_NAMES), `the screen to show: ${SCREEN_NAMES.join(", ")}`, { value: "name" }),
  select: option(objectId, "the object to select, by its id", { value: "id" }),
  filter: option(rowFilter, "filter of the rows on that screen"),
};

/** The same parts as a link has them: without dashes. */
const IN_LINKS = { to: bare(PLACE.to), screen: bare(PLACE.screen), select: bare(PLACE.select), filter: bare(PLACE.filter) };

function bare<T>(one: Argument<T>): Argument<T> {
  return { ...one, form: "word" };
}

/** A place of a run, and what screens show there. */
export type LinkPlace = GivenOf<typeof PLACE>;
export type LinkedScreens = Omit<LinkPlace, "to">;

/**
 * The parts of a text that may be a link.
 * @param isThere whether there is a file of that name: then it has no place, whatever its name
 * @throws ArgumentError for a wrong place of a file that is there
 */
export function readLink(typed: string, isThere: (path: string) => boolean): { readonly path: string; readonly place: LinkPlace } {
  const at = typed.lastIndexOf("#"), path = typed.slice(0, at);
  if (at <= 0 || isThere(typed) || !isThere(path)) return { path: typed, place: {} };
  const fragment = typed.slice(at + 1);
  if (fragment.length > LONGEST) {
    throw new ArgumentError(`${path}#…: ${fragment.length} characters are too many`, `at most ${LONGEST} are read`);
  }
  const given: Record<string, string | string[]> = {};
  for (const part of fragment === "" ? [] : fragment.split("&")) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(part) ?? [];
    if (value === undefined) throw new ArgumentError(`${typed}: "${part}" is not NAME=VALUE`, `use for example ${path}#to=12ms`);
    const text = decoded(typed, value);
    given[name] = Object.hasOwn(given, name) ? [given[name], text].flat() : text;
  }
  return { path, place: valuesOf(typed, IN_LINKS, given) };
}

function decoded(typed: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new ArgumentError(`${typed}: "${value}" has a wrong percent sign`, "write % as %25");
  }
}

/** Characters that need no percent sign after `#`. */
const PLAIN = /[^\w.:/,!<>=~|*+@()-]/gu;

/** The link to a place in a file. */
export function linkText(path: string, place: LinkPlace): string {
  const values: Readonly<Record<string, unknown>> = place;
  const parts = Object.entries<Argument<unknown>>(PLACE).flatMap(([name, { kind }]) => {
    const value = values[name];
    return value === undefined ? [] : [`${name}=${kind.spell(value).replaceAll(PLAIN, encodeURIComponent)}`];
  });
  return parts.length === 0 ? path : `${path}#${parts.join("&")}`;
}

/** The place that a session shows, by its answer about the points of its run. */
export function shownPlace(answer: Answer): PlaceOfRun | undefined {
  const rows = rowsOf(PLACES, answer), at = rows.find(({ kind }) => kind === "shown") ?? rows.find(({ kind }) => kind === "now");
  return at && { kind: "instructions", count: Number(at.insn) };
}

/** The command that shows a place on the screens. */
export const hintAt = (path: string, place: LinkPlace): Hint => hint("replay", linkText(path, place), { tui: true });

/** Why there is no link to a run. */
export const NOT_RECORDED: Problem = {
  what: "this run is not in a recording",
  wayOut: way`${hint("record", "bug.rec")} saves it`,
};

export const LINK = command("link", {
  doc: "print and copy a link to a place of a recorded run, and the command that goes there",
  args: { file: maybe(file, "the recording (default: the one that the session replays or writes)"), ...PLACE },
  right: "looks",
  notes: "A link is FILE#to=PLACE&screen=NAME&select=ID&filter=FILTER; each command that takes a recording takes one.",
  examples: ["link", "link bug.rec --to 12ms --screen rpc --select rpc:5", "replay 'bug.rec#to=12ms&screen=rpc'"],
});
