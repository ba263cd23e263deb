// TLB spaces: the soft TLBs of one vCPU, how they are filled and what invalidates them. Functions of the core's Wasm module, and the pool
// from which vCPUs get their space. DESIGN "Memory and machine"; Arm ARM D5.9 (TLB maintenance).
//
// A space holds one `TlbSet` a regime: EL0, EL1, and EL1 with PSTATE.PAN; a change of regime is a change of the base that the
// interpreter reads. Entries of non-global translations are in a list as well, so that a change of ASID costs what it drops.
// An entry stands for 4 KiB even when it comes from a block; as TLB maintenance of one address drops the whole block, two filters
// remember which blocks there may be entries of.

import { CPU, TlbEntry, TlbSet } from "./cpu-record.ts";
import { define as defineFunction } from "./functions.ts";
import type { Library } from "./library.ts";
import { Code, constant, type Local, type Value } from "./wasm/expression.ts";
import type { FunctionBuilder, ValueType } from "./wasm/module.ts";

/** Regimes in the order of their sets in a space. */
export const Regime = { El0: 0, El1: 1, El1Pan: 2 } as const;

const REGIMES = 3;
const ENTRIES_PER_SET = 2 * TlbSet.Entries + TlbSet.FetchEntries;
/** One bit for a 2 MiB block, by a hash of the address. */
const BLOCK_FILTER_BITS = 2048;

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
  /** Addresses of the entries with non-global translations. i32 each. */
  List: REGIMES * TlbSet.Size + 16 + BLOCK_FILTER_BITS / 8,
  /** Bytes of a space. */
  Size: Math.ceil((REGIMES * TlbSet.Size + 16 + BLOCK_FILTER_BITS / 8 + 4 * REGIMES * ENTRIES_PER_SET) / 0x1000) * 0x1000,
} as const;

/** No ASID: the registers may have any when a space was emptied or changed its owner. */
const UNKNOWN_ASID = -1;

/** i32 behind the addend of an entry. All bits are set in an entry that was flushed with its set. */
export const TlbFlags = {
  Offset: 12,
  NonGlobal: 1,
  /** The entry is not in the space's list. */
  Unlisted: 2,
  /** Device memory, or SCTLR_EL1.A: unaligned accesses fault. */
  Aligned: 4,
  /** From a 2 MiB block, from a 1 GiB block. */
  Block: 8,
  Giant: 16,
} as const;

/** Set in the tag of an entry that only the slow path may use: inline compares never match it. */
export const TLB_SLOW_TAG = 0x800;

