// Layouts of RPC payloads: a message's fields in wire order, declared once, from which encoding,
// decoding, checking and printing follow (docs/spec/resource-manager.md §1.6 and §3). All integers
// are little endian.

import { Bytes } from "../../../kit/support/values/bytes.ts";
import { RmError } from "./errors.ts";

/** Reads a payload from front to back. The first fault sticks; reads after it give zeros. */
export class Input {
  offset = 0;
  fault: { error: RmError; problem: string; section?: string } | undefined;
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Bytes that have not been read. */
  get left(): number {
    return this.bytes.length - this.offset;
  }

  /** @param section of the specification, where it is not the message's. */
  fail(error: RmError, problem: string, section?: string): void {
    this.fault ??= { error, problem, section };
  }

  /**
   * Moves past `size` bytes and returns their offset; undefined, and a fault, where the payload is
   * too short.
   */
  take(size: number): number | undefined {
    if (this.fault !== undefined || size > this.left) {
      this.fail(RmError.MSG_INVALID, `the payload of ${this.bytes.length} bytes is too short`);
      return undefined;
    }
    this.offset += size;
    return this.offset - size;
  }

  unsigned(size: 1 | 2 | 4): number {
    const at = this.take(size);
    if (at === undefined) return 0;
    return size === 1 ? this.#view.getUint8(at) : size === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  unsigned64(): bigint {
    const at = this.take(8);
    return at === undefined ? 0n : this.#view.getBigUint64(at, true);
  }

  slice(size: number): Uint8Array {
    const at = this.take(size);
    return at === undefined ? new Uint8Array(0) : this.bytes.slice(at, at + size);
  }
}

/** Collects a payload. */
export class Output {
  readonly #bytes = new Bytes();

  unsigned(size: 1 | 2 | 4, value: number): void {
    for (let shift = 0; shift < size * 8; shift += 8) this.#bytes.push(value >>> shift & 0xff);
  }

  unsigned64(value: bigint): void {
    this.unsigned(4, Number(value & 0xffff_ffffn));
    this.unsigned(4, Number(value >> 32n & 0xffff_ffffn));
  }

  append(bytes: Uint8Array): void {
    this.#bytes.pushAll(bytes);
  }

  pad(to: number): void {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0);
  }

  bytes(): Uint8Array {
    return this.#bytes.view.slice();
  }
}

/**
 * The wire form of a field, for code that describes layouts or composes payloads. Sizes are bytes.
 */
export type Shape =
  | { readonly kind: "unsigned"; readonly size: 1 | 2 | 4 | 8 }
  | { readonly kind: "reserved"; readonly size: number; readonly mustBeZero: boolean }
  | { readonly kind: "bytes"; readonly size: number }
  /** Everything up to the end. */
  | { readonly kind: "rest" }
  /**
   * A length (u16), bytes of nothing (`gap`), as many bytes, and zeros up to a multiple of 4 if
   * `padded`.
   */
  | { readonly kind: "counted"; readonly gap: 0 | 2; readonly padded: boolean }
  /**
   * A count of this size and entries; a `list` of §1.6 has a half-word after the count, padding,
   * and may be missing at the end.
   */
  | {
    readonly kind: "list";
    readonly counter: 2 | 4;
    readonly entry: Shapes;
    readonly rpcList?: { readonly maximum: number; readonly annotated: boolean };
  }
  /** There only when the field `selector` before it has one of these values. */
  | { readonly kind: "when"; readonly selector: string; readonly values: readonly number[]; readonly shape: Shape };

/** Shapes of fields by name, in wire order. */
export type Shapes = Readonly<Record<string, Shape>>;

export interface LayoutField<T> {
  readonly shape: Shape;
  /** @param before the fields before it in the same payload or entry. */
  decode(input: Input, before: Readonly<Record<string, unknown>>): T;
  /** @param all all fields of the same payload or entry. */
  encode(output: Output, value: T, all: Readonly<Record<string, unknown>>): void;
  /** The value for display; undefined if the field is not worth a word. */
  print(value: T): string | undefined;
}

