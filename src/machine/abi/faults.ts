// Injected faults: rules that say which operation fails, and how (docs/fault-injection.md).
// The code that performs operations asks a `FaultPort` for the effect on each; without rules it
// does not ask. Rules are counted in the order of virtual time, so that a run with the same rules
// is the same run.

import { hint, hintText } from "../../kit/support/text/hint.ts";

/** Kinds of operations that can fail. */
export const FAULT_KINDS = ["hvc", "rpc", "ioctl", "alloc", "virq", "dev", "assign"] as const;
export type FaultKind = typeof FAULT_KINDS[number];

/** The effect of a rule on an operation. */
export type FaultEffect =
  /** It is refused; `code` is the number that its kind's callers get. */
  | { readonly kind: "error"; readonly name: string; readonly code: number }
  /** It happens this much later: virtual ns. */
  | { readonly kind: "delay"; readonly ns: number }
  /** It never happens, and is not reported. */
  | { readonly kind: "lose" }
  /** It happens twice. */
  | { readonly kind: "double" }
  /** The component that performs it ends its service. */
  | { readonly kind: "die" };

/**
 * The operation that is asked about: values of the fields of its kind. A `vm` that is a number is a
 * VMID.
 */
export type FaultSubject = Readonly<Record<string, string | number>>;

/** One condition: a field is, or is not, one of these words, in which `*` stands for anything. */
export interface FaultCondition {
  readonly field: string;
  readonly negated: boolean;
  readonly words: readonly string[];
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

/** A rule, checked. */
export interface FaultRule {
  /** As it was written. */
  readonly text: string;
  readonly kind: FaultKind;
  readonly conditions: readonly FaultCondition[];
  /**
   * The first and the last operation that it hits, counted from 1 among those that match its
   * conditions; the last may be Infinity.
   */
  readonly first: number;
  readonly last: number;
  /** It applies to every N-th matching operation. */
  readonly step: number;
  readonly effect: FaultEffect;
}

/** The interface that performers of operations ask. */
export interface FaultPort {
  /** Whether there are rules of a kind: the only cost of an operation while there are none. */
  readonly armed: Readonly<Record<FaultKind, boolean>>;
  /** Counts an operation, and returns the effect on it. */
  hit(kind: FaultKind, subject: FaultSubject): FaultHit | undefined;
  /** The CPU that is running spends this much virtual time (ns). */
  spend(ns: number): void;
  /** The rest of an operation that is delayed, which its performer calls when it is due. */
  held(act: () => void): () => void;
}

/** An operation that a rule hits. */
export interface FaultHit {
  /** `inject:N`. */
  readonly id: string;
  readonly rule: FaultRule;
  readonly effect: FaultEffect;
}

/** The rule that an injected refusal names. */
export const INJECTED = "a fault was injected";
/** Its citation: a command instead of a section. */
export const INJECTED_SECTION = hintText(hint("inject"));

/** The values of an injected refusal, for its reason. */
export function injectedValues({ id, rule }: FaultHit): Readonly<Record<string, string>> {
  return { inject: id, rule_text: rule.text };
}

/** A port that never has rules. */
export const NO_FAULTS: FaultPort = {
  armed: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, false])) as Record<FaultKind, boolean>,
  hit: () => undefined,
  spend: () => {},
  held: (act) => act,
};
