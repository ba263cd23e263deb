// Stores that give a valid descriptor another address, with no TLBI of the old one: only the store
// itself tells. Pages of descriptors from which TLB entries were filled are watched: stores to them
// take the slow path, and what leads to the old address becomes suspect. Each TLB space has a
// budget for that, so that a guest that changes its tables all the time pays for it once. Arm ARM
// D5.10.1 (break-before-make).

import { Sctlr } from "../architecture/exceptions.ts";
import { hasEl2 } from "../state/banks.ts";
import { CPU, DataEntry, TlbSet } from "../state/cpu-state.ts";
import { TABLE_PAGES } from "../state/layout.ts";
import { pageBit, setPageBit } from "../state/page-bits.ts";
import { currentSpace, DISABLING_BIT, forEachSpace, Miss, REGIMES, TlbFlags, type TlbPoolLayout, TlbSpace } from "../state/tlb-layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { RamLayout } from "./translation.ts";
import { Stage2Entry } from "./stage2.ts";
import { noteMiss, slowEntry } from "./suspects.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Watched stores for which a space has a budget, and the price of a look at all entries. */
const BUDGET = 1024, LOOK = 16;

const DESCRIPTOR_SIZE = 8;
const VALID = 1, TABLE = 2, ADDRESS = 0x0000_ffff_ffff_f000n;
/** Bytes of a block at level 2. */
const BLOCK_SIZE = 1 << 21;

/** (descriptor i32): the page of this descriptor is watched from now on. */
const watchTable = (library: Library) => library.get("watchTable", ["i32"], []);
/** (descriptor i32, value i64): a store is about to be made in a watched page. */
export const storeDescriptor = (library: Library) => library.get("storeDescriptor", ["i32", "i64"], []);
/**
 * (space i32, first i32, mask i32, flags i32): entries that lead to Wasm addresses whose bits of
 * the mask are those of `first` become slow, with these flags.
 */
const slowTargets = (library: Library) => library.get("slowTargets", ["i32", "i32", "i32", "i32"], []);

const spent = (c: Code, space: Value) => c.load("i32.load", space, TlbSpace.TableWork);

function spend(c: Code, space: Value, work: number): void {
  c.store("i32.store", space, spent(c, space).add(work), TlbSpace.TableWork);
}

/**
 * The page of the descriptor that the latest walk has ended with is watched. A core with EL2 keeps
 * no such evidence.
 */
export function noteTable(c: Code, library: Library): void {
  if (hasEl2(library)) return;
  c.if(spent(c, currentSpace(c)).ltU(BUDGET), () => c.run(watchTable(library), c.load("i32.load", CPU.WALK_DESCRIPTOR)));
}

/** Whether stores to a page are watched. */
export function isWatchedTable(c: Code, wasmAddress: Value): Value {
  const { byte, mask } = pageBit(c, wasmAddress);
  return c.load("i32.load8_u", byte, TABLE_PAGES).and(mask).nonZero().and(spent(c, currentSpace(c)).ltU(BUDGET));
}

export function defineTableStores(library: Library, pool: TlbPoolLayout, ram: RamLayout): void {
  defineSlowTargets(new Code(library.define("slowTargets", ["i32", "i32", "i32", "i32"], [])));
  {
    const c = new Code(library.define("watchTable", ["i32"], [])), at = c.parameter(0);
    const { byte, mask } = pageBit(c, at);
    const isWatched = c.load("i32.load8_u", byte, TABLE_PAGES).and(mask);
    c.if(at.not().or(isWatched), () => c.return());
    setPageBit(c, at, TABLE_PAGES);
    const writeMapped = c.load("i32.load8_u", byte, pool.writeMapped).and(mask);
    c.if(writeMapped.not(), () => c.return());
    spend(c, currentSpace(c), LOOK);
    forEachSpace(c, pool, (space) => c.run(slowTargets(library), space, at, constant("i32", -PAGE_SIZE), constant("i32", 0)));
  }
  {
    const c = new Code(library.define("storeDescriptor", ["i32", "i64"], [])), at = c.parameter(0), value = c.parameter(1);
    const own = c.let(currentSpace(c));
    spend(c, own, 1);
    c.if(at.and(DESCRIPTOR_SIZE - 1).or(c.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.M).not()), () => c.return());
    const before = c.let(c.load("i64.load", at));
    c.if(before.and(value).wrap().and(VALID).not().or(before.xor(value).and(ADDRESS).nonZero().not()), () => c.return());
    const entry = c.let(c.call(library.get("stage2Entry", ["i64"], ["i32"]), before.and(ADDRESS)));
    const offset = c.let(entry.and(Stage2Entry.AddressMask).sub(ram.base));
    c.if(entry.and(Stage2Entry.Valid).not().or(offset.geU(ram.size)), () => c.return());
    spend(c, own, LOOK);
    const size = before.wrap().and(TABLE).select(constant("i32", PAGE_SIZE), BLOCK_SIZE);
    const mask = c.let(constant("i32", 0).sub(size)), flags = constant("i32", TlbFlags.Suspect);
    forEachSpace(c, pool, (space) => {
      c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.load("i32.load", CPU.STAGE2_ID)), () => {
        noteMiss(c, library, space, Miss.Store, value);
        c.run(slowTargets(library), space, offset.add(ram.wasmAddress), mask, flags);
      });
    });
  }
}

function defineSlowTargets(c: Code): void {
  const [space, first, mask, flags] = [0, 1, 2, 3].map((index) => c.parameter(index));
  for (let regime = 0; regime < REGIMES; regime++) {
    const set = c.let(space.add(regime * TlbSet.Size));
    for (const table of ["Read", "Write"] as const) {
      const index = c.let(constant("i32", 0));
      c.doWhile(() => {
        const entry = c.let(c.load("i64.load", set.add(index.shl(3)), TlbSet[table]));
        const isSlow = c.let(c.load("i32.load8_u", set.add(index), TlbSet[`${table}Flags`]).and(TlbFlags.Slow).nonZero());
        // An entry that matches nothing has VA[24] inverted, and a slow one as well.
        const isThere = entry.wrap().shrU(PAGE_SHIFT).xor(index).and(TlbSet.Entries / 2).nonZero().eq(isSlow);
        const page = entry.wrap().and(~DISABLING_BIT & -(1 << 24)).or(index.shl(PAGE_SHIFT));
        const target = page.add(entry.wrap().shl(DataEntry.DistanceShift));
        c.if(target.xor(first).and(mask).not().and(isThere), () => slowEntry(c, set, index, table, flags));
        c.set(index, index.add(1));
      }, () => index.ne(TlbSet.Entries));
    }
  }
}
