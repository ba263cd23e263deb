// Call frame information: where a function's caller has its registers, by address (DWARF 5,
// section 6.4; .eh_frame: Linux Standard Base Core 5.0, section 10.6; the vendor's rules: DWARF
// for the Arm 64-bit Architecture, section 4.4).

import { Cursor, DwarfError } from "./cursor.ts";
import { type AddressRange, rangeAt, sortByStart } from "./lists.ts";
import type { DwarfSections } from "./sections.ts";

/** Numbers of registers: X0 to X30 are 0 to 30. */
export const FrameRegister = { X29: 29, X30: 30, SP: 31 } as const;
/** Registers that a table may have rules for: those of AArch64 end before. */
const REGISTERS_MAX = 128;
/** Rules that may be remembered at a time. */
const REMEMBERED_MAX = 64;
/** Bytes of one table's instructions: those of a large function are some hundred. */
const INSTRUCTIONS_MAX = 0x1_0000;

/** Where a register of the caller is. */
export type FrameRule =
  | { readonly kind: "same" }
  | { readonly kind: "undefined" }
  /** In memory at this distance from the CFA. */
  | { readonly kind: "offset"; readonly offset: bigint }
  /** The CFA plus this. */
  | { readonly kind: "value"; readonly offset: bigint }
  | { readonly kind: "register"; readonly register: number }
  /** In memory where an expression says, which begins with the CFA. */
  | { readonly kind: "at"; readonly expression: Uint8Array }
  | { readonly kind: "computed"; readonly expression: Uint8Array };

/** Whether two rules say the same. */
export function sameRule(one: FrameRule | undefined, other: FrameRule | undefined): boolean {
  if (!one || !other || one.kind !== other.kind) return one === other;
  if ("offset" in one) return "offset" in other && one.offset === other.offset;
  if ("register" in one) return "register" in other && one.register === other.register;
  // Expressions are compared by identity.
  return !("expression" in one) || "expression" in other && one.expression === other.expression;
}

/** The canonical frame address: SP in the caller, at the call. */
type CfaRule = { readonly register: number; readonly offset: bigint } | { readonly expression: Uint8Array };

/** The rules at an address. */
export interface FrameRow {
  readonly cfa: CfaRule;
  readonly rules: ReadonlyMap<number, FrameRule>;
  /** The register that has the return address. */
  readonly returns: number;
  /** A frame of a signal or an exception: its PC is not after a call. */
  readonly signal: boolean;
  /** The return address is signed by pointer authentication. */
  readonly signed: boolean;
}

interface Common {
  readonly codeFactor: bigint;
  readonly dataFactor: bigint;
  readonly returns: number;
  /** Of pointers in its descriptions. */
  readonly encoding: number;
  readonly augmented: boolean;
  readonly signal: boolean;
  readonly instructions: Cursor;
}

interface Description extends AddressRange {
  readonly common: Common;
  /** Where its instructions begin and end in the section. */
  readonly from: number;
  readonly to: number;
}

type FrameSection = ".debug_frame" | ".eh_frame";

/** DW_CFA, with the operand in the low six bits for the first three. */
export const Cfa = {
  AdvanceLoc: 0x40,
  Offset: 0x80,
  Restore: 0xc0,
  Nop: 0x00,
  SetLoc: 0x01,
  AdvanceLoc1: 0x02,
  AdvanceLoc2: 0x03,
  AdvanceLoc4: 0x04,
  OffsetExtended: 0x05,
  RestoreExtended: 0x06,
  Undefined: 0x07,
  SameValue: 0x08,
  Register: 0x09,
  RememberState: 0x0a,
  RestoreState: 0x0b,
  DefCfa: 0x0c,
  DefCfaRegister: 0x0d,
  DefCfaOffset: 0x0e,
  DefCfaExpression: 0x0f,
  Expression: 0x10,
  OffsetExtendedSigned: 0x11,
  DefCfaSigned: 0x12,
  DefCfaOffsetSigned: 0x13,
  ValOffset: 0x14,
  ValOffsetSigned: 0x15,
  ValExpression: 0x16,
  NegateRaState: 0x2d,
  ArgumentsSize: 0x2e,
} as const;
/** DW_EH_PE: the format in the low four bits, what it is relative to in the next three. */
const Pointer = { Absolute: 0, Unsigned2: 2, Unsigned4: 3, Unsigned8: 4, Signed2: 10, Signed4: 11, Signed8: 12, Relative: 0x10 } as const;

