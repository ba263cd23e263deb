// What is translated at once: a region, the instructions that direct branches reach from its head, past calls. spec/core-jit.md sections 3
// and 7. Like a page's records it is bound to no virtual address; instructions are counted from the first of the head's page, so that those
// of the page before have negative numbers.
//
// A region ends at indirect branches, at those to pages that it does not know, at instructions that may take an exception by themselves or
// that change the translation regime, and at code that was never executed.

import type { Builder, Statement } from "../../isa/builder.ts";
import { decode } from "../../isa/decode.ts";
import { type Encoding, semanticsOf } from "../../isa/table.ts";
import { baseRegister, STACK_POINTER, statementsOf, usesFloatingPoint } from "../interpreter/meaning.ts";
import { evaluateNumber } from "../interpreter/operands.ts";
import { RECORDS_PER_PAGE } from "../layout.ts";
import { type AddressEffects, addressEffects, hasAddresses, NO_ADDRESSES } from "./access-groups.ts";
import { inlineCall } from "./inline-calls.ts";
import { RegisterAccesses, type RegisterUse } from "./register-use.ts";
import { numberOf } from "./static-values.ts";

/** Instructions of a region at most. */
const REGION_SIZE = 512;

/** What the translator knows of an encoding. */
interface Meaning {
  readonly encoding: Encoding;
  readonly semantics: Builder;
  readonly accesses: RegisterAccesses;
  /** It uses vector registers or FPCR and FPSR. */
  readonly usesVectors: boolean;
  /** It has floating-point arithmetic that is expanded inline. */
  readonly inlinesFloat: boolean;
  /** It may leave the region before it does anything. */
  readonly mayLeave: boolean;
  /** It reads memory. */
  readonly loads: boolean;
  /** It has an access, or a sum as its result (access-groups.ts). */
  readonly hasAddresses: boolean;
  /** The branch that it is. */
  readonly branch: Statement & { kind: "branch" | "branchTo" } | undefined;
  /** It writes the link register. */
  readonly isCall: boolean;
  /** The word's number of the register that an access has as its base, where that may be SP. */
  readonly base: ((word: number) => number) | undefined;
}

/** An instruction as a region has it. */
export interface Instruction extends Meaning {
  readonly word: number;
  readonly use: RegisterUse;
  /** SP is the base of an access. */
  readonly basedOnStack: boolean;
  readonly addresses: AddressEffects;
}

/** How a block ends. Numbers are of instructions; those that begin no block of the region are left to the interpreter. */
export type Ending =
  | { readonly kind: "jump"; readonly to: number }
  /** The last instruction is a branch with a condition. */
  | { readonly kind: "condition"; readonly to: number; readonly next: number }
  /** The last instruction is a call, of an instruction's number where it is direct; `next` is where it returns to. */
  | { readonly kind: "call"; readonly to: number | undefined; readonly next: number }
  | { readonly kind: "return" }
  /** The last instruction is an indirect branch; `targets` are where it may lead to inside of the region. */
  | { readonly kind: "indirect"; readonly targets: readonly number[] };

/** A stretch of instructions without branches but for its end. */
export interface Block {
  /** Number of its first instruction. */
  readonly first: number;
  readonly instructions: readonly Instruction[];
  readonly ending: Ending;
}

/** Code as the translator sees it: pages that follow each other in virtual memory. */
export interface Code {
  /** Whether the page of this instruction is known. Regions reach into the pages beside the head's. */
  has(index: number): boolean;
  /** The word of an instruction of a known page. */
  word(index: number): number;
  /** Whether the instruction was executed, or at least decoded, and no breakpoint is there. */
  isKnown(index: number): boolean;
  /** Whether a region begins there. */
  isHead(index: number): boolean;
}

/** Instructions by word, which compiled code repeats a lot; dropped together when there are too many. */
const known = new Map<number, Instruction | undefined>();
const KNOWN_AT_MOST = 0x4000;

/** The instruction, or undefined when it is left to the interpreter. */
export function translatable(word: number): Instruction | undefined {
  let instruction = known.get(word);
  if (instruction || known.has(word)) return instruction;
  instruction = analyse(word);
  if (known.size >= KNOWN_AT_MOST) known.clear();
  known.set(word, instruction);
  return instruction;
}

function analyse(word: number): Instruction | undefined {
  const encoding = decode(word);
  if (!encoding) return undefined;
  const { index } = encoding;
  const meaning = index in meanings ? meanings[index] : meanings[index] = meaningOf(encoding);
  if (!meaning) return undefined;
  const basedOnStack = meaning.base?.(word) === STACK_POINTER;
  const addresses = meaning.hasAddresses ? addressEffects(meaning.semantics, word) : NO_ADDRESSES;
  return { ...meaning, word, use: meaning.accesses.of(word), basedOnStack, addresses };
}

/** By the index of the encoding; undefined for those that are left to the interpreter. */
const meanings: (Meaning | undefined)[] = [];