/** Functions that other parts of the core call by name, with `tlbFunction`. */
export const TLB_FUNCTIONS = {
  /** (entry i32, va i64, addend i32, flags i32): fills an entry of the current space; `entry` is its address. */
  tlbFill: [["i32", "i64", "i32", "i32"], []],
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
export const dataEntryOffset = (va: Value): Value => va.wrap().shrU(8).and((TlbSet.Entries - 1) * TlbEntry.Size);

/** Offset in a set's Fetch table of the entry of `va` (i64). */
export const fetchEntryOffset = (va: Value): Value => va.wrap().shrU(8).and((TlbSet.FetchEntries - 1) * TlbEntry.Size);

/** The pool's place in the Wasm memory. */
export interface TlbPoolLayout {
  /** First address; a multiple of 4096. */
  readonly base: number;
  /** Number of spaces. */
  readonly spaces: number;
  /** Address of a bit for each 4 KiB of the Wasm memory: it may be in a write entry of some space. */
  readonly writeMapped: number;
}

/** Where the write-mapped bit of a page is: offset of its byte in `TlbPoolLayout.writeMapped`, and its mask. */
function writeMappedBit(c: Code, host: Value): { byte: Local; mask: Local } {
  return { byte: c.let(host.shrU(15)), mask: c.let(constant("i32", 1).shl(host.shrU(12).and(7))) };
}

/** The page at this host address gets a write entry. */
export function markWriteMapped(c: Code, host: Value, pool: TlbPoolLayout): void {
  const { byte, mask } = writeMappedBit(c, host);
  c.store("i32.store8", byte, c.load("i32.load8_u", byte, pool.writeMapped).or(mask), pool.writeMapped);
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
  /** Runs `body` with the address of each entry of `[from, to)`. */
  const forEachEntry = (c: Code, from: Value, bytes: number, body: (entry: Value) => void) => {
    const entry = c.let(from);
    const last = c.let(entry.add(bytes));
    c.doWhile(() => {
      body(entry);
      c.set(entry, entry.add(TlbEntry.Size));
    }, () => entry.ne(last));
  };
  const invalidate = (c: Code, entry: Value) => c.store("i64.store", entry, constant("i64", -1), TlbEntry.Tag);
  /** Word and bit of the block filter for `va`. VA[47] tells the halves of the kernel's address space apart. */
  const blockHash = (c: Code, va: Value) => c.let(va.shrU(21).xor(va.shrU(37)).wrap().and(BLOCK_FILTER_BITS - 1));
  const blockWord = (space: Value, hash: Value) => space.add(hash.shrU(5).shl(2));
  const bit = (hash: Value) => constant("i32", 1).shl(hash.and(31));
  const giantBit = (va: Value) => bit(va.shrU(30).wrap());

  define("tlbFill", (c) => {
    const entry = c.parameter(0), va = c.parameter(1), addend = c.parameter(2), flags = c.parameter(3);
    const space = c.let(currentSpace(c));
    const unlisted = c.let(c.load("i32.load", entry, TlbFlags.Offset).and(TlbFlags.Unlisted));
    c.if(unlisted.nonZero().and(flags.and(TlbFlags.NonGlobal)), () => {
      const length = c.let(c.load("i32.load", space, TlbSpace.ListLength));
      c.store("i32.store", space.add(length.shl(2)), entry, TlbSpace.List);
      c.store("i32.store", space, length.add(1), TlbSpace.ListLength);
      c.set(unlisted, 0);
    });
    c.if(flags.and(TlbFlags.Block), () => {
      const hash = blockHash(c, va);
      const word = c.let(blockWord(space, hash));
      c.store("i32.store", word, c.load("i32.load", word, TlbSpace.BlockFilter).or(bit(hash)), TlbSpace.BlockFilter);
    });
    c.if(flags.and(TlbFlags.Giant), () => {
      c.store("i32.store", space, c.load("i32.load", space, TlbSpace.GiantFilter).or(giantBit(va)), TlbSpace.GiantFilter);
    });
    c.store("i64.store", entry, va.and(-4096), TlbEntry.Tag);
    c.store("i32.store", entry, addend, TlbEntry.Addend);
    c.store("i32.store", entry, flags.or(unlisted), TlbFlags.Offset);
  });

  define("tlbFlushSpace", (c) => {
    const space = c.parameter(0);
    space.emit(c.f);
    c.f.i32(0xff).i32(REGIMES * TlbSet.Size).memoryFill();
    space.add(TlbSpace.BlockFilter).emit(c.f);
    c.f.i32(0).i32(BLOCK_FILTER_BITS / 8).memoryFill();
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
      const entry = c.let(c.load("i32.load", at, TlbSpace.List));
      invalidate(c, entry);
      c.store("i32.store", entry, constant("i32", -1), TlbFlags.Offset);
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
    const data = c.let(space.add(dataEntryOffset(va)));
    const fetch = c.let(space.add(fetchEntryOffset(va)));
    for (let regime = 0; regime < REGIMES; regime++) {
      const set = regime * TlbSet.Size;
      invalidate(c, data.add(set + TlbSet.Read));
      invalidate(c, data.add(set + TlbSet.Write));
      invalidate(c, fetch.add(set + TlbSet.Fetch));
    }
    const hash = blockHash(c, va);
    c.if(c.load("i32.load", blockWord(space, hash), TlbSpace.BlockFilter).and(bit(hash)), () => {
      forEachEntry(c, space, REGIMES * TlbSet.Size, (entry) => {
        const other = c.load("i64.load", entry, TlbEntry.Tag).xor(va);
        c.if(other.shl(8).shrU(8 + 21).not(), () => invalidate(c, entry));
      });
    });
  });

  define("tlbForgetRecords", (c) =>
    forEachSpace(c, (space) => {
      for (let regime = 0; regime < REGIMES; regime++) {
        forEachEntry(c, space.add(regime * TlbSet.Size + TlbSet.Fetch), TlbSet.FetchEntries * TlbEntry.Size, (entry) => {
          c.if(c.load("i32.load", entry, TlbEntry.Addend).eq(c.parameter(0)), () => invalidate(c, entry));
        });
      }
    }));

  define("tlbFlushStage2", (c) =>
    forEachSpace(c, (space) => {
      c.if(c.load("i32.load", space, TlbSpace.Stage2Id).eq(c.parameter(0)), () => c.run(declared("tlbFlushSpace"), space));
    }));

  {
    // Most pages that come to hold decoded instructions have no write entry: a scan of all spaces is for those that may have one.
    const c = new Code(defineFunction(library, "protectCodePage"));
    const { byte, mask } = writeMappedBit(c, c.parameter(0));
    const bits = c.let(c.load("i32.load8_u", byte, pool.writeMapped));
    c.if(bits.and(mask).not(), () => c.return());
    c.store("i32.store8", byte, bits.xor(mask), pool.writeMapped);
    forEachSpace(c, (space) => {
      for (let regime = 0; regime < REGIMES; regime++) {
        forEachEntry(c, space.add(regime * TlbSet.Size + TlbSet.Write), TlbSet.Entries * TlbEntry.Size, (entry) => {
          const host = c.load("i64.load", entry, TlbEntry.Tag).wrap().add(c.load("i32.load", entry, TlbEntry.Addend));
          c.if(host.eq(c.parameter(0)), () => invalidate(c, entry));
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

  /** `flush` is the module's `tlbFlushSpace`. */
  constructor(memory: WebAssembly.Memory, readonly layout: TlbPoolLayout, readonly flush: (space: number) => void) {
    this.#words = new Uint32Array(memory.buffer);
    this.#owners = Array.from({ length: layout.spaces }, () => ({ owner: undefined, used: 0 }));
    for (let i = 0; i < layout.spaces; i++) flush(layout.base + i * TlbSpace.Size);
  }

  /** Address of the space of `owner` for translations through stage-2 tables `stage2`; empty if the owner had none. */
  acquire(owner: object, stage2: number): number {
    let index = this.#owners.findIndex((entry) => entry.owner === owner);
    const found = index >= 0;
    if (!found) index = this.#owners.reduce((oldest, entry, i) => entry.used < this.#owners[oldest].used ? i : oldest, 0);
    const space = this.layout.base + index * TlbSpace.Size;
    if (!found || this.#words[(space + TlbSpace.Stage2Id) >>> 2] !== stage2) {
      this.flush(space);
      this.#words[(space + TlbSpace.Stage2Id) >>> 2] = stage2;
    }
    this.#owners[index] = { owner, used: ++this.#clock };
    return space;
  }

  /** Drops what is cached for `owner`: its translation registers were written from outside. */
  invalidate(owner: object): void {
    const index = this.#owners.findIndex((entry) => entry.owner === owner);
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
