// How the soft TLBs are filled and what invalidates them: functions of the core's Wasm module. Arm
// ARM D5.9 (TLB maintenance).

import type { FeatureName } from "../../isa/cpus/features.ts";
import { type Granule, granulesOf, Tcr } from "../architecture/translation-control.ts";
import { CPU, DataEntry, FetchEntry, TlbSet } from "../state/cpu-state.ts";
import { hasEl2 } from "../state/banks.ts";
import { callee, define as defineFunction } from "../state/functions.ts";
import { pageBit, setPageBit } from "../state/page-bits.ts";
import {
  BLOCK_FILTER_BITS,
  currentSpace,
  dataEntryOffset,
  dataFlagsOffset,
  DISABLING_BIT,
  EMPTY_DATA,
  fetchEntryOffset,
  forEachSpace,
  ListKind,
  REGIMES,
  TlbFlags,
  type TlbPoolLayout,
  TlbSpace,
  UNKNOWN_ASID,
} from "../state/tlb-layout.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import { granuleShift } from "./granules.ts";
import { isOfPage, slowEntry, Suspicion } from "./suspects.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Pages of a 2 MiB block. */
const BLOCK_PAGES = 512;

/** Functions that other parts of the core call by name, with `tlbFunction`. */
const TLB_FUNCTIONS = {
  /**
   * (set i32, va i64, distance i32, flags i32, write i32): fills an entry of Read or Write in a set
   * of the current space.
   */
  tlbFillData: [["i32", "i64", "i32", "i32", "i32"], []],
  /**
   * (entry i32, va i64, decoded page i32, flags i32): fills an entry of Fetch in the
   * current space; `entry` is its address.
   */
  tlbFillFetch: [["i32", "i64", "i32", "i32"], []],
  /** (space i32): drops everything. */
  tlbFlushSpace: [["i32"], []],
  /** (): drops everything in every space. */
  tlbFlushAll: [[], []],
  /** (space i32): drops the non-global translations. */
  tlbFlushNonGlobal: [["i32"], []],
  /** (space i32, va i64): drops the page at VA[55:12], and the block that it came from. */
  tlbFlushPage: [["i32", "i64"], []],
  /**
   * (space i32, va i64, flags i32): the same, but no data entries of other pages, and none with
   * these flags.
   */
  tlbFlushExactly: [["i32", "i64", "i32"], []],
  /**
   * (decoded page i32): drops instruction fetches in every space that lead to this decoded page.
   */
  tlbForgetDecoded: [["i32"], []],
  /** (stage2 id i32): drops everything in all spaces with these tables. */
  tlbFlushStage2: [["i32"], []],
  /**
   * (stage2 id i32, from i32, to i32): drops what leads to Wasm addresses [from, to), in all spaces
   * with these tables.
   */
  tlbFlushTargets: [["i32", "i32", "i32"], []],
  /** (): the next write through each entry takes the slow path. */
  tlbSlowWrites: [[], []],
  /** (kind i32, operand i64, broadcast i32): TLBI. See `Tlbi`. */
  tlbi: [["i32", "i64", "i32"], []],
} as const satisfies Record<string, readonly [readonly ValueType[], readonly ValueType[]]>;

/** A function of `TLB_FUNCTIONS`. */
type TlbFunction = keyof typeof TLB_FUNCTIONS;

/** First argument of `tlbi`: the kind of entries to drop, in the distinctions that matter here. */
export const Tlbi = {
  /** VMALLE1, VMALLE1IS. */
  All: 0,
  /** ASIDE1, ASIDE1IS. */
  Asid: 1,
  /** VAE1, VALE1 and their IS forms. */
  Page: 2,
  /** RVAE1 and its forms (FEAT_TLBIRANGE). */
  Range: 3,
  /** VAAE1, VAALE1 and their IS forms. */
  PageOfAll: 4,
} as const;

