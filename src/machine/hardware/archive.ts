// An archive: the state of objects as a row of fields, written and read by the same lines. An
// object names its fields once, in a method that passes each through the archive: `this.count =
// archive.integer("count", this.count, 0, LIMIT)`. Saving writes the value and returns it; loading
// ignores it and returns the saved one. So no field can be saved in one order and loaded in
// another.
//
// Loaded data is untrusted: every field has a range, every list a length, and a value outside of
// them is an `ArchiveError` with the path of the field. Names are not in the archive. One state has
// one encoding.

import { Bytes } from "../../kit/support/values/bytes.ts";
import { decodePlain, encodePlain } from "./plain.ts";
import { UserError } from "../../kit/support/problem.ts";

/** An archive that cannot be loaded: where, and which rule it breaks. */
export class ArchiveError extends UserError {}

/**
 * Arrays of numbers that are saved as they are in memory; computers that run el2 are little-endian.
 */
type Numbers = Uint8Array | Uint16Array | Int16Array | Uint32Array | Int32Array;

/**
 * Called for each field that is saved or loaded, with its path and content. One path may come
 * several times: a length, then content. Bytes are valid only during the call.
 */
export type FieldListener = (path: string, value: number | bigint | Uint8Array) => void;

const FIRST_CAPACITY = 1 << 16;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Default limit on the items of a list: the pages of 64 GiB, each of which may be on its own. */
const LIST_LIMIT = 1 << 24;

/** A state on its way into bytes, or out of them. */
export class Archive {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  /** The buffer of an archive that saves. */
  readonly #written: Bytes | undefined;
  readonly #path: string[] = [];
  readonly #last: (() => void)[] = [];

  /**
   * @param source to load; absent, a state is saved
   * @param listener is called for each field
   */
  constructor(source?: Uint8Array, readonly listener?: FieldListener) {
    this.loading = source !== undefined;
    this.#written = source ? undefined : new Bytes(FIRST_CAPACITY);
    this.#bytes = source ?? this.#written?.buffer ?? new Uint8Array();
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  }

  /** Whether fields come out; otherwise they go in. */
  readonly loading: boolean;