function meaningOf(encoding: Encoding): Meaning | undefined {
  const semantics = semanticsOf(encoding);
  const statements = statementsOf(semantics.statements);
  if (statements.some((s) => s.kind === "call" && s.faults)) return undefined;
  const last = semantics.statements.at(-1);
  const branch = last?.kind === "branch" || last?.kind === "branchTo" ? last : undefined;
  if (statements.some((s) => (s.kind === "branch" || s.kind === "branchTo") && s !== branch)) return undefined;
  const base = baseRegister(semantics);
  return {
    encoding,
    semantics,
    accesses: new RegisterAccesses(semantics),
    usesVectors: encoding.instruction.fp || usesFloatingPoint(semantics),
    inlinesFloat: statements.some((s) => s.kind === "call" && s.name.startsWith("FP") && inlineCall(s.name, true) !== undefined),
    mayLeave: statements.some(({ kind }) => kind.startsWith("load") || kind.startsWith("store") || kind === "hostAddress"),
    loads: statements.some(({ kind }) => kind.startsWith("load") || kind === "hostAddress"),
    hasAddresses: hasAddresses(semantics),
    branch,
    isCall: branch !== undefined && semantics.statements.some((s) => s.kind === "setRegister"),
    base: base && evaluateNumber(base),
  };
}

/**
 * The blocks of the region with this head, which is the first; none when the head cannot be translated.
 * @param ends the region ends where another begins.
 */
export function discover(code: Code, head: number, ends = false): Block[] {
  const reaches = (at: number) => at >= -RECORDS_PER_PAGE && at < 2 * RECORDS_PER_PAGE && code.has(at);
  const instructions = new Map<number, { readonly instruction: Instruction; readonly ending: Ending | undefined }>();
  const leaders = new Set([head]);
  const pending = [head];
  while (pending.length && instructions.size < REGION_SIZE) {
    for (let at = pending.pop()!; !instructions.has(at) && instructions.size < REGION_SIZE; at++) {
      const instruction = reaches(at) && code.isKnown(at) ? translatable(code.word(at)) : undefined;
      if (!instruction || ends && at !== head && code.isHead(at)) break;
      const ending = endingOf(instruction, at, code);
      // Where the next page is not known, the interpreter goes there, which counts a fetch that faults.
      if ((!ending || ending.kind === "condition") && !reaches(at + 1)) break;
      instructions.set(at, { instruction, ending });
      if (!ending) continue;
      const targets = successorsOf(ending);
      for (const target of targets) leaders.add(target);
      pending.push(...targets);
      break;
    }
  }
  return [...leaders].filter((leader) => instructions.has(leader)).map((first) => {
    const block: Instruction[] = [];
    let at = first, ending: Ending | undefined;
    do {
      const found = instructions.get(at++)!;
      block.push(found.instruction);
      ending = found.ending;
    } while (!ending && instructions.has(at) && !leaders.has(at));
    return { first, instructions: block, ending: ending ?? { kind: "jump", to: at } };
  });
}

/** Where control goes on inside the region, as far as it reaches. */
export function successorsOf(ending: Ending): number[] {
  switch (ending.kind) {
    case "jump":
      return [ending.to];
    case "condition":
      return [ending.to, ending.next];
    case "call":
      return [ending.next];
    case "indirect":
      return [...ending.targets];
    default:
      return [];
  }
}

/** How a block ends whose last instruction this is; undefined when it is no branch. */
function endingOf(instruction: Instruction, at: number, code: Code): Ending | undefined {
  const { branch, isCall, word } = instruction;
  if (!branch) return undefined;
  const next = at + 1;
  if (branch.kind === "branchTo") {
    if (isCall) return { kind: "call", to: undefined, next };
    if (instruction.encoding.shape.opc === RET) return { kind: "return" };
    return { kind: "indirect", targets: isSwitch(code, at) ? switchTargets(code, at) : [] };
  }
  const to = at + numberOf(branch.offset, word) / 4;
  if (branch.condition) return { kind: "condition", to, next };
  return isCall ? { kind: "call", to, next } : { kind: "jump", to };
}

/** Shape field opc of BR/BLR/RET. */
const RET = 2;

/** Instructions before an indirect branch in which the load from its table is looked for. */
const TABLE_LOAD_REACH = 8;
/** Instructions behind an indirect branch in which its targets are looked for, and how many there may be. */
const SWITCH_REACH = 384;
const SWITCH_TARGETS = 64;

/** Whether an indirect branch goes by a table of offsets or addresses: there is a load with a register as its offset shortly before it. */
function isSwitch(code: Code, at: number): boolean {
  for (let i = at - 1; i >= at - TABLE_LOAD_REACH && code.has(i) && code.isKnown(i); i--) {
    const instruction = translatable(code.word(i));
    if (!instruction || instruction.branch) return false;
    if (instruction.encoding.instruction.name === "LDR/STR (register)") return true;
  }
  return false;
}

/**
 * Where the branch of a switch may lead to: what has been executed behind it and follows code that goes elsewhere. Targets that it does not
 * have are never jumped to.
 */
function switchTargets(code: Code, at: number): number[] {
  const targets: number[] = [];
  let starts = true;
  for (let i = at + 1; i <= at + SWITCH_REACH && targets.length < SWITCH_TARGETS && code.has(i); i++) {
    const instruction = code.isKnown(i) ? translatable(code.word(i)) : undefined;
    if (starts && instruction) targets.push(i);
    starts = !instruction || instruction.branch !== undefined && !instruction.isCall &&
        !(instruction.branch.kind === "branch" && instruction.branch.condition);
  }
  return targets;
}