const EXPORTED: readonly TlbFunction[] = [
  "tlbFlushSpace",
  "tlbFlushAll",
  "tlbFlushNonGlobal",
  "tlbFlushStage2",
  "tlbFlushTargets",
  "tlbForgetDecoded",
  "tlbSlowWrites",
  "tlbi",
];

/** Declares, or finds, one of `TLB_FUNCTIONS`. */
export function tlbFunction(library: Library, name: TlbFunction): FunctionBuilder {
  const [parameters, results] = TLB_FUNCTIONS[name];
  return library.get(name, parameters, results);
}

/** The page at this Wasm address gets a write entry. */
export function markWriteMapped(c: Code, wasmAddress: Value, pool: TlbPoolLayout): void {
  setPageBit(c, wasmAddress, pool.writeMapped);
}

/** Gives every function of `TLB_FUNCTIONS`, and `protectCodePage` of the seam, its body. */
export function defineTlb(library: Library, pool: TlbPoolLayout, features: ReadonlySet<FeatureName>): void {
  defineFills(library, pool, features);
  defineFlushes(library, pool);
  definePageFlush(library);
  defineExactFlush(library);
  defineTargetFlushes(library, pool);
  defineCodePages(library, pool);
  defineSlowWrites(library, pool);
  if (hasEl2(library)) defineLevelMaintenance(library, pool, features);
  else defineMaintenance(library, pool, features);
}

function define(library: Library, name: TlbFunction, body: (c: Code) => void): void {
  const [parameters, results] = TLB_FUNCTIONS[name];
  body(new Code(library.define(name, parameters, results, EXPORTED.includes(name))));
}

/** Entries that the slow path has found. */
function defineFills(library: Library, pool: TlbPoolLayout, features: ReadonlySet<FeatureName>): void {
  const hasVast = features.has("FEAT_LPA2");
  define(library, "tlbFillData", (c) => {
    const set = c.parameter(0), va = c.parameter(1), distance = c.parameter(2), flags = c.parameter(3), write = c.parameter(4);
    noteBlock(c, va, flags, pool, hasVast);
    const entry = c.let(set.add(dataEntryOffset(va)).add(write.mul(TlbSet.Write - TlbSet.Read)));
    const flagsAt = c.let(set.add(dataFlagsOffset(va)).add(write.mul(TlbSet.WriteFlags - TlbSet.ReadFlags)));
    const regime = set.sub(currentSpace(c)).divU(TlbSet.Size);
    const kind = regime.add(write.mul(ListKind.Write - ListKind.Read)).add(ListKind.Read);
    const old = c.load("i32.load8_u", flagsAt, TlbSet.ReadFlags);
    c.store("i32.store8", flagsAt, list(c, entry.or(kind), flags, old), TlbSet.ReadFlags);
    const value = va.and(DataEntry.TagMask).or(distance.shrU(DataEntry.DistanceShift).and(~DataEntry.TagMask & -16).wide());
    c.store("i64.store", entry, value.xor(flags.and(TlbFlags.Slow).select(constant("i64", DISABLING_BIT), 0)));
  });

  define(library, "tlbFillFetch", (c) => {
    const entry = c.parameter(0), va = c.parameter(1), decoded = c.parameter(2), flags = c.parameter(3);
    noteBlock(c, va, flags, pool, hasVast);
    c.store("i32.store", entry, list(c, entry, flags, c.load("i32.load", entry, FetchEntry.Flags)), FetchEntry.Flags);
    c.store("i64.store", entry, va.and(-PAGE_SIZE), FetchEntry.Tag);
    c.store("i32.store", entry, decoded, FetchEntry.Decoded);
  });
}

