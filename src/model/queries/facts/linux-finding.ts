// Why a Linux kernel ended or does not come up, where, and what to change: from the kernel's own
// state. Names of functions, tasks and files are the guest's.

import { type NeededNode, NODE_LINES } from "./boot-finding.ts";
import { durationText, sizeText } from "../../../kit/support/text/number-text.ts";
import { EXCEPTION_CAUSES, type ExceptionCause } from "./exception-cause.ts";
import { Facts } from "./fact.ts";
import {
  type CpuUse,
  type NamedTask,
  type ProgramWait,
  programWaitText,
  type RealTimePolicy,
  ringWayOut,
  taskText,
} from "./program-wait.ts";
import { KERNEL_REPORTS, NO_CONSOLE_WAY_OUT, type ReportKind } from "./kernel-report.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../../kit/support/text/way-out.ts";

/**
 * The task that made a kernel end its VM: by a system call, by a key of sysrq, or the kernel's; or
 * the one that the kernel's own watchdog has interrupted.
 */
export type EndedBy = { readonly task: NamedTask; readonly by: typeof ENDED_BY[number] };
export const ENDED_BY = ["reboot", "sysrq", "watchdog", "kernel"] as const;

export const LOCK_TYPES = ["mutex", "rwsem", "rtmutex", "spinlock", "rwlock"] as const;
export type LockType = typeof LOCK_TYPES[number];

/** A task that waits for a lock of the kernel, in a function. */
export type LockWait = { readonly task: NamedTask; readonly lock: LockType; readonly where: string | null };

/** Why a program cannot be executed. */
export type NotRun =
  | { readonly code: "missing" }
  | { readonly code: "no-interpreter"; readonly interpreter: string }
  | { readonly code: "architecture"; readonly machine: string }
  | { readonly code: "mode"; readonly mode: string }
  | { readonly code: "folder" }
  | { readonly code: "empty" }
  | { readonly code: "cut" }
  | { readonly code: "format"; readonly bytes: string }
  /** The kernel's own error, where no defect of the file is known. */
  | { readonly code: "refused"; readonly error: string };

/**
 * A device whose driver is being started; its node in the devicetree, and its first interrupt: how
 * often it has come, null without a handler.
 */
export type ProbedDevice = {
  readonly name: string;
  readonly driver: string;
  readonly node: string | null;
  readonly interrupt: { readonly intid: number; readonly count: number | null } | null;
};

/** A device whose probe was put off, and the kernel's reason. */
export type DeferredDevice = { readonly name: string; readonly reason: string | null };

/** Bytes that an option of the command line takes of a VM's memory, and those of the memory. */
export type TakenMemory = { readonly option: string; readonly size: number; readonly of: number };

/** Bytes of a kernel's memory that files in it, its structures, or programs have. */
export type UsedMemory = {
  readonly by: typeof MEMORY_USERS[number];
  readonly size: number;
  /** The largest cache of structures, or the largest program. */
  readonly name: string | null;
};
export const MEMORY_USERS = ["files", "kernel", "programs"] as const;

/**
 * A limit that is reached: of the space (bytes) or the inodes of the file system that is mounted at
 * a path, or of the files that a program has open.
 */
export type Exhausted =
  | { readonly code: "space" | "inodes"; readonly path: string; readonly limit: number }
  | { readonly code: "files"; readonly task: NamedTask; readonly limit: number }
  /** The kernel has no number for another task. */
  | { readonly code: "numbers"; readonly limit: number; readonly tasks: number }
  /** Children of a program that have ended, and for which it has not waited. */
  | { readonly code: "children"; readonly task: NamedTask; readonly count: number }
  /** Bytes of the kernel's structures, of all memory, and in the largest cache of them. */
  | { readonly code: "structures"; readonly size: number; readonly of: number; readonly cache: string; readonly in_cache: number };

