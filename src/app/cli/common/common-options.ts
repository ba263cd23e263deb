// Options beside commander's own: those that many commands have, which the help of a command names
// in one line and `el2 help options`, the manual and the reference explain once; those that
// have had another word; and the width of help.

import { type Command, Help, Option } from "@commander-js/extra-typings";
import { commandTree, commonOptions } from "./command-tree.ts";

/** An option that is explained once for all commands. */
export function common<O extends Option>(option: O): O {
  option.hideHelp();
  return Object.assign(option, { common: true });
}

/** `--json`, of commands whose output has a schema. */
export const jsonOption = common(new Option("--json", "print JSON (described by el2 reference schema NAME)"));

/** Help with a line of the common options, where commander lists a command's own. */
export const formatHelp = (command: Command, helper: Help): string => {
  const own = Help.prototype.formatHelp.call(helper, command, helper);
  const names = command.options.filter(isCommon).map(({ short, long }) => short ?? long);
  if (names.length === 0) return own;
  return `${own}\n${helper.boxWrap(`Common options (el2 help options): ${names.join(", ")}`, helper.helpWidth ?? HELP_WIDTH)}\n`;
};

const isCommon = (option: Option): boolean => "common" in option;

/** The page of `el2 help options`. */
export function commonOptionsText(program: Command): string {
  const helper = program.createHelp(), options = commonOptions(commandTree(program));
  helper.prepareContext({ helpWidth: program.configureOutput().getOutHelpWidth?.() });
  const width = Math.max(...options.map(({ flags }) => flags.length));
  const lines = options.map(({ flags, help }) => helper.formatItem(flags, width, help, helper));
  return ["Options that many commands have; the help of a command names its own:", "", ...lines, ""].join("\n");
}

/** An option that has had another word: it is still accepted, and not shown. */
export class RenamedOption<Usage extends string> extends Option<Usage> {
  /** @param before the word that it had, such as `--socket` */
  constructor(flags: Usage, description: string, readonly before: string) {
    super(flags, description);
  }

  /** Commander asks this for each word of a command line. */
  is(word: string): boolean {
    return word === this.long || word === this.before;
  }
}

/** Columns where the width is not known. */
export const HELP_WIDTH = 80;

/** Text whose paragraphs with longer lines are broken again. */
export function wrapped(text: string, width: number): string {
  return text.replaceAll(/(?:^\S.*\n?)+/gm, (part) => part.split("\n").some(({ length }) => length > width) ? broken(part, width) : part);
}

/** The words of a paragraph in lines that are as full as they may be. */
function broken(part: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of part.trim().split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return `${[...lines, line].join("\n")}${part.endsWith("\n") ? "\n" : ""}`;
}
