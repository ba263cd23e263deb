// Trace class flags: which classes of events the hypervisor would log (docs/spec/hypervisor.md
// §4.10). Any VM may change the public ones.

import type { Archive } from "../../hardware/archive.ts";

/** Classes at start: ERROR, DEBUG, USER, LOG_BUFFER, 5, INFO, MEMDB, PSCI, VGIC, VGIC_DEBUG. */
const INITIAL = 0x7_00f7n;
/** ERROR and LOG_BUFFER are the hypervisor's own. */
const PRIVATE = 1n << 0n | 1n << 4n;

/** The flags, one bit per class. */
export class TraceClasses {
  #flags = INITIAL;

  archive(archive: Archive): void {
    this.#flags = archive.word("flags", this.#flags);
  }

  /** Clears, then sets public classes; gives all flags. */
  update(set: bigint, clear: bigint): bigint {
    this.#flags = this.#flags & ~(clear & ~PRIVATE) | set & ~PRIVATE;
    return this.#flags;
  }
}
