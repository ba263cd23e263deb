// Why operations were refused (docs/design/decisions.md §6): the rule that was broken, and the
// operations inside which that happened; and why VMs ended.

import type { BrokenRule, Reason, ReasonStep, TraceResult } from "../../abi/trace.ts";
import type { Operation } from "./operation.ts";
import type { Hint } from "../../../kit/support/text/hint.ts";

/** One refusal as it is kept: its operations may still be in progress. */
interface Refusal {
  readonly id: number;
  readonly operation: Operation;
  readonly rule: BrokenRule;
  /** The operation that was requested failed by it. */
  alarm: boolean;
  ended: string | undefined;
}

interface VmEnd extends BrokenRule {
  /** Virtual time in ns. */
  readonly time: number;
  readonly vm: string;
  /** Name of the vCPU whose operation ended it. */
  readonly askedBy: string;
  readonly at: bigint | undefined;
  /** It ended as requested. */
  readonly settled: boolean;
  readonly result: string;
  readonly command?: Hint;
}

interface KeptEnd {
  readonly id: number;
  readonly end: VmEnd;
}

/** The reasons at a place of a run, for another machine there. */
export interface ReasonsMemory {
  readonly ring: readonly (Refusal | KeptEnd)[];
  readonly count: number;
  readonly alarms: number;
}

/** How many reasons are kept. */
const CAPACITY = 256;

/** The result of an operation that has not ended. */
const IN_PROGRESS: TraceResult = { code: 0, name: "in progress", refused: false };

export class Reasons {
  #ring: (Refusal | KeptEnd)[] = [];
  #count = 0;
  #alarms = 0;

  /** Records that `operation` was refused by `rule`. Gives the reason's number. */
  add(operation: Operation, rule: BrokenRule): number {
    return this.#add({ id: ++this.#count, operation, rule, alarm: false, ended: undefined });
  }

  /** The requested operation has failed by this refusal: its caller did not handle it. */
  alarm(id: number): void {
    const refusal = this.#get(id);
    if (refusal && "end" in refusal || refusal?.alarm) return;
    if (refusal) refusal.alarm = true;
    this.#alarms++;
  }

  /** Records the end of a VM. Gives the reason's number. */
  addEnd(end: VmEnd): number {
    if (!end.settled) this.#alarms++;
    return this.#add({ id: ++this.#count, end });
  }

  /**
   * A VM has failed by the newest refusal that failed an operation, of those that may have been its
   * owner's. False without one.
   */
  endsVm(vm: string, mayBe: (reason: Reason) => boolean): boolean {
    const refusal = this.#ring.findLast((one) => "operation" in one && one.alarm && one.ended === undefined && mayBe(describe(one)));
    if (!refusal || "end" in refusal) return false;
    refusal.ended = vm;
    return true;
  }

  /** A copy for later; refusals change while their operations are in progress. */
  remember(copy: (operation: Operation) => Operation): ReasonsMemory {
    return { ring: copyRing(this.#ring, copy), count: this.#count, alarms: this.#alarms };
  }

  recall({ ring, count, alarms }: ReasonsMemory, copy: (operation: Operation) => Operation): void {
    this.#ring = copyRing(ring, copy);
    this.#count = count;
    this.#alarms = alarms;
  }

  /** The newest reason why a VM of this name ended, while it is kept. */
  endOf(vm: string): Reason | undefined {
    const reason = this.#ring.findLast((one) => ("end" in one ? one.end.vm : one.ended) === vm);
    return reason && describe(reason);
  }

  /** Reasons since the start, kept or not: the number of the newest. */
  get count(): number {
    return this.#count;
  }

  /** Of those, by how many something has failed. */
  get alarms(): number {
    return this.#alarms;
  }

  /** The reason with this number, while it is kept. */
  get(id: number): Reason | undefined {
    const reason = this.#get(id);
    return reason && describe(reason);
  }

  /** The kept reasons, oldest first; with `after` only those with a higher number. */
  list(after = 0): readonly Reason[] {
    return this.#ring.filter(({ id }) => id > after).map(describe);
  }

  /** The newest. */
  get last(): Reason | undefined {
    return this.get(this.#count);
  }

  #add(reason: Refusal | KeptEnd): number {
    this.#ring.push(reason);
    if (this.#ring.length > CAPACITY) this.#ring.shift();
    return reason.id;
  }

  #get(id: number): Refusal | KeptEnd | undefined {
    return this.#ring[id - this.#count + this.#ring.length - 1];
  }
}

function copyRing(ring: ReasonsMemory["ring"], copy: (operation: Operation) => Operation): (Refusal | KeptEnd)[] {
  return ring.map((reason) => "end" in reason ? reason : { ...reason, operation: copy(reason.operation) });
}

function describe(reason: Refusal | KeptEnd): Reason {
  if ("end" in reason) {
    const { vm, command, ...end } = reason.end;
    return { id: reason.id, ended: vm, chain: [], command, ...end };
  }
  const { id, operation, rule, alarm, ended } = reason;
  const chain: ReasonStep[] = [];
  let first = operation;
  for (let step: Operation | undefined = operation; step; step = step.parent) {
    first = step;
    const { kind, time, pcpu, operation, number, name, fields, result } = step;
    chain.unshift({ kind, time, pcpu, operation, number, name, fields, result: result ?? IN_PROGRESS });
  }
  // While the outermost operation is in progress its end is not known.
  const settled = !alarm;
  const about = { settled, ended, result: undefined, command: undefined };
  return { id, time: operation.time, askedBy: first.vcpu, at: first.at, chain, ...about, ...rule };
}
