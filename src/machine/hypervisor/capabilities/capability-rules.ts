// A call's requirements on a capability that it looks up: type, rights and state of the object
// (docs/spec/hypervisor.md §3.3).

import { ACTIVATE, type ObjectType } from "../../abi/rights.ts";

/** Requirements on a capability argument. */
export interface CapRule<T extends ObjectType | "any" = ObjectType | "any"> {
  readonly type: T;
  /** Rights that the capability must have, all of them. */
  readonly rights: number;
  /** Whether rights are checked before the type (lookups that accept any type at first). */
  readonly untyped: boolean;
  /** The state that the object must have. `init` is checked when every lookup has succeeded. */
  readonly state: "active" | "init" | "any";
}

/** A typed capability with `rights` to an active object: what the specification calls "right R". */
export function active<T extends ObjectType>(type: T, rights: number): CapRule<T> {
  return { type, rights, untyped: false, state: "active" };
}

/** A typed capability with `rights`; the object may be in any state. */
export function anyState<T extends ObjectType>(type: T, rights: number): CapRule<T> {
  return { type, rights, untyped: false, state: "any" };
}

/**
 * A capability of any type with the right to activate, then of type `type`; the object must still
 * be configurable (state INIT).
 */
export function configurable<T extends ObjectType>(type: T): CapRule<T> {
  return { type, rights: ACTIVATE, untyped: true, state: "init" };
}

/** A capability of any type with the right to activate. */
export function activatable(): CapRule<"any"> {
  return { type: "any", rights: ACTIVATE, untyped: true, state: "any" };
}

/** Any valid capability may be looked up so: no right, no type, any state. */
export const ANY_CAP: CapRule<"any"> = { type: "any", rights: 0, untyped: true, state: "any" };
