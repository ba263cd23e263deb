// Breakpoints and watchpoints of one VM under a debugger. The core identifies a VM by its stage-2
// tables. A reset VM has new ones, and its stops follow it there.

import type { DebugCore, WatchKind } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";

const INSTRUCTION_SIZE = 4n;
/** Breakpoints that a VM may have. */
const MAXIMUM_BREAKPOINTS = 1000;
/** Watchpoints that a VM may have, and the bytes of one. */
const MAXIMUM_WATCHPOINTS = 64, MAXIMUM_WATCHED = MiB;

interface Watchpoint {
  readonly address: bigint;
  readonly length: number;
  readonly kind: WatchKind;
}

/** One of these has to hold, where a breakpoint has any. */
export type BreakpointCondition =
  /** gdb's bytecode: it holds if its value is not 0. */
  | { readonly kind: "agent"; readonly code: Uint8Array }
  /** The same for an expression with the guest's variables. */
  | { readonly kind: "expression"; readonly text: string };

const watchKey = (address: bigint, length: number, kind: WatchKind) => `${kind} ${address.toString(16)} ${length}`;

export class VmStops {
  /** Conditions by address, one of which has to hold; empty: it always stops. */
  readonly #breakpoints = new Map<bigint, readonly BreakpointCondition[]>();
  /** Functions that are called before an address, without a stop. */
  readonly #looks = new Map<bigint, () => void>();
  readonly #watchpoints = new Map<string, Watchpoint>();
  /** The tables of stage 2 that the VM had when it ran last. */
  #stage2: number | undefined;
  #startedBy: Vcpu | undefined;

  constructor(readonly core: DebugCore) {}

  get stage2(): number | undefined {
    return this.#stage2;
  }

  /** The vCPU before whose first instruction the VM stopped last. */
  get startedBy(): Vcpu | undefined {
    return this.#startedBy;
  }

  /** The VM stops before the first instruction of a vCPU. */
  stopAtStart(vcpu: Vcpu): void {
    this.#startedBy = vcpu;
  }

  /** No address stops the VM. */
  get empty(): boolean {
    return this.#breakpoints.size + this.#looks.size + this.#watchpoints.size === 0;
  }

  /**
   * Stops before `address`; with conditions, only if one of them holds. They replace the conditions
   * that the address had. False when no instruction can be there, or when there are too many.
   */
  insert(address: bigint, conditions: readonly BreakpointCondition[] = []): boolean {
    if (address % INSTRUCTION_SIZE || this.#breakpoints.size >= MAXIMUM_BREAKPOINTS) return false;
    this.insertAhead(address, conditions);
    return true;
  }

  /** The same, unchecked. */
  insertAhead(address: bigint, conditions: readonly BreakpointCondition[] = []): void {
    this.#breakpoints.set(address, conditions);
    if (this.#stage2 !== undefined) this.core.stops.insertBreakpoint(this.#stage2, address);
  }

  /** Conditions of the breakpoint at an address; undefined: somebody only looks there. */
  conditionsAt(address: bigint): readonly BreakpointCondition[] | undefined {
    return this.#breakpoints.get(address) ?? (this.#looks.has(address) ? undefined : []);
  }

  remove(address: bigint): void {
    if (this.#breakpoints.delete(address) && !this.#looks.has(address)) this.#leaveAddress(address);
  }

  /** Calls `act` before `address`, without a stop. */
  look(address: bigint, act: () => void): void {
    this.#looks.set(address, act);
    if (this.#stage2 !== undefined) this.core.stops.insertBreakpoint(this.#stage2, address);
  }

  /** Calls the function of an address, where a vCPU is now. */
  lookAt(address: bigint): void {
    this.#looks.get(address)?.();
  }

  unlook(address: bigint): void {
    if (this.#looks.delete(address) && !this.#breakpoints.has(address)) this.#leaveAddress(address);
  }

  #leaveAddress(address: bigint): void {
    if (this.#stage2 !== undefined) this.core.stops.removeBreakpoint(this.#stage2, address);
  }

  get #addresses(): ReadonlySet<bigint> {
    return new Set(this.#looks.keys()).union(this.#breakpoints);
  }

  /** Stops before accesses to `length` bytes; false when the length is invalid, or at too many. */
  watch(address: bigint, length: number, kind: WatchKind): boolean {
    if (length < 1 || length > MAXIMUM_WATCHED || this.#watchpoints.size >= MAXIMUM_WATCHPOINTS) return false;
    this.#watchAhead({ address, length, kind });
    return true;
  }

  unwatch(address: bigint, length: number, kind: WatchKind): void {
    const found = this.#watchpoints.delete(watchKey(address, length, kind));
    if (found && this.#stage2 !== undefined) this.core.stops.removeWatchpoint(this.#stage2, address, length, kind);
  }

  #watchAhead(watchpoint: Watchpoint): void {
    const { address, length, kind } = watchpoint;
    this.#watchpoints.set(watchKey(address, length, kind), watchpoint);
    if (this.#stage2 !== undefined) this.core.stops.insertWatchpoint(this.#stage2, address, length, kind);
  }

  /** Stops where another machine's VM stops as well. */
  adopt(other: VmStops): void {
    for (const [address, conditions] of other.#breakpoints) this.insertAhead(address, conditions);
    for (const watchpoint of other.#watchpoints.values()) this.#watchAhead(watchpoint);
  }

  clear(): void {
    for (const address of [...this.#breakpoints.keys()]) this.remove(address);
    for (const address of [...this.#looks.keys()]) this.unlook(address);
    for (const { address, length, kind } of [...this.#watchpoints.values()]) this.unwatch(address, length, kind);
  }

  /** Everything that is set moves to the tables that the VM has now. */
  moveTo(stage2: number): void {
    this.leave();
    this.#stage2 = stage2;
    for (const address of this.#addresses) this.core.stops.insertBreakpoint(stage2, address);
    for (const { address, length, kind } of this.#watchpoints.values()) this.core.stops.insertWatchpoint(stage2, address, length, kind);
  }

  /** Nothing is set for the tables that the VM had. */
  leave(): void {
    const stage2 = this.#stage2;
    this.#stage2 = undefined;
    if (stage2 === undefined) return;
    for (const address of this.#addresses) this.core.stops.removeBreakpoint(stage2, address);
    for (const { address, length, kind } of this.#watchpoints.values()) this.core.stops.removeWatchpoint(stage2, address, length, kind);
  }
}
