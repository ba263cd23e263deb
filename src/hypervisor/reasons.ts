// Why calls were refused (DESIGN "Seven decisions", 6): each error that a hypercall answers leaves the rule, the object and the values
// that broke it in a small ring.

import type { ErrorCode } from "../abi/errors.ts";

/** One refused call. */
export interface Reason {
  /** Virtual time in ns. */
  readonly time: number;
  /** Name of the call, for people. */
  readonly call: string;
  /** Name of the calling vCPU. */
  readonly caller: string;
  readonly error: ErrorCode;
  /** The rule that was broken, as a phrase. */
  readonly rule: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** How many refusals are kept. */
const CAPACITY = 256;

/** The refusals of a run, the newest last. */
export class Reasons {
  readonly #ring: Reason[] = [];
  #count = 0;
  #noted: { rule: string; values: Readonly<Record<string, unknown>> } | undefined;

  /** Notes the rule that the call in progress breaks; the first note of an error stands. Gives back the error. */
  refuse<E extends ErrorCode>(error: E, rule: string, values: Readonly<Record<string, unknown>>): E {
    this.#noted ??= { rule, values };
    return error;
  }

  /** A call begins: notes of what went before are void. */
  begin(): void {
    this.#noted = undefined;
  }

  /** The call in progress answers `error`. */
  end(time: number, call: string, caller: string, error: ErrorCode): void {
    const { rule, values } = this.#noted ?? { rule: "no rule was recorded", values: {} };
    this.#noted = undefined;
    this.#count++;
    this.#ring.push({ time, call, caller, error, rule, values });
    if (this.#ring.length > CAPACITY) this.#ring.shift();
  }

  /** Refusals since the start, kept or not. */
  get count(): number {
    return this.#count;
  }

  /** What is kept, oldest first. */
  list(): readonly Reason[] {
    return this.#ring;
  }

  /** The newest refusal. */
  get last(): Reason | undefined {
    return this.#ring.at(-1);
  }
}