/** Fields by name, in wire order. */
export type Fields = Readonly<Record<string, LayoutField<unknown>>>;

type ValueOf<F> = F extends LayoutField<infer T> ? T : never;
/** The values of a layout's fields; reserved fields have none. */
export type Values<F> = { readonly [K in keyof F as ValueOf<F[K]> extends void ? never : K]: ValueOf<F[K]> };

const hex = (value: number | bigint) => value < 10 ? `${value}` : `0x${value.toString(16)}`;

function unsigned(size: 1 | 2 | 4): LayoutField<number> {
  return {
    shape: { kind: "unsigned", size },
    decode: (input) => input.unsigned(size),
    encode: (output, value) => output.unsigned(size, value),
    print: hex,
  };
}

/** Unsigned integers of 8, 16 and 32 bits. */
export const u8: LayoutField<number> = unsigned(1);
export const u16: LayoutField<number> = unsigned(2);
export const u32: LayoutField<number> = unsigned(4);

export const u64: LayoutField<bigint> = {
  shape: { kind: "unsigned", size: 8 },
  decode: (input) => input.unsigned64(),
  encode: (output, value) => output.unsigned64(value),
  print: hex,
};

/** Ignored bytes; written as zeros. */
export function reserved(size: number): LayoutField<void> {
  return {
    shape: { kind: "reserved", size, mustBeZero: false },
    decode: (input) => void input.take(size),
    encode: (output) => output.append(new Uint8Array(size)),
    print: () => undefined,
  };
}

/** Bytes that have to be zero, else `error`. */
export function mustBeZero(size: number, error: RmError = RmError.MSG_INVALID): LayoutField<void> {
  return {
    shape: { kind: "reserved", size, mustBeZero: true },
    decode: (input) => {
      if (input.slice(size).some((byte) => byte !== 0)) input.fail(error, "a reserved field is not zero");
    },
    encode: (output) => output.append(new Uint8Array(size)),
    print: () => undefined,
  };
}

export function bytes(size: number): LayoutField<Uint8Array> {
  return {
    shape: { kind: "bytes", size },
    decode: (input) => input.slice(size),
    encode: (output, value) => output.append(value),
    print: printBytes,
  };
}

/** Everything up to the end of the payload. */
export const rest: LayoutField<Uint8Array> = {
  shape: { kind: "rest" },
  decode: (input) => input.slice(input.left),
  encode: (output, value) => output.append(value),
  print: printBytes,
};

function printBytes(value: Uint8Array): string {
  const shown = value.subarray(0, 16).toHex();
  return value.length > 16 ? `${shown}.. (${value.length} bytes)` : shown;
}

/**
 * Length (u16), a reserved half-word, then text padded with zeros to a multiple of 4. Anything but
 * zeros there is refused.
 */
export const paddedText: LayoutField<Uint8Array> = {
  shape: { kind: "counted", gap: 2, padded: true },
  decode: (input) => {
    const length = input.unsigned(2);
    input.unsigned(2);
    const text = input.slice(length);
    if (input.slice((4 - length % 4) % 4).some((byte) => byte !== 0)) input.fail(RmError.MSG_INVALID, "the padding is not zero");
    return text;
  },
  encode: (output, value) => {
    output.unsigned(2, value.length);
    output.unsigned(2, 0);
    output.append(value);
    output.pad(4);
  },
  print: (value) => JSON.stringify(new TextDecoder().decode(value)),
};

/** A length (u16) and as many bytes. */
export const countedBytes: LayoutField<Uint8Array> = {
  shape: { kind: "counted", gap: 0, padded: false },
  decode: (input) => input.slice(input.unsigned(2)),
  encode: (output, value) => {
    output.unsigned(2, value.length);
    output.append(value);
  },
  print: printBytes,
};

