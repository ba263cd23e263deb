// Which call used a capability last, and its result. A call writes four numbers into a ring
// and its number into the capabilities that it looks up; names and times are put together for who
// asks.

import { ErrorCode } from "../../abi/errors.ts";
import { type HypercallName, hypercallName } from "../../abi/hypercalls.ts";

/** Calls that are remembered; a power of two. */
const CAPACITY = 1 << 14;

/** A capability's last use. */
export interface CapabilityUse {
  readonly call: HypercallName;
  /** Virtual time in ns. */
  readonly time: number;
  /** OK also for a call that has no answer yet, or never gets one. */
  readonly error: ErrorCode;
}

/** The calls of one hypervisor. */
export class CapabilityUses {
  /** Number of the call in progress or of the last one, from 1; 0 before the first. */
  current = 0;
  readonly #calls = new Uint8Array(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  readonly #errors = new Int32Array(CAPACITY);

  /** A call begins: its number in the ABI, and virtual time (ns). */
  begin(call: number, time: number): void {
    const slot = ++this.current % CAPACITY;
    this.#calls[slot] = call;
    this.#times[slot] = time;
    this.#errors[slot] = ErrorCode.OK;
  }

  /** The call in progress answers an error. */
  refused(error: ErrorCode): void {
    this.#errors[this.current % CAPACITY] = error;
  }

  /**
   * The call with this number (`Capability.lastCall`); undefined for 0, and for what is forgotten.
   */
  of(call: number): CapabilityUse | undefined {
    if (call === 0 || call + CAPACITY <= this.current) return undefined;
    const slot = call % CAPACITY;
    return { call: hypercallName(this.#calls[slot])!, time: this.#times[slot], error: this.#errors[slot] as ErrorCode };
  }
}
