// Writes call frame information (.debug_frame, version 3; DWARF 5, section 6.4): the counterpart of
// frames.ts.

import { Cfa, FrameRegister, type FrameRow, type FrameRule, sameRule } from "./frames.ts";
import { joined } from "../../support/values/bytes.ts";

/** Rules for a range of addresses. */
export interface FrameRange {
  readonly start: bigint;
  readonly end: bigint;
  /** Begins with a row at `start`. */
  readonly rows: readonly { readonly start: bigint; readonly row: FrameRow }[];
}

const CODE_FACTOR = 4n, DATA_FACTOR = -8n;
const VERSION = 3;
const { SP, X30 } = FrameRegister;
/** Common information has this instead of the offset of another. */
const COMMON_ID = 0xffff_ffff;

/** Instructions of a range, as its description has them. All of its rows are alike in `signal`. */
export function frameInstructions({ rows }: FrameRange): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  let cfa = { register: SP as number, offset: 0n }, rules: ReadonlyMap<number, FrameRule> = new Map(), at = rows[0]?.start ?? 0n;
  for (const { start, row } of rows) {
    advance(out, (start - at) / CODE_FACTOR);
    at = start;
    if (!("register" in row.cfa)) throw new Error("an expression for the CFA is not written");
    if (row.cfa.register !== cfa.register || row.cfa.offset !== cfa.offset) {
      ({ cfa } = row as { cfa: typeof cfa });
      out.push(Cfa.DefCfa, ...unsigned(BigInt(cfa.register)), ...unsigned(cfa.offset));
    }
    for (const register of new Set([...rules.keys(), ...row.rules.keys()])) {
      const before = rules.get(register), rule = row.rules.get(register);
      if (rule && !sameRule(before, rule)) out.push(...ruleBytes(register, rule));
      // The initial rules have none for it.
      else if (!rule) out.push(Cfa.RestoreExtended, ...unsigned(BigInt(register)));
    }
    rules = row.rules;
  }
  return Uint8Array.from(out);
}

/** A description's range and instructions. */
export interface FrameDescription {
  readonly start: bigint;
  readonly size: number;
  /** Of an exception, or after a change of stacks: PC is not after a call. */
  readonly signal: boolean;
  readonly returns: number;
  readonly instructions: Uint8Array;
}

/** The section with these descriptions. */
export function debugFrame(descriptions: readonly FrameDescription[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [], commons = new Map<string, number>();
  let length = 0;
  const add = (part: Uint8Array) => {
    parts.push(part);
    length += part.length;
  };
  for (const { start, size, signal, returns, instructions } of descriptions) {
    const key = `${returns} ${signal}`;
    let common = commons.get(key);
    if (common === undefined) {
      commons.set(key, common = length);
      add(commonInformation(returns, signal));
    }
    const augmentation = signal ? [0] : [];
    const bytes = new Uint8Array(entrySize(8 + 16 + augmentation.length + instructions.length)), view = new DataView(bytes.buffer);
    view.setUint32(0, bytes.length - 4, true);
    view.setUint32(4, common, true);
    view.setBigUint64(8, start, true);
    view.setBigUint64(16, BigInt(size), true);
    bytes.set(augmentation, 24);
    bytes.set(instructions, 24 + augmentation.length);
    add(bytes);
  }
  return joined(parts);
}

function commonInformation(returns: number, signal: boolean): Uint8Array {
  const text = signal ? "zS\0" : "\0";
  const fields = [
    VERSION,
    ...new TextEncoder().encode(text),
    ...unsigned(CODE_FACTOR),
    ...signedLeb(DATA_FACTOR),
    ...unsigned(BigInt(returns)),
    ...signal ? [0] : [],
    ...[Cfa.DefCfa, SP, 0],
  ];
  const bytes = new Uint8Array(entrySize(8 + fields.length)), view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length - 4, true);
  view.setUint32(4, COMMON_ID, true);
  bytes.set(fields, 8);
  return bytes;
}

/** Entries are padded with DW_CFA_nop, which is 0. */
const entrySize = (size: number) => Math.ceil(size / 8) * 8;

function advance(out: number[], by: bigint): void {
  if (by === 0n) return;
  const count = Number(by);
  if (count < 0x40) out.push(Cfa.AdvanceLoc | count);
  else if (count < 0x100) out.push(Cfa.AdvanceLoc1, count);
  else if (count < 0x1_0000) out.push(Cfa.AdvanceLoc2, count & 0xff, count >> 8);
  else out.push(Cfa.AdvanceLoc4, count & 0xff, count >> 8 & 0xff, count >> 16 & 0xff, count >>> 24);
}

function ruleBytes(register: number, rule: FrameRule): number[] {
  const number = unsigned(BigInt(register));
  switch (rule.kind) {
    case "offset": {
      const scaled = rule.offset / DATA_FACTOR;
      if (scaled < 0n) return [Cfa.OffsetExtendedSigned, ...number, ...signedLeb(scaled)];
      return register <= X30 ? [Cfa.Offset | register, ...unsigned(scaled)] : [Cfa.OffsetExtended, ...number, ...unsigned(scaled)];
    }
    case "value":
      return [Cfa.ValOffsetSigned, ...number, ...signedLeb(rule.offset / DATA_FACTOR)];
    case "register":
      return [Cfa.Register, ...number, ...unsigned(BigInt(rule.register))];
    case "undefined":
      return [Cfa.Undefined, ...number];
    case "same":
      return [Cfa.SameValue, ...number];
    case "at":
    case "computed":
      throw new Error("an expression for a register is not written");
  }
}

function unsigned(value: bigint): number[] {
  const bytes: number[] = [];
  do {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    bytes.push(value ? low | 0x80 : low);
  } while (value);
  return bytes;
}

function signedLeb(value: bigint): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    const ends = value === 0n && !(low & 0x40) || value === -1n && (low & 0x40) !== 0;
    bytes.push(ends ? low : low | 0x80);
    if (ends) return bytes;
  }
}
