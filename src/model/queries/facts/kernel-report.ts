// The reports of a Linux kernel about itself, a kind per entry: how the first line begins, in the
// kernel's own format (lib/Kconfig.debug and the `printk` of each check in its sources), until when
// it is true, and what helps.

import { hint } from "../../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../../kit/support/text/way-out.ts";

/**
 * Until when a report is true: while its CPU executes the same task, while its task sleeps, while
 * it is repeated, while the file system is mounted, while the interrupt is disabled, while the
 * kernel sleeps and no interrupt may wake it, as long as the kernel lives; or it is about something
 * that is over.
 */
export type ReportHolds = "on-cpu" | "asleep" | "repeated" | "mounted" | "disabled" | "suspended" | "life" | "over";

export interface ReportForm {
  /** Groups are values of the report: `name`, `pid`, `cpu`, `seconds`, `at`, `device`. */
  readonly begins: readonly RegExp[];
  readonly what: string;
  readonly holds: ReportHolds;
  /** Lines after which it is over, for the same `device`. */
  readonly ends?: readonly RegExp[];
  /** No dump of registers and stack follows it. */
  readonly alone?: true;
  /** @param at the function, with its module */
  readonly wayOut: (at: string) => WayOut;
}

const LOG = hint("linux log");
const loop = (at: string) => `find the loop in ${at}; cond_resched() in long loops`;
const stack = (at: string) => way`see what ${at} does: its stack is in ${LOG}`;
const damage = (at: string) => way`fix ${at}: what it found, and its stack, are in ${LOG}`;
const disk = () => way`check the disk's image; its faults are in ${hint("inject", { list: true })}`;

/** The remedy where process 1 has no console. */
export const NO_CONSOLE_WAY_OUT = "name with console= a console of the VM for which the kernel has a driver";

