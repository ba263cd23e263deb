// `el2 completion SHELL`: a script for the shell that asks `el2 complete` what may come next; so VM
// names of a running session complete too.

import { Argument, type Command } from "@commander-js/extra-typings";
import {
  type ArgumentNode,
  type CommandNode,
  commandTree,
  type CompletedLine,
  type Offer,
  type Offering,
  offering,
} from "../../common/command-tree.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { openSession } from "../../common/session.ts";
import { sessionNames } from "../../../../session/control/places.ts";
import { idOf } from "../../../../model/commands/kinds.ts";
import { asked } from "../../../../model/commands/lists.ts";
import { cellText } from "../../../../model/queries/texts/format.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import type { Column } from "../../../../model/queries/table.ts";
import { TABLES } from "../../../../model/queries/tables.ts";

/** A line of `el2 complete` for names of files, which the shell knows. */
const FILES = ":files";

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_el2() {
  local IFS=$'\\n' line
  COMPREPLY=()
  while read -r line; do
    if [[ $line == ${FILES} ]]; then
      COMPREPLY+=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
      compopt -o filenames 2>/dev/null
    else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <(el2 complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
COMP_WORDBREAKS=\${COMP_WORDBREAKS//:/}
complete -F _el2 el2
`,
  zsh: `#compdef el2
_el2() {
  local -a words_found helps shown
  local line files
  local -i width=0 at
  for line in "\${(@f)$(el2 complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      ${FILES}) files=1 ;;
      *$'\\t'*) words_found+=("\${line%%$'\\t'*}"); helps+=("  -- \${line#*$'\\t'}") ;;
      *) words_found+=("$line"); helps+=('') ;;
    esac
  done
  for line in "\${(@)words_found}"; do
    if (( $#line > width )); then width=$#line; fi
  done
  for (( at = 1; at <= $#words_found; at++ )); do
    line="\${(r:width:)words_found[at]}$helps[at]"
    shown+=("\${line[1,COLUMNS-1]}")
  done
  if (( $#words_found )); then compadd -l -d shown -- "\${words_found[@]}"; fi
  if [[ -n $files ]]; then _files; fi
}
# A file of fpath is the function itself when it is first called.
if [[ $funcstack[1] == _el2 ]]; then
  _el2 "$@"
else
  compdef _el2 el2
fi
`,
  fish: `function __el2_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (el2 complete -- $words[2..-1] 2>/dev/null)
    if test "$line" = ${FILES}
      __fish_complete_path (commandline -ct)
    else
      printf '%s\\n' $line
    end
  end
end
complete -c el2 -f -a '(__el2_complete)'
`,
};

export function registerCompletion(program: Command): void {
  program.command("completion")
    .description("print a completion script for bash, zsh or fish")
    .addArgument(offering(new Argument("<shell>", "bash, zsh or fish"), { words: () => Object.keys(SCRIPTS) }))
    .addHelpText(
      "after",
      `
Examples:
  D=~/.local/share/bash-completion/completions; mkdir -p $D && el2 completion bash > $D/el2
  mkdir -p ~/.zfunc && el2 completion zsh > ~/.zfunc/_el2   with fpath+=~/.zfunc before compinit in ~/.zshrc
  mkdir -p ~/.config/fish/completions && el2 completion fish > ~/.config/fish/completions/el2.fish`,
    )
    .action((shell) => {
      const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined) throw new Failure(`"${shell}" is not a shell with completion`, `use ${Object.keys(SCRIPTS).join(", ")}`);
      output(script);
    });
  program.command("complete", { hidden: true })
    .description("list the possible next words of a command line")
    .argument("[words...]")
    .action(async (words) => {
      const { offers, files } = await completions(commandTree(program), words);
      const lines = offers.map(({ word, help }) => help ? `${word}\t${help}` : word);
      output([...lines, ...files ? [FILES] : []].map((line) => `${line}\n`).join(""));
    });
}

/** The possible next words. */
interface Completions {
  readonly offers: readonly Offer[];
  /** So may any file. */
  readonly files: boolean;
}

/** The possible replacements of the last word. */
export async function completions(tree: CommandNode, words: readonly string[]): Promise<Completions> {
  if (words.length > 1 && words[0] === "help") return await helpOffers(tree, words.slice(1));
  const last = words.at(-1) ?? "";
  let command = tree;
  let given: string[] = [], session: string | undefined;
  const valued = (word: string | undefined) =>
    command.options.find(({ long, short, before, value }) => value && word !== undefined && [long, short, before].includes(word));
  for (let at = 0; at < words.length - 1; at++) {
    const word = words[at];
    const child = command.commands.find(({ name }) => name === word);
    if (child) {
      command = child;
      given = [];
    } else if (word.startsWith("-")) {
      const option = valued(word);
      if (!option) continue;
      at++;
      if (option.long === "--session" && at < words.length - 1) session = words[at];
    } else given.push(word);
  }
  const line: CompletedLine = { tree, given, last }, before = valued(words.at(-2));
  const { offers, files } = before
    ? await valuesOf(before, line, session)
    : last.startsWith("-")
    ? { offers: command.options.flatMap(({ long, help }) => long ? [{ word: long, help }] : []), files: false }
    : await argumentsOf(command, line, session);
  return { offers: offers.filter(({ word }) => word.startsWith(last)), files };
}

/** Words of `el2 help`: the commands of `el2 man`, and the page of common options. */
async function helpOffers(tree: CommandNode, words: readonly string[]): Promise<Completions> {
  const { offers, files } = await completions(tree, ["man", ...words]), [first] = words;
  const page = words.length === 1 && "options".startsWith(first) ? [{ word: "options", help: "the options that many commands have" }] : [];
  return { offers: [...offers, ...page], files };
}

/** Meanings of the words in `<file>` and the like, where no more is declared. */
const PLACEHOLDERS: Readonly<Record<string, Offering | undefined>> = {
  ...Object.fromEntries(
    ["a", "b", "dir", "dtb", "file", "files", "folder", "path", "recordings", "snapshot"].map((name) => [name, "files"]),
  ),
  session: "sessions",
  vm: idOf("vm").offers,
  reason: idOf("why").offers,
};

async function valuesOf(
  { flags, choices, offers }: CommandNode["options"][number],
  line: CompletedLine,
  session: string | undefined,
): Promise<Completions> {
  // Of `<file[,mode]>` and `<folder|none>` the first part is what is typed first.
  const name = /<(\w+)(?:\[.*|\|.*|\.\.\.)?>/.exec(flags)?.[1];
  return await offered(name, { choices, offers }, line, session);
}

async function argumentsOf(command: CommandNode, line: CompletedLine, session: string | undefined): Promise<Completions> {
  const commands = command.commands.map(({ name, help }) => ({ word: name, help })), all = command.arguments;
  const argument = all[line.given.length] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
  if (!argument) return { offers: commands, files: false };
  const { offers, files } = await offered(argument.name, argument, line, session);
  // A command below this one can only be the first word.
  return { offers: line.given.length > 0 ? offers : [...commands, ...offers], files };
}

/** Words of an argument or value: its choices, what it declares, else what its name stands for. */
async function offered(
  name: string | undefined,
  { choices, offers }: Pick<ArgumentNode, "choices" | "offers">,
  line: CompletedLine,
  session: string | undefined,
): Promise<Completions> {
  if (choices.length && !offers.length) return { offers: choices.map((word) => ({ word })), files: false };
  const usual = name === undefined ? undefined : PLACEHOLDERS[name], all = offers.length || !usual ? offers : [usual];
  const words = await Promise.all(all.map((one) => wordsOf(one, line, session)));
  return { offers: words.flat(), files: all.includes("files") };
}

async function wordsOf(offers: Offering, line: CompletedLine, session: string | undefined): Promise<readonly Offer[]> {
  try {
    if (typeof offers === "function") return await offers(line);
    if (offers === "files") return [];
    if (offers === "sessions") return sessionNames().map((word) => ({ word }));
    if ("table" in offers) return await idsOf(offers, session);
    const before = offers.listed ? line.last.slice(0, line.last.lastIndexOf(",") + 1) : "";
    return offers.words().map((word) => ({ word: before + word }));
  } catch (error) {
    // Without a session, or where a file that they come from is wrong, nothing can be offered.
    if (error instanceof Failure) return [];
    throw error;
  }
}

/** Ids of a table's rows. @param session the one that the words name */
async function idsOf({ table, about, bare }: Extract<Offering, { table: unknown }>, session: string | undefined): Promise<Offer[]> {
  using open = await openSession({ session });
  const { rows } = await open.asker.ask(asked(table, { limit: 500 }));
  const columns: Readonly<Record<string, Column>> = TABLES[table].columns;
  return rows.map((row) => {
    const help = row[about] ? { help: cellText(columns[about], row[about]) } : {};
    return { word: bare ? nameOf(row.id) : row.id, ...help };
  });
}
