// The unit of translation: a region, the instructions that direct branches reach from its head,
// past calls. docs/design/core.md §T3 and §T7. Like a page's decoded instructions it is bound to no
// virtual address; instructions are counted from the first of the head's page, so that those of the
// page before have negative numbers.
//
// A region ends at indirect branches, at those to pages that it does not know, at instructions that
// may take an exception by themselves, unless all that matters for it is a test before they do
// anything, or that change the translation regime, and at code that was never executed.

import { INSTRUCTIONS_PER_PAGE } from "../../state/layout.ts";
import type { CodePages } from "../code/code.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import { isIndirectJump, JumpTables } from "../code/jump-tables.ts";
import { numberOf } from "../code/static-values.ts";

/** Instructions of a region at most. */
const REGION_SIZE = 512;

/**
 * Instructions of a region with all of a loop, at most. Smaller loops are not split: on each way
 * from one region to another all registers go through memory.
 */
const LOOP_SIZE = 3000;

/** How far a region extends. */
export type Extent =
  /** `REGION_SIZE` instructions at most. */
  | "usual"
  /** The same, but it ends where other regions begin. */
  | "gap"
  /** The same, and all of the loop around its head if that is not too large for one region. */
  | "loop";

/**
 * How a block ends. Numbers are of instructions; those that begin no block of the region are left
 * to the interpreter.
 */
export type Ending =
  | { readonly kind: "jump"; readonly to: number }
  /** The last instruction is a branch with a condition. */
  | { readonly kind: "condition"; readonly to: number; readonly next: number }
  /**
   * The last instruction is a call, of an instruction's number where it is direct; `next` is where
   * it returns to.
   */
  | { readonly kind: "call"; readonly to: number | undefined; readonly next: number }
  | { readonly kind: "return" }
  /**
   * The last instruction is an indirect branch; `targets` are where it may lead to inside of the
   * region. `table` names the table where other branches go by it as well (jump-tables.ts).
   */
  | { readonly kind: "indirect"; readonly targets: readonly number[]; readonly table: number | undefined };

/** A stretch of instructions without branches but for its end. */
export interface Block {
  /** Number of its first instruction. */
  readonly first: number;
  readonly instructions: readonly RegionInstruction[];
  readonly ending: Ending;
}

/**
 * The blocks of the region with this head, which is the first; none when the head cannot be
 * translated.
 */
export function discover(code: CodePages, head: number, extent: Extent = "usual"): Block[] {
  const most = extent === "loop" ? LOOP_SIZE : REGION_SIZE;
  const reaches = (at: number) => at >= -INSTRUCTIONS_PER_PAGE && at < 2 * INSTRUCTIONS_PER_PAGE && code.has(at);
  const tables = new JumpTables(code);
  const instructions = new Map<number, { readonly instruction: RegionInstruction; readonly ending: Ending | undefined }>();
  const leaders = new Set([head]);
  const pending = [head];
  for (let leader = pending.pop(); leader !== undefined && instructions.size < most; leader = pending.pop()) {
    for (let at = leader; !instructions.has(at) && instructions.size < most; at++) {
      const instruction = reaches(at) && code.isKnown(at) ? code.instructions.translatable(code.word(at)) : undefined;
      if (!instruction || extent === "gap" && at !== head && code.isHead(at)) break;
      const ending = endingOf(instruction, at, tables);
      // Where the next page is not known, the interpreter goes there, which counts a fetch that
      // faults.
      if ((!ending || ending.kind === "condition") && !reaches(at + 1)) break;
      instructions.set(at, { instruction, ending });
      if (!ending) continue;
      const targets = successorsOf(ending);
      for (const target of targets) leaders.add(target);
      pending.push(...targets);
      break;
    }
  }
  const blocks = [...leaders].filter((leader) => instructions.has(leader)).map((first) => {
    const block: RegionInstruction[] = [];
    let at = first, ending: Ending | undefined;
    for (let found = instructions.get(at); found && !ending && (at === first || !leaders.has(at)); found = instructions.get(++at)) {
      block.push(found.instruction);
      ending = found.ending;
    }
    return { first, instructions: block, ending: ending ?? { kind: "jump", to: at } };
  });
  if (instructions.size <= REGION_SIZE) return blocks;
  const loop = loopAround(head, blocks), near = new Set([...instructions.keys()].slice(0, REGION_SIZE));
  return blocks.flatMap((block) => loop.has(block.first) ? block : firstPart(block, near));
}

/** The first instructions of the blocks on the ways that lead from `head` back to it. */
function loopAround(head: number, blocks: readonly Block[]): ReadonlySet<number> {
  const sources = new Map<number, number[]>(blocks.map(({ first }) => [first, []]));
  for (const { first, ending } of blocks) for (const to of successorsOf(ending)) sources.get(to)?.push(first);
  const loop = new Set(sources.get(head));
  // The set grows while it is walked.
  for (const first of loop) for (const source of sources.get(first) ?? []) loop.add(source);
  return loop;
}

/** A block up to its first instruction that is not among these; nothing if that is all of it. */
function firstPart(block: Block, among: ReadonlySet<number>): Block | [] {
  const { first, instructions } = block, end = instructions.findIndex((_, i) => !among.has(first + i));
  if (end < 0) return block;
  return end ? { first, instructions: instructions.slice(0, end), ending: { kind: "jump", to: first + end } } : [];
}

/** The successors of a block that are inside the region. */
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

/** How a block ends whose last instruction this is; undefined when it is not a branch. */
function endingOf(instruction: RegionInstruction, at: number, tables: JumpTables): Ending | undefined {
  const { branch, isCall, word } = instruction;
  if (!branch) return undefined;
  const next = at + 1;
  if (branch.kind === "branchTo") {
    if (isCall) return { kind: "call", to: undefined, next };
    return isIndirectJump(instruction) ? { kind: "indirect", ...tables.targetsOf(at) } : { kind: "return" };
  }
  const to = at + numberOf(branch.offset, word) / 4;
  if (branch.condition) return { kind: "condition", to, next };
  return isCall ? { kind: "call", to, next } : { kind: "jump", to };
}
