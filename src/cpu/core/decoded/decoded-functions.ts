// Decoded instructions inside Wasm: finding them by PC, stores into code, the exact end
// of a budget, and what callees ask about the instruction in progress. The TypeScript half is
// decoded-pages.ts. docs/design/decisions.md §9 (self-modifying code, exact counting).

import type { FeatureName } from "../../isa/cpus/features.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { CPU, FetchEntry, Pending, TlbSet, Watching } from "../state/cpu-state.ts";
import { callee, define } from "../state/functions.ts";
import {
  CODE_PAGES,
  DECODED_OWNERS,
  DECODED_PAGE_SIZE,
  DECODED_PAGES,
  DECODED_REGIONS,
  DECODED_STORES,
  FIRST_HANDLERS,
  INSTRUCTIONS_PER_PAGE,
  LANDINGS,
  STORES_BEFORE_RELEASE,
} from "../state/layout.ts";
import { fetchEntryOffset } from "../state/tlb-layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { countsInstructions } from "./execution-counters.ts";
import { Handler } from "./handlers.ts";
import { landingCounter } from "./landings.ts";
import { DECODED_SIZE } from "./operands.ts";

/** Functions of TypeScript that the module imports. */
interface DecodedImports {
  /** (Wasm address of a page) -> address of its decoded page, a fresh one. */
  readonly allocateDecoded: number;
  /** (address of a decoded page): releases it; nothing may be executing in it. */
  readonly releaseDecoded: number;
  /**
   * (address of a decoded page, first, end): these instructions change; it has regions of the
   * translator.
   */
  readonly regionsWritten: number;
  /**
   * (virtual address, Wasm address of its page): execution enters the page, which `Watching` asks
   * for.
   */
  readonly pageEntered: number;
}

/** Weight of a store that changes an instruction, in stores of data to a page with code. */
const STORE_INTO_CODE = 0x100;

/** The longest straight line: with less budget than this left, the STOP handler marks the end. */
export const STRAIGHT_LINE = DECODED_PAGE_SIZE;

/**
 * Defines the functions of decoded instructions: those of the seam, `lookup`, `armStop` and
 * `disarmStop`.
 */
export function defineDecoded(library: Library, imports: DecodedImports, features: ReadonlySet<FeatureName>): void {
  defineLookups(library, imports, features.has("FEAT_BTI"));
  defineStop(library);
  defineChanges(library, imports);
  definePlace(library);
}

function code(library: Library, name: string, parameters: ("i32" | "i64")[], results: ("i32" | "i64")[], exported = false): Code {
  return new Code(library.define(name, parameters, results, exported));
}

const codePageEntry = (wasmAddress: Value) => wasmAddress.shrU(12).shl(2);
const decodedPageIndex = (ip: Value) => ip.sub(DECODED_PAGES.base).divU(DECODED_PAGE_SIZE);
const decodedAt = (page: Value, va: Value) => page.add(va.wrap().and(0xffc).shl(2));
/** The handler for the first instruction of what `handler` executes. */
const firstHandler = (c: Code, handler: Value) => c.load("i32.load16_u", handler.shl(1), FIRST_HANDLERS).xor(handler);

/**
 * From a virtual address to its decoded instruction.
 * @param guards whether the flags of its page are kept (FEAT_BTI)
 */
