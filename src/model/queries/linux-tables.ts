// Rows about a Linux that runs in a VM, read from its memory: columns, ids and commands.

import { LOCK_TYPES } from "./facts/linux-finding.ts";
import type { Row, Table } from "./table.ts";

const VM = { kind: "id", doc: "the VM", width: 10 } as const;
const HIDDEN_VM = { ...VM, width: undefined } as const;
const PID = { kind: "number", doc: "number of the process or thread", width: 6 } as const;

/** Arguments of queries for the Linux of one VM, or of all that run one. */
const IN_VM = { vm: "optional" } as const;
/** For one process or thread. */
const OF_TASK = { ...IN_VM, pid: "required" } as const;

/** The command of a table, after `el2 linux`. */
export interface TableCommand {
  readonly doc: string;
  /** For its help, without `el2`. */
  readonly examples: readonly string[];
  /** Help of the switches that set these arguments. */
  readonly flags?: { readonly threads: string; readonly tree: string };
  /** Help of a filter that may follow the VM, of a list that is long. */
  readonly narrows?: string;
  /** In the menu of a task. */
  readonly label?: string;
  /** The text of a row, unless columns or a form are chosen. */
  readonly text?: (row: Row) => string;
  /** The column in which rows rise, and that of the time of each: `--follow` prints new ones. */
  readonly follows?: { readonly column: string; readonly time: string };
}

/** A table about Linux. */
interface LinuxTable extends Table {
  readonly listed: TableCommand;
  /** Its ids, where no other rows have such: their kind, and their parts in braces (`ids.ts`). */
  readonly ids?: { readonly kind: string; readonly form: string };
}

/** Declares a table. Its reader is in `src/inside/linux`. */
const linuxTable = <const T extends LinuxTable>(table: T): T => table;

const NS_PER_US = 1000n, US_PER_SECOND = 1_000_000n, SECONDS_WIDTH = 5, FRACTION_WIDTH = 6;

/** A record as `dmesg` prints it: before each line the time, and the record of ramoops. */
function logText({ t, text, record }: Row): string {
  const us = BigInt(String(t)) / NS_PER_US;
  const seconds = String(us / US_PER_SECOND).padStart(SECONDS_WIDTH), fraction = String(us % US_PER_SECOND).padStart(FRACTION_WIDTH, "0");
  const before = record === null ? "" : `${record}: `;
  return String(text).split("\n").map((line) => `${before}[${seconds}.${fraction}] ${line}\n`).join("");
}

/** States as `ps` and /proc name them. */
export const TASK_STATES = ["R", "S", "D", "T", "t", "X", "Z", "P", "I"] as const;
export const LOG_LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"] as const;

const LINUX = linuxTable({
  name: "linux.ls",
  version: 1,
  doc: "VMs whose memory has a Linux kernel, and what was found there",
  empty: "no VM's memory has a Linux kernel",
  args: IN_VM,
  listed: { doc: "list the Linux kernels in VMs, and what was found of each", examples: ["linux ls"] },
  columns: {
    id: { kind: "id", doc: "vm:NAME", width: 14, alias: ["vm"] },
    release: { kind: "text", doc: "release, as uname -r prints it", width: 32, optional: true },
    version: { kind: "text", doc: "version, as uname -v prints it", width: 40, optional: true, from: 120 },
    host: { kind: "text", doc: "its name in the network", width: 10, optional: true, from: 140 },
    page: { kind: "size", doc: "bytes of a page", width: 5 },
    address_bits: { kind: "number", doc: "bits of a virtual address", title: "bits", width: 4 },
    text: { kind: "address", doc: "virtual address of the kernel's code", width: 18 },
    moved: { kind: "address", doc: "virtual minus physical address of its image", width: 18, from: 140, optional: true },
    kaslr: { kind: "address", doc: "how far it has moved itself from where it was linked (KASLR)", width: 18, from: 160, optional: true },
    symbols: { kind: "number", doc: "symbols that were found", width: 7 },
    types: { kind: "number", doc: "types in its BTF; 0: it has none, and only symbols can be read", width: 7 },
    vmcoreinfo: { kind: "flag", doc: "it has written VMCOREINFO", width: 10, from: 140 },
    cmdline: { kind: "text", doc: "its command line", width: 40, optional: true, from: 100 },
  },
});

