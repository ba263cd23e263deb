// Why operations were refused (docs/design/decisions.md §6): the rule that was broken, and the
// operations inside which that happened.

import type { BrokenRule, Reason, ReasonStep, TraceResult } from "../../abi/trace.ts";
import type { Operation } from "./operation.ts";

/** One refusal as it is kept: its operations may still be in progress. */
interface Refusal {
  readonly id: number;
  readonly operation: Operation;
  readonly rule: BrokenRule;
}

/** How many refusals are kept. */
const CAPACITY = 256;

/** The result of an operation that has not ended. */
const IN_PROGRESS: TraceResult = { code: 0, name: "in progress", refused: false };

/** The refusals of a run. */
export class Reasons {
  readonly #ring: Refusal[] = [];
  #count = 0;

  /** Records that `operation` was refused by `rule`. Gives the reason's number. */
  add(operation: Operation, rule: BrokenRule): number {
    const id = ++this.#count;
    this.#ring.push({ id, operation, rule });
    if (this.#ring.length > CAPACITY) this.#ring.shift();
    return id;
  }

  /** Refusals since the start, kept or not: the number of the newest. */
  get count(): number {
    return this.#count;
  }

  /** The reason with this number, while it is kept. */
  get(id: number): Reason | undefined {
    const refusal = this.#ring[id - this.#count + this.#ring.length - 1];
    return refusal && describe(refusal);
  }

  /** What is kept, oldest first; with `after` only those with a higher number. */
  list(after = 0): readonly Reason[] {
    return this.#ring.filter(({ id }) => id > after).map(describe);
  }

  /** The newest. */
  get last(): Reason | undefined {
    return this.get(this.#count);
  }
}

function describe({ id, operation, rule }: Refusal): Reason {
  const chain: ReasonStep[] = [];
  let first = operation;
  for (let step: Operation | undefined = operation; step; step = step.parent) {
    first = step;
    const { id, kind, name, fields, result } = step;
    chain.unshift({ id, kind, name, fields, result: result ?? IN_PROGRESS });
  }
  return { id, time: operation.time, askedBy: first.vcpu, at: first.at, chain, ...rule };
}
