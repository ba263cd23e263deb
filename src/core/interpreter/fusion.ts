// Superinstructions: pairs of instructions that follow each other so often that one handler for
// both pays. The second finds the flags of the first in locals. docs/design/core.md §I2 has the
// gain per pair; the pairs come from profiles of a kernel boot, of compiled loops, and of code that
// a JIT compiler in the guest replaces too often for a region.
//
// Only the handler number of the first decoded instruction changes, so that a branch to the second
// finds it, and the pair can be split again: when the budget ends between the two, or when the
// second instruction is overwritten.

import type { FusedHandler } from "../decoded/handlers.ts";
import type { Part } from "./handler-emitter.ts";
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
const PAIR = "LDP/STP/LDPSW/LDNP/STNP";
const SELECT = "CSEL/CSINC/CSINV/CSNEG";

const compareImmediate: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { op: 1, S: 1 }, fixed: { Rd: 31 } };
const compareRegister: Pick = { entry: ADD_SUB_SHIFTED, shape: { op: 1, S: 1, shift: 0 }, fixed: { Rd: 31, imm6: 0 } };
const subtractSetting: Pick = { entry: ADD_SUB_IMMEDIATE, shape: { op: 1, S: 1 } };
const test: Pick = { entry: LOGICAL_IMMEDIATE, shape: { opc: 3 }, fixed: { Rd: 31 } };
const branchIf = (...cond: number[]): Pick => ({ entry: "B.cond", shape: { cond } });
const move: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 1, opc: 1, shift: 0, N: 0 }, fixed: { Rn: 31, imm6: 0 } };
const addRegister: Pick = { entry: ADD_SUB_SHIFTED, shape: { sf: 1, op: 0, S: 0, shift: 0 }, fixed: { imm6: 0 } };
const subtractRegister: Pick = { entry: ADD_SUB_SHIFTED, shape: { sf: 1, op: 1, S: 0, shift: 0 }, fixed: { imm6: 0 } };
const multiply: Pick = { entry: "MADD/MSUB", shape: { sf: 1, o0: 0 }, fixed: { Ra: 31 } };
const multiplyAdd: Pick = { entry: "MADD/MSUB", shape: { sf: 1, o0: 0 } };
const shiftRight: Pick = { entry: "SBFM/UBFM", shape: { sf: 1, opc: 1 } };
const loadScaled: Pick = { entry: REGISTER_OFFSET, shape: { size: 3, opc: 1, option: 3, S: 1 } };
const storePair: Pick = { entry: PAIR, shape: { opc: 2, index: 2, L: 0 }, fixed: { Rn: 31 } };
const loadPair: Pick = { entry: PAIR, shape: { opc: 2, index: 2, L: 1 }, fixed: { Rn: 31 } };
const load: Pick = { entry: UNSIGNED_OFFSET, shape: { size: 3, opc: 1 } };

const exclusiveOr: Pick = { entry: LOGICAL_SHIFTED, shape: { sf: 1, opc: 2, shift: 0, N: 0 }, fixed: { imm6: 0 } };
const extract: Pick = { entry: "EXTR", shape: { sf: 1 } };
const moveWide: Pick = { entry: "MOVN/MOVZ", shape: { sf: 1, opc: 1, hw: 0 } };
/** Instructions that compilers string together between accesses and branches. */
const ARITHMETIC = [addRegister, subtractRegister, exclusiveOr, extract];

const PAIRS: readonly (readonly [Pick, Pick])[] = [
  [compareImmediate, branchIf(0, 1, 2, 3, 8, 9, 10, 11, 12, 13)],
  [compareRegister, branchIf(0, 1, 2, 3, 8, 9, 10, 11, 12, 13)],
  [subtractSetting, branchIf(0, 1)],
  [test, branchIf(0, 1)],
  [{ entry: ADD_SUB_IMMEDIATE, shape: { sf: 0, op: 0, S: 1 } }, branchIf(1)],
  [compareRegister, { entry: SELECT, shape: { sf: 1, cond: [2, 3, 8, 9, 11, 12], o2: 0, op: 0 } }],
  [compareRegister, { entry: SELECT, shape: { sf: 1, cond: [2, 3], o2: 1, op: 0 } }],
  [compareImmediate, { entry: SELECT, shape: { cond: [0, 1], op: 0 } }],
  [move, move],
  [move, { entry: "B/BL", shape: { op: 1 } }],
  [load, load],
  [storePair, storePair],
  [loadPair, loadPair],
  [{ entry: "ADR/ADRP", shape: { op: 1 } }, { entry: ADD_SUB_IMMEDIATE, shape: { sf: 1, op: 0, S: 0 } }],
  [multiply, multiply],
  [multiplyAdd, multiplyAdd],
  [loadScaled, loadScaled],
  [subtractRegister, loadScaled],
  [shiftRight, multiply],
  [addRegister, compareRegister],
  ...ARITHMETIC.flatMap((first) => ARITHMETIC.map((second) => [first, second] as const)),
  ...ARITHMETIC.flatMap((one) => [[moveWide, one], [one, moveWide]] as const),
];

function matches({ encoding, fixed }: Part, pick: Pick): boolean {
  if (encoding.instruction.name !== pick.entry) return false;
  for (const [name, wanted] of Object.entries(pick.shape ?? {})) {
    const value = encoding.shape[name];
    if (typeof wanted === "number" ? value !== wanted : !wanted.includes(value)) return false;
  }
  const names = Object.keys(pick.fixed ?? {});
  return names.length === Object.keys(fixed).length && names.every((name) => fixed[name] === pick.fixed![name]);
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
function isDirectBranch({ encoding }: Part): boolean {
  return ["B/BL", "B.cond", "CBZ/CBNZ", "TBZ/TBNZ"].includes(encoding.instruction.name);
}
