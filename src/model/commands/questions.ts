// Questions about a session's run: why, who, where, what happened, what code there is.

import { flag, maybe, option, optionOr, word, wordOr } from "./argument.ts";
import { type Command, command } from "./command.ts";
import {
  address,
  anyCount,
  choice,
  eventFilter,
  eventKinds,
  filterOf,
  idOf,
  phrase,
  place,
  placeOfRun,
  PLACES_OF_RUN,
  size,
  text,
  value,
  whole,
} from "./kinds.ts";
import { TRACE_KINDS } from "../../machine/abi/trace.ts";
import { asked } from "./lists.ts";
import { allOf, isExactly, mentions } from "../queries/filters/filter.ts";
import { type IdKind, isOf, kindOf, parseAs, withKind, withoutKind } from "../queries/ids.ts";
import { type QueryOf, rowsOf } from "../queries/query.ts";
import type { Row } from "../queries/table.ts";
import { DIAGNOSES, EVENTS, PRINTED as EXPRESSIONS, REASONS, type TableName, WHO as ACCESSES } from "../queries/tables.ts";
import { reasonLines } from "../queries/texts/reason-text.ts";
import { whoText } from "../queries/texts/who-text.ts";
import { diagnosisLines } from "../queries/texts/diagnosis-text.ts";
import { ArgumentError } from "./argument.ts";

/** Accesses that `who --all` prints by default; places that `find` lists. */
const HISTORY = 100, PLACES = 20;
/** Events that a look at them has, the latest. */
const LOOKED = 1000;

/**
 * The id of one reason: its own, or that of an exit's event or of the register that has it;
 * undefined: `last`, or a VM.
 */
export function reasonId(reason: string): string | undefined {
  if (isOf("ev", reason) || isOf("reg", reason)) return reason;
  return parseAs("why", reason) === undefined ? undefined : withKind("why", reason);
}

/** The filter of the reasons that are asked for; `reason`: its id, a VM, or `last` for any. */
export function reasonFilter(
  { reason, vm, about }: { readonly reason: string; readonly vm?: string; readonly about?: string },
): string {
  const id = reasonId(reason), of = reason === "last" || id !== undefined ? vm : reason;
  return allOf([
    of && isExactly("vm", withoutKind("vm", of)),
    about && mentions(about),
    id && `id=${id}`,
  ]);
}

/** A refusal that its caller handled is shown only among all reasons, or by its id. */
export const reasonsThatAnswer = (about: string | undefined): string => about ? "failed=yes | kind=ended" : "failed=yes";

const reasonText = (row: Row): string =>
  rowsOf(REASONS, { table: REASONS.name, rows: [row] }).flatMap((reason) => reasonLines(reason).map(({ text }) => `${text}\n`)).join("");

export const WHY = command("why", {
  doc: "explain a failure: requester, chain of operations, rule, values and way out; or why a VM ended or hangs",
  args: {
    reason: wordOr(idOf("why"), "last, why:N, ev:ID, reg:ID or a VM", "last"),
    list: flag("list the reasons, newest first"),
    vm: option(idOf("vm"), "only operations that this VM requested"),
    about: option(text, "only operations on this object", { value: "id" }),
    filter: option(filterOf(REASONS), "only matching reasons"),
  },
  right: "looks",
  examples: ["why", "why why:3", "why --list --vm host"],
  prints: { why: { list: true } },
  lists: true,
  ask: ({ reason, list, vm, about }) => {
    const terms = reasonFilter({ reason, vm, about }), isAny = !list && reasonId(reason) === undefined;
    return asked(REASONS.name, { filter: isAny ? allOf([terms, reasonsThatAnswer(about)]) : terms, limit: list ? undefined : 1 });
  },
  printed: ({ list }) => list ? {} : { text: reasonText, none: "nothing like that has failed" },
});