  get saved(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  /**
   * The end of loading: does what waits for all objects.
   * @throws ArchiveError if anything is left.
   */
  finish(): void {
    if (this.loading && this.#at !== this.#bytes.length) this.fail(`${this.#bytes.length - this.#at} bytes follow the end`);
    for (const action of this.#last.splice(0)) action();
  }

  /** Does something when everything else is loaded; nothing while saving. */
  later(action: () => void): void {
    if (!this.loading) return;
    const path = [...this.#path];
    this.#last.push(() => {
      this.#path.splice(0, Infinity, ...path);
      action();
    });
  }

  /** @throws ArchiveError that names the field in progress. */
  fail(rule: string): never {
    throw new ArchiveError(`${this.#path.join(".") || "the state"}: ${rule}`);
  }

  /** Refuses loaded data unless a rule holds. Saved data is always valid. */
  check(holds: boolean, rule: string): void {
    if (this.loading && !holds) this.fail(rule);
  }

  /** Fields of a part, under its name. */
  within<T>(name: string, part: () => T): T {
    this.#path.push(name);
    const result = part();
    this.#path.pop();
    return result;
  }

  bool(name: string, value: boolean | undefined): boolean {
    return this.integer(name, Number(value), 0, 1) === 1;
  }

  /** A whole number in [min, max]. */
  integer(name: string, value: number | undefined, min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
    const result = this.float(name, value);
    const good = Number.isSafeInteger(result) && !Object.is(result, -0) && result >= min && result <= max;
    if (!good) this.within(name, () => this.#wrong(`${result} is not a whole number from ${min} to ${max}`));
    return result;
  }

  /**
   * An address or a size that is a multiple of `unit`, a power of two, in [min, max]: those of 64
   * bits are exact, too, if they are pages.
   */
  multiple(name: string, value: number | undefined, unit: number, min = 0, max = 2 ** 64): number {
    const result = this.float(name, value);
    const good = Number.isSafeInteger(result / unit) && !Object.is(result, -0) && result >= min && result <= max;
    if (!good) this.within(name, () => this.#wrong(`${result} is not a multiple of ${unit} from ${min} to ${max}`));
    return result;
  }

  /** Any number; time in ns, which may be infinite. */
  float(name: string, value: number | undefined): number {
    this.#path.push(name);
    const at = this.#take(8);
    if (!this.loading) this.#view.setFloat64(at, value ?? NaN, true);
    const result = this.#view.getFloat64(at, true);
    if (Number.isNaN(result)) this.#wrong("it is not a number");
    this.#tell(result);
    this.#path.pop();
    return result;
  }

  /** 64 bits. */
  word(name: string, value: bigint | undefined, max: bigint = ALL_ONES): bigint {
    this.#path.push(name);
    const at = this.#take(8);
    if (!this.loading) this.#view.setBigUint64(at, value ?? 0n, true);
    const result = this.#view.getBigUint64(at, true);
    if (result > max || !this.loading && result !== value) this.#wrong(`0x${result.toString(16)} is over 0x${max.toString(16)}`);
    this.#tell(result);
    this.#path.pop();
    return result;
  }

  /** At most `limit` bytes. */
  bytes(name: string, value: Uint8Array | undefined, limit: number): Uint8Array {
    const length = this.integer(name, value?.length, 0, limit);
    return this.within(name, () => {
      const at = this.#take(length);
      if (!this.loading) this.#bytes.set(value ?? [], at);
      const result = this.#bytes.slice(at, at + length);
      this.#tell(result);
      return result;
    });
  }

  /** An array whose length both sides know; it is filled where it is. */
  fill(name: string, values: Numbers): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.within(name, () => {
      const at = this.#take(bytes.length);
      if (this.loading) bytes.set(this.#bytes.subarray(at, at + bytes.length));
      else this.#bytes.set(bytes, at);
      this.#tell(bytes);
    });
  }

  choice<T extends string | number>(name: string, value: T | undefined, values: readonly T[]): T {
    return values[this.integer(name, value === undefined ? undefined : values.indexOf(value), 0, values.length - 1)];
  }

  text(name: string, value: string | undefined, limit = 1024): string {
    const bytes = this.bytes(name, value === undefined ? undefined : new TextEncoder().encode(value), limit);
    const text = new TextDecoder().decode(bytes);
    if (this.loading && new TextEncoder().encode(text).length !== bytes.length) this.within(name, () => this.fail("it is not UTF-8"));
    return text;
  }

  maybe<T, R = T>(name: string, value: T | undefined, one: (value: T | undefined) => R): R | undefined {
    if (!this.bool(name, value !== undefined)) return undefined;
    return this.within(name, () => one(value));
  }

  /**
   * At most `limit` things. `one` passes each through the archive; while loading it has none to
   * pass.
   */
  list<T, R = T>(name: string, values: Iterable<T>, one: (value: T | undefined, index: number) => R, limit = LIST_LIMIT): R[] {
    const known = this.loading ? [] : [...values];
    const length = this.integer(name, known.length, 0, limit);
    const result: R[] = [];
    this.#path.push(name);
    for (let index = 0; index < length; index++) {
      this.#path.push(String(index));
      result.push(one(known[index], index));
      this.#path.pop();
    }
    this.#path.pop();
    return result;
  }

  /** Plain data: the state of a native program or device (plain.ts). */
  plain(name: string, value: unknown): unknown {
    const bytes = this.bytes(name, this.loading ? undefined : encodePlain(value), Number.MAX_SAFE_INTEGER);
    if (!this.loading) return value;
    return this.within(name, () => {
      try {
        return decodePlain(bytes);
      } catch (error) {
        if (error instanceof RangeError) return this.fail(error.message);
        throw error;
      }
    });
  }

  /**
   * Applies plain data that was loaded, as part of a load: an exception means that the data is
   * damaged.
   */
  takeUp(name: string, work: () => void): void {
    this.within(name, () => {
      try {
        work();
      } catch (error) {
        if (error instanceof ArchiveError) throw error;
        this.fail(`it is not one of its states: ${error instanceof Error ? error.message : error}`);
      }
    });
  }

  /** Reports the field in progress. */
  #tell(value: number | bigint | Uint8Array): void {
    this.listener?.(this.#path.join("."), value);
  }

  /** A value that is out of its range: a file's fault, or while saving our own. */
  #wrong(rule: string): never {
    if (this.loading) this.fail(rule);
    throw new Error(`${this.#path.join(".")}: ${rule}`);
  }

  /** Room for `size` bytes, or the place of as many. */
  #take(size: number): number {
    const at = this.#at;
    this.#at = at + size;
    if (this.#written) {
      this.#written.room(size);
      this.#bytes = this.#written.buffer;
      this.#view = this.#written.fields;
    } else if (this.#at > this.#bytes.length) this.fail("the state ends here");
    return at;
  }
}
