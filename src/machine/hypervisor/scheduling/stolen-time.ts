// The time for which a vCPU could have run and did not, as its VM reads it (Arm DEN0057A, PV time;
// docs/spec/hypervisor.md §6.6): a record in the info area of its address space. It sleeps in WFI,
// in a suspend and while it is off, and it waits for its VMM in an access; a vCPU that runs by its
// directed yield runs for it. All other time that it does not run is stolen: by vCPUs of its CPU,
// or by a host that does not call vcpu_run.

import { DOUBLE } from "../../hardware/clock.ts";
import type { Archive } from "../../hardware/archive.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { InfoArea } from "../memory/info-area.ts";

/** Bytes of a record, also its alignment: revision u32 and attributes u32, 0; stolen ns u64. */
export const RECORD_SIZE = 64;
const STOLEN_TIME = 8;

const word = new DataView(new ArrayBuffer(8)), wordBytes = new Uint8Array(word.buffer);

export class StolenTime {
  /** Virtual time (ns) up to which it had what it wanted, or what it lacked is counted. */
  #since = DOUBLE;
  #total = DOUBLE;
  #record: number | undefined;

  constructor() {
    this.#since = this.#total = 0;
  }

  /** Virtual time, ns. */
  get total(): number {
    return this.#total;
  }

  /** Offset of its record in the info area of its address space, if that has one. */
  get record(): number | undefined {
    return this.#record;
  }

  /** It becomes active. The area has space for a record. */
  takeRecord(area: InfoArea): void {
    this.#record = area.reserve(RECORD_SIZE, RECORD_SIZE);
  }

  /** It wants to run from now on (virtual time, ns). */
  wake(now: number): void {
    this.#since = Math.max(this.#since, now);
  }

  /** It runs from now on (virtual time, ns). */
  begin(now: number, area: InfoArea | undefined): void {
    if (now <= this.#since) return;
    this.#total += now - this.#since;
    this.#since = now;
    if (this.#record === undefined) return;
    word.setUint32(0, this.#total % 2 ** 32, true);
    word.setUint32(4, this.#total / 2 ** 32, true);
    area?.write(this.#record + STOLEN_TIME, wordBytes);
  }

  /** It ran, waited by its own choice, or another vCPU ran for it, for `time` ns. */
  pass(time: number): void {
    this.#since += time;
  }

  archive(archive: Archive): void {
    this.#since = archive.float("wantedSince", this.#since);
    this.#total = archive.float("total", this.#total);
    this.#record = archive.maybe("record", this.#record, (at) => archive.integer("at", at, 0, PAGE_SIZE - RECORD_SIZE));
  }
}