/** The call frame information of a file. */
export class FrameTable {
  /** By start. */
  readonly #descriptions: Description[] = [];

  /** @throws DwarfError */
  constructor(readonly sections: DwarfSections) {
    for (const name of [".debug_frame", ".eh_frame"] as const) this.#read(name);
    sortByStart(this.#descriptions);
  }

  get size(): number {
    return this.#descriptions.length;
  }

  /**
   * The rules at an address; undefined if the file has none.
   * @throws DwarfError
   */
  at(address: bigint): FrameRow | undefined {
    const linked = address - this.sections.moved, found = rangeAt(this.#descriptions, linked);
    return found && this.#rowOf(found, linked);
  }

  #read(name: FrameSection): void {
    const bytes = this.sections.bytes(name), isEh = name === ".eh_frame";
    const commons = new Map<number, Common>();
    for (const section = new Cursor(bytes, name); section.more;) {
      const start = section.at, { size, wide } = section.length();
      // A zero ends .eh_frame.
      if (size === 0) continue;
      const entry = section.part(size), idAt = entry.at;
      const id = isEh ? entry.u32() : wide ? entry.u64() : entry.u32();
      const isCommon = isEh ? id === 0 : id === (wide ? (1n << 64n) - 1n : 0xffff_ffff);
      if (isCommon) commons.set(start, readCommon(entry));
      else {
        const at = isEh ? idAt - Number(id) : entry.small(BigInt(id));
        const common = commons.get(at);
        if (!common) throw new DwarfError(`${name}: no common information at 0x${at.toString(16)}`);
        const description = this.#describe(name, entry, common);
        if (description.end > description.start) this.#descriptions.push(description);
      }
    }
  }

  #describe(name: FrameSection, entry: Cursor, common: Common): Description {
    const start = this.#pointer(name, entry, common.encoding);
    // The size has the format of the pointer, and is relative to nothing.
    const size = this.#pointer(name, entry, common.encoding & 0xf);
    if (common.augmented) entry.skip(entry.count());
    if (entry.end - entry.at > INSTRUCTIONS_MAX) throw new DwarfError(`${name}: a description of more than ${INSTRUCTIONS_MAX} bytes`);
    return { start, end: start + size, common, from: entry.at, to: entry.end };
  }

  #pointer(name: FrameSection, entry: Cursor, encoding: number): bigint {
    const at = entry.at;
    const value = read();
    return BigInt.asUintN(64, encoding & Pointer.Relative ? value + this.sections.address(name) + BigInt(at) : value);

    function read(): bigint {
      switch (encoding & ~Pointer.Relative) {
        case Pointer.Absolute:
        case Pointer.Unsigned8:
        case Pointer.Signed8:
          return entry.u64();
        case Pointer.Unsigned2:
          return BigInt(entry.u16());
        case Pointer.Unsigned4:
          return BigInt(entry.u32());
        case Pointer.Signed2:
          return BigInt.asIntN(16, BigInt(entry.u16()));
        case Pointer.Signed4:
          return BigInt.asIntN(32, BigInt(entry.u32()));
        default:
          throw new DwarfError(`${name}: pointers of encoding 0x${encoding.toString(16)} cannot be read`);
      }
    }
  }

  #rowOf({ start, common, from, to }: Description, address: bigint): FrameRow {
    const state = new RowState(common, start, address);
    const { bytes, name, at, end } = common.instructions;
    state.run(new Cursor(bytes, name, at, end), false);
    state.begin();
    state.run(new Cursor(bytes, name, from, to), true);
    const { cfa, rules, signed } = state;
    if (!cfa) throw new DwarfError(`${name}: no rule for the CFA at 0x${address.toString(16)}`);
    return { cfa, rules, signed, returns: common.returns, signal: common.signal };
  }
}

