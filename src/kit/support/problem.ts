// A problem that the user can solve: what is wrong, where, and the way out, as values from where it
// arises to where it is shown. Its text is made there, and nobody takes the text apart.

import { type WayOut, wayOutText } from "./text/way-out.ts";

/** A place in a text; lines and columns begin at 1. */
export interface TextPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Problem {
  /** A sentence without its end, in several lines where it marks a place or lists others. */
  readonly what: string;
  readonly wayOut?: WayOut;
  readonly at?: TextPlace;
  /** A file cannot be written: wrong usage, wherever that was found. */
  readonly ofFile?: true;
}

/** `FILE:LINE:COLUMN: what`. */
export function whatText({ what, at }: Problem): string {
  return at === undefined ? what : `${at.file}:${at.line}:${at.column}: ${what}`;
}

/** `FILE:LINE:COLUMN: what; way out`. */
export function problemText(problem: Problem): string {
  return problem.wayOut === undefined ? whatText(problem) : `${whatText(problem)}; ${wayOutText(problem.wayOut)}`;
}

/** A problem, or what is wrong where there is no way out. */
export type Said = Problem | string;

export function asProblem(said: Said): Problem;
export function asProblem(said: Said | undefined): Problem | undefined;
export function asProblem(said: Said | undefined): Problem | undefined {
  return typeof said === "string" ? { what: said } : said;
}

/** An error that is the user's to fix; the message is the whole text. */
export class UserError extends Error {
  readonly problem: Problem;

  /** @param wayOut of a problem that is a text */
  constructor(said: Said, wayOut?: WayOut) {
    const problem = wayOut === undefined ? asProblem(said) : { ...asProblem(said), wayOut };
    super(problemText(problem));
    this.problem = problem;
  }
}

/** Whether an error is for the user; those of another class, such as TypeError, are bugs. */
export function isTold(error: unknown): boolean {
  return error instanceof UserError || error instanceof Error && error.constructor === Error;
}

/** The problem of an error; `of`: what it is about. */
export function problemOf(error: unknown, of?: string): Problem {
  return within(of, error instanceof UserError ? error.problem : { what: error instanceof Error ? error.message : String(error) });
}

/** A problem with what it is about. */
export function within(of: string | undefined, problem: Problem): Problem {
  return of === undefined ? problem : { what: `${of}: ${whatText(problem)}`, wayOut: problem.wayOut };
}

/** Several problems as one, a line each, with the first one's place and the last one's way out. */
export function problemOfAll(problems: readonly Problem[]): Problem {
  const [{ at, ...first }, ...rest] = problems;
  const last = rest.pop();
  if (last === undefined) return problems[0];
  return { what: [first, ...rest].map(problemText).concat(whatText(last)).join("\n     "), wayOut: last.wayOut, at };
}

/** An exception in one line: its name and the first line of its message. */
export function exceptionText(error: unknown): string {
  const [line] = (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).split("\n");
  return line;
}
