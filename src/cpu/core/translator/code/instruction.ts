// Properties of an instruction that the translator finds from its word alone.

import { Builder, type Statement } from "../../../isa/notation/builder.ts";
import type { InstructionSet } from "../../../isa/instruction-set.ts";
import type { InstructionForm } from "../../../isa/table.ts";
import { evaluateNumber } from "../../decoded/operands.ts";
import { isAtomic } from "../../interpreter/memory-access.ts";
import { baseRegister, STACK_POINTER, statementsOf, usesFloatingPoint } from "../../interpreter/meaning.ts";
import { type AddressEffects, addressEffects, hasAddresses, NO_ADDRESSES } from "./address-effects.ts";
import { type Places, placesOf } from "./forwarded-values.ts";
import { inlineCall } from "./inline-calls.ts";
import { type LocalUse, localUses } from "./local-uses.ts";
import { RegisterAccesses, type RegisterUse } from "./register-use.ts";
import { numberOf } from "./static-values.ts";
import { WordTable } from "./word-table.ts";

/** The offset of a branch of an instruction to itself. */
const HERE = new Builder().i64(0);
const ALL_OPERATIONS = { fusedMultiplyAdd: true, wideMultiplication: true };

/** Properties of an encoding. */
interface Meaning {
  readonly encoding: InstructionForm;
  readonly semantics: Builder;
  readonly accesses: RegisterAccesses;
  readonly uses: readonly LocalUse[];
  /** It uses vector registers or FPCR and FPSR. */
  readonly usesVectors: boolean;
  /** It has an exclusive or atomic access. */
  readonly isAtomic: boolean;
  /** It has floating-point arithmetic that is expanded inline. */
  readonly inlinesFloat: boolean;
  /**
   * The statement that only decides whether it takes an exception, before it does anything else:
   * the region is left there, before the instruction.
   */
  readonly guard: Guard | undefined;
  /** The last statement, if that only repeats the instruction: `branch` is that branch. */
  readonly repetition: Statement | undefined;
  /** It may leave the region before it does anything. */
  readonly mayLeave: boolean;
  /** It reads memory; it may write some. */
  readonly loads: boolean;
  readonly stores: boolean;
  /** It has an access, or a sum as its result (address-effects.ts). */
  readonly hasAddresses: boolean;
  readonly branch: Statement & { kind: "branch" | "branchTo" } | undefined;
  /** It writes the link register. */
  readonly isCall: boolean;
  /** Number of an access's base register, from the instruction word, where that may be SP. */
  readonly base: ((word: number) => number) | undefined;
}

/** An instruction as a region has it. */
export interface RegionInstruction extends Meaning {
  readonly word: number;
  readonly use: RegisterUse;
  /** SP is the base of an access. */
  readonly basedOnStack: boolean;
  readonly addresses: AddressEffects;
  readonly places: Places;
}

/** log2 of the pairs of instructions that are kept by word, and of flows. */
const INSTRUCTIONS_SHIFT = 13, FLOWS_SHIFT = 12;

/** The effect of an instruction on the flow of control. */
export interface Flow {
  /** The target of a direct branch, in instructions. */
  readonly offset?: number;
  /** The next instruction is reached from elsewhere, or through the interpreter. */
  readonly ends: boolean;
}

/** Masks and values of words (Arm ARM C4.1): the group of branches, B and BL, TBZ and TBNZ. */
const GROUP = 0x1c000000, BRANCHES = 0x14000000;
const LINK_EITHER = 0x7c000000, BRANCH = 0x14000000, TEST_EITHER = 0x7e000000, TEST_AND_BRANCH = 0x36000000;

/**
 * Whether a word can be a direct branch to itself or to an instruction before it. True for some
 * words that are none: exception generation and system instructions are of the same group.
 */
export function mayBranchBack(word: number): boolean {
  if ((word & GROUP) !== BRANCHES) return false;
  // imm26, imm14 or imm19, with its sign.
  if ((word & LINK_EITHER) === BRANCH) return word << 6 <= 0;
  return (word & TEST_EITHER) === TEST_AND_BRANCH ? word << 13 >> 18 <= 0 : word << 8 >> 13 <= 0;
}

/** The instructions of a CPU by their words, as the translator sees them. */
export class Instructions {
  readonly #meanings: (Meaning | undefined)[];
  /** Compiled code repeats the same words a lot. */
  readonly #known = new WordTable<RegionInstruction | null>((word) => this.#analyze(word) ?? null, INSTRUCTIONS_SHIFT);
  readonly #flows = new WordTable<Flow>((word) => this.#findFlow(word), FLOWS_SHIFT);

  constructor(readonly set: InstructionSet) {
    this.#meanings = set.has("FEAT_AFP") ? alternateMeanings : meanings;
  }

  /** The instruction, or undefined when it is left to the interpreter. */
  translatable(word: number): RegionInstruction | undefined {
    return this.#known.of(word) ?? undefined;
  }

