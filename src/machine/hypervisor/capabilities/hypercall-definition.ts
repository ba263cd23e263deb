// Defines a hypercall next to its object: which capabilities it looks up, in which order, with
// which rights, and its handler. The shape of the call itself is the ABI's
// (src/machine/abi/hypercalls.ts). Order of checks: docs/spec/hypervisor.md §1.3, §3.3.
//
//     export const calls: HypercallDefinition[] = [
//       hypercall("doorbell_send", {
//         caps: { doorbell: active("doorbell", DoorbellRight.Send) },
//         handler: (_call, { doorbell, new_flags }) => ({ old_flags: doorbell.send(new_flags) }),
//       }),
//     ];

import type { ErrorCode } from "../../abi/errors.ts";
import type { ArgumentKind, HypercallName, HYPERCALLS, ResultKind } from "../../abi/hypercalls.ts";
import type { ObjectType } from "../../abi/rights.ts";
import type { Services } from "../services/services.ts";
import type { CapRule } from "./capability-rules.ts";
import type { Cspace } from "./cspace.ts";
import type { HypervisorObject } from "./object.ts";
import type { ObjectOf } from "./object-types.ts";

type ObjectOfRule<R> = R extends CapRule<infer T> ? (T extends ObjectType ? ObjectOf<T> : HypervisorObject) : never;

type ArgumentValue<K extends ArgumentKind> = K extends "u16" | "u32" ? number : K extends "bool" ? boolean : bigint;
type ResultValue<K extends ResultKind> = K extends "u32" ? number : K extends "bool" ? boolean : bigint;

type ArgumentsOf<N extends HypercallName> = typeof HYPERCALLS[N]["arguments"];
type ResultsOf<N extends HypercallName> = typeof HYPERCALLS[N]["results"];

/** Which capability arguments of a call are looked up in the caller's cspace. Others stay ids. */
type CapRules<N extends HypercallName> = {
  readonly [A in keyof ArgumentsOf<N> as ArgumentsOf<N>[A] extends "cap" ? A : never]?: CapRule;
};

/**
 * Decoded arguments: numbers to 32 bits, bigint above, user pointers and capability ids as bigint.
 */
type RawArguments<N extends HypercallName> = {
  readonly [A in keyof ArgumentsOf<N> as ArgumentsOf<N>[A] extends "res0" | "res1" ? never : A]: ArgumentsOf<N>[A] extends ArgumentKind
    ? ArgumentValue<ArgumentsOf<N>[A]>
    : never;
};

/**
 * Arguments of a handler: those of the call, with looked-up capabilities replaced by their objects.
 */
export type Arguments<N extends HypercallName, C> = {
  readonly [A in keyof RawArguments<N>]: A extends keyof C ? ObjectOfRule<C[A]> : RawArguments<N>[A];
};

/** The results of a call by name, and its error unless that is OK. */
export type Results<N extends HypercallName> =
  & {
    -readonly [R in keyof ResultsOf<N>]: ResultsOf<N>[R] extends ResultKind ? ResultValue<ResultsOf<N>[R]> : never;
  }
  & { error?: ErrorCode };

/**
 * The result of a handler that has no result yet: the caller is no longer running when the handler
 * returns. Either it gets its results later through `HypercallTable.encode` (vcpu_run), or never
 * (vcpu_poweroff, vcpu_kill of oneself).
 */
export const DEFERRED: unique symbol = Symbol("deferred");

/**
 * Result of a handler: an error (all data results are zero), the results by name, or nothing yet.
 */
export type Reply<N extends HypercallName> = ErrorCode | Results<N> | typeof DEFERRED;

/** The caller, for handlers. */
export interface Call {
  readonly services: Services;
  readonly caller: ObjectOf<"thread">;
  /** The caller's cspace. */
  readonly cspace: Cspace;
  /**
   * Looks up a capability that only some arguments of a call need (scheduler_yield,
   * vcpu_set_affinity).
   */
  lookup<T extends ObjectType>(id: bigint, rule: CapRule<T>): ObjectOf<T> | ErrorCode;
  /**
   * Notes why the call is refused, and gives back the error. `section`: where the rule is
   * specified, if not with the call.
   */
  refuse<E extends ErrorCode>(error: E, rule: string, values?: Readonly<Record<string, unknown>>, section?: string): E;
  /**
   * The call changes nothing, and its answer depends on its arguments and on state that only other
   * exits change.
   */
  repeats(): void;
}

/** Result of `hypercall`: a definition without its call's types, for the table. */
export interface HypercallDefinition {
  readonly name: HypercallName;
  /** In order of lookup. */
  readonly caps: readonly (readonly [argument: string, rule: CapRule])[];
  readonly validate: ((call: Call, args: Readonly<Record<string, unknown>>) => ErrorCode) | undefined;
  readonly handler:
    | ((call: Call, args: Readonly<Record<string, unknown>>) => ErrorCode | Readonly<Record<string, unknown>> | typeof DEFERRED)
    | undefined;
  /** The one object that the handler returns, if its result is always the same. */
  readonly constant: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Defines a call.
 * - `caps`: the capability arguments to look up, written in order of lookup
 * - `validate`: checks that come before every lookup (reserved bits of words); gives OK or an error
 * - `constant`: instead of a handler: the results, which are always the same
 * - `handler`: absent where the call is not built: its checks are made, then the machine stops and
 *   names it
 */
export function hypercall<N extends HypercallName, const C extends CapRules<N> = Record<never, never>>(
  name: N,
  definition: {
    readonly caps?: C;
    readonly validate?: (call: Call, args: RawArguments<N>) => ErrorCode;
    readonly handler?: (call: Call, args: Arguments<N, C>) => Reply<N>;
    readonly constant?: Results<N>;
  },
): HypercallDefinition {
  const { constant } = definition;
  return {
    name,
    caps: Object.entries(definition.caps ?? {}) as [string, CapRule][],
    validate: definition.validate as HypercallDefinition["validate"],
    handler: constant ? () => constant : definition.handler as HypercallDefinition["handler"],
    constant,
  };
}
