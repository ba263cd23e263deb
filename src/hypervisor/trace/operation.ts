// An operation that is traced: a call, an exit, a request, or what the resource manager and the
// host do for one.

import type { BrokenRule, TraceFields, TraceId, TraceKind, TraceResult } from "../../abi/trace.ts";

/** An operation, in progress or ended. */
export interface Operation {
  readonly id: TraceId;
  readonly time: number;
  readonly pcpu: number | undefined;
  readonly vcpu: string;
  readonly kind: TraceKind;
  readonly name: string;
  fields: TraceFields;
  /** Virtual address of the guest's instruction that asked for it; undefined where it was none. */
  at: bigint | undefined;
  /** The operation inside which this one was begun. */
  readonly parent: Operation | undefined;
  /** Undefined while it is in progress. */
  result: TraceResult | undefined;
  /** What it noted itself; or the reason that an operation inside it got first. */
  rule: BrokenRule | undefined;
  reason: number | undefined;
}
