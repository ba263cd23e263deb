// TLB spaces: the soft TLBs of one vCPU, how they are filled and what invalidates them. Functions of the core's Wasm module, and the pool
// from which vCPUs get their space. DESIGN "Memory and machine"; Arm ARM D5.9 (TLB maintenance).
//
// A space holds one `TlbSet` a regime: EL0, EL1, and EL1 with PSTATE.PAN; a change of regime is a change of the base that the
// interpreter reads. Entries of non-global translations are in a list as well, so that a change of ASID costs what it drops.
// An entry stands for 4 KiB even when it comes from a block; as TLB maintenance of one address drops the whole block, two filters
// remember which blocks there may be entries of.

import { CPU, DataEntry, FetchEntry, TlbSet } from "./cpu-record.ts";
import { callee, define as defineFunction } from "./functions.ts";
import type { Library } from "./library.ts";
import { pageBit, setPageBit } from "./page-bits.ts";
import { Code, constant, type Local, type Value } from "./wasm/expression.ts";
import type { FunctionBuilder, ValueType } from "./wasm/module.ts";

/** Regimes in the order of their sets in a space. */
export const Regime = { El0: 0, El1: 1, El1Pan: 2 } as const;

const REGIMES = 3;
const PAGE_SHIFT = 12;
const ENTRIES_PER_SET = 2 * TlbSet.Entries + TlbSet.FetchEntries;
/** Pages of a 2 MiB block. */
const BLOCK_PAGES = 512;
/** One bit for a 2 MiB block, by a hash of the address: so many that pages of other blocks seldom share one. */
const BLOCK_FILTER_BITS = 0x4000;

/** Layout of a space. */
export const TlbSpace = {
  /** A `TlbSet` for each of `Regime`. */
  Sets: 0,
  /** Number of entries in `List`. i32. */
  ListLength: REGIMES * TlbSet.Size,
  /** `Stage2Table.id` of the translations, 0 while nobody has the space. i32. */
  Stage2Id: REGIMES * TlbSet.Size + 4,
  /** ASID of the non-global translations; `UNKNOWN_ASID` until TTBR0_EL1, TTBR1_EL1 or TCR_EL1 are written. i32. */
  Asid: REGIMES * TlbSet.Size + 8,
  /** A bit for each 1 GiB block that there may be entries of, by VA[34:30]. i32. */
  GiantFilter: REGIMES * TlbSet.Size + 12,
  /** A bit for each 2 MiB block that there may be entries of. */
  BlockFilter: REGIMES * TlbSet.Size + 16,
  /** Entries with non-global translations: the address, with `ListKind` in its low bits. i32 each. */
  List: REGIMES * TlbSet.Size + 16 + BLOCK_FILTER_BITS / 8,
  /** Bytes of a space. */
  Size: Math.ceil((REGIMES * TlbSet.Size + 16 + BLOCK_FILTER_BITS / 8 + 4 * REGIMES * ENTRIES_PER_SET) / 0x1000) * 0x1000,
} as const;

/** No ASID: the registers may have any when a space was emptied or changed its owner. */
const UNKNOWN_ASID = -1;

/** What is known of an entry. In one that was flushed with its set, `Unlisted` is set. */
export const TlbFlags = {
  NonGlobal: 1,
  /** The entry is not in the space's list. */
  Unlisted: 2,
  /** Device memory, or SCTLR_EL1.A: unaligned accesses fault. */
  Aligned: 4,
  /** From a 2 MiB block, from a 1 GiB block. */
  Block: 8,
  Giant: 16,
  /** Only the slow path may use the entry, which inline compares never match. It is good otherwise. */
  Slow: 32,
} as const;

/** Bit of an entry of Read or Write that inline compares expect to be VA[24]: where it is not, they miss. */
export const DISABLING_BIT = 1 << 24;

