// How a vCPU is scheduled, as its creator configures it (docs/spec/hypervisor.md §4.9).

import { CPU_INVALID } from "../../abi/words.ts";
import type { Archive } from "../../machine/archive.ts";

const DEFAULT_PRIORITY = 32;
export const PRIORITY_END = 64;
/** ns. */
export const DEFAULT_TIMESLICE = 5_000_000;

/** The settings of one vCPU. */
export class VcpuSettings {
  /** Bits of `VcpuOption`. */
  options = 0n;
  priority = DEFAULT_PRIORITY;
  /** ns. */
  timeslice = DEFAULT_TIMESLICE;
  /** Index of its physical CPU, or CPU_INVALID. */
  affinity: number = CPU_INVALID;

  /** Saved or loaded. */
  archive(archive: Archive): void {
    this.options = archive.word("options", this.options);
    this.priority = archive.integer("priority", this.priority, 0, PRIORITY_END - 1);
    this.timeslice = archive.integer("timeslice", this.timeslice, 1);
    this.affinity = archive.integer("affinity", this.affinity, 0, CPU_INVALID);
  }
}
