// Reads protocol buffers for tests, written from the wire format and not from the writer: fields by
// number, each a list of its values.

/** A message as it lies in the file: whole numbers, or bytes that are text or another message. */
export type Fields = Map<number, (bigint | Uint8Array)[]>;

/**
 * The fields of a message. Throws at a wire type that is not known, and where something is cut off.
 */
export function readMessage(bytes: Uint8Array): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error(`varint at ${at}`);
      const byte = bytes[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint(), number = Number(key >> 3n), type = key & 7n;
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    if (type === 0n) values.push(varint());
    else if (type === 2n) {
      const length = Number(varint());
      if (at + length > bytes.length) throw new Error(`field ${number} is cut off`);
      values.push(bytes.subarray(at, at += length));
    } else throw new Error(`wire type ${type} of field ${number}`);
  }
  return fields;
}

/** A field that is a message. */
export function inner(fields: Fields, number: number): Fields | undefined {
  const value = fields.get(number)?.[0];
  return value instanceof Uint8Array ? readMessage(value) : undefined;
}

/** A field that is text. */
export function textOf(fields: Fields | undefined, number: number): string | undefined {
  const value = fields?.get(number)?.[0];
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
}

/** A field that is a whole number. */
export function numberOf(fields: Fields | undefined, number: number): number | undefined {
  const value = fields?.get(number)?.[0];
  return typeof value === "bigint" ? Number(value) : undefined;
}
