// Layouts of C structures that cross the ioctl boundary, declared once as fields in order: offsets
// follow from C's alignment on arm64, and encoding, decoding, fuzzing and printing follow from the
// fields (docs/spec/vm-manager.md §3, docs/spec/geniezone.md §3.1). Little endian.

/** C types of fields. `bytes(n)` is an array of u8. */
type ScalarType = "u8" | "u16" | "u32" | "s32" | "u64";
type FieldType = ScalarType | { readonly array: ScalarType; readonly length: number };

/** `length` values of one type. */
export function array<const T extends ScalarType>(type: T, length: number): { readonly array: T; readonly length: number } {
  return { array: type, length };
}

const SIZES: Readonly<Record<ScalarType, number>> = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 };

type ScalarValue<T> = T extends "u64" ? bigint : number;
type ValueOf<T> = T extends { readonly array: infer A } ? ScalarValue<A>[] : ScalarValue<T>;

/** Field types by name, in order. */
export type StructFields = Readonly<Record<string, FieldType>>;
/** Values of a structure: bigint for u64, numbers for the rest. */
export type StructValues<F extends StructFields = StructFields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** One field with its place, which is read and written without the others. */
interface PlacedField<T extends FieldType = FieldType> {
  readonly name: string;
  readonly offset: number;
  readonly type: T;
  /** Its value in a structure that begins where `view` does. */
  get(view: DataView): ValueOf<T>;
  /** Values wrap at their width. */
  set(view: DataView, value: ValueOf<T>): void;
}

const scalarOf = (type: FieldType): ScalarType => typeof type === "string" ? type : type.array;
const countOf = (type: FieldType): number => typeof type === "string" ? 1 : type.length;

/** A C structure. */
export class Struct<F extends StructFields = StructFields> {
  readonly fields: readonly PlacedField[];
  /** The same by name. */
  readonly at: { readonly [K in keyof F]: PlacedField<F[K]> };
  /** sizeof: the end of the last field, rounded up to the alignment. Bytes. */
  readonly size: number;

  constructor(readonly name: string, fields: F) {
    let offset = 0, alignment = 1;
    const placed: PlacedField[] = [];
    for (const [field, type] of Object.entries(fields)) {
      const size = SIZES[scalarOf(type)];
      offset = Math.ceil(offset / size) * size;
      placed.push(typeof type === "string" ? scalarField(field, offset, type) : arrayField(field, offset, type));
      offset += size * countOf(type);
      alignment = Math.max(alignment, size);
    }
    this.fields = placed;
    this.at = Object.fromEntries(placed.map((field) => [field.name, field])) as typeof this.at;
    this.size = Math.ceil(offset / alignment) * alignment;
  }

  /** The values in `bytes`, which are at least `size` long. */
  decode(bytes: Uint8Array): StructValues<F> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const values: Record<string, unknown> = {};
    for (const field of this.fields) values[field.name] = field.get(view);
    return values as StructValues<F>;
  }

  /** The bytes of `values`; absent fields are zero. Values wrap at their width. */
  encode(values: Partial<StructValues<F>>): Uint8Array {
    const bytes = new Uint8Array(this.size);
    const view = new DataView(bytes.buffer);
    for (const field of this.fields) {
      const value = values[field.name];
      if (value !== undefined) field.set(view, value);
    }
    return bytes;
  }
}

function scalarField(name: string, offset: number, type: ScalarType): PlacedField<ScalarType> {
  return {
    name,
    offset,
    type,
    get: (view) => readScalar(view, offset, type),
    set: (view, value) => writeScalar(view, offset, type, value),
  };
}

function arrayField(name: string, offset: number, type: FieldType & object): PlacedField<FieldType & object> {
  const { array: scalar, length } = type, size = SIZES[scalar];
  return {
    name,
    offset,
    type,
    get: (view) => Array.from({ length }, (_, index) => readScalar(view, offset + index * size, scalar)),
    set: (view, values) => values.forEach((value, index) => writeScalar(view, offset + index * size, scalar, value)),
  };
}

function readScalar(view: DataView, at: number, type: ScalarType): number | bigint {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "s32":
      return view.getInt32(at, true);
    case "u64":
      return view.getBigUint64(at, true);
  }
}

function writeScalar(view: DataView, at: number, type: ScalarType, value: number | bigint): void {
  switch (type) {
    case "u8":
      return view.setUint8(at, Number(value));
    case "u16":
      return view.setUint16(at, Number(value), true);
    case "u32":
    case "s32":
      return view.setUint32(at, Number(value), true);
    case "u64":
      return view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  }
}

/** Declares a structure; fields in C's order. */
export function struct<const F extends StructFields>(name: string, fields: F): Struct<F> {
  return new Struct(name, fields);
}