/** Functions that drop entries of one space, or of all. */
function defineFlushes(library: Library, pool: TlbPoolLayout): void {
  define(library, "tlbFlushSpace", (c) => {
    const space = c.parameter(0);
    const fill = (from: number, bytes: number, value: number) => {
      space.add(from).emit(c.f);
      c.f.i32(value).i32(bytes).memoryFill();
    };
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = regime * TlbSet.Size;
      for (const { from, bytes, value } of EMPTY_DATA) fill(set + from, bytes, value);
      fill(set + TlbSet.Fetch, TlbSet.ReadFlags - TlbSet.Fetch, 0xff);
      fill(set + TlbSet.ReadFlags, TlbSet.Size - TlbSet.ReadFlags, TlbFlags.Unlisted);
    }
    fill(TlbSpace.BlockFilter, BLOCK_FILTER_BITS / 8, 0);
    noteDropped(c);
    c.store("i32.store", space, constant("i32", 0), TlbSpace.ListLength);
    c.store("i32.store", space, constant("i32", 0), TlbSpace.GiantFilter);
    c.store("i32.store", space, constant("i32", 0), TlbSpace.HasDevice);
    c.if(space.eq(currentSpace(c)), () => c.store("i32.store", CPU.ATOMICS_TLB, constant("i32", 0)));
    c.store("i32.store", space, constant("i32", UNKNOWN_ASID), TlbSpace.Asid);
  });

  define(library, "tlbFlushAll", (c) => forEachSpace(c, pool, (space) => c.run(tlbFunction(library, "tlbFlushSpace"), space)));

  define(library, "tlbFlushNonGlobal", (c) => {
    const space = c.parameter(0);
    noteDropped(c);
    const at = c.let(space);
    const last = c.let(space.add(c.load("i32.load", space, TlbSpace.ListLength).shl(2)));
    c.while(() => at.ne(last), () => {
      const item = c.let(c.load("i32.load", at, TlbSpace.List));
      const kind = c.let(item.and(ListKind.Mask)), entry = c.let(item.and(~ListKind.Mask));
      c.if(kind.eq(ListKind.Fetch), () => {
        invalidateFetch(c, entry);
        c.store("i32.store", entry, constant("i32", -1), FetchEntry.Flags);
      }, () => {
        const write = c.let(kind.geU(ListKind.Write));
        const regime = kind.sub(ListKind.Read).sub(write.mul(ListKind.Write - ListKind.Read));
        const set = c.let(space.add(regime.mul(TlbSet.Size)));
        const index = c.let(entry.sub(set).sub(write.mul(TlbSet.Write - TlbSet.Read)).shrU(3));
        c.store("i64.store", entry, index.and(TlbSet.Entries / 2).nonZero().wide().sub(1));
        const flags = set.add(index).add(write.mul(TlbSet.WriteFlags - TlbSet.ReadFlags));
        c.store("i32.store8", flags, constant("i32", TlbFlags.Unlisted), TlbSet.ReadFlags);
      });
      c.set(at, at.add(4));
    });
    c.store("i32.store", space, constant("i32", 0), TlbSpace.ListLength);
  });
}

/** Functions that drop entries of a page, or of its block. */
function definePageFlush(library: Library): void {
  define(library, "tlbFlushPage", (c) => {
    const space = c.parameter(0), va = c.parameter(1);
    noteDropped(c);
    c.if(c.load("i32.load", space, TlbSpace.GiantFilter).and(giantBit(va)), () => {
      c.run(tlbFunction(library, "tlbFlushSpace"), space);
      c.return();
    });
    const index = c.let(dataFlagsOffset(va));
    const fetch = c.let(space.add(fetchEntryOffset(va)));
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = space.add(regime * TlbSet.Size);
      for (const table of ["Read", "Write"] as const) invalidateData(c, set, index, table);
      invalidateFetch(c, fetch.add(regime * TlbSet.Size + TlbSet.Fetch));
    }
    const hash = blockHash(c, va);
    c.if(c.load("i32.load", blockWord(space, hash), TlbSpace.BlockFilter).and(bit(hash)), () => {
      const inBlock = (other: Value) => other.xor(va).shl(8).shrU(8 + 21).not();
      for (let regime = 0; regime < REGIMES; regime++) {
        const set = c.let(space.add(regime * TlbSet.Size));
        for (const table of ["Read", "Write"] as const) {
          // A block's pages have places in a row.
          const first = index.and(-BLOCK_PAGES);
          forEachData(
            c,
            set,
            TlbSet[table],
            (_, page, at) => c.if(inBlock(page), () => invalidateData(c, set, at, table)),
            first,
            BLOCK_PAGES,
          );
        }
        forEachFetch(
          c,
          set,
          (entry) => c.if(inBlock(c.load("i64.load", entry, FetchEntry.Tag)), () => invalidateFetch(c, entry)),
          index.and(TlbSet.FetchEntries - BLOCK_PAGES),
          BLOCK_PAGES,
        );
      }
    });
  });
}

