// Superinstructions: pairs of instructions that follow each other so often that one handler for
// both pays. The second finds the flags of the first in locals. docs/design/core.md §I2 has the
// gain per pair; the pairs come from profiles of a kernel boot, of compiled loops, of what programs
// leave to the interpreter, and of code that a JIT compiler in the guest replaces too often for a
// region.
//
// Only the handler number of the first decoded instruction changes, so that a branch to the second
// finds it, and the pair can be split again: when the budget ends between the two, or when the
// second instruction is overwritten.

import type { FusedHandler } from "../decoded/handlers.ts";
import type { HandlerPart } from "./handler-emitter.ts";
import type { HandlerSet } from "./handler-set.ts";

/**
 * Instructions by entry, some shape fields, and the fixed operand fields of a special variant (none
 * given: the general one).
 */
interface Pick {
  readonly entry: string;
  readonly shape?: Readonly<Record<string, number | readonly number[]>>;
  readonly fixed?: Readonly<Record<string, number>>;
}

const ADD_SUB_IMMEDIATE = "ADD/ADDS/SUB/SUBS (immediate)";
const ADD_SUB_SHIFTED = "ADD/ADDS/SUB/SUBS (shifted register)";
const LOGICAL_IMMEDIATE = "AND/ORR/EOR/ANDS (immediate)";
const LOGICAL_SHIFTED = "AND/ORR/EOR/ANDS/BIC/ORN/EON/BICS (shifted register)";
const UNSIGNED_OFFSET = "LDR/STR (unsigned immediate)";
const REGISTER_OFFSET = "LDR/STR (register)";
const WRITE_BACK = "LDR/STR (pre-index, post-index)";
const PAIR = "LDP/STP/LDPSW/LDNP/STNP";
const SELECT = "CSEL/CSINC/CSINV/CSNEG";

/** Compares, and what decides by them. */
const compareImmediate: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { op: 1, S: 1 }, fixed: { Rd: 31 } };
const compareImmediateWord: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { sf: 0, op: 1, S: 1 }, fixed: { Rd: 31 } };
const compareRegister: Pick = { entry: ADD_SUB_SHIFTED, shape: { op: 1, S: 1, shift: 0 }, fixed: { Rd: 31, imm6: 0 } };
const subtractSetting: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { op: 1, S: 1 } };
const test: Pick = { entry: LOGICAL_IMMEDIATE, shape: { opc: 3 }, fixed: { Rd: 31 } };
const branchIf = (...cond: number[]): Pick => ({ entry: "B.cond", shape: { cond } });

/** Arithmetic of 64 bits. */
const move: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 1, opc: 1, shift: 0, N: 0 }, fixed: { Rn: 31, imm6: 0 } };
const moveWide: Pick = { entry: "MOVN/MOVZ", shape: { sf: 1, opc: 1, hw: 0 } };
const addImmediate: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { sf: 1, op: [0, 1], S: 0 } };
const addRegister: Pick = { entry: ADD_SUB_SHIFTED, shape: { sf: 1, op: 0, S: 0, shift: 0 }, fixed: { imm6: 0 } };
const subtractRegister: Pick = { entry: ADD_SUB_SHIFTED, shape: { sf: 1, op: 1, S: 0, shift: 0 }, fixed: { imm6: 0 } };
const addExtended: Pick = { entry: "ADD/ADDS/SUB/SUBS (extended register)", shape: { sf: 1, op: 0, S: 0, option: 4 } };
const multiply: Pick = { entry: "MADD/MSUB", shape: { sf: 1, o0: 0 }, fixed: { Ra: 31 } };
const multiplyAdd: Pick = { entry: "MADD/MSUB", shape: { sf: 1, o0: 0 } };
const shiftRight: Pick = { entry: "SBFM/UBFM", shape: { sf: 1, opc: 1 } };
const exclusiveOr: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 1, opc: 2, shift: 0, N: 0 }, fixed: { imm6: 0 } };
const extract: Pick = { entry: "EXTR", shape: { sf: 1 } };
/** ADR, ADRP. */
const address: Pick = { entry: "ADR/ADRP", shape: { op: 0 } };
const pageAddress: Pick = { entry: "ADR/ADRP", shape: { op: 1 } };
/** Instructions that compilers string together between accesses and branches. */
const ARITHMETIC = [addRegister, subtractRegister, exclusiveOr, extract];

