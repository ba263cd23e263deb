// All commands of a session, in the order of the help.

import type { Command, Group } from "./command.ts";
import { hintFor } from "./words.ts";
import type { Table } from "../queries/table.ts";
import { type Hint, hint } from "../../kit/support/text/hint.ts";
import { CAPABILITIES, CAPS_COMMANDS } from "./caps.ts";
import { CONSOLE, LOGS } from "./consoles.ts";
import { INJECT } from "./faults.ts";
import { INPUT, INPUT_COMMANDS } from "./input.ts";
import { INTERRUPTS, IRQ_COMMANDS } from "./irq.ts";
import { LINK } from "./link.ts";
import { LINUX, LINUX_COMMANDS } from "./linux.ts";
import { MEM_COMMANDS, MEMORY } from "./mem.ts";
import { QUEUE_COMMANDS, QUEUE_RING_BELL, QUEUES_OF_A_SESSION, RING } from "./queue.ts";
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
  ...[...TIME_COMMANDS, LINK, INJECT, ...INPUT_COMMANDS, STATE_HASH],
];

/** Tables whose rows commands of the program print, which are about sessions and files. */
const BY_PROGRAM: ReadonlyMap<string, Hint> = new Map([["session.memory", hint("ls")], ["trace.events", hint("trace export")]]);

/** The command that prints the rows of a table, those that a filter lets through. */
export function listHint({ name }: Pick<Table, "name">, filter: string): Hint {
  const hint = hintForTable(name);
  return filter === "" ? hint : { ...hint, options: { ...hint.options, filter } };
}

/** The command that prints the rows of a table, and its arguments then. */
function printing(table: string) {
  for (const command of COMMANDS) {
    const [, given] = Object.entries(command.prints ?? {}).find(([name]) => name === table) ?? [];
    if (given || command.name === table) return { command, given: given ?? {} };
  }
  return undefined;
}

/** Things of Gunyah that the rows of a table, or an action, are about (`Command.ofGunyah`). */
export function gunyahsIn(tableOrAction: string): string | undefined {
  const action = tableOrAction === RING.kind ? QUEUE_RING_BELL.name : tableOrAction;
  return printing(action)?.command.ofGunyah;
}

/** The command that prints the rows of a table. */
export function hintForTable(table: string): Hint {
  const found = printing(table);
  if (found) return hintFor(found.command, found.given);
  const other = BY_PROGRAM.get(table);
  if (!other) throw new Error(`no command prints ${table}`);
  return other;
}
