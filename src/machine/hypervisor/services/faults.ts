// The rules of injected faults of one machine: counts operations, decides their fate, and reports
// each fault as an event (src/machine/abi/faults.ts).

import {
  FAULT_KINDS,
  type FaultCondition,
  type FaultHit,
  type FaultKind,
  type FaultPort,
  type FaultRule,
  type FaultSubject,
  matchesWord,
} from "../../abi/faults.ts";
import type { Machine } from "../../hardware/machine.ts";
import type { TraceHub } from "../trace/trace-hub.ts";
import type { TraceNames } from "../trace/trace-names.ts";
import { injectId } from "../../abi/ids.ts";

/** A rule and its hits so far. */
interface FaultEntry {
  /** `inject:N`, from 1. */
  readonly id: string;
  readonly rule: FaultRule;
  /** Operations that its conditions fitted. */
  seen: number;
  /** Those that it hit. */
  hits: number;
}

/** Plain data: the rules and their counts. */
export interface FaultsState {
  readonly next: number;
  readonly injected: number;
  readonly entries: readonly FaultEntry[];
}

/** Requirements of injected faults on the machine. */
interface FaultServices {
  readonly trace: TraceHub;
  readonly names: TraceNames;
  readonly machine: Machine;
}

export class Faults implements FaultPort {
  readonly armed: Record<FaultKind, boolean> = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, false])) as Record<FaultKind, boolean>;
  #entries: FaultEntry[] = [];
  #next = 1;
  #injected = 0;
  /** Operations that were delayed and have not happened yet. */
  #delayed = 0;
  /** The rule that made an allocation fail, until that is refused. */
  #failed: FaultHit | undefined;

  /** Called when the rules have changed. */
  onRules: ((rules: readonly FaultRule[]) => void) | undefined;

  constructor(readonly services: FaultServices) {}

  get entries(): readonly FaultEntry[] {
    return this.#entries;
  }

  /** Delayed operations that are still to happen: closures, which no snapshot can hold. */
  get delayed(): number {
    return this.#delayed;
  }

  /** Number of operations that any rule has affected. */
  get injected(): number {
    return this.#injected;
  }

  /** A rule holds from now on. Gives its id. */
  add(rule: FaultRule): string {
    const id = injectId(this.#next++);
    this.#entries.push({ id, rule, seen: 0, hits: 0 });
    this.#rearm();
    return id;
  }

  /** Removes a rule; false for an unknown id. */
  remove(id: string): boolean {
    const left = this.#entries.filter((entry) => entry.id !== id);
    const found = left.length < this.#entries.length;
    this.#entries = left;
    this.#rearm();
    return found;
  }

  /** No rule holds any more. */
  clear(): void {
    this.#entries = [];
    this.#rearm();
  }

  save(): FaultsState {
    return structuredClone({ next: this.#next, injected: this.#injected, entries: this.#entries });
  }

  restore(state: FaultsState): void {
    this.#next = state.next;
    this.#injected = state.injected;
    this.#entries = state.entries.map((entry) => ({ ...entry }));
    this.#rearm();
  }

  hit(kind: FaultKind, given: FaultSubject): FaultHit | undefined {
    const { trace, names } = this.services;
    // The layers above the hypervisor use VMIDs, rules use names.
    const subject = typeof given.vm === "number" ? { ...given, vm: names.vm(given.vm) } : given;
    let found: FaultEntry | undefined;
    for (const entry of this.#entries) {
      const { rule } = entry;
      if (rule.kind !== kind || !rule.conditions.every((condition) => fits(condition, subject))) continue;
      // Each rule counts for itself, also what another one hits.
      const number = ++entry.seen;
      if (number < rule.first || number > rule.last || (number - rule.first) % rule.step !== 0) continue;
      found ??= entry;
    }
    if (!found) return undefined;
    found.hits++;
    this.#injected++;
    const { id, rule } = found;
    if (trace.isWanted("rule")) {
      trace.event("rule", "injected", { inject: id, rule: rule.text, hit: found.hits, refused: true, ...subject });
    }
    return { id, rule, effect: rule.effect };
  }

  /**
   * Whether a rule makes an allocation fail: of `heap` bytes, or of page `tables`. An empty
   * allocation never fails, as callers do not expect that.
   */
  failsAllocation(what: "heap" | "tables", amount: number): boolean {
    this.#failed = amount > 0 && this.armed.alloc ? this.hit("alloc", { what, amount }) : undefined;
    return this.#failed !== undefined;
  }

  /** The rule that made the allocation fail that is now refused; undefined if memory was short. */
  takeFailed(): FaultHit | undefined {
    const hit = this.#failed;
    this.#failed = undefined;
    return hit;
  }

  /** The rules that have lost interrupts of such a subject, of which some fields are known. */
  losing(subject: FaultSubject): readonly FaultEntry[] {
    return this.#entries.filter(({ rule: { kind, effect, conditions }, hits }) =>
      kind === "virq" && effect.kind === "lose" && hits > 0 &&
      conditions.every((condition) => subject[condition.field] === undefined || fits(condition, subject))
    );
  }

  spend(ns: number): void {
    const { trace, machine } = this.services;
    if (trace.pcpu !== undefined) machine.cpus[trace.pcpu].position += ns;
  }

  /** Calls `act` after a delay (virtual ns). */
  later(ns: number, act: () => void): void {
    const { machine } = this.services;
    machine.events.schedule(machine.time + ns, this.held(act));
  }

  held(act: () => void): () => void {
    this.#delayed++;
    return () => {
      this.#delayed--;
      act();
    };
  }

  #rearm(): void {
    for (const kind of FAULT_KINDS) this.armed[kind] = this.#entries.some(({ rule }) => rule.kind === kind);
    this.onRules?.(this.#entries.map(({ rule }) => rule));
  }
}

/** Whether an operation is as a condition says. A field that it does not have is like no word. */
export function fits({ field, negated, words }: FaultCondition, subject: FaultSubject): boolean {
  const value = subject[field] === undefined ? "" : String(subject[field]);
  return words.some((word) => matchesWord(word, value)) !== negated;
}
