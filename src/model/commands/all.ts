// All commands of a session, in the order of the help.

import type { Command, Group } from "./command.ts";
import { hintFor } from "./words.ts";
import type { Table } from "../queries/table.ts";
import type { TableName } from "../queries/tables.ts";
import { type Hint, hint } from "../../kit/support/text/hint.ts";
import { CAPABILITIES, CAPS_COMMANDS } from "./caps.ts";
import { CONSOLE, LOGS } from "./consoles.ts";
import { INJECT } from "./faults.ts";
import { INPUT, INPUT_COMMANDS } from "./input.ts";
import { INTERRUPTS, IRQ_COMMANDS } from "./irq.ts";
import { LINUX, LINUX_COMMANDS } from "./linux.ts";
import { MEM_COMMANDS, MEMORY } from "./mem.ts";
import { QUEUE_COMMANDS, QUEUES_OF_A_SESSION } from "./queue.ts";
import { QUESTIONS } from "./questions.ts";
import { STATE_HASH, STATES, SYMBOLS, TRACE_START, TRACE_STATS, TRACE_STOP, TRACES } from "./recording.ts";
import { REQUESTS_OF_VMS, RPC_COMMANDS } from "./rpc.ts";
import { TIME_COMMANDS } from "./time.ts";
import { VCPU_COMMANDS, VCPUS_OF_A_SESSION } from "./vcpu.ts";
import { VM_COMMANDS, VMS_OF_A_SESSION } from "./vm.ts";

/** The groups: the first word of commands that have two. */
export const GROUPS: readonly Group[] = [
  ...[VMS_OF_A_SESSION, VCPUS_OF_A_SESSION, INTERRUPTS, LINUX, MEMORY, CAPABILITIES],
  ...[QUEUES_OF_A_SESSION, REQUESTS_OF_VMS, TRACES, STATES, INPUT],
];

export const COMMANDS: readonly Command[] = [
  ...[...VM_COMMANDS, ...VCPU_COMMANDS, ...IRQ_COMMANDS, ...LINUX_COMMANDS, ...MEM_COMMANDS, ...CAPS_COMMANDS],
  ...[...QUEUE_COMMANDS, ...RPC_COMMANDS, CONSOLE, LOGS, ...QUESTIONS, TRACE_START, TRACE_STOP, TRACE_STATS, SYMBOLS],
  ...[...TIME_COMMANDS, INJECT, ...INPUT_COMMANDS, STATE_HASH],
];

/** Tables whose rows commands of the program print, which are about sessions and files. */
const BY_PROGRAM: { readonly [N in TableName]?: Hint } = { "session.memory": hint("ls"), "trace.events": hint("trace export") };

/** The command that prints the rows of a table, those that a filter lets through. */
export function listHint({ name }: Pick<Table, "name">, filter: string): Hint {
  const hint = hintForTable(name);
  return filter === "" ? hint : { ...hint, options: { ...hint.options, filter } };
}

/** The command that prints the rows of a table. */
export function hintForTable(table: string): Hint {
  const own = COMMANDS.find(({ prints }) => prints?.[table as TableName]), found = own ?? COMMANDS.find(({ name }) => name === table);
  if (found) return hintFor(found, own?.prints?.[table as TableName] ?? {});
  const other = BY_PROGRAM[table as TableName];
  if (!other) throw new Error(`no command prints ${table}`);
  return other;
}

/** The command of this name. */
export function commandOf(name: string): Command {
  const found = COMMANDS.find((one) => one.name === name);
  if (!found) throw new Error(`no command ${name}`);
  return found;
}
