// The call frames of a vCPU: by call frame information where a file has it for the code, else by
// the instructions of the function where its symbol is known, else by frame pointers: x29 leads to
// frame records of two words, the caller's x29 and the return address (AAPCS64 section 6.4.6).

import { type DebugCore, registersOf } from "../../cpu/core/interface.ts";
import { DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import { FrameRegister, type FrameRow, type FrameRule } from "../../kit/formats/dwarf/frames.ts";
import { type FrameState, locate } from "../../kit/formats/dwarf/expressions.ts";
import { tablesOf } from "../../kit/formats/page-tables.ts";
import type { Vcpu } from "../../machine/hypervisor/inspect.ts";
import type { Ram } from "../../machine/hardware/ram.ts";
import { fromLittleEndian } from "../../kit/support/values/bytes.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import type { ReadGuest } from "../expressions/values.ts";
import type { DebugInfo } from "./debug-info.ts";

const MOST = 64;
const INSTRUCTION = 4n;
const RECORD_SIZE = 16n;
const PAGE_MASK = BigInt(PAGE_SIZE - 1);
/** X0 to X18 are lost in a caller; X19 to X28 are as a function found them (AAPCS64 6.1.1). */
const FIRST_SAVED = 19;
const SELECTS_HALF = 1n << 55n;

/** A frame's registers by DWARF's numbers. */
type FrameRegisters = readonly (bigint | undefined)[];

/**
 * Origin of a frame: the vCPU's PC, call frame information, the callee's instructions, a frame
 * record, or x30 alone.
 */
type FrameOrigin = "pc" | "cfi" | "code" | "frame-pointer" | "x30";

export interface GuestFrame {
  readonly pc: bigint;
  readonly by: FrameOrigin;
  /** X0 to X30 and SP; undefined: lost. */
  readonly registers: FrameRegisters;
  /** SP before the call of this frame's function; undefined if only frame pointers are known. */
  readonly cfa: bigint | undefined;
  /** The frame record that led here. */
  readonly record: bigint | undefined;
  /** An address in the instruction that the frame executes: PC, or the call before it. */
  readonly at: bigint;
  readonly note: string | undefined;
}

/** Reads through a vCPU's current translation, without effects. */
export function guestReader(core: Pick<DebugCore, "questions">, ram: Pick<Ram, "contains" | "bytes">, { registers }: Vcpu): ReadGuest {
  return (address, size) => {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const length = Math.min(size - done, PAGE_SIZE - Number(at % BigInt(PAGE_SIZE)));
      const translation = core.questions.inspect(registers, at);
      if (!translation.ok || !ram.contains(translation.pa, length)) return undefined;
      bytes.set(ram.bytes(translation.pa, length), done);
      done += length;
    }
    return bytes;
  };
}

/** The same while nothing changes the translation: a page is translated once. */
export function standingReader(core: Pick<DebugCore, "questions">, ram: Pick<Ram, "contains" | "bytes">, vcpu: Vcpu): ReadGuest {
  const any = guestReader(core, ram, vcpu), pages = new Map<bigint, Uint8Array | undefined>();
  return (address, size) => {
    const offset = Number(address & PAGE_MASK), page = address - BigInt(offset);
    if (offset + size > PAGE_SIZE) return any(address, size);
    let bytes = pages.get(page);
    if (!bytes && !pages.has(page)) {
      const translation = core.questions.inspect(vcpu.registers, page);
      bytes = translation.ok && ram.contains(translation.pa, PAGE_SIZE) ? ram.bytes(translation.pa, PAGE_SIZE) : undefined;
      pages.set(page, bytes);
    }
    return bytes?.subarray(offset, offset + size);
  };
}

/** A little-endian number in guest memory. */
export function readNumber(read: ReadGuest, address: bigint, size: number): bigint | undefined {
  const bytes = read(address, size);
  return bytes && fromLittleEndian(bytes);
}

/** The registers of a vCPU, or those that a dump has of a CPU. */
export interface Unwound {
  readonly registers: {
    readonly pc: bigint;
    getX(index: number): bigint;
    getRegister(name: "TCR_EL1"): bigint;
  };
}

/** A vCPU, with the registers of the regime that it is in. */
export function unwoundOf({ registers }: Pick<Vcpu, "registers">): Unwound {
  const { getRegister } = registersOf(registers);
  return { registers: { pc: registers.pc, getX: (index) => registers.getX(index), getRegister } };
}

