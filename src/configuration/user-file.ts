// The user's own file, `~/.config/el2/ui.toml`: `[[ui.command]]`, commands for every session.

import * as v from "valibot";
import { ConfigErrors, formatConfigError, readToml } from "./config.ts";
import { TomlPositions } from "./positions.ts";
import { COMMAND_KEYS, commands, type FileCommand } from "./program-keys.ts";
import { didYouMean } from "../support/did-you-mean.ts";
import { KiB } from "../support/sizes.ts";

/** Characters of the file. */
const TEXT_MAX = 256 * KiB;
const FILE = v.strictObject({ ui: v.optional(v.strictObject({ command: commands }), {}) });

/** Keys of its tables, by their path without indices. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  "": ["ui"],
  ui: ["command"],
  "ui.command": COMMAND_KEYS,
};

/** The commands of the user's file, or all its errors, each as `FILE:LINE:COLUMN: what`. */
export function readUserFile(
  file: string,
  text: string,
): { readonly commands: readonly FileCommand[] } | { readonly errors: readonly string[] } {
  if (text.length > TEXT_MAX) {
    const message = `the file has ${text.length} characters; it may have ${TEXT_MAX}`;
    return { errors: [formatConfigError(file, { line: 1, column: 1, message })] };
  }
  const read = readToml(text);
  if ("error" in read) return { errors: [formatConfigError(file, read.error)] };
  const { raw } = read;
  const errors = new ConfigErrors(new TomlPositions(text));
  unknownKeys(raw, [], errors);
  const result = v.safeParse(FILE, raw, { abortPipeEarly: true });
  for (const issue of result.issues ?? []) {
    const path = (issue.path ?? []).map((item) => item.key as string | number);
    if (issue.type === "strict_object" && issue.expected === "never") continue;
    if (issue.received === "undefined") errors.atKey(path, `${path.findLast((part) => typeof part === "string")} is missing`);
    else errors.atIssue(path, issue);
  }
  if (result.success && errors.found.length === 0) return { commands: result.output.ui.command };
  return { errors: errors.sorted().map((error) => formatConfigError(file, error)) };
}

function unknownKeys(value: unknown, path: readonly (string | number)[], errors: ConfigErrors): void {
  const known = KNOWN[path.filter((part) => typeof part === "string").join(".")];
  if (Array.isArray(value) && known) return value.forEach((one, index) => unknownKeys(one, [...path, index], errors));
  if (typeof value !== "object" || value === null || !known) return;
  for (const [key, inner] of Object.entries(value)) {
    if (known.includes(key)) unknownKeys(inner, [...path, key], errors);
    else {
      const way = didYouMean(key, known, "this file has [[ui.command]] only");
      errors.atKey([...path, key], `unknown key ${JSON.stringify(key)}${way}`);
    }
  }
}