function readCommon(entry: Cursor): Common {
  const version = entry.u8();
  if (version !== 1 && version !== 3 && version !== 4) {
    throw new DwarfError(`${entry.name} has version ${version}`, "1, 3 and 4 can be read");
  }
  const augmentation = entry.text();
  if (version === 4) entry.skip(2);
  const codeFactor = entry.uleb(), dataFactor = entry.sleb();
  const returns = version === 1 ? entry.u8() : entry.count();
  let encoding: number = Pointer.Absolute, signal = false, augmented = false;
  if (augmentation.startsWith("z")) {
    augmented = true;
    const data = entry.part(entry.count());
    for (const letter of augmentation.slice(1)) {
      if (letter === "R") encoding = data.u8();
      else if (letter === "S") signal = true;
      // Key B of pointer authentication, and tagged frames: they change no place.
      else if (letter === "B" || letter === "G") continue;
      // The rest is about language exceptions, which has no business here.
      else break;
    }
  } else if (augmentation !== "") throw new DwarfError(`${entry.name}: augmentation ${JSON.stringify(augmentation)} is unknown`);
  if (entry.end - entry.at > INSTRUCTIONS_MAX) throw new DwarfError(`${entry.name}: an entry of more than ${INSTRUCTIONS_MAX} bytes`);
  return { codeFactor, dataFactor, returns, encoding, augmented, signal, instructions: entry };
}

/** The rules while the instructions of a table are executed. */
class RowState {
  cfa: CfaRule | undefined;
  rules = new Map<number, FrameRule>();
  signed = false;
  #initial: ReadonlyMap<number, FrameRule> = new Map();
  readonly #remembered: { cfa: CfaRule | undefined; rules: Map<number, FrameRule>; signed: boolean }[] = [];

  /** @param at where the table begins. @param until the address whose rules are wanted */
  constructor(readonly common: Common, public at: bigint, readonly until: bigint) {}

  /** The rules so far are those that the common information gives. */
  begin(): void {
    this.#initial = new Map(this.rules);
  }

  /** @param moves whether locations count: those of common information do not */
  run(cursor: Cursor, moves: boolean): void {
    while (cursor.more) {
      // The rules change after this address.
      if (moves && this.at > this.until) return;
      const at = cursor.at, byte = cursor.u8();
      const instruction = INSTRUCTIONS[byte & ~OPERAND || byte];
      if (!instruction) throw new DwarfError(`${cursor.name}: instruction 0x${byte.toString(16)} at 0x${at.toString(16)} is unknown`);
      instruction(this, cursor, byte & OPERAND);
    }
  }

  advance(by: bigint): void {
    this.at += by * this.common.codeFactor;
  }

