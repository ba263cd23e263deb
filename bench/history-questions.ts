// Questions about a long session of a Debian in a VM, for `deno task bench history --long`: who
// wrote words of kernel, user and shared pages, who changed registers, capabilities and interrupts.
// And their answers by brute force, without the index of writes: words and objects in one run each,
// by other code than the search's, so that a mistake is not in both; registers in a rerun each.

import assert from "node:assert/strict";
import type { TraceEvent } from "../src/machine/abi/trace.ts";
import type { System } from "../src/session/assembly/system/system.ts";
import { planOf, vmTable } from "../src/app/configuration/plan-run.ts";
import { wordAt } from "../src/machine/hypervisor/inspect.ts";
import type { SessionRun } from "../src/session/engine/session-run.ts";
import { watchedOf } from "../src/session/engine/who.ts";
import type { SessionPlan } from "../src/model/plans/plan.ts";
import { problemText } from "../src/kit/support/problem.ts";
import { EVERY_VM } from "../src/model/queries/debugged-vms.ts";
import { vcpuId } from "../src/model/queries/ids.ts";
import { isExactly } from "../src/model/queries/filters/filter.ts";
import { rowsOf } from "../src/model/queries/query.ts";
import { CAPS, IRQS, PAGE_TABLES, REGISTERS } from "../src/model/queries/tables.ts";
import { type Accesses, AccessSearch, type Counted } from "../src/session/recordings/past/accesses.ts";
import type { PastAccess, Watched } from "../src/session/recordings/looking/looking.ts";
import { mayNotWrite } from "../src/session/recordings/looking/memory.ts";
import type { RunUpTo } from "../src/session/recordings/past/back-to.ts";
import type { Milestone } from "../src/session/recordings/past/history.ts";
import type { Moment, Past } from "../src/session/recordings/past/past.ts";
import type { Rerun } from "../src/session/recordings/past/rerun.ts";
import { RAM_BASE } from "../src/machine/hardware/memory-map.ts";
import { sameBytes } from "../src/kit/support/values/bytes.ts";
import { PAGE_SIZE } from "../src/kit/support/values/sizes.ts";

const VM = "debian", VCPU = `vcpu:${VM}/0`;
const WORD = 8;
/** Where an arm64 kernel of 48 bits has its image, modules and stacks; below is all of RAM. */
const KERNEL = 0xffff_8000_0000_0000n, UPPER_HALF = 1n << 63n;

/** A Debian in a VM, whose pages its host has, too: it serves a device. */
export async function longPlan(): Promise<{ readonly plan: SessionPlan; readonly console: string }> {
  const table = await vmTable("debian", [{ kind: "rng" }]);
  if ("what" in table) throw new Error(problemText(table));
  const planned = await planOf({ machine: { cpus: 1 }, ...table });
  if (!planned.ok) throw new Error(planned.problems.map(problemText).join("\n"));
  const { cpus, memory, seed, behaviour, what } = planned.run;
  return { plan: { cpus, memory, seed, behaviour, turbo: true, tier: "auto", what }, console: VM };
}

/** A question about an object, and its kind. */
export interface Question {
  readonly kind: string;
  readonly target: string;
}

/** Intermediate physical addresses of the mapped pages in a range of virtual ones. */
function pagesOf({ inspector }: System, is: (address: bigint) => boolean): number[] {
  const mapped = rowsOf(PAGE_TABLES, inspector.answer({ table: "vcpu.tables", args: { vcpu: VCPU } }));
  return mapped.filter(({ address, pa, memory }) => pa !== null && memory === "normal" && is(BigInt(address)))
    .flatMap(({ ipa, size }) => Array.from({ length: Number(size) / PAGE_SIZE }, (_, page) => Number(ipa) + page * PAGE_SIZE));
}

const isUser = (address: bigint) => address < UPPER_HALF;
const isLinear = (address: bigint) => !isUser(address) && address < KERNEL;

/**
 * Whether a program has the vCPU, and its kernel executes: pages of both can be asked about. While
 * the program executes, a kernel with page table isolation is not mapped.
 */
export function hasProgram(system: System): boolean {
  return [isUser, isLinear].every((is) => pagesOf(system, is).length > 0);
}

