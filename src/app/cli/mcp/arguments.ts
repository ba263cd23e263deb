// Arguments of the tools of `el2 mcp`, declared once: their JSON Schema, their check and their
// types follow.

import { Failure } from "../common/failure.ts";
import type { Json } from "../../../model/queries/table.ts";
import { didYouMean } from "../../../kit/support/text/did-you-mean.ts";
import { leadsInto } from "../../../kit/support/files/real-place.ts";

interface ToolArgument {
  readonly type: "text" | "whole" | "flag" | "texts";
  /** Each text is the path of a file, which the tool reads or writes. */
  readonly path?: "read" | "written";
  readonly doc: string;
  readonly required?: true;
  /** All values that a text may have. */
  readonly choices?: readonly string[];
  /** Range of a whole number. */
  readonly least?: number;
  readonly most?: number;
}

export type ToolArguments = Readonly<Record<string, ToolArgument>>;

type Held<A extends ToolArgument> = A["type"] extends "text" ? string
  : A["type"] extends "whole" ? number
  : A["type"] extends "flag" ? boolean
  : readonly string[];

/** The values of declared arguments. */
export type ValuesOf<T extends ToolArguments> = {
  readonly [N in keyof T]: T[N] extends { readonly required: true } ? Held<T[N]> : Held<T[N]> | undefined;
};

/** The JSON Schema of a tool's arguments. */
export function argumentSchema(declared: ToolArguments) {
  return {
    type: "object" as const,
    properties: Object.fromEntries(Object.entries(declared).map(([name, one]) => [name, schemaOf(one)])),
    required: Object.entries(declared).filter(([, { required }]) => required).map(([name]) => name),
    additionalProperties: false,
  };
}

function schemaOf({ type, doc, choices, least, most }: ToolArgument): { readonly [name: string]: Json } {
  switch (type) {
    case "text":
      return { type: "string", description: doc, ...choices && { enum: choices } };
    case "whole":
      return {
        type: "integer",
        description: doc,
        ...least !== undefined && { minimum: least },
        ...most !== undefined && { maximum: most },
      };
    case "flag":
      return { type: "boolean", description: doc };
    case "texts":
      return { type: "array", items: { type: "string" }, description: doc };
  }
}

/**
 * Checks a client's arguments. Files are those of the working folder.
 * @param allowed other files and folders, or `all`
 * @throws Failure that names the argument, its value and what is allowed
 */
export function checkedArguments<T extends ToolArguments>(
  declared: T,
  given: Readonly<Record<string, unknown>>,
  allowed: readonly string[],
): ValuesOf<T> {
  const names = Object.keys(declared);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Failure(`unknown argument ${JSON.stringify(unknown)}`, didYouMean(unknown, names, `the arguments are ${names.join(", ")}`));
  }
  for (const [name, one] of Object.entries(declared)) {
    const value = given[name];
    if (value === undefined) {
      if (one.required) throw new Failure(`argument "${name}" is missing: ${one.doc}`);
      continue;
    }
    const issue = issueOf(one, value);
    if (issue !== undefined) throw new Failure(`argument "${name}" is ${JSON.stringify(value)}`, `it must be ${issue}`);
    if (one.path === undefined || allowed.includes("all")) continue;
    for (const path of [value].flat()) {
      if ([".", ...allowed].some((place) => leadsInto(String(path), place))) continue;
      throw new Failure(
        `argument "${name}" is ${JSON.stringify(path)}, which is outside the working folder`,
        `start el2 mcp with --allow-host PATH to have it ${one.path}`,
      );
    }
  }
  return given as ValuesOf<T>;
}

/** The expected value, in words; undefined for a valid one. */
function issueOf({ type, choices, least = 0, most = Number.MAX_SAFE_INTEGER }: ToolArgument, value: unknown): string | undefined {
  switch (type) {
    case "text":
      if (typeof value !== "string" || value.includes("\0")) return "a string";
      return choices && !choices.includes(value) ? `one of ${choices.join(", ")}` : undefined;
    case "whole":
      return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most
        ? undefined
        : `a whole number from ${least} to ${most}`;
    case "flag":
      return typeof value === "boolean" ? undefined : "true or false";
    case "texts":
      return Array.isArray(value) && value.every((one) => typeof one === "string" && !one.includes("\0")) ? undefined : "a list of strings";
  }
}