/** Drops entries of a page, but not those that may become suspects. */
function defineExactFlush(library: Library): void {
  define(library, "tlbFlushExactly", (c) => {
    const space = c.parameter(0), va = c.parameter(1), kept = c.parameter(2), hash = blockHash(c, va);
    noteDropped(c);
    const giant = c.load("i32.load", space, TlbSpace.GiantFilter).and(giantBit(va));
    const block = c.load("i32.load", blockWord(space, hash), TlbSpace.BlockFilter).and(bit(hash));
    c.if(giant.or(block), () => {
      c.run(tlbFunction(library, "tlbFlushPage"), space, va);
      c.return();
    });
    const index = c.let(dataFlagsOffset(va)), fetch = c.let(space.add(fetchEntryOffset(va)));
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = c.let(space.add(regime * TlbSet.Size));
      for (const table of ["Read", "Write"] as const) {
        const isKept = c.load("i32.load8_u", set.add(index), TlbSet[`${table}Flags`]).and(kept);
        c.if(isOfPage(c, set, index, table, va).and(isKept.not()), () => invalidateData(c, set, index, table));
      }
      invalidateFetch(c, fetch.add(regime * TlbSet.Size + TlbSet.Fetch));
    }
  });
}

/**
 * Functions that drop entries because of their target: decoded pages, stage-2 tables, pages of the
 * Wasm memory.
 */
function defineTargetFlushes(library: Library, pool: TlbPoolLayout): void {
  define(library, "tlbForgetDecoded", (c) =>
    forEachSpace(c, pool, (space) => {
      for (let regime = 0; regime < REGIMES; regime++) {
        forEachFetch(c, space.add(regime * TlbSet.Size), (entry) => {
          c.if(c.load("i32.load", entry, FetchEntry.Decoded).eq(c.parameter(0)), () => invalidateFetch(c, entry));
        });
      }
    }));

  define(library, "tlbFlushStage2", (c) =>
    forEachSpace(c, pool, (space) => {
      c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.parameter(0)), () => c.run(tlbFunction(library, "tlbFlushSpace"), space));
    }));

  define(library, "tlbFlushTargets", (c) => {
    const from = c.parameter(1), size = c.parameter(2).sub(from);
    const inside = (wasmAddress: Value) => wasmAddress.sub(from).ltU(size);
    forEachSpace(c, pool, (space) => {
      c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.parameter(0)), () => {
        for (let regime = 0; regime < REGIMES; regime++) {
          const set = c.let(space.add(regime * TlbSet.Size));
          for (const table of ["Read", "Write"] as const) {
            forEachData(c, set, TlbSet[table], (entry, page, index) => {
              c.if(inside(page.wrap().add(entry.wrap().shl(DataEntry.DistanceShift))), () => invalidateData(c, set, index, table));
            });
          }
          forEachFetch(c, set, (entry) => {
            c.if(c.load("i64.load", entry, FetchEntry.Tag).ne(-1), () => {
              c.if(
                inside(c.call(callee(library, "ownerOf"), c.load("i32.load", entry, FetchEntry.Decoded))),
                () => invalidateFetch(c, entry),
              );
            });
          });
        }
      });
    });
  });
}

