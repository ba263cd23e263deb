// The slow path of a memory access, which the inline TLB compare does not serve: unaligned,
// page-crossing, missing, to a device, or to a page with decoded instructions; and instruction
// fetch. Faults are raised in `aborts.ts`.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { ExceptionClass, Pstate, Sctlr, SP_ALIGNMENT, syndrome } from "../architecture/exceptions.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { exceptionBank, regimeBank } from "../state/banks.ts";
import { CPU, Slot, SplitGroup, TlbSet, Watching, xAddress } from "../state/cpu-state.ts";
import { Access, callee, define as defineFunction, groupBytes, groupCopy, splitGroup, splitOffset } from "../state/functions.ts";
import { fetchEntryOffset, TlbFlags, type TlbPoolLayout } from "../state/tlb-layout.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { defineAborts, raiseAbort } from "./aborts.ts";
import { copy, crosses, DataAccess, entryFlags, inPage, sizeOf, writeOnly } from "./data-access.ts";
import { defineDeviceAtomics } from "./device-atomics.ts";
import { misalignmentOf, mmuFunction, Rights, speculative } from "./mmu.ts";
import { defineStackPage } from "./stack-page.ts";
import { AccessKind, Fault } from "./translation.ts";
import { defineSuspects, useSuspect } from "./suspects.ts";
import { isWatchedTable, noteTable, storeDescriptor } from "./table-stores.ts";
import { markWriteMapped, tlbFunction } from "./tlb.ts";
import { noteMore, noteWritten } from "./written-words.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const INSTRUCTION_SIZE = 4;
/** Flags that an entry loses when it is filled again. */
const UNMARKED = TlbFlags.Slow | TlbFlags.Suspect | TlbFlags.Unlisted;

const zero = constant("i32", 0), one = constant("i32", 1);

/**
 * Gives the memory functions of the seam their bodies: slow loads and stores, `slowAddress`,
 * instruction fetch. Returns the parts of such functions, for others that access memory.
 */
export function defineMemoryAccess(
  library: Library,
  pool: TlbPoolLayout,
  imports: { readonly watched: number; readonly deviceAtomic: number; readonly staleUsed: number; readonly loadStore?: number | undefined },
  features: ReadonlySet<FeatureName>,
): DataAccess {
  defineAborts(library, imports.loadStore);
  defineDeviceAtomics(library, imports.deviceAtomic);
  defineSuspects(library, imports.staleUsed);
  const data = new DataAccess(library, imports.watched, features);
  const readAddress = defineReadAddress(library, data);
  const writeAddress = defineWriteAddress(library, data, pool);
  const crossingStore = defineCrossingStore(library, data);
  defineReadableAt(library, data);
  defineWritableAt(library, data, pool);
  defineGroupAt(library, data, "readableGroupAt", "readableAt", false);
  defineGroupAt(library, data, "writableGroupAt", "writableAt", true);
  defineSplitPlace(library);
  defineStackPage(library, data);
  defineLoads(library, readAddress);
  defineStores(library, writeAddress, crossingStore);
  defineSlowAddress(library, writeAddress);
  defineFetch(library, features);
  defineSpAlignment(library);
  return data;
}

/**
 * (va, access) -> where the bytes of a read are, or 0: in RAM, or in CPU.CROSSING when they are
 * from two pages.
 */
function defineReadAddress(library: Library, data: DataAccess): FunctionBuilder {
  const readAddress = library.define("readAddress", ["i64", "i32"], ["i32"]);
  const c = new Code(readAddress);
  const va = c.parameter(0), access = c.parameter(1);
  const misaligned = data.misalignment(c, va, access);
  c.if(crosses(va, access), () => {
    const { first, second, firstSize, secondSize } = data.crossing(c, va, access, misaligned);
    copy(c, constant("i32", CPU.CROSSING), first, firstSize);
    copy(c, firstSize.add(CPU.CROSSING), second, secondSize);
    c.return(constant("i32", CPU.CROSSING));
  });
  const entry = data.entryOf(c, va, access, "Read");
  c.if(entry.serves(misaligned), () => {
    data.noteDevice(c, va, access, entry.flags);
    c.return(entry.wasmAddress);
  });
  c.if(entry.isSuspect(misaligned), () => {
    const held = c.let(entry.wasmAddress);
    c.if(c.call(useSuspect(library), va, access, held), () => {
      const flags = c.let(entry.flags.and(~UNMARKED));
      data.noteDevice(c, va, access, flags);
      entry.fill(held, flags);
      c.return(held);
    });
  });
  const wasmAddress = c.let(c.call(data.translate, va, access));
  c.if(
    wasmAddress,
    () => {
      const found = data.watch(c, va, access, wasmAddress), flags = c.let(entryFlags(c, library));
      data.noteDevice(c, va, access, flags);
      c.if(found.not(), () => {
        noteTable(c, library);
        entry.fill(wasmAddress, flags);
      });
    },
    () => c.run(raiseAbort(library), va, access),
  );
  c.result(wasmAddress);
  return readAddress;
}

