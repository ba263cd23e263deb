// TLB entries that a guest's invalidation was perhaps meant for but did not reach: it was for one
// CPU only, for another ASID, or its operand was not a page number; or there was none at all
// (table-stores.ts). The next use of such a suspect compares it with the tables; if they no longer
// hold it, the use is kept as evidence. Correct invalidations make no suspects, so this costs them
// nothing. Arm ARM D5.9, C5.5.

import { Sctlr } from "../architecture/exceptions.ts";
import { CPU, DataEntry, TlbSet } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { currentSpace, dataFlagsOffset, DISABLING_BIT, Miss, REGIMES, TlbFlags, TlbSpace } from "../state/tlb-layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { mmuFunction } from "./mmu.ts";
import { AccessKind } from "./translation.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** How often all entries of a space may become suspects. */
const MISSES = 16;

/**
 * (va i64, access i32, Wasm address i32) -> i32: the first use of a suspect that leads there: 1
 * if it serves the access nevertheless, 0 if the tables do.
 */
export const useSuspect = (library: Library): FunctionBuilder => library.get("useSuspect", ["i64", "i32", "i32"], ["i32"]);

/** (space i32): all its data entries become suspects. */
const suspectSpace = (library: Library) => library.get("suspectSpace", ["i32"], []);
/** (space i32, va i64, flags i32) -> i32: those of a page that have these flags; how many. */
const suspectPage = (library: Library) => library.get("suspectPage", ["i32", "i64", "i32"], ["i32"]);

/** Gives the entry `index` of a table, which is known to be valid, these flags and `Slow`. */
export function slowEntry(c: Code, set: Value, index: Value, table: "Read" | "Write", flags: Value = constant("i32", 0)): void {
  const at = c.let(set.add(index.shl(3))), flagsAt = c.let(set.add(index)), offset = TlbSet[`${table}Flags`];
  const before = c.let(c.load("i32.load8_u", flagsAt, offset));
  const isSlow = before.and(TlbFlags.Slow);
  c.if(isSlow.not(), () => c.store("i64.store", at, c.load("i64.load", at, TlbSet[table]).xor(DISABLING_BIT), TlbSet[table]));
  c.store("i32.store8", flagsAt, before.or(flags).or(TlbFlags.Slow), offset);
}

/** An entry's value as if it were not slow. */
function plainEntry(c: Code, set: Value, index: Value, table: "Read" | "Write"): Value {
  const flags = c.load("i32.load8_u", set.add(index), TlbSet[`${table}Flags`]);
  const inverted = flags.and(TlbFlags.Slow).nonZero().select(constant("i64", DISABLING_BIT), 0);
  return c.let(c.load("i64.load", set.add(index.shl(3)), TlbSet[table]).xor(inverted));
}

/** Whether an entry is of the page of `va`, whose top byte may be a tag. */
export const isOfPage = (c: Code, set: Value, index: Value, table: "Read" | "Write", va: Value): Value =>
  plainEntry(c, set, index, table).xor(va).and(DataEntry.TagMask).shl(8).not();

/** @param used the import that takes note of the first use of a stale translation by a vCPU */
export function defineSuspects(library: Library, used: number): void {
  {
    const c = new Code(library.define("suspectSpace", ["i32"], [])), space = c.parameter(0);
    // A kernel may do this at each switch of its tasks.
    const times = c.let(c.load("i32.load", space, TlbSpace.Misses));
    c.if(times.geU(MISSES), () => c.return());
    c.store("i32.store", space, times.add(1), TlbSpace.Misses);
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = c.let(space.add(regime * TlbSet.Size));
      for (const table of ["Read", "Write"] as const) {
        const index = c.let(constant("i32", 0));
        c.doWhile(() => {
          const bit = plainEntry(c, set, index, table).shrU(24).wrap().and(1);
          c.if(bit.eq(index.divU(TlbSet.Entries / 2)), () => slowEntry(c, set, index, table, constant("i32", TlbFlags.Suspect)));
          c.set(index, index.add(1));
        }, () => index.ne(TlbSet.Entries));
      }
    }
  }
  {
    const c = new Code(library.define("suspectPage", ["i32", "i64", "i32"], ["i32"]));
    const va = c.parameter(1), index = c.let(dataFlagsOffset(va)), count = c.let(constant("i32", 0));
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = c.let(c.parameter(0).add(regime * TlbSet.Size));
      for (const table of ["Read", "Write"] as const) {
        const flags = c.load("i32.load8_u", set.add(index), TlbSet[`${table}Flags`]);
        c.if(isOfPage(c, set, index, table, va).and(flags.and(c.parameter(2)).eq(c.parameter(2))), () => {
          slowEntry(c, set, index, table, constant("i32", TlbFlags.Suspect));
          c.set(count, count.add(1));
        });
      }
    }
    c.result(count);
  }
  defineUse(library, used);
}

