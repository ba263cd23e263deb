// The signature of some regions: all that the bytes of their module follow from, as words. Modules
// are kept by it, and made again from it alone by benches.

import type { Instructions, RegionInstruction } from "../code/instruction.ts";
import { INSTRUCTIONS_PER_PAGE } from "../../state/layout.ts";
import type { ImportedMemory } from "../../wasm/module.ts";
import { hasWideMultiplication } from "../../wasm/wide-multiplication.ts";
import { hasFusedMultiplyAdd } from "./fused-multiply-add.ts";
import type { Block, Ending } from "../regions/region.ts";

/** A draft as its module has it. */
export interface RegionPart {
  readonly blocks: readonly Block[];
  /** Pages other than that of instruction 0, counted from it. */
  readonly neighbors: readonly number[];
  /** Parts of the module that it calls, by the number of their heads here. */
  readonly callees: ReadonlyMap<number, number>;
}

/** Pages of a region other than that of instruction 0, counted from it. */
export function neighborsOf(blocks: readonly Block[]): number[] {
  const offsets = new Set<number>();
  for (const { first, instructions } of blocks) {
    for (const at of [first, first + instructions.length - 1]) offsets.add(Math.floor(at / INSTRUCTIONS_PER_PAGE));
  }
  offsets.delete(0);
  return [...offsets];
}

const ENDINGS = ["jump", "condition", "call", "return", "indirect"] as const;

/** Stands for what is undefined: numbers of instructions are far smaller. */
const NONE = 0x7fff_ffff;

/** Index of the number of parts; the memory and the operations of this computer are before it. */
const PARTS_AT = 2;

/** All that the bytes of a module follow from, besides the program itself. */
export type CodeSignature = Int32Array<ArrayBuffer>;

export function signatureOf({ minimum }: ImportedMemory, parts: readonly RegionPart[]): CodeSignature {
  const operations = (hasFusedMultiplyAdd() ? 1 : 0) | (hasWideMultiplication() ? 2 : 0);
  const out = [minimum, operations, parts.length];
  for (const { blocks, callees } of parts) {
    out.push(blocks.length);
    for (const { first, instructions, ending } of blocks) {
      out.push(first, instructions.length, ENDINGS.indexOf(ending.kind));
      for (const { word } of instructions) out.push(word);
      switch (ending.kind) {
        case "jump":
          out.push(ending.to);
          break;
        case "condition":
        case "call":
          out.push(ending.to ?? NONE, ending.next);
          break;
        case "indirect":
          out.push(ending.table === undefined ? 0 : 1, ending.table ?? 0, ending.targets.length, ...ending.targets);
          break;
      }
    }
    out.push(callees.size);
    for (const [at, part] of callees) out.push(at, part);
  }
  return Int32Array.from(out);
}

/**
 * The parts that a signature was made of; all of their instructions are translated. Words after the
 * last part, which say what CPU it is of, are not read.
 */
export function partsFrom(signature: CodeSignature, instructions: Instructions): RegionPart[] {
  let at = PARTS_AT;
  const next = () => signature[at++], list = <T>(read: () => T) => Array.from({ length: next() }, read);
  const instruction = (): RegionInstruction => {
    const found = instructions.translatable(next());
    if (!found) throw new Error(`word ${at} of a signature is not translated`);
    return found;
  };
  const ending = (kind: typeof ENDINGS[number]): Ending => {
    switch (kind) {
      case "jump":
        return { kind, to: next() };
      case "condition":
        return { kind, to: next(), next: next() };
      case "call": {
        const to = next();
        return { kind, to: to === NONE ? undefined : to, next: next() };
      }
      case "return":
        return { kind };
      case "indirect": {
        const hasTable = next() === 1, table = next();
        return { kind, table: hasTable ? table : undefined, targets: list(next) };
      }
    }
  };
  return list((): RegionPart => {
    const blocks = list((): Block => {
      const first = next(), count = next(), kind = ENDINGS[next()];
      const instructions = Array.from({ length: count }, instruction);
      return { first, instructions, ending: ending(kind) };
    });
    const callees = new Map(list((): [number, number] => [next(), next()]));
    return { blocks, neighbors: neighborsOf(blocks), callees };
  });
}
