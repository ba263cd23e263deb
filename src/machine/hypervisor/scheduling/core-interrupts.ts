// Interrupts of a vCPU whose lines the core keeps, which reports when a level changes: that of the
// performance monitors (docs/spec/hypervisor.md §6.1), and the maintenance interrupt of the virtual
// CPU interface.

import type { VcpuState } from "../../../cpu/core/interface.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import { VirqSource } from "../gic/vic-source.ts";

/** Their INTIDs. */
const Ppi = { Performance: 23, Maintenance: 25 } as const;

/** One of them. */
class CoreInterrupt {
  readonly source: VirqSource;

  /** @param owner the vCPU */
  constructor(
    owner: HypervisorObject,
    readonly name: string,
    readonly intid: number,
    readonly registers: VcpuState,
    readonly line: "pmuLine" | "maintenanceLine",
  ) {
    this.source = new VirqSource(owner, name, () => registers[line]);
  }

  /** The line has changed. */
  update(): void {
    if (this.registers[this.line]) this.source.assertLevel();
    else this.source.clear();
  }

  /** The vCPU is reset, and with it what raised the line. */
  disable(): void {
    if (!this.registers[this.line]) return;
    this.registers[this.line] = false;
    this.source.clear();
  }

  /** The state, saved or loaded; the registers are saved with all others. */
  archive(archive: ObjectArchive): void {
    this.registers[this.line] = archive.bool("level", this.registers[this.line]);
    this.source.archive("source", archive);
  }
}

export class CoreInterrupts {
  /** Undefined if the CPU has no performance monitors. */
  readonly performance: CoreInterrupt | undefined;
  /** Undefined if the CPU has no EL2. */
  readonly maintenance: CoreInterrupt | undefined;
  readonly all: readonly CoreInterrupt[];

  /** @param owner the vCPU */
  constructor(owner: HypervisorObject, readonly registers: VcpuState) {
    this.performance = registers.names.includes("PMCR_EL0")
      ? new CoreInterrupt(owner, "pmu", Ppi.Performance, registers, "pmuLine")
      : undefined;
    this.maintenance = registers.hasEl2
      ? new CoreInterrupt(owner, "maintenance", Ppi.Maintenance, registers, "maintenanceLine")
      : undefined;
    this.all = [this.performance, this.maintenance].filter((one) => one !== undefined);
  }

  /** The vCPU is reset: no counter is on. */
  disable(): void {
    if (this.performance) this.registers.setRegister("PMCR_EL0", 0n);
    for (const interrupt of this.all) interrupt.disable();
  }

  archive(archive: ObjectArchive): void {
    const { performance, maintenance } = this;
    if (performance) archive.within("performance", () => performance.archive(archive));
    if (maintenance) archive.within("maintenance", () => maintenance.archive(archive));
  }

  /** The vCPU is gone. */
  release(): void {
    for (const { source } of this.all) source.unbind();
  }
}
