// The interrupt of a vCPU's performance monitors (docs/spec/hypervisor.md §6.1). The counters are
// the core's; it reports when the level of the line changes.

import type { VcpuState } from "../../../cpu/core/interface.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import { VirqSource } from "../gic/vic-source.ts";

/** Its INTID. */
export const PMU_PPI = 23;

export class PerformanceInterrupt {
  readonly source: VirqSource;

  /** @param owner the vCPU */
  constructor(owner: HypervisorObject, readonly registers: VcpuState) {
    this.source = new VirqSource(owner, "pmu", () => registers.pmuLine);
  }

  /** The line has changed. */
  update(): void {
    if (this.registers.pmuLine) this.source.assertLevel();
    else this.source.clear();
  }

  /** The vCPU is reset: no counter is on. */
  disable(): void {
    this.registers.setRegister("PMCR_EL0", 0n);
    if (!this.registers.pmuLine) return;
    this.registers.pmuLine = false;
    this.source.clear();
  }

  /** The state, saved or loaded; the registers are saved with all others. */
  archive(archive: ObjectArchive): void {
    this.registers.pmuLine = archive.bool("level", this.registers.pmuLine);
    this.source.archive("source", archive);
  }
}
