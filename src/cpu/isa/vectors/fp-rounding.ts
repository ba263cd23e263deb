// Conversions of Armv8.3 and Armv8.5: FEAT_JSCVT (FJCVTZS), and FEAT_FRINTTS, which rounds to an
// integral number that fits into 32 or 64 bits. Arm ARM C4.1.96. The functions are in `core/fp`.

import { roundingMode } from "./fp-data-processing.ts";
import { FLOATS, readFloat, scalar, vector, writeFloat } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { arrangementName } from "./simd-fp.ts";
import { needsQ, setVector, vectorOf } from "../notation/simd-operands.ts";

const FRINTTS = { feature: "FEAT_FRINTTS", cold: true } as const;
const name = (f: { large: number; current: number }) => `frint${f.large ? 64 : 32}${f.current ? "x" : "z"}`;
/** Rounding towards zero. */
const ZERO = 3;

/** JSCVT and FRINTTS. */
export const fpRounding = (): Instruction[] => [
  insn(
    "FJCVTZS",
    "0001111001111110000000 Rn Rd",
    { feature: "FEAT_JSCVT", cold: true },
    (f) => `fjcvtzs\tw${f.Rd === 31 ? "zr" : f.Rd}, d${f.Rn}`,
    ({ Rn, Rd }, $) => {
      const result = $.call("i64", "FPToFixedJS", $.D(Rn));
      const inexact = $.let($.lsr(result, 32));
      $.setFlags($.i64(0), inexact, $.i32(0), $.i64(0));
      $.setR(Rd, $.wrap(result));
    },
  ),

  insn(
    "FRINT32Z/FRINT32X/FRINT64Z/FRINT64X (scalar)",
    "000 11110 0 sz 1 0100 large:1 current:1 10000 Rn Rd",
    { ...FRINTTS, shape: "sz large current" },
    (f) => `${name(f)}\t${scalar(2 + f.sz, f.Rd)}, ${scalar(2 + f.sz, f.Rn)}`,
    ({ sz, large, current, Rn, Rd }, $) => {
      const format = FLOATS[sz], mode = current ? roundingMode($) : $.i32(ZERO);
      const result = $.call(format.type, `FPRoundIntN${format.width}`, readFloat($, format, Rn), mode, $.i32(large ? 64 : 32));
      writeFloat($, format, Rd, result, Rd);
    },
  ),

  insn(
    "FRINT32Z/FRINT32X/FRINT64Z/FRINT64X (vector)",
    "0 Q current:1 01110 0 sz 10000 1111 large:1 10 Rn Rd",
    { ...FRINTTS, shape: "Q current sz large", when: (f) => !needsQ(f, 2 + f.sz) },
    (f) => `${name(f)}\t${vector(2 + f.sz, f.Q, f.Rd)}, ${vector(2 + f.sz, f.Q, f.Rn)}`,
    ({ Q, current, sz, large, Rn, Rd }, $) => {
      const mode = current ? roundingMode($) : $.i32(ZERO);
      setVector($, Q, Rd, $.call("v128", `FPRoundIntN${arrangementName(sz, Q)}`, vectorOf($, Q, Rn), mode, $.i32(large ? 64 : 32)));
    },
  ),
];
