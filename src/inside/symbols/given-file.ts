// The symbols and debug information of an ELF file for a VM. A Linux kernel with KASLR moves itself
// as a whole from where it was linked (kernel: arch/arm64/kernel/head.S): the same names are then
// elsewhere.

import { UPPER_HALF } from "../../kit/formats/page-tables.ts";
import { DebugInfo } from "./debug-info.ts";
import { readElfSymbols } from "./elf-symbols.ts";
import { type GuestSymbol, SymbolTable } from "./symbol-table.ts";

/** The vectors of Linux, to which VBAR_EL1 points once the kernel executes where it is mapped. */
const VECTORS = "vectors";
/** A kernel moves by a multiple of this (MIN_KIMG_ALIGN is larger, but for EFI's stub). */
const STEP = 0x1_0000n;

/** A file at one place of its program. */
interface PlacedFile {
  readonly moved: bigint;
  readonly table: SymbolTable;
  readonly info: DebugInfo | undefined;
}

export class GivenFile {
  #placed: PlacedFile;
  readonly #symbols: readonly GuestSymbol[];
  readonly #vectors: bigint | undefined;

  /** @throws Error that names the defect of the file */
  constructor(readonly file: Uint8Array, readonly source: string) {
    this.#symbols = readElfSymbols(file);
    this.#placed = this.#place(0n);
    const vectors = this.#placed.table.find(VECTORS)?.address;
    this.#vectors = vectors !== undefined && vectors >= UPPER_HALF ? vectors : undefined;
  }

  /**
   * How far its program has moved, by a vCPU's VBAR_EL1; undefined if that does not say: no Linux,
   * or one that does not execute at its virtual addresses yet, or uses other vectors now.
   */
  movedBy(vectors: bigint): bigint | undefined {
    if (this.#vectors === undefined || vectors < UPPER_HALF) return undefined;
    const moved = vectors - this.#vectors;
    return moved % STEP === 0n ? moved : undefined;
  }

  /** Its symbols and debug information where its program is. */
  at(moved: bigint): PlacedFile {
    return this.#placed = this.#placed.moved === moved ? this.#placed : this.#place(moved);
  }

  #place(moved: bigint): PlacedFile {
    const symbols = moved === 0n
      ? this.#symbols
      : this.#symbols.map((symbol) =>
        symbol.address < UPPER_HALF ? symbol : { ...symbol, address: BigInt.asUintN(64, symbol.address + moved) }
      );
    return { moved, table: new SymbolTable(symbols, this.source), info: DebugInfo.of(this.file, moved) };
  }
}
