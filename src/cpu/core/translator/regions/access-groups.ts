// Loads and stores of a block that go to neighboring addresses, such as the fields of a structure
// or the slots of a stack frame: one compare with the TLB serves all of them. docs/design/core.md
// §T2 ("one TLB check for several accesses off the same base").

import { SP_ALIGNMENT } from "../../architecture/exceptions.ts";
import { Slot, SPLIT_GROUPS } from "../../state/cpu-state.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import { generalBit } from "../code/register-use.ts";

/** Bytes that a group may span: accesses further apart would often be in two pages. */
const LONGEST_SPAN = 256;

/** Accesses with one compare. */
interface AccessGroup {
  /**
   * Bytes from the first one, which is a multiple of `alignment` where all are aligned, to the end
   * of the last.
   */
  readonly span: number;
  readonly alignment: number;
  readonly write: boolean;
  /**
   * Nothing is stored between its first and its last access: a copy of its bytes serves where they
   * are in two pages.
   */
  readonly copied: boolean;
  /** Where its accesses to two neighbors have their seams: see `readableGroupAt`. */
  readonly seams: number;
  /** Its `SplitGroup`, which no other group has between its first and its last access. */
  readonly split: number;
}

/** An access in its group. */
export interface GroupMember {
  readonly group: AccessGroup;
  /** Its bytes in the group's span. */
  readonly offset: number;
  /** It is the first in the block. */
  readonly first: boolean;
}

/** An access of a block, at a distance from what is the same for all with this `base`. */
interface Candidate {
  readonly index: number;
  readonly base: number;
  readonly offset: number;
  readonly size: number;
  readonly count: number;
  readonly end: number;
  readonly write: boolean;
}

/** Candidates for one group, with the least and the greatest of what they are. */
interface OpenGroup {
  readonly candidates: Candidate[];
  /** The largest size, and the offset of the first with that. */
  alignment: number;
  anchor: number;
  low: number;
  end: number;
  /** Something may have been stored since its first access. */
  stored: boolean;
}

/** Where a group begins: at `low` or before, a multiple of `alignment` before `anchor`. */
const beginOf = (anchor: number, low: number, alignment: number): number => anchor - Math.ceil((anchor - low) / alignment) * alignment;

/** Adds a candidate where one compare can serve all of them; false if it cannot. */
function joins(group: OpenGroup, candidate: Candidate): boolean {
  const { size, offset } = candidate;
  const larger = size > group.alignment;
  const alignment = larger ? size : group.alignment, anchor = larger ? offset : group.anchor;
  if ((offset - anchor) % size !== 0) return false;
  if (larger && !group.candidates.every((other) => (other.offset - anchor) % other.size === 0)) return false;
  const low = Math.min(group.low, offset), end = Math.max(group.end, candidate.end);
  if (end - beginOf(anchor, low, alignment) > LONGEST_SPAN) return false;
  group.candidates.push(candidate);
  group.alignment = alignment;
  group.anchor = anchor;
  group.low = low;
  group.end = end;
  return true;
}

/** The seams of accesses, as `AccessGroup` has them, of which the first begins at `begin`. */
function seamsOf(candidates: readonly Candidate[], begin: number): number {
  let seams = 0;
  for (const { offset, size, count } of candidates) {
    if (count < 2) continue;
    const seam = offset - begin + size;
    if (seam % SEAM_UNIT) return -1;
    seams |= 1 << seam / SEAM_UNIT;
  }
  return seams;
}

/** Bytes for which `AccessGroup.seams` has a bit. */
const SEAM_UNIT = 8;

const NO_GROUPS: ReadonlyMap<number, GroupMember> = new Map();

/** Used by `accessGroups` alone, once per block. */
const BASES = new Int32Array(Slot.Dump + 1), OFFSETS = new Float64Array(Slot.Dump + 1);
/** Of the registers that one instruction writes. */
const NEW_BASES = new Int32Array(Slot.Dump + 1), NEW_OFFSETS = new Float64Array(Slot.Dump + 1);

/** Groups of two and more in a block, by the indices of its instructions. */
export function accessGroups(instructions: readonly RegionInstruction[]): ReadonlyMap<number, GroupMember> {
  let accesses = 0;
  for (const { addresses } of instructions) if (addresses.access) accesses++;
  if (accesses < 2) return NO_GROUPS;
  // Per general register: the part that all registers with this base share, and the distance from
  // it.
  const bases = BASES, offsets = OFFSETS;
  let nextBase = bases.length;
  for (let slot = 0; slot < bases.length; slot++) bases[slot] = slot;
  offsets.fill(0);
  const members = new Map<number, GroupMember>(), open = new Map<number, OpenGroup>();
  /** The latest instruction that may store. */
  let lastStore = -1;
  // By `SplitGroup`: the instruction with the last access of the group that has it.
  const splits: number[] = new Array(SPLIT_GROUPS).fill(-1);
  const close = ({ candidates, alignment, anchor, low, end, stored }: OpenGroup) => {
    if (candidates.length < 2) return;
    const split = splits.findIndex((last) => last < candidates[0].index);
    if (split < 0) return;
    splits[split] = candidates[candidates.length - 1].index;
    const begin = beginOf(anchor, low, alignment), seams = seamsOf(candidates, begin);
    const group = { span: end - begin, alignment, write: candidates.some(({ write }) => write), copied: !stored, seams, split };
    candidates.forEach(({ index, offset }, i) => members.set(index, { group, offset: offset - begin, first: i === 0 }));
  };
  for (let index = 0; index < instructions.length; index++) {
    const { addresses: { access, updates }, use: { written }, stores } = instructions[index];
    if (access) {
      const base = bases[access.slot], { size, count, write } = access, offset = offsets[access.slot] + access.offset;
      const candidate = { index, base, offset, size, count, end: offset + count * size, write };
      const before = open.get(base);
      if (!before || !joins(before, candidate)) {
        if (before) close(before);
        open.set(base, { candidates: [candidate], alignment: size, anchor: offset, low: offset, end: candidate.end, stored: stores });
      } else before.stored ||= stores || lastStore >= before.candidates[0].index;
    }
    if (stores) lastStore = index;
    // All sums are of the values before the instruction.
    for (let i = 0; i < updates.length; i++) {
      const { sum } = updates[i];
      NEW_BASES[i] = sum ? bases[sum.slot] : nextBase++;
      NEW_OFFSETS[i] = sum ? offsets[sum.slot] + sum.offset : 0;
    }
    for (let rest = written.general; rest; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest), slot = bit === 31 ? Slot.SP : bit;
      bases[slot] = nextBase++;
      offsets[slot] = 0;
    }
    for (let i = 0; i < updates.length; i++) {
      bases[updates[i].slot] = NEW_BASES[i];
      offsets[updates[i].slot] = NEW_OFFSETS[i];
    }
  }
  for (const group of open.values()) close(group);
  return members;
}

/** Whether SP is as aligned after an instruction as it was before. */
export function keepsStackAlignment({ addresses: { updates }, use }: RegionInstruction): boolean {
  if (!(use.written.general & generalBit(Slot.SP))) return true;
  const sum = updates.find(({ slot }) => slot === Slot.SP)?.sum;
  return sum?.slot === Slot.SP && sum.offset % SP_ALIGNMENT === 0;
}