/** So many questions of each kind. */
export function questionsOf(system: System, counts: Readonly<Record<string, number>>, spread: (index: number) => number): Question[] {
  const { inspector } = system, ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);
  const of: Readonly<Record<string, readonly (string | number)[]>> = {
    kernel: pagesOf(system, (address) => address >= KERNEL),
    user: pagesOf(system, isUser),
    shared: pagesOf(system, isLinear),
    register: ids(rowsOf(REGISTERS, inspector.answer({ table: "vcpu.regs", args: { vcpu: VCPU } }))).filter((id) => !id.endsWith("/pc")),
    capability: ids(rowsOf(CAPS, inspector.answer({ table: "caps.ls", args: {} }))),
    interrupt: ids(rowsOf(IRQS, inspector.answer({ table: "irq.ls", args: { filter: isExactly("vm", VM) } }))),
  };
  let asked = 0;
  return Object.entries(counts).flatMap(([kind, count]) =>
    Array.from({ length: count }, (): Question => {
      const all = of[kind];
      assert.ok(all.length > 0, `nothing to ask about: ${kind}`);
      const one = all[Math.floor(all.length * spread(++asked))];
      const offset = WORD * Math.floor(PAGE_SIZE / WORD * spread(7 * asked));
      return { kind, target: typeof one === "string" ? one : `ipa:${VM}/0x${(one + offset).toString(16)}` };
    })
  );
}

/** The latest change, as `el2 who` finds it. */
export function answerOf(run: SessionRun, system: System, { target }: Question, rerun: Rerun = run): Accesses {
  return searched({ ...run.upTo(system), rerun }, watchedOf(system, { target, access: "write", size: WORD }));
}

function searched(run: RunUpTo, watched: Watched, counted?: Counted): Accesses {
  const search = new AccessSearch(run, watched, 1, counted);
  for (;;) {
    const found = search.advance(Infinity);
    if (found) return found;
  }
}

/** A question and its answer. */
interface Answered {
  readonly question: Question;
  readonly found: Accesses;
}

type Write = Pick<PastAccess, "at" | "time" | "by" | "instruction" | "after">;

/** Instructions before an answer from which its word is watched. */
const LEAD = 1000;

/** Watches words in another machine, and notes the last write to each. */
class WatchedWords {
  readonly past: Past;
  readonly last = new Map<number, Write>();
  readonly #watched: number[] = [];

  constructor(run: SessionRun) {
    const past = this.past = run.pastAt(run.milestone(0)), { system } = past, { core, machine: { ram } } = system;
    const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
    const word = (pa: number) => ram.bytes(pa, WORD).slice();
    let begun: { readonly pa: number; readonly before: Uint8Array; readonly write: Omit<Write, "after"> } | undefined;
    past.onStop = ({ cause, vcpu }) => {
      const { registers } = vcpu, { pc } = registers;
      if (cause === "watchpoint") {
        const place = core.questions.inspect(registers, core.stops.hit?.address ?? assert.fail("no hit"));
        const pa = this.#watched.find((one) => place.ok && place.pa >= one && place.pa < one + WORD) ?? assert.fail("no watched word");
        const instruction = { vcpu: vcpuId(names.vcpu(vcpu)), pc, word: wordAt(core, ram, vcpu, pc) ?? 0 };
        begun = { pa, before: word(pa), write: { at: system.instructions(), time: system.machine.time, by: undefined, instruction } };
        control.goOn(vcpu);
        return false;
      }
      control.goOn(undefined);
      if (cause === "step" && begun) {
        const { pa, before, write } = begun, after = word(pa);
        if (!sameBytes(before, after) || !mayNotWrite(write.instruction?.word ?? 0)) this.last.set(pa, { ...write, after });
        begun = undefined;
      }
      return false;
    };
    ram.watch(RAM_BASE, Infinity, (by, pa, size, bytes) => {
      for (const one of this.#watched) {
        if (one + WORD <= pa || one >= pa + size) continue;
        const after = word(one).map((byte, index) => {
          const place = one + index - pa;
          return place < 0 || place >= size ? byte : bytes === "zero" ? 0 : bytes[place];
        });
        const at = Math.max(0, system.instructions() - 1);
        this.last.set(one, { at, time: system.machine.time, by: { ...by }, instruction: undefined, after });
      }
    });
  }

  /** Goes to an instruction, and watches one more word from there on. */
  watchFrom(at: number, pa: number): void {
    while (!this.past.advance(at, Infinity));
    this.#watched.push(pa);
    const [first, ...more] = this.#watched;
    this.past.system.core.stops.watchMemory({ pa: first, length: WORD, kind: "write", more });
  }
}