/** Rules by address. */
export interface FrameRules {
  at(address: bigint): FrameRow | undefined;
}

/**
 * The frames of a vCPU, the innermost first.
 * @param code rules from instructions, for addresses without call frame information
 */
export function unwind(
  vcpu: Unwound,
  stackPointer: bigint,
  read: ReadGuest,
  infos: readonly DebugInfo[],
  code?: FrameRules,
): GuestFrame[] {
  const { registers } = vcpu, plain = plainOf(vcpu);
  const own = Array.from({ length: 31 }, (_, index): bigint | undefined => registers.getX(index));
  const first = { pc: registers.pc, at: registers.pc, registers: [...own, stackPointer] };
  const frames: GuestFrame[] = [];
  let found: Caller = { ...first, by: "pc" };
  for (;;) {
    const described = ruleAt(infos, found.at), row = described ?? code?.at(found.at);
    const cfa = row && cfaOf(row, found, read);
    const { pc, at, by, record } = found;
    let { note } = found;
    const caller: Caller | string | undefined = note !== undefined || by === "x30"
      ? undefined
      : row && cfa !== undefined
      ? callerBy(row, cfa, { ...found, plain }, read, described ? "cfi" : "code")
      : callerByPointer({ ...found, plain }, frames.length === 0, read);
    if (typeof caller === "string") note = caller;
    // A stack grows downward: each caller's frame is above, unless it is on another stack.
    const last = frames.at(-1), leaves = found.signal || row?.signal;
    const descends = cfa !== undefined && last?.cfa !== undefined && cfa < last.cfa && !leaves;
    if (descends) note = "frames no longer ascend";
    frames.push({ pc, at, by, registers: found.registers, record, cfa, note });
    if (typeof caller === "object" && caller.pc === 0n && caller.note === undefined) return frames;
    if (caller === undefined || typeof caller === "string" || descends || frames.length >= MOST) return frames;
    found = caller;
  }
}

/** A frame before its own CFA is known. */
interface Caller extends Pick<GuestFrame, "pc" | "by" | "registers" | "at"> {
  readonly record?: bigint;
  /** The walk ends here. */
  readonly note?: string;
  /** Reached through an exception: its stack may be another one. */
  readonly signal?: boolean;
}

/** A frame whose caller is sought. */
interface Callee extends Caller {
  readonly plain: PlainAddress;
}

/** The rules that files have for an address. */
export function ruleAt(infos: readonly DebugInfo[], address: bigint): FrameRow | undefined {
  for (const info of infos) {
    const row = info.tried(() => info.frames?.at(address));
    if (row) return row;
  }
  return undefined;
}

function stateOf({ registers }: Pick<Caller, "registers">, read: ReadGuest, cfa?: bigint): FrameState {
  return {
    register: (number) => registers[number],
    memory: (address, size) => readNumber(read, address, size),
    cfa,
    frameBase: undefined,
    addressAt: () => 0n,
    moved: 0n,
  };
}

function cfaOf({ cfa }: FrameRow, frame: Caller, read: ReadGuest): bigint | undefined {
  if ("register" in cfa) {
    const base = frame.registers[cfa.register];
    return base === undefined ? undefined : BigInt.asUintN(64, base + cfa.offset);
  }
  return addressOf(cfa.expression, stateOf(frame, read));
}

/** The value of an expression of a frame table; undefined if it is lost or cannot be read. */
function addressOf(expression: Uint8Array, state: FrameState, ...first: bigint[]): bigint | undefined {
  try {
    const location = locate(expression, state, ...first);
    return location?.kind === "memory" ? location.address : location?.kind === "value" ? location.value : undefined;
  } catch (error) {
    if (error instanceof DwarfError) return undefined;
    throw error;
  }
}