/** Low bits of what is in a space's list. Entries of Read and Write have one kind a regime, as their flags lie apart. */
const ListKind = { Fetch: 0, Read: 1, Write: 1 + REGIMES, Mask: 7 } as const;

/** Functions that other parts of the core call by name, with `tlbFunction`. */
const TLB_FUNCTIONS = {
  /** (set i32, va i64, distance i32, flags i32, write i32): fills an entry of Read or Write in a set of the current space. */
  tlbFillData: [["i32", "i64", "i32", "i32", "i32"], []],
  /** (entry i32, va i64, records i32, flags i32): fills an entry of Fetch in the current space; `entry` is its address. */
  tlbFillFetch: [["i32", "i64", "i32", "i32"], []],
  /** (space i32): drops everything. */
  tlbFlushSpace: [["i32"], []],
  /** (): drops everything in every space. */
  tlbFlushAll: [[], []],
  /** (space i32): drops the non-global translations. */
  tlbFlushNonGlobal: [["i32"], []],
  /** (space i32, va i64): drops the page at VA[55:12], and the block that it came from. */
  tlbFlushPage: [["i32", "i64"], []],
  /** (record page i32): drops instruction fetches in every space that lead to this record page. */
  tlbForgetRecords: [["i32"], []],
  /** (stage2 id i32): drops everything in all spaces with these tables. */
  tlbFlushStage2: [["i32"], []],
  /** (stage2 id i32, from i32, to i32): drops what leads to host addresses [from, to), in all spaces with these tables. */
  tlbFlushHosts: [["i32", "i32", "i32"], []],
  /** (kind i32, operand i64, broadcast i32): TLBI. See `Tlbi`. */
  tlbi: [["i32", "i64", "i32"], []],
} as const satisfies Record<string, readonly [readonly ValueType[], readonly ValueType[]]>;

/** A function of `TLB_FUNCTIONS`. */
export type TlbFunction = keyof typeof TLB_FUNCTIONS;

/** First argument of `tlbi`: what goes, as far as it matters here. */
export const Tlbi = {
  /** VMALLE1, VMALLE1IS. */
  All: 0,
  /** ASIDE1, ASIDE1IS. */
  Asid: 1,
  /** VAE1, VAAE1, VALE1, VAALE1 and their IS forms. */
  Page: 2,
} as const;

const EXPORTED: readonly TlbFunction[] = [
  "tlbFlushSpace",
  "tlbFlushAll",
  "tlbFlushNonGlobal",
  "tlbFlushStage2",
  "tlbFlushHosts",
  "tlbForgetRecords",
  "tlbi",
];

/** Declares, or finds, one of `TLB_FUNCTIONS`. */
export function tlbFunction(library: Library, name: TlbFunction): FunctionBuilder {
  const [parameters, results] = TLB_FUNCTIONS[name];
  return library.get(name, parameters, results);
}

/** The space of the running vCPU: its EL0 set is the first thing in it. */
export const currentSpace = (c: Code): Value => c.load("i32.load", CPU.TLB_UNPRIVILEGED);

/** Offset in a set's Read or Write table of the entry of `va` (i64). */
export const dataEntryOffset = (va: Value): Value => va.wrap().shrU(DataEntry.IndexShift).and(DataEntry.IndexMask);

/** Offset of its flags. */
export const dataFlagsOffset = (va: Value): Value => va.wrap().shrU(PAGE_SHIFT).and(TlbSet.Entries - 1);

/** Offset in a set's Fetch table of the entry of `va` (i64). */
export const fetchEntryOffset = (va: Value): Value => va.wrap().shrU(8).and((TlbSet.FetchEntries - 1) * FetchEntry.Size);

/** The pool's place in the Wasm memory. */
export interface TlbPoolLayout {
  /** First address; a multiple of 4096. */
  readonly base: number;
  /** Number of spaces. */
  readonly spaces: number;
  /** Address of a bit for each 4 KiB of the Wasm memory: it may be in a write entry of some space. */
  readonly writeMapped: number;
}

