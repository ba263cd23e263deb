// The functions that the entries of cpu/isa/general/memory-copy-set.ts call (FEAT_MOPS). One call
// stays in a page. A call that takes an exception has changed nothing: the registers show the work
// of the calls before it.

import { ExceptionClass, Pstate, SCTLR_MSCEN_SHIFT, syndrome } from "../architecture/exceptions.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { CPU } from "../state/cpu-state.ts";
import { Access, callee } from "../state/functions.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { copy, type DataAccess, inPage } from "./data-access.ts";
import { AccessKind } from "./translation.ts";
import { noteMore } from "./written-words.ts";

/** The ISS of the exception. `WrongOption`: the flags are not those of option A. D19.2.37. */
const Iss = { Set: 1 << 24, OptionsShift: 19, Epilogue: 1 << 18, WrongOption: 1 << 17, OptionA: 1 << 16, DestinationShift: 10 } as const;
/** Options of a copy: its reads or its writes are unprivileged. A set has only the latter. */
const READS = 2, WRITES = 1;
/** Bits 23:22 of a set, and the number of an epilogue. */
const SET = 3, EPILOGUE = 2;

/** Of what copies and sets: the two addresses, or an address and a value; size, options. */
const PARAMETERS = ["i64", "i64", "i64", "i32"] as const;
/** Results in regions: the size that is left, and whether anything was done. */
const TRIED = ["i64", "i32"] as const;
const zero = constant("i32", 0), one = constant("i32", 1);

/** Defines the functions. */
export function defineMemoryOperations(library: Library, data: DataAccess): void {
  definePermission(library);
  defineRefusal(library);
  defineCopy(library, data);
  defineSet(library, data);
  defineTryCopy(library, data);
  defineTrySet(library, data);
}

/** `deniesMemoryOperation` (): whether they are UNDEFINED: at EL0, unless SCTLR_EL1.MSCEn. */
function definePermission(library: Library): void {
  const c = new Code(library.define("deniesMemoryOperation", [], ["i32"]));
  const atEl0 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).not();
  const enabled = c.load("i64.load", CPU.SCTLR_EL1).shrU(SCTLR_MSCEN_SHIFT).wrap().and(1);
  c.result(atEl0.and(enabled.not()));
}

/** `refuseMemoryOperation` (PSTATE.C): UNDEFINED, or the exception for an unexpected state. */
function defineRefusal(library: Library): void {
  const c = new Code(library.define("refuseMemoryOperation", ["i32"], []));
  c.if(c.call(library.named("deniesMemoryOperation")), () => {
    c.run(callee(library, "raiseUndefined"));
    c.return();
  });
  const defect = issOf(c, c.call(callee(library, "currentWord"))).or(c.parameter(0).mul(Iss.WrongOption));
  c.run(exceptionFunction(library, "raise"), defect.or(syndrome(ExceptionClass.MemoryOperation, 0)));
}

/** The ISS of a main part or an epilogue, by its fields. */
function issOf(c: Code, encoding: Value): Value {
  const word = c.let(encoding), field = (lowest: number, mask: number) => word.shrU(lowest).and(mask);
  const isSet = c.let(field(22, 3).eq(SET)), part = isSet.select(field(14, 3), field(22, 3));
  const options = field(12, 15).and(isSet.select(constant("i32", 3), 15));
  return part.eq(EPILOGUE).mul(Iss.Epilogue).or(isSet.mul(Iss.Set)).or(options.shl(Iss.OptionsShift)).or(Iss.OptionA)
    .or(field(0, 31).shl(Iss.DestinationShift)).or(field(16, 31).shl(5)).or(field(5, 31));
}

/** The access of one byte at a time, with one of the options. */
const accessOf = (options: Value, unprivileged: number) => options.and(unprivileged).nonZero().mul(Access.Unprivileged).or(1);

/** Bytes from an address to the end of its page; backward, the bytes of a page before it. */
const roomAt = (va: Value, forward: Value) => forward.select(constant("i32", PAGE_SIZE).sub(inPage(va)), inPage(va.sub(1)).add(1));

/** Bytes of one call: those left (i64), at most `room`. */
const countOf = (c: Code, left: Value, room: Value): Local => c.let(left.ltU(room.wide()).select(left.wrap(), room));

/** The bytes of one call of `copyMemory`: where they are, and how many. */
interface CopyPiece {
  readonly to: Local;
  readonly from: Local;
  readonly count: Value;
  readonly forward: Value;
}