/**
 * Compares the last writes of words with those of one run from its start to its end, which watches
 * each word from shortly before its answer on.
 * @throws AssertionError if a word was written by something else, or later
 */
export function checkWords(run: SessionRun, system: System, asked: readonly Answered[]): void {
  const words = new WatchedWords(run),
    answers = asked.map(({ question, found }) => {
      const watched = watchedOf(system, { target: question.target, access: "write", size: WORD });
      return { question, pa: watched.kind === "memory" ? watched.watch.pa : assert.fail(question.target), write: found.accesses.at(-1) };
    }).sort((one, other) => (one.write?.at ?? 0) - (other.write?.at ?? 0));
  for (const { pa, write } of answers) words.watchFrom(Math.max(0, (write?.at ?? 0) - LEAD), pa);
  while (!words.past.advance(system.instructions(), Infinity));
  for (const { question, pa, write } of answers) {
    const { at, time, by, instruction, after } = write ?? {};
    assert.deepEqual(words.last.get(pa), write && { at, time, by, instruction, after }, question.target);
  }
}

/**
 * Compares the last changes of objects with those of one run from its start to its end, which looks
 * at all of them after each event and each exit.
 * @throws AssertionError if an object changed at another event, or later
 */
export function checkObjects(run: SessionRun, system: System, asked: readonly Answered[]): void {
  const past = run.pastAt(run.milestone(0)), { system: again } = past, control = again.debugger.give(EVERY_VM, false);
  const objects = asked.map(({ question: { target } }) => ({ target, ...again.inspector.objectState(target) }));
  const states = objects.map(({ read }) => read()),
    last = new Map<string, Pick<PastAccess, "at" | "time" | "after"> & { readonly event: string }>();
  let latest: TraceEvent | undefined;
  const look = (event: TraceEvent) => {
    for (const [index, { target, kinds, read }] of objects.entries()) {
      if (!kinds.includes(event.kind)) continue;
      const after = read();
      if (after === states[index]) continue;
      states[index] = after;
      last.set(target, { at: Math.max(0, again.instructions() - 1), time: again.machine.time, after, event: event.name });
    }
  };
  control.stopAtEvents((event) => {
    look(event);
    latest = event;
    return event.name;
  }, [...new Set(objects.flatMap(({ kinds }) => kinds))]);
  past.onStop = ({ cause }) => {
    if (cause === "event" && latest) look(latest);
    control.goOn(undefined);
    return false;
  };
  while (!past.advance(system.instructions(), Infinity));
  for (const { question: { target }, found } of asked) {
    const { at, time, after, event } = found.accesses.at(-1) ?? {};
    assert.deepEqual(last.get(target), event && { at, time, after, event: event.name }, target);
  }
}

/** A run whose only state is the last one before a place, and which says nothing of its writes. */
class Unindexed implements Rerun {
  readonly #first: Milestone | undefined;

  constructor(readonly run: Rerun, place: number) {
    this.#first = run.milestone(place);
  }

  milestone(moment: Moment): Milestone | undefined {
    const nearest = this.run.milestone(moment), first = this.#first;
    return first && nearest && nearest.instructions > first.instructions ? first : nearest;
  }

  pastAt(milestone: Milestone | undefined): Past {
    return this.run.pastAt(milestone);
  }

  mayBeWritten(): boolean {
    return true;
  }
}

/** Whether a question's search single-steps anyway. */
export function isStepped(system: System, question: Question): boolean {
  return !watchedRegister(system, question).writes;
}

function watchedRegister(system: System, { target }: Question): Watched & { kind: "register" } {
  const watched = watchedOf(system, { target, access: "write", size: WORD });
  return watched.kind === "register" ? watched : assert.fail(target);
}

/**
 * @throws AssertionError if a rerun that stops at each write of the system register, or after each
 * instruction for another, has another answer
 */
export function checkRegister(run: SessionRun, system: System, { question, found: { accesses, start } }: Answered): void {
  const place = accesses.at(-1)?.at ?? start?.at ?? 0, watched = watchedRegister(system, question);
  const again = watched.writes?.isOperand
    ? searched(run.upTo(system), { ...watched, writes: undefined }, { reach: system.instructions() - place + 1 })
    : answerOf(run, system, question, new Unindexed(run, place));
  const outline = ({ at, time, instruction, by, after }: PastAccess) => ({ at, time, instruction, by, after });
  assert.deepEqual(again.accesses.map(outline), accesses.map(outline), question.target);
}