/** Arithmetic of 32 bits. */
const moveWord: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 0, opc: 1, shift: 0, N: 0 }, fixed: { Rn: 31, imm6: 0 } };
const addImmediateWord: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { sf: 0, op: [0, 1], S: 0 } };
const andImmediateWord: Pick = { entry: LOGICAL_IMMEDIATE, shape: { sf: 0, opc: 0 } };
const addWord: Pick = { entry: ADD_SUB_SHIFTED, shape: { sf: 0, op: 0, S: 0, shift: 0 }, fixed: { imm6: 0 } };
const exclusiveOrWord: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 0, opc: 2, shift: 0, N: 0 }, fixed: { imm6: 0 } };
const exclusiveOrRotated: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 0, opc: 2, shift: 3, N: 0 } };
const extractWord: Pick = { entry: "EXTR", shape: { sf: 0 } };
const shiftWord: Pick = { entry: "SBFM/UBFM", shape: { sf: 0, opc: 1 } };
/** The arithmetic of hashes and ciphers. */
const MIXING = [addWord, exclusiveOrWord, extractWord, exclusiveOrRotated, shiftWord, moveWord];

/** Accesses: LDR and STR, then LDP and STP, by SP and by any base. */
const load: Pick = { entry: UNSIGNED_OFFSET, shape: { size: 3, opc: 1 } };
const loadScaled: Pick = { entry: REGISTER_OFFSET, shape: { size: 3, opc: 1, option: 3, S: 1 } };
const loadByteIndexed: Pick = { entry: REGISTER_OFFSET, shape: { size: 0, opc: 1, option: 2, S: 0 } };
const loadWalking = (size: number, opc: number, ...pre: number[]): Pick => ({ entry: WRITE_BACK, shape: { size, opc, pre } });
const storePair: Pick = { entry: PAIR, shape: { opc: 2, index: 2, L: 0 }, fixed: { Rn: 31 } };
const loadPair: Pick = { entry: PAIR, shape: { opc: 2, index: 2, L: 1 }, fixed: { Rn: 31 } };
const storePairBefore: Pick = { entry: PAIR, shape: { opc: 2, index: 3, L: 0 }, fixed: { Rn: 31 } };
const loadPairAfter: Pick = { entry: PAIR, shape: { opc: 2, index: 1, L: 1 }, fixed: { Rn: 31 } };
const storePairAnywhere: Pick = { entry: PAIR, shape: { opc: 2, index: 2, L: 0 } };
const loadPairAnywhere: Pick = { entry: PAIR, shape: { opc: 2, index: 2, L: 1 } };

/** Branches, and hints: PACIASP and BTI begin functions, AUTIASP ends them. */
const branch = (op: number): Pick => ({ entry: "B/BL", shape: { op } });
const branchIfZero: Pick = { entry: "CBZ/CBNZ", shape: { sf: 1 } };
const branchTo: Pick = { entry: "BR/BLR/RET", shape: { opc: 0 } };
const ret: Pick = { entry: "BR/BLR/RET", shape: { opc: 2 } };
const hint: Pick = { entry: "HINT" };

/** Each of these, followed by each. */
const products = (picks: readonly Pick[]) => picks.flatMap((first) => picks.map((second) => [first, second] as const));

