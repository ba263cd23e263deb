// The tables of an ITS in the guest's memory: devices, collections, and for each device its
// interrupt translation table (Arm IHI 0069 section 5.2). An entry is two words:
//
//   device       word 0: valid 0, EventID bits - 1 5:1, ITT address 31:8; word 1: ITT address 51:32
//   collection   word 0: valid 0; word 1: processor number
//   translation  word 0: valid 31, INTID 23:0; word 1: ICID

import { Baser, ENTRY_SIZE } from "./its-registers.ts";
import type { TableMemory } from "./table-memory.ts";

/** A device: where its translations are, and how many EventIDs it has. */
export interface DeviceEntry {
  readonly valid: boolean;
  /** IPA, a multiple of 256. */
  readonly itt: number;
  readonly eventBits: number;
}

export interface Translation {
  readonly valid: boolean;
  readonly intid: number;
  readonly collection: number;
}

/** A collection: the redistributor that it is. */
interface CollectionEntry {
  readonly valid: boolean;
  readonly processor: number;
}

/** Why an entry cannot be reached. */
export type TableError = "outside" | "unreadable";

const ADDRESS_FIELD = 0xffff_ffff_f000n, LEVEL1_ADDRESS = 0xf_ffff_ffff_f000n, PAGE_64K = 0x1_0000;
const ITT_ALIGNMENT = 0x100;
const TRANSLATION_VALID = 0x8000_0000, INTID_MASK = 0xff_ffff;

/** The IPA in GITS_BASER<n>; with pages of 64 KiB, its bits 51:48 are in 15:12. */
function tableAddress(baser: bigint, pageSize: number): number {
  const address = Number(baser & ADDRESS_FIELD);
  if (pageSize !== PAGE_64K) return address;
  return address - address % PAGE_64K + (address % PAGE_64K >>> 12) * 2 ** 48;
}

/** Reads and writes entries. Results are valid until the next call. */
export class ItsTables {
  #memory: TableMemory | undefined;
  readonly #bytes = new Uint8Array(ENTRY_SIZE);
  readonly #words = new DataView(this.#bytes.buffer);

  /** The tables are here from now on. */
  place(memory: TableMemory): void {
    this.#memory = memory;
  }

  /** Fills `into` with what else the ITS reads; false if that is not possible. */
  read(ipa: number, into: Uint8Array): boolean {
    return this.#memory?.read(ipa, into) === true;
  }

  /** An entry of the device table. */
  device(baser: bigint, id: number): DeviceEntry | TableError {
    const error = this.#read(this.#entry(baser, id));
    if (error !== undefined) return error;
    const low = this.#words.getUint32(0, true), high = this.#words.getUint32(4, true);
    return { valid: (low & 1) !== 0, eventBits: (low >>> 1 & 0x1f) + 1, itt: low - low % ITT_ALIGNMENT + (high & 0xf_ffff) * 2 ** 32 };
  }

  setDevice(baser: bigint, id: number, { valid, itt, eventBits }: DeviceEntry): TableError | undefined {
    const low = itt % 2 ** 32 + (eventBits - 1) * 2 + Number(valid);
    return this.#write(this.#entry(baser, id), low, Math.floor(itt / 2 ** 32));
  }

  collection(baser: bigint, id: number): CollectionEntry | TableError {
    const error = this.#read(this.#entry(baser, id));
    if (error !== undefined) return error;
    return { valid: (this.#words.getUint32(0, true) & 1) !== 0, processor: this.#words.getUint32(4, true) };
  }

  setCollection(baser: bigint, id: number, { valid, processor }: CollectionEntry): TableError | undefined {
    return this.#write(this.#entry(baser, id), Number(valid), processor);
  }

  /** An entry of a device's table; `event` is one that the device has. */
  translation({ itt }: DeviceEntry, event: number): Translation | TableError {
    const error = this.#read(itt + event * ENTRY_SIZE);
    if (error !== undefined) return error;
    const low = this.#words.getUint32(0, true);
    return { valid: low >= TRANSLATION_VALID, intid: low & INTID_MASK, collection: this.#words.getUint32(4, true) & 0xffff };
  }

  setTranslation({ itt }: DeviceEntry, event: number, { valid, intid, collection }: Translation): TableError | undefined {
    return this.#write(itt + event * ENTRY_SIZE, (valid ? TRANSLATION_VALID : 0) + intid, collection);
  }

  /** The IPA of an entry of a table of one or two levels. */
  #entry(baser: bigint, id: number): number | TableError {
    if (!(baser & Baser.Valid)) return "outside";
    const pageSize = Baser.PageSizes[Number(baser >> Baser.PageSizeShift & 3n)];
    const size = (Number(baser & 0xffn) + 1) * pageSize, base = tableAddress(baser, pageSize);
    if (!(baser & Baser.Indirect)) return (id + 1) * ENTRY_SIZE <= size ? base + id * ENTRY_SIZE : "outside";
    const perPage = pageSize / ENTRY_SIZE, index = Math.floor(id / perPage);
    if ((index + 1) * ENTRY_SIZE > size) return "outside";
    const error = this.#read(base + index * ENTRY_SIZE);
    if (error !== undefined) return error;
    const level1 = this.#words.getBigUint64(0, true);
    if (!(level1 & Baser.Valid)) return "outside";
    return Number(level1 & LEVEL1_ADDRESS) + id % perPage * ENTRY_SIZE;
  }

  #read(at: number | TableError): TableError | undefined {
    if (typeof at === "string") return at;
    return this.#memory?.read(at, this.#bytes) ? undefined : "unreadable";
  }

  #write(at: number | TableError, low: number, high: number): TableError | undefined {
    if (typeof at === "string") return at;
    this.#words.setUint32(0, low, true);
    this.#words.setUint32(4, high, true);
    return this.#memory?.write(at, this.#bytes) ? undefined : "unreadable";
  }
}