function defineLookups(library: Library, imports: DecodedImports, guards: boolean): void {
  /** The fetch entry at `at` is that of the page in execution. */
  const keepFlags = (c: Code, at: Value) => {
    if (guards) c.store("i32.store", CPU.PAGE_FLAGS, c.load("i32.load", at, TlbSet.Fetch + FetchEntry.Flags));
  };
  {
    const c = new Code(define(library, "isCodePage"));
    c.result(c.load("i32.load", codePageEntry(c.parameter(0)), CODE_PAGES));
  }
  {
    // (page of the virtual address, decoded page) -> (): makes it the page in execution.
    const c = code(library, "enterDecodedPage", ["i64", "i32"], []);
    c.store("i64.store", CPU.PC_DELTA, c.parameter(0).sub(c.parameter(1).shrU(2).wide()));
  }
  {
    // (va) -> the decoded instruction, or 0 with PENDING set when the fetch faults.
    const c = code(library, "slowLookup", ["i64"], ["i32"]);
    const va = c.parameter(0);
    c.set(va, c.call(callee(library, "branchTarget"), va));
    c.store("i64.store", CPU.PC, va);
    const wasmAddress = c.let(c.call(callee(library, "fetchAddress"), va));
    c.if(c.load("i32.load", CPU.PENDING), () => c.return(constant("i32", 0)));
    const entry = codePageEntry(wasmAddress);
    const page = c.let(c.load("i32.load", entry, CODE_PAGES));
    c.if(page.not(), () => {
      wasmAddress.and(-PAGE_SIZE).emit(c.f);
      c.f.call(imports.allocateDecoded).set(page.index);
      c.run(callee(library, "protectCodePage"), wasmAddress.and(-PAGE_SIZE));
    });
    const watching = c.load("i32.load", CPU.WATCHING);
    const isCounted = () => c.call(callee(library, "isCountedEntry"), va, page);
    c.if(countsInstructions(library) ? watching.and(Watching.Breakpoints).or(isCounted().not()) : watching, () => {
      // The instruction that gets a mark must not be the one that STOP hides.
      c.run(library.get("disarmStop", [], []));
      va.emit(c.f);
      wasmAddress.and(-PAGE_SIZE).emit(c.f);
      c.f.call(imports.pageEntered);
    });
    c.run(callee(library, "fillFetch"), va, page);
    keepFlags(c, c.load("i32.load", CPU.TLB).add(fetchEntryOffset(va)));
    c.run(library.named("enterDecodedPage"), va.and(-PAGE_SIZE), page);
    c.result(decodedAt(page, va));
  }
  {
    const c = code(library, "lookup", ["i64"], ["i32"]);
    const va = c.parameter(0);
    const fetch = c.let(c.load("i32.load", CPU.TLB).add(fetchEntryOffset(va)));
    // A misaligned PC misses.
    c.if(c.load("i64.load", fetch, TlbSet.Fetch + FetchEntry.Tag).ne(va.and(-PAGE_SIZE | 3)), () => {
      c.return(c.call(library.named("slowLookup"), va));
    });
    const page = c.let(c.load("i32.load", fetch, TlbSet.Fetch + FetchEntry.Decoded));
    keepFlags(c, fetch);
    c.store("i64.store", CPU.PC_DELTA, va.and(-PAGE_SIZE).sub(page.shrU(2).wide()));
    c.result(decodedAt(page, va));
  }
}

/** The STOP handler, where the budget ends. */
function defineStop(library: Library): void {
  {
    const c = code(library, "disarmStop", [], [], true);
    const stop = c.let(c.load("i32.load", CPU.STOP));
    c.if(stop, () => {
      // The page may have been given up since, and the decoded instruction before overwritten.
      c.if(c.load("i32.load16_u", stop).eq(Handler.Stop), () => {
        c.store("i32.store16", stop, c.load("i32.load", CPU.STOP_HANDLER));
        const fused = c.let(c.load("i32.load", CPU.STOP_FUSED_HANDLER));
        const before = stop.sub(DECODED_SIZE);
        c.if(fused.nonZero().and(c.load("i32.load16_u", before).eq(firstHandler(c, fused))), () => c.store("i32.store16", before, fused));
      });
      c.store("i32.store", CPU.STOP, constant("i32", 0));
    });
  }
  {
    // (ip, end) -> 1 when the budget is used up; otherwise the decoded instruction at `end` stops
    // execution, if it is in the page of `ip`.
    const c = code(library, "armStop", ["i32", "i32"], ["i32"]);
    const ip = c.parameter(0), end = c.parameter(1);
    c.run(library.named("disarmStop"));
    c.if(end.sub(ip).leS(0), () => c.return(constant("i32", 1)));
    const sentinel = decodedPageIndex(ip).mul(DECODED_PAGE_SIZE).add(DECODED_PAGES.base + INSTRUCTIONS_PER_PAGE * DECODED_SIZE);
    c.if(end.leU(sentinel), () => {
      c.store("i32.store", CPU.STOP, end);
      c.store("i32.store", CPU.STOP_HANDLER, c.load("i32.load16_u", end));
      c.store("i32.store16", end, constant("i32", Handler.Stop));
      // There is one before it in the page: the one at `ip` at least.
      const before = end.sub(DECODED_SIZE);
      const handler = c.let(c.load("i32.load16_u", before));
      const first = c.let(firstHandler(c, handler));
      c.store("i32.store", CPU.STOP_FUSED_HANDLER, first.ne(handler).select(handler, 0));
      c.store("i32.store16", before, first);
    });
    c.result(constant("i32", 0));
  }
}

