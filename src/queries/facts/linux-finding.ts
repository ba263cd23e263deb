// Why a Linux kernel ended or does not come up, where, and what to change: from the kernel's own
// state. Names of functions, tasks and files are the guest's.

import { type NeededNode, NODE_LINES } from "./boot-finding.ts";
import { EXCEPTION_CAUSES, type ExceptionCause } from "./exception-cause.ts";
import { Facts } from "./fact.ts";

/** A task, by its name and number. */
export type NamedTask = { readonly name: string; readonly pid: number };

/** Why a program cannot be executed. */
export type NotRun =
  | { readonly code: "missing" }
  | { readonly code: "no-interpreter"; readonly interpreter: string }
  | { readonly code: "architecture"; readonly machine: string }
  | { readonly code: "mode"; readonly mode: string }
  | { readonly code: "folder" }
  | { readonly code: "empty" }
  | { readonly code: "cut" }
  | { readonly code: "format"; readonly bytes: string };

export type LinuxFinding =
  /** Process 1 has called exit. */
  | { readonly code: "init-exited"; readonly program: string; readonly status: number }
  /** Process 1 was killed; `at` is the file and offset of its PC, or the PC. */
  | {
    readonly code: "init-killed";
    readonly program: string;
    readonly signal: string;
    readonly at: string;
    readonly cause: ExceptionCause | null;
  }
  | { readonly code: "init-not-run"; readonly program: string; readonly why: NotRun }
  /** The ramdisk has no program to begin with, and no root is named; `files` is how many it has. */
  | { readonly code: "no-root"; readonly program: string; readonly files: number }
  /** The disk that `root=` names is not there. */
  | { readonly code: "root-absent"; readonly root: string; readonly disks: readonly string[]; readonly drivers: readonly string[] }
  /** It is there, and no file system that the kernel knows is on it. */
  | { readonly code: "root-unreadable"; readonly root: string; readonly systems: readonly string[] }
  /** `reason`: the kernel's own words. */
  | { readonly code: "ramdisk-bad"; readonly reason: string; readonly files: number }
  /** An exception in the kernel: the function, and the module that it belongs to. */
  | {
    readonly code: "oops";
    readonly exception: string;
    readonly at: string;
    readonly task: NamedTask;
    readonly cause: ExceptionCause | null;
  }
  | { readonly code: "out-of-memory"; readonly task: NamedTask; readonly total: number | null }
  | { readonly code: "lockup"; readonly task: NamedTask; readonly at: string }
  | { readonly code: "rcu-stall"; readonly task: NamedTask; readonly at: string }
  | { readonly code: "sysrq-crash"; readonly task: NamedTask }
  | { readonly code: "devicetree-lacks"; readonly node: NeededNode }
  /** An exception in the kernel, of which only the task died: in the kernel's own words. */
  | { readonly code: "oops-survived"; readonly what: string; readonly at: string; readonly task: NamedTask; readonly count: number }
  /** Process 1 is still in the kernel: its initcall, and where it sleeps; null: it runs. */
  | { readonly code: "booting"; readonly initcall: string | null; readonly waits: string | null }
  /** Any other panic: the function that called for it. */
  | { readonly code: "panic-called"; readonly by: string; readonly task: NamedTask };

const taskText = ({ name, pid }: NamedTask) => `${name} (${pid})`;
const list = (names: readonly string[], none: string) => names.join(", ") || none;
const filesText = (files: number) => `${files} ${files === 1 ? "file" : "files"}`;

const NOT_RUN = new Facts<NotRun>({
  "missing": () => "it does not exist",
  "no-interpreter": ({ interpreter }) => `its interpreter ${interpreter} does not exist`,
  "architecture": ({ machine }) => `it is a program for ${machine}`,
  "mode": ({ mode }) => `its mode ${mode} does not permit its execution`,
  "folder": () => "it is a folder",
  "empty": () => "it is empty",
  "cut": () => "it is an ELF file that is cut",
  "format": ({ bytes }) => `it begins with ${bytes}, and is neither ELF nor a script`,
}, {
  "missing": () => "put it there, or name another with rdinit= or init=",
  "no-interpreter": ({ interpreter }) =>
    /\/ld[^/]*\.so/.test(interpreter)
      ? `put ${interpreter} and the libraries of the program there, or link it statically (-static)`
      : `put ${interpreter} there, or mend the first line of the script`,
  "architecture": () => "build it for AArch64",
  "mode": () => "give it mode 0755",
  "folder": () => "name a program",
  "empty": () => "put the program there",
  "cut": () => "copy the whole file",
  "format": () => "begin a script with #!, or build an ELF program for AArch64",
});

