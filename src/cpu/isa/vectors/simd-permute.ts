// AdvSIMD copies, permutations, tables and immediates. Arm ARM C4.1.96, "Advanced SIMD copy",
// "scalar copy", "permute", "extract", "table lookup" and "modified immediate".

import { hex, r } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { arrangement, doubleBits, element, expandFloat, floatImmediate, scalar, singleBits, vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import {
  LANE_LOADS,
  LANE_STORES,
  LANES,
  needsQ,
  pattern,
  replicate,
  setScalar,
  setVector,
  shuffleLanes,
  SPLAT_LOADS,
} from "../notation/simd-operands.ts";
import { registerList } from "./simd-structures.ts";

const SIZES = [0, 1, 2, 3] as const;

/** imm5: the element's size in its lowest set bit, the number of the element above it. */
const imm5 = (size: number) => `index:${4 - size} 1${"0".repeat(size)}`;
const offsetOf = ($: Builder, size: number, index: Node) => $.range($.lsl(index, size), 0, 15);
const copies = () =>
  SIZES.flatMap((size) => {
    const general = size === 3 ? 1 : 0;
    const ones = [
      insn(
        `DUP (element, ${8 << size})`,
        pattern<"Q index Rn Rd">(`0 Q 0 01110000 ${imm5(size)} 0 0000 1 Rn Rd`),
        { unallocated: (f) => needsQ(f, size), cold: true },
        (f) => `dup\t${vector(size, f.Q, f.Rd)}, ${element(size, f.Rn, f.index)}`,
        ({ Q, index, Rn, Rd }, $) => setVector($, Q, Rd, $.readV(SPLAT_LOADS[size], Rn, offsetOf($, size, index))),
      ),
      insn(
        `DUP (scalar, ${8 << size})`,
        pattern<"index Rn Rd">(`01 0 11110000 ${imm5(size)} 0 0000 1 Rn Rd`),
        { cold: true },
        (f) => `dup\t${scalar(size, f.Rd)}, ${element(size, f.Rn, f.index)}`,
        ({ index, Rn, Rd }, $) => setScalar($, size, Rd, $.let($.readV(SPLAT_LOADS[size], Rn, offsetOf($, size, index)))),
      ),
      insn(
        `DUP (general, ${8 << size})`,
        pattern<"Q index Rn Rd">(`0 Q 0 01110000 ${imm5(size)} 0 0001 1 Rn Rd`),
        { unallocated: (f) => needsQ(f, size), cold: true },
        (f) => `dup\t${vector(size, f.Q, f.Rd)}, ${r(general, f.Rn)}`,
        ({ Q, Rn, Rd }, $) => setVector($, Q, Rd, $.op(`${LANES[size]}.splat`, $.R(general, Rn))),
      ),
      insn(
        `INS (general, ${8 << size})`,
        pattern<"index Rn Rd">(`0 1 0 01110000 ${imm5(size)} 0 0011 1 Rn Rd`),
        { cold: true },
        (f) => `ins\t${element(size, f.Rd, f.index)}, ${r(general, f.Rn)}`,
        ({ index, Rn, Rd }, $) => $.writeV(LANE_STORES[size], Rd, offsetOf($, size, index), $.R(general, Rn)),
      ),
      insn(
        `INS (element, ${8 << size})`,
        pattern<"index imm4 Rn Rd">(`0 1 1 01110000 ${imm5(size)} 0 imm4 1 Rn Rd`),
        { cold: true },
        (f) => `ins\t${element(size, f.Rd, f.index)}, ${element(size, f.Rn, f.imm4 >> size)}`,
        ({ index, imm4, Rn, Rd }, $) => {
          // The bits of imm4 below the element's number are ignored.
          const source = $.readV(LANE_LOADS[size], Rn, $.range($.and(imm4, 16 - (1 << size)), 0, 15));
          $.writeV(LANE_STORES[size], Rd, offsetOf($, size, index), $.let(source));
        },
      ),
      insn(
        `UMOV (${8 << size})`,
        pattern<"index Rn Rd">(`0 ${general} 0 01110000 ${imm5(size)} 0 0111 1 Rn Rd`),
        { cold: true },
        (f) => `umov\t${r(general, f.Rd)}, ${element(size, f.Rn, f.index)}`,
        ({ index, Rn, Rd }, $) => $.setR(Rd, $.readV(LANE_LOADS[size], Rn, offsetOf($, size, index))),
      ),
    ];
    if (size === 3) return ones;
    const signed = insn(
      `SMOV (${8 << size})`,
      pattern<"Q index Rn Rd">(`0 Q 0 01110000 ${imm5(size)} 0 0101 1 Rn Rd`),
      { shape: "Q", when: (f) => size < 2 || f.Q === 1, cold: true },
      (f) => `smov\t${r(f.Q, f.Rd)}, ${element(size, f.Rn, f.index)}`,
      ({ Q, index, Rn, Rd }, $) => {
        const type = Q ? "i64" : "i32", load = `${type}.load${8 << size}_s`;
        $.setR(Rd, $.readV(load, Rn, offsetOf($, size, index)));
      },
    );
    return [...ones, signed];
  });

/**
 * Element numbers of the result of two vectors of `count` elements; those of the second from
 * `count` up.
 */
const PERMUTATIONS: Readonly<Record<number, { name: string; lane: (i: number, count: number) => number }>> = {
  1: { name: "uzp1", lane: (i) => 2 * i },
  2: { name: "trn1", lane: (i, count) => (i & ~1) + (i & 1) * count },
  3: { name: "zip1", lane: (i, count) => (i >> 1) + (i & 1) * count },
  5: { name: "uzp2", lane: (i) => 2 * i + 1 },
  6: { name: "trn2", lane: (i, count) => (i | 1) + (i & 1) * count },
  7: { name: "zip2", lane: (i, count) => count / 2 + (i >> 1) + (i & 1) * count },
};

const permute = () =>
  insn(
    "ZIP1/ZIP2/UZP1/UZP2/TRN1/TRN2",
    "0 Q 001110 size 0 Rm 0 opcode3 10 Rn Rd",
    { shape: "Q size opcode3", when: (f) => (f.opcode3 & 3) !== 0 && !needsQ(f, f.size), cold: true },
    (f) => `${PERMUTATIONS[f.opcode3].name}\t${[f.Rd, f.Rn, f.Rm].map((n) => vector(f.size, f.Q, n)).join(", ")}`,
    ({ Q, size, opcode3, Rm, Rn, Rd }, $) => {
      const count = (Q ? 16 : 8) >> size, { lane } = PERMUTATIONS[opcode3];
      // Lanes of the second operand begin at 16 >> size in a shuffle, whatever Q.
      const lanes = Array.from({ length: 16 >> size }, (_, i) => lane(i % count, count))
        .map((number) => number < count ? number : number - count + (16 >> size));
      setVector($, Q, Rd, $.shuffle(shuffleLanes(size, lanes), $.Q(Rn), $.Q(Rm)));
    },
  );

/** 0, 1 to 15 in the bytes. */
const BYTE_NUMBERS = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n] as const;

