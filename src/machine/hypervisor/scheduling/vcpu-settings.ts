// How a vCPU is scheduled, as its creator configures it (docs/spec/hypervisor.md §4.9).

import { CPU_INVALID, VcpuOption } from "../../abi/words.ts";
import type { Archive } from "../../hardware/archive.ts";

const DEFAULT_PRIORITY = 32;
export const PRIORITY_END = 64;
/** ns. */
export const DEFAULT_TIMESLICE = 5_000_000, SHORTEST_TIMESLICE = 100_000, LONGEST_TIMESLICE = 100_000_000;

export class VcpuSettings {
  #options = 0n;
  #priority = DEFAULT_PRIORITY;
  #timeslice = DEFAULT_TIMESLICE;
  #affinity: number = CPU_INVALID;
  #wakesAtTimers = true;

  /** Bits of `VcpuOption`. */
  get options(): bigint {
    return this.#options;
  }

  /**
   * Whether its timers end its sleep outside vcpu_run; otherwise the VMM that runs it keeps the
   * time.
   */
  get wakesAtTimers(): boolean {
    return this.#wakesAtTimers;
  }

  get priority(): number {
    return this.#priority;
  }

  /** ns. */
  get timeslice(): number {
    return this.#timeslice;
  }

  /** Index of its physical CPU, or CPU_INVALID. */
  get affinity(): number {
    return this.#affinity;
  }

  /** Of the primary VM (option hlos_vm). */
  get isPrimary(): boolean {
    return (this.#options & VcpuOption.HlosVm) !== 0n;
  }

  /** Without it the system cannot continue; its power-off is the platform's. */
  get isCritical(): boolean {
    return (this.#options & (VcpuOption.Critical | VcpuOption.HlosVm)) !== 0n;
  }

  get isPinned(): boolean {
    return (this.#options & (VcpuOption.Pinned | VcpuOption.HlosVm)) !== 0n;
  }

  /** While in state INIT. @param options bits of `VcpuOption` */
  setOptions(options: bigint): void {
    this.#options = options;
    this.#wakesAtTimers = (options & VcpuOption.NoTimerWakeups) === 0n;
  }

  /** While in state INIT, so in no run queue. */
  setPriority(priority: number): void {
    this.#priority = priority;
  }

  /** While in state INIT. @param timeslice ns */
  setTimeslice(timeslice: number): void {
    this.#timeslice = timeslice;
  }

  /** Of an active vCPU, only the scheduler sets it (`Scheduler.migrate`). */
  setAffinity(affinity: number): void {
    this.#affinity = affinity;
  }

  archive(archive: Archive): void {
    this.setOptions(archive.word("options", this.#options));
    this.#priority = archive.integer("priority", this.#priority, 0, PRIORITY_END - 1);
    this.#timeslice = archive.integer("timeslice", this.#timeslice, SHORTEST_TIMESLICE, LONGEST_TIMESLICE);
    this.#affinity = archive.integer("affinity", this.#affinity, 0, CPU_INVALID);
  }
}
