// A tool of `el2 mcp`.

import type { ToolAnswer } from "./answers.ts";
import { checkedArguments, type ToolArguments, type ValuesOf } from "./arguments.ts";
import type { RunProgram } from "./program.ts";

/** Services to a tool. */
export interface ToolContext {
  /** Runs another command of this program. */
  readonly el2: RunProgram;
  /** Files outside of the working folder that tools may use (`--allow-host`). */
  readonly host: readonly string[];
}

export interface Tool {
  readonly name: string;
  readonly doc: string;
  readonly args: ToolArguments;
  /** It changes a machine, starts one, or writes files: it exists only with --allow-change. */
  readonly changes: boolean;
  call(given: Readonly<Record<string, unknown>>, context: ToolContext): Promise<ToolAnswer>;
}

export function tool<const T extends ToolArguments>(declared: {
  readonly name: string;
  readonly doc: string;
  readonly args: T;
  readonly changes?: true;
  readonly run: (values: ValuesOf<T>, context: ToolContext) => Promise<ToolAnswer>;
}): Tool {
  const { name, doc, args, changes = false, run } = declared;
  return { name, doc, args, changes, call: (given, context) => run(checkedArguments(args, given, context.host), context) };
}

/** The session that a tool is about. */
export const SESSION_ARGUMENT = {
  session: { type: "text", doc: "name of the session; may be left out if only one is running" },
} as const;

/** `--session NAME`, if a session is named. */
export const sessionOf = (session: string | undefined): string[] => session === undefined ? [] : [`--session=${session}`];

/** An option with its value in one word, so that no value is taken for another option. */
export const option = (name: string, value: string | number | undefined): string[] => value === undefined ? [] : [`--${name}=${value}`];

/** The same option for each value. */
export const options = (name: string, values: readonly string[] | undefined): string[] =>
  (values ?? []).map((value) => `--${name}=${value}`);

/** The same for a command that makes a machine. */
export const hostOf = (host: readonly string[]): string[] => options("allow-host", host);

/** A switch. */
export const flag = (name: string, on: boolean | undefined): string[] => on ? [`--${name}`] : [];
