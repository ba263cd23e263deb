// A Debian whose program `look-inside` prints parts of itself at random instants: the machine is
// paused before and after each part.

import assert from "node:assert/strict";
import { letIn } from "../../../src/session/recordings/past/input.ts";
import type { RecordedInput } from "../../../src/model/plans/recorded-run.ts";
import type { Past } from "../../../src/session/recordings/past/past.ts";
import { type Moment, momentOf } from "../../../src/session/recordings/past/past.ts";
import type { Answer } from "../../../src/model/queries/query.ts";
import type { AnyArguments } from "../../../src/model/queries/query-arguments.ts";
import type { TableName } from "../../../src/model/queries/tables.ts";
import { rightQuery } from "../../session/inspection/system.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import type { Debian } from "./debian.ts";
import type { Row } from "./rows.ts";
import { Comparison, type Part, PARTS, type Read } from "./printed.ts";

/** Calls that no kernel has, between which the program reads a part. */
const BEGIN = "syscall_1000", END = "syscall_1001";
/** Turns between two searches for the kernel, and virtual ns that a way may take. */
const TURNS = 1000, PATIENCE = 120e9;

/** A table that was asked for, and its arguments. */
type Asked = readonly [TableName, AnyArguments];

/** Answers at a place of the run. */
export interface Instant {
  readonly moment: Moment;
  readonly answers: readonly (readonly [Asked, Answer])[];
}

interface Mark {
  readonly end: boolean;
  readonly part: Part;
  /** Where the program has the text, and its length; bytes. */
  readonly at: bigint;
  readonly size: number;
  readonly cpu: number;
}

export class Looks {
  readonly comparison: Comparison;
  /** Looks until now. */
  count = 0;
  /** Of which each `every`-th is kept, for questions about the past. */
  readonly kept: Instant[] = [];
  readonly inputs: RecordedInput[] = [];
  #mark: Mark | undefined;
  readonly #end: () => void;

