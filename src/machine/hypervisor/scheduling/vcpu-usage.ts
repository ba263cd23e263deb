// Use of the physical CPUs by a vCPU. Only the code that runs vCPUs changes it.

import type { Archive } from "../../hardware/archive.ts";
import { DOUBLE } from "../../hardware/clock.ts";

export class VcpuUsage {
  #instructions = DOUBLE;
  #time = DOUBLE;
  #ranUntil = DOUBLE;
  #exits = 0;

  constructor() {
    this.#instructions = this.#time = this.#ranUntil = 0;
  }

  /** Instructions that it has retired. */
  get instructions(): number {
    return this.#instructions;
  }

  /** Virtual time (ns) that it has run. */
  get time(): number {
    return this.#time;
  }

  /** Virtual time (ns) at which it ran last. */
  get ranUntil(): number {
    return this.#ranUntil;
  }

  /**
   * Exceptions to EL2: calls, trapped instructions, accesses to devices or to what is not mapped;
   * of el2's own programs, their calls. What the core reports besides (a timer that is written, a
   * wait in which the next vCPU may run) is none. Each is an event of the trace.
   */
  get exits(): number {
    return this.#exits;
  }

  /** It executed instructions, and had so many exits. */
  addRun(instructions: number, exits: number): void {
    this.#instructions += instructions;
    this.#exits += exits;
  }

  /** It ran for `time` ns, up to the virtual time `until` (ns). */
  addTime(time: number, until: number): void {
    this.#time += time;
    this.#ranUntil = until;
  }

  archive(archive: Archive): void {
    this.#instructions = archive.integer("instructions", this.#instructions);
    this.#time = archive.float("time", this.#time);
    this.#ranUntil = archive.float("ranUntil", this.#ranUntil);
    this.#exits = archive.integer("exits", this.#exits);
  }
}
