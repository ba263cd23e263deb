// The translation tables of tasks' programs. They are kept with the places of the pointers that
// lead to them: a task changes them when it executes another program.

import type { Tables } from "../../../kit/formats/page-tables.ts";
import { isInPage, type MemoryPlace, translate } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import { isKernelAddress } from "../kernel/types.ts";

/** A doubleword in memory, and its value when it was read. */
interface Pointer {
  readonly place: MemoryPlace;
  readonly value: bigint;
}

interface KnownTables {
  readonly mm: Pointer;
  readonly pgd: Pointer;
  readonly tables: Tables;
}

/** Tasks whose tables are kept. */
const KEPT_MAX = 4096;
const POINTER = 8;

export class ProgramTables {
  /** By a number for each task. */
  readonly #known = new Map<number, KnownTables>();
  readonly #mm: bigint;
  readonly #pgd: bigint;

  /** @throws NoType */
  constructor(readonly reading: Reading) {
    this.#mm = reading.struct("task_struct", 0n).addressOf("mm");
    this.#pgd = reading.struct("mm_struct", 0n).addressOf("pgd");
  }

  /**
   * Undefined for a task of the kernel's own.
   * @param key a number that only this task has
   * @param address of the task
   * @throws BadMemory
   */
  of(key: number, address: bigint): Tables | undefined {
    const known = this.#known.get(key);
    if (known && isSame(known.mm) && isSame(known.pgd)) return known.tables;
    const { kernel, memory } = this.reading, mm = this.#read(address + this.#mm);
    if (!isKernelAddress(mm.value)) return undefined;
    const pgd = this.#read(mm.value + this.#pgd), root = translate(memory.physical, kernel.tables, pgd.value, memory.work);
    if (root === undefined) return undefined;
    const tables = kernel.userTables(root);
    if (this.#known.size >= KEPT_MAX) this.#known.clear();
    if (isInPage(mm.place) && isInPage(pgd.place)) this.#known.set(key, { mm, pgd, tables });
    return tables;
  }

  /** Forgets the places. */
  forget(): void {
    this.#known.clear();
  }

  #read(address: bigint): Pointer {
    const place = this.reading.memory.view(address, POINTER);
    return { place, value: valueAt(place) };
  }
}

const valueAt = ({ view, offset }: MemoryPlace) => view.getBigUint64(offset, true);
const isSame = ({ place, value }: Pointer) => valueAt(place) === value;