/** `protectCodePage`: pages whose decoded instructions stores must not miss. */
function defineCodePages(library: Library, pool: TlbPoolLayout): void {
  // Most pages that come to hold decoded instructions have no write entry: a scan of all spaces is
  // for those that may have one.
  const c = new Code(defineFunction(library, "protectCodePage"));
  const { byte, mask } = pageBit(c, c.parameter(0));
  const bits = c.let(c.load("i32.load8_u", byte, pool.writeMapped));
  c.if(bits.and(mask).not(), () => c.return());
  c.store("i32.store8", byte, bits.xor(mask), pool.writeMapped);
  forEachSpace(c, pool, (space) => {
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = c.let(space.add(regime * TlbSet.Size));
      forEachData(c, set, TlbSet.Write, (entry, page, index) => {
        const wasmAddress = page.wrap().add(entry.wrap().shl(DataEntry.DistanceShift));
        c.if(wasmAddress.eq(c.parameter(0)), () => invalidateData(c, set, index, "Write"));
      });
    }
  });
}

/**
 * `tlbSlowWrites`: the slow path notes the page again. Dropping the entries instead would end
 * translations that the guest has not invalidated.
 */
function defineSlowWrites(library: Library, pool: TlbPoolLayout): void {
  define(library, "tlbSlowWrites", (c) =>
    forEachSpace(c, pool, (space) => {
      for (let regime = 0; regime < REGIMES; regime++) {
        const set = c.let(space.add(regime * TlbSet.Size));
        forEachData(c, set, TlbSet.Write, (entry, _, index) => {
          const matches = entry.wrap().shrU(PAGE_SHIFT).xor(index).and(TlbSet.Entries / 2).not();
          c.if(matches, () => slowEntry(c, set, index, "Write"));
        });
      }
    }));
}

/** TLBI. */
function defineMaintenance(library: Library, pool: TlbPoolLayout, features: ReadonlySet<FeatureName>): void {
  const granules = granulesOf(features);
  define(library, "tlbi", (c) => {
    const kind = c.parameter(0), operand = c.parameter(1), broadcast = c.parameter(2);
    const asid = operand.shrU(48).wrap();
    const suspicion = new Suspicion(c, library, operand), isPage = c.let(kind.eq(Tlbi.Page).or(kind.eq(Tlbi.PageOfAll)));
    const page = c.let(operand.shl(PAGE_SHIFT));
    suspicion.settle(isPage, page);
    const apply = (space: Value) => {
      suspicion.reaches(space);
      c.if(kind.eq(Tlbi.All), () => c.run(tlbFunction(library, "tlbFlushSpace"), space));
      c.if(kind.eq(Tlbi.Asid), () => {
        const current = c.let(c.load("i32.load", space, TlbSpace.Asid));
        c.if(current.eq(asid).or(current.eq(UNKNOWN_ASID)), () => c.run(tlbFunction(library, "tlbFlushNonGlobal"), space));
      });
      c.if(isPage, () => forEachPage(c, granules, page, (va) => flushOfAsid(c, library, suspicion, { space, va, kind, asid })));
      if (features.has("FEAT_TLBIRANGE")) c.if(kind.eq(Tlbi.Range), () => flushRange(c, library, features, space, operand));
    };
    c.if(broadcast, () => {
      forEachSpace(c, pool, (space) => {
        c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.load("i32.load", CPU.STAGE2_ID)), () => apply(space));
      });
    }, () => {
      const own = c.let(currentSpace(c));
      apply(own);
      forEachSpace(c, pool, (space) => {
        const isOther = space.ne(own).and(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.load("i32.load", CPU.STAGE2_ID)));
        c.if(isOther, () => suspicion.ofOther(space, isPage, page));
      });
    });
  });
}

/** The spaces that a TLBI of a core with EL2 is for: of all CPUs, and of all VMs. */
export const TlbiScope = { AllCpus: 1, AllVms: 2 } as const;

