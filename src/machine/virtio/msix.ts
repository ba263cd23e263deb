// MSI-X of a virtio function (PCI Local Bus Specification 3.0 section 6.8.2): a table of messages
// in a BAR, bits of those that wait for their mask, and the control word in configuration space.

import type { PciWindow } from "../devices/pci.ts";

/** Id of the capability, and its bytes. */
const MSIX_ID = 0x11;
/** Bits of the control word. */
const Control = { FUNCTION_MASK: 0x4000, ENABLE: 0x8000 } as const;
/** Words of an entry: address, its high half, data, and control with the mask in bit 0. */
const ENTRY_WORDS = 4, DATA = 2, CONTROL = 3;
const WORD = 4;

/** The messages of one function. */
export class Msix implements PciWindow {
  /** The capability's first word has the control word in its upper half. */
  readonly size = WORD;
  readonly words: number;
  #control = 0;
  readonly #table: Uint32Array;
  /** A bit for each vector. */
  #pending = 0;

  /**
   * @param offset of the capability in configuration space
   * @param send stores the data of a message at its address
   */
  constructor(readonly offset: number, readonly vectors: number, readonly send: (address: number, data: number) => void) {
    this.#table = new Uint32Array(vectors * ENTRY_WORDS);
    for (let vector = 0; vector < vectors; vector++) this.#table[vector * ENTRY_WORDS + CONTROL] = 1;
    this.words = 2 + this.#table.length;
  }

  /** The capability of functions with this many vectors, and table and PBA in BAR 0. */
  static capability(vectors: number, table: number, pba: number): Uint8Array {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    bytes[0] = MSIX_ID;
    view.setUint16(2, vectors - 1, true);
    view.setUint32(4, table, true);
    view.setUint32(8, pba, true);
    return bytes;
  }

  get enabled(): boolean {
    return (this.#control & Control.ENABLE) !== 0;
  }

  /** Sends the message of a vector, once its mask lets it. */
  fire(vector: number): void {
    const at = vector * ENTRY_WORDS;
    if (this.#control & Control.FUNCTION_MASK || this.#table[at + CONTROL] & 1) {
      this.#pending |= 1 << vector;
      return;
    }
    this.send(this.#table[at] + this.#table[at + 1] * 2 ** 32, this.#table[at + DATA]);
  }

  readTable(offset: number, size: number): bigint {
    if (size === 2 * WORD) return this.readTable(offset, WORD) | this.readTable(offset + WORD, WORD) << 32n;
    return size === WORD ? BigInt(this.#table[offset / WORD] ?? 0) : 0n;
  }

  writeTable(offset: number, size: number, value: bigint): void {
    if (size === 2 * WORD) {
      this.writeTable(offset, WORD, BigInt.asUintN(32, value));
      return this.writeTable(offset + WORD, WORD, value >> 32n);
    }
    const word = offset / WORD;
    if (size !== WORD || word >= this.#table.length || !Number.isInteger(word)) return;
    this.#table[word] = Number(BigInt.asUintN(32, value));
    this.#sendPending();
  }

  /** A load from the bits of vectors that wait. */
  readPending(offset: number): bigint {
    return offset === 0 ? BigInt(this.#pending >>> 0) : 0n;
  }

  read(offset: number, size: number): number {
    const word = MSIX_ID | this.#next << 8 | (this.#control | this.vectors - 1) << 16;
    const part = word >>> 8 * offset;
    return size === WORD ? part >>> 0 : part & 2 ** (8 * size) - 1;
  }

  write(offset: number, size: number, value: number): void {
    const control = size === WORD ? value >>> 16 : offset === 2 && size === 2 ? value : undefined;
    if (control === undefined) return;
    this.#control = control & (Control.ENABLE | Control.FUNCTION_MASK);
    this.#sendPending();
  }

  /** It is the last capability. */
  get #next(): number {
    return 0;
  }

  save(): number[] {
    return [this.#control, this.#pending >>> 0, ...this.#table];
  }

  restore([control, pending, ...table]: readonly number[]): void {
    this.#control = control;
    this.#pending = pending;
    this.#table.set(table);
  }

  #sendPending(): void {
    if (!this.enabled || this.#pending === 0) return;
    const pending = this.#pending;
    this.#pending = 0;
    for (let vector = 0; vector < this.vectors; vector++) if (pending >>> vector & 1) this.fire(vector);
  }
}
