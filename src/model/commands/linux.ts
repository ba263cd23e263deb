// `el2 linux`: a Linux in a VM, read from the VM's memory without its help.

import { flag, maybe, word } from "./argument.ts";
import { command, type Group, type Printed } from "./command.ts";
import { idOf, task } from "./kinds.ts";
import { asked, listArguments } from "./lists.ts";
import { parseAs, vmId, withKind } from "../queries/ids.ts";
import { LINUX_TABLES } from "../queries/linux-tables.ts";
import type { Row, RowOf } from "../queries/table.ts";
import type { TableName } from "../queries/tables.ts";

export const LINUX: Group = {
  name: "linux",
  doc: "a Linux in a VM, read from its memory without an agent: log, processes, stacks, files",
};

type LinuxTable = Extract<TableName, `linux.${string}`>;

/** A list of the Linux of one VM, or of all that run one. */
const list = (name: string, doc: string, table: LinuxTable, examples: readonly string[], printed: Printed = {}) =>
  command(`linux.${name}`, {
    doc,
    args: { vm: maybe(idOf("vm"), "only that of this VM"), ...listArguments(table) },
    right: "looks",
    examples,
    lists: true,
    ask: ({ vm }) => asked(table, vm === undefined ? {} : { vm: withKind("vm", vm) }),
    printed: () => printed,
  });

/** A list about a process or thread. */
function ofTask(name: "stack" | "maps" | "files", doc: string, label: string, examples: readonly string[]) {
  const table = `linux.${name}` as const;
  const menu = {
    on: ["task"],
    key: name[0],
    label,
    of: (id: string) => {
      const { vm, pid = 0 } = parseAs("task", id) ?? {};
      return { task: { vm, pid } };
    },
  } as const;
  return command(table, {
    doc,
    args: { task: word(task, "task:VM/PID, VM/PID, or PID if one VM runs Linux"), ...listArguments(table) },
    right: "looks",
    examples,
    lists: true,
    ask: ({ task: { vm, pid } }) => ({ table, args: { vm: vm && vmId(vm), pid } }),
    menus: [menu],
  });
}

const NS_PER_US = 1000n, US_PER_SECOND = 1_000_000n, SECONDS_WIDTH = 5, FRACTION_WIDTH = 6;

/** A record as `dmesg` prints it: each of its lines with the time. */
function logText(row: Row): string {
  const { t, text } = row as RowOf<typeof LINUX_TABLES["linux.log"]>;
  const us = BigInt(t) / NS_PER_US;
  const seconds = String(us / US_PER_SECOND).padStart(SECONDS_WIDTH), fraction = String(us % US_PER_SECOND).padStart(FRACTION_WIDTH, "0");
  return text.split("\n").map((line) => `[${seconds}.${fraction}] ${line}\n`).join("");
}

const commandLine = (row: Row) => `${(row as RowOf<typeof LINUX_TABLES["linux.ls"]>).cmdline ?? ""}\n`;

export const LINUX_PS = command("linux.ps", {
  doc: "list the processes: state, time, memory, and what each waits in",
  args: {
    vm: maybe(idOf("vm"), "only that of this VM"),
    threads: flag("all threads"),
    tree: flag("each below its parent"),
    ...listArguments("linux.ps"),
  },
  right: "looks",
  examples: ["linux ps", "linux ps --tree", "linux ps debian --filter kernel=no", "linux ps --threads --filter state=D"],
  lists: true,
  ask: ({ vm, threads, tree }) => ({ table: "linux.ps", args: { vm: vm === undefined ? undefined : withKind("vm", vm), threads, tree } }),
});

export const LINUX_COMMANDS = [
  list("ls", "list the Linux kernels in VMs, and what was found of each", "linux.ls", ["linux ls"]),
  list("log", "print the log (dmesg), also without a console and after a panic", "linux.log", [
    ...["linux log", "linux log debian > dmesg.txt", "linux log --follow", "linux log --filter level=err -o wide"],
  ], { text: logText, follows: { column: "sequence", time: "t" } }),
  LINUX_PS,
  ofTask("stack", "print the call frames of a task, in the kernel and in its program", "call frames in the kernel and its program", [
    ...["linux stack 1", "linux stack debian/1"],
  ]),
  ofTask("maps", "list the mappings of a process", "mappings", ["linux maps debian/1"]),
  ofTask("files", "list the open files of a process", "open files", ["linux files debian/1"]),
  list("modules", "list the loaded modules", "linux.modules", ["linux modules"]),
  list("mounts", "list the mounted file systems", "linux.mounts", ["linux mounts"]),
  list("irqs", "list the interrupts that have handlers", "linux.irqs", ["linux irqs"]),
  list("net", "list the network interfaces", "linux.net", ["linux net"]),
  list("memory", "list the use of memory", "linux.memory", ["linux memory"]),
  list("disks", "list the disks and partitions", "linux.disks", ["linux disks"]),
  list("slabs", "list the caches of the kernel's structures", "linux.slabs", ["linux slabs --filter name=dentry"]),
  list("sockets", "list the sockets of processes", "linux.sockets", ["linux sockets", "linux sockets --filter state=listen"]),
  list("dt", "list the nodes of the devicetree", "linux.dt", ["linux dt --filter status=disabled"]),
  list("locks", "list the locks that tasks wait for, and who holds them", "linux.locks", ["linux locks"]),
  list("timers", "list the timers that are set, and what each calls or wakes", "linux.timers", [
    ...["linux timers", "linux timers --filter name=sleep"],
  ]),
  list("config", "list the options that the kernel was built with", "linux.config", ["linux config --filter name=PREEMPT"]),
  list("cmdline", "print the command line", "linux.ls", ["linux cmdline"], { text: commandLine }),
];