export type LinuxFinding =
  /**
   * Process 1 has called exit; `said`: the last line of programs on its console; `silent`: it has
   * none, as the kernel could not open /dev/console.
   */
  | {
    readonly code: "init-exited";
    readonly program: string;
    readonly status: number;
    readonly said: string | null;
    readonly silent: boolean;
  }
  /** Process 1 was killed; `at` is the file and offset of its PC, or the PC. */
  | {
    readonly code: "init-killed";
    readonly program: string;
    readonly signal: string;
    readonly at: string;
    readonly cause: ExceptionCause | null;
    readonly said: string | null;
  }
  | { readonly code: "init-not-run"; readonly program: string; readonly why: NotRun }
  /** The ramdisk has no program to begin with, and no root is named; `files` is how many it has. */
  | { readonly code: "no-root"; readonly program: string; readonly files: number }
  /** The VM has no disk; `drivers`: modules that one would need, and that the kernel lacks. */
  | { readonly code: "root-without-disk"; readonly root: string; readonly drivers: readonly string[] }
  /** Modules that the kernel lacks; `devices`: disks of the VM that need them, if known. */
  | {
    readonly code: "root-without-driver";
    readonly root: string;
    readonly devices: readonly string[];
    readonly drivers: readonly string[];
  }
  /** A name that the kernel itself does not look up; the disks that it has. */
  | { readonly code: "root-by-programs"; readonly root: string; readonly disks: readonly string[] }
  /** The disk that `root=` names is not there; the disks that are. */
  | { readonly code: "root-absent"; readonly root: string; readonly disks: readonly string[] }
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
  /** Calls in the kernel that need more than the stack of a task. */
  | { readonly code: "stack-overflow"; readonly at: string; readonly task: NamedTask }
  /** `total`: bytes that the kernel has. */
  | {
    readonly code: "out-of-memory";
    readonly task: NamedTask;
    readonly total: number | null;
    readonly taken: TakenMemory | null;
    readonly used: UsedMemory | null;
  }
  | { readonly code: "lockup"; readonly task: NamedTask; readonly at: string }
  | { readonly code: "rcu-stall"; readonly task: NamedTask; readonly at: string }
  | { readonly code: "sysrq-crash"; readonly task: NamedTask }
  | { readonly code: "devicetree-lacks"; readonly node: NeededNode }
  /** An exception in the kernel, of which only the task died: in the kernel's own words. */
  | { readonly code: "oops-survived"; readonly what: string; readonly at: string; readonly task: NamedTask; readonly count: number }
  /** The last warning (WARN_ON), after which the kernel continued. */
  | { readonly code: "warned"; readonly at: string; readonly task: NamedTask | null }
  /**
   * The kernel's own report, of which `t` is its time (ns, in decimal) and `text` its first line;
   * `over`: what it is about has ended.
   */
  | {
    readonly code: "reported";
    readonly kind: ReportKind;
    readonly t: string;
    readonly text: string;
    readonly task: NamedTask | null;
    readonly at: string | null;
    readonly cpu: number | null;
    readonly device: string | null;
    readonly for_ns: number | null;
    readonly over: boolean;
  }
  /** Each task waits for a lock that the next one holds, and the last one for that of the first. */
  | { readonly code: "lock-cycle"; readonly steps: readonly LockWait[] }
  /** Programs get errors as something is used up. */
  | { readonly code: "exhausted"; readonly of: readonly Exhausted[] }
  /** Programs wait for others. */
  | { readonly code: "program-waits"; readonly waits: readonly ProgramWait[] }
  /** Programs that CPUs execute. */
  | { readonly code: "programs-run"; readonly programs: readonly CpuUse[] }
  /** Tasks that could run, and that a program of a real-time policy keeps from its CPU. */
  | {
    readonly code: "cpu-kept";
    readonly task: NamedTask;
    readonly cpu: number;
    readonly policy: RealTimePolicy;
    readonly priority: number;
    readonly waiters: readonly NamedTask[];
    /** How many more. */
    readonly others: number;
    readonly for_ns: number;
  }
  /** Nobody on a network has answered that an address is its own. */
  | { readonly code: "no-neighbor"; readonly neighbors: readonly { readonly address: string; readonly device: string }[] }
  /** Each thread waits for a mutex or the end of the next one, and the last one for the first. */
  | { readonly code: "program-deadlock"; readonly steps: readonly ProgramWait[] }
  /** The task that holds the lock has ended. */
  | { readonly code: "lock-lost"; readonly wait: LockWait; readonly holder: NamedTask }
  /** No signal can wake it, and it has not run for so long; `lock`: the lock that it waits for. */
  | {
    readonly code: "hung";
    readonly task: NamedTask;
    readonly where: string | null;
    readonly for_ns: number;
    readonly lock: LockWait["lock"] | null;
    readonly holder: { readonly task: NamedTask; readonly where: string | null } | null;
    /** It waits for a disk. */
    readonly disk: boolean;
    readonly device: ProbedDevice | null;
  }
  /**
   * Process 1 is still in the kernel: its initcall, the device whose driver it starts, and where
   * it sleeps; null: it runs.
   */
  | {
    readonly code: "booting";
    readonly initcall: string | null;
    readonly device: ProbedDevice | null;
    readonly waits: string | null;
  }
  /** None of the consoles that the command line names is registered; `drivers`: those that lack. */
  | {
    readonly code: "console-unregistered";
    readonly named: readonly string[];
    readonly has: readonly string[];
    readonly drivers: readonly string[];
    readonly deferred: readonly DeferredDevice[];
  }
  /** Any other panic: the function that called for it. */
  | { readonly code: "panic-called"; readonly by: string; readonly task: NamedTask };