const extract = () =>
  insn(
    "EXT",
    "0 Q 101110 000 Rm 0 imm4 0 Rn Rd",
    { shape: "Q", unallocated: (f) => !f.Q && f.imm4 > 7, cold: true },
    (f) => `ext\t${[f.Rd, f.Rn, f.Rm].map((n) => vector(0, f.Q, n)).join(", ")}, #${f.imm4}`,
    ({ Q, Rm, imm4, Rn, Rd }, $) => {
      const numbers = $.let($.op("i8x16.add", $.v128(...BYTE_NUMBERS), $.op("i8x16.splat", imm4)));
      if (!Q) {
        const low = Array.from({ length: 16 }, (_, i) => i < 8 ? i : i + 8);
        return setVector($, 0, Rd, $.op("i8x16.swizzle", $.shuffle(low, $.Q(Rn), $.Q(Rm)), numbers));
      }
      // A swizzle gives zero for numbers past 15, so that each half fills its own part.
      const second = $.op("i8x16.sub", numbers, $.v128(0x1010101010101010n, 0x1010101010101010n));
      $.setQ(Rd, $.or($.op("i8x16.swizzle", $.Q(Rn), numbers), $.op("i8x16.swizzle", $.Q(Rm), second)));
    },
  );

const table = () =>
  insn(
    "TBL/TBX",
    "0 Q 001110 000 Rm 0 len:2 op 00 Rn Rd",
    { shape: "Q len op", cold: true },
    (f) => {
      const list = registerList(f.Rn, f.len + 1, arrangement(0, 1));
      return `${f.op ? "tbx" : "tbl"}\t${vector(0, f.Q, f.Rd)}, ${list}, ${vector(0, f.Q, f.Rm)}`;
    },
    ({ Q, Rm, len, op, Rn, Rd }, $) => {
      const indices = $.Q(Rm), splat = (value: number) => $.v128(replicate(BigInt(value), 0), replicate(BigInt(value), 0));
      let result = $.op("i8x16.swizzle", $.Q(Rn), indices);
      for (let i = 1; i <= len; i++) {
        const register = $.range($.and($.add(Rn, i), 31), 0, 31);
        result = $.or(result, $.op("i8x16.swizzle", $.Q(register), $.op("i8x16.sub", indices, splat(16 * i))));
      }
      const inRange = () => $.op("i8x16.lt_u", indices, splat(16 * (len + 1)));
      setVector($, Q, Rd, op ? $.op("v128.bitselect", result, $.Q(Rd), inRange()) : result);
    },
  );