/** The page at this host address gets a write entry. */
export function markWriteMapped(c: Code, host: Value, pool: TlbPoolLayout): void {
  setPageBit(c, host, pool.writeMapped);
}

/** Gives every function of `TLB_FUNCTIONS`, and `protectCodePage` of the seam, its body. */
export function defineTlb(library: Library, pool: TlbPoolLayout): void {
  const declared = (name: TlbFunction) => tlbFunction(library, name);
  const define = (name: TlbFunction, body: (c: Code) => void) => {
    const [parameters, results] = TLB_FUNCTIONS[name];
    body(new Code(library.define(name, parameters, results, EXPORTED.includes(name))));
  };
  const end = pool.base + pool.spaces * TlbSpace.Size;
  /** Spaces that are in use. */
  const forEachSpace = (c: Code, body: (space: Value) => void) => {
    const space = c.let(constant("i32", pool.base));
    c.doWhile(() => {
      c.if(c.load("i32.load", space, TlbSpace.Stage2Id), () => body(space));
      c.set(space, space.add(TlbSpace.Size));
    }, () => space.ne(end));
  };
  /** Runs `body` with the address of each entry of Fetch in a set. */
  const forEachFetch = (c: Code, set: Value, body: (entry: Value) => void) => {
    const entry = c.let(set.add(TlbSet.Fetch));
    const last = c.let(entry.add(TlbSet.FetchEntries * FetchEntry.Size));
    c.doWhile(() => {
      body(entry);
      c.set(entry, entry.add(FetchEntry.Size));
    }, () => entry.ne(last));
  };
  /**
   * Runs `body` with each entry of Read or Write in a set, or with `count` of them from `first` on: its value, its page (VA[63:12]) and its
   * number.
   */
  const forEachData = (
    c: Code,
    set: Value,
    table: number,
    body: (entry: Local, va: Value, index: Local) => void,
    first: Value = constant("i32", 0),
    count: number = TlbSet.Entries,
  ) => {
    const index = c.let(first), entry = c.local("i64");
    const end = c.let(index.add(count));
    c.doWhile(() => {
      c.set(entry, c.load("i64.load", set.add(index.shl(3)), table));
      // VA[24] is in the number too, and in a slow entry it is the other way round.
      body(entry, entry.and(DataEntry.TagMask & ~DISABLING_BIT).or(index.shl(PAGE_SHIFT).wide()), index);
      c.set(index, index.add(1));
    }, () => index.ne(end));
  };
  const invalidateFetch = (c: Code, entry: Value) => c.store("i64.store", entry, constant("i64", -1), FetchEntry.Tag);
  /** An entry of this number that matches nothing has VA[24] the other way round. */
  const invalidateData = (c: Code, set: Value, index: Value, table: "Read" | "Write") => {
    c.store("i64.store", set.add(index.shl(3)), index.and(TlbSet.Entries / 2).nonZero().wide().sub(1), TlbSet[table]);
    const flags = set.add(index);
    const offset = TlbSet[`${table}Flags`];
    c.store("i32.store8", flags, c.load("i32.load8_u", flags, offset).and(~TlbFlags.Slow), offset);
  };
  /** Puts an entry on the list, if its flags say that it must be there and is not; what its flags become. */
  const list = (c: Code, item: Value, flags: Value, old: Value) => {
    const unlisted = c.let(old.and(TlbFlags.Unlisted));
    c.if(unlisted.nonZero().and(flags.and(TlbFlags.NonGlobal)), () => {
      const space = c.let(currentSpace(c));
      const length = c.let(c.load("i32.load", space, TlbSpace.ListLength));
      c.store("i32.store", space.add(length.shl(2)), item, TlbSpace.List);
      c.store("i32.store", space, length.add(1), TlbSpace.ListLength);
      c.set(unlisted, 0);
    });
    return flags.or(unlisted);
  };
  /** Notes the block that a translation is from. */
  const noteBlock = (c: Code, va: Value, flags: Value) => {
    const space = c.let(currentSpace(c));
    c.if(flags.and(TlbFlags.Block), () => {
      const hash = blockHash(c, va);
      const word = c.let(blockWord(space, hash));
      c.store("i32.store", word, c.load("i32.load", word, TlbSpace.BlockFilter).or(bit(hash)), TlbSpace.BlockFilter);
    });
    c.if(flags.and(TlbFlags.Giant), () => {
      c.store("i32.store", space, c.load("i32.load", space, TlbSpace.GiantFilter).or(giantBit(va)), TlbSpace.GiantFilter);
    });
  };
  /** Word and bit of the block filter for `va`. VA[47] tells the halves of the kernel's address space apart. */
  const blockHash = (c: Code, va: Value) => c.let(va.shrU(21).xor(va.shrU(37)).wrap().and(BLOCK_FILTER_BITS - 1));
  const blockWord = (space: Value, hash: Value) => space.add(hash.shrU(5).shl(2));
  const bit = (hash: Value) => constant("i32", 1).shl(hash.and(31));
  const giantBit = (va: Value) => bit(va.shrU(30).wrap());

  define("tlbFillData", (c) => {
    const set = c.parameter(0), va = c.parameter(1), distance = c.parameter(2), flags = c.parameter(3), write = c.parameter(4);
    noteBlock(c, va, flags);
    const entry = c.let(set.add(dataEntryOffset(va)).add(write.mul(TlbSet.Write - TlbSet.Read)));
    const flagsAt = c.let(set.add(dataFlagsOffset(va)).add(write.mul(TlbSet.WriteFlags - TlbSet.ReadFlags)));
    const regime = set.sub(currentSpace(c)).divU(TlbSet.Size);
    const kind = regime.add(write.mul(ListKind.Write - ListKind.Read)).add(ListKind.Read);
    const old = c.load("i32.load8_u", flagsAt, TlbSet.ReadFlags);
    c.store("i32.store8", flagsAt, list(c, entry.or(kind), flags, old), TlbSet.ReadFlags);
    const value = va.and(DataEntry.TagMask).or(distance.shrU(DataEntry.DistanceShift).and(~DataEntry.TagMask & -16).wide());
    c.store("i64.store", entry, value.xor(flags.and(TlbFlags.Slow).select(constant("i64", DISABLING_BIT), 0)));
  });

  define("tlbFillFetch", (c) => {
    const entry = c.parameter(0), va = c.parameter(1), records = c.parameter(2), flags = c.parameter(3);
    noteBlock(c, va, flags);
    c.store("i32.store", entry, list(c, entry, flags, c.load("i32.load", entry, FetchEntry.Flags)), FetchEntry.Flags);
    c.store("i64.store", entry, va.and(-4096), FetchEntry.Tag);
    c.store("i32.store", entry, records, FetchEntry.Records);
  });

  define("tlbFlushSpace", (c) => {
    const space = c.parameter(0);
    const fill = (from: number, bytes: number, value: number) => {
      space.add(from).emit(c.f);
      c.f.i32(value).i32(bytes).memoryFill();
    };
    const half = TlbSet.Entries / 2 * DataEntry.Size;
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = regime * TlbSet.Size;
      for (const table of [TlbSet.Read, TlbSet.Write]) {
        fill(set + table, half, 0xff);
        fill(set + table + half, half, 0);
      }
      fill(set + TlbSet.Fetch, TlbSet.ReadFlags - TlbSet.Fetch, 0xff);
      fill(set + TlbSet.ReadFlags, TlbSet.Size - TlbSet.ReadFlags, TlbFlags.Unlisted);
    }
    fill(TlbSpace.BlockFilter, BLOCK_FILTER_BITS / 8, 0);
    c.store("i32.store", space, constant("i32", 0), TlbSpace.ListLength);
    c.store("i32.store", space, constant("i32", 0), TlbSpace.GiantFilter);
    c.store("i32.store", space, constant("i32", UNKNOWN_ASID), TlbSpace.Asid);
  });

  define("tlbFlushAll", (c) => forEachSpace(c, (space) => c.run(declared("tlbFlushSpace"), space)));

  define("tlbFlushNonGlobal", (c) => {
    const space = c.parameter(0);
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

  define("tlbFlushPage", (c) => {
    const space = c.parameter(0), va = c.parameter(1);
    c.if(c.load("i32.load", space, TlbSpace.GiantFilter).and(giantBit(va)), () => {
      c.run(declared("tlbFlushSpace"), space);
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
        forEachFetch(c, set, (entry) => c.if(inBlock(c.load("i64.load", entry, FetchEntry.Tag)), () => invalidateFetch(c, entry)));
      }
    });
  });

  define("tlbForgetRecords", (c) =>
    forEachSpace(c, (space) => {
      for (let regime = 0; regime < REGIMES; regime++) {
        forEachFetch(c, space.add(regime * TlbSet.Size), (entry) => {
          c.if(c.load("i32.load", entry, FetchEntry.Records).eq(c.parameter(0)), () => invalidateFetch(c, entry));
        });
      }
    }));

  define("tlbFlushStage2", (c) =>
    forEachSpace(c, (space) => {
      c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.parameter(0)), () => c.run(declared("tlbFlushSpace"), space));
    }));

  define("tlbFlushHosts", (c) => {
    const from = c.parameter(1), size = c.parameter(2).sub(from);
    const inside = (host: Value) => host.sub(from).ltU(size);
    forEachSpace(c, (space) => {
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
                inside(c.call(callee(library, "ownerOf"), c.load("i32.load", entry, FetchEntry.Records))),
                () => invalidateFetch(c, entry),
              );
            });
          });
        }
      });
    });
  });

  {
    // Most pages that come to hold decoded instructions have no write entry: a scan of all spaces is for those that may have one.
    const c = new Code(defineFunction(library, "protectCodePage"));
    const { byte, mask } = pageBit(c, c.parameter(0));
    const bits = c.let(c.load("i32.load8_u", byte, pool.writeMapped));
    c.if(bits.and(mask).not(), () => c.return());
    c.store("i32.store8", byte, bits.xor(mask), pool.writeMapped);
    forEachSpace(c, (space) => {
      for (let regime = 0; regime < REGIMES; regime++) {
        const set = c.let(space.add(regime * TlbSet.Size));
        forEachData(c, set, TlbSet.Write, (entry, page, index) => {
          const host = page.wrap().add(entry.wrap().shl(DataEntry.DistanceShift));
          c.if(host.eq(c.parameter(0)), () => invalidateData(c, set, index, "Write"));
        });
      }
    });
  }

  define("tlbi", (c) => {
    const kind = c.parameter(0), operand = c.parameter(1), broadcast = c.parameter(2);
    const asid = operand.shrU(48).wrap();
    const apply = (space: Value) => {
      c.if(kind.eq(Tlbi.All), () => c.run(declared("tlbFlushSpace"), space));
      c.if(kind.eq(Tlbi.Asid), () => {
        const current = c.let(c.load("i32.load", space, TlbSpace.Asid));
        c.if(current.eq(asid).or(current.eq(UNKNOWN_ASID)), () => c.run(declared("tlbFlushNonGlobal"), space));
      });
      // Entries have no ASID of their own: a page of another ASID is dropped for nothing.
      c.if(kind.eq(Tlbi.Page), () => c.run(declared("tlbFlushPage"), space, operand.shl(12)));
    };
    c.if(broadcast, () => {
      forEachSpace(c, (space) => {
        c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.load("i32.load", CPU.STAGE2_ID)), () => apply(space));
      });
    }, () => apply(c.let(currentSpace(c))));
  });
}