export const DIAGNOSE = command("diagnose", {
  doc: "diagnose each VM: its activity, wait or defect, with the evidence and the next command",
  args: { vm: maybe(idOf("vm"), "only this VM: vm:NAME or NAME") },
  right: "looks",
  examples: ["diagnose", "diagnose ping --json"],
  lists: true,
  ask: ({ vm }) => ({ table: DIAGNOSES.name, args: { filter: vm && isExactly("id", withKind("vm", vm)) } }),
  printed: () => ({ text: (row) => rowsOf(DIAGNOSES, { table: DIAGNOSES.name, rows: [row] }).flatMap(diagnosisLines).join("\n") }),
});

/** Options of questions about the past, with the same words in each. */
const EARLIER = option(placeOfRun, `ask at an earlier place of the run: ${PLACES_OF_RUN}`, { value: "place" });
const ALL = flag("list the history, oldest first, instead of the end of it");
const OF_ALL = option(whole(1, 10_000), `with --all, at most this many of the latest (default: ${HISTORY})`, { value: "rows" });

export const WHO = command("who", {
  doc: "find who wrote or changed this last: the instruction, device or program",
  args: {
    target: word(
      place,
      "pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS, VM:SYMBOL, reg:VM/INDEX/NAME, irq:VM/INTID, cap:VM/SLOT, mq:N, db:N or parcel:N",
    ),
    access: wordOr(
      choice("write", "read", "exec", "owner"),
      "the accesses to memory that count; owner: changes of the page's owner and mappings",
      "write",
    ),
    size: option(size(1, 4096), "bytes of memory (default: those of a symbol, 8 at most; else 1)", { value: "bytes" }),
    at: EARLIER,
    all: ALL,
    back: option(whole(1, 100), "follow the value to its origin, through at most this many stores, loads and moves", { value: "n" }),
    limit: OF_ALL,
  },
  right: "looks",
  excludes: [["all", "back"]],
  notes: `el2 searches with a second machine, which repeats the run from the nearest kept state; the session runs on meanwhile. A write
counts even if the bytes stay the same; of everything else, only changes count. Reads by devices are not recorded.`,
  examples: [
    "who ipa:ping/0x80001000 --size 8",
    "who pa:0x41801000 --all --limit 20",
    "who debian:jiffies --size 8",
    "who ipa:ping/0x80000000 exec",
    "who reg:ping/0/x0 --at 120000",
    "who ipa:ping/0x80001000 --size 8 --back 5",
    "who irq:ping/27 --all",
    "who pa:0x41801000 owner",
  ],
  lists: true,
  ask: ({ target, access, size, at, all, back, limit }) => ({
    table: ACCESSES.name,
    args: { at: target, access, size, before: at, back, limit: all ? limit ?? HISTORY : 1 },
  }),
  printed: ({ all }) => all ? {} : { text: whoText },
  menus: [{
    name: "who.wrote",
    on: ["pa", "ipa", "va", "reg", "irq", "cap", "mq", "db", "parcel"],
    key: "W",
    label: "who wrote or changed it last",
    of: (id) => ({ target: id }),
  }],
});

export const WHO_PRINT = command("who.print", {
  doc: "find what changed the value of an expression last (el2 print), with the value before and after",
  args: {
    expression: word(phrase, "VM:EXPR for one of several VMs"),
    at: EARLIER,
    all: ALL,
    limit: OF_ALL,
  },
  right: "looks",
  notes:
    `The expression may follow pointers and go through lists: whatever it is read from at each place of the run is watched. Variables and
registers of a frame come and go, and have no history.`,
  examples: ["who print jiffies", "who print 'debian:init_task.signal->nr_threads' --all", "who print ping:total --at 12ms"],
  lists: true,
  ask: ({ expression, at, all, limit }) => ({
    table: ACCESSES.name,
    args: { at: expression, access: "print", before: at, limit: all ? limit ?? HISTORY : 1 },
  }),
  printed: ({ all }) => all ? {} : { text: whoText },
});

/**
 * The arguments of a query of `who`: events if there is a filter; else accesses that leave a value,
 * or executions if there is none.
 */
