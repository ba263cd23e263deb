// The machine of a command line of crosvm, QEMU or kvmtool, or of a vm_config.json, as a
// configuration of el2.

import { basename } from "node:path";
import { avfMachine } from "./avf.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { crosvmMachine } from "./crosvm.ts";
import { ForeignMachine } from "./foreign-machine.ts";
import { lkvmMachine } from "./lkvm.ts";
import { qemuMachine } from "./qemu.ts";
import { shellCommand, type ShellLine } from "./shell-line.ts";

/** A program: the words that start it, and its machine. */
interface Program {
  readonly names: readonly string[];
  /** The word after it that runs a VM. */
  readonly verb?: string;
  readonly read: (machine: ForeignMachine, words: readonly string[]) => void;
}

const PROGRAMS: readonly Program[] = [
  { names: ["crosvm"], verb: "run", read: crosvmMachine },
  { names: ["lkvm", "lkvm-static", "kvmtool"], verb: "run", read: lkvmMachine },
  { names: ["qemu-system-aarch64"], read: qemuMachine },
];
/** Android's program for a vm_config.json. */
const AVF = "vm";
/** Commands of a text that are read to find the one that starts a VM. */
const COMMANDS_MAX = 64;
const SHELLS = "it is the shell's, and is not run";
/** QEMU's programs for other CPUs. */
const OTHERS = /^qemu-system-\w+$|^qemu-kvm$/;

/**
 * The machine that a command line describes.
 * @throws UserError that names the option, the word or the file
 */
export function machineOfLine(text: string): ForeignMachine {
  const { words, rest, before } = commandOfVm(text), file = configurationOf(words);
  if (file !== undefined) return machineOfFile(file);
  const at = words.findIndex((word) => programOf(word) !== undefined || OTHERS.test(basename(word)));
  if (at < 0) {
    throw new UserError("no command of crosvm, QEMU or kvmtool, and no vm_config.json", "give one, such as 'crosvm run … KERNEL'");
  }
  const program = programOf(words[at]);
  if (program === undefined) throw new UserError(`${terminalWord(words[at])}: not for arm64`, "give a line of qemu-system-aarch64");
  // Options of crosvm itself, such as --log-level, are before its verb.
  const verb = program.verb === undefined ? at : words.indexOf(program.verb, at);
  if (verb < 0) throw new UserError(`${terminalWord(words[at])}: no ${program.verb}`, `give a line of ${program.names[0]} ${program.verb}`);
  const machine = new ForeignMachine([program.names[0], ...program.verb === undefined ? [] : [program.verb]].join(" "));
  for (const command of before) machine.absent(command, SHELLS);
  if (rest !== "" && !/^&\s*$/.test(rest)) machine.absent(rest, SHELLS);
  program.read(machine, words.slice(verb + 1));
  machine.check();
  return machine;
}

/** The command among those of a text that starts a VM, and those before it; else the first. */
function commandOfVm(text: string): ShellLine & { readonly before: readonly string[] } {
  const first = shellCommand(text), before: string[] = [];
  let command = first;
  while (!startsVm(command.words)) {
    const rest = command.rest.replace(/^[;&\s]+/, "");
    if (rest === "" || before.length === COMMANDS_MAX) return { ...first, before: [] };
    before.push(terminalWord(command.words.join(" ")));
    command = shellCommand(rest);
  }
  return { ...command, before };
}

const startsVm = (words: readonly string[]): boolean =>
  configurationOf(words) !== undefined || words.some((word) => programOf(word) !== undefined || OTHERS.test(basename(word)));

/** The file of `FILE.json` or `vm run FILE.json`. */
function configurationOf(words: readonly string[]): string | undefined {
  const file = words.findLast((word) => word.endsWith(".json"));
  return words.length === 1 || words.some((word, at) => basename(word) === AVF && words[at + 1] === "run") ? file : undefined;
}

function machineOfFile(file: string): ForeignMachine {
  const machine = new ForeignMachine(file, file);
  avfMachine(machine, file);
  machine.check();
  return machine;
}

function programOf(word: string): Program | undefined {
  return PROGRAMS.find(({ names }) => names.includes(basename(word)));
}
