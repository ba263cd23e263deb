// Exclusives, acquire-release, compare and swap, the atomic memory operations of FEAT_LSE, LDAPR of
// FEAT_LRCPC. Arm ARM C4.1.94, B2.9.
//
// One worker runs all physical CPUs in turns, so that plain loads and stores in one instruction are
// atomic, and every ordering holds. The local monitor remembers address, size and value: a
// store-exclusive succeeds when the location still holds what was loaded.

import { r, w, xsp } from "../notation/assembly.ts";
import type { Builder, Node, Type } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";

/** Suffix of the access size, for byte and halfword. */
const NARROW = ["b", "h", "", ""] as const;

const intType = (size: number): "i32" | "i64" => size === 3 ? "i64" : "i32";
const loadName = (size: number) => ["i32.load8_u", "i32.load16_u", "i32.load", "i64.load"][size];
const storeName = (size: number) => ["i32.store8", "i32.store16", "i32.store", "i64.store"][size];

/** Acquire and release letters of an LSE mnemonic. */
const ordering = (acquire: number, release: number) => (acquire ? "a" : "") + (release ? "l" : "");

/** A register as the type of its access; the low bits of X for narrow ones. */
function register($: Builder, size: number, index: Node): Node {
  return size === 3 ? $.X(index) : $.W(index);
}

/** The low `size` bits of an i32 that may have more. */
function narrowed($: Builder, size: number, value: Node): Node {
  return size === 0 ? $.and(value, 0xff) : size === 1 ? $.and(value, 0xffff) : value;
}

function mark($: Builder, address: Node, bytes: number, value: Node, second?: Node): void {
  $.setState("EXCLUSIVE", bytes);
  $.setState("EXCLUSIVE_ADDRESS", address);
  $.setState("EXCLUSIVE_VALUE", $.zeroExtend64(value));
  if (second) $.setState("EXCLUSIVE_VALUE2", $.zeroExtend64(second));
}

/**
 * The store half: `attempt` stores and answers whether it did; the status register gets 0 then, 1
 * otherwise.
 */
function storeExclusive($: Builder, bytes: number, address: Node, Rs: Node, attempt: (place: Node) => Node): void {
  const status = $.variable($.i32(1));
  const marked = $.and($.eq($.state("EXCLUSIVE"), bytes), $.eq($.state("EXCLUSIVE_ADDRESS"), address));
  $.if(marked, () => $.assign(status, attempt($.ramAddress(bytes, address))));
  $.setState("EXCLUSIVE", 0);
  $.setR(Rs, status);
}

const ATOMIC_OPERATIONS = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"] as const;

/**
 * The value that an atomic operation stores; operands have the type of the access, sign- or
 * zero-extended as `signed` says.
 */
function atomicResult($: Builder, operation: number, type: Type, old: Node, operand: Node): Node {
  switch (ATOMIC_OPERATIONS[operation]) {
    case "add":
      return $.add(old, operand);
    case "clr":
      return $.and(old, $.not(operand));
    case "eor":
      return $.eor(old, operand);
    case "set":
      return $.or(old, operand);
    case "smax":
      return $.select($.op(`${type}.gt_s`, old, operand), old, operand);
    case "smin":
      return $.select($.op(`${type}.lt_s`, old, operand), old, operand);
    case "umax":
      return $.select($.op(`${type}.gt_u`, old, operand), old, operand);
    case "umin":
      return $.select($.op(`${type}.lt_u`, old, operand), old, operand);
  }
  throw new Error(`no atomic operation ${operation}`);
}

/** Acquire and release. */
export const ORDERED = { aligned: true, ordered: true } as const;

