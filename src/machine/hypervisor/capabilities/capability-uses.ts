// The last call that used a capability, with its result. A call writes four numbers into a ring and
// its number into the capabilities that it looks up; names and times are computed on request.

import { ErrorCode } from "../../abi/errors.ts";
import { type HypercallName, hypercallName } from "../../abi/hypercalls.ts";

/** Calls that are remembered; a power of two. */
const CAPACITY = 1 << 14;

/** A capability's last use. */
interface CapabilityUse {
  readonly call: HypercallName;
  /** Virtual time in ns. */
  readonly time: number;
  /** OK also for a call that has no result yet, or never gets one. */
  readonly error: ErrorCode;
}

/** The part of a capability that concerns its uses. */
interface UsedCapability {
  readonly lastCall: number;
  use(call: number): void;
}

/** A cspace with its capabilities. */
interface Used {
  readonly serial: number;
  capabilities(): Iterable<readonly [id: bigint, capability: UsedCapability]>;
}

/** The last uses at a place of a run, for another machine there. */
export interface UsesMemory {
  readonly current: number;
  /** Of capabilities by cspace and id: number of the call, its number in the ABI, time, error. */
  readonly uses: ReadonlyMap<string, readonly [last: number, call: number, time: number, error: number]>;
}

/** The calls of one hypervisor. */
export class CapabilityUses {
  #current = 0;
  /** The capability that was looked up last. */
  #latest: UsedCapability | undefined;
  readonly #calls = new Uint8Array(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  readonly #errors = new Int32Array(CAPACITY);

  /** Number of the call in progress or of the last one, from 1; 0 before the first. */
  get current(): number {
    return this.#current;
  }

  /** A call begins: its number in the ABI, and virtual time (ns). */
  begin(call: number, time: number): void {
    const slot = ++this.#current % CAPACITY;
    this.#calls[slot] = call;
    this.#times[slot] = time;
    this.#errors[slot] = ErrorCode.OK;
  }

  /** The call in progress looks up a capability. */
  use(capability: UsedCapability): void {
    capability.use(this.#current);
    this.#latest = capability;
  }

  /** The call, which looked up one capability, was made `count` more times, the last at `time`. */
  repeat(count: number, time: number): void {
    const slot = this.#current % CAPACITY, call = this.#calls[slot], error = this.#errors[slot] as ErrorCode;
    const used = this.#latest?.lastCall === this.#current ? this.#latest : undefined;
    this.#current += count - 1;
    this.begin(call, time);
    this.refused(error);
    if (used) this.use(used);
  }

  remember(cspaces: Iterable<Used>): UsesMemory {
    const uses = new Map<string, [number, number, number, number]>();
    for (const cspace of cspaces) {
      for (const [id, { lastCall }] of cspace.capabilities()) {
        const slot = lastCall % CAPACITY;
        if (this.of(lastCall)) uses.set(`${cspace.serial} ${id}`, [lastCall, this.#calls[slot], this.#times[slot], this.#errors[slot]]);
      }
    }
    return { current: this.#current, uses };
  }

  recall({ current, uses }: UsesMemory, cspaces: Iterable<Used>): void {
    this.#current = current;
    for (const cspace of cspaces) {
      for (const [id, capability] of cspace.capabilities()) {
        const use = uses.get(`${cspace.serial} ${id}`);
        if (!use) continue;
        const [last, call, time, error] = use;
        const slot = last % CAPACITY;
        capability.use(last);
        this.#calls[slot] = call;
        this.#times[slot] = time;
        this.#errors[slot] = error;
      }
    }
  }

  /** The call in progress answers an error. */
  refused(error: ErrorCode): void {
    this.#errors[this.#current % CAPACITY] = error;
  }

  /**
   * The call with this number (`Capability.lastCall`); undefined for 0, and for what is forgotten.
   */
  of(call: number): CapabilityUse | undefined {
    if (call === 0 || call + CAPACITY <= this.#current) return undefined;
    const slot = call % CAPACITY;
    const name = hypercallName(this.#calls[slot]);
    return name && { call: name, time: this.#times[slot], error: this.#errors[slot] as ErrorCode };
  }
}
