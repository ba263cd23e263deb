// What a vCPU has used of its physical CPUs.

import type { Archive } from "../../machine/archive.ts";
import { DOUBLE } from "../../machine/clock.ts";

/** The counts of one vCPU. */
export class VcpuUsage {
  /** Instructions that it has retired, and virtual time (ns) that it has run. */
  instructions = DOUBLE;
  time = DOUBLE;
  /** Virtual time (ns) at which it ran last. */
  ranUntil = DOUBLE;
  /** Exits to the hypervisor. */
  exits = 0;

  constructor() {
    this.instructions = this.time = this.ranUntil = 0;
  }

  /** Saved or loaded. */
  archive(archive: Archive): void {
    this.instructions = archive.integer("instructions", this.instructions);
    this.time = archive.float("time", this.time);
    this.ranUntil = archive.float("ranUntil", this.ranUntil);
    this.exits = archive.integer("exits", this.exits);
  }
}