/**
 * AdvSIMDExpandImm: the 64 bits that an 8-bit immediate stands for; MVNI and BIC invert them where
 * they are used.
 */
function expandImmediate(op: number, cmode: number, imm8: number): bigint {
  const value = BigInt(imm8);
  if (cmode < 8) return replicate(value << BigInt(8 * (cmode >> 1)), 2);
  if (cmode < 12) return replicate(value << BigInt(8 * (cmode >> 1 & 1)), 1);
  if (cmode < 14) return replicate(cmode & 1 ? value << 16n | 0xffffn : value << 8n | 0xffn, 2);
  if (cmode === 14 && !op) return replicate(value, 0);
  if (cmode === 15) return op ? doubleBits(expandFloat(imm8)) : replicate(BigInt(singleBits(expandFloat(imm8))), 2);
  let mask = 0n;
  for (let bit = 0; bit < 8; bit++) if (imm8 >> bit & 1) mask |= 0xffn << BigInt(8 * bit);
  return mask;
}

type ImmediateFields = { readonly Q: number; readonly op: number; readonly abc: number; readonly defgh: number; readonly Rd: number };

function immediateText(f: ImmediateFields, cmode: number, logical: boolean): string {
  const imm8 = f.abc << 5 | f.defgh;
  if (cmode === 15) return `fmov\t${vector(2 + f.op, f.Q, f.Rd)}, ${floatImmediate(expandFloat(imm8))}`;
  if (cmode === 14) {
    if (!f.op) return `movi\t${vector(0, f.Q, f.Rd)}, ${hex(imm8)}`;
    return `movi\t${f.Q ? vector(3, 1, f.Rd) : scalar(3, f.Rd)}, ${hex(expandImmediate(1, 14, imm8))}`;
  }
  const name = logical ? ["orr", "bic"][f.op] : ["movi", "mvni"][f.op];
  const amount = cmode < 8 ? 8 * (cmode >> 1) : cmode < 12 ? 8 * (cmode >> 1 & 1) : 8 << (cmode & 1);
  const shift = cmode >= 12 ? `, msl #${amount}` : amount ? `, lsl #${amount}` : "";
  return `${name}\t${vector(cmode < 8 || cmode >= 12 ? 2 : 1, f.Q, f.Rd)}, ${hex(imm8)}${shift}`;
}

const moveImmediate = () =>
  insn(
    "MOVI/MVNI/FMOV (vector, immediate)",
    "0 Q op 0111100000 abc:3 cmode 0 1 defgh:5 Rd",
    { shape: "Q", unallocated: (f) => f.cmode === 15 && f.op === 1 && !f.Q },
    (f) => immediateText(f, f.cmode, false),
    ({ Q, op, abc, cmode, defgh, Rd }, $) => {
      const value = $.computed("i64", "moveImmediate", [op, cmode, abc, defgh], (o, mode, high, low) => {
        const expanded = expandImmediate(o, mode, high << 5 | low);
        return o && mode < 14 ? ~expanded : expanded;
      });
      if (Q) $.setQ(Rd, $.op("i64x2.splat", value));
      else $.setD(Rd, value);
    },
  );

/** ORR and BIC have an odd cmode below 12. */
const logicalImmediate = () =>
  (["0 hw:2 1", "10 hw:1 1"] as const).map((cmode, halfwords) =>
    insn(
      `ORR/BIC (vector, immediate, ${halfwords ? 16 : 32})`,
      pattern<"Q op abc hw defgh Rd">(`0 Q op 0111100000 abc:3 ${cmode} 0 1 defgh:5 Rd`),
      { shape: "op", cold: true },
      (f) => immediateText(f, (halfwords ? 8 : 0) + 2 * f.hw, true),
      ({ Q, op, abc, hw, defgh, Rd }, $) => {
        const value = $.computed(
          "i64",
          `logicalImmediate${halfwords}`,
          [hw, abc, defgh],
          (shift, high, low) => expandImmediate(0, (halfwords ? 8 : 0) + 2 * shift, high << 5 | low),
        );
        const mask = $.op("i64x2.splat", value);
        setVector($, Q, Rd, op ? $.op("v128.andnot", $.Q(Rd), mask) : $.or($.Q(Rd), mask));
      },
    )
  );

/** Copies, permutations, tables, immediates. */
export const simdPermute = (): Instruction[] => [...copies(), permute(), extract(), table(), moveImmediate(), ...logicalImmediate()];