  remember(name: string): void {
    if (this.#remembered.length >= REMEMBERED_MAX) throw new DwarfError(`${name}: too many remembered states`);
    this.#remembered.push({ cfa: this.cfa, rules: new Map(this.rules), signed: this.signed });
  }

  recall(name: string): void {
    const state = this.#remembered.pop();
    if (!state) throw new DwarfError(`${name}: a state is restored that was not remembered`);
    this.cfa = state.cfa;
    this.rules = state.rules;
    this.signed = state.signed;
  }

  set(register: number, rule: FrameRule): void {
    if (register >= REGISTERS_MAX) throw new DwarfError(`a frame table has a rule for register ${register}`);
    this.rules.set(register, rule);
  }

  restore(register: number): void {
    const rule = this.#initial.get(register);
    if (rule) this.rules.set(register, rule);
    else this.rules.delete(register);
  }

  cfaRegister({ name }: Cursor): number {
    if (!this.cfa || !("register" in this.cfa)) throw new DwarfError(`${name}: the CFA has no register to keep`);
    return this.cfa.register;
  }

  cfaOffset({ name }: Cursor): bigint {
    if (!this.cfa || !("offset" in this.cfa)) throw new DwarfError(`${name}: the CFA has no offset to keep`);
    return this.cfa.offset;
  }
}

/** Bits of an instruction that are its operand, where a higher one is set. */
const OPERAND = 0x3f;

/** @param low the low six bits of the instruction */
type FrameInstruction = (state: RowState, cursor: Cursor, low: number) => void;

const scaled = ({ common }: RowState, cursor: Cursor) => cursor.uleb() * common.dataFactor;
const scaledSigned = ({ common }: RowState, cursor: Cursor) => cursor.sleb() * common.dataFactor;
const expression = (cursor: Cursor) => cursor.block(cursor.count());

/** An instruction that gives the register which it names a rule. */
function rule(of: (state: RowState, cursor: Cursor) => FrameRule): FrameInstruction {
  return (state, cursor) => state.set(cursor.count(), of(state, cursor));
}

function advance(by: (cursor: Cursor) => number): FrameInstruction {
  return (state, cursor) => state.advance(BigInt(by(cursor)));
}

function cfa(of: (state: RowState, cursor: Cursor) => CfaRule): FrameInstruction {
  return (state, cursor) => {
    state.cfa = of(state, cursor);
  };
}

const INSTRUCTIONS: Readonly<Record<number, FrameInstruction>> = {
  [Cfa.AdvanceLoc]: (state, _cursor, low) => state.advance(BigInt(low)),
  [Cfa.Offset]: (state, cursor, low) => state.set(low, { kind: "offset", offset: scaled(state, cursor) }),
  [Cfa.Restore]: (state, _cursor, low) => state.restore(low),
  [Cfa.Nop]: () => {},
  [Cfa.SetLoc]: (state, cursor) => {
    state.at = cursor.u64();
  },
  [Cfa.AdvanceLoc1]: advance((cursor) => cursor.u8()),
  [Cfa.AdvanceLoc2]: advance((cursor) => cursor.u16()),
  [Cfa.AdvanceLoc4]: advance((cursor) => cursor.u32()),
  [Cfa.OffsetExtended]: rule((state, cursor) => ({ kind: "offset", offset: scaled(state, cursor) })),
  [Cfa.OffsetExtendedSigned]: rule((state, cursor) => ({ kind: "offset", offset: scaledSigned(state, cursor) })),
  [Cfa.RestoreExtended]: (state, cursor) => state.restore(cursor.count()),
  [Cfa.Undefined]: rule(() => ({ kind: "undefined" })),
  [Cfa.SameValue]: rule(() => ({ kind: "same" })),
  [Cfa.Register]: rule((_state, cursor) => ({ kind: "register", register: cursor.count() })),
  [Cfa.RememberState]: (state, { name }) => state.remember(name),
  [Cfa.RestoreState]: (state, { name }) => state.recall(name),
  [Cfa.DefCfa]: cfa((_state, cursor) => ({ register: cursor.count(), offset: cursor.uleb() })),
  [Cfa.DefCfaSigned]: cfa((state, cursor) => ({ register: cursor.count(), offset: scaledSigned(state, cursor) })),
  [Cfa.DefCfaRegister]: cfa((state, cursor) => ({ register: cursor.count(), offset: state.cfaOffset(cursor) })),
  [Cfa.DefCfaOffset]: cfa((state, cursor) => ({ register: state.cfaRegister(cursor), offset: cursor.uleb() })),
  [Cfa.DefCfaOffsetSigned]: cfa((state, cursor) => ({ register: state.cfaRegister(cursor), offset: scaledSigned(state, cursor) })),
  [Cfa.DefCfaExpression]: cfa((_state, cursor) => ({ expression: expression(cursor) })),
  [Cfa.Expression]: rule((_state, cursor) => ({ kind: "at", expression: expression(cursor) })),
  [Cfa.ValOffset]: rule((state, cursor) => ({ kind: "value", offset: scaled(state, cursor) })),
  [Cfa.ValOffsetSigned]: rule((state, cursor) => ({ kind: "value", offset: scaledSigned(state, cursor) })),
  [Cfa.ValExpression]: rule((_state, cursor) => ({ kind: "computed", expression: expression(cursor) })),
  [Cfa.NegateRaState]: (state) => {
    state.signed = !state.signed;
  },
  [Cfa.ArgumentsSize]: (_state, cursor) => void cursor.uleb(),
};
