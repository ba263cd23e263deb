// The LPIs of one redistributor (Arm IHI 0069 sections 5.1 and 6.3): those that are pending, with
// their bytes of the configuration table. LPIs have no active state. The tables are the guest's
// memory: configuration is read when an LPI becomes pending and when the ITS invalidates it;
// pending bits are loaded when the guest enables LPIs, and stored when it disables them.

import type { Archive } from "../../hardware/archive.ts";
import { IDLE_PRIORITY, Intid, PRIORITY_MASK } from "./gic-registers.ts";
import type { LpiSet } from "./its/its.ts";
import { LPI_BITS_MAX, LPI_BITS_MIN, LPI_FIRST, PENDBASER_PTZ, PENDBASER_WRITABLE, PROPBASER_WRITABLE } from "./its/its-registers.ts";
import type { TableMemory } from "./its/table-memory.ts";

const ENABLED = 1;
const PROPERTIES_ADDRESS = 0xf_ffff_ffff_f000n, PENDING_ADDRESS = 0xf_ffff_ffff_0000n;
const IDBITS_MASK = 0x1fn;

/** LPIs of one redistributor. */
export class Lpis implements LpiSet {
  #enabled = false;
  #propbaser = 0n;
  #pendbaser = 0n;
  /** Configuration bytes of pending LPIs, by INTID. */
  #pending = new Map<number, number>();
  /** Configurations have to be read again. */
  #stale = false;
  /** `best` has to be chosen again. */
  #changed = false;
  #best: number = Intid.Spurious;
  #priority = IDLE_PRIORITY;
  /** How often each was acknowledged, for display. */
  readonly taken = new Map<number, number>();
  /** Where the tables are; none before the redistributor has a place. */
  #memory: TableMemory | undefined;
  readonly #byte = new Uint8Array(1);

  /** @param bits INTID bits that the GIC has */
  constructor(readonly bits: number) {}

  /** The tables are here from now on. */
  place(memory: TableMemory): void {
    this.#memory = memory;
  }

  /** GICR_CTLR.EnableLPIs. */
  get enabled(): boolean {
    return this.#enabled;
  }

  get propbaser(): bigint {
    return this.#propbaser;
  }

  get pendbaser(): bigint {
    return this.#pendbaser;
  }

  /** Pending LPIs with their configuration bytes, for display. */
  get pending(): ReadonlyMap<number, number> {
    return this.#pending;
  }

  /** The pending and enabled LPI of highest priority, or Spurious, and its priority. */
  get best(): number {
    return this.#best;
  }

  get priority(): number {
    return this.#priority;
  }