/** Which vCPU has which space. The least recently used one is recycled. */
export class TlbPool {
  readonly #words: Uint32Array;
  /** Owner and last use of each space. */
  readonly #owners: { owner: object | undefined; used: number }[];
  #clock = 0;

  /** `flush` is the module's `tlbFlushSpace`. A space belongs to no tables, and is looked at by nobody, before it is first acquired. */
  constructor(memory: WebAssembly.Memory, readonly layout: TlbPoolLayout, readonly flush: (space: number) => void) {
    this.#words = new Uint32Array(memory.buffer);
    this.#owners = Array.from({ length: layout.spaces }, () => ({ owner: undefined, used: 0 }));
  }

  /** Address of the space of `owner` for translations through stage-2 tables `stage2`; empty if the owner had none. */
  acquire(owner: object, stage2: number): number {
    let index = this.#find(owner);
    const found = index >= 0;
    if (!found) index = this.#owners.reduce((oldest, entry, i) => entry.used < this.#owners[oldest].used ? i : oldest, 0);
    const space = this.layout.base + index * TlbSpace.Size;
    if (!found || this.#words[(space + TlbSpace.Stage2Id) >>> 2] !== stage2) {
      this.flush(space);
      this.#words[(space + TlbSpace.Stage2Id) >>> 2] = stage2;
    }
    const entry = this.#owners[index];
    entry.owner = owner;
    entry.used = ++this.#clock;
    return space;
  }

