// `el2 linux`: a Linux in a VM, read from the VM's memory without its help.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { type Group, registerGroup } from "../../common/group.ts";
import { parseAs, withKind } from "../../../../model/queries/ids.ts";
import { LINUX_TABLES } from "../../../../model/queries/linux-tables.ts";
import type { TableArguments } from "../../../../model/queries/query.ts";
import type { Row, RowOf } from "../../../../model/queries/table.ts";

/** The Linux of one VM, or of all that run one. */
const IN_VM = {
  argument: { name: "vm", help: "only that of this VM", optional: true },
  query: (vm: string | undefined): TableArguments<"linux.ls"> => vm === undefined ? {} : { vm: withKind("vm", vm) },
} as const;

/** A process or thread, for `command`. */
function ofTask(
  command: string,
): { argument: { name: string; help: string }; query: (task: string | undefined) => TableArguments<"linux.stack"> } {
  return {
    argument: { name: "task", help: "task:VM/PID, VM/PID, or PID if one VM runs Linux" },
    query: (task = "") => {
      if (/^\d{1,9}$/.test(task)) return { pid: Number(task) };
      const id = parseAs("task", task);
      if (!id) throw new Failure(`linux ${command}: "${task}" is not a process`, "use for example 1 or debian/1");
      return { vm: withKind("vm", id.vm), pid: id.pid };
    },
  };
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

export const LINUX: Group = {
  name: "linux",
  help: "a Linux in a VM, read from its memory without an agent: log, processes, stacks, files",
  queries: [
    { name: "ls", help: "list the Linux kernels in VMs, and what was found of each", table: "linux.ls", examples: ["linux ls"], ...IN_VM },
    {
      ...IN_VM,
      name: "log",
      help: "print the log (dmesg), also without a console and after a panic",
      table: "linux.log",
      text: logText,
      follows: { column: "sequence", time: "t" },
      examples: ["linux log", "linux log debian > dmesg.txt", "linux log --follow", "linux log --filter level=err -o wide"],
    },
    {
      ...IN_VM,
      name: "ps",
      help: "list the processes: state, time, memory, and what each waits in",
      table: "linux.ps",
      flags: [
        { name: "threads", help: "all threads", query: { threads: true } },
        { name: "tree", help: "each below its parent", query: { tree: true } },
      ],
      examples: ["linux ps", "linux ps --tree", "linux ps debian --filter kernel=no", "linux ps --threads --filter state=D"],
    },
    {
      ...ofTask("stack"),
      name: "stack",
      help: "print the call frames of a task, in the kernel and in its program",
      table: "linux.stack",
      examples: ["linux stack 1", "linux stack debian/1"],
    },
    { ...ofTask("maps"), name: "maps", help: "list the mappings of a process", table: "linux.maps", examples: ["linux maps debian/1"] },
    {
      ...ofTask("files"),
      name: "files",
      help: "list the open files of a process",
      table: "linux.files",
      examples: ["linux files debian/1"],
    },
    { ...IN_VM, name: "modules", help: "list the loaded modules", table: "linux.modules", examples: ["linux modules"] },
    { ...IN_VM, name: "mounts", help: "list the mounted file systems", table: "linux.mounts", examples: ["linux mounts"] },
    { ...IN_VM, name: "irqs", help: "list the interrupts that have handlers", table: "linux.irqs", examples: ["linux irqs"] },
    { ...IN_VM, name: "net", help: "list the network interfaces", table: "linux.net", examples: ["linux net"] },
    { ...IN_VM, name: "memory", help: "list the use of memory", table: "linux.memory", examples: ["linux memory"] },
    { ...IN_VM, name: "disks", help: "list the disks and partitions", table: "linux.disks", examples: ["linux disks"] },
    {
      ...IN_VM,
      name: "slabs",
      help: "list the caches of the kernel's structures",
      table: "linux.slabs",
      examples: ["linux slabs --filter name=dentry"],
    },
    {
      ...IN_VM,
      name: "sockets",
      help: "list the sockets of processes",
      table: "linux.sockets",
      examples: ["linux sockets", "linux sockets --filter state=listen"],
    },
    { ...IN_VM, name: "dt", help: "list the nodes of the devicetree", table: "linux.dt", examples: ["linux dt --filter status=disabled"] },
    {
      ...IN_VM,
      name: "locks",
      help: "list the locks that tasks wait for, and who holds them",
      table: "linux.locks",
      examples: ["linux locks"],
    },
    {
      ...IN_VM,
      name: "timers",
      help: "list the timers that are set, and what each calls or wakes",
      table: "linux.timers",
      examples: ["linux timers", "linux timers --filter name=sleep"],
    },
    {
      ...IN_VM,
      name: "config",
      help: "list the options that the kernel was built with",
      table: "linux.config",
      examples: ["linux config --filter name=PREEMPT"],
    },
    { ...IN_VM, name: "cmdline", help: "print the command line", table: "linux.ls", text: commandLine, examples: ["linux cmdline"] },
  ],
  actions: [],
};

export function registerLinux(program: Command, context: CommandContext): void {
  registerGroup(program, context, LINUX);
}