/**
 * (kind i32, operand i64, level i32, scope i32, TCR of the regime i64): TLBI in a core with EL2, of
 * the regime of EL1 or EL2.
 */
export const tlbiOf = (library: Library) => library.get("tlbiOf", ["i32", "i64", "i32", "i32", "i64"], []);

/** VTTBR_EL2.VMID, whose lower half alone is compared: VTCR_EL2.VS may be 0. */
const VMID_BYTE = 6;

/** `tlbiOf`. A core with EL2 has no evidence of what an invalidation misses. */
function defineLevelMaintenance(library: Library, pool: TlbPoolLayout, features: ReadonlySet<FeatureName>): void {
  const c = new Code(library.define("tlbiOf", ["i32", "i64", "i32", "i32", "i64"], []));
  const [kind, operand, level, scope, tcr] = [0, 1, 2, 3, 4].map((index) => c.parameter(index));
  const apply = (space: Value) => {
    c.if(kind.eq(Tlbi.All), () => c.run(tlbFunction(library, "tlbFlushSpace"), space));
    c.if(kind.eq(Tlbi.Asid), () => {
      const current = c.let(c.load("i32.load", space, TlbSpace.Asid));
      const isCurrent = current.eq(operand.shrU(48).wrap()).or(current.eq(UNKNOWN_ASID));
      c.if(isCurrent, () => c.run(tlbFunction(library, "tlbFlushNonGlobal"), space));
    });
    c.if(kind.eq(Tlbi.Page).or(kind.eq(Tlbi.PageOfAll)), () => {
      const flush = (page: Value) => c.run(tlbFunction(library, "tlbFlushPage"), space, page);
      forEachPage(c, granulesOf(features), c.let(operand.shl(PAGE_SHIFT)), flush, tcr);
    });
    if (features.has("FEAT_TLBIRANGE")) c.if(kind.eq(Tlbi.Range), () => flushRange(c, library, features, space, operand, tcr));
  };
  const vmid = c.let(c.load("i32.load8_u", CPU.VTTBR_EL2 + VMID_BYTE));
  forEachSpace(c, pool, (space) => {
    const isOfMachine = c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.load("i32.load", CPU.STAGE2_ID));
    const own = [CPU.TLB_GUEST, CPU.TLB_OTHER_GUEST, CPU.TLB_SPACE_EL2].map((at) => space.eq(c.load("i32.load", at)));
    const isOfCpus = scope.and(TlbiScope.AllCpus).or(own.reduce((any, one) => any.or(one)));
    const isOfVm = level.eq(2).or(scope.and(TlbiScope.AllVms)).or(c.load("i32.load8_u", space, TlbSpace.Vttbr + VMID_BYTE).eq(vmid));
    const isOfLevel = c.load("i32.load", space, TlbSpace.Level).eq(level);
    c.if(isOfMachine.and(isOfLevel).and(isOfCpus.ne(0)).and(isOfVm.ne(0)), () => apply(space));
  });
}

/** An invalidation of a page in one space. */
interface PageFlush {
  readonly space: Value;
  readonly va: Value;
  readonly kind: Value;
  readonly asid: Value;
}

/** Drops entries of a page, of one ASID or of all. Those that it may miss become suspects. */
function flushOfAsid(c: Code, library: Library, suspicion: Suspicion, { space, va, kind, asid }: PageFlush): void {
  const exactly = (kept: number) => c.run(tlbFunction(library, "tlbFlushExactly"), space, va, kept);
  c.if(suspicion.areUnshifted(space), () => exactly(0), () => {
    const current = c.let(c.load("i32.load", space, TlbSpace.Asid));
    c.if(kind.eq(Tlbi.Page).and(current.ne(asid)).and(current.ne(UNKNOWN_ASID)), () => {
      suspicion.ofAsid(space, va);
      exactly(TlbFlags.NonGlobal);
    }, () => c.run(tlbFunction(library, "tlbFlushPage"), space, va));
  });
}