const LINUX_LOG = linuxTable({
  name: "linux.log",
  version: 1,
  doc:
    "the log of Linux (dmesg), from the ring in its memory, oldest first: also without a console, and after a panic; before it, the log of an earlier boot that ramoops has kept",
  empty: "the log is empty",
  args: IN_VM,
  listed: {
    doc: "print the log (dmesg), also without a console and after a panic, and before it that of an earlier boot (ramoops)",
    text: logText,
    follows: { column: "sequence", time: "t" },
    examples: [
      "linux log",
      "linux log --core vmcore",
      "linux log --core ramoops.bin",
      "linux log debian > dmesg.txt",
      "linux log --follow",
      "linux log --filter level=err -o wide",
    ],
  },
  ids: { kind: "log", form: "{vm}/{number}[@{name}]" },
  columns: {
    id: { kind: "id", doc: "log:VM/NUMBER; of an earlier boot log:VM/LINE@RECORD", width: 16 },
    vm: HIDDEN_VM,
    record: {
      kind: "text",
      doc: "of an earlier boot: the record of ramoops, such as dmesg-ramoops-0",
      width: 17,
      optional: true,
      from: 140,
    },
    sequence: { kind: "number", doc: "number of the record in the ring", width: 6, title: "seq", optional: true },
    t: { kind: "time", doc: "the guest's time since its boot in ns", width: 11, alias: ["time"] },
    at: { kind: "time", doc: "virtual time in ns, as events have it", width: 11, optional: true, from: 120 },
    level: {
      kind: "word",
      doc: `${LOG_LEVELS.join(" ")}; none in the console's text of an earlier boot`,
      width: 6,
      words: LOG_LEVELS,
      optional: true,
    },
    facility: { kind: "number", doc: "0: the kernel; 1: programs", width: 4, title: "fac", usual: 0, from: 100, optional: true },
    caller: { kind: "text", doc: "T and the thread, or C and the CPU, where the kernel keeps it", width: 6, optional: true, from: 140 },
    device: { kind: "text", doc: "subsystem and device", width: 20, optional: true, from: 160 },
    text: { kind: "text", doc: "the message", width: 100 },
  },
});

const LINUX_PS = linuxTable({
  name: "linux.ps",
  version: 1,
  doc: "processes of Linux, or with --threads its threads, by number",
  empty: "it has no processes yet",
  args: { ...IN_VM, threads: "optional", tree: "optional" },
  listed: {
    doc: "list the processes: state, time, memory, and what each waits in",
    flags: { threads: "all threads", tree: "each below its parent" },
    examples: ["linux ps", "linux ps --tree", "linux ps debian --filter kernel=no", "linux ps --threads --filter state=D"],
  },
  ids: { kind: "task", form: "{vm}/{pid}" },
  columns: {
    id: { kind: "id", doc: "task:VM/PID", width: 18, alias: ["task"] },
    vm: HIDDEN_VM,
    pid: PID,
    tgid: { kind: "number", doc: "the process of a thread", optional: true },
    ppid: { kind: "number", doc: "the parent process", width: 6, optional: true },
    state: {
      kind: "word",
      doc: "as in ps: R runs or can, S sleeps, D cannot be interrupted, I idle, T stopped, t traced, Z ended",
      width: 5,
      words: TASK_STATES,
    },
    name: { kind: "text", doc: "name, as in /proc/PID/comm", width: 16 },
    kernel: { kind: "flag", doc: "a thread of the kernel" },
    uid: { kind: "number", doc: "user", width: 5, from: 100, optional: true },
    threads: { kind: "number", doc: "threads of the process", width: 7, from: 110, optional: true },
    cpu: { kind: "number", doc: "the CPU that it runs on or ran on last", width: 3, optional: true },
    time: { kind: "duration", doc: "time on a CPU of all its threads, ns", width: 9, optional: true },
    started: { kind: "time", doc: "the guest's time of its start since boot, ns", width: 11, from: 120, optional: true },
    virtual: { kind: "size", doc: "bytes of its mappings", width: 8, optional: true },
    resident: { kind: "size", doc: "bytes of those that are in memory", width: 8, optional: true },
    waits: { kind: "text", doc: "the kernel's function in which it sleeps", width: 24, optional: true },
    command: { kind: "text", doc: "its arguments", width: 40, from: 120, optional: true },
    tree: { kind: "text", doc: "with --tree: its name, below its parent's", width: 40, optional: true, usual: null },
  },
});

