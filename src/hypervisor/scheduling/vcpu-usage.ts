// Use of the physical CPUs by a vCPU. Only the code that runs vCPUs changes it.

import type { Archive } from "../../machine/archive.ts";
import { DOUBLE } from "../../machine/clock.ts";

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

  /** Exits to the hypervisor. */
  get exits(): number {
    return this.#exits;
  }

  /** It executed instructions, and left to the hypervisor this often. */
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