/** Pages of the largest range that is dropped page by page. */
const RANGE_PAGES = 2048n;
/** log2 of the alignment of a range with TCR_EL1.DS. */
const WIDE_RANGE_SHIFT = 16;

/**
 * Drops the pages of a range. Arm ARM C5.5 (TLBI RVAE1): TG 47:46, SCALE 45:44, NUM 43:39, BaseADDR
 * 36:0 in pages of that size, or of 64 KiB with TCR_EL1.DS; the TTL is not needed.
 */
function flushRange(
  c: Code,
  library: Library,
  features: ReadonlySet<FeatureName>,
  space: Value,
  operand: Value,
  tcr: Value = c.load("i64.load", CPU.TCR_EL1),
): void {
  const field = (lowest: number, mask: number) => operand.shrU(lowest).and(mask);
  const granule = c.let(field(46, 3));
  // 4 KiB is 1, 16 KiB is 2, 64 KiB is 3; a TG of 0 is reserved.
  const shift = c.let(granule.sub(1).shl(1).add(PAGE_SHIFT));
  const isWide = tcr.and(Tcr.DS).nonZero();
  const unit = features.has("FEAT_LPA2") ? isWide.select(constant("i64", WIDE_RANGE_SHIFT), shift) : shift;
  const va = c.let(operand.shl(64 - 37).shrS(64 - 37).shl(unit));
  const pages = c.let(field(39, 31).add(1).shl(field(44, 3).mul(5).add(1)).shl(shift.sub(PAGE_SHIFT)));
  c.if(granule.not(), () => c.return());
  c.if(pages.gtU(RANGE_PAGES), () => c.run(tlbFunction(library, "tlbFlushSpace"), space), () => {
    c.doWhile(() => {
      c.run(tlbFunction(library, "tlbFlushPage"), space, va);
      c.set(va, va.add(PAGE_SIZE));
      c.set(pages, pages.sub(1));
    }, () => pages.nonZero());
  });
}

/** Runs `body` for each 4 KiB of a page of the guest's size, as entries have them. */
export function forEachPage(
  c: Code,
  granules: readonly Granule[],
  va: Value,
  body: (page: Value) => void,
  tcr: Value = c.load("i64.load", CPU.TCR_EL1),
): void {
  if (!granules.length) return body(va);
  const high = c.let(va.shrU(55).and(1).wrap());
  const shift = granuleShift(c, tcr, high, granules);
  const page = c.let(va.and(constant("i64", -1).shl(shift.wide())));
  const end = c.let(page.add(constant("i64", 1).shl(shift.wide())));
  c.doWhile(() => {
    body(page);
    c.set(page, page.add(PAGE_SIZE));
  }, () => page.ne(end));
}

/** Runs `body` with the address of each entry of Fetch in a set, or of `count` from `first` on. */
function forEachFetch(
  c: Code,
  set: Value,
  body: (entry: Value) => void,
  first: Value = constant("i32", 0),
  count: number = TlbSet.FetchEntries,
): void {
  const entry = c.let(set.add(first.mul(FetchEntry.Size)).add(TlbSet.Fetch));
  const last = c.let(entry.add(count * FetchEntry.Size));
  c.doWhile(() => {
    body(entry);
    c.set(entry, entry.add(FetchEntry.Size));
  }, () => entry.ne(last));
}

/**
 * Runs `body` with each entry of Read or Write in a set, or with `count` of them from `first` on:
 * its value, its page (VA[63:12]) and its number.
 */
function forEachData(
  c: Code,
  set: Value,
  table: number,
  body: (entry: Local, va: Value, index: Local) => void,
  first: Value = constant("i32", 0),
  count: number = TlbSet.Entries,
): void {
  const index = c.let(first), entry = c.local("i64");
  const end = c.let(index.add(count));
  c.doWhile(() => {
    c.set(entry, c.load("i64.load", set.add(index.shl(3)), table));
    // VA[24] is in the number too, and in a slow entry it is the other way round.
    body(entry, entry.and(DataEntry.TagMask & ~DISABLING_BIT).or(index.shl(PAGE_SHIFT).wide()), index);
    c.set(index, index.add(1));
  }, () => index.ne(end));
}

