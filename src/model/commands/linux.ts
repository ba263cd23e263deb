// `el2 linux`: a Linux in a VM, read from the VM's memory without its help.

import { flag, type Kind, maybe, word } from "./argument.ts";
import { command, type Group } from "./command.ts";
import { filterOf, idOf, task } from "./kinds.ts";
import { asked, listArguments } from "./lists.ts";
import { allOfEvents } from "../queries/filters/temporal-filter.ts";
import { parseAs, vmId, withKind } from "../queries/ids.ts";
import { TABLES } from "../queries/tables.ts";
import { LINUX_TABLES, type LinuxTables, type TableCommand } from "../queries/linux-tables.ts";

export const LINUX: Group = {
  name: "linux",
  doc: "a Linux in a VM, read from its memory without an agent: log, processes, stacks, files",
};

type LinuxTable = LinuxTables[keyof LinuxTables];
/** Tables about one process or thread. */
type TaskTable = Extract<LinuxTable, { readonly args: { readonly pid: "required" } }>;
const isOfTask = (table: LinuxTable): table is TaskTable => "pid" in table.args;

const isVm = (text: string) => !/[A-Z=<>~!\s]/.test(text);

/** The id of a VM, or what cannot be one: names of VMs are in small letters. */
const vmOr = (filter: Kind<string>): Kind<string> => ({ ...idOf("vm"), parse: (typed) => isVm(typed) ? typed : filter.parse(typed) });

/** A list of the Linux of one VM, or of all that run one. */
function list(
  { name: table }: Exclude<LinuxTable, TaskTable>,
  name: string,
  { doc, examples, text, follows, flags, narrows }: TableCommand,
) {
  const entry = { doc, right: "looks", examples, lists: true, printed: () => ({ text, follows }) } as const;
  const args = { vm: maybe(idOf("vm"), "only that of this VM"), ...listArguments(table) };
  const ofVm = (vm: string | undefined) => vm === undefined ? {} : { vm: withKind("vm", vm) };
  if (narrows) {
    const { vm: _, ...others } = args, filter = filterOf(TABLES[table]);
    const vm = maybe(vmOr(filter), "only that of this VM; a word with a capital or an operator is the filter");
    return command(name, {
      ...entry,
      args: { vm, matching: maybe(filter, narrows), ...others },
      ask: ({ vm, matching }) =>
        vm === undefined || isVm(vm)
          ? asked(table, { ...ofVm(vm), filter: matching })
          : asked(table, { filter: allOfEvents([vm, matching]) }),
    });
  }
  if (!flags) return command(name, { ...entry, args, ask: ({ vm }) => asked(table, ofVm(vm)) });
  const { vm, ...others } = args;
  return command(name, {
    ...entry,
    args: { vm, threads: flag(flags.threads), tree: flag(flags.tree), ...others },
    ask: ({ vm, threads, tree }) => asked(table, { ...ofVm(vm), threads, tree }),
  });
}

/** A list about a process or thread. */
function listOfTask({ name, listed }: TaskTable) {
  const menu = {
    on: ["task"],
    key: name.slice("linux.".length)[0],
    label: listed.label,
    of: (id: string) => {
      const { vm, pid = 0 } = parseAs("task", id) ?? {};
      return { task: { vm, pid } };
    },
  } as const;
  return command(name, {
    doc: listed.doc,
    args: {
      task: word(task, "task:VM/PID, VM/PID, or of the one VM that runs Linux PID or a name that one task has"),
      ...listArguments(name),
    },
    right: "looks",
    examples: listed.examples,
    lists: true,
    ask: ({ task: { vm, pid } }) => ({ table: name, args: { vm: vm && vmId(vm), pid } }),
    menus: [menu],
  });
}

/** The command line of each kernel. */
const CMDLINE: TableCommand = { doc: "print the command line", examples: ["linux cmdline"], text: ({ cmdline }) => `${cmdline ?? ""}\n` };

export const LINUX_COMMANDS = [
  ...Object.values(LINUX_TABLES).map((table) => isOfTask(table) ? listOfTask(table) : list(table, table.name, table.listed)),
  list(LINUX_TABLES["linux.ls"], "linux.cmdline", CMDLINE),
];
