// The way of a memory access that the inline TLB compare does not serve: unaligned, page-crossing, missing, to a device, or to a page with
// decoded instructions; and instruction fetch. Arm ARM B2.5 (alignment), D5.10 (faults), D13.2.37 (syndromes of aborts).
//
// What EL1 hears of is raised here; what EL2 hears of leaves the core without the instruction's part of the syndrome (ISV, SAS, SRT and so
// on), which `load-store-syndrome.ts` adds from the encoding once the core has stopped.

import { CPU, DataEntry, Pending, Slot, TlbSet, xAddress } from "./cpu-record.ts";
import { exceptionFunction } from "./exception-entry.ts";
import { AbortSyndrome, ExceptionClass, FaultStatus, Pstate, Sctlr, syndrome } from "./exceptions.ts";
import { Access, callee, define as defineFunction } from "./functions.ts";
import { ExitReason } from "./interface.ts";
import type { Library } from "./library.ts";
import { AccessKind, Fault, mmuFunction, Rights } from "./mmu.ts";
import {
  dataEntryOffset,
  dataFlagsOffset,
  DISABLING_BIT,
  fetchEntryOffset,
  markWriteMapped,
  TlbFlags,
  tlbFunction,
  type TlbPoolLayout,
} from "./tlb.ts";
import { SP_ALIGNMENT } from "./interpreter/meaning.ts";
import { Watch } from "./watchpoints.ts";
import { Code, constant, type Local, type Value } from "./wasm/expression.ts";

const PAGE_SIZE = 4096;
const INSTRUCTION_SIZE = 4;

const zero = constant("i32", 0);
const sizeOf = (access: Value) => access.and(Access.SizeMask);
const inPage = (va: Value) => va.wrap().and(PAGE_SIZE - 1);
const flag = (word: Value, mask: number) => word.and(mask).nonZero();

