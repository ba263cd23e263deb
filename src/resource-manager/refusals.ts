// Why requests were refused: each error that a reply carries leaves the rule, the object and the hypercall behind it in a small ring.
// Within a handler a refusal is an exception, as it ends the request from any depth; the dispatcher turns it into the reply.

import { RmError } from "../abi/rpc/errors.ts";
import { HypercallFailure } from "./calls.ts";

/** Ends the request in progress with an error. */
export class Refusal extends Error {
  /**
   * @param rule the rule that was broken, as a phrase.
   * @param values the object and the values that broke it.
   */
  constructor(readonly error: RmError, readonly rule: string, readonly values: Readonly<Record<string, unknown>> = {}) {
    super(rule);
  }
}

/** One refused request. */
export interface RecordedRefusal {
  /** Virtual time in ns. */
  readonly time: number;
  /** Name of the message. */
  readonly message: string;
  /** VMID of the requester. */
  readonly caller: number;
  readonly error: RmError;
  readonly rule: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** How many refusals are kept. */
const CAPACITY = 256;

/** The refusals of a run, the newest last. */
export class Refusals {
  readonly #ring: RecordedRefusal[] = [];

  record(refusal: RecordedRefusal): void {
    this.#ring.push(refusal);
    if (this.#ring.length > CAPACITY) this.#ring.shift();
  }

  /** What is kept, oldest first. */
  list(): readonly RecordedRefusal[] {
    return this.#ring;
  }
}

/** @throws Refusal unless `condition` holds. */
export function require(
  condition: boolean,
  error: RmError,
  rule: string,
  values: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new Refusal(error, rule, values);
}

/** Runs a step whose hypercall failures all become one RPC error. */
export function refuseAs<T>(error: RmError, rule: string, step: () => T): T {
  try {
    return step();
  } catch (failure) {
    if (failure instanceof HypercallFailure) throw new Refusal(error, rule, { hypercall: failure.message });
    throw failure;
  }
}

/** The refusal that an exception stands for; other exceptions are bugs and go on. */
export function asRefusal(failure: unknown): Refusal {
  if (failure instanceof Refusal) return failure;
  if (failure instanceof HypercallFailure) {
    // OK is no failure: a code that maps to none is a denial.
    return new Refusal(failure.rmError === RmError.OK ? RmError.DENIED : failure.rmError, "a hypercall was refused", {
      hypercall: failure.message,
    });
  }
  throw failure;
}
