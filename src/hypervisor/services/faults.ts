// The rules of injected faults of one machine: counts operations, says what happens to them, and
// tells each fault as an event (src/abi/faults.ts). What hypercalls go through is put around their
// handlers while rules name them, so that others pay nothing.

import { ErrorCode } from "../../abi/errors.ts";
import {
  FAULT_KINDS,
  type FaultCondition,
  type FaultHit,
  type FaultKind,
  type FaultPort,
  type FaultRule,
  type FaultSubject,
  INJECTED,
  INJECTED_SECTION,
  injectedValues,
} from "../../abi/faults.ts";
import { type HypercallName, HYPERCALLS } from "../../abi/hypercalls.ts";
import type { Call, HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { DEFERRED } from "../capabilities/hypercall-definition.ts";
import type { Hypervisor } from "../hypervisor.ts";

/** A rule and what has come of it. */
export interface FaultEntry {
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

/** The rules. */
export class Faults implements FaultPort {
  readonly armed: Record<FaultKind, boolean> = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, false])) as Record<FaultKind, boolean>;
  #entries: FaultEntry[] = [];
  #next = 1;
  #injected = 0;
  /** Hypercalls that rules are put around now. */
  #around = new Set<HypercallName>();
  /** Operations that were delayed and have not happened yet. */
  #delayed = 0;

  constructor(readonly hypervisor: Hypervisor) {}

  get entries(): readonly FaultEntry[] {
    return this.#entries;
  }

  /** Delayed operations that are still to happen: closures, which no snapshot can hold. */
  get delayed(): number {
    return this.#delayed;
  }

  /** Operations that went wrong, by any rule. */
  get injected(): number {
    return this.#injected;
  }

  /** A rule holds from now on. Gives its id. */
  add(rule: FaultRule): string {
    const id = `inject:${this.#next++}`;
    this.#entries.push({ id, rule, seen: 0, hits: 0 });
    this.#rearm();
    return id;
  }

  /** A rule holds no more; false where there is none with this id. */
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
    const { trace, names } = this.hypervisor;
    // Those above the hypervisor know VMIDs, people names.
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
    if (trace.wants("rule")) trace.event("rule", "injected", { inject: id, rule: rule.text, hit: found.hits, refused: true, ...subject });
    return { id, rule, effect: rule.effect };
  }

  spend(ns: number): void {
    const { trace, machine } = this.hypervisor;
    if (trace.pcpu !== undefined) machine.cpus[trace.pcpu].position += ns;
  }

  /** Does something so much later (virtual ns). */
  later(ns: number, act: () => void): void {
    const { machine } = this.hypervisor;
    this.#delayed++;
    machine.events.schedule(machine.time + ns, () => {
      this.#delayed--;
      act();
    });
  }

  #rearm(): void {
    for (const kind of FAULT_KINDS) this.armed[kind] = this.#entries.some(({ rule }) => rule.kind === kind);
    const rules = this.#entries.filter(({ rule }) => rule.kind === "hvc").map(({ rule }) => rule);
    const named = (Object.keys(HYPERCALLS) as HypercallName[]).filter((name) =>
      rules.some(({ conditions }) => conditions.every((condition) => condition.field !== "name" || fits(condition, { name })))
    );
    const { hypercalls } = this.hypervisor;
    for (const name of this.#around) hypercalls.around(name, undefined);
    this.#around = new Set(named);
    for (const name of named) hypercalls.around(name, (definition) => this.#put(definition));
  }

  /** The definition of a call that asks for faults before anything else is looked at. */
  #put(definition: HypercallDefinition): HypercallDefinition {
    const { name, validate, handler } = definition;
    let hit: FaultHit | undefined;
    return {
      ...definition,
      constant: undefined,
      validate: (call, args) => {
        hit = this.hit("hvc", { name, vm: vmOf(call), vcpu: call.hypervisor.names.vcpu(call.caller) });
        if (hit?.effect.kind === "delay") this.spend(hit.effect.ns);
        if (hit?.effect.kind === "error") {
          return call.refuse(hit.effect.code as ErrorCode, INJECTED, injectedValues(hit), INJECTED_SECTION);
        }
        return validate?.(call, args) ?? ErrorCode.OK;
      },
      handler: handler && ((call, args) => {
        if (hit?.effect.kind === "lose") return ErrorCode.OK;
        const twice = hit?.effect.kind === "double";
        const first = handler(call, args);
        return twice && first !== DEFERRED ? handler(call, args) : first;
      }),
    };
  }
}

function vmOf({ hypervisor, caller }: Call): string {
  return caller.addressSpace ? hypervisor.names.vm(caller.addressSpace.vmid) : "";
}

/** Whether an operation is as a condition says. A field that it does not have is like no word. */
function fits({ field, negated, words }: FaultCondition, subject: FaultSubject): boolean {
  const value = subject[field] === undefined ? "" : String(subject[field]);
  return words.some((word) => matchesWord(word, value)) !== negated;
}

/** Whether a word, in which `*` stands for anything, is this value. */
export function matchesWord(word: string, value: string): boolean {
  const parts = word.split("*");
  if (parts.length === 1) return word === value;
  let at = parts[0].length;
  if (!value.startsWith(parts[0])) return false;
  for (const part of parts.slice(1, -1)) {
    const found = value.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  const last = parts[parts.length - 1];
  return value.length >= at + last.length && value.endsWith(last);
}