function findArguments(
  { at, filter, value, size, before, limit }: Omit<QueryOf<"who">["args"], "access" | "back">,
): QueryOf<"who">["args"] {
  const places = { before, limit, hits: true } as const;
  if (filter !== undefined) return { access: "event", filter, ...places };
  return value === undefined ? { at, access: "exec", ...places } : { at, access: "write", value, size, ...places };
}

export const FIND = command("find", {
  doc: "list where in the run code was executed, a register or memory got a value, or events occurred; oldest first",
  args: {
    target: maybe(
      place,
      "code: VM:SYMBOL, VM:FILE:LINE, VM:ADDRESS; with --value: pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS, VM:SYMBOL or reg:VM/INDEX/NAME",
    ),
    value: option(value, "where the memory or the register got this value", { value: "number" }),
    size: option(size(1, 8), "bytes of memory, the lowest first (default: those of a symbol, 8 at most; else 8)", {
      value: "bytes",
    }),
    event: option(eventFilter, "instead of a target: events that the filter lets through, also over time (A before B)", {
      value: "filter",
    }),
    at: EARLIER,
    limit: option(whole(1, 10_000), `at most this many of the latest places (default: ${PLACES})`, { value: "rows" }),
  },
  right: "looks",
  excludes: [["event", "value"]],
  needs: [["size", "value"]],
  notes: `el2 searches the run backward with a second machine; the session runs on meanwhile. For earlier places, give the first row's
id to --at. A system call that took longer than 20 ms may be missing if a kept state is between its beginning and its end.`,
  examples: [
    "find ping:0x80000000",
    "find reg:ping/0/x0 --value 0",
    "find ipa:ping/0x80001000 --size 4 --value 0x1234",
    "find --event 'kind=rpc refused=yes'",
    "find --event 'kind=hvc name=msgqueue_send vm=ping' --limit 3",
  ],
  lists: true,
  ask: ({ target, value, size, event, at, limit = PLACES }) => {
    if ((target === undefined) === (event === undefined)) throw new ArgumentError("find: give a target or --event");
    return { table: ACCESSES.name, args: findArguments({ at: target, filter: event, value, size, before: at, limit }) };
  },
  printed: () => ({ none: "nothing found" }),
});

/** The filter of the events of a VM. */
export const eventsOf = (vm: string | undefined): string | undefined => vm && isExactly("vm", withoutKind("vm", vm));

export const EVENTS_OF_A_SESSION = command("events", {
  doc: "list the events of a session, oldest first",
  args: {
    filter: option(filterOf(EVENTS), "only matching events, such as kind=rpc or vm=debian"),
    kinds: option(eventKinds, `kinds to record: ${TRACE_KINDS.join(",")}, or all`),
    vm: option(idOf("vm"), "only events of this VM"),
    follow: flag("also print new events as they happen", { lasting: true }),
    limit: option(whole(1, 1e9), "stop after this many events", { value: "events", before: "--count" }),
  },
  right: "looks",
  examples: [
    "events --filter 'kind=rpc res!=ok'",
    "events --follow --kinds hvc,virq --filter vm=ping --limit 100",
    "events --follow --kinds syscall,task --vm debian --filter comm=cat",
  ],
  prints: { "sched.ls": { filter: "kind=sched" }, density: {} },
  lists: true,
  ask: ({ kinds, vm }) => asked(EVENTS.name, { filter: eventsOf(vm), kinds: kinds?.join(","), limit: LOOKED }),
});