const FORMS = {
  // These last until something ends them.
  "hard-lockup": {
    begins: [/^(?:NMI )?watchdog: (?:CPU\d+: )?Watchdog detected hard LOCKUP on cpu (?<cpu>\d+)/],
    what: "a hard lockup: a CPU takes no interrupts",
    holds: "on-cpu",
    wayOut: (at) => `find in ${at} what masks interrupts for so long`,
  },
  "soft-lockup": {
    begins: [/^watchdog: BUG: soft lockup - CPU#(?<cpu>\d+) stuck for (?<seconds>\d+)s! \[(?<name>.{1,15}):(?<pid>\d+)\]/],
    what: "a soft lockup: a CPU does not leave the kernel",
    holds: "on-cpu",
    wayOut: loop,
  },
  "rcu-stall": {
    begins: [/^rcu: INFO: \S+ (?:self-detected stall on CPU|detected (?:expedited )?stalls on CPUs\/tasks:)/],
    what: "an RCU stall: a CPU or a task keeps RCU waiting",
    holds: "on-cpu",
    wayOut: loop,
  },
  "workqueue-lockup": {
    begins: [/^BUG: workqueue lockup - pool .*stuck for (?<seconds>\d+)s!/],
    what: "a workqueue lockup: work waits, and no worker takes it",
    holds: "repeated",
    alone: true,
    wayOut: () => way`find the work that does not end: kworkers are in ${hint("linux ps", { threads: true })}, pending works in ${LOG}`,
  },
  "hung-task": {
    begins: [/^INFO: task (?<name>.{1,15}):(?<pid>\d+) blocked (?:in I\/O wait )?for more than (?<seconds>\d+) seconds\./],
    what: "a hung task",
    holds: "asleep",
    wayOut: stack,
  },
  "file-system-abort": {
    begins: [
      /^EXT4-fs \((?<device>[\w.-]+)\): (?:Remounting filesystem read-only|shut down requested)/,
      /^BTRFS info \(device (?<device>[\w.-]+)[^)]*\): forced readonly/,
      /^XFS \((?<device>[\w.-]+)\): .*(?:Shutting down filesystem|Filesystem has been shut down)/,
    ],
    what: "a file system that it has stopped writing to after an error",
    holds: "mounted",
    ends: [
      /^EXT4-fs \((?<device>[\w.-]+)\): mounted filesystem/,
      /^BTRFS info \(device (?<device>[\w.-]+)[^)]*\): (?:first mount of|using \w+ .*checksum)/,
      /^XFS \((?<device>[\w.-]+)\): Mounting V\d/,
    ],
    alone: true,
    wayOut: () => way`see the error before it in ${LOG}, and check the disk with fsck`,
  },
  "unclaimed-interrupt": {
    begins: [/^(?<device>irq \d+): nobody cared/],
    what: "an interrupt that no handler claims, so that it has disabled it",
    holds: "disabled",
    wayOut: (at) => `find in ${at} why it does not find, and clear, what its device reports`,
  },
  "suspended": {
    begins: [/^PM: suspend entry \(/],
    what: "that it suspends",
    holds: "suspended",
    ends: [/^PM: suspend exit/],
    alone: true,
    wayOut: () => "before it, let an interrupt wake it: write enabled to power/wakeup of its device, or set an alarm of the clock",
  },
  // Damage of its memory.
  "memory-bug": {
    begins: [/^BUG: (?:KASAN|KFENCE|KMSAN|KCSAN): .*? in (?<at>\S+(?: \[[\w-]+\])?)/],
    what: "an access that its checkers found",
    holds: "life",
    wayOut: damage,
  },
  "list-corruption": {
    begins: [/^list_(?:add|del) (?:corruption|double add)/],
    what: "a list that something has overwritten",
    holds: "life",
    wayOut: damage,
  },
  "page-damage": {
    begins: [/^BUG: Bad (?:page state in process|page map in process|rss-counter state)/],
    what: "pages that are not as they should be",
    holds: "life",
    wayOut: damage,
  },
  "slab-damage": {
    begins: [/^BUG [\w:-]+ \((?:Not tainted|Tainted)[^)]*\): /],
    what: "an object that something has overwritten, or freed twice",
    holds: "life",
    wayOut: damage,
  },
  // These are over when they are reported.
  "oom-kill": {
    begins: [/^Out of memory.*: Killed process (?<pid>\d+) \((?<name>.{1,15})\)/],
    what: "that it was out of memory, and has killed a process",
    holds: "over",
    alone: true,
    wayOut: () => "give the VM more memory, or its programs less work",
  },
  "cgroup-oom-kill": {
    begins: [/^oom-kill:constraint=CONSTRAINT_MEMCG,.*oom_memcg=(?<device>[^,]+),.*task=(?<name>.{1,15}),pid=(?<pid>\d+)/],
    what: "that a cgroup was out of memory, and has killed a process",
    holds: "over",
    alone: true,
    wayOut: () => "raise memory.max of that cgroup, or give its programs less work",
  },
  "memory-refused": {
    begins: [/^__vm_enough_memory: pid: (?<pid>\d+), comm: (?<name>.{1,15}), (?:bytes: \d+ )?no(?:t)? enough memory for the allocation/],
    what: "memory that it has not promised a process, as vm.overcommit_memory asks",
    holds: "over",
    alone: true,
    wayOut: () => "set vm.overcommit_memory to 0, raise vm.overcommit_ratio, or give the VM more memory",
  },
  "process-limit": {
    begins: [/^cgroup: fork rejected by pids controller in (?<device>\S+)/],
    what: "a new process that a cgroup does not allow",
    holds: "over",
    alone: true,
    wayOut: () => "raise pids.max of that cgroup, or end processes in it",
  },
  "file-limit": {
    begins: [/^VFS: file-max limit \d+ reached/],
    what: "that no more files can be opened",
    holds: "over",
    alone: true,
    wayOut: () => way`find the program that does not close them (${hint("linux ps")} lists all programs), or raise fs.file-max`,
  },
  "table-full": {
    begins: [/^nf_conntrack: .*table full, dropping packet/, /^neighbour: \S+: neighbor table overflow!/],
    what: "a table of its network that is full",
    holds: "over",
    alone: true,
    wayOut: () => "raise net.netfilter.nf_conntrack_max, or net.ipv4.neigh.default.gc_thresh3",
  },
  "module-refused": {
    begins: [
      /^(?<device>[\w-]+): (?:version magic '|disagrees about version of symbol |Unknown symbol |no symbol version for )/,
      /^Loading of (?:unsigned module|module with .*) is rejected/,
    ],
    what: "a module that it does not load",
    holds: "over",
    alone: true,
    wayOut: () => "build it for this kernel, and load the modules that it needs before it",
  },
  "no-console": {
    begins: [/^Warning: unable to open an initial console\./],
    what: "that process 1 has no console",
    holds: "over",
    alone: true,
    wayOut: () => NO_CONSOLE_WAY_OUT,
  },
  "atomic-sleep": {
    begins: [/^BUG: (?:sleeping function called from invalid context at |scheduling while atomic: |workqueue leaked (?:lock or )?atomic)/],
    what: "a sleep where nothing may sleep",
    holds: "over",
    wayOut: stack,
  },
  "lock-order": {
    begins: [
      /^WARNING: possible (?:circular locking|recursive locking|irq lock inversion) /,
      /^WARNING: (?:inconsistent lock state|bad unlock balance|suspicious RCU usage|.* irq-(?:safe|unsafe) )/,
      /^\[ BUG: (?:held lock freed|Invalid wait context)/,
    ],
    what: "locks that are taken in a wrong order or state",
    holds: "over",
    wayOut: () => way`take locks in one order, and in one context: see ${LOG}`,
  },
  "spin-lock": {
    begins: [/^BUG: (?:spinlock|rwlock) .* on CPU#(?<cpu>\d+), (?<name>.{1,15})\/(?<pid>\d+)/],
    what: "a spinlock that is not as it should be",
    holds: "over",
    wayOut: stack,
  },
  "undefined-behavior": {
    begins: [/^UBSAN: [\w-]+ in (?<at>\S+)/],
    what: "undefined behavior",
    holds: "over",
    wayOut: damage,
  },
  "reference-count": {
    begins: [/^refcount_t: (?:underflow|addition on 0|saturated|decrement hit 0)/],
    what: "a reference count that is wrong",
    holds: "over",
    wayOut: (at) => `find in ${at} the reference that it has not, or drops twice`,
  },
  "file-system-error": {
    begins: [
      /^EXT4-fs error \(device (?<device>[\w.-]+)\)/,
      /^BTRFS(?: error|: error|: Transaction aborted) \(device (?<device>[\w.-]+)/,
      /^Aborting journal on device (?<device>[\w.-]+)\./,
    ],
    what: "an error in a file system",
    holds: "over",
    alone: true,
    wayOut: disk,
  },
  "input-output-error": {
    begins: [
      /^(?:blk_update_request: )?[\w\/ ]{2,20} error, dev (?<device>[\w.-]+), sector \d+/,
      /^Buffer I\/O error on dev(?:ice)? (?<device>[\w.-]+),/,
    ],
    what: "an error of a disk",
    holds: "over",
    alone: true,
    wayOut: disk,
  },
  "transmit-timeout": {
    begins: [/^(?:\S+ \S+ (?<device>\S+): )?NETDEV WATCHDOG: .*transmit queue \d+ timed out/],
    what: "a network card that does not send",
    holds: "over",
    alone: true,
    wayOut: () => way`see whether its interrupt arrives: ${hint("irq ls")}`,
  },
  "watchdog-left": {
    begins: [/^watchdog: watchdog\d+: watchdog did not stop!/],
    what: "a watchdog that was left without stopping it: it resets the machine",
    holds: "over",
    alone: true,
    wayOut: () => "write V to it before it is closed, or keep writing",
  },
  "clock-unstable": {
    begins: [/^clocksource: timekeeping watchdog on CPU\d+: Marking clocksource/],
    what: "a clock that it does not trust",
    holds: "over",
    alone: true,
    wayOut: () => way`see which clock it is in ${LOG}`,
  },
} as const satisfies Readonly<Record<string, ReportForm>>;

export type ReportKind = keyof typeof FORMS;

export const KERNEL_REPORTS: { readonly [K in ReportKind]: ReportForm } = FORMS;
const isReportKind = (name: string): name is ReportKind => Object.hasOwn(FORMS, name);
export const REPORT_KINDS: readonly ReportKind[] = Object.keys(FORMS).filter(isReportKind);
