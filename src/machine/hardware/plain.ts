// Plain data as bytes: the part of structured cloning that programs and devices use for
// their state, with objects that are reached in two ways kept one. A value is a tag and what the
// tag says; one value has one encoding. Decoding takes hostile bytes: a RangeError says what is
// wrong, memory stays in proportion to the input, and depth is bounded.

import { Bytes } from "../../kit/support/values/bytes.ts";

const Tag = {
  Undefined: 0,
  Null: 1,
  False: 2,
  True: 3,
  /** IEEE double. */
  Number: 4,
  /** Sign, count of words and 64-bit words of the magnitude. */
  BigInt: 5,
  Text: 6,
  Bytes: 7,
  Array: 8,
  Object: 9,
  Map: 10,
  Set: 11,
  /** A repeated object: its number, from 0, in the order in which objects begin. */
  Again: 12,
} as const;

const DEPTH_LIMIT = 100;
const WORD = 64n;
const BIGINT_WORDS = 64;

/**
 * Plain data as bytes.
 * @throws TypeError for anything else: functions, objects with a class.
 */
export function encodePlain(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.taken;
}

/**
 * The value.
 * @param most values that who goes through it, part by part, may meet: an object that is reached in
 * several ways counts each time, and one that contains itself is refused. Infinity: any value.
 * @throws RangeError that names the defect of the bytes.
 */
export function decodePlain(bytes: Uint8Array, most = Infinity): unknown {
  const reader = new PlainReader(bytes, most);
  const value = reader.value(0);
  if (reader.left > 0) throw new RangeError(`${reader.left} bytes follow the plain data`);
  return value;
}

class Writer {
  readonly #bytes = new Bytes(1024);
  readonly #numbers = new Map<object, number>();

  get taken(): Uint8Array {
    return this.#bytes.view.slice();
  }

  value(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return this.#byte(Tag.Undefined);
      case "boolean":
        return this.#byte(value ? Tag.True : Tag.False);
      case "number":
        return this.#number(value);
      case "bigint":
        return this.#bigint(value);
      case "string":
        this.#byte(Tag.Text);
        return this.#raw(new TextEncoder().encode(value));
      case "object":
        return value === null ? this.#byte(Tag.Null) : this.#object(value);
      default:
        throw new TypeError(`a ${typeof value} is not plain data`);
    }
  }

  #object(value: object): void {
    const number = this.#numbers.get(value);
    if (number !== undefined) {
      this.#byte(Tag.Again);
      return this.#count(number);
    }
    this.#numbers.set(value, this.#numbers.size);
    if (value instanceof Uint8Array) {
      this.#byte(Tag.Bytes);
      this.#raw(value);
    } else if (Array.isArray(value)) this.#items(Tag.Array, value.length, value);
    else if (value instanceof Map) this.#items(Tag.Map, value.size, [...value].flat(1));
    else if (value instanceof Set) this.#items(Tag.Set, value.size, value);
    else this.#fields(value);
  }

  #fields(value: object): void {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError(`an object of class ${value.constructor.name} is not plain data`);
    }
    this.#items(Tag.Object, Object.keys(value).length, Object.entries(value).flat(1));
  }

  #items(tag: number, count: number, items: Iterable<unknown>): void {
    this.#byte(tag);
    this.#count(count);
    for (const item of items) this.value(item);
  }

  #bigint(value: bigint): void {
    this.#byte(Tag.BigInt);
    this.#byte(value < 0n ? 1 : 0);
    const words: bigint[] = [];
    for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= WORD) words.push(BigInt.asUintN(64, rest));
    this.#byte(words.length);
    for (const word of words) {
      const at = this.#bytes.room(8);
      this.#bytes.fields.setBigUint64(at, word, true);
    }
  }

  #number(value: number): void {
    this.#byte(Tag.Number);
    const at = this.#bytes.room(8);
    this.#bytes.fields.setFloat64(at, value, true);
  }

  #raw(bytes: Uint8Array): void {
    this.#count(bytes.length);
    const at = this.#bytes.room(bytes.length);
    this.#bytes.buffer.set(bytes, at);
  }

  #byte(value: number): void {
    this.#bytes.push(value);
  }

  #count(value: number): void {
    const at = this.#bytes.room(4);
    this.#bytes.fields.setUint32(at, value, true);
  }
}

class PlainReader {
  readonly #view: DataView;
  #at = 0;
  readonly #objects: object[] = [];
  /** Values in each object, itself among them; those of objects that have not ended are missing. */
  readonly #sizes: number[] = [];
  /** Values so far, as a tree. */
  #values = 0;