  /** GICR_PROPBASER and PENDBASER are fixed while LPIs are enabled. */
  setPropbaser(value: bigint): void {
    if (!this.#enabled) this.#propbaser = value & PROPBASER_WRITABLE;
  }

  setPendbaser(value: bigint): void {
    if (!this.#enabled) this.#pendbaser = value & (PENDBASER_WRITABLE | PENDBASER_PTZ);
  }

  /** GICR_CTLR.EnableLPIs; `settle` follows. */
  enable(on: boolean): void {
    if (on === this.#enabled) return;
    if (on) {
      this.#enabled = true;
      if (!(this.#pendbaser & PENDBASER_PTZ)) this.#load();
      this.#pendbaser &= ~PENDBASER_PTZ;
    } else {
      this.#store();
      this.#enabled = false;
      this.#pending.clear();
    }
    this.#changed = true;
  }

  /** Makes an LPI pending; one that is disabled here, or out of range, is lost. */
  set(intid: number): boolean {
    if (!this.#enabled || intid < LPI_FIRST || intid >= this.#end) return false;
    if (this.#pending.has(intid)) return true;
    const configuration = this.#configuration(intid);
    this.#pending.set(intid, configuration);
    this.#consider(intid, configuration);
    return true;
  }

  /** It is no longer pending; whether it was. */
  clear(intid: number): boolean {
    const was = this.#pending.delete(intid);
    if (was && intid === this.#best) this.#changed = true;
    return was;
  }

  /** IAR: the LPI is no longer pending. */
  acknowledge(intid: number): void {
    this.clear(intid);
    this.taken.set(intid, (this.taken.get(intid) ?? 0) + 1);
  }

  /** INV. */
  invalidate(intid: number): void {
    if (!this.#pending.has(intid)) return;
    this.#pending.set(intid, this.#configuration(intid));
    this.#changed = true;
  }

  /** INVALL. */
  invalidateAll(): void {
    this.#stale = true;
  }

  /** MOVALL: another redistributor gets what is pending here. */
  moveAll(to: Lpis): void {
    if (to === this) return;
    // The smaller set goes into the larger one: a guest cannot make this slow by repeating it.
    const [from, into] = this.#pending.size <= to.#pending.size ? [this.#pending, to.#pending] : [to.#pending, this.#pending];
    for (const [intid, configuration] of from) into.set(intid, configuration);
    from.clear();
    this.#pending = from;
    to.#pending = into;
    if (!to.#enabled) to.#pending.clear();
    to.#stale = this.#changed = true;
  }

  /** Chooses the best again, if anything has changed. */
  settle(): void {
    if (this.#stale) {
      this.#stale = false;
      this.#changed = true;
      for (const intid of this.#pending.keys()) {
        // The redistributor that it comes from may have had more INTID bits.
        if (intid < this.#end) this.#pending.set(intid, this.#configuration(intid));
        else this.#pending.delete(intid);
      }
    }
    if (!this.#changed) return;
    this.#changed = false;
    this.#best = Intid.Spurious;
    this.#priority = IDLE_PRIORITY;
    for (const [intid, configuration] of this.#pending) this.#consider(intid, configuration);
  }

  /** The vCPU is gone. */
  reset(): void {
    this.#enabled = this.#stale = this.#changed = false;
    this.#propbaser = this.#pendbaser = 0n;
    this.#pending.clear();
    this.taken.clear();
    this.#best = Intid.Spurious;
    this.#priority = IDLE_PRIORITY;
  }

  /** Saved or loaded; between two accesses everything is settled. */
  archive(archive: Archive): void {
    this.#enabled = archive.bool("enabled", this.#enabled);
    this.#propbaser = archive.word("propbaser", this.#propbaser, PROPBASER_WRITABLE);
    this.#pendbaser = archive.word("pendbaser", this.#pendbaser, PENDBASER_WRITABLE | PENDBASER_PTZ);
    const sorted = (map: ReadonlyMap<number, number>) => [...map].sort(([a], [b]) => a - b);
    const limit = 2 ** LPI_BITS_MAX;
    const pairs = (name: string, map: ReadonlyMap<number, number>, max: number) =>
      archive.list(name, sorted(map), (pair): [number, number] => [
        archive.integer("intid", pair?.[0], LPI_FIRST, limit - 1),
        archive.integer("value", pair?.[1], 0, max),
      ], limit);
    const pending = pairs("pending", this.#pending, 0xff), taken = pairs("taken", this.taken, Number.MAX_SAFE_INTEGER);
    if (!archive.loading) return;
    for (const [intid, configuration] of pending) this.#pending.set(intid, configuration);
    for (const [intid, count] of taken) this.taken.set(intid, count);
    archive.check(pending.every(([intid]) => intid < this.#end) && this.#pending.size === pending.length, "pending LPIs are in range");
    archive.check(this.#enabled || pending.length === 0, "only a redistributor whose LPIs are enabled has pending ones");
    this.#changed = true;
    this.settle();
  }

  /** INTIDs end here. Tables of fewer than 14 bits hold no LPI. */
  get #end(): number {
    const bits = Math.min(Number(this.#propbaser & IDBITS_MASK) + 1, this.bits);
    return bits < LPI_BITS_MIN ? 0 : 2 ** bits;
  }

  #consider(intid: number, configuration: number): void {
    if (!(configuration & ENABLED)) return;
    const priority = configuration & PRIORITY_MASK;
    if (priority > this.#priority || priority === this.#priority && intid > this.#best) return;
    this.#best = intid;
    this.#priority = priority;
  }

  /** Priority of an LPI, and whether it is enabled, as its table has it now: for display. */
  configured(intid: number): { readonly priority: number; readonly enabled: boolean } {
    const configuration = this.#pending.get(intid) ?? this.#configuration(intid);
    return { priority: configuration & PRIORITY_MASK, enabled: (configuration & ENABLED) !== 0 };
  }

  /** The configuration byte of an LPI: disabled where the table cannot be read. */
  #configuration(intid: number): number {
    const address = Number(this.#propbaser & PROPERTIES_ADDRESS) + intid - LPI_FIRST;
    return this.#memory?.read(address, this.#byte) ? this.#byte[0] : 0;
  }

  /** The pending table has a bit for each INTID; those below the LPIs are not used. */
  get #table(): { readonly address: number; readonly bytes: number } {
    const skipped = LPI_FIRST / 8;
    return { address: Number(this.#pendbaser & PENDING_ADDRESS) + skipped, bytes: Math.max(this.#end / 8 - skipped, 0) };
  }

  #load(): void {
    const { address, bytes } = this.#table;
    const bits = new Uint8Array(bytes);
    if (!this.#memory?.read(address, bits)) return;
    for (let at = 0; at < bytes; at++) {
      for (let byte = bits[at]; byte !== 0; byte &= byte - 1) this.set(LPI_FIRST + at * 8 + 31 - Math.clz32(byte & -byte));
    }
  }

  #store(): void {
    const { address, bytes } = this.#table;
    const bits = new Uint8Array(bytes);
    for (const intid of this.#pending.keys()) bits[intid - LPI_FIRST >> 3] |= 1 << (intid & 7);
    this.#memory?.write(address, bits);
  }
}