const LINUX_STACK = linuxTable({
  name: "linux.stack",
  version: 1,
  doc: "call frames of a task that does not run now: those in the kernel, then those of the program, by frame pointers",
  empty: "no frames",
  args: OF_TASK,
  listed: {
    doc: "print the call frames of a task, in the kernel and in its program",
    label: "call frames in the kernel and its program",
    examples: ["linux stack 1", "linux stack sh", "linux stack debian/1"],
  },
  ids: { kind: "call", form: "{vm}/{pid}/{number}" },
  columns: {
    id: { kind: "id", doc: "call:VM/PID/NUMBER", width: 20 },
    vm: HIDDEN_VM,
    mode: { kind: "word", doc: "kernel or user", width: 6, words: ["kernel", "user"] },
    pc: { kind: "address", doc: "return address; of the program first its PC", width: 18 },
    symbol: { kind: "text", doc: "the function in the kernel or its module, with the offset", width: 40, optional: true },
    file: { kind: "text", doc: "of the program: the file that is mapped there, with the offset in it", width: 40, optional: true },
  },
});

const LINUX_MAPS = linuxTable({
  name: "linux.maps",
  version: 1,
  doc: "mappings of a process, as /proc/PID/maps lists them",
  empty: "it has no mappings: it is a thread of the kernel",
  args: OF_TASK,
  listed: { doc: "list the mappings of a process", label: "mappings", examples: ["linux maps debian/1"] },
  ids: { kind: "vma", form: "{vm}/{pid}/{address}" },
  columns: {
    id: { kind: "id", doc: "vma:VM/PID/ADDRESS", width: 32 },
    vm: HIDDEN_VM,
    start: { kind: "address", doc: "first address", width: 18 },
    end: { kind: "address", doc: "the address after the last one", width: 18 },
    size: { kind: "size", doc: "bytes", width: 8 },
    access: { kind: "word", doc: "rwx, and s if it is shared, else p", width: 6 },
    offset: { kind: "address", doc: "in the file", width: 10 },
    device: { kind: "text", doc: "MAJOR:MINOR of the file system", width: 6 },
    inode: { kind: "count", doc: "number of the file", width: 8 },
    file: { kind: "text", doc: "the file, or what it is for", width: 50, optional: true },
  },
});

const LINUX_FILES = linuxTable({
  name: "linux.files",
  version: 1,
  doc: "open files of a process, as /proc/PID/fd lists them",
  empty: "it has no open files",
  args: OF_TASK,
  listed: { doc: "list the open files of a process", label: "open files", examples: ["linux files debian/1"] },
  ids: { kind: "fd", form: "{vm}/{pid}/{number}" },
  columns: {
    id: { kind: "id", doc: "fd:VM/PID/NUMBER", width: 20 },
    vm: HIDDEN_VM,
    fd: { kind: "number", doc: "number of the file", width: 4 },
    file: { kind: "text", doc: "path, or type and number", width: 50 },
    access: { kind: "word", doc: "r, w or rw", width: 6 },
    position: { kind: "count", doc: "in the file", width: 10 },
    flags: { kind: "address", doc: "flags of open(2)", width: 10 },
  },
});

const LINUX_MODULES = linuxTable({
  name: "linux.modules",
  version: 1,
  doc: "modules of Linux, as /proc/modules lists them",
  empty: "no modules are loaded",
  args: IN_VM,
  listed: { doc: "list the loaded modules", examples: ["linux modules"] },
  ids: { kind: "module", form: "{vm}/{name}" },
  columns: {
    id: { kind: "id", doc: "module:VM/NAME", width: 28 },
    vm: HIDDEN_VM,
    name: { kind: "text", doc: "its name" },
    state: { kind: "word", doc: "live, coming, going or unformed", width: 8, words: ["live", "coming", "going", "unformed"] },
    size: { kind: "size", doc: "bytes in memory", width: 8 },
    used: { kind: "number", doc: "number of users", width: 5, optional: true },
    by: { kind: "list", doc: "modules that use it", width: 30 },
    address: { kind: "address", doc: "of its code", width: 18 },
  },
});

