// Sample arguments of every command of a session, by the names of its arguments; the demo has such
// objects.

import { COMMANDS } from "../../../src/model/commands/all.ts";
import { type Arguments, type Typed, type ValuesOf, valuesOf } from "../../../src/model/commands/argument.ts";
import type { Command } from "../../../src/model/commands/command.ts";
import { pathOf } from "../../../src/model/commands/words.ts";
import type { Query } from "../../../src/model/queries/query.ts";

/** Texts for arguments of these names. */
const SAMPLES: Readonly<Record<string, string>> = {
  vm: "ping",
  vcpu: "ping/0",
  irq: "irq:ping/27",
  address: "ipa:ping/0x80000000",
  queue: "mq:289",
  doorbell: "db:288",
  task: "1",
  id: "vm:ping",
  target: "ipa:ping/0x80000000",
  what: "ping:0x80000000",
  register: "x0",
  value: "0",
  flags: "0x1",
  size: "0",
  bytes: "00",
  expression: "ping/0:$sp",
};

/** Those of one command, also of arguments that are not required. */
const OWN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "rpc.send": { message: "VM_GET_OWNER" },
  "queue.send": { message: "hi" },
  "who.print": { expression: "ping:*ticks" },
  "find": { target: "ping:0x80000000" },
  "input.key": { what: "a" },
  "input.text": { what: "a" },
  "input.move": { what: "1,1" },
  "input.click": { what: "left" },
  "input.wheel": { what: "1" },
};

/** Required arguments of a command, as they would be typed. */
export function sampleOf({ name, args }: Command, named: Readonly<Record<string, string>> = {}): Typed {
  const required = Object.entries(args).filter(([argument, one]) => one.required || OWN[name]?.[argument]).map(([argument]) => {
    const typed = OWN[name]?.[argument] ?? named[argument] ?? SAMPLES[argument];
    if (typed === undefined) throw new Error(`no sample for ${argument} of ${name}`);
    return [argument, typed];
  });
  return Object.fromEntries(required);
}

/** The values of a sample. */
export const sampleValues = (command: Command, named?: Readonly<Record<string, string>>): ValuesOf<Arguments> =>
  valuesOf(pathOf(command), command.args, sampleOf(command, named));

/** The words of a sample's command line. */
export const sampleWords = (command: Command, named?: Readonly<Record<string, string>>): string[] => [
  ...pathOf(command).split(" "),
  ...Object.values(sampleOf(command, named)).map(String),
];

/** The query of a sample. */
export const queryOf = (command: Command, named?: Readonly<Record<string, string>>): Query | undefined =>
  command.ask?.(sampleValues(command, named));

/** Commands that ask, and do nothing else. */
export const ASKING: readonly Command[] = COMMANDS.filter(({ ask, steps }) => ask && !steps);
/** Commands of the groups that do something to the machine, and say so. */
export const CHANGING: readonly Command[] = COMMANDS.filter(({ right }) => right === "changes");
