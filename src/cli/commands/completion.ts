// `el2 completion SHELL`: a script for the shell that asks `el2 complete` what may come next; so VM
// names of a running session complete too.

import type { Command } from "@commander-js/extra-typings";
import { type CommandNode, commandTree } from "../common/command-tree.ts";
import { Failure } from "../common/failure.ts";
import { output } from "../common/print.ts";
import { openSession } from "../common/session.ts";
import { TRACE_KINDS } from "../../abi/trace.ts";
import { requestNames } from "../../abi/rpc/text/compose.ts";
import { sessionNames } from "../../control/places.ts";
import { cellText } from "../../queries/format.ts";
import { nameOf } from "../../queries/ids.ts";
import type { Column } from "../../queries/table.ts";
import { TABLES } from "../../queries/tables.ts";

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
    .argument("<shell>", "bash, zsh or fish")
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

/** A word that may come next. */
interface Offer {
  readonly word: string;
  readonly help?: string;
}

/** The possible next words. */
interface Completions {
  readonly offers: readonly Offer[];
  /** So may any file. */
  readonly files: boolean;
}

const offersOf = (words: readonly string[]): Offer[] => words.map((word) => ({ word }));

/** The possible replacements of the last word. */
export async function completions(tree: CommandNode, words: readonly string[]): Promise<Completions> {
  const last = words.at(-1) ?? "";
  let command = tree;
  let given = 0, session: string | undefined;
  const valued = (word: string | undefined) =>
    command.options.find(({ long, short, before, value }) => value && word !== undefined && [long, short, before].includes(word));
  for (let at = 0; at < words.length - 1; at++) {
    const word = words[at];
    const child = command.commands.find(({ name }) => name === word);
    if (child) {
      command = child;
      given = 0;
    } else if (word.startsWith("-")) {
      const option = valued(word);
      if (!option) continue;
      at++;
      if (option.long === "--session" && at < words.length - 1) session = words[at];
    } else given++;
  }
  const before = valued(words.at(-2));
  const { offers, files } = before
    ? await valuesOf(before, last, session)
    : last.startsWith("-")
    ? { offers: command.options.flatMap(({ long, help }) => long ? [{ word: long, help }] : []), files: false }
    : await argumentsOf(command.arguments[given] ?? command.arguments.at(-1), command, given, session);
  return { offers: offers.filter(({ word }) => word.startsWith(last)), files };
}

/** Names of arguments and values that are files, or folders. */
const FILE_NAMES = ["a", "b", "dtb", "file", "files", "folder", "image", "what"];

async function valuesOf(
  { flags, choices, long }: CommandNode["options"][number],
  last: string,
  session: string | undefined,
): Promise<Completions> {
  const name = /<([^>]+)>/.exec(flags)?.[1].replace(/\.\.\.$/, "");
  if (long === "--kinds") {
    // A list: the items before the last comma stay.
    const before = last.slice(0, last.lastIndexOf(",") + 1);
    return { offers: ["all", ...TRACE_KINDS].map((kind) => ({ word: `${before}${kind}` })), files: false };
  }
  if (choices.length) return { offers: offersOf(choices), files: false };
  return { offers: await idsOf(name, session), files: name !== undefined && FILE_NAMES.includes(name) };
}

async function argumentsOf(
  argument: CommandNode["arguments"][number] | undefined,
  command: CommandNode,
  given: number,
  session: string | undefined,
): Promise<Completions> {
  const commands = command.commands.map(({ name, help }) => ({ word: name, help }));
  if (!argument || given >= command.arguments.length && !argument.variadic) return { offers: commands, files: false };
  const words = await WORDS[`${command.name} ${argument.name}`]?.() ?? [];
  return { offers: [...commands, ...words, ...await idsOf(argument.name, session)], files: FILE_NAMES.includes(argument.name) };
}

/** Words of arguments that do not take ids, by command and argument. */
const WORDS: Readonly<Record<string, (() => Offer[] | Promise<Offer[]>) | undefined>> = {
  "run what": machineOffers,
  "up what": machineOffers,
  "boot image": () => [{ word: "debian", help: "the catalog's Debian with a disk" }],
  "fetch guest": () => [{ word: "debian", help: "Debian's kernel, with a ramdisk or a disk" }],
  "export name": guestOffers,
  "tour chapter": async () => {
    const { CHAPTERS } = await import("../../tui/app/guide-chapters.ts");
    return CHAPTERS.map(({ name, about }) => ({ word: name, help: about }));
  },
};

/** The demo and the guests of the catalog. */
async function machineOffers(): Promise<Offer[]> {
  return [{ word: "demo", help: "three VMs that communicate" }, ...await guestOffers()];
}

async function guestOffers(): Promise<Offer[]> {
  const { catalogEntries } = await import("../../catalog/catalog.ts");
  return (await catalogEntries()).map(({ manifest }) => ({ word: manifest.name, help: manifest.about }));
}

/** Tables whose ids an argument of a name takes, and the column that describes each. */
const IDS = {
  vm: ["vm.ls", "state"],
  vcpu: ["vcpu.ls", "state"],
  irq: ["irq.ls", "source"],
  parcel: ["mem.parcels", "state"],
  cap: ["caps.ls", "type"],
  queue: ["queue.ls", "kind"],
  rpc: ["rpc.ls", "msg"],
  reason: ["why", "call"],
} as const;

/** Values of an argument or option of this name. @param session the one that the words name */
async function idsOf(name: string | undefined, session: string | undefined): Promise<Offer[]> {
  if (name === "session") return offersOf(sessionNames());
  if (name === "shell") return offersOf(Object.keys(SCRIPTS));
  if (name === "message") return offersOf(requestNames());
  const ids = IDS[name as keyof typeof IDS];
  if (!ids) return [];
  const [table, described] = ids;
  try {
    using open = await openSession({ session });
    const { rows } = await open.asker.ask({ table, args: { limit: 500 } });
    const columns: Readonly<Record<string, Column>> = TABLES[table].columns;
    return rows.map((row) => {
      const help = row[described] ? { help: cellText(columns[described], row[described]) } : {};
      return { word: name === "vm" ? nameOf(row.id) : row.id, ...help };
    });
  } catch (error) {
    // Without a session, nothing can be offered.
    if (error instanceof Failure) return [];
    throw error;
  }
}
