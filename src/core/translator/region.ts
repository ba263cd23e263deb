// What is translated at once: a region, the instructions of one page that direct branches reach from its head. spec/core-jit.md sections 3
// and 7. Like the page's records it is bound to no virtual address.
//
// Calls inside the page belong to the region, and RETs to where its calls return. It ends where the page does, at other indirect branches,
// at instructions that may take an exception by themselves or that change the translation regime, and at code that was never executed.

import type { Builder, Statement } from "../../isa/builder.ts";
import { decode } from "../../isa/decode.ts";
import { fieldValues } from "../../isa/insn.ts";
import { type Encoding, semanticsOf } from "../../isa/table.ts";
import { statementsOf } from "../interpreter/handlers.ts";
import { evaluateNumber } from "../interpreter/operands.ts";
import { RECORDS_PER_PAGE } from "../layout.ts";

/** Instructions of a region at most. */
const REGION_SIZE = 384;

/** An instruction with all fields known. */
export interface Instruction {
  readonly word: number;
  readonly encoding: Encoding;
  readonly semantics: Builder;
}

/** How a block ends. Numbers are instructions of the page; those that begin no block of the region are left to the interpreter. */
export type Ending =
  | { readonly kind: "jump"; readonly to: number }
  /** The last instruction is a branch with a condition. */
  | { readonly kind: "condition"; readonly to: number; readonly next: number }
  /** The last instruction is a call inside the page; `next` is where it returns to. */
  | { readonly kind: "call"; readonly to: number; readonly next: number }
  /** The last instruction is an indirect branch, or one to another page; `next` follows it where it has a condition. */
  | { readonly kind: "away"; readonly next?: number };

/** A stretch of instructions without branches but for its end. */
export interface Block {
  /** Number of its first instruction in the page. */
  readonly first: number;
  readonly instructions: readonly Instruction[];
  readonly ending: Ending;
}

/** A code page as the translator sees it. */
export interface CodePage {
  /** The word of an instruction, by its number in the page. */
  word(index: number): number;
  /** Whether the instruction was executed, or at least decoded, and no breakpoint is there. */
  isKnown(index: number): boolean;
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
  const semantics = semanticsOf(encoding, fieldValues(encoding.instruction, word));
  const statements = statementsOf(semantics.statements);
  const leaves = statements.some((s) => s.kind === "call" && s.faults);
  const branches = statements.filter((s) => s.kind === "branch" || s.kind === "branchTo");
  return leaves || branches.length && branches[0] !== semantics.statements.at(-1) ? undefined : { word, encoding, semantics };
}

/** The branch that an instruction is, or undefined. */
export function branchOf({ semantics }: Instruction): Statement & { kind: "branch" | "branchTo" } | undefined {
  const last = semantics.statements.at(-1);
  return last?.kind === "branch" || last?.kind === "branchTo" ? last : undefined;
}

/** A call writes the link register. */
const isCall = ({ semantics }: Instruction) => semantics.statements.some((s) => s.kind === "setRegister");

/** The blocks of the region with this head, which is the first; none when the head cannot be translated. */
export function discover(page: CodePage, head: number): Block[] {
  const instructions = new Map<number, Instruction>();
  const leaders = new Set([head]);
  const pending = [head];
  while (pending.length && instructions.size < REGION_SIZE) {
    for (let at = pending.pop()!; at < RECORDS_PER_PAGE && !instructions.has(at) && instructions.size < REGION_SIZE; at++) {
      const instruction = page.isKnown(at) ? translatable(page.word(at)) : undefined;
      if (!instruction) break;
      instructions.set(at, instruction);
      const ending = endingOf(instruction, at);
      if (!ending) continue;
      const targets = ending.kind === "call" ? [ending.next, ending.to] : successorsOf(ending);
      for (const target of targets) leaders.add(target);
      pending.push(...targets);
      break;
    }
  }
  return [...leaders].filter((leader) => instructions.has(leader)).map((first) => {
    const block: Instruction[] = [];
    let at = first, ending: Ending | undefined;
    do {
      const instruction = instructions.get(at)!;
      block.push(instruction);
      ending = endingOf(instruction, at++);
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
    case "away":
      return ending.next === undefined ? [] : [ending.next];
    case "call":
      return [ending.to];
  }
}

/** Return points that a RET is compared with, at most. */
const RETURN_POINTS = 4;

/** Whether the block ends in RET. */
export function isReturn({ instructions }: Block): boolean {
  const { encoding } = instructions[instructions.length - 1];
  return encoding.instruction.name === "BR/BLR/RET" && encoding.shape.opc === 2;
}

/** Instructions behind the calls of a region: where its RETs may lead. None when there are too many. */
export function returnPoints(blocks: readonly Block[]): number[] {
  const points = blocks.flatMap(({ ending }) => ending.kind === "call" ? [ending.next] : []);
  return points.length > RETURN_POINTS ? [] : points;
}

/** How a block ends whose last instruction this is; undefined when it is no branch. */
function endingOf(instruction: Instruction, at: number): Ending | undefined {
  const branch = branchOf(instruction);
  if (!branch) return undefined;
  if (branch.kind === "branchTo") return { kind: "away" };
  const to = at + evaluateNumber(branch.offset)(instruction.word) / 4, next = at + 1;
  const near = to >= 0 && to < RECORDS_PER_PAGE;
  if (branch.condition) return near ? { kind: "condition", to, next } : { kind: "away", next };
  if (!near) return { kind: "away" };
  return isCall(instruction) ? { kind: "call", to, next } : { kind: "jump", to };
}