/**
 * (va, access) -> Wasm address in RAM for a write inside one page, or 0. Decoded instructions there
 * are dropped.
 */
function defineWriteAddress(library: Library, data: DataAccess, pool: TlbPoolLayout): FunctionBuilder {
  const writeAddress = library.define("writeAddress", ["i64", "i32"], ["i32"]);
  const c = new Code(writeAddress);
  const va = c.parameter(0), access = c.parameter(1);
  c.set(access, access.or(AccessKind.Write));
  const misaligned = data.misalignment(c, va, access);
  const entry = data.entryOf(c, va, access, "Write");
  const wasmAddress = c.local("i32"), flags = c.local("i32");
  const servesSlowly = c.let(entry.servesSlowly(misaligned));
  const serves = c.let(entry.serves(misaligned).or(servesSlowly));
  c.if(entry.isSuspect(misaligned), () => c.set(serves, c.call(useSuspect(library), va, access, entry.wasmAddress)));
  c.if(serves, () => {
    c.set(wasmAddress, entry.wasmAddress);
    c.set(flags, entry.flags.and(~UNMARKED));
    data.noteDevice(c, va, access, flags);
  }, () => {
    c.set(wasmAddress, c.call(data.translate, va, access));
    c.if(wasmAddress.not(), () => {
      c.run(raiseAbort(library), va, access);
      c.return(zero);
    });
    const isUnfilled = c.let(data.watch(c, va, access, wasmAddress).or(writeOnly(c)));
    c.set(flags, entryFlags(c, library));
    data.noteDevice(c, va, access, flags);
    c.if(isUnfilled, () => {
      c.drop(noteWritten(c, library, wasmAddress, sizeOf(access)));
      c.if(c.call(callee(library, "isCodePage"), wasmAddress), () => c.run(callee(library, "dropDecoded"), wasmAddress, sizeOf(access)));
      c.return(wasmAddress);
    });
    markWriteMapped(c, wasmAddress, pool);
    noteTable(c, library);
  });
  // Whether the next store may go past this function.
  const isNoted = c.let(noteWritten(c, library, wasmAddress, sizeOf(access)));
  c.if(isNoted.not(), () => c.set(flags, flags.or(TlbFlags.Slow)));
  c.if(c.call(callee(library, "isCodePage"), wasmAddress), () => {
    c.run(callee(library, "dropDecoded"), wasmAddress, sizeOf(access));
    c.if(c.call(callee(library, "isCodePage"), wasmAddress), () => c.set(flags, flags.or(TlbFlags.Slow)));
  });
  c.if(isWatchedTable(c, wasmAddress), () => c.set(flags, flags.or(TlbFlags.Slow)));
  const isSame = servesSlowly.and(flags.and(TlbFlags.Slow).nonZero()).and(entry.flags.and(TlbFlags.Suspect).not());
  c.if(isSame.not(), () => entry.fill(wasmAddress, flags));
  c.result(wasmAddress);
  return writeAddress;
}

/** (va, access): stores the bytes in CPU.CROSSING to two pages. */
function defineCrossingStore(library: Library, data: DataAccess): FunctionBuilder {
  const crossingStore = library.define("crossingStore", ["i64", "i32"], ["i32"]);
  const c = new Code(crossingStore);
  const va = c.parameter(0), access = c.parameter(1);
  c.set(access, access.or(AccessKind.Write));
  const misaligned = data.misalignment(c, va, access);
  const { first, second, firstSize, secondSize } = data.crossing(c, va, access, misaligned);
  for (const [wasmAddress, size] of [[first, firstSize], [second, secondSize]]) {
    c.drop(noteWritten(c, library, wasmAddress, size));
    c.if(c.call(callee(library, "isCodePage"), wasmAddress), () => c.run(callee(library, "dropDecoded"), wasmAddress, size));
  }
  copy(c, first, constant("i32", CPU.CROSSING), firstSize);
  copy(c, second, firstSize.add(CPU.CROSSING), secondSize);
  c.result(constant("i32", 1));
  return crossingStore;
}