/** The page in execution may be among those whose translations are dropped. */
const noteDropped = (c: Code) => c.store("i32.store", CPU.FETCHES_DROPPED, constant("i32", 1));

const invalidateFetch = (c: Code, entry: Value) => c.store("i64.store", entry, constant("i64", -1), FetchEntry.Tag);

/** An entry of this number that matches nothing has VA[24] inverted. */
function invalidateData(c: Code, set: Value, index: Value, table: "Read" | "Write"): void {
  c.store("i64.store", set.add(index.shl(3)), index.and(TlbSet.Entries / 2).nonZero().wide().sub(1), TlbSet[table]);
  const flags = set.add(index);
  const offset = TlbSet[`${table}Flags`];
  c.store("i32.store8", flags, c.load("i32.load8_u", flags, offset).and(~(TlbFlags.Slow | TlbFlags.Suspect)), offset);
}

/**
 * Puts an entry on the list if its flags require that and it is not there yet. Returns its new
 * flags.
 */
function list(c: Code, item: Value, flags: Value, old: Value): Value {
  const unlisted = c.let(old.and(TlbFlags.Unlisted));
  c.if(unlisted.nonZero().and(flags.and(TlbFlags.NonGlobal)), () => {
    const space = c.let(currentSpace(c));
    const length = c.let(c.load("i32.load", space, TlbSpace.ListLength));
    c.store("i32.store", space.add(length.shl(2)), item, TlbSpace.List);
    c.store("i32.store", space, length.add(1), TlbSpace.ListLength);
    c.set(unlisted, 0);
  });
  return flags.or(unlisted);
}

/**
 * Notes the block that a translation is from, and Device memory.
 * @param hasVast whether a block may be larger than 1 GiB
 */
function noteBlock(c: Code, va: Value, flags: Value, { empty }: TlbPoolLayout, hasVast: boolean): void {
  const space = c.let(currentSpace(c));
  c.if(flags.and(TlbFlags.Block), () => {
    const hash = blockHash(c, va);
    const word = c.let(blockWord(space, hash));
    c.store("i32.store", word, c.load("i32.load", word, TlbSpace.BlockFilter).or(bit(hash)), TlbSpace.BlockFilter);
  });
  c.if(flags.and(TlbFlags.Giant), () => {
    const bits = hasVast ? flags.and(TlbFlags.Block).select(constant("i32", -1), giantBit(va)) : giantBit(va);
    c.store("i32.store", space, c.load("i32.load", space, TlbSpace.GiantFilter).or(bits), TlbSpace.GiantFilter);
  });
  c.if(flags.and(TlbFlags.Device), () => {
    c.store("i32.store", space, constant("i32", 1), TlbSpace.HasDevice);
    c.store("i32.store", CPU.ATOMICS_TLB, c.load("i32.load", CPU.DEVICE_ATOMIC).select(constant("i32", 0), empty));
  });
}

/**
 * Number of the bit of the block filter for `va`. VA[47] distinguishes the halves
 * of the kernel's address space.
 */
const blockHash = (c: Code, va: Value) => c.let(va.shrU(21).xor(va.shrU(37)).wrap().and(BLOCK_FILTER_BITS - 1));
/** The offset of its word, from `TlbSpace.BlockFilter`. */
const blockWord = (space: Value, hash: Value) => space.add(hash.shrU(5).shl(2));
/** Its bit in the word. */
const bit = (hash: Value) => constant("i32", 1).shl(hash.and(31));
/** The bit of the giant filter for `va`. */
const giantBit = (va: Value) => bit(va.shrU(30).wrap());
