// Structures of a kernel by BTF, with the names of fields of its generation.

import { untagged, UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import { BadMemory, type VirtualMemory } from "./memory.ts";
import type { Work } from "../../../kit/support/values/work.ts";
import type { TypeField } from "./btf.ts";
import { FIELDS } from "./fields.ts";

/** The layout of structures. */
export interface Types {
  /** Bytes of a structure. */
  sizeOf(struct: string): number | undefined;
  /** A member by its path. */
  field(struct: string, path: string, work: Work): TypeField | undefined;
  /** Elements of an array; 0 of anything else. */
  lengthOf(field: TypeField): number;
}

/** A structure or field that the kernel's types do not have. */
export class NoType extends Error {
  constructor(readonly missing: string) {
    super(`the kernel's types have no ${missing}`);
  }
}

/** Whether a value can be a pointer of the kernel. */
export const isKernelAddress = (value: bigint): boolean => value >= UPPER_HALF;

/**
 * The address that a program's pointer means: its highest byte may be a tag, which TCR_EL1 lets it
 * have. Undefined for one of the kernel's.
 */
export function programAddress(pointer: bigint, tcr: bigint): bigint | undefined {
  const address = untagged(pointer, tcr);
  return address < 0n ? undefined : address;
}

/** Bytes of a text. */
const TEXT_MAX = 4096;

/** A structure in memory. */
export class Struct {
  constructor(readonly memory: VirtualMemory, readonly types: Types, readonly type: string, readonly address: bigint) {}

  /** Whether its type has a field. */
  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The field, by its name in one generation. */
  #find(name: string): TypeField | undefined {
    const { types, type, memory: { work } } = this, paths = FIELDS[type]?.[name];
    if (!paths) return types.field(type, name, work);
    for (const path of paths) {
      const field = types.field(type, path, work);
      if (field) return field;
    }
  }

  /** @throws NoType */
  #field(name: string): TypeField {
    this.memory.work.spend();
    const field = this.#find(name);
    if (!field) throw new NoType(`${this.type}.${name}`);
    return field;
  }

  /** Elements of an array; 0 of anything else. */
  lengthOf(name: string): number {
    return this.types.lengthOf(this.#field(name));
  }

  addressOf(name: string): bigint {
    return this.address + BigInt(this.#field(name).offset);
  }

  /** An unsigned value of up to 64 bits. */
  big(name: string): bigint {
    const { offset, size, bits } = this.#field(name), at = this.address + BigInt(offset);
    if (bits) {
      let value = 0n;
      for (let byte = 0; 8 * byte < bits.shift + bits.width; byte++) value |= BigInt(this.memory.u8(at + BigInt(byte))) << BigInt(8 * byte);
      return value >> BigInt(bits.shift) & (1n << BigInt(bits.width)) - 1n;
    }
    switch (size) {
      case 1:
        return BigInt(this.memory.u8(at));
      case 2:
        return BigInt(this.memory.u16(at));
      case 4:
        return BigInt(this.memory.u32(at));
      case 8:
        return this.memory.u64(at);
    }
    throw new NoType(`${this.type}.${name} of up to 8 bytes`);
  }

  /** An unsigned number. */
  number(name: string): number {
    return Number(this.big(name));
  }

  /** A signed number. */
  signed(name: string): number {
    const { size, bits } = this.#field(name);
    return Number(BigInt.asIntN(bits?.width ?? 8 * size, this.big(name)));
  }

  /** A kernel's pointer; 0 is none. @throws BadMemory if it leads elsewhere */
  pointer(name: string): bigint {
    const value = this.big(name);
    if (value !== 0n && !isKernelAddress(value)) {
      throw new BadMemory("invalid", `${this.type}.${name} is not a kernel's pointer`, this.addressOf(name));
    }
    return value;
  }

  /** The structure that a pointer leads to; undefined: none. */
  at(name: string, type: string): Struct | undefined {
    const address = this.pointer(name);
    return address === 0n ? undefined : new Struct(this.memory, this.types, type, address);
  }

  /** A structure that is inside of this one. */
  inner(name: string, type: string): Struct {
    return new Struct(this.memory, this.types, type, this.addressOf(name));
  }

  /** An array of characters up to a zero. */
  text(name: string): string {
    const { size } = this.#field(name);
    return this.memory.textIn(this.addressOf(name), Math.min(size, TEXT_MAX));
  }

  /** The text that a pointer leads to; undefined: none. */
  textAt(name: string, most = TEXT_MAX): string | undefined {
    const address = this.pointer(name);
    return address === 0n ? undefined : this.memory.text(address, most);
  }
}
