// `el2 completion SHELL`: a script for the shell that asks `el2 complete` what may come next; so VM
// names of a running session complete too.

import type { Command } from "@commander-js/extra-typings";
import { type CommandNode, commandTree } from "../common/command-tree.ts";
import { Failure } from "../common/failure.ts";
import { output } from "../common/print.ts";
import { openSession } from "../common/session.ts";
import { requestNames } from "../../abi/rpc/text/compose.ts";
import { sessionNames } from "../../control/places.ts";

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_el2() {
  local IFS=$'\\n'
  COMPREPLY=($(el2 complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
COMP_WORDBREAKS=\${COMP_WORDBREAKS//:/}
complete -F _el2 el2
`,
  zsh: `#compdef el2
_el2() {
  local -a found
  found=("\${(@f)$(el2 complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _el2 el2
`,
  fish: `function __el2_complete
  set -l words (commandline -opc) (commandline -ct)
  el2 complete -- $words[2..-1] 2>/dev/null
end
complete -c el2 -a '(__el2_complete)'
`,
};

/** Adds the commands. */
export function registerCompletion(program: Command): void {
  program.command("completion")
    .description("a completion script for bash, zsh or fish")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText(
      "after",
      "\nExamples:\n  el2 completion bash > ~/.local/share/bash-completion/completions/el2\n  el2 completion fish > ~/.config/fish/completions/el2.fish",
    )
    .action((shell) => {
      const script = SCRIPTS[shell];
      if (script === undefined) throw new Failure(`${shell}: no completion for this shell; there are ${Object.keys(SCRIPTS).join(", ")}`);
      output(script);
    });
  program.command("complete", { hidden: true })
    .description("what may come next on a command line")
    .argument("[words...]")
    .action(async (words) => output((await complete(commandTree(program), words)).map((word) => `${word}\n`).join("")));
}

/** What may stand in the place of the last word. */
export async function complete(tree: CommandNode, words: readonly string[]): Promise<string[]> {
  const last = words.at(-1) ?? "";
  let command = tree;
  let given = 0;
  for (let at = 0; at < words.length - 1; at++) {
    const word = words[at];
    const child = command.commands.find(({ name }) => name === word);
    if (child) {
      command = child;
      given = 0;
    } else if (word.startsWith("--")) {
      if (command.options.find(({ long }) => long === word)?.value) at++;
    } else given++;
  }
  const before = command.options.find(({ long }) => long === words.at(-2));
  const offered = before?.value
    ? await valuesOf(before.flags, before.choices)
    : last.startsWith("-")
    ? command.options.flatMap(({ long }) => long ?? [])
    : [...command.commands.map(({ name }) => name), ...await argumentsOf(command.arguments[given]?.name)];
  return offered.filter((word) => word.startsWith(last));
}

async function valuesOf(flags: string, choices: readonly string[]): Promise<readonly string[]> {
  if (/<session>/.test(flags)) return sessionNames();
  return choices.length ? choices : await argumentsOf(/<([a-z]+)>/.exec(flags)?.[1]);
}

/** Tables whose ids an argument of a name takes. */
const IDS = {
  vm: ["vm.ls", (id: string) => id.slice("vm:".length)],
  vcpu: ["vcpu.ls", (id: string) => id],
  irq: ["irq.ls", (id: string) => id],
  parcel: ["mem.parcels", (id: string) => id],
  cap: ["caps.ls", (id: string) => id],
  queue: ["queue.ls", (id: string) => id],
  rpc: ["rpc.ls", (id: string) => id],
  reason: ["why", (id: string) => id],
} as const;

async function argumentsOf(name: string | undefined): Promise<string[]> {
  if (name === "session") return sessionNames();
  if (name === "shell") return Object.keys(SCRIPTS);
  if (name === "message") return requestNames();
  const ids = IDS[name as keyof typeof IDS];
  if (!ids) return [];
  try {
    using open = await openSession({});
    const { rows } = await open.asker.ask({ table: ids[0], args: { limit: 500 } });
    return rows.map(({ id }) => ids[1](id));
  } catch (error) {
    // No session to ask: nothing is known that could be offered.
    if (error instanceof Failure) return [];
    throw error;
  }
}