const PAIRS: readonly (readonly [Pick, Pick])[] = [
  // Decisions.
  [compareImmediate, branchIf(0, 1, 2, 3, 8, 9, 10, 11, 12, 13)],
  [compareRegister, branchIf(0, 1, 2, 3, 8, 9, 10, 11, 12, 13)],
  [subtractSetting, branchIf(0, 1)],
  [test, branchIf(0, 1)],
  [{ entry: ADD_SUB_IMMEDIATE, shape: { sf: 0, op: 0, S: 1 } }, branchIf(1)],
  [compareRegister, { entry: SELECT, shape: { sf: 1, cond: [2, 3, 8, 9, 11, 12], o2: 0, op: 0 } }],
  [compareRegister, { entry: SELECT, shape: { sf: 1, cond: [2, 3], o2: 1, op: 0 } }],
  [compareImmediate, { entry: SELECT, shape: { cond: [0, 1], op: 0 } }],
  [addRegister, compareRegister],
  [addImmediate, compareRegister],
  [load, compareRegister],
  [load, branchIfZero],
  [loadWalking(0, 1, 0, 1), compareImmediateWord],
  // Beginnings and ends of functions, and calls.
  [hint, hint],
  [hint, ret],
  [hint, storePairBefore],
  [move, hint],
  [loadPairAfter, hint],
  [loadPairAfter, ret],
  [storePair, storePair],
  [storePairBefore, addImmediate],
  [addImmediate, storePair],
  [storePair, move],
  [loadPair, loadPair],
  [loadPair, loadPairAfter],
  [move, move],
  [move, branch(0)],
  [move, branch(1)],
  // Accesses, and the addresses for them.
  [load, load],
  [load, move],
  [load, addImmediate],
  [move, load],
  [addImmediate, load],
  [pageAddress, load],
  [pageAddress, { entry: ADD_SUB_IMMEDIATE, shape: { sf: 1, op: 0, S: 0 } }],
  [loadScaled, loadScaled],
  [subtractRegister, loadScaled],
  [loadPairAnywhere, loadPairAnywhere],
  [storePairAnywhere, storePairAnywhere],
  [storePairAnywhere, addImmediate],
  ...[[0, 1], [1, 3], [2, 1], [3, 1]].map(([size, opc]) => [loadWalking(size, opc, 0), loadWalking(size, opc, 0)] as const),
  [move, loadWalking(0, 1, 0)],
  // The table of a switch: its entry, its address, the sum, the branch there.
  [loadByteIndexed, address],
  [addExtended, branchTo],
  // Arithmetic.
  [move, addImmediate],
  [addImmediate, addImmediate],
  [moveWord, addImmediateWord],
  [addImmediateWord, moveWord],
  [addImmediateWord, andImmediateWord],
  [multiply, multiply],
  [multiplyAdd, multiplyAdd],
  [shiftRight, multiply],
  ...products(MIXING),
  ...products(ARITHMETIC),
  ...ARITHMETIC.flatMap((one) => [[moveWide, one], [one, moveWide]] as const),
];

function matches({ encoding, fixed }: HandlerPart, pick: Pick): boolean {
  if (encoding.instruction.name !== pick.entry) return false;
  for (const [name, wanted] of Object.entries(pick.shape ?? {})) {
    const value = encoding.shape[name];
    if (typeof wanted === "number" ? value !== wanted : !wanted.includes(value)) return false;
  }
  const wanted = Object.entries(pick.fixed ?? {});
  return wanted.length === Object.keys(fixed).length && wanted.every(([name, value]) => fixed[name] === value);
}

/** Adds the handlers of all pairs to the set. */
export function fusePairs(set: HandlerSet): FusedHandler[] {
  const parts = [...set.parts], fused: FusedHandler[] = [];
  const picked = (pick: Pick) => parts.filter(([, part]) => matches(part, pick));
  for (const [firstPick, secondPick] of PAIRS) {
    const seconds = picked(secondPick).filter(([, part]) => part.near || !isDirectBranch(part));
    for (const [firstHandler, first] of picked(firstPick)) {
      for (const [secondHandler, second] of seconds) fused.push([firstHandler, secondHandler, set.fuse(first, second)]);
    }
  }
  return fused;
}

/**
 * A direct branch has a handler for targets in its page and one for others; only the former are
 * fused.
 */
function isDirectBranch({ encoding }: HandlerPart): boolean {
  return ["B/BL", "B.cond", "CBZ/CBNZ", "TBZ/TBNZ"].includes(encoding.instruction.name);
}