/** Remedies for signals that no exception explains. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: "it gave up by itself: its last messages say why",
  SIGKILL: "something killed it: see el2 linux log",
};

export const LINUX_FINDINGS = new Facts<LinuxFinding>({
  "init-exited": ({ program, status }) => `init (${program}) ended with exit code ${status}, and Linux cannot run without process 1`,
  "init-killed": ({ program, signal, at, cause }) =>
    `init (${program}) was killed by ${signal} at ${at}${cause ? `: ${EXCEPTION_CAUSES.text(cause)}` : ""}`,
  "init-not-run": ({ program, why }) => `init (${program}) cannot be executed: ${NOT_RUN.text(why)}`,
  "no-root": ({ program, files }) =>
    files === 0
      ? "there is no ramdisk, and the command line names no root"
      : `the ramdisk has ${filesText(files)} and no ${program}, and the command line names no root`,
  "root-absent": ({ root, disks, drivers }) =>
    `root=${root} is not there: the kernel has the disks ${list(disks, "(none)")}${
      drivers.length ? `, and no driver for ${drivers.join(", ")}` : ""
    }`,
  "root-unreadable": ({ root, systems }) =>
    `root=${root} has no file system that the kernel knows; it has ${list(systems, "none")} without modules`,
  "ramdisk-bad": ({ reason, files }) => `the ramdisk was not unpacked after ${filesText(files)}: ${reason}`,
  "oops": ({ exception, at, task, cause }) =>
    `${exception} in the kernel at ${at}, in task ${taskText(task)}${cause ? `: ${EXCEPTION_CAUSES.text(cause)}` : ""}`,
  "out-of-memory": ({ task, total }) =>
    `no memory is left${total === null ? "" : ` of ${total >> 20} MiB`}, and no task that could be killed; ${
      taskText(task)
    } asked for more`,
  "lockup": ({ task, at }) => `a CPU has not left the kernel for too long: task ${taskText(task)} at ${at}`,
  "rcu-stall": ({ task, at }) => `a CPU has kept RCU waiting for too long: task ${taskText(task)} at ${at}`,
  "sysrq-crash": ({ task }) => `task ${taskText(task)} asked for the crash (/proc/sysrq-trigger)`,
  "devicetree-lacks": ({ node }) => `the devicetree has no ${node}, which this kernel needs`,
  "oops-survived": ({ what, at, task, count }) =>
    `${what} at ${at}, which killed task ${taskText(task)}${count > 1 ? `: oops ${count}` : ""}`,
  "booting": ({ initcall, waits }) =>
    `the kernel is still booting: process 1 is in ${initcall ?? "its own code"}${waits === null ? "" : `, and waits in ${waits}`}`,
  "panic-called": ({ by, task }) => `${by} called for the panic, in task ${taskText(task)}`,
}, {
  "init-exited": () => "end it with exec of a program that stays, or with poweroff -f",
  "init-killed": ({ cause, signal }) =>
    (cause ? EXCEPTION_CAUSES.wayOut(cause) : undefined) ?? SIGNALS[signal] ?? "see its code there: objdump -d",
  "init-not-run": ({ why }) => NOT_RUN.wayOut(why),
  "no-root": ({ program, files }) =>
    files === 0 ? "give a ramdisk (--initrd), or a disk with root=" : `put ${program} into the ramdisk, or name a root with root=`,
  "root-absent": ({ disks, drivers }) =>
    drivers.length
      ? `give a ramdisk that loads the module for ${drivers.join(", ")}, or build the kernel with it`
      : disks.length
      ? `name one of them: root=/dev/${disks[0]}`
      : "give the VM a disk (--disk), or a ramdisk (--initrd)",
  "root-unreadable": () => "make one of these file systems on it, or give a ramdisk that loads the module",
  "ramdisk-bad": () => "make the archive again: cpio -o -H newc, and whole if it is compressed",
  "oops": ({ cause, at }) => (cause ? EXCEPTION_CAUSES.wayOut(cause) : undefined) ?? `mend ${at}`,
  "out-of-memory": () => "give the VM more memory, or the program less work",
  "lockup": () => "find the loop in that function; cond_resched() in long loops",
  "rcu-stall": () => "find the loop in that function; cond_resched() in long loops",
  "sysrq-crash": () => "nothing is broken: it was asked for",
  "devicetree-lacks": ({ node }) => `add to the devicetree: ${NODE_LINES[node]}`,
  "oops-survived": ({ at }) => `mend ${at}: its registers and stack are in el2 linux log`,
  "panic-called": ({ by }) => `see what ${by} checks: its stack is in el2 linux log`,
});