/** A length (u16), as many bytes, and zeros up to a multiple of 4. */
export const paddedBytes: LayoutField<Uint8Array> = {
  shape: { kind: "counted", gap: 0, padded: true },
  decode: (input) => {
    const data = input.slice(input.unsigned(2));
    input.take((4 - data.length % 4) % 4);
    return data;
  },
  encode: (output, value) => {
    output.unsigned(2, value.length);
    output.append(value);
    output.pad(4);
  },
  print: printBytes,
};

/** Fields as one value, as an entry of a list or as a payload. */
interface Group<F> {
  readonly shapes: Shapes;
  decode(input: Input): Values<F>;
  encode(output: Output, value: Values<F>): void;
  print(value: Values<F>): string;
}

function group<const F extends Fields>(fields: F): Group<F> {
  const entries = Object.entries(fields);
  return {
    shapes: Object.fromEntries(entries.map(([name, { shape }]) => [name, shape])),
    decode: (input) => {
      const values: Record<string, unknown> = {};
      for (const [name, field] of entries) {
        const value = field.decode(input, values);
        if (value !== undefined) values[name] = value;
      }
      return values as Values<F>;
    },
    encode: (output, value) => {
      const all = value as Record<string, unknown>;
      for (const [name, field] of entries) field.encode(output, all[name], all);
    },
    print: (value) =>
      entries.flatMap(([name, field]) => {
        const text = field.print((value as Record<string, unknown>)[name]);
        return text === undefined ? [] : [`${name}=${text}`];
      }).join(" "),
  };
}

/**
 * A list that is there only when the field `selector` before it has one of these values; empty
 * otherwise, and not written.
 */
export function listWhen<T>(selector: string, values: readonly number[], field: LayoutField<T[]>): LayoutField<T[]> {
  const applies = (fields: Readonly<Record<string, unknown>>) => values.some((value) => value === fields[selector]);
  return {
    shape: { kind: "when", selector, values, shape: field.shape },
    decode: (input, before) => applies(before) ? field.decode(input, before) : [],
    encode: (output, entries, before) => {
      if (applies(before)) field.encode(output, entries, before);
    },
    print: (entries) => entries.length === 0 ? undefined : field.print(entries),
  };
}

/** Longest list that the Resource Manager takes. */
const RPC_LIST_MAX = 512;

/**
 * A list with a count of 16 bits (§1.6): a missing list at the end of the payload is empty; the
 * whole is padded to a multiple of 4.
 */
export function list<const F extends Fields>(entry: F, maximum = RPC_LIST_MAX): LayoutField<Values<F>[]> {
  const annotated = annotatedList(entry, maximum);
  const { shapes } = group(entry);
  return {
    shape: { kind: "list", counter: 2, entry: shapes, rpcList: { maximum, annotated: false } },
    decode: (input, before) => annotated.decode(input, before).entries,
    encode: (output, entries, all) => annotated.encode(output, { entries, annotation: 0 }, all),
    print: (entries) => annotated.print({ entries, annotation: 0 }),
  };
}

/** A `list` whose half-word after the count, reserved elsewhere, carries a value. */
export function annotatedList<const F extends Fields>(
  entry: F,
  maximum = RPC_LIST_MAX,
): LayoutField<{ entries: Values<F>[]; annotation: number }> {
  const item = group(entry);
  return {
    shape: { kind: "list", counter: 2, entry: item.shapes, rpcList: { maximum, annotated: true } },
    decode: (input) => {
      if (input.left === 0) return { entries: [], annotation: 0 };
      const count = input.unsigned(2);
      const annotation = input.unsigned(2);
      if (count > maximum) {
        input.fail(RmError.NORESOURCE, `a list of ${count} entries exceeds ${maximum}`, "1.6");
        return { entries: [], annotation };
      }
      const entries: Values<F>[] = [];
      while (entries.length < count && input.fault === undefined) entries.push(item.decode(input));
      return { entries, annotation };
    },
    encode: (output, { entries, annotation }) => {
      output.unsigned(2, entries.length);
      output.unsigned(2, annotation);
      for (const each of entries) item.encode(output, each);
      output.pad(4);
    },
    print: ({ entries }) => `[${entries.map((each) => item.print(each)).join(", ")}]`,
  };
}