const LINUX_MOUNTS = linuxTable({
  name: "linux.mounts",
  version: 1,
  doc: "mounted file systems, as /proc/mounts of process 1 lists them",
  empty: "nothing is mounted",
  args: IN_VM,
  listed: { doc: "list the mounted file systems", examples: ["linux mounts"] },
  ids: { kind: "mount", form: "{vm}/{number}" },
  columns: {
    id: { kind: "id", doc: "mount:VM/NUMBER", width: 18 },
    vm: HIDDEN_VM,
    device: { kind: "text", doc: "what is mounted", width: 20 },
    path: { kind: "text", doc: "where", width: 30 },
    type: { kind: "word", doc: "file system", width: 10 },
    access: { kind: "word", doc: "rw or ro", width: 6, words: ["rw", "ro"] },
  },
});

const LINUX_IRQS = linuxTable({
  name: "linux.irqs",
  version: 1,
  doc: "interrupts that Linux has handlers for, as /proc/interrupts lists them",
  empty: "no interrupt has a handler",
  args: IN_VM,
  listed: { doc: "list the interrupts that have handlers", examples: ["linux irqs"] },
  ids: { kind: "lirq", form: "{vm}/{number}" },
  columns: {
    id: { kind: "id", doc: "lirq:VM/NUMBER", width: 16 },
    vm: HIDDEN_VM,
    irq: { kind: "number", doc: "Linux's own number", width: 4 },
    counts: { kind: "text", doc: "how often it was handled, by CPU", width: 24 },
    total: { kind: "count", doc: "the sum of that", width: 8 },
    chip: { kind: "text", doc: "interrupt controller", width: 16, optional: true },
    hwirq: { kind: "count", doc: "number at the controller", width: 6 },
    trigger: { kind: "word", doc: "level or edge", width: 7, words: ["level", "edge"] },
    disabled: { kind: "flag", doc: "Linux has disabled it", width: 8 },
    handlers: { kind: "list", doc: "names of the handlers", width: 30 },
  },
});

const LINUX_NET = linuxTable({
  name: "linux.net",
  version: 1,
  doc: "network interfaces of Linux",
  empty: "it has no interfaces",
  args: IN_VM,
  listed: { doc: "list the network interfaces", examples: ["linux net"] },
  ids: { kind: "netdev", form: "{vm}/{name}" },
  columns: {
    id: { kind: "id", doc: "netdev:VM/NAME", width: 18 },
    vm: HIDDEN_VM,
    name: { kind: "text", doc: "its name" },
    up: { kind: "flag", doc: "it has been set up", width: 4 },
    state: { kind: "word", doc: "state of the link, as in /sys/class/net/NAME/operstate", width: 8 },
    mtu: { kind: "number", doc: "bytes of the largest packet", width: 6 },
    hardware: { kind: "text", doc: "hardware address", width: 18, optional: true },
    addresses: { kind: "list", doc: "IPv4 addresses", width: 30 },
  },
});

const LINUX_MEMORY = linuxTable({
  name: "linux.memory",
  version: 1,
  doc: "memory of Linux by use, as /proc/meminfo names it",
  empty: "it has no figures yet",
  args: IN_VM,
  listed: { doc: "list the use of memory", examples: ["linux memory"] },
  ids: { kind: "meminfo", form: "{vm}/{name}" },
  columns: {
    id: { kind: "id", doc: "meminfo:VM/NAME", width: 28 },
    vm: HIDDEN_VM,
    name: { kind: "text", doc: "name in /proc/meminfo" },
    bytes: { kind: "size", doc: "bytes", width: 8 },
  },
});

