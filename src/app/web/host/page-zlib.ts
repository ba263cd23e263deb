// gzip, deflate and zstd at once, as Node's zlib has them: a page's own streams come later, and
// none unpacks zstd.

import { deflateSync, FlateErrorCode, gzipSync, Inflate, Unzlib } from "fflate";
import { Decompress } from "fzstd";
import { zstdFrameEnd } from "../../../kit/formats/zstd.ts";
import { joined } from "../../../kit/support/values/bytes.ts";

/** The options that machines give. */
interface UnpackOptions {
  readonly maxOutputLength?: number;
  readonly finishFlush?: number;
}

/** An error with Node's code, by which callers know it. */
const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

const Z_SYNC_FLUSH = 2;
/** Bytes that are unpacked at a time: a stream may unpack to a thousand times as many. */
const PIECE = 64 * 1024;

/** A stream of a package, whose errors have numbers as codes. */
type Unpacking = Pick<Inflate, "ondata" | "push">;

/** @throws Error with Node's code, if the data is larger than it may become; the package's error */
function allOf(stream: Unpacking, bytes: Uint8Array, { maxOutputLength = Infinity, finishFlush }: UnpackOptions): Uint8Array {
  const pieces: Uint8Array[] = [];
  let size = 0;
  stream.ondata = (piece) => {
    size += piece.length;
    if (size > maxOutputLength) throw failure("ERR_BUFFER_TOO_LARGE", `more than ${maxOutputLength} bytes`);
    pieces.push(piece);
  };
  for (let at = 0; at < bytes.length || at === 0; at += PIECE) {
    stream.push(bytes.subarray(at, at + PIECE), at + PIECE >= bytes.length && finishFlush !== Z_SYNC_FLUSH);
  }
  return joined(pieces);
}

/** The number of an error of a package. */
const numberOf = (error: unknown): number | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;

/** @throws Error with Node's code, if the data is damaged, cut off or larger than it may become */
function unpacked(stream: Unpacking, bytes: Uint8Array, options: UnpackOptions = {}): Uint8Array {
  try {
    return allOf(stream, bytes, options);
  } catch (error) {
    const number = numberOf(error);
    if (number === undefined || !(error instanceof Error)) throw error;
    throw failure(number === FlateErrorCode.UnexpectedEOF ? "Z_BUF_ERROR" : "Z_DATA_ERROR", error.message);
  }
}

/**
 * The first frame, as Node has it: what follows is not looked at, of one that is cut off its whole
 * blocks come out, and errors have no code.
 */
function unzstd(bytes: Uint8Array, options: UnpackOptions = {}): Uint8Array {
  const end = zstdFrameEnd((at, size) => bytes.subarray(at, at + size), 0);
  try {
    return allOf(new Decompress(), bytes.subarray(0, end), { ...options, finishFlush: Z_SYNC_FLUSH });
  } catch (error) {
    if (numberOf(error) === undefined || !(error instanceof Error)) throw error;
    throw new Error(error.message);
  }
}

/** Flags of a gzip header (RFC 1952 §2.3.1), each for a part of it. */
const HeaderFlag = { HeaderSum: 2, Extra: 4, Name: 8, Comment: 16 } as const;

/** The deflated data of a gzip stream: of its first member, whose checksum is not looked at. */
function withoutHeader(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) throw failure("Z_DATA_ERROR", "incorrect header check");
  const flags = bytes[3];
  let at = 10;
  if (flags & HeaderFlag.Extra) at += 2 + (bytes[at] | bytes[at + 1] << 8);
  for (const text of [HeaderFlag.Name, HeaderFlag.Comment]) if (flags & text) at = bytes.indexOf(0, at) + 1 || bytes.length;
  if (flags & HeaderFlag.HeaderSum) at += 2;
  if (at >= bytes.length) throw failure("Z_BUF_ERROR", "unexpected end of file");
  return bytes.subarray(at);
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ byte >>> 1 : byte >>> 1;
  return byte;
});

/** CRC-32 of gzip. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let at = 0; at < bytes.length; at++) crc = TABLE[(crc ^ bytes[at]) & 0xff] ^ crc >>> 8;
  return ~crc >>> 0;
}

/** The part of Node's module that machines use. */
export const pageZlib = {
  crc32,
  constants: { Z_SYNC_FLUSH },
  gunzipSync: (bytes: Uint8Array, limits?: UnpackOptions) => unpacked(new Inflate(), withoutHeader(bytes), limits),
  inflateSync: (bytes: Uint8Array, limits?: UnpackOptions) => unpacked(new Unzlib(), bytes, limits),
  inflateRawSync: (bytes: Uint8Array, limits?: UnpackOptions) => unpacked(new Inflate(), bytes, limits),
  deflateRawSync: (bytes: Uint8Array, { level }: { level?: 1 } = {}) => deflateSync(bytes, { level }),
  gzipSync: (bytes: Uint8Array, { level }: { level?: 1 } = {}) => gzipSync(bytes, { level }),
  zstdDecompressSync: unzstd,
};
