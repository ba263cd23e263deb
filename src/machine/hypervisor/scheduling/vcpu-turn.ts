// The scheduler's state of a vCPU: its slice, its place in the queue, and its directed yields
// (docs/spec/hypervisor.md §5.1 to §5.5). Only the scheduler and its run queues change it.

import type { ObjectArchive } from "../archive/archive.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import { DEFAULT_TIMESLICE, LONGEST_TIMESLICE } from "./vcpu-settings.ts";

type Vcpu = ObjectOf<"thread">;

export class VcpuTurn {
  #sliceLeft = DEFAULT_TIMESLICE;
  #queued = false;
  #yieldTo: Vcpu | undefined;
  #donor: Vcpu | undefined;
  #insideRun = false;

  /** The rest of its timeslice, ns. */
  get sliceLeft(): number {
    return this.#sliceLeft;
  }

  /**
   * Whether its timeslice is over. Less than 1 ns does not count: added to a time it may be lost
   * in rounding, and the vCPU would keep its CPU without any time passing.
   */
  get isOver(): boolean {
    return this.#sliceLeft < 1;
  }

  /** Whether it waits in a run queue. */
  get queued(): boolean {
    return this.#queued;
  }

  /** The vCPU that runs instead of it (directed yield, vcpu_run). */
  get yieldTo(): Vcpu | undefined {
    return this.#yieldTo;
  }

  /** The vCPU whose place it runs in. */
  get donor(): Vcpu | undefined {
    return this.#donor;
  }

  /** Whether the yield in progress is a vcpu_run, which has results. */
  get insideRun(): boolean {
    return this.#insideRun;
  }

  /** Its slice begins, of `timeslice` ns. */
  renew(timeslice: number): void {
    this.#sliceLeft = timeslice;
  }

  /** It has run, or held its CPU, for `time` ns. */
  spend(time: number): void {
    this.#sliceLeft -= time;
  }

  enterQueue(): void {
    this.#queued = true;
  }

  leaveQueue(): void {
    this.#queued = false;
  }

  /** `target` runs instead of it from now on. */
  lend(target: Vcpu, insideRun: boolean): void {
    this.#yieldTo = target;
    this.#insideRun = insideRun;
  }

  /** Ends the run of the other vCPU. Returns whether it was inside vcpu_run. */
  takeBack(): boolean {
    const { insideRun } = this;
    this.#yieldTo = undefined;
    this.#insideRun = false;
    return insideRun;
  }

  /** From now on it runs by the yield of `donor`, or by itself; its slice is `timeslice` ns. */
  moveTo(donor: Vcpu | undefined, timeslice: number): void {
    this.#donor = donor;
    this.#sliceLeft = timeslice;
  }

  archive(archive: ObjectArchive): void {
    this.#sliceLeft = archive.float("sliceLeft", this.#sliceLeft);
    archive.check(this.#sliceLeft <= LONGEST_TIMESLICE, "what is left of a timeslice is no longer than the longest");
    this.#queued = archive.bool("queued", this.#queued);
    this.#yieldTo = archive.objectOrNone("yieldTo", this.#yieldTo, "thread");
    this.#donor = archive.objectOrNone("donor", this.#donor, "thread");
    this.#insideRun = archive.bool("insideRun", this.#insideRun);
  }
}