/** Those of a call with these parameters, whose size is not zero. */
function copyPiece(c: Code): CopyPiece {
  const size = c.parameter(2);
  const to = c.let(c.parameter(0).add(size)), from = c.let(c.parameter(1).add(size));
  const forward = c.let(size.ltS(0));
  const left = c.let(forward.select(constant("i64", 0).sub(size), size));
  const room = c.let(roomAt(to, forward)), other = c.let(roomAt(from, forward));
  const count = countOf(c, left, room.ltU(other).select(room, other));
  c.if(forward.not(), () => {
    c.set(to, to.sub(count.wide()));
    c.set(from, from.sub(count.wide()));
  });
  return { to, from, count, forward };
}

/** The same of `setMemory`. */
function setPiece(c: Code): Pick<CopyPiece, "to" | "count"> {
  const size = c.parameter(2), to = c.let(c.parameter(0).add(size));
  return { to, count: countOf(c, constant("i64", 0).sub(size), constant("i32", PAGE_SIZE).sub(inPage(to))) };
}

function fill(c: Code, at: Value, value: Value, count: Value): void {
  for (const part of [at, value.wrap(), count]) part.emit(c.f);
  c.f.memoryFill();
}

/**
 * `copyMemory` (to, from, size, options) -> the size that is left. As in the registers: a forward
 * copy has the ends and a size below zero, a backward copy the beginnings and a size above zero.
 */
function defineCopy(library: Library, data: DataAccess): void {
  const c = new Code(library.define("copyMemory", PARAMETERS, ["i64"]));
  const size = c.parameter(2), options = c.parameter(3);
  c.if(size.nonZero().not(), () => c.return(size));
  const { to, from, count, forward } = copyPiece(c);
  const read = c.let(c.call(library.named("readAddress"), from, accessOf(options, READS)));
  c.if(read.not(), () => c.return(size));
  data.watch(c, from, accessOf(options, READS), read, count, size);
  const written = writtenAll(c, library, data, to, count);
  copy(c, written, read, count);
  c.result(forward.select(size.add(count.wide()), size.sub(count.wide())));
}

/** `setMemory` (end, value, size below zero, options) -> the size that is left. */
function defineSet(library: Library, data: DataAccess): void {
  const c = new Code(library.define("setMemory", PARAMETERS, ["i64"]));
  const value = c.parameter(1), size = c.parameter(2);
  c.if(size.nonZero().not(), () => c.return(size));
  const { to, count } = setPiece(c), written = writtenAll(c, library, data, to, count);
  fill(c, written, value, count);
  c.result(size.add(count.wide()));
}

/** `tryCopy`: `copyMemory` for regions, and whether it was done. */
function defineTryCopy(library: Library, data: DataAccess): void {
  const c = new Code(library.define("tryCopy", PARAMETERS, TRIED)), size = c.parameter(2), options = c.parameter(3);
  c.if(size.nonZero().not(), () => c.return(size, one));
  const { to, from, count, forward } = copyPiece(c);
  const read = c.let(c.call(callee(library, "readableAt"), from, accessOf(options, READS)));
  c.if(read.not(), () => c.return(size, zero));
  const written = writable(c, library, data, to, count);
  copy(c, written, read, count);
  c.result(forward.select(size.add(count.wide()), size.sub(count.wide())), one);
}

/** `trySet`: the same of `setMemory`. */
function defineTrySet(library: Library, data: DataAccess): void {
  const c = new Code(library.define("trySet", PARAMETERS, TRIED)), size = c.parameter(2);
  c.if(size.nonZero().not(), () => c.return(size, one));
  const { to, count } = setPiece(c), written = writable(c, library, data, to, count);
  fill(c, written, c.parameter(1), count);
  c.result(size.add(count.wide()), one);
}

/**
 * Where a call writes so many bytes of a page. Ends the function if it may not, or if one is
 * watched.
 */
function writtenAll(c: Code, library: Library, data: DataAccess, to: Value, count: Value): Local {
  const size = c.parameter(2), access = accessOf(c.parameter(3), WRITES);
  const written = c.let(c.call(library.named("writeAddress"), to, access));
  c.if(written.not(), () => c.return(size));
  data.watch(c, to, access.or(AccessKind.Write), written, count, size);
  c.run(callee(library, "dropDecoded"), written, count);
  noteMore(c, library, written, count);
  return written;
}

/**
 * Where a region may write so many bytes of a page. Ends the function if it may not: also where
 * instructions are decoded, as they may be among these bytes, and if one is watched.
 */
function writable(c: Code, library: Library, data: DataAccess, to: Value, count: Value): Local {
  const access = accessOf(c.parameter(3), WRITES), written = c.let(c.call(callee(library, "writableAt"), to, access));
  c.if(written.not(), () => c.return(c.parameter(2), zero));
  c.if(c.call(callee(library, "isCodePage"), written), () => c.return(c.parameter(2), zero));
  c.if(data.mayStop(c, to, access.or(AccessKind.Write), written, count), () => c.return(c.parameter(2), zero));
  noteMore(c, library, written, count);
  return written;
}
