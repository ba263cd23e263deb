// The targets, inside of a region, of indirect branches by a table of offsets or addresses.
// The table itself is data of the guest's: so the targets are guessed from the code around, and the
// region compares the address with them each time. A guess that is wrong costs code.
//
// The branch of a switch leads to what follows it. Threaded code is what compilers make of
// interpreters with computed gotos and of some switches in loops: each piece ends in a branch of
// its own by the same table, and leads to those before it as well.

import { type Instruction, translatable } from "./instruction.ts";
import type { Code } from "./region.ts";
import { generalBit } from "./register-use.ts";

/** The known targets of an indirect branch inside of its region. */
export interface JumpTargets {
  /** Numbers of instructions, in order. */
  readonly targets: readonly number[];
  /** Names the table where other branches go by it as well; they have the same targets. */
  readonly table: number | undefined;
}

/**
 * Instructions before an indirect branch in which the load from its table is looked for, and before
 * that what makes the table's address.
 */
const LOAD_REACH = 8;
/**
 * Instructions beside an indirect branch in which its targets are looked for, and how many there
 * may be.
 */
const REACH = 384;
const TARGETS = 64;

/** Of the load: all but its target and its index. */
const TABLE_FIELDS = 0xffe0_ffe0;

const ELSEWHERE: JumpTargets = { targets: [], table: undefined };

/** The jump tables of a region. */
export class JumpTables {
  /** Of threaded code, by table. */
  readonly #threaded = new Map<number, JumpTargets>();

  constructor(readonly code: Code) {}

  /** The targets of the indirect branch at this instruction. */
  targetsOf(at: number): JumpTargets {
    const load = this.#loadBefore(at);
    if (load === undefined) return ELSEWHERE;
    const table = this.#tableOf(load), known = table === undefined ? undefined : this.#threaded.get(table);
    if (known) return known;
    const branches = table === undefined ? [] : this.#branchesBy(table, at);
    if (table === undefined || branches.length < 2) return { targets: this.#pieces(at + 1, at + REACH), table: undefined };
    // One more after the last: what ends the loop.
    const targets = this.#pieces(this.#startOf(branches[0]), branches[branches.length - 1] + 1);
    const threaded = { targets, table };
    this.#threaded.set(table, threaded);
    return threaded;
  }

  #at(index: number): Instruction | undefined {
    return this.code.has(index) && this.code.isKnown(index) ? translatable(this.code.word(index)) : undefined;
  }

  /**
   * The load from the table of an indirect branch: one with a register as its offset shortly before
   * it.
   */
  #loadBefore(branch: number): number | undefined {
    for (let i = branch - 1; i >= branch - LOAD_REACH; i--) {
      const instruction = this.#at(i);
      if (!instruction || instruction.branch) return undefined;
      if (instruction.loads && instruction.encoding.instruction.name === "LDR/STR (register)") return i;
    }
    return undefined;
  }

  /**
   * What names the table that is loaded from; undefined where its address is made just before, as
   * other branches do not go by that one.
   */
  #tableOf(load: number): number | undefined {
    const { word } = this.#at(load)!, base = generalBit(word >>> 5 & 31);
    for (let i = load; i >= load - LOAD_REACH; i--) {
      const instruction = this.#at(i);
      if (!instruction || instruction.branch) break;
      if (instruction.use.written.general & base) return undefined;
    }
    return (word & TABLE_FIELDS) >>> 0;
  }

  /** The indirect branches by a table around one of them. */
  #branchesBy(table: number, around: number): number[] {
    const branches: number[] = [];
    for (let i = around - REACH; i <= around + REACH; i++) {
      const instruction = this.#at(i);
      if (!instruction || !isIndirectJump(instruction)) continue;
      const load = this.#loadBefore(i);
      if (load !== undefined && this.#tableOf(load) === table) branches.push(i);
    }
    return branches;
  }

  /** The start of the straight code that leads to an instruction. */
  #startOf(at: number): number {
    let start = at;
    for (let before = this.#at(start - 1); before && !goesElsewhere(before) && at - start < REACH; before = this.#at(start - 1)) start--;
    return start;
  }

  /**
   * What has been executed from one instruction to another and follows code that goes elsewhere.
   */
  #pieces(first: number, last: number): number[] {
    const pieces: number[] = [];
    let starts = true;
    for (let i = first; i <= last && pieces.length < TARGETS && this.code.has(i); i++) {
      const instruction = this.#at(i);
      if (starts && instruction) pieces.push(i);
      starts = !instruction || goesElsewhere(instruction);
    }
    return pieces;
  }
}

/** Shape field opc of BR/BLR/RET. */
const RET = 2;

/** Whether it is BR: an indirect branch that neither calls nor returns. */
export function isIndirectJump({ branch, isCall, encoding }: Instruction): boolean {
  return branch?.kind === "branchTo" && !isCall && encoding.shape.opc !== RET;
}

/** Whether what follows is reached from elsewhere. */
function goesElsewhere({ branch, isCall }: Instruction): boolean {
  return branch !== undefined && !isCall && !(branch.kind === "branch" && branch.condition);
}