/** Stores into pages that have decoded instructions. */
function defineChanges(library: Library, imports: DecodedImports): void {
  {
    const c = new Code(define(library, "ownerOf"));
    c.result(c.load("i32.load", decodedPageIndex(c.parameter(0)).shl(2), DECODED_OWNERS));
  }
  {
    const c = new Code(define(library, "holdsDecoded"));
    const wasmAddress = c.parameter(0), size = c.parameter(1);
    const page = c.let(c.load("i32.load", codePageEntry(wasmAddress), CODE_PAGES));
    c.if(page.not(), () => c.return(constant("i32", 0)));
    const index = decodedPageIndex(page).shl(2);
    const stores = c.let(c.load("i32.load", index, DECODED_STORES).add(1));
    c.store("i32.store", index, stores, DECODED_STORES);
    c.if(stores.gtS(0), () => {
      // Code that writes data within its own page stays.
      c.if(decodedPageIndex(c.load("i32.load", CPU.IP)).shl(2).ne(index), () => c.return(constant("i32", 1)));
      c.store("i32.store", index, constant("i32", -STORES_BEFORE_RELEASE), DECODED_STORES);
    });
    const decoded = c.let(page.add(wasmAddress.and(0xffc).shl(2)));
    const last = c.let(page.add(wasmAddress.add(size).sub(1).and(0xffc).shl(2)));
    c.doWhile(() => {
      c.if(c.load("i32.load16_u", decoded).ne(Handler.Decode), () => c.return(constant("i32", 1)));
      c.set(decoded, decoded.add(DECODED_SIZE));
    }, () => decoded.leU(last));
    c.result(constant("i32", 0));
  }
  {
    const c = new Code(define(library, "dropDecoded", true));
    const wasmAddress = c.parameter(0), size = c.parameter(1);
    const page = c.let(c.load("i32.load", codePageEntry(wasmAddress), CODE_PAGES));
    // Data in a page with code.
    c.if(c.call(callee(library, "holdsDecoded"), wasmAddress, size).not(), () => c.return());
    const index = c.let(decodedPageIndex(page));
    const stores = c.let(c.load("i32.load", index.shl(2), DECODED_STORES).add(STORE_INTO_CODE));
    c.store("i32.store", index.shl(2), stores, DECODED_STORES);
    const current = decodedPageIndex(c.load("i32.load", CPU.IP));
    c.if(stores.gtS(0).and(current.ne(index)), () => {
      page.emit(c.f);
      c.f.call(imports.releaseDecoded);
      c.return();
    });
    c.if(c.load("i32.load", index.shl(2), DECODED_REGIONS), () => {
      page.emit(c.f);
      wasmAddress.shrU(2).and(0x3ff).emit(c.f);
      wasmAddress.add(size).sub(1).shrU(2).and(0x3ff).add(1).emit(c.f);
      c.f.call(imports.regionsWritten);
    });
    const decoded = c.let(page.add(wasmAddress.and(0xffc).shl(2)));
    const last = c.let(page.add(wasmAddress.add(size).sub(1).and(0xffc).shl(2)));
    // A pair with the first of these words as its second instruction is parted.
    c.if(decoded.ne(page), () => {
      const before = decoded.sub(DECODED_SIZE);
      c.store("i32.store16", before, firstHandler(c, c.let(c.load("i32.load16_u", before))));
    });
    // The STOP handler stays; the instruction that it replaces is no longer decoded.
    c.if(
      c.load("i32.load", CPU.STOP).sub(decoded).leU(last.sub(decoded)),
      () => c.store("i32.store", CPU.STOP_HANDLER, constant("i32", 0)),
    );
    c.doWhile(() => {
      c.if(c.load("i32.load16_u", decoded).ne(Handler.Stop), () => c.store("i32.store16", decoded, constant("i32", Handler.Decode)));
      // Other code begins to be counted.
      c.store("i32.store16", landingCounter(decoded), constant("i32", 0), LANDINGS.base);
      c.set(decoded, decoded.add(DECODED_SIZE));
    }, () => decoded.leU(last));
  }
}

/** The place and time of the instruction in progress. */
function definePlace(library: Library): void {
  {
    const c = new Code(define(library, "currentPc"));
    c.result(c.load("i64.load", CPU.PC_DELTA).add(c.load("i32.load", CPU.IP).shrU(2).wide()));
  }
  {
    const c = new Code(define(library, "currentWord"));
    const ip = c.let(c.load("i32.load", CPU.IP));
    const index = c.let(decodedPageIndex(ip));
    const offset = ip.sub(index.mul(DECODED_PAGE_SIZE).add(DECODED_PAGES.base)).shrU(2);
    c.result(c.load("i32.load", c.load("i32.load", index.shl(2), DECODED_OWNERS).add(offset)));
  }
  {
    const c = new Code(define(library, "currentTime"));
    const left = c.load("i32.load", CPU.END).sub(c.load("i32.load", CPU.IP)).shrS(4);
    const now = c.load("f64.load", CPU.RUN_END).sub(left.op("f64.convert_i32_s", "f64"));
    c.result(now.max(c.load("f64.load", CPU.TIME_FLOOR)));
  }
  {
    const c = new Code(define(library, "leaveAfter"));
    c.store("i32.store", CPU.EXIT_REASON, c.parameter(0));
    c.store("i64.store", CPU.PC, c.call(callee(library, "currentPc")).add(4));
    c.store("i32.store", CPU.PENDING, constant("i32", Pending.Exit));
  }
}
