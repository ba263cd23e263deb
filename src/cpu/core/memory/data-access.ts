// Parts of a memory access that the inline TLB compare does not serve: alignment, watchpoints, the
// entry in the soft TLB, crossing a page. Arm ARM B2.5 (alignment).

import type { FeatureName } from "../../isa/cpus/features.ts";
import { Sctlr } from "../architecture/exceptions.ts";
import { Watch } from "../debug/watchpoints.ts";
import { leave } from "../exceptions/exception-entry.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { regimeBank } from "../state/banks.ts";
import { CPU, DataEntry, TlbSet } from "../state/cpu-state.ts";
import { Access, callee } from "../state/functions.ts";
import { dataEntryOffset, dataFlagsOffset, DISABLING_BIT, TlbFlags } from "../state/tlb-layout.ts";
import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { raiseAbort, raiseAlignmentFault } from "./aborts.ts";
import { isAtomic, noteDeviceAtomic } from "./device-atomics.ts";
import { misalignmentOf, mmuFunction, Rights, speculative } from "./mmu.ts";
import { AccessKind } from "./translation.ts";
import { tlbFunction } from "./tlb.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const zero = constant("i32", 0);
/** The offset of an address in its page. */
export const inPage = (va: Value): Value => va.wrap().and(PAGE_SIZE - 1);
const flag = (word: Value, mask: number) => word.and(mask).nonZero();

/** Bytes of an access. */
export const sizeOf = (access: Value): Value => access.and(Access.SizeMask);

/**
 * Whether a TLB entry that requires alignment must not serve an access: it is misaligned, or DC
 * ZVA, which Device memory refuses.
 */
const wantsNormal = (misaligned: Value, access: Value): Value => misaligned.or(access.and(Access.Zero));

/** Whether an access is to two pages. */
export const crosses = (va: Value, access: Value): Value => inPage(va).add(sizeOf(access)).gtU(PAGE_SIZE);

/** Copies bytes inside the Wasm memory. */
export function copy(c: Code, to: Value, from: Value, bytes: Value): void {
  for (const value of [to, from, bytes]) value.emit(c.f);
  c.f.memoryCopy();
}

/**
 * Whether the latest translation, for a write, must not enter a TLB, since TLB entries are readable
 * too.
 */
export const writeOnly = (c: Code): Value => c.load("i32.load", CPU.WALK_RIGHTS).and(Rights.Unreadable);

/** Flags of a TLB entry for the latest translation. */
export function entryFlags(c: Code, library: Library): Value {
  const rights = c.let(c.load("i32.load", CPU.WALK_RIGHTS));
  const aligned = regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1).and(Sctlr.A).or(rights.and(Rights.Device)).nonZero();
  return flag(rights, Rights.NonGlobal).mul(TlbFlags.NonGlobal).or(flag(rights, Rights.Block).mul(TlbFlags.Block))
    .or(flag(rights, Rights.Giant).mul(TlbFlags.Giant)).or(aligned.mul(TlbFlags.Aligned)).or(
      flag(rights, Rights.Device).mul(TlbFlags.Device),
    );
}

/** An entry of Read or Write as an access sees it. */
interface DataEntryAccess {
  readonly flags: Value;
  /** The Wasm address that it leads to. */
  readonly wasmAddress: Value;
  /** It serves the access, which may be misaligned. */
  serves(misaligned: Value): Value;
  /** It would, if inline compares did not have to miss it. */
  servesSlowly(misaligned: Value): Value;
  /** The same, but an invalidation may have missed it. */
  isSuspect(misaligned: Value): Value;
  /** Enters the latest translation, to the Wasm address of `va`. */
  fill(wasmAddress: Value, flags: Value): void;
}

/** The two parts of an access that crosses a page: Wasm addresses, and bytes. */
interface Crossing {
  readonly first: Local;
  readonly second: Local;
  readonly firstSize: Local;
  readonly secondSize: Local;
}

/**
 * The parts of functions for memory accesses. `access` is a descriptor: `Access`, `AccessKind`
 * and the size.
 */
