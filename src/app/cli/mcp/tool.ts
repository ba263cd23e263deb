// A tool of `el2 mcp`: a command with arguments that a client gives as JSON.

import { resolve } from "node:path";
import type { ToolAnswer } from "./answers.ts";
import type { RunProgram } from "./program.ts";
import { Failure } from "../common/failure.ts";
import { checkedValues, type Typed, type ValuesOf } from "../../../model/commands/argument.ts";
import type { Argument, Arguments } from "../../../model/commands/argument.ts";
import type { Json } from "../../../model/queries/table.ts";
import { isWithin, leadsTo } from "../../../kit/support/files/real-place.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** Services to a tool. */
export interface ToolContext {
  /** Runs another command of this program. */
  readonly el2: RunProgram;
  /** Files outside of the working folder that tools may use (`--allow-host`). */
  readonly host: readonly string[];
  /** The client has canceled the call, or is gone. */
  readonly signal: AbortSignal;
}

export interface Tool {
  readonly name: string;
  readonly doc: string;
  readonly args: Arguments;
  /** It changes a machine, starts one, or writes files: it exists only with --allow-change. */
  readonly changes: boolean;
  call(given: Readonly<Record<string, unknown>>, context: ToolContext): Promise<ToolAnswer>;
}

/** The parts of a tool, whose `run` gets checked values. */
interface ToolEntry<A extends Arguments> {
  readonly name: string;
  /** Its command in errors, if that is not its name. */
  readonly path?: string;
  readonly doc: string;
  readonly args: A;
  readonly changes: boolean;
  readonly excludes?: readonly (readonly string[])[];
  readonly needs?: readonly (readonly [string, string])[];
  readonly run: (values: ValuesOf<A>, context: ToolContext) => Promise<ToolAnswer>;
}

export function tool<const A extends Arguments>({ name, path = name, doc, args, changes, excludes, needs, run }: ToolEntry<A>): Tool {
  const call = (given: Readonly<Record<string, unknown>>, context: ToolContext) => {
    checkPaths(args, given, context.host);
    return run(checkedValues(path, { args, excludes, needs }, typedOf(given)), context);
  };
  return { name, doc, args, changes, call };
}

/** Arguments as a person would type them. */
function typedOf(given: Readonly<Record<string, unknown>>): Typed {
  const typed: Record<string, Typed[string]> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === false || value === null || value === undefined) continue;
    typed[name] = value === true ? true : Array.isArray(value) ? value.map((one) => wordOf(name, one)) : wordOf(name, value);
  }
  return typed;
}

/** @throws Failure if it is neither a text nor a number */
function wordOf(name: string, value: unknown): string {
  if (typeof value === "string" && !value.includes("\0") || typeof value === "number") return String(value);
  throw new Failure(`argument "${name}" is ${JSON.stringify(value)}`, "it must be a string or a number");
}

/**
 * Files are those of the working folder.
 * @param allowed other files and folders, or `all`
 * @throws Failure that names the argument
 */
function checkPaths(declared: Arguments, given: Readonly<Record<string, unknown>>, allowed: readonly string[]): void {
  if (allowed.includes("all")) return;
  for (const [name, { kind }] of Object.entries(declared)) {
    if (kind.offers !== "files" || given[name] === undefined) continue;
    for (const path of [given[name]].flat()) {
      const place = leadsTo(String(path));
      if (place !== undefined && [".", ...allowed].some((each) => isWithin(place, resolve(each)))) continue;
      throw new Failure(
        `argument "${name}" is ${JSON.stringify(path)}, which is outside the working folder`,
        way`start ${hint("mcp", { "allow-host": place ?? String(path) })} to have it used`,
      );
    }
  }
}

/** The JSON Schema of a tool's arguments. */
export function argumentSchema(declared: Arguments) {
  return {
    type: "object" as const,
    properties: Object.fromEntries(Object.entries(declared).map(([name, one]) => [name, schemaOf(one)])),
    required: Object.entries(declared).filter(([, { required }]) => required).map(([name]) => name),
    additionalProperties: false,
  };
}

function schemaOf({ kind, doc, many }: Argument<unknown>): { readonly [name: string]: Json } {
  return many ? { type: "array", items: kind.schema, description: doc } : { ...kind.schema, description: doc };
}