  /** Index of the space of `owner`; -1 where it has none. Two vCPUs that take turns come here often. */
  #find(owner: object): number {
    const owners = this.#owners;
    for (let index = 0; index < owners.length; index++) if (owners[index].owner === owner) return index;
    return -1;
  }

  /** What the data tables of all spaces hold for stage-2 tables `stage2`: pages of virtual addresses and of the Wasm memory. */
  *entries(stage2: number): Generator<{ va: bigint; host: number; write: boolean }> {
    const values = new BigUint64Array(this.#words.buffer), bytes = new Uint8Array(this.#words.buffer);
    for (let index = 0; index < this.layout.spaces; index++) {
      const space = this.layout.base + index * TlbSpace.Size;
      if (this.#words[(space + TlbSpace.Stage2Id) >>> 2] !== stage2) continue;
      for (let regime = 0; regime < REGIMES; regime++) {
        const set = space + regime * TlbSet.Size;
        for (const [table, flags] of [[TlbSet.Read, TlbSet.ReadFlags], [TlbSet.Write, TlbSet.WriteFlags]]) {
          for (let at = 0; at < TlbSet.Entries; at++) {
            let value = values[(set + table + at * DataEntry.Size) >>> 3];
            if (bytes[set + flags + at] & TlbFlags.Slow) value ^= BigInt(DISABLING_BIT);
            if (Number(value >> 24n & 1n) !== at >>> 12) continue;
            const va = value & ~0xff_ffffn | BigInt(at << PAGE_SHIFT & 0xff_ffff);
            const host = (Number(va & 0xffff_ffffn) + (Number(value & 0xff_ffffn) << DataEntry.DistanceShift)) >>> 0;
            yield { va, host, write: table === TlbSet.Write };
          }
        }
      }
    }
  }

  /** Drops what is cached for `owner`: its translation registers were written from outside. */
  invalidate(owner: object): void {
    const index = this.#find(owner);
    if (index >= 0) this.flush(this.layout.base + index * TlbSpace.Size);
  }

  /** The owner's space is free. */
  release(owner: object): void {
    const entry = this.#owners.find((entry) => entry.owner === owner);
    if (!entry) return;
    this.#words[(this.layout.base + this.#owners.indexOf(entry) * TlbSpace.Size + TlbSpace.Stage2Id) >>> 2] = 0;
    Object.assign(entry, { owner: undefined, used: 0 });
  }
}