export class DataAccess {
  /** (va, access) -> Wasm address, or 0 with a fault. */
  readonly translate;
  readonly #abort;

  /** @param watched the import that returns the watchpoints' verdict on an access, `Watch` */
  constructor(readonly library: Library, readonly watched: number, readonly features: ReadonlySet<FeatureName>) {
    this.translate = mmuFunction(library, "translate");
    this.#abort = raiseAbort(library);
  }

  /** `translate` of an access that may never follow. */
  tryTranslate(c: Code, va: Value, access: Value): Value {
    const kind = speculative(this.features);
    return c.call(this.translate, va, kind ? access.or(kind) : access);
  }

  /**
   * The misalignment of `va`. Where alignment is required whatever the memory is, the function ends
   * in the fault: it comes before the MMU's.
   */
  misalignment(c: Code, va: Local, access: Value): Local {
    const misaligned = c.let(misalignmentOf(va, access));
    c.if(misaligned, () => {
      c.if(this.#isRequired(c, va, access).or(this.#sctlr(c).and(Sctlr.A)), () => {
        c.run(raiseAlignmentFault(this.library), va, access);
        c.return(zero);
      });
    });
    return misaligned;
  }

  /** SCTLR of the regime in use. */
  #sctlr(c: Code): Value {
    return regimeBank(c, this.library).load("i32.load", CPU.SCTLR_EL1);
  }

  /** Whether a misaligned access faults even without SCTLR_EL1.A. Arm ARM B2.5.2. */
  #isRequired(c: Code, va: Local, access: Value): Value {
    const aligned = access.and(Access.Aligned);
    if (!this.features.has("FEAT_LSE2")) return aligned;
    const twoBlocks = va.wrap().and(15).add(access.and(Access.SizeMask)).gtU(16);
    const permitted = access.and(Access.Ordered).nonZero().and(this.#sctlr(c).and(Sctlr.nAA).nonZero());
    return aligned.nonZero().and(twoBlocks).and(permitted.not());
  }

  /**
   * Notes an exclusive or atomic access if it is to Device memory; ends the function with 0 if that
   * ends the run.
   * @param flags of its TLB entry
   */
  noteDevice(c: Code, va: Value, access: Value, flags: Value): void {
    c.if(isAtomic(access).and(flag(flags, TlbFlags.Device)), () => {
      c.if(c.call(noteDeviceAtomic(this.library), va), () => c.return(zero));
    });
  }

  /**
   * Ends the function with 0 if such an access has to be noted: only the interpreter can do that,
   * as it knows the PC.
   */
  leaveUnnoted(c: Code, access: Value, flags: Value): void {
    const isNoted = c.load("i32.load", CPU.DEVICE_ATOMIC);
    c.if(isAtomic(access).and(flag(flags, TlbFlags.Device)), () => c.if(isNoted.not(), () => c.return(zero)));
  }

  /** The verdict of the watchpoints on an access of so many bytes inside one page, `Watch`. */
  look(c: Code, va: Value, access: Value, wasmAddress: Value, size = sizeOf(access)): Local {
    const found = c.local("i32");
    c.set(found, Watch.None);
    c.if(c.load("i32.load", CPU.WATCHING_DATA), () => {
      c.if(this.isBeside(c, access, wasmAddress, size), () => c.set(found, Watch.Page), () => {
        for (const value of [va, access, wasmAddress, size]) value.emit(c.f);
        c.f.call(this.watched).set(found.index);
      });
    });
    return found;
  }

  /** Whether a write of so many bytes is in a page with watched memory, and not to that. */
  isBeside(c: Code, access: Value, wasmAddress: Value, size: Value): Value {
    const start = c.load("i32.load", CPU.WATCH_START), end = c.load("i32.load", CPU.WATCH_END), page = c.let(wasmAddress.shrU(PAGE_SHIFT));
    const isInPage = page.geU(start.shrU(PAGE_SHIFT)).and(page.leU(end.sub(1).shrU(PAGE_SHIFT)));
    const misses = wasmAddress.geU(end).or(wasmAddress.add(size).leU(start));
    return flag(access, AccessKind.Write).and(end.nonZero()).and(isInPage).and(misses);
  }

  /**
   * The verdict of the watchpoints on an access after its translation; ends the function with
   * `result` where one stops the access. An access with a verdict other than zero must not enter a
   * TLB.
   */
  watch(c: Code, va: Value, access: Value, wasmAddress: Value, size = sizeOf(access), result: Value = zero): Local {
    const found = this.look(c, va, access, wasmAddress, size);
    c.if(found.eq(Watch.Hit), () => {
      c.run(leave(this.library), ExitReason.Watchpoint, 0, c.call(callee(this.library, "currentPc")));
      c.return(result);
    });
    return found;
  }

  /** Whether a region leaves a write of `size` bytes to the interpreter, which may stop. */
  mayStop(c: Code, va: Value, access: Value, wasmAddress: Value, size: Value): Value {
    const found = this.look(c, va, access, wasmAddress, size);
    return found.nonZero().and(this.isBeside(c, access, wasmAddress, size).not());
  }

  /** The entry of `va` in one of the data tables of the regime that `access` is checked in. */
  entryOf(c: Code, va: Value, access: Value, table: "Read" | "Write"): DataEntryAccess {
    const set = c.let(access.and(Access.Unprivileged).select(c.load("i32.load", CPU.TLB_UNPRIVILEGED), c.load("i32.load", CPU.TLB)));
    const entry = c.let(c.load("i64.load", set.add(dataEntryOffset(va)), TlbSet[table]));
    const flags = c.load("i32.load8_u", set.add(dataFlagsOffset(va)), TlbSet[`${table}Flags`]);
    const wasmAddress = va.wrap().add(entry.wrap().shl(DataEntry.DistanceShift));
    const permits = (misaligned: Value) => wantsNormal(misaligned, access).not().or(flags.and(TlbFlags.Aligned).not());
    const slowly = (misaligned: Value, flag: number) =>
      entry.xor(va).and(DataEntry.TagMask).eq(DISABLING_BIT).and(flags.and(flag).nonZero()).and(permits(misaligned));
    return {
      flags,
      wasmAddress,
      serves: (misaligned: Value) => entry.xor(va).and(DataEntry.TagMask).not().and(permits(misaligned)),
      servesSlowly: (misaligned: Value) => slowly(misaligned, TlbFlags.Slow),
      isSuspect: (misaligned: Value) => slowly(misaligned, TlbFlags.Suspect),
      fill: (wasmAddress: Value, flags: Value) =>
        c.run(tlbFunction(this.library, "tlbFillData"), set, va, wasmAddress.sub(va.wrap()), flags, table === "Write" ? 1 : 0),
    };
  }

  /**
   * Wasm addresses of the two parts of an access that crosses a page, and the size of the first;
   * ends the function in the fault of the first part that has one. The second is translated at an
   * address that is as misaligned as the access, for Device memory's sake.
   */
  crossing(c: Code, va: Local, access: Value, misaligned: Value): Crossing {
    const firstSize = c.let(constant("i32", PAGE_SIZE).sub(inPage(va)));
    const secondVa = c.let(va.add(firstSize.wide()));
    const first = c.let(c.call(this.translate, va, access));
    c.if(first.not(), () => {
      c.run(this.#abort, va, access);
      c.return(zero);
    });
    const second = c.let(c.call(this.translate, secondVa.add(misaligned.wide()), access));
    c.if(second.not(), () => {
      c.run(this.#abort, secondVa, access);
      c.return(zero);
    });
    c.set(second, second.sub(misaligned));
    const secondSize = c.let(sizeOf(access).sub(firstSize));
    const kind = c.let(access.and(~Access.SizeMask));
    this.watch(c, va, kind.or(firstSize), first);
    this.watch(c, secondVa, kind.or(secondSize), second);
    return { first, second, firstSize, secondSize };
  }
}
