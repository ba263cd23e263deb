// Filters answers of the computer's resolver to a guest (RFC 1035): addresses that the guest may
// not reach are removed, so that no internet name means this computer or its network.

/** Fields of a message, and bits of its flags. */
const Header = { Flags: 2, Questions: 4, Answers: 6, Authorities: 8, Additional: 10, Size: 12 } as const;
const QUERY_RESPONSE = 0x8000;
/** The flags of an answer that stay: it is one, opcode, recursion desired and available. */
const KEPT_FLAGS = 0xf980;
const Code = { NameError: 3, Refused: 5 } as const;
const POINTER = 0xc0;
const LABEL_MAX = 63;
const QUESTION_SIZE = 4;
/** Bytes of a record after its name: type, class, TTL, length. */
const RECORD_SIZE = 10;
const Type = { A: 1, AAAA: 28, SVCB: 64, HTTPS: 65 } as const;
const ADDRESS_SIZES: Readonly<Record<number, number>> = { [Type.A]: 4, [Type.AAAA]: 16 };

/** Over TCP a length is before each message. */
const LENGTH_SIZE = 2;

/**
 * The message for the guest: as it is, or without its records where one of its addresses is not
 * allowed; undefined if it is not a whole message.
 */
export function filteredAnswer(message: Uint8Array, allowed: (address: Uint8Array) => boolean): Uint8Array | undefined {
  if (message.length < Header.Size) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at: number | undefined = Header.Size;
  for (let left = view.getUint16(Header.Questions); left > 0 && at !== undefined; left--) at = after(message, at, QUESTION_SIZE);
  const records = view.getUint16(Header.Answers) + view.getUint16(Header.Authorities) + view.getUint16(Header.Additional);
  const questions = at;
  for (let left = records; left > 0; left--) {
    if (at === undefined || questions === undefined) return undefined;
    const fields: number | undefined = after(message, at, RECORD_SIZE);
    if (fields === undefined) return undefined;
    const type = view.getUint16(fields - RECORD_SIZE), size = view.getUint16(fields - 2);
    if (fields + size > message.length) return undefined;
    const data = message.subarray(fields, fields + size);
    // Hints of service records contain addresses at places that would need another parser.
    const hints = type === Type.SVCB || type === Type.HTTPS;
    if (hints || ADDRESS_SIZES[type] !== undefined && (size !== ADDRESS_SIZES[type] || !allowed(data))) {
      return emptyAnswer(message, questions, hints ? 0 : Code.NameError);
    }
    at = fields + size;
  }
  return questions === undefined ? undefined : message;
}

/** The refusal of a query, without asking the resolver; undefined if it is not a query. */
export function refusedAnswer(query: Uint8Array): Uint8Array | undefined {
  if (query.length < Header.Size) return undefined;
  const view = new DataView(query.buffer, query.byteOffset, query.byteLength);
  if (view.getUint16(Header.Questions) !== 1) return undefined;
  const end = after(query, Header.Size, QUESTION_SIZE);
  return end === undefined ? undefined : emptyAnswer(query, end, Code.Refused);
}

/** A message's header and questions, as an answer without records. */
function emptyAnswer(message: Uint8Array, end: number, code: number): Uint8Array {
  const answer = message.slice(0, end);
  const view = new DataView(answer.buffer);
  view.setUint16(Header.Flags, view.getUint16(Header.Flags) & KEPT_FLAGS | QUERY_RESPONSE | code);
  for (const count of [Header.Answers, Header.Authorities, Header.Additional]) view.setUint16(count, 0);
  return answer;
}

/** Offset after the name at `at` and `size` more bytes; undefined if the message ends before. */
function after(message: Uint8Array, at: number, size: number): number | undefined {
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    const pointer = (length & POINTER) === POINTER;
    if (!pointer && length > LABEL_MAX) return undefined;
    at += pointer ? 2 : 1 + length;
    if (pointer || length === 0) break;
  }
  return at + size <= message.length ? at + size : undefined;
}

/**
 * Messages of a stream, each with its length before it: takes pieces, gives whole ones filtered.
 */
export class DnsStream {
  #pending = new Uint8Array(0);

  constructor(readonly allowed: (address: Uint8Array) => boolean) {}

  /** The filtered piece for the guest; undefined if the data is not DNS. */
  append(piece: Uint8Array): Uint8Array | undefined {
    // At most one message and a piece are kept.
    let bytes = new Uint8Array(this.#pending.length + piece.length);
    bytes.set(this.#pending);
    bytes.set(piece, this.#pending.length);
    const out: number[] = [];
    for (;;) {
      const length = bytes.length < LENGTH_SIZE ? undefined : bytes[0] << 8 | bytes[1];
      if (length === undefined || bytes.length < LENGTH_SIZE + length) break;
      const message = filteredAnswer(bytes.subarray(LENGTH_SIZE, LENGTH_SIZE + length), this.allowed);
      if (!message) return undefined;
      out.push(message.length >> 8, message.length & 0xff, ...message);
      bytes = bytes.subarray(LENGTH_SIZE + length);
    }
    this.#pending = bytes.slice();
    return Uint8Array.from(out);
  }
}