const LINUX_DISKS = linuxTable({
  name: "linux.disks",
  version: 1,
  doc: "disks and partitions of Linux, as /proc/partitions lists them",
  empty: "it has no disks",
  args: IN_VM,
  listed: { doc: "list the disks and partitions", examples: ["linux disks"] },
  ids: { kind: "disk", form: "{vm}/{name}" },
  columns: {
    id: { kind: "id", doc: "disk:VM/NAME", width: 20 },
    vm: HIDDEN_VM,
    name: { kind: "text", doc: "its name in /dev", width: 12 },
    size: { kind: "size", doc: "bytes", width: 8 },
    partition: { kind: "number", doc: "number of the partition; 0: the whole disk", width: 9 },
    access: { kind: "word", doc: "rw or ro", width: 6, words: ["rw", "ro"] },
    openers: { kind: "number", doc: "how many times it is open now", width: 7, optional: true },
  },
});

const LINUX_SLABS = linuxTable({
  name: "linux.slabs",
  version: 1,
  doc: "caches of the kernel's own structures, as /proc/slabinfo lists them",
  empty: "it has no caches",
  args: IN_VM,
  listed: { doc: "list the caches of the kernel's structures", examples: ["linux slabs --filter name=dentry"] },
  ids: { kind: "slab", form: "{vm}/{name}" },
  columns: {
    id: { kind: "id", doc: "slab:VM/NAME", width: 32 },
    vm: HIDDEN_VM,
    name: { kind: "text", doc: "name in /proc/slabinfo" },
    object: { kind: "size", doc: "bytes of an object", width: 8 },
    objects: { kind: "count", doc: "objects in its slabs, used or free", width: 8, optional: true },
    bytes: { kind: "size", doc: "bytes of its slabs", width: 8 },
  },
});

const LINUX_SOCKETS = linuxTable({
  name: "linux.sockets",
  version: 1,
  doc: "sockets that processes have open",
  empty: "no process has a socket",
  args: IN_VM,
  listed: { doc: "list the sockets of processes", examples: ["linux sockets", "linux sockets --filter state=listen"] },
  ids: { kind: "socket", form: "{vm}/{number}" },
  columns: {
    id: { kind: "id", doc: "socket:VM/INODE", width: 20 },
    vm: HIDDEN_VM,
    family: { kind: "word", doc: "inet, inet6, unix, netlink, packet, vsock, or the number", width: 8 },
    type: { kind: "word", doc: "stream, dgram, raw, seqpacket", width: 9 },
    state: { kind: "word", doc: "of TCP, as in netstat", width: 12, optional: true },
    local: { kind: "text", doc: "local address and port, or the path", width: 24, optional: true },
    peer: { kind: "text", doc: "address and port of the peer", width: 24, optional: true },
    pid: PID,
    name: { kind: "text", doc: "name of that process", width: 16 },
    fd: { kind: "number", doc: "its file descriptor in that process", width: 4 },
  },
});

const LINUX_DT = linuxTable({
  name: "linux.dt",
  version: 1,
  doc: "nodes of the devicetree, as Linux has unpacked and changed it",
  empty: "no devicetree: Linux was started by ACPI",
  args: IN_VM,
  listed: { doc: "list the nodes of the devicetree", examples: ["linux dt --filter status=disabled"] },
  ids: { kind: "dtnode", form: "{vm}/{path}" },
  columns: {
    id: { kind: "id", doc: "dtnode:VM/PATH", width: 40 },
    vm: HIDDEN_VM,
    path: { kind: "text", doc: "path, as in /proc/device-tree", width: 40 },
    compatible: { kind: "list", doc: "the texts of compatible", width: 30 },
    status: { kind: "text", doc: "status; none means okay", width: 8, optional: true },
    properties: { kind: "list", doc: "names of its properties", width: 40, from: 120 },
  },
});

