// Hashes of a run's state at wanted instruction counts (`--hash-at`).

import type { SessionEvent } from "../../model/protocol/protocol.ts";
import type { RunningSystem, System } from "../assembly/system/system.ts";
import type { Output } from "./output.ts";

/** The counts that are still to come. */
export class HashPoints {
  readonly #wanted: number[];

  constructor(
    readonly system: RunningSystem & Pick<System, "hashes">,
    wanted: readonly number[],
    readonly output: Output,
    readonly post: (event: SessionEvent) => void,
  ) {
    this.#wanted = [...wanted];
  }

  /**
   * Virtual time (ns) before which the next count cannot be passed: each CPU retires at most one
   * instruction a ns.
   */
  get next(): number {
    if (!this.#wanted.length) return Infinity;
    const { machine } = this.system;
    const remaining = this.#wanted[0] - this.system.instructions();
    return machine.time + Math.max(1, Math.floor(remaining / machine.cpus.length));
  }

  /** Posts the hashes of counts that were reached. */
  postReached(): void {
    while (this.#wanted.length && this.system.instructions() >= this.#wanted[0]) {
      this.output.flush();
      this.post({
        kind: "hash",
        hash: {
          at: this.#wanted.shift()!,
          instructions: this.system.instructions(),
          registers: this.system.hashes.registers(),
          memory: this.system.hashes.memory(),
          console: this.output.digest,
        },
      });
    }
  }
}