export const DISASM = command("disasm", {
  doc: "disassemble a file or hexadecimal words in the format of objdump -M no-aliases, or a VM's memory with the usual aliases",
  args: {
    what: word(
      text,
      "file (ELF, arm64 Image, raw), words separated by commas, or VM:ADDRESS, VM:SYMBOL, VM:FILE:LINE, VM/INDEX:pc of a session",
    ),
    address: optionOr(address, "address of the first instruction (ELF files have their own)", 0),
    start: optionOr(address, "skip instructions below this address", 0, { value: "address" }),
    count: option(anyCount(1), "stop after this many instructions (default for a VM's memory: 16)", { value: "n" }),
    lines: flag("for a VM's memory, print source lines instead of instructions; with --count, those of the function"),
  },
  right: "looks",
  examples: [
    "disasm d503201f,d65f03c0",
    "disasm guest.elf --start 0x40100000 --count 32",
    "disasm debian:__do_softirq+0x40 --count 8",
    "disasm ping/0:pc",
    "disasm rt:main.c:42 --lines",
  ],
  prints: { "code": {}, "code.lines": { lines: true } },
  ask: ({ what, count, lines }) => ({ table: lines ? "code.lines" : "code", args: { at: what, size: count } }),
});

/** The table with the rows of each kind of object that can be shown by its id. */
const SHOWN: Readonly<Partial<Record<IdKind, TableName>>> = {
  vm: "vm.ls",
  vcpu: "vcpu.ls",
  irq: "irq.ls",
  cap: "caps.ls",
  obj: "obj.ls",
  mq: "queue.ls",
  db: "queue.ls",
  rpc: "rpc.ls",
  parcel: "mem.parcels",
  why: "why",
  ev: "events",
};

export const SHOW = command("show", {
  doc: "show everything about an object: a VM, vCPU, interrupt, capability, queue, doorbell, request, parcel, event",
  args: { id: word(text, "its id, such as vm:hello, vcpu:ping/0, irq:ping/961, cap:rm/0x1, mq:289, rpc:46, parcel:0x1") },
  right: "looks",
  examples: ["show vm:hello", "show vcpu:ping/0", "show mq:289"],
  lists: true,
  ask: ({ id }) => {
    const kind = kindOf(id), table = kind && SHOWN[kind];
    if (table === undefined) throw new ArgumentError(`show: "${id}" is not an id`, "use for example vm:hello, vcpu:ping/0 or mq:289");
    return asked(table, { filter: isExactly("id", id) });
  },
  printed: () => ({ full: true, fails: "none" }),
});

export const PRINT = command("print", {
  doc: "print an expression in C's syntax: variables, structures and collections of a kernel or program",
  args: {
    expression: word(phrase, "VM:EXPR for one of several VMs, VM/0:EXPR for a frame's variables and registers"),
    at: EARLIER,
  },
  right: "looks",
  notes: `Types are those of the kernel's BTF, or of ELF files with debug information (--symbols, el2 symbols VM --add FILE). Members
follow . or ->, pointers may be cast: ((struct task_struct *)0xffff000003460000)->comm. A text in quotes is equal to an array of char or
what a pointer to char leads to. A symbol whose type is not known is its address. Helpers for Linux: list(HEAD, struct T, MEMBER),
hlist(HEAD, struct T, MEMBER), rbtree(ROOT, struct T, MEMBER), xarray(&ARRAY, struct T), per_cpu(VARIABLE, CPU), and for all guests
container_of(POINTER, struct T, MEMBER), sizeof. A member, * or [N] after a collection is of each member, or of member N.`,
  examples: [
    "print init_task.comm",
    "print 'list(&init_task.tasks, struct task_struct, tasks)->comm'",
    "print 'debian:per_cpu(runqueues, 0).curr->pid'",
    "print rt/0:total --json",
    "print init_task.signal->nr_threads --at 120ms",
    "print 'init_task.thread_info' --core vmcore",
  ],
  lists: true,
  ask: ({ expression, at }) => ({ table: EXPRESSIONS.name, args: { at: expression, before: at } }),
  printed: () => ({ text: ({ value }) => `${value}\n` }),
});

export const QUESTIONS: readonly Command[] = [WHY, DIAGNOSE, WHO, WHO_PRINT, FIND, EVENTS_OF_A_SESSION, DISASM, PRINT, SHOW];