/** Gives the memory functions of the seam their bodies: slow loads and stores, `slowAddress`, instruction fetch. */
export function defineMemoryAccess(library: Library, pool: TlbPoolLayout, watched: number): void {
  const translate = mmuFunction(library, "translate");
  const fill = tlbFunction(library, "tlbFillData");
  const dropRecords = callee(library, "dropRecords");
  const isCodePage = callee(library, "isCodePage"), holdsRecords = callee(library, "holdsRecords");
  defineAborts(library);
  const abort = raiseAbort(library);
  const alignmentFault = library.get("raiseAlignmentFault", ["i64", "i32"], []);

  /** The misalignment of `va`. Where alignment is required whatever the memory is, the function ends in the fault: it comes before the MMU's. */
  const misalignment = (c: Code, va: Local, access: Value) => {
    const misaligned = c.let(va.wrap().and(sizeOf(access).sub(1)));
    c.if(misaligned, () => {
      c.if(access.and(Access.Aligned).or(c.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.A)), () => {
        c.run(alignmentFault, va, access);
        c.return(zero);
      });
    });
    return misaligned;
  };
  const leave = library.get("leave", ["i32", "i32", "i64"], []);
  /** What the watchpoints say of an access inside one page, `Watch`. */
  const look = (c: Code, va: Value, access: Value) => {
    const found = c.local("i32");
    c.set(found, Watch.None);
    c.if(c.load("i32.load", CPU.WATCHING_DATA), () => {
      va.emit(c.f);
      access.emit(c.f);
      c.f.call(watched).set(found.index);
    });
    return found;
  };
  /** The same, behind a translation; ends the function where a watchpoint stops the access. What is not zero must not get into a TLB. */
  const watch = (c: Code, va: Value, access: Value) => {
    const found = look(c, va, access);
    c.if(found.eq(Watch.Hit), () => {
      c.run(leave, ExitReason.Watchpoint, 0, c.call(callee(library, "currentPc")));
      c.return(zero);
    });
    return found;
  };
  /** Whether the latest translation, for a write, must get into no TLB: what is there may be read as well. */
  const writeOnly = (c: Code) => c.load("i32.load", CPU.WALK_RIGHTS).and(Rights.Unreadable);
  /** Flags of an entry for the latest translation. */
  const entryFlags = (c: Code) => {
    const rights = c.let(c.load("i32.load", CPU.WALK_RIGHTS));
    const aligned = c.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.A).or(rights.and(Rights.Device)).nonZero();
    return flag(rights, Rights.NonGlobal).mul(TlbFlags.NonGlobal).or(flag(rights, Rights.Block).mul(TlbFlags.Block))
      .or(flag(rights, Rights.Giant).mul(TlbFlags.Giant)).or(aligned.mul(TlbFlags.Aligned));
  };
  /** The entry of `va` in one of the data tables of the regime that `access` is checked in. */
  const entryOf = (c: Code, va: Value, access: Value, table: "Read" | "Write") => {
    const set = c.let(access.and(Access.Unprivileged).select(c.load("i32.load", CPU.TLB_UNPRIVILEGED), c.load("i32.load", CPU.TLB)));
    const entry = c.let(c.load("i64.load", set.add(dataEntryOffset(va)), TlbSet[table]));
    const flags = c.load("i32.load8_u", set.add(dataFlagsOffset(va)), TlbSet[`${table}Flags`]);
    const host = va.wrap().add(entry.wrap().shl(DataEntry.DistanceShift));
    const permits = (misaligned: Value) => misaligned.not().or(flags.and(TlbFlags.Aligned).not());
    return {
      flags,
      host,
      /** It serves the access, which may be misaligned. */
      serves: (misaligned: Value) => entry.xor(va).and(DataEntry.TagMask).not().and(permits(misaligned)),
      /** It would, if inline compares did not have to miss it. */
      servesSlowly: (misaligned: Value) =>
        entry.xor(va).and(DataEntry.TagMask).eq(DISABLING_BIT).and(flags.and(TlbFlags.Slow).nonZero()).and(permits(misaligned)),
      /** Enters the latest translation, to the host address of `va`. */
      fill: (host: Value, flags: Value) => c.run(fill, set, va, host.sub(va.wrap()), flags, table === "Write" ? 1 : 0),
      set,
    };
  };
  const copy = (c: Code, to: Value, from: Value, bytes: Value) => {
    for (const value of [to, from, bytes]) value.emit(c.f);
    c.f.memoryCopy();
  };

  /**
   * Host addresses of the two parts of an access that crosses a page, and the size of the first; ends the function in the fault of the
   * first part that has one. The second is translated at an address that is as misaligned as the access, for Device memory's sake.
   */
  const crossing = (c: Code, va: Local, access: Value, misaligned: Value) => {
    const firstSize = c.let(constant("i32", PAGE_SIZE).sub(inPage(va)));
    const secondVa = c.let(va.add(firstSize.wide()));
    const first = c.let(c.call(translate, va, access));
    c.if(first.not(), () => {
      c.run(abort, va, access);
      c.return(zero);
    });
    const second = c.let(c.call(translate, secondVa.add(misaligned.wide()), access));
    c.if(second.not(), () => {
      c.run(abort, secondVa, access);
      c.return(zero);
    });
    c.set(second, second.sub(misaligned));
    const secondSize = c.let(sizeOf(access).sub(firstSize));
    const kind = c.let(access.and(~Access.SizeMask));
    watch(c, va, kind.or(firstSize));
    watch(c, secondVa, kind.or(secondSize));
    return { first, second, firstSize, secondSize };
  };
  const crosses = (va: Value, access: Value) => inPage(va).add(sizeOf(access)).gtU(PAGE_SIZE);

  // (va, access) -> where the bytes of a read are, or 0: in RAM, or in CPU.CROSSING when they are from two pages.
  const readAddress = library.define("readAddress", ["i64", "i32"], ["i32"]);
  {
    const c = new Code(readAddress);
    const va = c.parameter(0), access = c.parameter(1);
    const misaligned = misalignment(c, va, access);
    c.if(crosses(va, access), () => {
      const { first, second, firstSize, secondSize } = crossing(c, va, access, misaligned);
      copy(c, constant("i32", CPU.CROSSING), first, firstSize);
      copy(c, firstSize.add(CPU.CROSSING), second, secondSize);
      c.return(constant("i32", CPU.CROSSING));
    });
    const entry = entryOf(c, va, access, "Read");
    c.if(entry.serves(misaligned), () => c.return(entry.host));
    const host = c.let(c.call(translate, va, access));
    c.if(
      host,
      () => c.if(watch(c, va, access).not(), () => entry.fill(host, entryFlags(c))),
      () => c.run(abort, va, access),
    );
    c.result(host);
  }

  // (va, access) -> host address in RAM for a write inside one page, or 0. Decoded instructions there are dropped.
  const writeAddress = library.define("writeAddress", ["i64", "i32"], ["i32"]);
  {
    const c = new Code(writeAddress);
    const va = c.parameter(0), access = c.parameter(1);
    c.set(access, access.or(AccessKind.Write));
    const misaligned = misalignment(c, va, access);
    const entry = entryOf(c, va, access, "Write");
    const host = c.local("i32"), flags = c.local("i32");
    c.if(entry.serves(misaligned).or(entry.servesSlowly(misaligned)), () => {
      c.set(host, entry.host);
      c.set(flags, entry.flags.and(~(TlbFlags.Slow | TlbFlags.Unlisted)));
    }, () => {
      c.set(host, c.call(translate, va, access));
      c.if(host.not(), () => {
        c.run(abort, va, access);
        c.return(zero);
      });
      c.if(watch(c, va, access).or(writeOnly(c)), () => {
        c.if(c.call(isCodePage, host), () => c.run(dropRecords, host, sizeOf(access)));
        c.return(host);
      });
      c.set(flags, entryFlags(c));
      markWriteMapped(c, host, pool);
    });
    // Whether the next store may go past this function.
    c.if(c.call(isCodePage, host), () => {
      c.run(dropRecords, host, sizeOf(access));
      c.if(c.call(isCodePage, host), () => c.set(flags, flags.or(TlbFlags.Slow)));
    });
    entry.fill(host, flags);
    c.result(host);
  }

  // (va, access): stores the bytes in CPU.CROSSING to two pages.
  const crossingStore = library.define("crossingStore", ["i64", "i32"], ["i32"]);
  {
    const c = new Code(crossingStore);
    const va = c.parameter(0), access = c.parameter(1);
    c.set(access, access.or(AccessKind.Write));
    const misaligned = misalignment(c, va, access);
    const { first, second, firstSize, secondSize } = crossing(c, va, access, misaligned);
    for (const [host, size] of [[first, firstSize], [second, secondSize]]) {
      c.if(c.call(isCodePage, host), () => c.run(dropRecords, host, size));
    }
    copy(c, first, constant("i32", CPU.CROSSING), firstSize);
    copy(c, second, firstSize.add(CPU.CROSSING), secondSize);
    c.result(constant("i32", 1));
  }

  {
    const c = new Code(defineFunction(library, "readableAt"));
    const va = c.parameter(0), access = c.parameter(1);
    const misaligned = c.let(va.wrap().and(sizeOf(access).sub(1)));
    const strict = access.and(Access.Aligned).or(c.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.A));
    c.if(misaligned.nonZero().and(strict.nonZero()).or(crosses(va, access)), () => c.return(zero));
    const entry = entryOf(c, va, access, "Read");
    c.if(entry.serves(misaligned), () => c.return(entry.host));
    const host = c.let(c.call(translate, va, access));
    c.if(host, () => {
      c.if(look(c, va, access), () => c.return(zero));
      entry.fill(host, entryFlags(c));
    });
    c.result(host);
  }
  {
    const c = new Code(defineFunction(library, "writableAt"));
    const va = c.parameter(0), access = c.parameter(1);
    c.set(access, access.or(AccessKind.Write));
    const misaligned = c.let(va.wrap().and(sizeOf(access).sub(1)));
    const strict = access.and(Access.Aligned).or(c.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.A));
    c.if(misaligned.nonZero().and(strict.nonZero()).or(crosses(va, access)), () => c.return(zero));
    const entry = entryOf(c, va, access, "Write"), host = c.local("i32");
    c.if(entry.serves(misaligned), () => c.return(entry.host));
    // Data beside code: the page is not write-mapped.
    c.if(entry.servesSlowly(misaligned), () => {
      c.set(host, entry.host);
      c.return(c.call(holdsRecords, host, sizeOf(access)).select(zero, host));
    });
    c.set(host, c.call(translate, va, access));
    c.if(host.not(), () => c.return(zero));
    c.if(c.call(isCodePage, host), () => c.return(zero));
    c.if(look(c, va, access).or(writeOnly(c)), () => c.return(zero));
    entry.fill(host, entryFlags(c));
    markWriteMapped(c, host, pool);
    c.result(host);
  }
  {
    const c = new Code(defineFunction(library, "slowLoad"));
    const host = c.let(c.call(readAddress, c.parameter(0), c.parameter(1)));
    const size = c.let(sizeOf(c.parameter(1)));
    for (const [bytes, load] of [[1, "i64.load8_u"], [2, "i64.load16_u"], [4, "i64.load32_u"]] as const) {
      c.if(size.eq(bytes), () => c.return(c.load(load, host)));
    }
    c.result(c.load("i64.load", host));
  }
  {
    const c = new Code(defineFunction(library, "slowLoad16"));
    c.result(c.load("v128.load", c.call(readAddress, c.parameter(0), c.parameter(1))));
  }
  {
    const c = new Code(defineFunction(library, "slowStore"));
    const va = c.parameter(0), access = c.parameter(1), value = c.parameter(2);
    c.if(crosses(va, access), () => {
      c.store("i64.store", CPU.CROSSING, value);
      c.drop(c.call(crossingStore, va, access));
      c.return();
    });
    const host = c.let(c.call(writeAddress, va, access));
    c.if(host.not(), () => c.return());
    const size = c.let(sizeOf(access));
    for (const [bytes, store] of [[1, "i64.store8"], [2, "i64.store16"], [4, "i64.store32"], [8, "i64.store"]] as const) {
      c.if(size.eq(bytes), () => c.store(store, host, value));
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
    const host = c.let(c.call(writeAddress, va, access));
    c.if(host, () => c.store("v128.store", host, value));
  }
  {
    const c = new Code(defineFunction(library, "slowAddress"));
    const access = c.parameter(1);
    const kind = access.and(Access.Zero).select(zero, constant("i32", AccessKind.ReadModifyWrite));
    c.result(c.call(writeAddress, c.parameter(0), access.or(kind)));
  }
  {
    const c = new Code(defineFunction(library, "fetchAddress"));
    const va = c.parameter(0);
    c.if(va.wrap().and(INSTRUCTION_SIZE - 1), () => {
      c.store("i64.store", CPU.FAR_EL1, va);
      c.run(exceptionFunction(library, "raiseFrom"), syndrome(ExceptionClass.PcAlignment, 0), va);
      c.return(zero);
    });
    const access = AccessKind.Execute | INSTRUCTION_SIZE;
    const host = c.let(c.call(translate, va, access));
    c.if(host.not(), () => c.run(abort, va, access));
    c.result(host);
  }
  {
    const c = new Code(defineFunction(library, "fillFetch"));
    const va = c.parameter(0);
    const entry = c.load("i32.load", CPU.TLB).add(fetchEntryOffset(va)).add(TlbSet.Fetch);
    c.run(tlbFunction(library, "tlbFillFetch"), entry, va, c.parameter(1), entryFlags(c));
  }
  {
    const c = new Code(defineFunction(library, "raiseSpAlignment"));
    const el1 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask);
    const checked = el1.select(constant("i32", Sctlr.SA), Sctlr.SA0).and(c.load("i32.load", CPU.SCTLR_EL1));
    const misaligned = c.load("i32.load", xAddress(Slot.SP)).and(SP_ALIGNMENT - 1);
    c.if(
      checked.nonZero().and(misaligned.nonZero()),
      () => c.run(exceptionFunction(library, "raise"), syndrome(ExceptionClass.SpAlignment, 0)),
    );
  }
}