/** A count of 32 bits and as many entries. */
export function list32<const F extends Fields>(entry: F): LayoutField<Values<F>[]> {
  return counted(4, entry);
}

/** A count of 16 bits and as many entries, with nothing between them. */
export function list16<const F extends Fields>(entry: F): LayoutField<Values<F>[]> {
  return counted(2, entry);
}

function counted<const F extends Fields>(size: 2 | 4, entry: F): LayoutField<Values<F>[]> {
  const item = group(entry);
  return {
    shape: { kind: "list", counter: size, entry: item.shapes },
    decode: (input) => {
      const count = input.unsigned(size);
      const entries: Values<F>[] = [];
      while (entries.length < count && input.fault === undefined) entries.push(item.decode(input));
      return entries;
    },
    encode: (output, entries) => {
      output.unsigned(size, entries.length);
      for (const each of entries) item.encode(output, each);
    },
    print: (entries) => `[${entries.map((each) => item.print(each)).join(", ")}]`,
  };
}

/** A decoded payload, or the error that it is answered with and why. */
export type Decoded<T> = { ok: true; value: T } | {
  ok: false;
  error: RmError;
  problem: string; /** Section of the specification, where it is not the message's. */
  section?: string;
};

/** How strictly a payload's length is judged. */
export interface LayoutRules {
  /** Payloads below are refused, even where the lists that end them may be missing. Bytes. */
  readonly minimum?: number;
  /** Bytes after the last field are ignored instead of refused. */
  readonly longer?: "ignored";
  /** The error for a payload of another length; MSG_INVALID by default. */
  readonly otherLength?: RmError;
}

/** The place of a field in a payload, in bytes. */
export interface Span {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Whether it has no value: reserved bytes, and the bytes after the last field. */
  readonly filler: boolean;
}

export class Layout<F extends Fields = Fields> {
  readonly #content: Group<F>;

  constructor(readonly fields: F, readonly rules: LayoutRules = {}) {
    this.#content = group(fields);
  }

  /** Its wire form. */
  get shapes(): Shapes {
    return this.#content.shapes;
  }

  decode(payload: Uint8Array): Decoded<Values<F>> {
    if (payload.length < (this.rules.minimum ?? 0)) {
      return { ok: false, error: RmError.MSG_INVALID, problem: `${payload.length} bytes are fewer than ${this.rules.minimum}` };
    }
    const input = new Input(payload);
    const value = this.#content.decode(input);
    if (input.fault === undefined && input.left > 0 && this.rules.longer === undefined) {
      input.fail(RmError.MSG_INVALID, `${input.left} bytes follow the last field`);
    }
    if (input.fault === undefined) return { ok: true, value };
    const { error } = input.fault;
    return { ok: false, ...input.fault, error: error === RmError.MSG_INVALID ? this.rules.otherLength ?? error : error };
  }

  /**
   * The bytes of each field of a payload, in order; of a field that is cut short, its beginning.
   */
  spans(payload: Uint8Array): Span[] {
    const input = new Input(payload), before: Record<string, unknown> = {};
    const spans = Object.entries(this.fields).flatMap(([name, field]): Span[] => {
      const from = input.offset, value = field.decode(input, before);
      if (value !== undefined) before[name] = value;
      return input.offset > from ? [{ name, from, to: input.offset, filler: value === undefined }] : [];
    });
    return input.left ? [...spans, { name: "rest", from: input.offset, to: payload.length, filler: true }] : spans;
  }

  encode(value: Values<F>): Uint8Array {
    const output = new Output();
    this.#content.encode(output, value);
    return output.bytes();
  }

  /** The fields as `name=value`, for traces. */
  print(value: Values<F>): string {
    return this.#content.print(value) ?? "";
  }
}

/** Declares a layout; fields in wire order. */
export function layout<const F extends Fields>(fields: F, rules?: LayoutRules): Layout<F> {
  return new Layout(fields, rules);
}