  /** The flow after an instruction: as `translatable` has it, at a small part of the cost. */
  flowOf(word: number): Flow {
    return this.#flows.of(word);
  }

  #findFlow(word: number): Flow {
    const meaning = this.#meaningOf(word), branch = meaning?.branch;
    if (!branch) return { ends: !meaning };
    if (branch.kind === "branchTo") return { ends: true };
    return { ends: !branch.condition, offset: numberOf(branch.offset, word) / 4 };
  }

  /** Properties that follow from the encoding; undefined if it is left to the interpreter. */
  #meaningOf(word: number): Meaning | undefined {
    const encoding = this.set.decode(word);
    if (!encoding) return undefined;
    const { index } = encoding, meanings = this.#meanings;
    return index in meanings ? meanings[index] : meanings[index] = meaningOf(encoding, this.set.meaningOf(encoding));
  }

  #analyze(word: number): RegionInstruction | undefined {
    const meaning = this.#meaningOf(word);
    if (!meaning) return undefined;
    const basedOnStack = meaning.base?.(word) === STACK_POINTER;
    const addresses = meaning.hasAddresses ? addressEffects(meaning.semantics, word) : NO_ADDRESSES;
    const places = placesOf(meaning.semantics, meaning.uses, word);
    return { ...meaning, word, use: meaning.accesses.of(word), basedOnStack, addresses, places };
  }
}

const bySet = new Map<InstructionSet, Instructions>();

/** The instructions of a set: the same object each time. */
export function instructionsOf(set: InstructionSet): Instructions {
  let instructions = bySet.get(set);
  if (!instructions) bySet.set(set, instructions = new Instructions(set));
  return instructions;
}

/**
 * By the index of the encoding; undefined for those that are left to the interpreter. On CPUs with
 * FEAT_AFP they are others.
 */
const meanings: (Meaning | undefined)[] = [], alternateMeanings: (Meaning | undefined)[] = [];

const hasAtomicAccess = (s: Statement): boolean =>
  s.kind === "ramAddress" && !s.zero || (s.kind === "load" || s.kind === "loadPair" || s.kind === "store") && isAtomic(s.options);

function meaningOf(encoding: InstructionForm, semantics: Builder): Meaning | undefined {
  const guard = guardOf(semantics.statements);
  const last = semantics.statements.at(-1), repeats = repetitionOf(last);
  const statements = statementsOf(semantics.statements.filter((s) => s !== guard && !(repeats && s === last)));
  if (statements.some((s) => mayFault(s) && !isTried(s))) return undefined;
  const branch = repeats ?? (last?.kind === "branch" || last?.kind === "branchTo" ? last : undefined);
  if (statements.some((s) => (s.kind === "branch" || s.kind === "branchTo") && s !== branch)) return undefined;
  const base = baseRegister(semantics);
  return {
    encoding,
    semantics,
    accesses: new RegisterAccesses(semantics),
    uses: localUses(semantics),
    isAtomic: statements.some(hasAtomicAccess),
    usesVectors: encoding.instruction.fp || usesFloatingPoint(semantics),
    inlinesFloat: statements.some((s) => s.kind === "call" && s.name.startsWith("FP") && inlineCall(s.name, ALL_OPERATIONS) !== undefined),
    guard,
    repetition: repeats && last,
    mayLeave: guard !== undefined || statements.some(isTried) || branch?.kind === "branchTo" && branch.type !== undefined ||
      statements.some(({ kind }) => kind.startsWith("load") || kind.startsWith("store") || kind === "ramAddress"),
    loads: statements.some(({ kind }) => kind.startsWith("load") || kind === "ramAddress"),
    stores: statements.some((s) => s.kind.startsWith("store") || s.kind === "ramAddress" || isTried(s)),
    hasAddresses: hasAddresses(semantics),
    branch,
    isCall: branch !== undefined && semantics.statements.some((s) => s.kind === "setRegister"),
    base: base && evaluateNumber(base),
  };
}

/** An `if` whose only effect is an exception. */
type Guard = Statement & { kind: "if" };

const mayFault = (s: Statement): boolean => s.kind === "call" && s.faults;

/** Whether a region may try a call that may fault. */
const isTried = (s: Statement): boolean => s.kind === "call" && s.attempt !== undefined;

/** The branch of an instruction to itself under a condition, where its last statement is that. */
function repetitionOf(last: Statement | undefined): Statement & { kind: "branch" } | undefined {
  if (last?.kind !== "if" || last.otherwise.length || last.then.length !== 1) return undefined;
  const [only] = last.then;
  if (only.kind !== "branchTo" || only.address.kind !== "pc" || only.type) return undefined;
  return { kind: "branch", offset: HERE, condition: last.condition };
}

/** The first statement that does more than compute a value, if that is a guard. */
function guardOf(statements: readonly Statement[]): Guard | undefined {
  const first = statements.find((s) => s.kind !== "let" && !(s.kind === "call" && !s.faults && s.id !== undefined));
  return first?.kind === "if" && first.then.every(mayFault) && !first.otherwise.length ? first : undefined;
}
