// The targets, inside a region, of indirect branches by a table of offsets or addresses. The table
// is guest data and may change, so targets are guessed from the surrounding code, and the region
// compares the address with them each time. A wrong guess only costs code size.
//
// The branch of a switch leads to the code after it. Compilers turn interpreters with computed
// gotos, and some switches in loops, into threaded code: each piece ends in its own branch by the
// same table, which also leads to pieces before it.

import type { RegionInstruction } from "./instruction.ts";
import type { CodePages } from "./code.ts";
import { generalBit } from "./register-use.ts";

/** The known targets of an indirect branch inside of its region. */
interface JumpTargets {
  /** Numbers of instructions, in order. */
  readonly targets: readonly number[];
  /** Names the table where other branches go by it as well; they have the same targets. */
  readonly table: number | undefined;
}

/**
 * How many instructions before an indirect branch are searched for the load from its table, and
 * before that for the computation of the table's address.
 */
const LOAD_REACH = 8;
/**
 * How many instructions around an indirect branch are searched for its targets, and how many
 * targets it may have.
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
  /** Tables of indirect branches, by their indexes; undefined for a branch without one. */
  readonly #tables = new Map<number, number | undefined>();

  constructor(readonly code: CodePages) {}

  /** The targets of the indirect branch at this instruction. */
  targetsOf(at: number): JumpTargets {
    const load = this.#loadBefore(at);
    if (load === undefined) return ELSEWHERE;
    const table = this.#tableOf(load), known = table === undefined ? undefined : this.#threaded.get(table);
    if (known) return known;
    const branches = table === undefined ? [] : this.#branchesBy(table, at);
    if (table === undefined || branches.length < 2) return { targets: this.#pieces(at + 1, at + REACH), table: undefined };
    // One more after the last: the exit of the loop.
    const targets = this.#pieces(this.#startOf(branches[0]), branches[branches.length - 1] + 1);
    const threaded = { targets, table };
    this.#threaded.set(table, threaded);
    return threaded;
  }

  #at(index: number): RegionInstruction | undefined {
    return this.code.has(index) && this.code.isKnown(index) ? this.code.instructions.translatable(this.code.word(index)) : undefined;
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
   * The expression that names the table; undefined if its address is computed just before, since
   * other branches do not use that table.
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
      if (this.#tableAt(i) === table) branches.push(i);
    }
    return branches;
  }

  /** The table of an indirect branch. Each branch around it asks for it. */
  #tableAt(index: number): number | undefined {
    if (this.#tables.has(index)) return this.#tables.get(index);
    const instruction = this.#at(index), load = instruction && isIndirectJump(instruction) ? this.#loadBefore(index) : undefined;
    const table = load === undefined ? undefined : this.#tableOf(load);
    this.#tables.set(index, table);
    return table;
  }

  /** The start of the straight code that leads to an instruction. */
  #startOf(at: number): number {
    let start = at;
    for (let before = this.#at(start - 1); before && !goesElsewhere(before) && at - start < REACH; before = this.#at(start - 1)) start--;
    return start;
  }

  /**
   * Pieces between two instructions that have been executed and follow code that branches
   * elsewhere.
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
export function isIndirectJump({ branch, isCall, encoding }: RegionInstruction): boolean {
  return branch?.kind === "branchTo" && !isCall && encoding.shape.opc !== RET;
}

/** Whether what follows is reached from elsewhere. */
function goesElsewhere({ branch, isCall }: RegionInstruction): boolean {
  return branch !== undefined && !isCall && !(branch.kind === "branch" && branch.condition);
}