export const atomics = (): Instruction[] => [
  insn(
    "LDXR/LDAXR",
    "size 001000 0 1 0 Rs o0 Rt2 Rn Rt",
    { shape: "size", cold: (f) => f.size < 2, unpredictable: (f) => f.Rs !== 31 || f.Rt2 !== 31 },
    (f) => `ld${f.o0 ? "a" : ""}xr${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, Rn, Rt }, $) => {
      const address = $.XSP(Rn);
      const value = $.load("i64", 1 << size, address, { aligned: true });
      mark($, address, 1 << size, value);
      $.setR(Rt, value);
    },
  ),

  insn(
    "STXR/STLXR",
    "size 001000 0 0 0 Rs o0 Rt2 Rn Rt",
    { shape: "size", cold: (f) => f.size < 2, unpredictable: (f) => f.Rt2 !== 31 || f.Rs === f.Rt || f.Rs === f.Rn && f.Rn !== 31 },
    (f) => `st${f.o0 ? "l" : ""}xr${NARROW[f.size]}\t${w(f.Rs)}, ${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, Rs, Rn, Rt }, $) =>
      storeExclusive($, 1 << size, $.XSP(Rn), Rs, (place) => {
        const unchanged = $.let($.eq($.zeroExtend64($.ramLoad(loadName(size), place)), $.state("EXCLUSIVE_VALUE")));
        $.if(unchanged, () => $.ramStore(storeName(size), place, register($, size, Rt)));
        return $.isZero(unchanged);
      }),
  ),

  insn(
    "LDXP/LDAXP",
    "1 sz:1 001000 0 1 1 Rs o0 Rt2 Rn Rt",
    { shape: "sz", cold: true, unpredictable: (f) => f.Rs !== 31 || f.Rt === f.Rt2 },
    (f) => `ld${f.o0 ? "a" : ""}xp\t${r(f.sz, f.Rt)}, ${r(f.sz, f.Rt2)}, [${xsp(f.Rn)}]`,
    ({ sz, Rt2, Rn, Rt }, $) => {
      const address = $.XSP(Rn);
      if (sz) {
        const pair = $.load("v128", 16, address, { aligned: true, part: true });
        const low = $.let($.lane("i64x2.extract_lane", 0, pair)), high = $.let($.lane("i64x2.extract_lane", 1, pair));
        mark($, address, 16, low, high);
        $.setR(Rt, low);
        $.setR(Rt2, high);
      } else {
        const pair = $.load("i64", 8, address, { aligned: true, part: true });
        mark($, address, 8, pair);
        $.setR(Rt, $.wrap(pair));
        $.setR(Rt2, $.lsr(pair, 32));
      }
    },
  ),

  insn(
    "STXP/STLXP",
    "1 sz:1 001000 0 0 1 Rs o0 Rt2 Rn Rt",
    { shape: "sz", cold: true, unpredictable: (f) => f.Rs === f.Rt || f.Rs === f.Rt2 || f.Rs === f.Rn && f.Rn !== 31 },
    (f) => `st${f.o0 ? "l" : ""}xp\t${w(f.Rs)}, ${r(f.sz, f.Rt)}, ${r(f.sz, f.Rt2)}, [${xsp(f.Rn)}]`,
    ({ sz, Rs, Rt2, Rn, Rt }, $) =>
      storeExclusive($, sz ? 16 : 8, $.XSP(Rn), Rs, (place) => {
        const first = $.eq($.ramLoad("i64.load", place), $.state("EXCLUSIVE_VALUE"));
        const unchanged = $.let(sz ? $.and(first, $.eq($.ramLoad("i64.load", place, 8), $.state("EXCLUSIVE_VALUE2"))) : first);
        $.if(unchanged, () => {
          const bytes = sz ? 8 : 4;
          $.ramStore(storeName(2 + sz), place, register($, 2 + sz, Rt));
          $.ramStore(storeName(2 + sz), place, register($, 2 + sz, Rt2), bytes);
        });
        return $.isZero(unchanged);
      }),
  ),

  insn(
    "LDAR/STLR",
    "size 001000 1 L 0 Rs 1 Rt2 Rn Rt",
    { shape: "size L", cold: (f) => f.size < 2, unpredictable: (f) => f.Rs !== 31 || f.Rt2 !== 31 },
    (f) => `${f.L ? "ldar" : "stlr"}${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, L, Rn, Rt }, $) => {
      if (L) $.setR(Rt, $.load("i64", 1 << size, $.XSP(Rn), ORDERED));
      else $.store(1 << size, $.XSP(Rn), $.X(Rt), ORDERED);
    },
  ),

  insn(
    "CAS",
    "size 001000 1 L 1 Rs o0 11111 Rn Rt",
    { shape: "size", cold: (f) => f.size < 2 },
    (f) => `cas${ordering(f.L, f.o0)}${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rs)}, ${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, Rs, Rn, Rt }, $) => {
      const place = $.ramAddress(1 << size, $.XSP(Rn));
      const old = $.ramLoad(loadName(size), place);
      $.if($.eq(old, narrowed($, size, register($, size, Rs))), () => $.ramStore(storeName(size), place, register($, size, Rt)));
      $.setR(Rs, old);
    },
  ),

  insn(
    "CASP",
    "0 sz:1 001000 0 L 1 Rs o0 11111 Rn Rt",
    { shape: "sz", cold: true, unallocated: (f) => (f.Rs & 1) === 1 || (f.Rt & 1) === 1 },
    (f) => {
      const pair = (index: number) => `${r(f.sz, index)}, ${r(f.sz, index + 1)}`;
      return `casp${ordering(f.L, f.o0)}\t${pair(f.Rs)}, ${pair(f.Rt)}, [${xsp(f.Rn)}]`;
    },
    ({ sz, Rs, Rn, Rt }, $) => {
      const size = 2 + sz, bytes = 1 << size, place = $.ramAddress(2 * bytes, $.XSP(Rn));
      const next = (index: Node) => $.range($.add(index, 1), 1, 31);
      const first = $.ramLoad(loadName(size), place), second = $.ramLoad(loadName(size), place, bytes);
      // Rs is even, so never XZR.
      $.if($.and($.eq(first, $.Rupdate(sz, Rs)), $.eq(second, register($, size, next(Rs)))), () => {
        $.ramStore(storeName(size), place, register($, size, Rt));
        $.ramStore(storeName(size), place, register($, size, next(Rt)), bytes);
      });
      $.setR(Rs, first);
      $.setR(next(Rs), second);
    },
  ),

  insn(
    "LDADD/LDCLR/LDEOR/LDSET/LDSMAX/LDSMIN/LDUMAX/LDUMIN",
    "size 111 0 00 A R 1 Rs 0 opc:3 00 Rn Rt",
    { shape: "size opc", cold: (f) => f.size < 2 || f.opc > 3 },
    (f) => {
      const sf = f.size === 3 ? 1 : 0;
      return `ld${ATOMIC_OPERATIONS[f.opc]}${ordering(f.A, f.R)}${NARROW[f.size]}\t${r(sf, f.Rs)}, ${r(sf, f.Rt)}, [${xsp(f.Rn)}]`;
    },
    ({ size, Rs, opc, Rn, Rt }, $) => {
      const place = $.ramAddress(1 << size, $.XSP(Rn));
      const old = $.ramLoad(loadName(size), place), operand = register($, size, Rs);
      const isSigned = opc === 4 || opc === 5;
      const compared = (value: Node) => isSigned && size < 2 ? $.signExtend(value, 8 << size) : narrowed($, size, value);
      $.ramStore(storeName(size), place, atomicResult($, opc, intType(size), compared(old), compared(operand)));
      $.setR(Rt, old);
    },
  ),

  insn(
    "SWP",
    "size 111 0 00 A R 1 Rs 1 000 00 Rn Rt",
    { shape: "size", cold: (f) => f.size < 2 },
    (f) => {
      const sf = f.size === 3 ? 1 : 0;
      return `swp${ordering(f.A, f.R)}${NARROW[f.size]}\t${r(sf, f.Rs)}, ${r(sf, f.Rt)}, [${xsp(f.Rn)}]`;
    },
    ({ size, Rs, Rn, Rt }, $) => {
      const place = $.ramAddress(1 << size, $.XSP(Rn));
      const old = $.ramLoad(loadName(size), place);
      $.ramStore(storeName(size), place, register($, size, Rs));
      $.setR(Rt, old);
    },
  ),

  insn(
    "LDAPR",
    "size 111 0 00 1 0 1 Rs 1 100 00 Rn Rt",
    { shape: "size", cold: true, unpredictable: (f) => f.Rs !== 31 },
    (f) => `ldapr${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, Rn, Rt }, $) => $.setR(Rt, $.load("i64", 1 << size, $.XSP(Rn), ORDERED)),
  ),

  insn(
    "CLREX",
    "1101010100 0 00 011 0011 CRm 010 11111",
    {},
    (f) => f.CRm === 15 ? "clrex" : `clrex\t#0x${f.CRm.toString(16)}`,
    (_, $) => $.setState("EXCLUSIVE", 0),
  ),
];