function deviceText({ name, driver, node, interrupt }: ProbedDevice): string {
  const came = interrupt?.count === null ? "has no handler" : `has come ${interrupt?.count} times`;
  return `starts driver ${driver} of device ${name}${node === null ? "" : ` (${node})`}${
    interrupt === null ? "" : `, whose interrupt ${interrupt.intid} ${came}`
  }`;
}

const BY_TEXT: { readonly [B in EndedBy["by"]]: (task: string) => string } = {
  "reboot": (task) => `reboot(2) of process ${task}`,
  "sysrq": (task) => `sysrq, written by process ${task}`,
  "watchdog": (task) => `the kernel's watchdog (softdog), to which no program has written in time, and which interrupted task ${task}`,
  "kernel": (task) => `the kernel's own task ${task}`,
};
/** The way out of an end by the kernel's own watchdog. */
export const WATCHDOG_WAY_OUT = "keep the program running that writes to /dev/watchdog, or have it write V there before it closes it";
export const endedByText = ({ task, by }: EndedBy): string => BY_TEXT[by](taskText(task));

const lockText = ({ task, lock, where }: LockWait) => `task ${taskText(task)} waits${where === null ? "" : ` in ${where}`} for a ${lock}`;
const holderText = ({ task, where }: { task: NamedTask; where: string | null }) =>
  ` that task ${taskText(task)} holds${where === null ? "" : `, which waits in ${where}`}`;
const EXHAUSTED = new Facts<Exhausted>({
  space: ({ path, limit }) => `the file system at ${path} is full: ${sizeText(limit)} are used`,
  inodes: ({ path, limit }) => `the file system at ${path} has no inode left of ${limit}`,
  structures: ({ size, of, cache, in_cache }) =>
    `the kernel's own structures have ${sizeText(size)} of ${sizeText(of)} of memory: ${sizeText(in_cache)} of them are in ${cache}`,
  children: ({ task, count }) =>
    `program ${taskText(task)} has ${count} children that have ended, and has not waited for them: each keeps its number`,
  numbers: ({ limit, tasks }) => `no number is left for a new process or thread: kernel.pid_max is ${limit}, and ${tasks} tasks have one`,
  files: ({ task, limit }) => `program ${taskText(task)} has as many files open as it may: ${limit}`,
}, {
  space: () => "remove files there, or make it larger (tmpfs: mount -o remount,size=)",
  inodes: () => "remove files there, or give it more inodes (tmpfs: mount -o remount,nr_inodes=)",
  structures: () => way`find what makes them and does not free them, or raise the VM's memory; ${hint("linux slabs")} has their sizes`,
  children: ({ task }) => `have ${task.name} wait for its children (waitpid), or ignore SIGCHLD`,
  numbers: () => way`raise kernel.pid_max, or end processes: ${hint("linux ps", { threads: true })} has their parents`,
  files: ({ task }) => way`find the files that it does not close with ${hint("linux files", task.pid)}, or raise its limit (ulimit -n)`,
});

