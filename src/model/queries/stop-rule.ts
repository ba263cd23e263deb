// The text form of stop rules: plain data, the same in process and over a socket.

import * as v from "valibot";
import { count, name, text } from "./fields.ts";

/** A change of the stop rules. */
export const stopChange = v.variant("kind", [
  v.strictObject({ kind: v.literal("event"), filter: text() }),
  /**
   * A place of code: `VM:SYMBOL`, `VM:ADDRESS` or `VM/INDEX:pc`; or a system call (`callFilter`).
   * `holds`: an expression that is other than 0 there.
   */
  v.strictObject({ kind: v.literal("place"), at: text(), holds: v.optional(text()) }),
  /** Once: when the vCPU has executed this many instructions from now on. */
  v.strictObject({ kind: v.literal("step"), vcpu: name, count: count() }),
  /** `stop:N`, or `all`. */
  v.strictObject({ kind: v.literal("remove"), rule: name }),
]);
export type StopChange = Readonly<v.InferOutput<typeof stopChange>>;

/** `syscall:NAME` or `syscall:NAME:RESULT` as a place. */
const CALL = /^syscall:([a-z0-9_]+)(?::(\w+))?$/;

/** The filter for the return of a system call that is named as a place; undefined for others. */
export function callFilter(at: string): string | undefined {
  const [, name, result] = CALL.exec(at) ?? [];
  return name && `kind=syscall name=${name}${result === undefined ? "" : ` res=${result}`}`;
}

/**
 * The function that a Linux kernel calls for each module when the module is in its place and in the
 * list, before anything in it is executed: it reads the module's parameters. It also reads the
 * command line's, some ten times.
 */
export const MODULE_LOADS = "parse_args";

/** Where breakpoints of one place are: a source line may have several pieces of code. */
export interface BreakPlace {
  readonly vm: string;
  readonly addresses: readonly bigint[];
  /**
   * Of a name in modules of the VM's kernel: those modules, or the one that it waits for while
   * there are no addresses. They change as the kernel loads and unloads modules.
   */
  readonly modules?: readonly string[];
}

export interface StopRule {
  /** `stop:N`. */
  readonly id: string;
  readonly kind: "event" | "place";
  /** The filter, or the place as the user has written it. */
  readonly text: string;
  /** How often it has stopped the machine. */
  hits: number;
  /** Where it stops now, for display; undefined for events. */
  readonly where: string | undefined;
  /** The event or place of its last stop. */
  last: { readonly time: number; readonly text: string } | undefined;
}

/** Why the machine is stopped. */
export interface StopHit {
  /** `stop:N`, or `step`. */
  readonly rule: string;
  /** The event, or the place. */
  readonly text: string;
}
