// Command lines in the texts of a source: `el2 irq show`, where a hint belongs
// (src/kit/support/text/hint.ts).

import type { Source } from "../../scripts/structure/sources.ts";

/** Keys and calls whose texts are prose of help: of commands, arguments, options, columns, keys. */
const HELP: ReadonlySet<string> = new Set([
  ...["doc", "notes", "examples", "description", "summary", "help"],
  ...["addHelpText", "argument", "Argument", "option", "Option", "optionOr", "flag", "word", "wordOr", "maybe", "described"],
]);
/** Brackets around a text that are looked at. */
const LEVELS = 3;

/**
 * A source's texts that begin with a command line, or have one after a blank, a backtick or a
 * bracket, but for prose of help.
 */
export function commandLines({ text, literals }: Pick<Source, "text" | "literals">, commands: ReadonlySet<string>): string[] {
  const found = literals.filter((one) =>
    [...one.text.matchAll(/(?:^|[`(|]|(?<!\ban)\s)el2 ([a-z-]+)/g)].some(([, name]) => commands.has(name))
  );
  if (found.length === 0) return [];
  let code = text;
  for (const { from, to } of literals) code = code.slice(0, from) + " ".repeat(to - from) + code.slice(to);
  return found.filter(({ from }) => !placesOf(code, from).some((name) => HELP.has(name))).map((one) => one.text);
}

/** The key of a text, and the keys and calls that the brackets around it belong to. */
function placesOf(code: string, at: number): string[] {
  const names: string[] = [], nameBefore = (end: number) => /(\w+)(?::\s*|\s*)$/.exec(code.slice(Math.max(0, end - 100), end))?.[1] ?? "";
  names.push(/(\w+):\s*$/.exec(code.slice(Math.max(0, at - 100), at))?.[1] ?? "");
  for (let index = at - 1, depth = 0, levels = 0; index >= 0 && levels < LEVELS; index--) {
    if (")]}".includes(code[index])) depth++;
    else if (!"([{".includes(code[index])) continue;
    else if (depth > 0) depth--;
    else {
      names.push(nameBefore(index));
      levels++;
    }
  }
  return names;
}