/** The protocols that ask for the addresses of IPv4 and IPv6. */
const neighborRequests = (neighbors: readonly { readonly address: string }[]) => [
  ...new Set(neighbors.map(({ address }) => address.includes(":") ? "neighbor discovery" : "ARP")),
];
const list = (names: readonly string[], none: string) => names.join(", ") || none;
const deferredText = ({ name, reason }: DeferredDevice) => `the probe of ${name} is put off${reason === null ? "" : ` (${reason})`}`;
const filesText = (files: number) => `${files} ${files === 1 ? "file" : "files"}`;

function reportText({ kind, text, task, at, device, for_ns, over }: Extract<LinuxFinding, { code: "reported" }>): string {
  const place = [
    ...task === null ? [] : [`task ${taskText(task)}`],
    ...task === null || at !== null || device === null ? [] : [`in ${device}`],
    ...at === null ? [] : [...device === null ? [] : [`${device},`], `at ${at}`],
    ...for_ns === null ? [] : [`for ${durationText(for_ns)}`],
  ];
  return `the kernel ${over ? "has reported" : "reports"} ${KERNEL_REPORTS[kind].what}: ${place.length ? place.join(" ") : text}`;
}

const USED: { readonly [B in UsedMemory["by"]]: (size: string, name: string | null) => string } = {
  files: (size) => `files in memory have ${size}`,
  kernel: (size, name) => `structures of the kernel have ${size}${name === null ? "" : `, most of them ${name}`}`,
  programs: (size, name) => `programs have ${size}${name === null ? "" : `, most of them ${name}`}`,
};

/** The kernel's messages. */
const LOG = hint("linux log");

/** Remedies for errors of execve(2). */
const REFUSED: Readonly<Record<string, string>> = {
  EACCES: "give it and its interpreter mode 0755, on a file system that is mounted without noexec",
  ENOENT: "put it, its interpreter and the folders before them there",
  ENOEXEC: "begin a script with #!, or build an ELF program for AArch64",
  ENOMEM: "give the VM more memory, or the program smaller segments",
  EIO: "see the disk that has it: the kernel could not read it",
  ELIBBAD: "put the interpreter for AArch64 there, or link it statically (-static)",
};

/** The end of a line of another system, where LF alone ends one. */
const CR = /\r$/;

const NOT_RUN = new Facts<NotRun>({
  "missing": () => "it does not exist",
  "no-interpreter": ({ interpreter }) => `its interpreter ${interpreter.replace(CR, "\\r")} does not exist`,
  "architecture": ({ machine }) => `it is a program for ${machine}`,
  "mode": ({ mode }) => `it is not executable (mode ${mode})`,
  "folder": () => "it is a folder",
  "empty": () => "it is empty",
  "cut": () => "it is a truncated ELF file",
  "format": ({ bytes }) => `it begins with ${bytes}, and is neither ELF nor a script`,
  "refused": ({ error }) => `the kernel refused it with ${error}`,
}, {
  "missing": () => "put it there, or name another with rdinit= or init=",
  "no-interpreter": ({ interpreter }) =>
    CR.test(interpreter)
      ? "end the lines of the script with LF alone, without CR"
      : /\/ld[^/]*\.so/.test(interpreter)
      ? `put ${interpreter} and the libraries of the program there, or link it statically (-static)`
      : `put ${interpreter} there, or fix the first line of the script`,
  "architecture": () => "build it for AArch64",
  "mode": () => "give it mode 0755",
  "folder": () => "name a program",
  "empty": () => "put the program there",
  "cut": () => "copy the whole file",
  "format": () => "begin a script with #!, or build an ELF program for AArch64",
  "refused": ({ error }) => REFUSED[error] ?? way`see in ${LOG} what the kernel says before it`,
});

