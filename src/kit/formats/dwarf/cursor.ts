// Reads the fields of a DWARF section. Sections come from files that anybody may have written: each
// read is checked, and a defect is a `DwarfError`.

import { KiB } from "../../support/values/sizes.ts";
import { UserError } from "../../support/problem.ts";

/** A defect of debug information. */
export class DwarfError extends UserError {}

/** Bytes of a text: names in C++ and Rust have some hundred. */
const TEXT_MAX = 4 * KiB;
/** Most bytes of a LEB128 number of 64 bits. */
const LEB_BYTES = 10;
const decoder = new TextDecoder();

/** A place in a section. */
export class Cursor {
  readonly #view: DataView;
  readonly #end: number;

  /**
   * @param name of the section, for errors
   * @param end where the readable part ends
   */
  constructor(readonly bytes: Uint8Array, readonly name: string, public at = 0, end = bytes.length) {
    if (!(at >= 0 && at <= end && end <= bytes.length)) throw new DwarfError(`${name}: offset 0x${at.toString(16)} is outside of it`);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = end;
  }

  get end(): number {
    return this.#end;
  }

  get more(): boolean {
    return this.at < this.#end;
  }

  /** Moves over a field; returns where it began. */
  skip(size: number): number {
    const { at } = this;
    if (!(size >= 0 && size <= this.#end - at)) throw new DwarfError(`${this.name} is truncated at 0x${at.toString(16)}`);
    this.at += size;
    return at;
  }

  u8(): number {
    return this.bytes[this.skip(1)];
  }

  i8(): number {
    return this.u8() << 24 >> 24;
  }

  u16(): number {
    return this.#view.getUint16(this.skip(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.skip(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.skip(8), true);
  }

  /** A number of 1, 2, 3, 4 or 8 bytes. */
  sized(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.u8());
      case 2:
        return BigInt(this.u16());
      case 3:
        return BigInt(this.u16() | this.u8() << 16);
      case 4:
        return BigInt(this.u32());
      case 8:
        return this.u64();
      default:
        throw new DwarfError(`${this.name}: a number of ${size} bytes`);
    }
  }

  /** A length or an offset, which has 8 bytes in the 64-bit format. */
  offset(wide: boolean): number {
    return wide ? this.small(this.u64()) : this.u32();
  }

  /** The length of a unit, and whether it has the 64-bit format. */
  length(): { readonly size: number; readonly wide: boolean } {
    const first = this.u32();
    if (first < 0xffff_fff0) return { size: first, wide: false };
    if (first !== 0xffff_ffff) throw new DwarfError(`${this.name}: 0x${first.toString(16)} is not a unit's length`);
    return { size: this.small(this.u64()), wide: true };
  }

  /** An unsigned LEB128 number of 64 bits. */
  uleb(): bigint {
    return this.#leb().value;
  }

  /** A signed LEB128 number of 64 bits. */
  sleb(): bigint {
    const { value, bits, last } = this.#leb();
    return last & 0x40 ? BigInt.asIntN(64, value - (1n << bits)) : BigInt.asIntN(64, value);
  }

  /** An unsigned LEB128 number that counts or places something. */
  count(): number {
    // One byte is the rule.
    const first = this.bytes[this.at];
    if (this.at < this.#end && first < 0x80) {
      this.at++;
      return first;
    }
    return this.small(this.uleb());
  }

  #leb(): { value: bigint; bits: bigint; last: number } {
    let value = 0n, bits = 0n;
    for (let index = 0; index < LEB_BYTES; index++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << bits;
      bits += 7n;
      if (byte < 0x80) return { value: BigInt.asUintN(64, value), bits, last: byte };
    }
    throw new DwarfError(`${this.name}: a LEB128 number has more than ${LEB_BYTES} bytes`);
  }

  /** Text up to its zero byte, of at most 4 KiB. */
  text(): string {
    const most = this.bytes.subarray(this.at, Math.min(this.#end, this.at + TEXT_MAX + 1)), size = most.indexOf(0);
    if (size < 0) throw new DwarfError(`${this.name}: a text does not end${most.length > TEXT_MAX ? ` within ${TEXT_MAX} bytes` : ""}`);
    this.at += size + 1;
    return decoder.decode(most.subarray(0, size));
  }

  /** Moves over a text of any length; returns where it began. */
  skipText(): number {
    const { at } = this, end = this.bytes.indexOf(0, at);
    if (end < 0 || end >= this.#end) throw new DwarfError(`${this.name}: a text does not end`);
    this.at = end + 1;
    return at;
  }

  block(size: number): Uint8Array {
    const at = this.skip(size);
    return this.bytes.subarray(at, at + size);
  }

  /** A cursor of the next bytes, which this one moves over. */
  part(size: number): Cursor {
    const at = this.skip(size);
    return new Cursor(this.bytes, this.name, at, at + size);
  }

  /** A 64-bit number that counts or places something: below 2^48. */
  small(value: bigint): number {
    if (value > 0xffff_ffff_ffffn) throw new DwarfError(`${this.name}: 0x${value.toString(16)} is out of range`);
    return Number(value);
  }
}
