// An operation that is traced: a call, an exit, a request, or what the Resource Manager and the
// host do for one.

import type { BrokenRule, EventPlace, TraceFields, TraceId, TraceMessage, TraceResult } from "../../abi/trace.ts";

/** An operation, in progress or ended. */
export interface Operation extends EventPlace {
  readonly id: TraceId;
  readonly vcpu: string;
  readonly name: string;
  /** By which the program that began it finds it again. */
  readonly key: string | number | undefined;
  fields: TraceFields;
  /** Virtual address of the guest's instruction that asked for it; undefined if it was none. */
  at: bigint | undefined;
  /** The operation inside which this one was begun. */
  readonly parent: Operation | undefined;
  /** Undefined while it is in progress. */
  result: TraceResult | undefined;
  /** The rule that it noted itself, or the reason of the first refusal inside it. */
  rule: BrokenRule | undefined;
  reason: number | undefined;
  /** The messages that it is about. */
  messages?: readonly TraceMessage[];
  /**
   * Hypercalls made for a request until its reply; how many there had been when it last continued.
   */
  calls?: number;
  callsBefore: number;
}

/**
 * Copies operations that may change together: one that has ended, inside others that have, is
 * shared.
 */
export function copyOperations(): (operation: Operation) => Operation {
  const copies = new Map<Operation, Operation>();
  return function copy(operation): Operation {
    const known = copies.get(operation);
    if (known) return known;
    const parent = operation.parent && copy(operation.parent);
    const same = operation.result !== undefined && parent === operation.parent;
    const made = same ? operation : { ...operation, parent };
    copies.set(operation, made);
    return made;
  };
}