/** (va i64, access i32): takes the fault that the latest translation left, to EL1 or to EL2. */
export const raiseAbort = (library: Library) => library.get("raiseAbort", ["i64", "i32"], []);

/** Defines `raiseAbort` and `raiseAlignmentFault`. */
function defineAborts(library: Library): void {
  const abort = library.define("raiseAbort", ["i64", "i32"], []);
  {
    const c = new Code(abort);
    const va = c.parameter(0), access = c.parameter(1);
    const fault = c.let(c.load("i32.load", CPU.FAULT));
    const execute = c.let(access.and(AccessKind.Execute));
    // A walk only reads; an atomic reads first, so it is a write to blame only where a read would have been allowed.
    const status = c.let(c.load("i32.load", CPU.FAULT_STATUS));
    const blamesWrite = c.let(flag(access, AccessKind.Write).and(fault.ne(Fault.Stage2OnWalk)));
    c.if(blamesWrite, () => {
      c.if(isReadModifyWrite(c.let(c.call(callee(library, "currentWord")))), () => {
        const readable = c.call(mmuFunction(library, "translate"), va, access.and(~AccessKind.Write)).nonZero();
        c.set(blamesWrite, status.ne(FaultStatus.Alignment).and(readable));
      });
    });
    const maintenance = flag(access, AccessKind.Maintenance).mul(AbortSyndrome.Cm | AbortSyndrome.WnR);
    const iss = c.let(status.or(blamesWrite.mul(AbortSyndrome.WnR)).or(maintenance));
    // No instruction comes from a device: an external abort.
    c.if(fault.eq(Fault.Bus).and(execute.nonZero()), () => {
      c.set(fault, Fault.Stage1);
      c.set(iss, FaultStatus.External);
    });
    const pc = c.local("i64");
    c.if(execute, () => c.set(pc, va), () => c.set(pc, c.call(callee(library, "currentPc"))));
    const esr = (data: number, fetch: number) => execute.select(constant("i32", syndrome(fetch, 0)), syndrome(data, 0)).or(iss);
    c.if(fault.eq(Fault.Stage1), () => {
      const el1 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask);
      c.store("i64.store", CPU.FAR_EL1, va);
      c.run(
        exceptionFunction(library, "raiseFrom"),
        el1.select(
          esr(ExceptionClass.DataAbort, ExceptionClass.InstructionAbort),
          esr(ExceptionClass.DataAbortLower, ExceptionClass.InstructionAbortLower),
        ),
        pc,
      );
      c.return();
    });
    c.store("i32.store", CPU.EXIT_REASON, fault.eq(Fault.Bus).select(constant("i32", ExitReason.Bus), ExitReason.Trap));
    const onWalk = fault.eq(Fault.Stage2OnWalk).mul(AbortSyndrome.S1ptw);
    c.store("i32.store", CPU.EXIT_ESR, esr(ExceptionClass.DataAbortLower, ExceptionClass.InstructionAbortLower).or(onWalk));
    c.if(execute.not(), () => c.store("i32.store", CPU.EXIT_WORD, c.call(callee(library, "currentWord"))));
    c.store("i64.store", CPU.EXIT_FAR, va);
    c.store("f64.store", CPU.EXIT_IPA, c.load("i64.load", CPU.WALK_IPA).op("f64.convert_i64_u", "f64"));
    c.store("f64.store", CPU.EXIT_PA, c.load("i64.load", CPU.WALK_PA).op("f64.convert_i64_u", "f64"));
    c.store("i64.store", CPU.PC, pc);
    c.store("i32.store", CPU.PENDING, constant("i32", Pending.Exit));
  }
  // (va, access)
  {
    const c = new Code(library.define("raiseAlignmentFault", ["i64", "i32"], []));
    c.store("i32.store", CPU.FAULT, constant("i32", Fault.Stage1));
    c.store("i32.store", CPU.FAULT_STATUS, constant("i32", FaultStatus.Alignment));
    c.run(abort, c.parameter(0), c.parameter(1));
  }
}

/** An LSE atomic or a compare and swap (C4.1.66 "Atomic memory operations", "Compare and swap", "Compare and swap pair"). */
function isReadModifyWrite(word: Value): Value {
  const matches = (mask: number, value: number) => word.and(mask).eq(value);
  return matches(0x3b200c00, 0x38200000).or(matches(0x3fa07c00, 0x08a07c00)).or(matches(0xbfa07c00 | 0, 0x08207c00));
}