/**
 * The misalignment of `va`; ends the function with 0 where alignment is required, and where the
 * access is to two pages.
 */
function plainMisalignment(c: Code, library: Library, va: Local, access: Value): Local {
  const misaligned = c.let(misalignmentOf(va, access));
  const strict = access.and(Access.Aligned).or(regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1).and(Sctlr.A));
  c.if(misaligned.nonZero().and(strict.nonZero()).or(crosses(va, access)), () => c.return(zero));
  return misaligned;
}

/**
 * The address where a region may read, or 0. Raises nothing; its only side effect is TLB entries.
 */
function defineReadableAt(library: Library, data: DataAccess): void {
  const c = new Code(defineFunction(library, "readableAt"));
  const va = c.parameter(0), access = c.parameter(1);
  const misaligned = plainMisalignment(c, library, va, access);
  const entry = data.entryOf(c, va, access, "Read");
  c.if(entry.serves(misaligned), () => {
    data.leaveUnnoted(c, access, entry.flags);
    c.return(entry.wasmAddress);
  });
  c.if(entry.isSuspect(misaligned), () => c.return(zero));
  const wasmAddress = c.let(data.tryTranslate(c, va, access));
  c.if(wasmAddress, () => {
    c.if(data.look(c, va, access, wasmAddress), () => c.return(zero));
    const flags = c.let(entryFlags(c, library));
    noteTable(c, library);
    entry.fill(wasmAddress, flags);
    data.leaveUnnoted(c, access, flags);
  });
  c.result(wasmAddress);
}

/** The address where a region may write, or 0. */
function defineWritableAt(library: Library, data: DataAccess, pool: TlbPoolLayout): void {
  const c = new Code(defineFunction(library, "writableAt"));
  const va = c.parameter(0), access = c.parameter(1);
  c.set(access, access.or(AccessKind.Write));
  const misaligned = plainMisalignment(c, library, va, access);
  const entry = data.entryOf(c, va, access, "Write"), wasmAddress = c.local("i32");
  c.if(entry.serves(misaligned), () => {
    data.leaveUnnoted(c, access, entry.flags);
    c.return(entry.wasmAddress);
  });
  c.if(entry.isSuspect(misaligned), () => c.return(zero));
  // Data in a page with code, which is not write-mapped; or a page with lines that are not noted.
  c.if(entry.servesSlowly(misaligned), () => {
    data.leaveUnnoted(c, access, entry.flags);
    c.set(wasmAddress, entry.wasmAddress);
    c.if(isWatchedTable(c, wasmAddress), () => c.return(zero));
    c.if(c.call(callee(library, "isCodePage"), wasmAddress), () => {
      c.if(c.call(callee(library, "holdsDecoded"), wasmAddress, sizeOf(access)), () => c.return(zero));
      c.drop(noteWritten(c, library, wasmAddress, sizeOf(access)));
    }, () => {
      c.if(noteWritten(c, library, wasmAddress, sizeOf(access)), () => entry.fill(wasmAddress, entry.flags.and(~UNMARKED)));
    });
    c.return(wasmAddress);
  });
  c.set(wasmAddress, data.tryTranslate(c, va, access));
  c.if(wasmAddress.not(), () => c.return(zero));
  c.if(c.call(callee(library, "isCodePage"), wasmAddress).or(isWatchedTable(c, wasmAddress)), () => c.return(zero));
  const found = data.look(c, va, access, wasmAddress), flags = c.let(entryFlags(c, library));
  c.if(writeOnly(c), () => c.return(zero));
  c.if(found, () => {
    c.if(data.isBeside(c, access, wasmAddress, sizeOf(access)).not(), () => c.return(zero));
    c.drop(noteWritten(c, library, wasmAddress, sizeOf(access)));
    data.leaveUnnoted(c, access, flags);
    c.return(wasmAddress);
  });
  c.if(noteWritten(c, library, wasmAddress, sizeOf(access)).not(), () => c.set(flags, flags.or(TlbFlags.Slow)));
  noteTable(c, library);
  entry.fill(wasmAddress, flags);
  markWriteMapped(c, wasmAddress, pool);
  data.leaveUnnoted(c, access, flags);
  c.result(wasmAddress);
}

