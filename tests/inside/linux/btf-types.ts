// BTF that is made here: an example, and types of any kind.

export const INT = 1, POINTER = 2, ARRAY = 3, STRUCT = 4, UNION = 5, TYPEDEF = 8, CONST = 10;

/** Writes types, numbered from 1; those of a module after its kernel's. */
export class BtfWriter {
  readonly #types: number[] = [];
  #strings: string;

  /** @param kernel bytes of the strings that a module's follow */
  constructor(readonly kernel = 0) {
    this.#strings = kernel ? "" : "\0";
  }

  string(text: string): number {
    if (text === "") return 0;
    const at = this.kernel + this.#strings.length;
    this.#strings += `${text}\0`;
    return at;
  }

  type(name: string, kind: number, parts: number, value: number, ...words: number[]): void {
    this.#types.push(this.string(name), kind << 24 | parts, value, ...words);
  }

  bytes(): Uint8Array {
    const types = 4 * this.#types.length, all = new Uint8Array(24 + types + this.#strings.length), view = new DataView(all.buffer);
    [0x1_eb9f, 24, 0, types, types, this.#strings.length, ...this.#types].forEach((word, index) => view.setUint32(4 * index, word, true));
    all.set(new TextEncoder().encode(this.#strings), 24 + types);
    return all;
  }
}

/**
 * `struct inner { int a; union { u64 b; }; };`
 * `struct outer { const inner x[3]; inner *next; u64 wide:5; }`
 */
export function exampleBtf(): Uint8Array {
  const writer = new BtfWriter();
  const member = (name: string, type: number, offset: number) => [writer.string(name), type, offset];
  writer.type("int", INT, 0, 4, 32);
  writer.type("u64", INT, 0, 8, 64);
  writer.type("", UNION, 1, 8, ...member("b", 2, 0));
  writer.type("inner", STRUCT, 2, 16, ...member("a", 1, 0), ...member("", 3, 64));
  writer.type("inner_t", TYPEDEF, 0, 4);
  writer.type("", CONST, 0, 5);
  writer.type("", ARRAY, 0, 0, 6, 1, 3);
  writer.type("", POINTER, 0, 4);
  // Bit 31: members have the width of a bit field above their offset.
  writer.type("outer", STRUCT | 0x80, 3, 64, ...member("x", 7, 0), ...member("next", 8, 384), ...member("wide", 2, 5 << 24 | 451));
  return writer.bytes();
}

/**
 * `struct thing`, whose 96 bytes have a member of every kind: a number, arrays, bit fields, an
 * enumeration, a text, a pointer to itself, and a member of a structure without a name.
 */
export function describedBtf(): Uint8Array {
  const ENUM = 6, SIGNED = 1 << 24, writer = new BtfWriter();
  const member = (name: string, type: number, offset: number, bits = 0) => [writer.string(name), type, bits << 24 | offset];
  writer.type("int", INT, 0, 4, SIGNED | 32);
  writer.type("unsigned short", INT, 0, 2, 16);
  writer.type("char", INT, 0, 1, 8);
  writer.type("u8", TYPEDEF, 0, 5);
  writer.type("unsigned char", INT, 0, 1, 8);
  writer.type("color", ENUM, 2, 4, writer.string("RED"), 1, writer.string("BLUE"), 5);
  writer.type("", ARRAY, 0, 0, 2, 1, 3);
  writer.type("", ARRAY, 0, 0, 3, 1, 16);
  writer.type("", STRUCT, 1, 4, ...member("inner", 1, 0));
  writer.type("", POINTER, 0, 12);
  writer.type("", ARRAY, 0, 0, 2, 1, 4);
  const members = [
    ...member("number", 1, 0),
    ...member("words", 7, 32),
    ...member("", 9, 96),
    ...member("low", 1, 128, 3),
    ...member("high", 1, 132, 4),
    ...member("color", 6, 256),
    ...member("name", 8, 512),
    ...member("self", 10, 640),
    ...member("spaces", 11, 704),
  ];
  writer.type("thing", STRUCT | 0x80, 9, 96, ...members);
  return writer.bytes();
}