/** Remedies for signals that no exception explains. */
const SIGNALS: Readonly<Record<string, WayOut>> = {
  SIGABRT: "it gave up by itself: its last messages say why",
  SIGKILL: way`something killed it: see ${LOG}`,
};

const saidText = (said: string | null) => said === null ? "" : `; the last line on its console: ${said}`;

/** The way out where the loader of programs has said which library is missing. */
function lacksLibrary(said: string | null): string | undefined {
  const [, library] = /error while loading shared libraries: (\S+?):/.exec(said ?? "") ?? [];
  return library && `put ${library} where the loader finds it (/lib, /usr/lib), or link the program statically (-static)`;
}

/** Exit codes of shells and of the loader of programs. */
const EXIT_STATUS: Readonly<Record<number, string>> = {
  126: "a program that it named cannot be executed: give it mode 0755, and build it for AArch64",
  127: "a program that it named, or a library of one, is not there: put it into the ramdisk (ldd lists the libraries)",
};

export const LINUX_FINDINGS = new Facts<LinuxFinding>({
  "init-exited": ({ program, status, said, silent }) =>
    `init (${program}) ended with exit code ${status}, and Linux cannot run without process 1${
      silent ? "; it had no console: the kernel could not open /dev/console" : saidText(said)
    }`,
  "init-killed": ({ program, signal, at, cause, said }) =>
    `init (${program}) was killed by ${signal} at ${at}${cause ? `: ${EXCEPTION_CAUSES.text(cause)}` : ""}${saidText(said)}`,
  "init-not-run": ({ program, why }) => `init (${program}) cannot be executed: ${NOT_RUN.text(why)}`,
  "no-root": ({ program, files }) =>
    files === 0
      ? "there is no ramdisk, and the command line names no root"
      : `the ramdisk has ${filesText(files)} and no ${program}, and the command line names no root`,
  "root-without-disk": ({ root, drivers }) =>
    `root=${root} is not there: the VM has no disk${drivers.length ? `, and the kernel no driver ${drivers.join(", ")}` : ""}`,
  "root-without-driver": ({ root, devices, drivers }) =>
    `root=${root} is not there: the kernel has no driver ${drivers.join(", ")}${
      devices.length === 0 ? "" : `, which ${devices.join(", ")} ${devices.length === 1 ? "needs" : "need"}`
    }`,
  "root-by-programs": ({ root, disks }) =>
    `root=${root} is not there: the kernel itself does not look up such a name; it has the disks ${list(disks, "(none)")}`,
  "root-absent": ({ root, disks }) => `root=${root} is not there: the kernel has the disks ${list(disks, "(none)")}`,
  "root-unreadable": ({ root, systems }) =>
    `root=${root} has no file system that the kernel knows; it has ${list(systems, "none")} without modules`,
  "ramdisk-bad": ({ reason, files }) => `the ramdisk was not unpacked after ${filesText(files)}: ${reason}`,
  "oops": ({ exception, at, task, cause }) =>
    `${exception} in the kernel at ${at}, in task ${taskText(task)}${cause ? `: ${EXCEPTION_CAUSES.text(cause)}` : ""}`,
  "stack-overflow": ({ at, task }) => `the kernel's stack of task ${taskText(task)} overflowed at ${at}`,
  "out-of-memory": ({ task, total, taken, used }) =>
    `no memory is left${total === null ? "" : ` of ${total >> 20} MiB`}, and no task that could be killed; ${
      taskText(task)
    } asked for more${taken === null ? "" : `; ${taken.option} takes ${sizeText(taken.size)} of the VM's ${sizeText(taken.of)}`}${
      used === null ? "" : `; ${USED[used.by](sizeText(used.size), used.name)}`
    }`,
  "lockup": ({ task, at }) => `a CPU has been in the kernel too long: task ${taskText(task)} at ${at}`,
  "rcu-stall": ({ task, at }) => `a CPU has kept RCU waiting for too long: task ${taskText(task)} at ${at}`,
  "sysrq-crash": ({ task }) => `task ${taskText(task)} asked for the crash (/proc/sysrq-trigger)`,
  "devicetree-lacks": ({ node }) => `the devicetree has no ${node}, which this kernel needs`,
  "oops-survived": ({ what, at, task, count }) =>
    `${what} at ${at}, which killed task ${taskText(task)}${count > 1 ? `: oops ${count}` : ""}`,
  "warned": ({ at, task }) => `the kernel has warned at ${at}${task ? `, in task ${taskText(task)}` : ""}`,
  "reported": reportText,
  "lock-cycle": ({ steps: [first, ...others] }) =>
    others.length === 0
      ? `${lockText(first)} that it holds itself`
      : `${lockText(first)} that ${taskText(others[0].task)} holds, and ${
        others.map((one, index) => `${lockText(one)} of ${taskText((others[index + 1] ?? first).task)}`).join(", ")
      }`,
  "no-neighbor": ({ neighbors }) =>
    `nobody has answered its requests (${neighborRequests(neighbors).join(", ")}) for ${
      neighbors.map(({ address, device }) => `${address} on ${device}`).join(", ")
    }`,
  "exhausted": ({ of }) => of.map((one) => EXHAUSTED.text(one)).join("; "),
  "program-waits": ({ waits }) => waits.map(programWaitText).join("; "),
  "programs-run": ({ programs }) =>
    programs.map(({ task, cpu, ran_ns }) => `CPU ${cpu} executes program ${taskText(task)}, which has run for ${durationText(ran_ns)}`)
      .join("; "),
  "cpu-kept": ({ task, cpu, policy, priority, waiters, others, for_ns }) =>
    `program ${taskText(task)} of ${policy}${policy === "SCHED_DEADLINE" ? "" : ` ${priority}`} keeps CPU ${cpu} from ${
      waiters.map(taskText).join(", ")
    }${others > 0 ? ` and ${others} more` : ""} for ${durationText(for_ns)}`,
  "program-deadlock": ({ steps }) => steps.map(programWaitText).join(", and "),
  "lock-lost": ({ wait, holder }) => `${lockText(wait)} that task ${taskText(holder)} holds, which has ended`,
  "hung": ({ task, where, for_ns, lock, holder, disk, device }) =>
    `task ${taskText(task)} has waited for ${durationText(for_ns)} in ${where ?? "the kernel"}, and no signal can wake it${
      lock === null ? disk ? ": it waits for a disk" : "" : `: it waits for a ${lock}${holder ? holderText(holder) : ""}`
    }${device === null ? "" : `; it ${deviceText(device)}`}`,
  "booting": ({ initcall, device, waits }) =>
    `the kernel is still booting: process 1 is in ${initcall ?? "its own code"}${device === null ? "" : `, ${deviceText(device)}`}${
      waits === null ? "" : `, and waits in ${waits}`
    }`,
  "console-unregistered": ({ named, has, drivers, deferred }) =>
    `the command line names console ${list(named, "")}, and the kernel has registered ${list(has, "none")}: ${
      drivers.length ? `it has no driver ${drivers.join(", ")}` : list(deferred.map(deferredText), "its driver has not started the device")
    }`,
  "panic-called": ({ by, task }) => `${by} called for the panic, in task ${taskText(task)}`,
}, {
  "init-exited": ({ status, said, silent }) =>
    silent ? NO_CONSOLE_WAY_OUT : lacksLibrary(said) ?? EXIT_STATUS[status] ??
      `${
        status === 0 || said === null ? "" : "fix what the last line reports, and "
      }end it with exec of a program that stays, or with poweroff -f`,
  "init-killed": ({ cause, signal }) =>
    (cause ? EXCEPTION_CAUSES.wayOut(cause) : undefined) ?? SIGNALS[signal] ?? "see its code there: objdump -d",
  "init-not-run": ({ why }) => NOT_RUN.wayOut(why),
  "no-root": ({ program, files }) =>
    files === 0 ? "give a ramdisk (--initrd), or a disk with root=" : `put ${program} into the ramdisk, or name a root with root=`,
  "root-without-disk": ({ drivers }) =>
    drivers.length
      ? `give the VM a disk (--disk), and a ramdisk that loads ${drivers.join(", ")} (--initrd)`
      : "give the VM a disk (--disk), or a ramdisk (--initrd)",
  "root-without-driver": ({ root, devices, drivers }) =>
    `give a ramdisk that loads ${drivers.join(", ")}, or build the kernel with ${drivers.length === 1 ? "it" : "them"}${
      devices.length > 0 && /^\/dev\/(?!vd|disk\/|mapper\/)/.test(root) ? ", and name the disk as virtio_blk does: root=/dev/vda" : ""
    }`,
  "root-by-programs": ({ disks }) =>
    `name the disk itself (root=/dev/${disks[0] ?? "vda"}) or a partition (root=PARTUUID=…), or give a ramdisk whose programs find it`,
  "root-absent": ({ disks }) => disks.length ? `name one of them: root=/dev/${disks[0]}` : way`see in ${LOG} which disks it has found`,
  "root-unreadable": () => "make one of these file systems on it, or give a ramdisk that loads the module",
  "ramdisk-bad": () => "make the archive again: cpio -o -H newc, whole, and compressed as Linux reads it (lz4 -l, xz --check=crc32)",
  "oops": ({ cause, at }) => (cause ? EXCEPTION_CAUSES.wayOut(cause) : undefined) ?? `fix ${at}`,
  "stack-overflow": ({ at }) => `find the recursion, or the large variables, in ${at} and its callers`,
  "out-of-memory": ({ taken, used }) =>
    taken !== null
      ? `remove ${taken.option} from the command line`
      : used?.by === "files"
      ? "give the VM more memory, or the ramdisk and folders of tmpfs fewer files"
      : used?.by === "kernel"
      ? way`find what allocates ${used.name ?? "them"}: ${hint("linux slabs")}; or give the VM more memory`
      : `give the VM more memory, or ${used?.name ?? "the program"} less work`,
  "lockup": () => "find the loop in that function; cond_resched() in long loops",
  "rcu-stall": () => "find the loop in that function; cond_resched() in long loops",
  "sysrq-crash": () => "nothing is broken: it was asked for",
  "devicetree-lacks": ({ node }) => `add to the devicetree: ${NODE_LINES[node]}`,
  "oops-survived": ({ at }) => way`fix ${at}: its registers and stack are in ${LOG}`,
  "warned": ({ at }) => way`see what ${at} checks: its stack is in ${LOG}`,
  "reported": ({ kind, at }) => KERNEL_REPORTS[kind].wayOut(at ?? "its place"),
  "lock-cycle": ({ steps }) =>
    steps.length === 1 ? "release the lock on every path, or do not take it again" : "take these locks in the same order in each task",
  "no-neighbor": () => "start what has this address on its network, or fix the addresses, the mask of the network or the route of this VM",
  "exhausted": ({ of: [first] }) => EXHAUSTED.wayOut(first),
  "cpu-kept": ({ task, policy }) =>
    `let ${task.name} sleep between its turns, or run it without ${policy}; kernel.sched_rt_runtime_us below sched_rt_period_us leaves others a share`,
  "program-deadlock": ({ steps }) => ringWayOut(steps),
  "lock-lost": ({ holder }) => `release the lock on every path of ${holder.name} before it ends`,
  "hung": ({ task, holder, disk }) => {
    const stack = hint("linux stack", (holder?.task ?? task).pid);
    return disk
      ? way`see whether the disk's interrupt arrives with ${hint("irq ls")}, and its stack: ${stack}`
      : way`see its stack: ${stack}`;
  },
  "console-unregistered": ({ drivers, deferred }) =>
    drivers.length
      ? way`give a ramdisk that loads the module for ${drivers.join(", ")}, or build the kernel with it; its messages are in ${LOG}`
      : deferred.length
      ? "fix in the devicetree the clock, regulator or pins that it waits for, or build the kernel with their driver"
      : way`see in ${LOG} why the driver has not started the device`,
  "panic-called": ({ by }) => way`see what ${by} checks: its stack is in ${LOG}`,
});