/** The address of a group of accesses, which are where a region may access each page by `part`. */
function defineGroupAt(
  library: Library,
  data: DataAccess,
  name: "readableGroupAt" | "writableGroupAt",
  part: "readableAt" | "writableAt",
  writes: boolean,
): void {
  const c = new Code(defineFunction(library, name));
  const va = c.parameter(0), access = c.parameter(1), seams = c.parameter(2), place = c.parameter(3), bytes = c.let(groupBytes(place));
  const partAt = (va: Value, size: Value): Local => {
    const wasmAddress = c.let(c.call(callee(library, part), va, access));
    c.if(wasmAddress.not(), () => c.return(zero, zero));
    if (writes) {
      c.if(
        c.call(callee(library, "isCodePage"), wasmAddress),
        () => c.if(c.call(callee(library, "holdsDecoded"), wasmAddress, size), () => c.return(zero, zero)),
      );
      // `writableAt` has looked at the first of the accesses only.
      c.if(data.mayStop(c, va, access.or(AccessKind.Write), wasmAddress, size), () => c.return(zero, zero));
      noteMore(c, library, wasmAddress, size);
    }
    return wasmAddress;
  };
  const limit = c.let(constant("i32", PAGE_SIZE).sub(inPage(va)));
  c.if(limit.geU(bytes), () => c.return(partAt(va, bytes), one));
  // No access may be in both pages itself.
  c.if(limit.and(sizeOf(access).sub(1)).or(seams.shrU(limit.shrU(3)).and(1)), () => c.return(zero, zero));
  const first = partAt(va, limit), second = partAt(va.add(limit.wide()), bytes.sub(limit));
  if (!writes) {
    const whole = c.let(groupCopy(place));
    c.if(whole, () => {
      copy(c, whole, first, limit);
      copy(c, whole.add(limit), second, bytes.sub(limit));
      c.return(whole, one);
    });
  }
  const split = c.let(splitGroup(place));
  c.store("i32.store", split, first, SplitGroup.First);
  c.store("i32.store", split, second.sub(limit), SplitGroup.Second);
  c.store("i32.store", split, limit, SplitGroup.Limit);
  c.result(zero, one);
}

/** Where a byte of a group in two pages is. */
function defineSplitPlace(library: Library): void {
  const c = new Code(defineFunction(library, "splitPlace"));
  const byte = c.parameter(0), offset = c.let(splitOffset(byte)), split = c.let(splitGroup(byte));
  const first = c.load("i32.load", split, SplitGroup.First), second = c.load("i32.load", split, SplitGroup.Second);
  c.result(offset.add(offset.ltU(c.load("i32.load", split, SplitGroup.Limit)).select(first, second)));
}

/** Loads of up to 8 and of 16 bytes. */
function defineLoads(library: Library, readAddress: FunctionBuilder): void {
  {
    const c = new Code(defineFunction(library, "slowLoad"));
    const wasmAddress = c.let(c.call(readAddress, c.parameter(0), c.parameter(1)));
    const size = c.let(sizeOf(c.parameter(1)));
    for (const [bytes, load] of [[1, "i64.load8_u"], [2, "i64.load16_u"], [4, "i64.load32_u"]] as const) {
      c.if(size.eq(bytes), () => c.return(c.load(load, wasmAddress)));
    }
    c.result(c.load("i64.load", wasmAddress));
  }
  {
    const c = new Code(defineFunction(library, "slowLoad16"));
    c.result(c.load("v128.load", c.call(readAddress, c.parameter(0), c.parameter(1))));
  }
}

/** Stores of up to 8 and of 16 bytes. */
function defineStores(library: Library, writeAddress: FunctionBuilder, crossingStore: FunctionBuilder): void {
  {
    const c = new Code(defineFunction(library, "slowStore"));
    const va = c.parameter(0), access = c.parameter(1), value = c.parameter(2);
    c.if(crosses(va, access), () => {
      c.store("i64.store", CPU.CROSSING, value);
      c.drop(c.call(crossingStore, va, access));
      c.return();
    });
    const wasmAddress = c.let(c.call(writeAddress, va, access));
    c.if(wasmAddress.not(), () => c.return());
    const size = c.let(sizeOf(access));
    c.if(size.eq(8).and(isWatchedTable(c, wasmAddress)), () => c.run(storeDescriptor(library), wasmAddress, value));
    for (const [bytes, store] of [[1, "i64.store8"], [2, "i64.store16"], [4, "i64.store32"], [8, "i64.store"]] as const) {
      c.if(size.eq(bytes), () => c.store(store, wasmAddress, value));
    }
  }
  {
    const c = new Code(defineFunction(library, "slowStore16"));
    const va = c.parameter(0), access = c.parameter(1), value = c.parameter(2);
    c.if(crosses(va, access), () => {
      c.store("v128.store", CPU.CROSSING, value);
      c.drop(c.call(crossingStore, va, access));
      c.return();
    });
    const wasmAddress = c.let(c.call(writeAddress, va, access));
    c.if(wasmAddress, () => c.store("v128.store", wasmAddress, value));
  }
}

