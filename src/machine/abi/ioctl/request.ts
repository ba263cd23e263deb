// ioctl request codes: direction in bits 31:30, size of the argument in 29:16, magic in 15:8,
// number in 7:0 (docs/spec/vm-manager.md §2).

import type { Struct } from "./struct.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** Bits 31:30, from the caller's view. */
export const Direction = { None: 0, Write: 1, Read: 2, ReadWrite: 3 } as const;
export type Direction = typeof Direction[keyof typeof Direction];

/** The kind of descriptor that an ioctl is called on. */
export type DescriptorKind = "device" | "vm" | "vcpu";

interface RequestParts {
  readonly direction: Direction;
  /** Bytes. */
  readonly size: number;
  readonly magic: number;
  readonly number: number;
}

export interface Request {
  readonly name: string;
  /** 32 bits, unsigned. */
  readonly code: number;
  readonly on: DescriptorKind;
  /**
   * The struct that the argument points to; undefined if the argument is a value or is ignored.
   */
  readonly struct: Struct | undefined;
}

/** The code of a request, as C's _IOC() makes it. */
export function requestCode({ direction, size, magic, number }: RequestParts): number {
  return (direction << 30 | size << 16 | magic << 8 | number) >>> 0;
}

export function requestParts(code: number): RequestParts {
  return { direction: (code >>> 30) as Direction, size: code >>> 16 & 0x3fff, magic: code >>> 8 & 0xff, number: code & 0xff };
}

/** Declares a request whose argument is a value, or nothing. */
export function plain(name: string, on: DescriptorKind, magic: number, number: number): Request {
  return { name, on, struct: undefined, code: requestCode({ direction: Direction.None, size: 0, magic, number }) };
}

/** Declares a request whose argument points to a structure. */
export function pointer(
  name: string,
  on: DescriptorKind,
  magic: number,
  number: number,
  struct: Struct,
  direction: Direction = Direction.Write,
): Request {
  return { name, on, struct, code: requestCode({ direction, size: struct.size, magic, number }) };
}

const DIRECTIONS = ["none", "write", "read", "read and write"];

/** A code in words: `0x40204701: write, 32 bytes, magic 0x47 'G', number 0x01`. */
export function describeCode(code: number): string {
  const { direction, size, magic, number } = requestParts(code);
  const letter = magic > 0x20 && magic < 0x7f ? ` '${String.fromCharCode(magic)}'` : "";
  return `${hex(code >>> 0, 8)}: ${DIRECTIONS[direction]}, ${size} bytes, magic ${hex(magic, 2)}${letter}, number ${hex(number, 2)}`;
}
