// A tool of `el2 mcp`: a command with arguments that a client gives as JSON.

import { resolve } from "node:path";
import type { ToolAnswer } from "./answers.ts";
import type { RunProgram } from "./program.ts";
import { Failure } from "../common/failure.ts";
import { checkedValues, option, type Typed, type ValuesOf } from "../../../model/commands/argument.ts";
import type { Argument, Arguments } from "../../../model/commands/argument.ts";
import { text } from "../../../model/commands/kinds.ts";
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

/** The session that a tool is about. */
export const SESSION = option({ ...text, offers: "sessions" }, "name of the session, if several are running", {
  common: true,
});

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

/** A tool as clients list it. */
interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: { readonly type: "object"; readonly properties: Readonly<Record<string, Schema>>; readonly required?: string[] };
  readonly annotations?: { readonly readOnlyHint: true };
}
type Schema = { readonly [name: string]: Json };

/**
 * The list of tools, which fills a part of each client's context: what several tools have is
 * described by the first, and what the protocol assumes is not told.
 */
export function listedTools(tools: readonly Tool[]): readonly ListedTool[] {
  const described = new Set<string>();
  return tools.map(({ name, doc, args, changes }) => {
    const required = Object.entries(args).filter(([, { required }]) => required).map(([name]) => name);
    const properties = Object.fromEntries(
      Object.entries(args).map(([name, one]) => {
        const known = one.common ? name : `${name}: ${one.doc}`, forms = formsIn(one.doc);
        const doc = described.has(known) ? undefined : described.has(forms) ? one.doc.slice(0, one.doc.length - forms.length) : one.doc;
        described.add(known).add(forms);
        return [name, schemaOf(one, doc)];
      }),
    );
    return {
      name,
      description: doc.replaceAll(/ {2,}/g, " "),
      inputSchema: { type: "object", properties, ...required.length > 0 && { required } },
      ...!changes && { annotations: { readOnlyHint: true } },
    };
  });
}

/** The end of a description that lists the forms of its argument, from the colon on, or nothing. */
function formsIn(doc: string): string {
  const colon = doc.indexOf(": ");
  return colon < 0 ? "" : doc.slice(colon);
}

/**
 * Parts of a description: the schema says whether there may be several, and an answer its exit
 * code.
 */
const OF_A_SHELL = /; (repeatable|exits with \d [^;,]*)/g;

/** With a description, if there is one, without parts for shells alone. Ranges are for answers. */
function schemaOf({ kind: { schema }, many }: Argument<unknown>, description?: string): Schema {
  const { minimum: _, maximum: __, ...kind } = schema;
  return {
    ...many ? { type: "array", items: kind } : kind,
    ...description !== undefined && { description: description.replaceAll(OF_A_SHELL, "") },
  };
}