function defineUse(library: Library, used: number): void {
  const c = new Code(library.define("useSuspect", ["i64", "i32", "i32"], ["i32"]));
  const va = c.parameter(0), space = c.let(currentSpace(c)), miss = c.let(c.load("i32.load", space, TlbSpace.Miss));
  const now = c.call(mmuFunction(library, "translate"), va, c.parameter(1).or(AccessKind.Observe));
  c.if(now.eq(c.parameter(2)), () => c.return(constant("i32", 1)));
  // A TLBI has followed the store, or the guest has broken the entry meanwhile.
  const isSettled = c.let(miss.not().or(miss.eq(Miss.Store).and(now.not())));
  c.if(isSettled, () => c.return(constant("i32", 1)));
  c.if(c.load("i32.load", CPU.STALE).not(), () => {
    c.store("i32.store", CPU.STALE, miss);
    c.store("i64.store", CPU.STALE_VA, va);
    c.store("i64.store", CPU.STALE_PC, c.call(callee(library, "currentPc")));
    c.store("i64.store", CPU.STALE_TLBI_PC, c.load("i64.load", space, TlbSpace.MissPc));
    c.store("i64.store", CPU.STALE_TLBI_OPERAND, c.load("i64.load", space, TlbSpace.MissOperand));
    c.store("i64.store", CPU.STALE_TLBI_CPU, c.load("i64.load", space, TlbSpace.MissCpu));
    c.f.call(used);
  });
  // A TLB may drop more than it has to. The old entry is used only where the TLB cannot know.
  c.result(miss.eq(Miss.Cpu).or(miss.eq(Miss.Store)));
}

/** Notes the instruction that makes entries of a space suspect. */
export function noteMiss(c: Code, library: Library, space: Value, miss: number, operand: Value): void {
  c.store("i32.store", space, constant("i32", miss), TlbSpace.Miss);
  c.store("i64.store", space, c.call(callee(library, "currentPc")), TlbSpace.MissPc);
  c.store("i64.store", space, operand, TlbSpace.MissOperand);
  c.store("i64.store", space, c.load("i64.load", CPU.MPIDR_EL1), TlbSpace.MissCpu);
}

/** The suspects of an invalidation in progress. */
export class Suspicion {
  readonly #isOn: Value;

  constructor(readonly c: Code, readonly library: Library, readonly operand: Value) {
    // Before its MMU is on, a CPU prepares its own TLB.
    this.#isOn = c.let(c.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.M));
  }

  /**
   * A CPU invalidates by itself what it has used after another CPU's invalidation, as one does at
   * an interprocessor interrupt. The other CPU cannot rely on its invalidation before that, so the
   * use that was kept is not evidence, unless it is for good.
   */
  settle(isPage: Value, page: Value): void {
    const { c } = this, stale = c.let(c.load("i32.load", CPU.STALE));
    c.if(stale.eq(Miss.Cpu).or(stale.eq(Miss.Store)), () => {
      const differs = page.xor(c.load("i64.load", CPU.STALE_VA)).shl(8).shrU(8 + PAGE_SHIFT).nonZero();
      c.if(isPage.and(differs).not(), () => c.store("i32.store", CPU.STALE, constant("i32", 0)));
    });
  }

  /** An invalidation reaches a space: what a store has changed before may be what it is for. */
  reaches(space: Value): void {
    const { c } = this;
    c.if(
      c.load("i32.load", space, TlbSpace.Miss).eq(Miss.Store),
      () => c.store("i32.store", space, constant("i32", Miss.None), TlbSpace.Miss),
    );
  }

  /** Entries of another CPU, which the invalidation does not reach: those of a page, or all. */
  ofOther(space: Value, isPage: Value, va: Value): void {
    const { c, library } = this;
    c.if(this.#isOn.nonZero(), () => {
      this.#note(space, Miss.Cpu);
      c.if(isPage, () => c.drop(c.call(suspectPage(library), space, va, 0)), () => c.run(suspectSpace(library), space));
    });
  }

  /** Entries of a page that are of another ASID. */
  ofAsid(space: Value, va: Value): void {
    this.#note(space, Miss.Asid);
    this.c.drop(this.c.call(suspectPage(this.library), space, va, TlbFlags.NonGlobal));
  }

  /** Whether there are entries of a page whose address is the operand, perhaps not shifted. */
  areUnshifted(space: Value): Value {
    const { c, library, operand } = this, found = c.let(constant("i32", 0));
    c.if(this.#isOn.nonZero().and(operand.wrap().and(PAGE_SIZE - 1).not()), () => {
      c.set(found, c.call(suspectPage(library), space, operand.shl(16).shrS(16), 0));
      c.if(found, () => this.#note(space, Miss.Address));
    });
    return found;
  }

  #note(space: Value, miss: number): void {
    noteMiss(this.c, this.library, space, miss, this.operand);
  }
}