const LINUX_LOCKS = linuxTable({
  name: "linux.locks",
  version: 1,
  doc: "locks that tasks of Linux wait for: mutexes, semaphores, spin locks; with the task that holds each",
  empty: "no task waits for a lock",
  args: IN_VM,
  listed: { doc: "list the locks that tasks wait for, and who holds them", examples: ["linux locks"] },
  ids: { kind: "lock", form: "{vm}/{address}" },
  columns: {
    id: { kind: "id", doc: "lock:VM/ADDRESS", width: 30 },
    vm: HIDDEN_VM,
    type: { kind: "word", doc: LOCK_TYPES.join(" "), width: 8, words: LOCK_TYPES },
    address: { kind: "address", doc: "its virtual address", from: 160, width: 18 },
    held: {
      kind: "word",
      doc:
        "alone, shared by readers, unnamed: by a CPU that a spin lock does not name, free: it was released and its next waiter has not run yet, or ?",
      width: 7,
      words: ["alone", "shared", "unnamed", "free", "?"],
    },
    holder: { kind: "id", doc: "the task that holds it alone", width: 16, optional: true },
    holder_name: { kind: "text", doc: "name of that task", width: 16, title: "name", optional: true },
    waiters: { kind: "list", doc: "tasks that wait for it", width: 24 },
    wants: { kind: "list", doc: "how each of them wants it: alone or shared", from: 140, width: 12 },
    where: { kind: "text", doc: "the function of the kernel in which the first one waits", width: 30, optional: true },
  },
});

/** Clocks of timers of high resolution, and the ticks of the others. */
export const TIMER_CLOCKS = ["monotonic", "realtime", "boottime", "tai", "ticks"] as const;

const LINUX_TIMERS = linuxTable({
  name: "linux.timers",
  version: 1,
  doc: "timers of Linux that are set: those of high resolution of each CPU by clock and expiry, then those of the ticks",
  empty: "no timer is set",
  args: IN_VM,
  listed: {
    doc: "list the timers that are set, and what each calls or wakes",
    examples: ["linux timers", "linux timers --filter name=sleep"],
  },
  ids: { kind: "ltimer", form: "{vm}/{address}" },
  columns: {
    id: { kind: "id", doc: "ltimer:VM/ADDRESS", width: 32 },
    vm: HIDDEN_VM,
    cpu: { kind: "number", doc: "its CPU", width: 3 },
    clock: { kind: "word", doc: TIMER_CLOCKS.join(" "), width: 9, words: TIMER_CLOCKS },
    expires: { kind: "time", doc: "when it is due at the latest, in ns of the monotonic clock", width: 12, optional: true },
    ticks: { kind: "number", doc: "ticks from now to its expiry; below 0: it is late, or may wait for others", width: 7, optional: true },
    function: { kind: "text", doc: "the function that it calls", width: 32 },
    task: { kind: "id", doc: "the task that it wakes", width: 16, optional: true },
    name: { kind: "text", doc: "name of that task", width: 16, optional: true },
  },
});

const LINUX_CONFIG = linuxTable({
  name: "linux.config",
  version: 1,
  doc: "options that the kernel was built with, if it keeps them (CONFIG_IKCONFIG)",
  empty: "no options",
  args: IN_VM,
  listed: {
    doc: "list the options that the kernel was built with",
    narrows: "only matching options: a part of the name, name~^VIRTIO, value=m",
    examples: ["linux config PREEMPT", "linux config debian value=m"],
  },
  ids: { kind: "config", form: "{vm}/{name}" },
  columns: {
    id: { kind: "id", doc: "config:VM/NAME", width: 40 },
    vm: HIDDEN_VM,
    name: { kind: "text", doc: "the option, without CONFIG_" },
    value: { kind: "text", doc: "y, m, n, a number or a quoted text", width: 30 },
  },
});

/** By name, as in `TABLES`. */
export const LINUX_TABLES = {
  "linux.ls": LINUX,
  "linux.log": LINUX_LOG,
  "linux.ps": LINUX_PS,
  "linux.stack": LINUX_STACK,
  "linux.maps": LINUX_MAPS,
  "linux.files": LINUX_FILES,
  "linux.modules": LINUX_MODULES,
  "linux.mounts": LINUX_MOUNTS,
  "linux.irqs": LINUX_IRQS,
  "linux.net": LINUX_NET,
  "linux.memory": LINUX_MEMORY,
  "linux.disks": LINUX_DISKS,
  "linux.slabs": LINUX_SLABS,
  "linux.sockets": LINUX_SOCKETS,
  "linux.dt": LINUX_DT,
  "linux.locks": LINUX_LOCKS,
  "linux.timers": LINUX_TIMERS,
  "linux.config": LINUX_CONFIG,
} as const;

export type LinuxTables = typeof LINUX_TABLES;