  constructor(readonly debian: Debian, readonly every = Infinity) {
    const { hypervisor, machine } = debian.system;
    this.comparison = new Comparison(debian.plan.cpus === 1);
    this.#end = hypervisor.trace.listen(["syscall"], ({ name, fields, vcpu }) => {
      if (name !== BEGIN && name !== END) return;
      const [part, at, size] = (fields as { args: string[] }).args.map(BigInt);
      this.#mark = { end: name === END, part: PARTS[Number(part)], at, size: Number(size), cpu: Number(/\d+$/.exec(vcpu)) };
      // As a stop rule does.
      hypervisor.scheduler.disturb();
      machine.suspend();
    });
  }

  /** The machine is not paused at calls any more. */
  end(): void {
    this.#end();
  }

  /** Compares looks until there are as many as this. False if the machine has stopped before. */
  until(count: number): boolean {
    while (this.count < count) if (!this.#look()) return false;
    return true;
  }

  #look(): boolean {
    for (const part of PARTS) {
      const begin = this.#next();
      if (!begin) return false;
      assert.deepEqual([begin.part, begin.end], [part, false]);
      const before = this.#read(part), end = this.#next();
      if (!end) return false;
      assert.deepEqual([end.part, end.end], [part, true]);
      const text = this.#textAt(end);
      this.comparison.compare(part, before, text, this.#read(part));
    }
    if (++this.count % this.every === 0) this.#keep();
    return true;
  }

  /** The answers of all parts now. */
  instant(parts: readonly Part[] = PARTS): Instant {
    const { debian } = this;
    return { moment: momentOf(debian.system), answers: parts.flatMap((part) => this.#asked(part)).map((one) => [one, debian.ask(...one)]) };
  }

  /** A saved state gives the same answers at once, the past when it is asked. */
  #keep(): void {
    const instant = this.instant(), copy = this.debian.copy();
    for (const [[table, args], answer] of instant.answers) assert.deepEqual(copy.ask(table, args), answer, `${table} of a saved state`);
    this.kept.push(instant);
  }

  #asked(part: Part): Asked[] {
    if (part !== "maps") return [[part === "tasks" ? "linux.ps" : `linux.${part}`, {}]];
    return [["linux.ps", {}], ...this.debian.rows("linux.ps", { filter: "kernel=no" }).map(({ pid }): Asked => ["linux.maps", { pid }])];
  }

  #read(part: Part): Read {
    const read: Record<string, unknown[]> = {};
    for (const [table, args] of this.#asked(part)) {
      // Another CPU may change a program's mappings; the kernel prints them before or after that.
      const gaps = table === "linux.maps" ? this.debian.ask(table, args).gaps ?? [] : [];
      const changes = gaps.length > 0 && gaps.every(({ code }) => code === "invalid");
      (read[table] ??= []).push(...changes ? [] : this.debian.rows(table, args));
    }
    return read as Read;
  }

  #next(): Mark | undefined {
    // The way of `early` ends at the first one.
    if (!this.#mark) this.#run(() => this.#mark !== undefined);
    const mark = this.#mark;
    this.#mark = undefined;
    return mark;
  }

  /** Runs as a session does, in turns that nothing else cuts. */
  #run(done: () => boolean): void {
    const { machine, kernelEvents } = this.debian.system, last = machine.time + PATIENCE;
    while (!done()) {
      if (machine.time > last) throw new Error(`it does not get there: ${this.debian.shown.slice(-2000)}`);
      if (!machine.inTurn) kernelEvents.follow();
      const result = machine.run(Infinity, TURNS);
      if (result.kind === "stopped") return;
      if (result.kind === "idle") machine.skipTo(result.next);
    }
  }

  /** Types a line in its shell. */
  type(line: string): void {
    const { machine } = this.debian.system,
      input = { kind: "console", console: "host", bytes: new TextEncoder().encode(`${line}\n`) } as const;
    this.#run(() => !machine.inTurn);
    this.inputs.push({ at: machine.boundary, settled: machine.settled, input });
    letIn(this.debian.system, input);
  }

  /** Runs until the console has shown something, while nothing looks. */
  shows(pattern: RegExp, from = 0): void {
    this.#run(() => pattern.test(this.debian.shown.slice(from)));
  }

  /**
   * Keeps instants until the first look, and compares the log of each with what that look prints.
   * @param turns of the way to the next instant
   * @param least instants at which there is a log
   */
  early(turns: () => number, least: number): void {
    const { machine, kernelEvents } = this.debian.system, logs: (readonly Row<"linux.log">[])[] = [];
    while (machine.time < PATIENCE) {
      kernelEvents.follow();
      const result = machine.run(Infinity, turns());
      if (this.#mark || result.kind === "stopped") break;
      if (result.kind === "idle") machine.skipTo(result.next);
      const { error, gaps } = this.debian.ask("linux.log");
      // Before a kernel has its tables it cannot be read.
      if (error !== undefined || gaps?.length) continue;
      logs.push(this.debian.rows("linux.log"));
      this.kept.push(this.instant(["log"]));
    }
    assert.ok(logs.length >= least, `${logs.length} instants with a log until ${machine.time} ns`);
    assert.ok(this.until(1));
    const printed = this.debian.rows("linux.log");
    for (const rows of logs) {
      // The last message may be continued.
      const whole = rows.slice(0, -1);
      assert.deepEqual(whole, printed.slice(0, whole.length), "the log of an early instant");
    }
  }

  /** The program's memory, page by page. */
  #textAt({ at, size, cpu }: Mark): string {
    const { symbols, machine } = this.debian.system, { registers } = symbols.vcpus("host")[cpu], parts: string[] = [];
    for (let from = at, left = size; left > 0;) {
      const length = Math.min(left, PAGE_SIZE - Number(from % BigInt(PAGE_SIZE))), place = symbols.core.questions.inspect(registers, from);
      assert.ok(place.ok, `the program's text at 0x${from.toString(16)}`);
      parts.push(new TextDecoder("latin1").decode(machine.ram.bytes(place.pa, length)));
      from += BigInt(length);
      left -= length;
    }
    return parts.join("");
  }
}

/** Asks a machine on its way again through a run, at the same places. */
export function askAgain(past: Past, instants: readonly Instant[]): void {
  for (const { moment, answers } of instants) {
    assert.ok(past.advance(moment, Infinity));
    for (const [[table, args], answer] of answers) {
      const again = past.system.inspector.answer(rightQuery(table, { vm: "vm:host", ...args }));
      assert.deepEqual(again, answer, `${table} in the past`);
    }
  }
}