/** The caller by the rules at an address; a text says why there is none. */
function callerBy(row: FrameRow, cfa: bigint, frame: Callee, read: ReadGuest, by: "cfi" | "code"): Caller | string | undefined {
  const state = stateOf(frame, read, cfa);
  const valueOf = (rule: FrameRule, register: number): bigint | undefined => {
    switch (rule.kind) {
      case "same":
        return frame.registers[register];
      case "undefined":
        return undefined;
      case "offset":
        return readNumber(read, BigInt.asUintN(64, cfa + rule.offset), 8);
      case "value":
        return BigInt.asUintN(64, cfa + rule.offset);
      case "register":
        return frame.registers[rule.register];
      case "at": {
        const address = addressOf(rule.expression, state, cfa);
        return address === undefined ? undefined : readNumber(read, address, 8);
      }
      case "computed":
        return addressOf(rule.expression, state, cfa);
    }
  };
  const registers = frame.registers.map((value, register) => {
    const rule = row.rules.get(register);
    if (rule) return valueOf(rule, register);
    if (register === FrameRegister.SP) return cfa;
    return row.signal || register >= FIRST_SAVED ? value : undefined;
  });
  const rule = row.rules.get(row.returns);
  if (rule?.kind === "undefined") return undefined;
  const returns = rule ? valueOf(rule, row.returns) : frame.registers[row.returns];
  if (returns === undefined) return "the return address cannot be read";
  const pc = frame.plain(returns);
  // A function without a frame whose caller is itself would never end.
  if (pc === frame.pc && cfa === frame.registers[FrameRegister.SP]) return "frames no longer ascend";
  const record = by === "code" ? recordOf(row, cfa) : undefined;
  return { pc, at: row.signal ? pc : pc - INSTRUCTION, registers, by, signal: row.signal, ...record !== undefined && { record } };
}

/** The frame record that has the caller's X29 and return address. */
function recordOf({ rules, returns }: FrameRow, cfa: bigint): bigint | undefined {
  const pointer = rules.get(FrameRegister.X29), link = rules.get(returns);
  const isRecord = pointer?.kind === "offset" && link?.kind === "offset" && link.offset - pointer.offset === 8n;
  return isRecord ? BigInt.asUintN(64, cfa + pointer.offset) : undefined;
}

/** The registers of a frame of which nothing is known. */
const LOST = Array<bigint | undefined>(FrameRegister.SP + 1).fill(undefined);

/** Why a walk ends at the first function of a stack. */
const OUTERMOST = "the outermost";

/** The caller by the frame record that x29 points to; a text says why there is none. */
function callerByPointer(frame: Callee, innermost: boolean, read: ReadGuest): Caller | string | undefined {
  const pointer = frame.registers[FrameRegister.X29];
  if (pointer === undefined || pointer === 0n) {
    // In a leaf before its prologue, or in code without frame pointers, only the link register
    // remains.
    const link = frame.registers[FrameRegister.X30];
    if (!innermost) return pointer === undefined ? undefined : OUTERMOST;
    if (link === undefined) return undefined;
    const pc = frame.plain(link);
    return {
      pc,
      at: pc - INSTRUCTION,
      registers: LOST,
      by: "x30",
      note: "x30; there is no frame pointer",
    };
  }
  const bytes = pointer % 8n === 0n ? read(pointer, Number(RECORD_SIZE)) : undefined;
  if (!bytes) return { pc: 0n, at: 0n, registers: LOST, by: "frame-pointer", record: pointer, note: "this frame record cannot be read" };
  const next = fromLittleEndian(bytes.subarray(0, 8)), pc = frame.plain(fromLittleEndian(bytes.subarray(8)));
  const registers = LOST.slice();
  registers[FrameRegister.X29] = next;
  const note = pc === 0n ? undefined : next === 0n ? OUTERMOST : next <= pointer ? "frames no longer ascend" : undefined;
  return { pc, at: pc - INSTRUCTION, registers, by: "frame-pointer", record: pointer, ...note !== undefined && { note } };
}

/** An address without the code of pointer authentication: its upper bits repeat bit 55. */
export function plainAddress(address: bigint, bits: number): bigint {
  const mask = (1n << BigInt(bits)) - 1n;
  return address & SELECTS_HALF ? BigInt.asUintN(64, address | ~mask) : address & mask;
}

type PlainAddress = (address: bigint) => bigint;

/** The same for the addresses of a vCPU, of which each half has its own number of bits. */
export function plainOf({ registers }: { readonly registers: Pick<Unwound["registers"], "getRegister"> }): PlainAddress {
  const tcr = registers.getRegister("TCR_EL1"), [low, high] = [false, true].map((upper) => tablesOf(0n, tcr, upper).bits);
  return (address) => plainAddress(address, address & SELECTS_HALF ? high : low);
}
