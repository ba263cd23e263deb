// Loops that only wait for the system counter, such as delays in firmware and drivers. One turn of
// the loop is evaluated with the counter as a range of values. If every branch goes the same way
// for the whole range, each of these turns leaves the same state, except for registers that the
// next turn sets again. All turns but the last can then be skipped.

import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import type { Bank, Compared, Flag, Node, Statement } from "../../isa/notation/builder.ts";
import { semanticsOf } from "../../isa/table.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { TICK_NS } from "../architecture/features.ts";
import { Handler } from "../decoded/handlers.ts";
import { constantSlot } from "../interpreter/emitter.ts";
import { CPU, Slot, xAddress } from "../state/cpu-state.ts";
import { type CodeMemory, CodeView } from "../translator/code/code-view.ts";
import { bigOf, numberOf } from "../translator/code/static-values.ts";
import { anyOf, apply, exactly, isExact, isSame, type Range } from "./ranges.ts";

/** Instructions of a turn at most. */
const LONGEST = 64;
/** The first and the longest wait (ticks) that a search tries. */
const FIRST_WAIT = 1n << 11n, LONGEST_WAIT = 1n << 40n;
/** Numbers of CNTPCT_EL0 and CNTVCT_EL0, which show the same; and of what FEAT_ECV adds. */
const COUNTERS: ReadonlySet<number> = new Set([1, 2].map((op2) => systemRegisterNumber(3, 3, 14, 0, op2)));
const SELF_SYNCHRONIZED: ReadonlySet<number> = new Set([5, 6].map((op2) => systemRegisterNumber(3, 3, 14, 0, op2)));

/**
 * An instruction: its page as the guest sees it, the decoded page of that, its index there, its
 * word.
 */
interface LoopInstruction {
  readonly low: number;
  readonly high: number;
  readonly page: number;
  readonly at: number;
  readonly word: number;
}

/** A loop that a vCPU is in, and the state that makes it one. */
export interface CounterLoop {
  /** Instructions of a turn. */
  readonly length: number;
  /**
   * The last value of the counter for which every turn is the same; -1 if a turn from here uses a
   * value that the previous one read.
   */
  readonly until: bigint;
  readonly code: readonly LoopInstruction[];
  /** Words of the CPU state that it depends on, by their index. */
  readonly state: readonly (readonly [index: number, value: number])[];
  /** Flags that it depends on, as 0 or 1. */
  readonly flags: readonly (readonly [flag: Flag, value: number])[];
}

/** A flag of the resident vCPU, as 0 or 1. */
function flagOf(words: Int32Array, flag: Flag): number {
  const at = CPU[flag] >> 2;
  if (flag === "C") return words[at] ? 1 : 0;
  return flag === "Z" ? Number(words[at] === 0 && words[at + 1] === 0) : words[at + 1] >>> 31;
}

/** The word that stands for a flag, by whether it is set: see `Flag`. */
function wordOf(flag: Flag, set: Range): Range {
  if (!isExact(set)) return flag === "C" ? set : anyOf(64);
  const isSet = set.low !== 0n;
  if (flag === "C") return set;
  return exactly(flag === "Z" ? (isSet ? 0n : 1n) : isSet ? 1n << 63n : 0n);
}

/** The evaluation of one turn, and the state that it depends on. */
class Turn {
  readonly #registers = new Map<number, Range>();
  /** Slots that the turn reads before it sets them. */
  readonly #needed = new Map<number, bigint>();
  /** Whether each flag is set. */
  readonly #flags: Partial<Record<Flag, Range>> = {};
  readonly #neededFlags = new Map<Flag, number>();
  #compared: readonly [a: Range, b: Range, bits: 32 | 64] | undefined;
  readonly #locals = new Map<number, Range>();
  readonly code: LoopInstruction[] = [];
  readsCounter = false;

  constructor(readonly memory: CodeMemory, readonly counter: Range) {}

  /**
   * Follows the code from PC until it returns there. False if it does not return, does more than
   * compute, never reads the counter, or branches differently within the range.
   */
  follow(): boolean {
    const { words } = this.memory, start = doublewordAt(words, CPU.PC);
    let pc = start;
    do {
      const next = this.#step(pc);
      if (next === undefined) return false;
      pc = next;
    } while (pc !== start && this.code.length < LONGEST);
    return pc === start && this.readsCounter;
  }

