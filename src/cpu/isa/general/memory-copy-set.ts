// Memory copy and memory set (FEAT_MOPS), each of which is three instructions in a row: a prologue,
// a main part and an epilogue. Arm ARM C4.1.94, C6.2 (CPYP, CPYFP, SETP), D1.3.6.
//
// The architecture leaves to the CPU what the registers hold between them, and how much each
// instruction does. Here they follow option A: for a forward copy or a set, the addresses are those
// of the ends, and the size counts from below zero up to zero. The prologue only prepares the
// registers. The main part copies or sets up to the end of a page, and is executed again for the
// next one, so that interrupts are taken in between. Nothing is left for the epilogue.

import { x } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";

/** The parts, in the order of their field. */
const PARTS = ["p", "m", "e"] as const;
const PROLOGUE = 0, EPILOGUE = 2, NO_PART = 3;

/** By the options of a copy: its unprivileged accesses, then its non-temporal ones. */
const COPY_OPTIONS = ["", "wn", "rn", "n"].flatMap((nonTemporal) =>
  ["", "wt", "rt", "t"].map((unprivileged) => unprivileged + nonTemporal)
);
const SET_OPTIONS = ["", "t", "n", "tn"] as const;

/** The greatest sizes: greater ones count as these. */
const LARGEST_MOVE = (1n << 55n) - 1n, LARGEST_FORWARD = (1n << 63n) - 1n;
/** Bits of addresses by which a copy decides on its direction. */
const ADDRESS = (1n << 56n) - 1n;

interface Registers {
  readonly Rd: Node;
  readonly Rs: Node;
  readonly Rn: Node;
}

/** A prologue is UNDEFINED where the instructions are not permitted. */
function permit($: Builder): void {
  $.if($.call("i32", "deniesMemoryOperation"), () => $.doFaulting("raiseUndefined"));
}

/** So are the others, which refuse flags of option B; an epilogue also bytes that are left. */
function check($: Builder, size: Node, part: number): void {
  const isOther = $.flag("C"), isLeft = part === EPILOGUE ? $.ne($.X(size), 0) : $.i32(0);
  const refused = $.or($.or($.call("i32", "deniesMemoryOperation"), isOther), isLeft);
  $.if(refused, () => $.doFaulting("refuseMemoryOperation", isOther));
}

/** Ends a main part, which is executed again if bytes are left. */
function continueWith($: Builder, size: Node, left: Node): void {
  $.setR(size, left);
  $.if($.ne(left, 0), () => $.branchTo($.pc()));
}

/** Registers that are different, and not XZR. */
const areApart = (...registers: readonly number[]) => new Set(registers).size === registers.length && !registers.includes(31);

/** The flags of option A. */
function clearFlags($: Builder): void {
  const zero = $.variable($.i64(0));
  $.setFlags(zero, $.variable($.i64(1)), $.variable($.i32(0)), zero);
}

function copyPrologue($: Builder, { Rd, Rs, Rn }: Registers, isForward: boolean): void {
  permit($);
  const to = $.X(Rd), from = $.X(Rs), asked = $.X(Rn);
  const size = $.let(
    isForward ? $.select($.ltS(asked, 0), $.i64(LARGEST_FORWARD), asked) : $.select($.gtU(asked, LARGEST_MOVE), $.i64(LARGEST_MOVE), asked),
  );
  const low = $.let($.and(from, ADDRESS)), high = $.let($.and(to, ADDRESS));
  const backward = $.and($.ltU(low, high), $.gtU($.add(low, size), high));
  const forward = $.let(isForward ? $.i32(1) : $.isZero(backward));
  const ahead = $.let($.select(forward, size, 0));
  $.setR(Rd, $.add(to, ahead));
  $.setR(Rs, $.add(from, ahead));
  $.setR(Rn, $.select(forward, $.neg(size), size));
  clearFlags($);
}

/** FEAT_MOPS, without the instructions that set tags. */
export const memoryCopySet = (): Instruction[] => [
  insn(
    "CPY",
    "00 011 o0 01 part:2 0 Rs options:4 01 Rn Rd",
    {
      feature: "FEAT_MOPS",
      cold: true,
      shape: "o0 part",
      when: (f) => f.part !== NO_PART,
      unallocated: (f) => !areApart(f.Rd, f.Rs, f.Rn),
    },
    (f) => `cpy${f.o0 ? "" : "f"}${PARTS[f.part]}${COPY_OPTIONS[f.options]}\t[${x(f.Rd)}]!, [${x(f.Rs)}]!, ${x(f.Rn)}!`,
    ({ o0, part, Rs, options, Rn, Rd }, $) => {
      if (part === PROLOGUE) return copyPrologue($, { Rd, Rs, Rn }, o0 === 0);
      check($, Rn, part);
      if (part === EPILOGUE) return;
      continueWith($, Rn, $.callTried("i64", "copyMemory", "tryCopy", $.X(Rd), $.X(Rs), $.X(Rn), options));
    },
  ),
  insn(
    "SET",
    "00 011 0 01 11 0 Rs part:2 options:2 01 Rn Rd",
    {
      feature: "FEAT_MOPS",
      cold: true,
      shape: "part",
      when: (f) => f.part !== NO_PART,
      unallocated: (f) => !areApart(f.Rd, f.Rn) || f.Rs === f.Rd || f.Rs === f.Rn,
    },
    (f) => `set${PARTS[f.part]}${SET_OPTIONS[f.options]}\t[${x(f.Rd)}]!, ${x(f.Rn)}!, ${x(f.Rs)}`,
    ({ part, Rs, options, Rn, Rd }, $) => {
      if (part === PROLOGUE) {
        permit($);
        const asked = $.X(Rn), size = $.let($.select($.ltS(asked, 0), $.i64(LARGEST_FORWARD), asked)), end = $.add($.X(Rd), size);
        $.setR(Rd, end);
        $.setR(Rn, $.neg(size));
        return clearFlags($);
      }
      check($, Rn, part);
      if (part === EPILOGUE) return;
      continueWith($, Rn, $.callTried("i64", "setMemory", "trySet", $.X(Rd), $.X(Rs), $.X(Rn), options));
    },
  ),
];
