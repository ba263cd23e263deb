// A composite disk of crosvm: a file that lists other files and their places on the disk, as
// protos/src/cdisk_spec.proto of crosvm has it in Protocol Buffers
// (protobuf.dev/programming-guides/encoding).

const MAGIC = new TextEncoder().encode("composite_disk\x1d");
/** The latest version of the list. */
const VERSION = 2;
/** Files of one disk. */
const COMPONENTS_MAX = 4096;

/** A file of the disk. */
export interface CompositeComponent {
  readonly path: string;
  /** Byte of the disk at which the file begins. */
  readonly offset: number;
  readonly writable: boolean;
  /** Byte of the file with which it begins there. */
  readonly fileOffset: number;
}

export interface CompositeDisk {
  readonly version: number;
  /** Bytes of the disk. */
  readonly length: number;
  /** By their places; the first is at 0. Each ends where the next begins. */
  readonly components: readonly CompositeComponent[];
}

/** A defect of the file of a composite disk. */
export class BadCompositeDisk extends Error {}

/** Whether a file that begins with these bytes is a composite disk. */
export function isCompositeDisk(start: Uint8Array): boolean {
  return MAGIC.every((byte, index) => start[index] === byte);
}

/** @throws BadCompositeDisk */
export function readCompositeDisk(file: Uint8Array): CompositeDisk {
  if (!isCompositeDisk(file)) throw new BadCompositeDisk("is not a composite disk");
  let version = 0, length = 0;
  const components: CompositeComponent[] = [];
  for (const { number, value } of fieldsOf(file, MAGIC.length, file.length)) {
    if (number === 1) version = numberIn(value);
    else if (number === 2) components.push(componentIn(file, value));
    else if (number === 3) length = numberIn(value);
    if (components.length > COMPONENTS_MAX) throw new BadCompositeDisk(`lists more than ${COMPONENTS_MAX} files`);
  }
  if (version > VERSION) throw new BadCompositeDisk(`is of version ${version}, and ${VERSION} is the latest that is known`);
  components.sort((a, b) => a.offset - b.offset);
  checkPlaces(components, length);
  return { version, length, components };
}

function checkPlaces(components: readonly CompositeComponent[], length: number): void {
  if (components.length === 0) throw new BadCompositeDisk("lists no file");
  if (components[0].offset > 0) throw new BadCompositeDisk(`has no file at byte 0, the first is at ${components[0].offset}`);
  for (const [index, { offset }] of components.entries()) {
    if (offset >= length) throw new BadCompositeDisk(`has ${length} bytes, and a file at byte ${offset}`);
    if (offset === components[index + 1]?.offset) throw new BadCompositeDisk(`has two files at byte ${offset}`);
  }
}

function componentIn(file: Uint8Array, value: Value): CompositeComponent {
  if (typeof value === "bigint") throw new BadCompositeDisk("lists a number instead of a file");
  let path = "", offset = 0, writable = false, fileOffset = 0;
  for (const { number, value: part } of fieldsOf(file, value.start, value.end)) {
    if (number === 1) path = textIn(file, part);
    else if (number === 2) offset = numberIn(part);
    else if (number === 3) writable = numberIn(part) === 1;
    else if (number === 4) fileOffset = numberIn(part);
  }
  if (path === "") throw new BadCompositeDisk(`lists a file without a path, at byte ${offset}`);
  return { path, offset, writable, fileOffset };
}

/** A number, or where the bytes are. */
type Value = bigint | { readonly start: number; readonly end: number };

function numberIn(value: Value): number {
  if (typeof value !== "bigint") throw new BadCompositeDisk(`has a text at ${value.start} instead of a number`);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadCompositeDisk(`has the number ${value}, which no disk has bytes for`);
  return Number(value);
}

function textIn(file: Uint8Array, value: Value): string {
  if (typeof value === "bigint") throw new BadCompositeDisk("has a number instead of a path");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.subarray(value.start, value.end));
  } catch {
    throw new BadCompositeDisk(`has a path at ${value.start} that is not UTF-8`);
  }
}

/** The fields of a message, those that are not known too. */
function* fieldsOf(file: Uint8Array, start: number, end: number): Generator<{ readonly number: number; readonly value: Value }> {
  let at = start;
  const cut = () => new BadCompositeDisk(`is cut off at byte ${at}`);
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= end) throw cut();
      const byte = file[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new BadCompositeDisk(`has a number of more than 64 bits at byte ${at}`);
  };
  const skip = (size: bigint): Value => {
    if (size > BigInt(end - at)) throw cut();
    const value = { start: at, end: at + Number(size) };
    at = value.end;
    return value;
  };
  while (at < end) {
    const key = varint(), type = Number(key & 7n), number = Number(key >> 3n);
    if (type === 0) yield { number, value: varint() };
    else if (type === 2) yield { number, value: skip(varint()) };
    else if (type === 1 || type === 5) skip(type === 1 ? 8n : 4n);
    else throw new BadCompositeDisk(`has a field of the unknown type ${type} before byte ${at}`);
  }
}
