// Accesses of innermost loops that walk through memory: the page that such an access used last is
// kept in the CPU state, and serves without the TLB as long as the access stays in it. Translations
// do not change while a region runs, so that nothing has to be invalidated: whatever changes one
// leaves the region first. In locals they would be values that V8 merges wherever paths meet, which
// costs more than loads.
//
// The page of the stack is kept for all functions together: calls stay in it.
//
// Accesses whose addresses come from memory are likely to go to another page each time, and are not
// worth it.

import { CPU, KEPT_PAGES, KeptPage, Slot } from "../../state/cpu-state.ts";
import type { GroupMember } from "./access-groups.ts";
import type { ControlFlow } from "./control-flow.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import type { Block } from "./region.ts";
import { generalBit } from "../code/register-use.ts";

/** SP alone, in `RegisterSet.general`. */
const STACK = generalBit(Slot.SP);

/**
 * Registers that a call may leave with any value (AAPCS64 section 6.1.1), and the link register.
 */
const CORRUPTIBLE = 0x4007_ffff;

/**
 * Instructions of a region that keep the pages of their accesses: for each node the addresses of
 * the `KeptPage`s by index.
 * @param groups of each node: the first member keeps the page of all.
 */
export function accessesThatKeepPages(
  blocks: readonly Block[],
  flow: ControlFlow,
  groups: readonly ReadonlyMap<number, GroupMember>[],
): ReadonlyMap<number, ReadonlyMap<number, number>> {
  const result = new Map<number, Map<number, number>>();
  let count = 0;
  for (const body of innermostLoops(flow)) {
    const loaded = registersFromMemory(blocks, flow, body);
    for (const node of body) {
      let from = loaded.get(node) ?? 0;
      blocks[node].instructions.forEach((instruction, i) => {
        const { bases } = instruction.addresses;
        if (bases && bases !== STACK && !(bases & from) && count < KEPT_PAGES && (groups[node].get(i)?.first ?? true)) {
          let kept = result.get(node);
          if (!kept) result.set(node, kept = new Map());
          kept.set(i, CPU.KEPT_PAGES + KeptPage.Size * count++);
        }
        from = behind(instruction, from);
      });
    }
  }
  return result;
}

/** Nodes of each innermost loop. */
function innermostLoops({ loops, isLoop }: ControlFlow): number[][] {
  return loops.map((body) => [...body]).filter(([, ...others]) => !others.some((node) => isLoop[node]));
}

/**
 * The registers at the start of each node of a loop whose values may have been loaded in it, or be
 * computed from such.
 */
function registersFromMemory(blocks: readonly Block[], flow: ControlFlow, body: readonly number[]): ReadonlyMap<number, number> {
  const before = new Map(body.map((node) => [node, 0]));
  for (let changed = true; changed;) {
    changed = false;
    for (const node of body) {
      const { instructions, ending } = blocks[node];
      let from = before.get(node) ?? 0;
      for (const instruction of instructions) from = behind(instruction, from);
      if (ending.kind === "call") from |= CORRUPTIBLE;
      for (const to of flow.successors[node]) {
        const known = before.get(to);
        if (known === undefined || (known | from) === known) continue;
        before.set(to, known | from);
        changed = true;
      }
    }
  }
  return before;
}

/** The same after an instruction. */
function behind({ use: { read, written }, loads, addresses: { updates } }: RegionInstruction, from: number): number {
  let after = from & ~written.general;
  if (loads || read.general & from) after |= written.general;
  // A base that moves on.
  for (const { slot, sum } of updates) {
    const bit = generalBit(slot);
    if (sum && !(from & generalBit(sum.slot))) after &= ~bit;
  }
  return after;
}
