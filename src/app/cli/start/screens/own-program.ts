// This program once more, for what a screen has it do aside, and its commands, for the palette.

import { commandsAbout } from "../../common/command-search.ts";
import { type CommandNode, isRunnable, wholeTree } from "../../common/command-tree.ts";
import { runtimeArguments } from "../../common/runtime.ts";
import { environmentValue } from "../look/run-program.ts";
import { COMMANDS } from "../../../../model/commands/all.ts";
import type { Question } from "../../../../model/commands/command.ts";
import { pathOf } from "../../../../model/commands/words.ts";
import { LAUNCHER_VARIABLE } from "../../../../kit/support/computer/launcher.ts";
import type { OwnProgram, ProgramCommand } from "../../../tui/app/services/own-program.ts";

/** Commands that have the terminal or never end, and the line of the palette that does it. */
export const ON_SCREENS: ReadonlyMap<string, string> = new Map([
  ["boot", "start"],
  ["run", "run"],
  ["up", "run"],
  ["attach", "start"],
  ["replay", "start"],
  ["snapshot load", "run"],
  ["record", "record save"],
  ["tour", "tour"],
  ["gdb", "gdb.attach"],
]);

/** Commands for other programs, which speak to them on their standard input. */
export const FOR_PROGRAMS: ReadonlySet<string> = new Set(["mcp", "dap", "completion"]);

/** Questions before commands that change the session. */
const ASKED: ReadonlyMap<string, Question> = new Map([["down", {
  question: "End this session?",
  act: "end the session",
  effect: "Ends its VMs and its process.",
  lost: "the machine and its past",
  stays: "files that were written",
}]]);

/** Whether the palette runs a command as its own program. */
export const isAside = (path: string): boolean => !ON_SCREENS.has(path) && !FOR_PROGRAMS.has(path);

/** The commands of a program but those of a session, which screens have in their process. */
export function programCommands(tree: CommandNode): ProgramCommand[] {
  const ofSession = new Set(COMMANDS.map(pathOf));
  const below = (node: CommandNode, path: string): ProgramCommand[] => {
    const words = node.arguments.map(({ name, required, variadic }) => {
      const shown = variadic ? `${name}...` : name;
      return required ? `<${shown}>` : `[${shown}]`;
    });
    const own = path !== "" && isRunnable(node) && !ofSession.has(path) && isAside(path);
    return [
      ...own ? [{ path, usage: [path, ...words].join(" "), help: node.help, asks: ASKED.get(path) }] : [],
      ...node.commands.flatMap((one) => below(one, `${path} ${one.name}`.trim())),
    ];
  };
  return below(tree, "");
}

/** Runs commands of this program, which is started as `entry` is, about a session. */
export function ownProgram(entry: URL, session: string): OwnProgram {
  let tree: CommandNode | undefined, commands: readonly ProgramCommand[] = [];
  return {
    load: async () => {
      if (!tree) commands = programCommands(tree = await wholeTree());
    },
    commands: () => commands,
    about: (words) => tree ? commandsAbout(tree, words) : [],
    run: async (args, hear, signal) => {
      // It ends with this program.
      const env = { NO_COLOR: "1", [LAUNCHER_VARIABLE]: String(Deno.pid), EL2_SESSION: environmentValue(session) };
      const child = new Deno.Command(Deno.execPath(), {
        args: [...runtimeArguments(entry), ...args],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        env,
      }).spawn();
      // Its output stays beside its later messages.
      let printed = "";
      const hearPrinted = (line: string) => hear(printed = line), hearSaid = (line: string) => hear(`${printed}  ${line}`.trim());
      const stop = () => child.kill("SIGINT");
      signal.addEventListener("abort", stop);
      const [answer, complaint, { code }] = await Promise.all([
        textOf(child.stdout, hearPrinted),
        textOf(child.stderr, hearSaid),
        child.status,
      ]);
      signal.removeEventListener("abort", stop);
      return { answer, complaint, code };
    },
  };
}

/** All text of a stream; `hear` gets each line as it comes. */
async function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>, hear?: (line: string) => void): Promise<string> {
  let text = "", line = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const lines = (line + piece).split("\n");
    line = lines.pop() ?? "";
    for (const one of lines) hear?.(one.replace(/^el2: /, ""));
  }
  return text;
}