/**
 * The address where an atomic, or DC ZVA, writes. FAR has the address as DC ZVA's register gives
 * it, wherever its block begins. Arm ARM D13.2.40.
 */
function defineSlowAddress(library: Library, writeAddress: FunctionBuilder): void {
  const c = new Code(defineFunction(library, "slowAddress"));
  const va = c.parameter(0), access = c.parameter(1);
  c.if(access.and(Access.Zero).not(), () => c.return(c.call(writeAddress, va, access.or(AccessKind.ReadModifyWrite))));
  c.store("i32.store", CPU.FAULT, constant("i32", Fault.None));
  const block = c.let(va.and(constant("i64", 0).sub(sizeOf(access).wide())));
  const wasmAddress = c.let(c.call(writeAddress, block, access));
  const fault = c.let(c.load("i32.load", CPU.FAULT));
  c.if(wasmAddress.not(), () => {
    c.if(fault.eq(Fault.Stage1), () => exceptionBank(c, library).store("i64.store", CPU.FAR_EL1, va));
    c.if(fault.gtU(Fault.Stage1), () => c.store("i64.store", CPU.EXIT_FAR, va));
  });
  c.result(wasmAddress);
}

/** Instruction fetch. */
function defineFetch(library: Library, features: ReadonlySet<FeatureName>): void {
  {
    const c = new Code(defineFunction(library, "fetchAddress"));
    const va = c.parameter(0);
    c.if(va.wrap().and(INSTRUCTION_SIZE - 1), () => {
      exceptionBank(c, library).store("i64.store", CPU.FAR_EL1, va);
      c.run(exceptionFunction(library, "raiseFrom"), syndrome(ExceptionClass.PcAlignment, 0), va);
      c.return(zero);
    });
    const access = AccessKind.Execute | INSTRUCTION_SIZE;
    const wasmAddress = c.let(c.call(mmuFunction(library, "translate"), va, access));
    c.if(wasmAddress.not(), () => c.run(raiseAbort(library), va, access));
    c.result(wasmAddress);
  }
  {
    const c = new Code(defineFunction(library, "fillFetch"));
    const va = c.parameter(0);
    const entry = c.load("i32.load", CPU.TLB).add(fetchEntryOffset(va)).add(TlbSet.Fetch);
    const flags = c.let(entryFlags(c, library));
    if (features.has("FEAT_BTI")) {
      c.set(flags, flags.or(c.load("i32.load", CPU.WALK_RIGHTS).and(Rights.Guarded).nonZero().mul(TlbFlags.Guarded)));
    }
    c.run(tlbFunction(library, "tlbFillFetch"), entry, va, c.parameter(1), flags);
  }
  {
    const c = new Code(defineFunction(library, "fetchableAt"));
    const va = c.parameter(0);
    const watching = c.load("i32.load", CPU.WATCHING), counts = library.has("isCountedEntry");
    c.if(counts ? watching.and(Watching.Breakpoints) : watching, () => c.return(zero));
    const access = AccessKind.Execute | INSTRUCTION_SIZE | speculative(features);
    const wasmAddress = c.let(c.call(mmuFunction(library, "translate"), va, access));
    c.if(wasmAddress.not(), () => c.return(zero));
    const page = c.let(c.call(callee(library, "isCodePage"), wasmAddress));
    if (counts) {
      c.if(page.not(), () => c.return(zero));
      c.if(c.call(callee(library, "isCountedEntry"), va, page).not(), () => c.return(zero));
    }
    c.if(page, () => c.run(callee(library, "fillFetch"), va, page));
    c.result(page);
  }
}

/** SP's alignment, where it is checked. */
function defineSpAlignment(library: Library): void {
  const c = new Code(defineFunction(library, "raiseSpAlignment"));
  const el1 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask);
  const checked = el1.select(constant("i32", Sctlr.SA), Sctlr.SA0).and(regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1));
  const misaligned = c.load("i32.load", xAddress(Slot.SP)).and(SP_ALIGNMENT - 1);
  c.if(
    checked.nonZero().and(misaligned.nonZero()),
    () => c.run(exceptionFunction(library, "raise"), syndrome(ExceptionClass.SpAlignment, 0)),
  );
}