  constructor(readonly bytes: Uint8Array, readonly most: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.bytes.length - this.#at;
  }

  value(depth: number): unknown {
    if (depth > DEPTH_LIMIT) throw new RangeError(`plain data nests deeper than ${DEPTH_LIMIT}`);
    const tag = this.bytes[this.#take(1)];
    this.#values++;
    this.#check();
    switch (tag) {
      case Tag.Undefined:
        return undefined;
      case Tag.Null:
        return null;
      case Tag.False:
      case Tag.True:
        return tag === Tag.True;
      case Tag.Number:
        return this.#view.getFloat64(this.#take(8), true);
      case Tag.BigInt:
        return this.#bigint();
      case Tag.Text:
        return this.#text();
      case Tag.Again: {
        const number = this.#count(0);
        if (number >= this.#objects.length) throw new RangeError(`plain data names object ${number} before it exists`);
        if (this.most !== Infinity) this.#countAgain(number);
        return this.#objects[number];
      }
      default:
        return this.#counted(() => this.#object(tag, depth + 1));
    }
  }

  #counted(read: () => object): object {
    const number = this.#objects.length, before = this.#values;
    const object = read();
    this.#sizes[number] = this.#values - before + 1;
    return object;
  }

  #countAgain(number: number): void {
    const size = this.#sizes[number];
    if (size === undefined) throw new RangeError("plain data contains itself");
    this.#values += size - 1;
    this.#check();
  }

  #check(): void {
    if (this.#values > this.most) throw new RangeError(`plain data has more than ${this.most} values`);
  }

  #object(tag: number, depth: number): object {
    switch (tag) {
      case Tag.Bytes: {
        const bytes = this.#raw();
        this.#objects.push(bytes);
        return bytes;
      }
      case Tag.Array: {
        const array: unknown[] = [];
        this.#objects.push(array);
        for (let left = this.#count(1); left > 0; left--) array.push(this.value(depth));
        return array;
      }
      case Tag.Map: {
        const map = new Map<unknown, unknown>();
        this.#objects.push(map);
        const count = this.#count(2);
        for (let left = count; left > 0; left--) map.set(this.value(depth), this.value(depth));
        if (map.size !== count) throw new RangeError("plain data has a key of a map twice");
        return map;
      }
      case Tag.Set: {
        const set = new Set<unknown>();
        this.#objects.push(set);
        const count = this.#count(1);
        for (let left = count; left > 0; left--) set.add(this.value(depth));
        if (set.size !== count) throw new RangeError("plain data has an element of a set twice");
        return set;
      }
      case Tag.Object:
        return this.#fields(depth);
      default:
        throw new RangeError(`plain data has no tag ${tag}`);
    }
  }

  #fields(depth: number): object {
    const fields: Record<string, unknown> = {};
    this.#objects.push(fields);
    for (let left = this.#count(2); left > 0; left--) {
      const name = this.value(depth);
      if (typeof name !== "string" || name === "__proto__" || Object.hasOwn(fields, name)) {
        throw new RangeError("two fields of plain data have one name");
      }
      fields[name] = this.value(depth);
    }
    return fields;
  }

  #bigint(): bigint {
    const negative = this.bytes[this.#take(1)], count = this.bytes[this.#take(1)];
    let value = 0n, last = 1n;
    if (count > BIGINT_WORDS) throw new RangeError("plain data has a number of too many words");
    for (let index = 0n; index < count; index++) value |= (last = this.#view.getBigUint64(this.#take(8), true)) << WORD * index;
    if (negative > 1 || last === 0n || negative && value === 0n) throw new RangeError("plain data has a number in two forms");
    return negative ? -value : value;
  }

  #text(): string {
    const bytes = this.#raw();
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new RangeError("a text of plain data is not UTF-8");
    }
  }

  #raw(): Uint8Array {
    const length = this.#count(1);
    const at = this.#take(length);
    return this.bytes.slice(at, at + length);
  }

  /** A count of things of at least `size` bytes each, which must all be there. */
  #count(size: number): number {
    const count = this.#view.getUint32(this.#take(4), true);
    if (count * size > this.left) throw new RangeError(`plain data says ${count} where ${this.left} bytes are left`);
    return count;
  }

  #take(size: number): number {
    if (size > this.left) throw new RangeError("plain data ends early");
    const at = this.#at;
    this.#at += size;
    return at;
  }
}