  /** Whether the next turn starts from the same values as this one. */
  get repeats(): boolean {
    for (const [slot, before] of this.#needed) if (!isSame(this.#registers.get(slot)!, exactly(before))) return false;
    for (const [flag, before] of this.#neededFlags) if (!isSame(this.#flags[flag]!, exactly(BigInt(before)))) return false;
    return true;
  }

  /** Words of the CPU state that the turn depends on. */
  get state(): CounterLoop["state"] {
    const addresses = [CPU.PC, CPU.PC + 4, ...[...this.#needed.keys()].flatMap((slot) => [xAddress(slot), xAddress(slot) + 4])];
    return addresses.map((address) => [address >> 2, this.memory.words[address >> 2]]);
  }

  get flags(): CounterLoop["flags"] {
    return [...this.#neededFlags];
  }

  /** The address of the next instruction. */
  #step(pc: bigint): bigint | undefined {
    const address = Number(pc & 0xffff_ffffn), low = (address & ~0xfff) >>> 0, high = Number(pc >> 32n) | 0, at = (address & 0xfff) >> 2;
    const view = CodeView.at(this.memory, low, high);
    if (!view || address & 3 || view.handler(at) === Handler.Breakpoint) return undefined;
    const word = view.word(at), encoding = this.memory.instructions.set.decode(word);
    if (!encoding) return undefined;
    this.code.push({ low, high, page: view.page, at, word });
    this.#locals.clear();
    return this.#run(semanticsOf(encoding).statements, word, pc);
  }

  #run(statements: readonly Statement[], word: number, pc: bigint): bigint | undefined {
    const value = (node: Node) => this.#value(node, word, pc);
    for (const s of statements) {
      switch (s.kind) {
        case "let":
          this.#locals.set(s.id, value(s.value));
          break;
        case "setRegister": {
          const slot = slotOf(s.bank, s.index, word, true);
          if (slot !== Slot.Dump) this.#registers.set(slot, value(s.value));
          break;
        }
        case "setFlags":
          this.#setFlags(s, value);
          break;
        case "call":
          if (s.name !== "readSystemRegister" || s.id === undefined || !this.#isCounter(numberOf(s.operands[0], word))) return undefined;
          this.#locals.set(s.id, this.counter);
          this.readsCounter = true;
          break;
        case "if":
          // An ISB. The translations that it would look up have been found here.
          if (s.condition.kind !== "state" || s.condition.name !== "FETCHES_DROPPED") return undefined;
          break;
        case "branch": {
          const taken = s.condition ? value(s.condition) : exactly(1n);
          if (taken.low === 0n && taken.high !== 0n) return undefined;
          if (taken.low !== 0n) return BigInt.asUintN(64, pc + BigInt(numberOf(s.offset, word)));
          break;
        }
        case "branchTo": {
          const target = value(s.address);
          return isExact(target) ? target.low : undefined;
        }
        default:
          return undefined;
      }
    }
    return BigInt.asUintN(64, pc + 4n);
  }

  #isCounter(register: number): boolean {
    return COUNTERS.has(register) || SELF_SYNCHRONIZED.has(register) && this.memory.instructions.set.has("FEAT_ECV");
  }

  #setFlags({ n, z, c, v, compared }: { n: Node; z: Node; c: Node; v: Node; compared?: Compared }, value: (node: Node) => Range): void {
    const isNegative = (node: Node) => apply("i64.lt_s", [value(node), exactly(0n)], 32);
    const flags = { N: isNegative(n), Z: apply("i64.eqz", [value(z)], 32), C: value(c), V: isNegative(v) };
    this.#compared = compared && [value(compared[0]), value(compared[1]), compared[0].type === "i32" ? 32 : 64];
    Object.assign(this.#flags, flags);
  }

  #value(node: Node, word: number, pc: bigint): Range {
    const bits = node.type === "i32" ? 32 : 64;
    if (node.kind === "constant") return exactly(BigInt.asUintN(bits, BigInt(node.value)));
    if (node.isStatic) return exactly(BigInt.asUintN(bits, bits === 32 ? BigInt(numberOf(node, word)) : bigOf(node, word)));
    switch (node.kind) {
      case "op":
        return apply(node.name, node.operands.map((operand) => this.#value(operand, word, pc)), bits);
      case "register":
        return this.#register(slotOf(node.bank, node.index, word, false));
      case "local":
        return this.#locals.get(node.id) ?? anyOf(bits);
      case "pc":
        return exactly(pc);
      case "flag":
        return wordOf(node.flag, this.#flag(node.flag));
      case "condition":
        return this.#condition(node.cond);
      default:
        return anyOf(bits);
    }
  }

  #register(slot: number): Range {
    if (slot === Slot.Zero || slot === Slot.Dump) return exactly(0n);
    let range = this.#registers.get(slot);
    if (!range) {
      const value = doublewordAt(this.memory.words, xAddress(slot));
      this.#registers.set(slot, range = exactly(value));
      this.#needed.set(slot, value);
    }
    return range;
  }

  #flag(flag: Flag): Range {
    let range = this.#flags[flag];
    if (!range) {
      const value = flagOf(this.memory.words, flag);
      this.#flags[flag] = range = exactly(BigInt(value));
      this.#neededFlags.set(flag, value);
    }
    return range;
  }

  /** ConditionHolds. */
  #condition(cond: number): Range {
    if (cond >= 14) return exactly(1n);
    const test = (name: string, ...operands: Range[]) => apply(name, operands, 32);
    const no = (a: Range) => test("i32.eqz", a), both = (a: Range, b: Range) => test("select", b, exactly(0n), a);
    const comparison = COMPARISONS[cond & ~1];
    const holds = () => {
      if (this.#compared && comparison) {
        const [a, b, bits] = this.#compared;
        return test(`i${bits}.${comparison}`, a, b);
      }
      const flag = (name: Flag) => this.#flag(name), same = () => test("i32.eq", flag("N"), flag("V"));
      switch (cond >> 1) {
        case 0:
          return flag("Z");
        case 1:
          return flag("C");
        case 2:
          return flag("N");
        case 3:
          return flag("V");
        case 4:
          return both(flag("C"), no(flag("Z")));
        case 5:
          return same();
        default:
          return both(no(flag("Z")), same());
      }
    };
    return cond & 1 ? no(holds()) : holds();
  }
}

/** By the even number of a condition: the comparison of `a` with `b` that it is after `a - b`. */
const COMPARISONS: Readonly<Record<number, string>> = { 0: "eq", 2: "ge_u", 8: "gt_u", 10: "ge_s", 12: "gt_s" };

function slotOf(bank: Bank, index: Node, word: number, write: boolean): number {
  return constantSlot(bank, numberOf(index, word), write);
}

function doublewordAt(words: Int32Array, address: number): bigint {
  const at = address >> 2;
  return BigInt.asUintN(64, BigInt(words[at + 1]) << 32n | BigInt(words[at] >>> 0));
}

/** The value of the counter at a virtual time (ns). */
const ticks = (time: number): bigint => BigInt(Math.trunc(time / TICK_NS));

/** The loop that the resident vCPU is in at `time` (ns), if it reads the counter. */
export function findCounterLoop(memory: CodeMemory, time: number): CounterLoop | undefined {
  const now = ticks(time);
  const follow = (wait: bigint) => {
    const turn = new Turn(memory, { low: now, high: now + wait });
    return turn.follow() ? turn : undefined;
  };
  const first = follow(0n);
  if (!first) return undefined;
  const repeat = (wait: bigint) => {
    const turn = follow(wait);
    return turn?.repeats ? turn : undefined;
  };
  let wait = FIRST_WAIT, longest = repeat(wait);
  if (longest) {
    for (let wider = repeat(wait <<= 1n); wider && wait < LONGEST_WAIT; wider = repeat(wait <<= 1n)) longest = wider;
  } else while (!longest && (wait >>= 1n) > 0n) longest = repeat(wait);
  const { code, state, flags, counter } = longest ?? first;
  return { length: code.length, until: longest ? counter.high : -1n, code, state, flags };
}

/** Whether the resident vCPU is at the start of a turn of that loop, and its code is unchanged. */
export function isAtLoop(memory: CodeMemory, { code, state, flags }: CounterLoop): boolean {
  const { words } = memory;
  for (let i = 0; i < state.length; i++) if (words[state[i][0]] !== state[i][1]) return false;
  for (let i = 0; i < flags.length; i++) if (flagOf(words, flags[i][0]) !== flags[i][1]) return false;
  let view: CodeView | undefined;
  for (let i = 0; i < code.length; i++) {
    const { low, high, page, at, word } = code[i];
    if (view?.low !== low || view.high !== high) view = CodeView.at(memory, low, high);
    if (view?.page !== page || view.word(at) !== word || view.handler(at) === Handler.Breakpoint) return false;
  }
  return true;
}

/**
 * The number of turns to skip from `time` (ns) on, with a budget of `left` instructions. The last
 * identical turn is executed, because it sets the registers that change. The counter never shows
 * less than at `floor`.
 */
export function spareTurns({ length, until }: CounterLoop, time: number, floor: number, left: number): number {
  const end = Number(until + 1n) * TICK_NS;
  if (floor >= end) return 0;
  return Math.max(0, Math.min(Math.floor((end - time) / length), Math.floor(left / length)) - 1);
}

/** Whether no exception or breakpoint can interrupt the loop of the resident vCPU. */
export function isUndisturbed({ words }: CodeMemory): boolean {
  const pstate = words[CPU.PSTATE >> 2];
  if ((pstate & Pstate.ElMask) === 0 || pstate & Pstate.IL || words[CPU.WATCHING >> 2]) return false;
  return !(words[CPU.IRQ >> 2] && !(pstate & Pstate.I)) && !(words[CPU.FIQ >> 2] && !(pstate & Pstate.F));
}
