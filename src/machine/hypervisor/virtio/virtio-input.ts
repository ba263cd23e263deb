// The config space of a virtio input device, which the hypervisor answers from data that the
// backend has set (docs/spec/hypervisor.md §4.11, §7.1; virtio 1.x, "Input Device").

import type { Archive } from "../../hardware/archive.ts";

/** Offsets in the config space. */
const Config = { Select: 0, Subsel: 1, Size: 2, Union: 8, UnionSize: 128 } as const;

/** Values of `select`. */
export const InputSelect = { Name: 1, Serial: 2, DevIds: 3, PropBits: 0x10, EvBits: 0x11, AbsInfo: 0x12 } as const;

/** Most bytes of an entry, and how many values of `subsel` it has, by `select`. */
const ENTRIES = new Map<number, { readonly size: number; readonly subsels: number }>([
  [InputSelect.Name, { size: 128, subsels: 1 }],
  [InputSelect.Serial, { size: 128, subsels: 1 }],
  [InputSelect.DevIds, { size: 8, subsels: 1 }],
  [InputSelect.PropBits, { size: 4, subsels: 1 }],
  [InputSelect.EvBits, { size: 128, subsels: 32 }],
  [InputSelect.AbsInfo, { size: 20, subsels: 64 }],
]);

/** Most entries of event bits and of axes. */
export const INPUT_LIMITS = { evTypes: 32, absAxes: 64 } as const;

/** Configuration of an input device. */
export class VirtioInput {
  #evTypes = 0;
  #absAxes = 0;
  readonly #entries = new Map<number, Uint8Array>();
  #select = 0;
  #subsel = 0;

  /** How many entries of event bits and of axes can be set; zero until configured. */
  get evTypes(): number {
    return this.#evTypes;
  }

  get absAxes(): number {
    return this.#absAxes;
  }

  /** Sets how many entries there can be, of those counts that are still zero. */
  configure(evTypes: number, absAxes: number): void {
    this.#evTypes ||= evTypes;
    this.#absAxes ||= absAxes;
  }

  /** The state, saved or loaded. */
  archive(archive: Archive): void {
    this.#evTypes = archive.integer("evTypes", this.#evTypes, 0, INPUT_LIMITS.evTypes);
    this.#absAxes = archive.integer("absAxes", this.#absAxes, 0, INPUT_LIMITS.absAxes);
    const entries = archive.list("entries", this.#entries, (entry): [number, Uint8Array] => [
      archive.integer("selection", entry?.[0], 0, 0xffff),
      archive.bytes("bytes", entry?.[1], Config.UnionSize),
    ]);
    for (const [selection, bytes] of entries) this.#entries.set(selection, bytes);
    archive.check(this.#entries.size === entries.length, "a selection has one entry");
    this.#select = archive.integer("select", this.#select, 0, 0xff);
    this.#subsel = archive.integer("subsel", this.#subsel, 0, 0xff);
  }

  /**
   * Size limit (bytes) of the entry that `select` and `subsel` choose; undefined if the selection
   * is unknown or its kind is not configured.
   */
  limit(select: number, subsel: number): number | undefined {
    const entry = ENTRIES.get(select);
    const some = select === InputSelect.EvBits ? this.#evTypes > 0 : select !== InputSelect.AbsInfo || this.#absAxes > 0;
    return entry && some && subsel < entry.subsels ? entry.size : undefined;
  }

  /** Whether an entry can be set without going beyond the configured counts. */
  hasRoom(select: number, subsel: number): boolean {
    if (this.#entries.has(key(select, subsel))) return true;
    if (select === InputSelect.EvBits) return this.#count(select) < this.#evTypes;
    return select !== InputSelect.AbsInfo || this.#count(select) < this.#absAxes;
  }

  /** Sets an entry; its size is within the limit. */
  set(select: number, subsel: number, bytes: Uint8Array): void {
    this.#entries.set(key(select, subsel), bytes.slice());
  }

  /**
   * A store of the frontend in the config space: only `select` and `subsel` can be written.
   * @param store writes what the frontend will read: size and union of what is selected
   * @returns false for an external abort
   */
  write(offset: number, size: number, value: number, store: (offset: number, bytes: Uint8Array) => void): boolean {
    if (size !== 1 || offset !== Config.Select && offset !== Config.Subsel) return false;
    if (offset === Config.Select) this.#select = value & 0xff;
    else this.#subsel = value & 0xff;
    const entry = this.#entries.get(key(this.#select, this.#subsel));
    const union = new Uint8Array(Config.UnionSize);
    if (entry) union.set(entry);
    store(Config.Select, Uint8Array.of(this.#select, this.#subsel, entry?.length ?? 0));
    store(Config.Union, union);
    return true;
  }

  #count(select: number): number {
    return [...this.#entries.keys()].filter((one) => one >> 8 === select).length;
  }
}

function key(select: number, subsel: number): number {
  return select << 8 | subsel;
}
